// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow"
)

// Config is what an auditor is made of.
type Config struct {
	Log    *tlog.LogKey
	Policy *tlog.Policy // demanded of every checkpoint; nil: the log's signature alone
	Source tlog.Source  // where the log is read; not believed
	Store  *follow.Store
	Clock  func() time.Time
	// Event is called for what people want to hear of; it may be nil. After an
	// interruption an event can come twice.
	Event func(Event)
}

// Event is an entry that people want to hear of: a notice, a reassignment, a policy
// statement, a release.
type Event struct {
	Position uint64
	Entry    *directory.Entry
}

// Auditor follows one log. It is not safe for concurrent use, but for Metrics.
type Auditor struct {
	config   Config
	reader   *reader
	follower *follow.Follower
	memo     memo
	told     uint64 // events before this position were told by this process
	measured *measured
}

// memo is what is kept beside the progress.
//
// Growth: it never leaves who audits; one that does not parse is as none.
type memo struct {
	Note     []byte `cbor:"1,keyasint"` // the newest checkpoint that was accepted
	LastRoot uint64 `cbor:"2,keyasint"` // position of the newest root
}

// maxMemo bounds the bytes of a memo.
const maxMemo = tlog.MaxNote + 64

// New returns an auditor that goes on where the store is.
func New(config Config) *Auditor {
	a := &Auditor{config: config, reader: &reader{source: config.Source, whole: true}, measured: newMeasured()}
	a.follower = follow.New(config.Log, a.reader, config.Store, follow.Options{
		Observe: a.observe,
		Memo:    func() []byte { return canonical.MustMarshal(a.memo) },
		Recall: func(raw []byte) {
			if a.memo = (memo{}); len(raw) > 0 && canonical.Unmarshal(raw, maxMemo, &a.memo) != nil {
				a.memo = memo{}
			}
		},
	})
	return a
}

// observe sees every entry that the rules accept.
func (a *Auditor) observe(position uint64, e *directory.Entry) {
	if e.Root != nil {
		a.memo.LastRoot = position
	}
	if position < a.told {
		return
	}
	a.told = position + 1
	if loud := e.Notice != nil || e.Reassign != nil || e.Policy != nil || e.Release != nil; loud && a.config.Event != nil {
		a.config.Event(Event{position, e})
	}
}

// seen is a checkpoint with the note that it was in.
type seen struct {
	tlog.Checkpoint
	note []byte
}

// Step reads the log up to its newest checkpoint. It returns a *Finding where
// something did not hold; protocol.KindUnreachable where the log does not answer, or
// its checkpoint is not cosigned as the policy demands; protocol.KindUnsupported
// where the log has entries that only a newer program can check.
func (a *Auditor) Step(ctx context.Context) (*Report, error) {
	report, err := a.step(ctx)
	a.measured.stepped(report, err, a.config.Clock())
	return report, err
}

func (a *Auditor) step(ctx context.Context) (*Report, error) {
	from, err := a.follower.Load(ctx)
	if err != nil {
		return nil, err
	}
	note, err := a.config.Source.Checkpoint(ctx)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, protocol.Wrap(protocol.KindUnreachable, err, "no log answers there")
	}
	if err != nil {
		return nil, err
	}
	to, witnessed, err := a.verify(note)
	if err != nil {
		return nil, err
	}
	if err := a.compare(ctx, to); err != nil {
		return nil, err
	}
	a.reader.size, a.memo.Note = to.Size, note
	if err := a.follower.Follow(ctx, to.Checkpoint); err != nil {
		return nil, a.explain(ctx, to, err)
	}
	if at, now := a.follower.Replay().Time(), protocol.TimeOf(a.config.Clock()); at > now+maxSkew {
		return nil, a.find(RulePresent, fmt.Sprintf("The newest root is of %s, and it is %s, unless the clock of this machine is wrong.", at, now), nil,
			errors.New("nobody signs what time it is"))
	}
	return a.report(from.Size, to, witnessed), nil
}

// verify returns the checkpoint in a note, which is signed as it has to be.
func (a *Auditor) verify(note []byte) (*seen, *tlog.Witnessed, error) {
	c, err := a.config.Log.Verify(note)
	if err != nil {
		f := a.find(RuleSigned, fmt.Sprintf("What the log serves as its checkpoint is none: %v.", err), nil, errors.New("somebody else may have answered"))
		f.cause = err
		return nil, nil, f
	}
	to := &seen{c, note}
	if a.config.Policy == nil {
		return to, nil, nil
	}
	w, err := a.config.Policy.Verify(note)
	var quorum *tlog.QuorumError
	if errors.As(err, &quorum) {
		return nil, nil, protocol.Wrap(protocol.KindUnreachable, quorum, "the newest checkpoint does not count yet")
	}
	if err != nil {
		return nil, nil, a.find(RuleSigned, fmt.Sprintf("The checkpoint has a cosignature that does not hold: %v.", err), nil, errors.New("anybody can write a wrong signature under a note"))
	}
	return to, &w, nil
}

// before returns the checkpoint that was accepted last, nil for none.
func (a *Auditor) before() *seen {
	c, err := a.config.Log.Verify(a.memo.Note)
	if err != nil {
		return nil
	}
	return &seen{c, a.memo.Note}
}

// Report is how the log stands after a step.
type Report struct {
	Log        string                    `json:"log"`
	Size       uint64                    `json:"size"`
	Root       protocol.Hash             `json:"root"`
	New        uint64                    `json:"new_entries"`
	Time       protocol.Time             `json:"-"` // of the newest root
	Witnessed  protocol.Time             `json:"-"` // as of when the quorum knew of nothing newer; 0 without a policy
	Cosigners  []string                  `json:"cosigners,omitempty"`
	Names      protocol.Hash             `json:"names_root"`
	Anchors    protocol.Hash             `json:"anchors_root"`
	Counts     directory.Counts          `json:"counts"`
	Custodians []directory.CustodianUses `json:"custodians"`
	Programs   []directory.Releases      `json:"programs"`
}

func (a *Auditor) report(from uint64, to *seen, w *tlog.Witnessed) *Report {
	r := a.follower.Replay()
	report := &Report{
		Log: a.config.Log.Origin(), Size: to.Size, Root: to.Root, New: to.Size - from, Time: r.Time(),
		Counts: r.Counts(), Custodians: r.Custodians(), Programs: r.Programs(),
	}
	report.Names, report.Anchors = r.Roots()
	if w != nil {
		report.Witnessed, report.Cosigners = w.Time, w.Cosigners
	}
	return report
}

// State returns how the log stood after the last step, without asking it; nil where
// there was none.
func (a *Auditor) State(ctx context.Context) (*Report, error) {
	at, err := a.follower.Load(ctx)
	if err != nil || at.Size == 0 {
		return nil, err
	}
	return a.report(at.Size, &seen{Checkpoint: at}, nil), nil
}
