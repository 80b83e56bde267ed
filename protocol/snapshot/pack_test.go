// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// statement returns an unsigned statement about a pack of vault 0.
func (w *world) statement() *PackStatement {
	return &PackStatement{
		Account: w.state.Account(), Vault: w.vaults[0], Epoch: w.epoch(w.vaults[0]), Run: protocol.RunID{1},
		Pack: sha256.Sum256([]byte("a pack")), Size: 512 << 10, Ledger: w.state.Head(),
	}
}

func TestPackStatementPrintsAsItWasParsed(t *testing.T) {
	w := newWorld(t, "print")
	raw := w.statement().Sign(w.writer)
	p, err := ParsePackStatement(raw)
	if err != nil || !bytes.Equal(canonical.MustMarshal(p), raw) || len(raw) > MaxPackStatementSize {
		t.Fatalf("a statement of %d bytes does not print as it was parsed: %v", len(raw), err)
	}
	if origin, err := p.Verify(w.state); err != nil || origin != OriginPresent {
		t.Errorf("origin %d, %v", origin, err)
	}
}

func TestPackStatementRefusesEveryFlippedByte(t *testing.T) {
	w := newWorld(t, "flip")
	raw := w.statement().Sign(w.writer)
	for i := range raw {
		if sparse(raw, i) {
			continue
		}
		raw[i] ^= 1 << (i % 8)
		p, err := ParsePackStatement(raw)
		if err == nil {
			_, err = p.Verify(w.state)
		}
		if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
			t.Errorf("byte %d changed: %v", i, err)
		}
		raw[i] ^= 1 << (i % 8)
	}
	for n := range raw {
		if _, err := ParsePackStatement(raw[:n]); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	_, err := ParsePackStatement(append(raw, 0))
	wantKind(t, "one byte more", err, protocol.KindUntrusted)
	_, err = ParsePackStatement(make([]byte, MaxPackStatementSize+1))
	wantKind(t, "too large", err, protocol.KindUntrusted)
}

// TestWhoMayState is G07: a pack that decrypts is nobody's until a device of the
// account has signed for it.
func TestWhoMayState(t *testing.T) {
	w, stranger := newWorld(t, "who"), newWorld(t, "stranger")
	for _, c := range []struct {
		name   string
		device *keys.MemberSecrets
		change func(p *PackStatement)
		good   bool
	}{
		{"an owner", w.anna, func(*PackStatement) {}, true},
		{"a writer", w.writer, func(*PackStatement) {}, true},
		{"a writer that was not granted the vault", w.idle, func(*PackStatement) {}, false},
		{"a writer in another vault", w.writer, func(p *PackStatement) { p.Vault = w.vaults[1] }, false},
		{"an owner in another vault", w.anna, func(p *PackStatement) { p.Vault = w.vaults[1] }, true},
		{"a recovery key", w.kit, func(*PackStatement) {}, false},
		{"a stranger", stranger.anna, func(*PackStatement) {}, false},
		{"another account", w.anna, func(p *PackStatement) { p.Account = stranger.state.Account() }, false},
		{"another account's ledger", w.anna, func(p *PackStatement) { p.Ledger = stranger.state.Head() }, false},
		{"an epoch of the future", w.anna, func(p *PackStatement) { p.Epoch++ }, false},
		{"a ledger of the future", w.anna, func(p *PackStatement) { p.Ledger.Seq++ }, false},
		{"a time before the device", w.bert, func(p *PackStatement) { p.Ledger = ledger.Head{Hash: protocol.Hash(w.state.Account())} }, false},
	} {
		p := w.statement()
		c.change(p)
		p.Sign(c.device)
		origin, err := p.Verify(w.state)
		if (err == nil) != c.good || (origin == OriginPresent) != c.good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: origin %d, error %v, want good %v", c.name, origin, err, c.good)
		}
	}
	for name, change := range map[string]func(p *PackStatement){
		"no size":  func(p *PackStatement) { p.Size = 0 },
		"no epoch": func(p *PackStatement) { p.Epoch = 0 },
	} {
		p := w.statement()
		change(p)
		got, err := ParsePackStatement(p.Sign(w.anna))
		wantKind(t, name, err, protocol.KindUntrusted)
		if got != nil {
			t.Errorf("%s: a statement beside the error", name)
		}
	}
}

// TestPacksOfRemovedDevices keeps what a removed device signed readable, and
// lets nothing new rely on it: it may have signed it after its removal.
func TestPacksOfRemovedDevices(t *testing.T) {
	w := newWorld(t, "removed")
	made, before := w.statement(), w.state.Head()
	made.Sign(w.bert)
	w.remove(w.anna, w.bert)
	if origin, err := made.Verify(w.state); err != nil || origin != OriginRemoved {
		t.Errorf("made before: origin %d, %v", origin, err)
	}
	backdated := w.statement()
	backdated.Ledger, backdated.Epoch = before, 1
	backdated.Sign(w.bert)
	if origin, err := backdated.Verify(w.state); err != nil || origin != OriginRemoved {
		t.Errorf("made after, with the ledger of before: origin %d, %v", origin, err)
	}
	late := w.statement()
	late.Sign(w.bert)
	_, err := late.Verify(w.state)
	wantKind(t, "made after", err, protocol.KindUntrusted)
	old := w.statement()
	old.Epoch = 1
	old.Sign(w.anna)
	_, err = old.Verify(w.state)
	wantKind(t, "an old epoch by a present device", err, protocol.KindUntrusted)
}
