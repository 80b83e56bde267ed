// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// servedChain is a provider of records alone.
type servedChain struct {
	provider
	raws [][]byte
}

func (c *servedChain) Snapshots(_ context.Context, from uint64, visit func([]byte) error) error {
	for _, raw := range c.raws[min(int(from)-1, len(c.raws)):] {
		if err := visit(raw); err != nil {
			return err
		}
	}
	return nil
}

func (c *servedChain) head(vault protocol.VaultID) ledger.VaultHead {
	h := ledger.VaultHead{Vault: vault, Seq: uint64(len(c.raws))}
	if h.Seq > 0 {
		h.Hash = snapshot.HashOf(c.raws[h.Seq-1])
	}
	return h
}

// twoVaults is an account of two owner devices, mine and theirs, and two vaults.
type twoVaults struct {
	t            *testing.T
	mine, theirs *keys.MemberSecrets
	ledger       *ledger.State
	draft        *keyring.Draft
	one, two     protocol.VaultID
	served       map[protocol.VaultID]*servedChain
	kept         *state.State
	warned       []string
}

func newTwoVaults(t *testing.T) *twoVaults {
	t.Helper()
	w := &twoVaults{t: t, mine: keys.GenerateMemberSecrets(), theirs: keys.GenerateMemberSecrets(), served: map[protocol.VaultID]*servedChain{}}
	var err error
	w.draft, err = keyring.Create(w.mine, 1)
	check(t, err)
	check(t, w.draft.Rotate())
	check(t, w.draft.AddOwner(w.theirs.Public()))
	for _, id := range []*protocol.VaultID{&w.one, &w.two} {
		*id, err = w.draft.CreateVault(protocol.CategoryBackups)
		check(t, err)
		w.served[*id] = new(servedChain)
	}
	w.ledger = w.draft.Batch().State
	dir := t.TempDir()
	w.kept, err = state.Open(filepath.Join(dir, "state"), filepath.Join(dir, "cache"))
	check(t, err)
	t.Cleanup(func() { check(t, w.kept.Close()) })
	return w
}

// record appends a record of the other device to a vault's chain.
func (w *twoVaults) record(vault protocol.VaultID, others ...ledger.VaultHead) ledger.VaultHead {
	w.t.Helper()
	c := w.served[vault]
	at := c.head(vault)
	run := sha256.Sum256(fmt.Append(nil, vault, at.Seq))
	rec := &snapshot.Record{
		Act: snapshot.ActRun, Account: w.ledger.Account(), Vault: vault, Epoch: 1, Seq: at.Seq + 1, Prev: at.Hash,
		Ledger: w.ledger.Head(), Run: protocol.RunID(run[:16]), Wrap: make([]byte, 1168), Details: make([]byte, 300), Others: others,
	}
	c.raws = append(c.raws, rec.Sign(w.theirs))
	return c.head(vault)
}

// look synchronises a vault, as a command would, and holds what others say.
func (w *twoVaults) look(vault protocol.VaultID) error {
	w.t.Helper()
	v := &Vault{kept: w.kept.Vault(vault), remote: w.served[vault], ledger: w.ledger, o: Options{
		State: w.kept, Vault: vault, Warn: func(err error) { w.warned = append(w.warned, err.Error()) },
	}}
	if err := v.syncRecords(context.Background()); err != nil {
		return err
	}
	return v.holdOthers()
}

func sorted(heads ...ledger.VaultHead) []ledger.VaultHead { sortHeads(heads); return heads }

func (w *twoVaults) mustLook(vault protocol.VaultID) {
	w.t.Helper()
	check(w.t, w.look(vault))
}

func (w *twoVaults) wantWarnings(n int, words string) {
	w.t.Helper()
	if len(w.warned) != n || n > 0 && !strings.Contains(w.warned[n-1], words) {
		w.t.Errorf("warned of %q, want %d with %q", w.warned, n, words)
	}
	w.warned = nil
}

// removeTheirs removes the other device; all that it signed so far counts.
func (w *twoVaults) removeTheirs() {
	w.t.Helper()
	heads := []ledger.VaultHead{w.served[w.one].head(w.one), w.served[w.two].head(w.two)}
	check(w.t, w.draft.RemoveDevice(w.theirs.ID(), heads, w.opened()))
	w.ledger = w.draft.Batch().State
}

func (w *twoVaults) opened() (list []*keyring.VaultSecrets) {
	w.t.Helper()
	ring, err := w.draft.Ring()
	check(w.t, err)
	for _, id := range []protocol.VaultID{w.one, w.two} {
		secrets, err := ring.Vault(id)
		check(w.t, err)
		list = append(list, secrets)
	}
	return list
}

func wantEvidence(t *testing.T, what string, err error) {
	t.Helper()
	if protocol.KindOf(err) != protocol.KindUntrusted || !strings.Contains(err.Error(), "hides or forks a past") {
		t.Errorf("%s: %v", what, err)
	}
}

func TestOthersAreHeld(t *testing.T) {
	w := newTwoVaults(t)
	w.record(w.two)
	second := w.record(w.two)
	w.mustLook(w.two)
	w.record(w.one, second)
	w.mustLook(w.one)
	third := w.record(w.two)
	w.record(w.one, third)
	w.mustLook(w.one)
	w.wantWarnings(1, "another device has seen snapshot record 3")
	w.mustLook(w.two)
	w.mustLook(w.one) // and what was held is forgotten
	w.wantWarnings(0, "")
	if _, err := w.kept.Note(noteNamed); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("something is kept still: %v", err)
	}
}

