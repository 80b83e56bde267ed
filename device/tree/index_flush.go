// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"io"
	"slices"
)

// Flush makes everything added so far durable. After an error it stays known to this process, and the next Flush
// tries again; on the medium the index is as the last successful Flush left it.
func (x *Index) Flush() error {
	if x.lock == nil {
		return wrapIndex(errReadOnly, "flush the index")
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if err := x.spill(); err != nil {
		return wrapIndex(err, "flush the index")
	}
	return wrapIndex(x.tidy(), "merge files of the index")
}

// freeze sets the newest records aside, to be written while others go on adding. It returns nil when there is
// nothing to make durable. Records that an earlier attempt failed to write come first.
func (x *Index) freeze() *memoryTable {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.frozen == nil {
		if len(x.memory.records) == 0 && !x.changed {
			return nil
		}
		x.frozen, x.frozenPacks = x.memory, len(x.flags)
		x.memory = newMemoryTable()
	}
	return x.frozen
}

// spill writes the records in memory to a file and makes it part of the index. writing is held.
func (x *Index) spill() error {
	for {
		table := x.freeze()
		if table == nil {
			return nil
		}
		files := x.files
		if len(table.records) > 0 {
			f, err := x.writeFile(uint64(len(table.records)), table.write)
			if err != nil {
				return err
			}
			files = append(slices.Clip(files), f)
		}
		if err := x.disk.sync(x.packs.f); err != nil {
			return err
		}
		x.durable = x.frozenPacks // a leap ahead of a failing commit: no older manifest is written any more
		if err := x.commit(files); err != nil {
			return err
		}
	}
}

// write gives a file's writer all records of the table.
func (t *memoryTable) write(w *indexFileWriter) error {
	for _, r := range t.sorted() {
		if err := w.add(&r); err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes the next index file, of at most that many records, and opens it; it returns nil when fill gave
// none. The file is no part of the index until commit.
func (x *Index) writeFile(most uint64, fill func(w *indexFileWriter) error) (*indexFile, error) {
	number := x.next
	x.next++
	path := indexFilePath(x.dir, number)
	var records uint64
	err := x.disk.writeNew(path, func(file io.Writer) error {
		w := newIndexFileWriter(file, most)
		if err := fill(w); err != nil {
			return err
		}
		records = w.records
		return w.finish()
	})
	if err != nil {
		return nil, err
	}
	if records == 0 {
		return nil, x.disk.remove(path)
	}
	if err := x.disk.syncFolder(x.dir); err != nil {
		return nil, err
	}
	return openIndexFile(path, number, records)
}

// commit makes files the index's, first on the medium, then in memory. writing is held; the files in memory now that
// are not among the new ones are released, as are new ones that an error keeps out.
func (x *Index) commit(files []*indexFile) error {
	m, spilled := x.manifest(files)
	if err := m.store(x.disk, x.dir); err != nil {
		releaseAll(without(files, x.files))
		x.mu.Lock()
		x.changed = true
		x.mu.Unlock()
		return err
	}
	x.mu.Lock()
	old := without(x.files, files)
	x.files = files
	if spilled {
		x.frozen = nil
	}
	x.mu.Unlock()
	releaseAll(old)
	for _, f := range old {
		if err := x.disk.remove(f.f.Name()); err != nil {
			return err
		}
	}
	return nil
}

// manifest returns what the medium is to say when the index consists of files; spilled is whether that includes the
// records of frozen.
func (x *Index) manifest(files []*indexFile) (m *manifest, spilled bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m = &manifest{Version: manifestVersion, Next: x.next, Dead: x.dead, Flags: slices.Clone(x.flags[:x.durable])}
	for _, f := range files {
		m.Files = append(m.Files, fileMark{Number: f.number, Records: f.records})
	}
	x.changed = len(x.flags) > x.durable
	return m, x.frozen != nil
}

// without returns the files of a that are not in b.
func without(a, b []*indexFile) []*indexFile {
	var rest []*indexFile
	for _, f := range a {
		if !slices.Contains(b, f) {
			rest = append(rest, f)
		}
	}
	return rest
}

// tidy merges files until there are few, and all when too many records are dead. writing is held.
func (x *Index) tidy() error {
	for {
		n := x.untidy()
		if n == 0 {
			return nil
		}
		if err := x.merge(n); err != nil {
			return err
		}
	}
}

// untidy returns how many of the newest files are to become one.
func (x *Index) untidy() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var sizes []uint64
	var total uint64
	for _, f := range x.files {
		sizes = append(sizes, f.records)
		total += f.records
	}
	if x.dead > 0 && x.dead*4 >= total {
		return len(x.files)
	}
	return toMerge(sizes, x.room)
}

// merge makes one file of the n newest, without the records of removed packs.
func (x *Index) merge(n int) error {
	x.mu.Lock()
	kept, sources := x.files[:len(x.files)-n], x.files[len(x.files)-n:]
	flags := slices.Clone(x.flags)
	if len(kept) == 0 {
		x.dead = 0 // should the merge fail, the space comes back later
	}
	x.mu.Unlock()
	var most uint64
	for _, f := range sources {
		most += f.records
	}
	f, err := x.writeFile(most, func(w *indexFileWriter) error { return mergeLive(w, sources, flags) })
	if err != nil {
		return err
	}
	files := slices.Clone(kept)
	if f != nil {
		files = append(files, f)
	}
	return x.commit(files)
}

// mergeLive writes the records of files whose packs are not removed.
func mergeLive(w *indexFileWriter, files []*indexFile, flags []byte) error {
	m, err := newIndexMerger(files)
	if err != nil {
		return err
	}
	for {
		r, err := m.next()
		if r == nil || err != nil {
			return err
		}
		if int(r.pack()) >= len(flags) || flags[r.pack()]&flagRemoved != 0 {
			continue
		}
		if err := w.add(r); err != nil {
			return err
		}
	}
}
