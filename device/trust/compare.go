// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"context"
	"fmt"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// Comparison is what came of holding what another device saw against this one.
type Comparison struct {
	Own, Other tlog.Checkpoint
	Statements int // of one subject with one that this device holds
}

// Compare holds a checkpoint that another device was shown, and statements that it
// was given, against what this device was shown: two devices that meet by a way
// that the server does not control find out whether it shows them one past. The
// tiles come from the server and are verified. A contradiction is an alarm.
func (t *Trust) Compare(ctx context.Context, tiles tlog.TileReader, note []byte, statements [][]byte) (*Comparison, error) {
	view, err := t.o.State.View()
	if err != nil {
		return nil, err
	}
	if view == nil {
		return nil, protocol.Errorf(protocol.KindUsage, "this device has not looked at the log yet: there is nothing to compare")
	}
	other, err := t.world.Log().Verify(note)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "the other checkpoint")
	}
	c := &Comparison{Own: view.Checkpoint(), Other: other}
	if err := t.oneLog(ctx, tiles, view, note, other); err != nil {
		return nil, err
	}
	for _, raw := range statements {
		met, err := t.oneWord(raw)
		if err != nil {
			return nil, err
		}
		if met {
			c.Statements++
		}
	}
	return c, nil
}

// oneLog demands that two checkpoints are of one log.
func (t *Trust) oneLog(ctx context.Context, tiles tlog.TileReader, view *directory.View, note []byte, other tlog.Checkpoint) error {
	own := view.Checkpoint()
	older, newer, newerNote, olderNote := own, other, note, view.Note()
	if other.Size < own.Size {
		older, newer, newerNote, olderNote = other, own, view.Note(), note
	}
	forked := func(proof []byte) error {
		return t.raise(raised{
			kind: string(directory.AlarmFork), same: note, evidence: proof,
			text: fmt.Sprintf("the server showed another device another log than this one: of %d and of %d entries, and the one is not the beginning of the other", other.Size, own.Size),
		})
	}
	if older.Size == newer.Size {
		if older.Root == newer.Root {
			return nil
		}
		proof, err := evidence.Fork(t.world.Log(), olderNote, newerNote, t.witnesses()...)
		if err != nil {
			proof = nil
		}
		return forked(proof)
	}
	proof, err := tlog.ProveConsistency(ctx, tiles, older.Size, newer.Size)
	if err != nil {
		return &directory.Unproven{Kind: directory.UnprovenLedger, Text: "the server does not show how the two checkpoints hang together", Err: err}
	}
	if tlog.VerifyConsistency(older, newer, proof) == nil {
		return nil
	}
	middle, err := tlog.RootAt(ctx, tiles, older.Size)
	if err != nil {
		return forked(nil)
	}
	shown, err := evidence.ForkBelow(t.world.Log(), olderNote, newerNote, middle, proof, t.witnesses()...)
	if err != nil {
		shown = nil
	}
	return forked(shown)
}

// oneWord holds a statement that another device was given against this one's, and
// keeps the newer of the two.
func (t *Trust) oneWord(raw []byte) (met bool, err error) {
	key := t.world.Statements()
	signed, err := key.Verify(raw)
	if err != nil {
		return false, protocol.Wrap(protocol.KindUntrusted, err, "the other device's statement")
	}
	s := signed.Statement()
	old, err := t.o.State.Said(s.Subject())
	if err != nil || old == nil {
		return false, err
	}
	if why, yes := statement.Contradict(old, signed); yes {
		return true, t.alarmed(&client.Contradiction{Old: old, New: signed, Why: why})
	}
	return true, t.o.State.KeepSaid(signed)
}
