// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// A scan has three parts that overlap. The walk lists folders in depth-first
// order and compares them with the last run; the readers read, cut and store
// the files that changed; the assembler writes a folder's node when everything
// in it is there, children before parents. Queues between them are bounded, so
// memory does not grow with the number of files.

const (
	queuedFiles   = 256 // files that wait for a reader
	queuedFolders = 256 // listed folders that wait for the assembler
	maxLinkGroups = 1 << 16
	// unsureAfter: a file that changed this short before it was looked at may
	// change again without its time moving, on file systems with coarse clocks.
	unsureAfter = protocol.Time(1e9)
)

// scan is one walk over the sources.
type scan struct {
	ctx       context.Context // of the work; the interrupt is stop
	stop      <-chan struct{}
	chunks    *chunks
	selection *files.Selection
	chunker   *tree.Chunker
	cutter    *tree.Cutter
	last      *lastRun
	trusted   bool // the last run stood on the same ground
	ground    protocol.Hash
	next      *lastRunWriter
	report    *reporter
	now       func() protocol.Time

	jobs    chan *fileJob
	folders chan *openFolder
	links   map[tree.LinkGroup]*fileJob
	taken   int         // sources that could be read
	cut     atomic.Bool // something was left out because the run is to stop

	mu  sync.Mutex // guards err
	err error
}

// openFolder is a folder on its way from the walk to the assembler. Who walked
// it hands it over when nothing more is asked of it: the assembler closes it.
type openFolder struct {
	folder *files.Folder
	prev   *lastFolder
	slots  []slot

	node protocol.Hash // set by the assembler, as is what follows
	at   int64
	same bool // as in the last run
}

// slot is one entry of a folder. Exactly one of known, entry, job and child
// with known or entry says what it is.
type slot struct {
	name     []byte
	identity []byte
	unsure   bool
	known    *lastItem   // unchanged: the last run's entry stands
	entry    *tree.Entry // described by the walk
	job      *fileJob    // a file that is being read
	child    *openFolder // a subfolder
}

// fileJob is a file for a reader.
type fileJob struct {
	folder *files.Folder
	name   []byte
	first  *fileJob // another name of the same file that is read already
	done   chan struct{}
	entry  *tree.Entry // nil: it could not be read
}

// store is a tree.Store.
func (s *scan) store(kind tree.Kind, plaintext []byte) (protocol.Hash, error) {
	return s.chunks.put(s.ctx, kind, plaintext)
}

// fail notes the first error that ends the scan.
func (s *scan) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *scan) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stopped reports whether nothing new is to be begun. Who asks leaves something
// out then: the snapshot is partial.
func (s *scan) stopped() bool {
	select {
	case <-s.stop:
		s.cut.Store(true)
		return true
	case <-s.ctx.Done():
		return true
	default:
		return s.failed() != nil
	}
}

// run walks the sources and returns the completed root folder. Readers is how
// many files are read at a time.
func (s *scan) run(sources *source, readers int) (*openFolder, error) {
	s.jobs = make(chan *fileJob, queuedFiles)
	s.folders = make(chan *openFolder, queuedFolders)
	s.links = map[tree.LinkGroup]*fileJob{}
	var reading, assembling sync.WaitGroup
	for range readers {
		reading.Go(s.read)
	}
	assembling.Go(s.assemble)
	top := s.walkSource(sources, s.lastRoot())
	if top != nil {
		s.folders <- top
	}
	close(s.folders)
	close(s.jobs)
	assembling.Wait()
	reading.Wait()
	if err := s.failed(); err != nil {
		return nil, err
	}
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	if s.taken == 0 && s.cut.Load() {
		return nil, protocol.Errorf(protocol.KindInterrupted, "interrupted before anything was read; no snapshot was made")
	}
	if s.taken == 0 {
		return nil, protocol.Errorf(protocol.KindNotFound, "none of the sources could be read: there is nothing to back up")
	}
	return top, nil
}

func (s *scan) lastRoot() *lastFolder {
	if s.last == nil {
		return nil
	}
	return s.last.folder(s.last.root)
}

// listing is a folder being listed ahead of the walk.
type listing struct {
	folder   *files.Folder
	items    []files.Item
	problems []*files.Problem
	err      error
	done     chan struct{}
}

// list begins to list a folder.
func (s *scan) list(open func() (*files.Folder, error)) *listing {
	l := &listing{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		if l.folder, l.err = open(); l.err == nil {
			l.items, l.problems, l.err = l.folder.List()
		}
	}()
	return l
}

// walk looks at one listed folder and everything below it. The caller hands what
// it returns to the assembler; nil says that the folder could not be read.
func (s *scan) walk(l *listing, prev *lastFolder, enter func(*listing) (*files.Scope, []*files.Problem)) *openFolder {
	<-l.done
	if l.err != nil {
		s.report.problem(l.err)
		if l.folder != nil {
			l.folder.Close()
		}
		return nil
	}
	scope, problems := enter(l)
	s.report.problems(append(l.problems, problems...))
	of := &openFolder{folder: l.folder, prev: prev}
	of.slots = make([]slot, 0, len(l.items))
	ahead := s.lookAhead(l, scope)
	hint := 0
	for i := range l.items {
		item := &l.items[i]
		if s.stopped() {
			break
		}
		if !scope.Keeps(item) {
			s.report.excluded()
			continue
		}
		known := prev.find(item.Name, &hint)
		s.walkItem(of, item, known, func() *listing { return ahead(i) }, scope)
	}
	ahead(-1)
	return of
}

