// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// RunOptions say what to back up and how.
type RunOptions struct {
	Paths           []string // absolute
	Rules           files.Rules
	Host, User      string
	Tags            []string
	Program         string
	Readers         int  // files read at a time; 0: one for each processor
	Force           bool // read every file, whatever the last run knew
	SkipIfUnchanged bool
	DryRun          bool // store nothing
	// Stdin, where it is set, is backed up as the one file that Paths names.
	Stdin *Stdin
	// Stop, when it is closed, ends the run early: what was read so far becomes
	// a partial snapshot.
	Stop <-chan struct{}
	// OnProblem is told of each entry that could not be read whole; one call at
	// a time.
	OnProblem func(*files.Problem)
}

// Result says what a run did.
type Result struct {
	Progress
	Snapshot protocol.Hash // zero: none was made
	Seq      uint64
	Partial  bool
	Began    protocol.Time
	Ended    protocol.Time
	// Unproven says that the server does not stand by the newest snapshot, or that the
	// newest ones have been without a proof in the public log for too long: a failure,
	// although the backup is stored. Nil where all is well.
	Unproven error
}

// Run is a backup in progress.
type Run struct {
	v      *Vault
	o      RunOptions
	report *reporter
	packer atomic.Pointer[tree.Packer]
	reused atomic.Pointer[chunks]
	begun  protocol.Time

	earlierPacks, earlierBytes atomic.Int64 // sent by tries that were given up
}

// errMoved says that the run's ground moved: packs were retired, or the vault
// got new keys. The run is done again; what it sent is found and not sent twice.
var errMoved = errors.New("packs were retired or keys renewed meanwhile")

// maxTries bounds how often a run is done again.
const maxTries = 8

// NewRun prepares a backup.
func (v *Vault) NewRun(o RunOptions) *Run {
	if o.Readers <= 0 {
		o.Readers = runtime.GOMAXPROCS(0)
	}
	return &Run{v: v, o: o, begun: v.o.Now(), report: &reporter{onProblem: o.OnProblem}}
}

// Progress returns the counts so far; it may be called while Do runs.
func (r *Run) Progress() Progress {
	p := r.report.progress()
	if packer := r.packer.Load(); packer != nil {
		stats := packer.Stats()
		p.PacksSent, p.BytesSent = stats.Packs, stats.Stored
	}
	p.PacksSent, p.BytesSent = p.PacksSent+r.earlierPacks.Load(), p.BytesSent+r.earlierBytes.Load()
	if c := r.reused.Load(); c != nil {
		p.BytesSaved, p.Added = c.reused.Load(), c.added.Load()
	}
	return p
}

// Do backs up and commits a snapshot. Errors about single entries end nothing:
// they are counted in Problems.
func (r *Run) Do(ctx context.Context) (*Result, error) {
	rebuilt := false
	for range maxTries {
		result, err := r.once(ctx)
		damaged := !rebuilt && errors.Is(err, tree.ErrIndexDamaged)
		if err == nil && !r.o.DryRun {
			result.Unproven = r.v.proven(ctx)
		}
		if !damaged && !errors.Is(err, errMoved) {
			return result, err
		}
		if r.o.Stdin != nil {
			return nil, protocol.Wrap(protocol.KindBusy, err, "the stream cannot be read twice; run it again: most of it is stored already")
		}
		r.startOver()
		prepare := r.v.refresh
		if damaged {
			rebuilt, prepare = true, r.v.rebuildIndex
		}
		if err := prepare(ctx); err != nil {
			return nil, err
		}
	}
	return nil, protocol.Errorf(protocol.KindBusy, "other devices keep changing the vault; nothing is lost, try again")
}

// startOver sets the counts back, but for what was sent.
func (r *Run) startOver() {
	if packer := r.packer.Swap(nil); packer != nil {
		stats := packer.Stats()
		r.earlierPacks.Add(stats.Packs)
		r.earlierBytes.Add(stats.Stored)
	}
	r.report.reset()
}

// refresh brings ledger, keys, chains and index up to date.
func (v *Vault) refresh(ctx context.Context) error {
	if err := v.lookAtLedger(ctx); err != nil {
		return err
	}
	if err := v.openKeys(); err != nil {
		return err
	}
	return v.sync(ctx)
}

// once is one try of a run.
func (r *Run) once(ctx context.Context) (*Result, error) {
	if r.o.DryRun {
		return r.dry(ctx)
	}
	to, err := r.v.recipient()
	if err != nil {
		return nil, err
	}
	run, err := seal.NewRun(to)
	if err != nil {
		return nil, err
	}
	journal, err := r.v.beginJournal(ctx, run)
	if err != nil {
		return nil, err
	}
	defer journal.Close()
	packer := tree.NewPacker(ctx, tree.PackerOptions{Run: run, Secrets: r.v.own, Sink: r.v.sink(run, journal)})
	defer packer.Close()
	r.packer.Store(packer)
	last, err := r.lastPath()
	if err != nil {
		return nil, err
	}
	s, err := r.newScan(ctx, packer, last, last)
	if err != nil {
		return nil, err
	}
	defer s.last.close()
	defer s.next.discard()
	return r.finish(ctx, s, run, journal)
}

