// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"io"
	"sync"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
)

// plannedFile is a file whose content is on its way. What of it is in place
// already is taken from there, the rest is fetched.
type plannedFile struct {
	r      *Restore
	job    *restoreJob
	target *files.Target
	layout layout
	open   atomic.Int64 // chunks that did not come yet, and the planning

	mu      sync.Mutex     // guards what follows
	writing *files.Writing // nil until there is something to write
	err     error          // why the file cannot be restored
}

// plan asks for the chunks of a file that do not stand in its place. A file
// that is right already is left alone.
func (r *Restore) plan(j *restoreJob, target *files.Target, decision files.Decision) (waits bool, err error) {
	e := j.entry
	var old *oldFile
	if e.Size > 0 && !j.folder.isFresh() {
		old = r.openOld(target, e)
		defer old.close()
	}
	if decision == files.Look {
		if same, err := old.isSame(e); same || err != nil {
			if same {
				r.report.warn(target.Adjust(e))
				r.report.did(ActionUnchanged, e, j.path)
			}
			return false, err
		}
	}
	p := &plannedFile{r: r, job: j, target: target, layout: newLayout(e)}
	p.open.Store(1)
	p.ask(old)
	p.release()
	return true, nil
}

// ask asks for the pieces of the file that the old one does not have.
func (p *plannedFile) ask(old *oldFile) {
	r, e := p.r, p.job.entry
	content := tree.NewContentReader(e.Content, r.b.load)
	several := len(e.Content.Pieces) > 1 || e.Content.List != nil
	for p.failure() == nil && !r.stopped() {
		piece, at, err := content.Next(r.ctx)
		if err == io.EOF {
			return
		}
		if err != nil {
			p.fail(err)
			return
		}
		if data, ok := old.has(&p.layout, piece, at); ok {
			p.write(data, at)
			continue
		}
		p.open.Add(1)
		r.planned.add(asked{p, piece, at}, several)
	}
}

// fail notes why the file cannot be restored; the first reason counts.
func (p *plannedFile) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

func (p *plannedFile) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// begun returns the file that is written to, which is made when it is needed;
// nil where it failed.
func (p *plannedFile) begun() *files.Writing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writing == nil && p.err == nil {
		p.writing, p.err = p.target.Create(p.job.entry)
	}
	if p.err != nil {
		return nil
	}
	return p.writing
}

// take writes a chunk that was fetched.
func (p *plannedFile) take(chunk []byte, at uint64) {
	p.r.report.fetched.Add(int64(len(chunk)))
	p.write(chunk, at)
}

// write writes a verified piece of the data, which begins at a place in the data
// of the file, holes left out.
func (p *plannedFile) write(data []byte, at uint64) {
	w := p.begun()
	if w == nil {
		return
	}
	p.r.report.written.Add(int64(len(data)))
	err := p.layout.each(at, uint64(len(data)), func(from, offset, length uint64) error {
		_, err := w.WriteAt(data[from:from+length], int64(offset))
		return err
	})
	if err != nil {
		p.fail(err)
	}
}

// release notes that a chunk came, or the planning ended. The last puts the file
// in place, or away.
func (p *plannedFile) release() {
	if p.open.Add(-1) > 0 {
		return
	}
	r, j := p.r, p.job
	if r.stopped() {
		p.fail(errStopped)
	}
	w := p.begun()
	if err := p.failure(); err != nil {
		if p.writing != nil {
			p.writing.Abort()
		}
		r.failed(asProblem(files.ActWrite, j.path(), err), err)
		r.complete(j)
		return
	}
	problems, err := w.Commit()
	if err != nil {
		r.failed(err, err)
	} else {
		r.report.did(ActionRestored, j.entry, j.path)
	}
	r.report.warn(problems)
	r.complete(j)
}
