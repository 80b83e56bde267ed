// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// RestoreProgress counts what a restore did so far.
type RestoreProgress struct {
	Entries   int64 // seen in the snapshot and chosen, folders among them
	Files     int64 // restored, further names of a file among them
	Folders   int64 // made or entered
	Others    int64 // links, devices and the like, restored
	Unchanged int64 // had their content already
	Kept      int64 // something else stands there, and stays
	Deleted   int64
	Skipped   int64 // sockets, which mean nothing without their program
	Bytes     int64 // of content seen and chosen
	Written   int64 // bytes of content written
	Fetched   int64 // of these, bytes that did not stand there already
	Verified  int64 // files read back and found right
	Lost      int64 // entries that could not be restored whole
	Warnings  int64 // properties of entries that could not be restored
}

// restoreReport counts, and hands on what somebody wants to know.
type restoreReport struct {
	entries, files, folders, others, unchanged, kept, deleted, skipped atomic.Int64
	bytesSeen, written, fetched, verified, lostCount, warnings         atomic.Int64

	mu        sync.Mutex // serialises the calls of what follows
	onProblem func(error)
	onItem    func(RestoredItem)
}

// progress returns the counts so far.
func (r *restoreReport) progress() RestoreProgress {
	return RestoreProgress{
		Entries: r.entries.Load(), Files: r.files.Load(), Folders: r.folders.Load(), Others: r.others.Load(),
		Unchanged: r.unchanged.Load(), Kept: r.kept.Load(), Deleted: r.deleted.Load(), Skipped: r.skipped.Load(),
		Bytes: r.bytesSeen.Load(), Written: r.written.Load(), Fetched: r.fetched.Load(), Verified: r.verified.Load(),
		Lost: r.lostCount.Load(), Warnings: r.warnings.Load(),
	}
}

// saw counts an entry that is to be restored.
func (r *restoreReport) saw(e *tree.Entry) {
	r.entries.Add(1)
	r.bytesSeen.Add(int64(e.Size))
}

// lost tells of an entry that is not, or not whole, in its place.
func (r *restoreReport) lost(err error) {
	r.lostCount.Add(1)
	r.tell(err)
}

// warn tells of properties that could not be restored. A problem that is more
// than that counts as a loss.
func (r *restoreReport) warn(problems []*files.Problem) {
	for _, p := range problems {
		if !p.Warning() {
			r.lost(p)
			continue
		}
		r.warnings.Add(1)
		r.tell(p)
	}
}

func (r *restoreReport) tell(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.onProblem != nil {
		r.onProblem(err)
	}
}

// did counts what was done about an entry that is no folder.
func (r *restoreReport) did(action RestoreAction, e *tree.Entry, path func() []byte) {
	switch {
	case action == ActionUnchanged:
		r.unchanged.Add(1)
	case action == ActionKept:
		r.kept.Add(1)
	case e.Type == tree.TypeFile:
		r.files.Add(1)
	default:
		r.others.Add(1)
	}
	r.item(action, e, path)
}

// removed counts what --delete removed.
func (r *restoreReport) removed(path []byte) {
	r.deleted.Add(1)
	r.item(ActionDeleted, &tree.Entry{}, func() []byte { return path })
}

func (r *restoreReport) item(action RestoreAction, e *tree.Entry, path func() []byte) {
	if r.onItem == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.onItem(RestoredItem{Path: path(), Type: e.Type, Size: e.Size, Action: action})
}

// asProblem makes an error about an entry one that names its place, if it does
// not do so already.
func asProblem(act files.Act, path []byte, err error) error {
	var p *files.Problem
	if errors.As(err, &p) {
		return err
	}
	return &files.Problem{Act: act, Cause: files.Failed, Path: path, Err: err}
}