// newScan puts the parts of a scan together. Last is the file of the last run, and
// next where this run's is to go.
func (r *Run) newScan(ctx context.Context, packer *tree.Packer, last, next string) (*scan, error) {
	selection, err := r.o.Rules.Compile()
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "exclude rules")
	}
	ground, err := r.v.ground()
	if err != nil {
		return nil, err
	}
	stop := r.o.Stop
	if stop == nil {
		stop = make(chan struct{})
	}
	v := r.v
	s := &scan{
		ctx: ctx, stop: stop, selection: selection, report: r.report, now: v.o.Now,
		chunks:  &chunks{names: tree.NewNames(v.own.Naming), index: v.index, packer: packer},
		chunker: tree.NewChunker(v.own.Chunking), cutter: tree.NewCutter(v.own.Chunking),
		next: newLastRunWriter(next), ground: ground,
	}
	if !r.o.Force {
		s.last = openLastRun(last)
	}
	s.trusted = s.last != nil && s.last.ground == ground
	r.reused.Store(s.chunks)
	return s, nil
}

// finish scans, sends what is left and commits.
func (r *Run) finish(ctx context.Context, s *scan, run *seal.Run, journal *tree.Journal) (*Result, error) {
	top, err := r.scan(s)
	if err != nil {
		return nil, err
	}
	if r.o.Stdin != nil && s.stopped() { // the interrupt may have ended who wrote the stream
		return nil, errCutStream()
	}
	if err := s.chunks.packer.Flush(ctx); err != nil {
		return nil, err
	}
	if err := r.v.index.Flush(); err != nil {
		return nil, err
	}
	result := &Result{Progress: r.Progress(), Began: r.begun, Ended: r.v.o.Now(), Partial: s.cut.Load()}
	if r.o.SkipIfUnchanged && top.same && !result.Partial && r.v.stands(s.last.snapshot) {
		return result, journal.Remove()
	}
	if err := r.commit(ctx, run, r.details(top.node, result), result); err != nil {
		return nil, err
	}
	r.remember(s, top, result)
	return result, journal.Remove()
}

// remember puts the file for the next run in its place. A partial run that knows
// less than the one before it leaves that one's.
func (r *Run) remember(s *scan, top *openFolder, result *Result) {
	end := lastRunEnd{ground: s.ground, snapshot: result.Snapshot}
	if result.Partial {
		if before, err := os.Stat(s.next.path); err == nil && before.Size() > s.next.at {
			return
		}
		end.snapshot = protocol.Hash{}
	}
	if err := s.next.finish(top.at, end); err != nil {
		r.v.o.Warn(protocol.Wrap(protocol.KindInternal, err, "remember this run: the next one will take longer"))
	}
}

func (r *Run) scan(s *scan) (*openFolder, error) {
	if r.o.Stdin != nil {
		return s.runStdin(r.o.Stdin, r.o.Paths[0])
	}
	sources, err := newSources(r.o.Paths)
	if err != nil {
		return nil, err
	}
	return s.run(sources, r.o.Readers)
}

// stands reports whether a snapshot of this device still counts as far as the
// device can see.
func (v *Vault) stands(record protocol.Hash) bool {
	if v.Writer() {
		return !record.IsZero()
	}
	_, live := v.chain.Live()[record]
	return live
}

// ground is what an earlier run must have stood on, so that what it stored can be
// referred to without another look: no pack was retired or found broken since,
// and no device removed whose packs do not count any more.
func (v *Vault) ground() (protocol.Hash, error) {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, v.step))
	for _, m := range v.ledger.AllMembers() {
		if !m.Present() {
			h.Write(m.ID[:])
		}
	}
	found, err := v.brokenPacks()
	broken := slices.SortedFunc(maps.Keys(found), func(a, b protocol.PackID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range broken {
		h.Write(id[:])
	}
	return protocol.Hash(h.Sum(nil)), err
}

// details describe the snapshot.
func (r *Run) details(root protocol.Hash, result *Result) *details {
	d := &RunDetails{
		Root: root, Namer: r.v.own.Namer, Began: result.Began, Ended: result.Ended,
		Host: r.o.Host, User: r.o.User, Tags: r.o.Tags, Partial: result.Partial,
		Program: r.o.Program, Excludes: append(append([]string(nil), r.o.Rules.Exclude...), r.o.Rules.IExclude...),
		Counts: Counts{
			Files: uint64(result.Files), Folders: uint64(result.Folders), Others: uint64(result.Others),
			Bytes: uint64(result.Bytes), Problems: uint64(result.Problems), Read: uint64(result.Read), Stored: uint64(result.BytesSent),
		},
	}
	for _, path := range r.o.Paths {
		d.Paths = append(d.Paths, []byte(path))
	}
	return &details{Run: d}
}

// lastPath names the file that remembers the last run over the same paths.
func (r *Run) lastPath() (string, error) {
	path, err := r.v.kept.CachePath(state.CacheRun)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, p := range r.o.Paths {
		h.Write(append([]byte(p), 0))
	}
	return path + "-" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// dry scans and stores nothing.
func (r *Run) dry(ctx context.Context) (*Result, error) {
	last, err := r.lastPath()
	if err != nil {
		return nil, err
	}
	s, err := r.newScan(ctx, nil, last, "")
	if err != nil {
		return nil, err
	}
	defer s.last.close()
	defer s.next.discard()
	if _, err := r.scan(s); err != nil {
		return nil, err
	}
	return &Result{Progress: r.Progress(), Began: r.begun, Ended: r.v.o.Now(), Partial: s.cut.Load()}, nil
}