// walkItem looks at one entry of a folder.
func (s *scan) walkItem(of *openFolder, item *files.Item, known *lastItem, sub func() *listing, scope *files.Scope) {
	sl := slot{name: item.Name, identity: appendIdentity(nil, &item.Stat)}
	sl.unsure = item.Changed > s.now()-unsureAfter
	unchanged := known != nil && !known.unsure && bytes.Equal(known.identity, sl.identity)
	switch item.Type {
	case tree.TypeFolder:
		if !s.walkChild(of, &sl, known, unchanged, sub, scope) {
			return
		}
	case tree.TypeFile:
		if s.usable(known, unchanged) {
			sl.known = known
			s.report.unchangedFile(item.Size)
		} else {
			sl.job = s.submit(of.folder, item)
		}
	default:
		if unchanged && known.child == 0 {
			sl.known = known
			s.report.other()
			break
		}
		entry, problems := of.folder.Describe(item, nil)
		s.report.problems(problems)
		if sl.entry = entry; entry == nil {
			return
		}
		s.report.other()
	}
	of.slots = append(of.slots, sl)
}

// usable reports whether the last run's entry of an unchanged file still
// stands: what it refers to may have been retired since.
func (s *scan) usable(known *lastItem, unchanged bool) bool {
	if !unchanged || known.child != 0 {
		return false
	}
	if s.trusted {
		return true
	}
	entry := decodeEntry(known.entry)
	if entry == nil {
		return false
	}
	ok, err := s.chunks.hasAll(entry.Content.Pieces)
	if err != nil {
		s.fail(err)
	}
	return ok && entry.Content.List == nil
}

// walkChild descends into a subfolder.
func (s *scan) walkChild(of *openFolder, sl *slot, known *lastItem, unchanged bool, sub func() *listing, scope *files.Scope) bool {
	var prev *lastFolder
	if known != nil && known.child != 0 {
		prev = s.last.folder(known.child)
	}
	l := sub()
	child := s.walk(l, prev, func(l *listing) (*files.Scope, []*files.Problem) {
		return scope.Enter(sl.name, l.folder, l.items)
	})
	if child == nil {
		return false
	}
	return s.describe(sl, child, known, unchanged)
}

// describe completes the slot of a walked folder, and hands the folder over. It
// reports whether there is anything to say of it.
func (s *scan) describe(sl *slot, child *openFolder, known *lastItem, unchanged bool) bool {
	s.report.folder()
	if unchanged && known.child != 0 {
		sl.known = known
	} else {
		entry, problems := child.folder.DescribeSelf()
		s.report.problems(problems)
		if entry != nil {
			entry.Name, sl.entry = sl.name, entry
		}
	}
	sl.child = child
	s.folders <- child
	return sl.known != nil || sl.entry != nil
}

// lookAhead lists the next few subfolders while the walk is in the one before
// them. The returned function gives the listing of the item, and with -1 ends
// those that were begun for nothing.
func (s *scan) lookAhead(l *listing, scope *files.Scope) func(item int) *listing {
	const ahead = 4
	begun := map[int]*listing{}
	next := 0
	begin := func(i int) {
		name := l.items[i].Name
		begun[i] = s.list(func() (*files.Folder, error) { return l.folder.Child(name) })
	}
	return func(item int) *listing {
		if item < 0 {
			for _, b := range begun {
				<-b.done
				if b.folder != nil {
					b.folder.Close()
				}
			}
			return nil
		}
		for next = max(next, item); next < len(l.items) && len(begun) < ahead; next++ {
			if it := &l.items[next]; next == item || it.Type == tree.TypeFolder && scope.Keeps(it) {
				begin(next)
			}
		}
		if begun[item] == nil {
			begin(item)
		}
		b := begun[item]
		delete(begun, item)
		return b
	}
}

// submit hands a file to the readers. A further name of a file that is being
// read waits for the first.
func (s *scan) submit(folder *files.Folder, item *files.Item) *fileJob {
	job := &fileJob{folder: folder, name: item.Name, done: make(chan struct{})}
	if item.Links > 1 {
		group := tree.LinkGroup{Device: item.Device, Inode: item.Inode}
		if first := s.links[group]; first != nil {
			job.first = first
		} else if len(s.links) < maxLinkGroups {
			s.links[group] = job
		}
	}
	s.jobs <- job
	return job
}

// decodeEntry returns nil for what is no entry.
func decodeEntry(b []byte) *tree.Entry {
	e := new(tree.Entry)
	if canonical.Unmarshal(b, len(b), e) != nil {
		return nil
	}
	return e
}