// TestOthersOfAVaultNeverSeen: a device that never looked into a vault is told
// nothing, until it looks.
func TestOthersOfAVaultNeverSeen(t *testing.T) {
	w := newTwoVaults(t)
	nowhere := ledger.VaultHead{Vault: protocol.VaultID{0xff}, Seq: 1, Hash: protocol.Hash{1}}
	w.record(w.one, sorted(w.record(w.two), nowhere)...)
	w.mustLook(w.one)
	w.wantWarnings(0, "")
	if list, err := (&Vault{o: Options{State: w.kept}}).namedHeads(); err != nil || len(list) != 1 {
		t.Errorf("kept: %+v, %v", list, err)
	}
	w.served[w.two].raws = nil
	wantEvidence(t, "a vault whose records are hidden", w.look(w.two))
}

func TestHiddenRecordIsSeen(t *testing.T) {
	w := newTwoVaults(t)
	w.record(w.two)
	w.mustLook(w.two)
	w.record(w.one, w.record(w.two))
	w.mustLook(w.one)
	w.wantWarnings(1, "another device has seen snapshot record 2")
	hidden := w.served[w.two].raws
	w.served[w.two].raws = hidden[:1]
	wantEvidence(t, "the newest record is hidden", w.look(w.two))
	wantEvidence(t, "and it does not pass", w.look(w.two))
	w.served[w.two].raws = hidden
	w.mustLook(w.two)
}

// TestForkIsSeen shows this device one second record, and the other device
// another, in both orders of looking.
func TestForkIsSeen(t *testing.T) {
	fork := func(t *testing.T) (w *twoVaults) {
		w = newTwoVaults(t)
		first := w.record(w.two)
		theirs := w.record(w.two)
		w.served[w.two].raws = w.served[w.two].raws[:1]
		w.record(w.two, ledger.VaultHead{Vault: w.one, Seq: 1, Hash: first.Hash})
		w.record(w.one, theirs)
		return w
	}
	t.Run("what comes contradicts what is known", func(t *testing.T) {
		w := fork(t)
		wantEvidence(t, "the first record of vault one is not what vault two names", errors.Join(w.look(w.two), w.look(w.one)))
	})
	t.Run("what is known contradicts what comes", func(t *testing.T) {
		w := fork(t)
		w.mustLook(w.one)
		wantEvidence(t, "another second record", w.look(w.two))
	})
}

// TestOthersBelowTheMark holds heads that are older than the newest known.
func TestOthersBelowTheMark(t *testing.T) {
	w := newTwoVaults(t)
	first := w.record(w.two)
	w.record(w.two)
	w.mustLook(w.two)
	w.record(w.one, first)
	w.mustLook(w.one)
	w.record(w.one, ledger.VaultHead{Vault: w.two, Seq: 1, Hash: protocol.Hash{9}})
	wantEvidence(t, "another first record", w.look(w.one))
}

// TestLiarIsRemoved: a device that makes heads up stops nobody for longer than
// it is there.
func TestLiarIsRemoved(t *testing.T) {
	w := newTwoVaults(t)
	w.record(w.two)
	w.mustLook(w.two)
	w.record(w.one, ledger.VaultHead{Vault: w.two, Seq: 1, Hash: protocol.Hash{9}})
	wantEvidence(t, "made up", w.look(w.one))
	wantEvidence(t, "made up, looked at again", w.look(w.one))
	w.removeTheirs()
	w.mustLook(w.one)
	w.wantWarnings(1, "made it up")
	w.mustLook(w.one)
	w.mustLook(w.two)
	w.wantWarnings(0, "")
}

func TestOthersDamaged(t *testing.T) {
	w := newTwoVaults(t)
	check(t, w.kept.SetNote(noteNamed, []byte{0xff}))
	w.record(w.one)
	w.mustLook(w.one)
	if len(w.warned) == 0 || !strings.Contains(w.warned[0], "damaged here") {
		t.Errorf("warned of %q", w.warned)
	}
}

func TestNewestNamed(t *testing.T) {
	n := func(in, of, device byte, seq uint64) named {
		return named{protocol.VaultID{in}, protocol.MemberID{device}, ledger.VaultHead{Vault: protocol.VaultID{of}, Seq: seq, Hash: protocol.Hash{byte(seq)}}}
	}
	var list []named
	for _, one := range []named{n(1, 2, 1, 5), n(1, 2, 1, 3), n(1, 2, 1, 7), n(1, 3, 1, 1), n(1, 2, 2, 2), n(4, 2, 1, 1)} {
		list = newest(list, one)
	}
	if len(list) != 4 || list[0] != n(1, 2, 1, 7) {
		t.Errorf("%+v", list)
	}
	many := make([]named, 2*maxNamed)
	for i := range many {
		many[i] = n(byte(i>>8), 255, byte(i), ^uint64(0))
	}
	w := newTwoVaults(t)
	v := &Vault{o: Options{State: w.kept}}
	check(t, v.keepNamed(many))
	if got, err := v.namedHeads(); err != nil || len(got) != maxNamed {
		t.Errorf("%d heads are read back: %v", len(got), err)
	}
}
