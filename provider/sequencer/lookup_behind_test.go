// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/provider/sequencer"
)

// TestNobodyIsShownWhatIsOlder: a device that goes over to witnesses that are behind
// is told to wait, and not shown a state from before what it knows, which would be
// an alarm to it.
func TestNobodyIsShownWhatIsOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.worlds = append(w.worlds, w.world("quorum none"))
	w.restart()
	w.join("anna")
	w.step()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.join("bert")
	w.integrate()
	if err := w.Publish(ctx); err == nil {
		t.Fatal("published for all")
	}
	look := func(world *directory.World, old *directory.View) (*directory.View, error) {
		q := sequencer.Question{World: world.Hash(), Name: "anna"}
		if old != nil {
			q.Size = old.Size()
		}
		answer, err := w.Lookup(ctx, q)
		if err != nil {
			return nil, err
		}
		view, _, err := world.Look(old, "anna", answer)
		return view, err
	}
	view, err := look(w.worlds[1], nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = look(w.worlds[0], view)
	w.wantKind("witnesses that are behind", err, protocol.KindUnreachable)
	_, err = w.Anchors(ctx, protocol.AccountID{}, sequencer.AnchorsQuestion{World: w.worlds[0].Hash(), Size: view.Size()})
	w.wantKind("of anchors", err, protocol.KindUnreachable)
	w.witnesses[0].set(func(x *witness) { x.answer = nil })
	w.publish()
	if _, err = look(w.worlds[0], view); err != nil {
		t.Errorf("when they have caught up: %v", err)
	}
}
