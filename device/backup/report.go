// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"sync"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
)

// Progress counts what a run did so far.
type Progress struct {
	Files      int64 // looked at
	Unchanged  int64 // of these, as in the last run
	Folders    int64
	Others     int64 // links, devices and the like
	Excluded   int64
	Bytes      int64 // of the files looked at
	Read       int64 // bytes read
	Problems   int64 // entries, or properties of entries, that could not be read
	PacksSent  int64
	BytesSent  int64
	BytesSaved int64 // plaintext that was stored already
	Added      int64 // plaintext that was not
}

// reporter counts, and hands problems to who wants to know.
type reporter struct {
	seen, unchanged, folders, others, excludedEntries, bytes, readBytes, problemCount atomic.Int64

	mu        sync.Mutex // serialises onProblem
	onProblem func(*files.Problem)
}

func (r *reporter) problem(err error) {
	p, ok := err.(*files.Problem)
	if !ok {
		p = &files.Problem{Act: files.ActRead, Cause: files.Failed, Err: err}
	}
	r.problemCount.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.onProblem != nil {
		r.onProblem(p)
	}
}

func (r *reporter) problems(list []*files.Problem) {
	for _, p := range list {
		r.problem(p)
	}
}

// unstorable reports an entry that no node may hold.
func (r *reporter) unstorable(folder *files.Folder, name []byte, err error) {
	path := append(append(append([]byte(nil), folder.Path()...), '/'), name...)
	r.problem(&files.Problem{Act: files.ActRead, Cause: files.Unsupported, Path: path, Err: err})
}

func (r *reporter) unchangedFile(size uint64) {
	r.seen.Add(1)
	r.unchanged.Add(1)
	r.bytes.Add(int64(size))
}

func (r *reporter) newFile(size uint64) {
	r.seen.Add(1)
	r.bytes.Add(int64(size))
}

func (r *reporter) linkedFile() { r.seen.Add(1) }

func (r *reporter) read(n int) { r.readBytes.Add(int64(n)) }

func (r *reporter) folder() { r.folders.Add(1) }

func (r *reporter) other() { r.others.Add(1) }

func (r *reporter) excluded() { r.excludedEntries.Add(1) }

// reset sets the counts back to zero.
func (r *reporter) reset() {
	for _, count := range []*atomic.Int64{
		&r.seen, &r.unchanged, &r.folders, &r.others, &r.excludedEntries, &r.bytes, &r.readBytes, &r.problemCount,
	} {
		count.Store(0)
	}
}

// progress returns the counts so far.
func (r *reporter) progress() Progress {
	return Progress{
		Files: r.seen.Load(), Unchanged: r.unchanged.Load(), Folders: r.folders.Load(), Others: r.others.Load(),
		Excluded: r.excludedEntries.Load(), Bytes: r.bytes.Load(), Read: r.readBytes.Load(), Problems: r.problemCount.Load(),
	}
}
