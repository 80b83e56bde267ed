// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// A restore has three parts that overlap. The walk reads the snapshot's folders
// in depth-first order, makes them, and hands on what they hold; the preparers
// look at what stands at each entry's place, do what needs no content, and plan
// which chunks the others need; the fetchers fetch the chunks of a batch, which
// come in the order in which they lie in packs, and write each where it belongs.
// A file is created when its first chunk comes and gets its name when its last
// did. A folder is finished when everything in it is. All queues are bounded and
// a batch has a limit, so memory does not grow with the number or size of files.

// RestoreOptions say what to restore, where to, and how.
type RestoreOptions struct {
	Snapshot     *Snapshot
	Path         []byte  // what of it; empty: everything
	Target       string  // the folder that it is restored into
	Choice       *Choice // nil: everything
	Overwrite    files.Overwrite
	NumericOwner bool
	Delete       bool // remove what the snapshot does not have
	Verify       bool // read everything back
	DryRun       bool // write nothing
	// OnProblem is told of each entry, or property of one, that could not be
	// restored; one call at a time.
	OnProblem func(error)
	// OnItem, where it is set, is told what was done about each entry; one call
	// at a time.
	OnItem func(RestoredItem)
}

// RestoredItem says what was done about one entry.
type RestoredItem struct {
	Path   []byte // in the snapshot, or of what was removed
	Type   tree.Type
	Size   uint64
	Action RestoreAction
}

// RestoreAction is what was done about an entry.
type RestoreAction string

// The actions.
const (
	ActionRestored  RestoreAction = "restored"  // written
	ActionUnchanged RestoreAction = "unchanged" // it had its content already
	ActionKept      RestoreAction = "kept"      // something else stands there, and stays
	ActionDeleted   RestoreAction = "deleted"
)

// Restore is a restore in progress.
type Restore struct {
	b      *Browser
	o      RestoreOptions
	root   *tree.Entry // the folder whose entries are restored
	report restoreReport

	ctx      context.Context
	cancel   context.CancelCauseFunc
	restorer *files.Restorer
	jobs     chan *restoreJob
	batches  chan *restoreBatch
	planned  planner
	groups   linkGroups
	ended    chan struct{} // closed when the root folder is finished
}

// queuedJobs is how many entries wait for a preparer.
const queuedJobs = 512

// fetchers is how many batches are fetched at a time: while one ends, another
// keeps processors and network busy.
const fetchers = 2

// NewRestore prepares a restore.
func (b *Browser) NewRestore(o RestoreOptions) *Restore {
	return &Restore{
		b: b, o: o, report: restoreReport{onProblem: o.OnProblem, onItem: o.OnItem},
		jobs: make(chan *restoreJob, queuedJobs), batches: make(chan *restoreBatch),
		groups: linkGroups{groups: map[tree.LinkGroup]*linkGroup{}}, ended: make(chan struct{}),
	}
}

// Progress returns the counts so far; it may be called while Do runs.
func (r *Restore) Progress() RestoreProgress { return r.report.progress() }

// Do restores. What could not be restored is counted and ends nothing; an error
// says that the restore ended early. What was restored until then is whole, and
// the same restore done again goes on from there.
func (r *Restore) Do(ctx context.Context) (RestoreProgress, error) {
	top, err := r.top(ctx)
	if err != nil {
		return r.Progress(), err
	}
	r.root = top
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	switch {
	case r.o.DryRun:
		err = r.dry()
	default:
		err = r.write()
	}
	if err == nil && r.o.Verify && !r.o.DryRun {
		err = r.verify()
	}
	return r.Progress(), err
}

// top returns the folder whose entries are to be restored. A path that names
// anything else stands for a folder with that one entry.
func (r *Restore) top(ctx context.Context) (*tree.Entry, error) {
	at, err := r.b.Entry(ctx, r.o.Snapshot, r.o.Path)
	if err != nil {
		return nil, err
	}
	if at.Type != tree.TypeFolder {
		return nil, protocol.Errorf(protocol.KindUsage, "%q is a %s, not a folder: restore the folder it is in with --include, or use dump", r.o.Path, at.Type)
	}
	return at, nil
}

// write restores into the target.
func (r *Restore) write() error {
	_, err := os.Lstat(r.o.Target)
	fresh := errors.Is(err, os.ErrNotExist)
	r.restorer, err = files.NewRestorer(r.o.Target, files.RestoreOptions{
		Overwrite: r.o.Overwrite, NumericOwner: r.o.NumericOwner, Delete: r.o.Delete, Spare: r.o.Choice.spares(),
	})
	if err != nil {
		return protocol.Wrap(kindOfProblem(err), err, "restore into %s", r.o.Target)
	}
	defer r.restorer.Close()
	r.run(r.newRoot(fresh))
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	if err := r.restorer.Sync(); err != nil {
		return protocol.Wrap(kindOfProblem(err), err, "write everything out to the disk")
	}
	return nil
}

// run does the work on all its goroutines and returns when none is left.
func (r *Restore) run(root *restoreFolder) {
	var preparing, fetching sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		preparing.Go(func() {
			for job := range r.jobs {
				r.prepare(job)
			}
		})
	}
	for range fetchers {
		fetching.Go(func() {
			for batch := range r.batches {
				r.fetch(batch)
			}
		})
	}
	r.planned.send = func(b *restoreBatch) { r.batches <- b }
	r.walk(root)
	close(r.jobs)
	preparing.Wait()
	r.planned.flush()
	<-r.ended
	close(r.batches)
	fetching.Wait()
}

// stop ends the restore early; the first reason counts.
func (r *Restore) stop(err error) { r.cancel(err) }

// stopped reports whether nothing new should be begun.
func (r *Restore) stopped() bool { return r.ctx.Err() != nil }

// kindOfProblem is the kind of an error about an entry, or of any other.
func kindOfProblem(err error) protocol.Kind {
	var p *files.Problem
	if errors.As(err, &p) {
		return p.Kind()
	}
	return protocol.KindOf(err)
}
