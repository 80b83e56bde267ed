// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"io"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// beside is a walk over a snapshot beside what stands in the target, which it
// does not change.
type beside struct {
	r *Restore
	// entry is called for each entry that is meant, folders before what they
	// hold, with the folder in the target that it belongs into, nil if none
	// stands there.
	entry func(at *besideFolder, e *tree.Entry)
	// leave, where it is set, is called behind the last entry of a folder that
	// could be read.
	leave func(at *besideFolder)
}

// besideFolder is a folder of the snapshot and what stands at its place.
type besideFolder struct {
	*restoreFolder               // for its path
	existing       *files.Folder // nil: none
}

// run walks over everything.
func (b *beside) run() {
	top := &besideFolder{restoreFolder: &restoreFolder{r: b.r, entry: b.r.root}}
	if existing, err := files.OpenFolder(b.r.o.Target); err == nil {
		defer existing.Close()
		top.existing = existing
	}
	b.walk(top)
}

func (b *beside) walk(at *besideFolder) {
	reader := b.r.b.folder(at.restoreFolder.entry)
	for !b.r.stopped() {
		e, err := reader.Next(b.r.ctx)
		if err == io.EOF {
			if b.leave != nil {
				b.leave(at)
			}
			return
		}
		if err != nil {
			b.r.failed(asProblem(files.ActList, at.path(nil), err), err)
			return
		}
		meant, below := at.means(e.Name)
		if meant {
			b.entry(at, e)
		}
		if e.Type == tree.TypeFolder && (meant || below) {
			b.child(at, e)
		}
	}
}

func (b *beside) child(at *besideFolder, e *tree.Entry) {
	child := &besideFolder{restoreFolder: &restoreFolder{r: b.r, parent: at.restoreFolder, entry: e}}
	if at.existing != nil {
		if existing, err := at.existing.Child(e.Name); err == nil {
			defer existing.Close()
			child.existing = existing
		}
	}
	b.walk(child)
}

// dry says what a restore would do.
func (r *Restore) dry() error {
	b := &beside{r: r, entry: r.wouldRestore}
	if r.o.Delete {
		b.leave = r.wouldDelete
	}
	b.run()
	return r.ctx.Err()
}

// wouldRestore counts one entry as Decide would decide.
func (r *Restore) wouldRestore(at *besideFolder, e *tree.Entry) {
	r.report.saw(e)
	switch {
	case e.Type == tree.TypeFolder:
		r.report.folders.Add(1)
	case e.Type == tree.TypeSocket:
		r.report.skipped.Add(1)
	default:
		action := r.wouldDo(at.existing, e)
		if action == ActionRestored {
			r.report.written.Add(int64(e.Data()))
		}
		r.report.did(action, e, func() []byte { return at.path(e.Name) })
	}
}

func (r *Restore) wouldDo(existing *files.Folder, e *tree.Entry) RestoreAction {
	if existing == nil {
		return ActionRestored
	}
	item, err := existing.Lookup(e.Name)
	switch {
	case err != nil:
		return ActionRestored
	case r.o.Overwrite == files.Never, r.o.Overwrite == files.IfNewer && item.Modified >= e.Modified:
		return ActionKept
	case item.Type != e.Type || e.Type == tree.TypeFile && item.Size != e.Size:
		return ActionRestored
	case item.Modified == e.Modified && r.o.Overwrite == files.IfChanged:
		return ActionUnchanged
	}
	return ActionRestored
}

// wouldDelete tells what stands in a folder and not in the snapshot.
func (r *Restore) wouldDelete(at *besideFolder) {
	if at.existing == nil {
		return
	}
	items, problems, err := at.existing.List()
	r.report.warn(problems)
	if err != nil {
		r.failed(err, err)
		return
	}
	names := &folderNames{ctx: r.ctx, reader: r.b.folder(at.restoreFolder.entry)}
	for i := range items {
		name := items[i].Name
		if names.has(name) {
			continue
		}
		if meant, _ := at.means(name); meant {
			r.wouldRemove(at.existing, &items[i], at.path(name))
		}
	}
}

// wouldRemove tells what goes of what stands at a path of the target, and
// reports whether all of it does: what is not meant stays, also in a folder
// that is.
func (r *Restore) wouldRemove(in *files.Folder, item *files.Item, path []byte) bool {
	all := true
	if item.Type == tree.TypeFolder && r.o.Choice != nil {
		all = r.wouldEmpty(in, item.Name, path)
	}
	if all {
		r.report.removed(path)
	}
	return all
}

func (r *Restore) wouldEmpty(in *files.Folder, name, path []byte) bool {
	folder, err := in.Child(name)
	if err != nil {
		r.failed(err, err)
		return false
	}
	defer folder.Close()
	items, problems, err := folder.List()
	r.report.warn(problems)
	if err != nil {
		r.failed(err, err)
		return false
	}
	all := len(problems) == 0
	for i := range items {
		below := append(append(append([]byte(nil), path...), '/'), items[i].Name...)
		if meant, _ := r.o.Choice.Means(below); !meant || !r.wouldRemove(folder, &items[i], below) {
			all = false
		}
	}
	return all
}

// verify reads back every file that was restored, or counted as unchanged, and
// compares it with the names of its chunks.
func (r *Restore) verify() error {
	(&beside{r: r, entry: r.verifyEntry}).run()
	return r.ctx.Err()
}

func (r *Restore) verifyEntry(at *besideFolder, e *tree.Entry) {
	if e.Type != tree.TypeFile || at.existing == nil {
		return
	}
	if item, err := at.existing.Lookup(e.Name); err != nil || r.mayDiffer(&item, e) {
		return // it is not there, which was told, or stays as it is, which was asked for
	}
	right, err := r.readBack(at.existing, e)
	if err == nil && !right {
		err = protocol.Errorf(protocol.KindUnreadable, "what was read back is not what was restored")
	}
	if err != nil {
		r.failed(asProblem(files.ActRead, at.path(e.Name), err), err)
		return
	}
	r.report.verified.Add(1)
}

// mayDiffer reports whether the policy leaves at an entry's place what is not
// the entry.
func (r *Restore) mayDiffer(item *files.Item, e *tree.Entry) bool {
	kept := r.o.Overwrite == files.Never || r.o.Overwrite == files.IfNewer
	return kept && (item.Size != e.Size || item.Modified != e.Modified)
}

func (r *Restore) readBack(folder *files.Folder, e *tree.Entry) (bool, error) {
	names, err := r.b.names(r.o.Snapshot.Namer)
	if err != nil {
		return false, err
	}
	file, err := folder.Open(e.Name)
	if err != nil {
		return false, err
	}
	old := &oldFile{ctx: r.ctx, file: file, names: names, load: r.b.load, buf: pieceBuffers.Get().(*[]byte)}
	defer old.close()
	if file.Stat().Size != e.Size {
		return false, nil
	}
	return old.isSame(e)
}
