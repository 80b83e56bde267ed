// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// restoreFolder is a folder that is being restored.
type restoreFolder struct {
	r      *Restore
	parent *restoreFolder // nil for the root
	entry  *tree.Entry
	open   atomic.Int64 // what in it is not done: its children, and the walk
	lossy  atomic.Bool  // not all of its entries could be read

	mu     sync.Mutex    // guards what follows
	target *files.Target // nil until something is restored into it
	fresh  bool          // nothing stood there before this restore
	err    error         // why it cannot be entered
}

// newRoot returns the target itself.
func (r *Restore) newRoot(fresh bool) *restoreFolder {
	f := &restoreFolder{r: r, entry: r.root, target: r.restorer.Root(), fresh: fresh}
	f.open.Store(1)
	return f
}

// path returns the path within what is restored, from "/" on.
func (f *restoreFolder) path(name []byte) []byte {
	var names [][]byte
	for at := f; at.parent != nil; at = at.parent {
		names = append(names, at.entry.Name)
	}
	path := []byte{}
	for i := len(names) - 1; i >= 0; i-- {
		path = append(append(path, '/'), names[i]...)
	}
	if name != nil || len(path) == 0 {
		path = append(append(path, '/'), name...)
	}
	return path
}

// means is Choice.Means of an entry of the folder.
func (f *restoreFolder) means(name []byte) (meant, below bool) {
	if f.r.o.Choice == nil {
		return true, true
	}
	return f.r.o.Choice.Means(f.path(name))
}

// enter returns the place to restore into, which is made when it is needed.
func (f *restoreFolder) enter() (*files.Target, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.target != nil || f.err != nil {
		return f.target, f.err
	}
	parent, err := f.parent.enter()
	if err != nil {
		f.err = err
		return nil, err
	}
	f.fresh = f.parent.isFresh()
	if !f.fresh {
		_, err := parent.Existing().Lookup(f.entry.Name)
		f.fresh = files.CauseOf(err) == files.Vanished
	}
	if f.target, f.err = parent.Folder(f.entry); f.err == nil {
		f.r.report.folders.Add(1)
	}
	return f.target, f.err
}

// isFresh reports whether nothing stood in the folder before; it was entered.
func (f *restoreFolder) isFresh() bool {
	if f.parent == nil {
		return f.fresh
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fresh
}

// release notes that one of the things in the folder is done. The last finishes
// the folder, and is one of the things in its parent.
func (f *restoreFolder) release() {
	for f != nil && f.open.Add(-1) == 0 {
		f.finish()
		if f.parent == nil {
			close(f.r.ended)
		}
		f = f.parent
	}
}

// finish removes what does not belong and sets the folder's own properties.
func (f *restoreFolder) finish() {
	if f.target == nil {
		return
	}
	r := f.r
	if r.o.Delete && !f.lossy.Load() && !f.fresh && !r.stopped() {
		r.report.warn(f.prune())
	}
	if f.parent != nil {
		r.report.warn(f.target.Finish(f.entry))
		f.target.Close()
	}
}

// prune removes what stands in the folder and is not in the snapshot, as far as
// it is meant. The snapshot's names and those that stand there come in the same
// order, so no list of them is held. In doubt everything is kept.
func (f *restoreFolder) prune() []*files.Problem {
	names := &folderNames{ctx: f.r.ctx, reader: f.r.b.folder(f.entry)}
	return f.target.Prune(func(name []byte) bool {
		if names.has(name) {
			return true
		}
		meant, _ := f.means(name)
		return !meant
	}, f.r.report.removed)
}

// folderNames answers whether names are in a folder, asked in ascending order.
type folderNames struct {
	ctx     context.Context
	reader  *tree.FolderReader
	current []byte
	ended   bool
	unsure  bool
}

// has reports whether the name is in the folder; true where that is not known.
func (n *folderNames) has(name []byte) bool {
	for !n.ended && !n.unsure && (n.current == nil || bytes.Compare(n.current, name) < 0) {
		e, err := n.reader.Next(n.ctx)
		switch {
		case err == io.EOF:
			n.ended = true
		case err != nil:
			n.unsure = true
		default:
			n.current = e.Name
		}
	}
	return n.unsure || !n.ended && bytes.Equal(n.current, name)
}

// walk hands on everything below a folder.
func (r *Restore) walk(f *restoreFolder) {
	defer f.release()
	reader := r.b.folder(f.entry)
	for !r.stopped() {
		e, err := reader.Next(r.ctx)
		if err == io.EOF {
			return
		}
		if err != nil {
			f.lossy.Store(true)
			r.failed(asProblem(files.ActList, f.path(nil), err), err)
			return
		}
		r.walkEntry(f, e)
	}
}

// failed tells of an entry that is lost, or ends the restore where the error is
// about more than that entry.
func (r *Restore) failed(told, err error) {
	switch {
	case r.stopped():
	case files.CauseOf(err) == files.Full:
		r.stop(asFull(err))
	case isAboutEntry(err):
		r.report.lost(told)
	default:
		r.stop(err)
	}
}

// walkEntry hands on one entry.
func (r *Restore) walkEntry(f *restoreFolder, e *tree.Entry) {
	meant, below := f.means(e.Name)
	if !meant && (!below || e.Type != tree.TypeFolder) {
		return
	}
	if meant {
		r.report.saw(e)
	}
	f.open.Add(1)
	if e.Type != tree.TypeFolder {
		r.jobs <- &restoreJob{folder: f, entry: e}
		return
	}
	child := &restoreFolder{r: r, parent: f, entry: e}
	child.open.Store(1)
	if meant {
		if _, err := child.enter(); err != nil {
			r.failed(err, err)
			child.release()
			return
		}
	}
	r.walk(child)
}
