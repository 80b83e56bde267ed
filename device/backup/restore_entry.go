// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"sync"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// restoreJob is an entry that is no folder.
type restoreJob struct {
	folder *restoreFolder
	entry  *tree.Entry
}

func (j *restoreJob) path() []byte { return j.folder.path(j.entry.Name) }

// linkGroups lets the names of one file be restored one after another: the first
// with its content, the others as links to it.
type linkGroups struct {
	mu     sync.Mutex // guards groups and what they hold
	groups map[tree.LinkGroup]*linkGroup
}

type linkGroup struct {
	busy    bool
	waiting []*restoreJob
}

// enter reports whether the job may go on now; if not, next gives it later.
func (g *linkGroups) enter(j *restoreJob) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	group := g.groups[*j.entry.Links]
	if group == nil {
		group = &linkGroup{}
		g.groups[*j.entry.Links] = group
	}
	if group.busy {
		group.waiting = append(group.waiting, j)
		return false
	}
	group.busy = true
	return true
}

// next returns the name that waits for the one that is done, nil if none does.
func (g *linkGroups) next(done *restoreJob) *restoreJob {
	g.mu.Lock()
	defer g.mu.Unlock()
	group := g.groups[*done.entry.Links]
	if len(group.waiting) == 0 {
		group.busy, group.waiting = false, nil
		return nil
	}
	j := group.waiting[0]
	group.waiting = group.waiting[1:]
	return j
}

// prepare restores an entry, or plans what it needs.
func (r *Restore) prepare(j *restoreJob) {
	if j.entry.Links == nil {
		r.restore(j)
		return
	}
	if r.groups.enter(j) {
		r.restoreGroup(j)
	}
}

// restoreGroup restores a name of a file with several, and those that waited for
// it until one has to wait for its content.
func (r *Restore) restoreGroup(j *restoreJob) {
	for j != nil {
		if waits := r.restore(j); waits {
			return
		}
		j = r.groups.next(j)
	}
}

// complete notes that an entry is done that had to wait for its content.
func (r *Restore) complete(j *restoreJob) {
	if j.entry.Links != nil {
		// The next name may have to wait for content too, which must not keep a
		// fetcher waiting.
		if next := r.groups.next(j); next != nil {
			go func() {
				r.restoreGroup(next)
				r.planned.flush()
			}()
		}
	}
	j.folder.release()
}

// restore restores an entry. It waits where the content has to be fetched;
// complete follows.
func (r *Restore) restore(j *restoreJob) (waits bool) {
	if r.stopped() {
		j.folder.release()
		return false
	}
	waits, err := r.restoreEntry(j)
	if err != nil {
		r.failed(asProblem(files.ActCreate, j.path(), err), err)
	}
	if !waits {
		j.folder.release()
	}
	return waits
}

func (r *Restore) restoreEntry(j *restoreJob) (waits bool, err error) {
	if j.entry.Type == tree.TypeSocket {
		r.report.skipped.Add(1)
		return false, nil
	}
	target, err := j.folder.enter()
	if err != nil {
		return false, err
	}
	if done, err := target.Link(j.entry); done || err != nil && !cannotLink(err) {
		if done {
			r.report.did(ActionRestored, j.entry, j.path)
		}
		return false, err
	}
	decision := files.Write
	if !j.folder.isFresh() {
		if decision, err = target.Decide(j.entry); err != nil {
			return false, err
		}
	}
	switch {
	case decision == files.Keep:
		r.report.did(ActionKept, j.entry, j.path)
		return false, nil
	case decision == files.Adjust:
		r.report.warn(target.Adjust(j.entry))
		r.report.did(ActionUnchanged, j.entry, j.path)
		return false, nil
	case j.entry.Type != tree.TypeFile:
		problems, err := target.Place(j.entry)
		if err == nil {
			r.report.did(ActionRestored, j.entry, j.path)
		}
		r.report.warn(problems)
		return false, err
	}
	return r.plan(j, target, decision)
}

// cannotLink reports whether a file system has no hard links: then each name
// gets a file of its own.
func cannotLink(err error) bool {
	cause := files.CauseOf(err)
	return cause == files.Unsupported || cause == files.Denied
}

// isAboutEntry reports whether an error is about one entry only.
func isAboutEntry(err error) bool {
	var p *files.Problem
	return errors.As(err, &p) || isLoss(err)
}

// asFull says that the disk is full, which ends a restore.
func asFull(err error) error {
	return protocol.Wrap(protocol.KindFull, err, "the disk is full; what was restored is whole, and the same command goes on from there")
}
