// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestRecordPrintsAsItWasParsed(t *testing.T) {
	w := newWorld(t, "print")
	l := w.line(0)
	first := l.run(w.anna)
	l.list(w.bert, first)
	other := l.next()
	other.Others = []ledger.VaultHead{{Vault: w.vaults[1], Seq: 4, Hash: protocol.Hash{5}}}
	l.keep(other.Sign(w.writer))
	for i, raw := range l.raws {
		r, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(canonical.MustMarshal(r), raw) {
			t.Errorf("record %d does not print as it was parsed", i+1)
		}
		if err := r.Verify(w.state); err != nil {
			t.Error(err)
		}
	}
}

// TestRecordRefusesEveryFlippedByte is G01 for records.
func TestRecordRefusesEveryFlippedByte(t *testing.T) {
	w := newWorld(t, "flip")
	l := w.line(0)
	l.run(w.anna)
	raw := l.raws[0]
	for i := range raw {
		if sparse(raw, i) {
			continue
		}
		raw[i] ^= 1 << (i % 8)
		c := NewChain(l.vault)
		r, err := c.Append(raw, w.state)
		if kind := protocol.KindOf(err); r != nil || kind != protocol.KindUntrusted && kind != protocol.KindUnsupported || c.Head().Seq != 0 {
			t.Errorf("byte %d changed: record %v, error %v, head %d", i, r, err, c.Head().Seq)
		}
		raw[i] ^= 1 << (i % 8)
	}
	if _, err := NewChain(l.vault).Append(raw, w.state); err != nil {
		t.Fatalf("the untouched record: %v", err)
	}
}

func TestRecordRefusesEveryOtherLength(t *testing.T) {
	w := newWorld(t, "cut")
	l := w.line(0)
	l.run(w.anna)
	for n := range l.raws[0] {
		if _, err := Parse(l.raws[0][:n]); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	_, err := Parse(append(bytes.Clone(l.raws[0]), 0))
	wantKind(t, "one byte more", err, protocol.KindUntrusted)
	_, err = Parse(make([]byte, MaxRecordSize+1))
	wantKind(t, "too large", err, protocol.KindUntrusted)
}

func TestRecordIsHeldToItsSyntax(t *testing.T) {
	w := newWorld(t, "syntax")
	l := w.line(0)
	l.run(w.anna)
	hash := func(b byte) protocol.Hash { return protocol.Hash{b} }
	other := func(b byte) ledger.VaultHead {
		return ledger.VaultHead{Vault: protocol.VaultID{b}, Seq: 1, Hash: hash(b)}
	}
	many := func(n int) (list []protocol.Hash) {
		for i := range n {
			list = append(list, protocol.Hash{byte(i >> 16), byte(i >> 8), byte(i)})
		}
		return list
	}
	for _, c := range []struct {
		name   string
		change func(r *Record)
		want   protocol.Kind
	}{
		{"nothing", func(*Record) {}, ""},
		{"no act", func(r *Record) { r.Act = 0 }, protocol.KindUntrusted},
		{"an act of the future", func(r *Record) { r.Act = 3 }, protocol.KindUntrusted},
		{"no epoch", func(r *Record) { r.Epoch = 0 }, protocol.KindUntrusted},
		{"place zero", func(r *Record) { r.Seq = 0 }, protocol.KindUntrusted},
		{"the first place and a record before", func(r *Record) { r.Seq = 1 }, protocol.KindUntrusted},
		{"the second place and no record before", func(r *Record) { r.Prev = protocol.Hash{} }, protocol.KindUntrusted},
		{"a short wrap", func(r *Record) { r.Wrap = r.Wrap[1:] }, protocol.KindUntrusted},
		{"a long wrap", func(r *Record) { r.Wrap = append(r.Wrap, 0) }, protocol.KindUntrusted},
		{"no wrap", func(r *Record) { r.Wrap = nil }, protocol.KindUntrusted},
		{"the longest details", func(r *Record) { r.Details = make([]byte, MaxDetails) }, ""},
		{"longer details", func(r *Record) { r.Details = make([]byte, MaxDetails+1) }, protocol.KindUntrusted},
		{"a run with a list", func(r *Record) { r.Live = many(1) }, protocol.KindUntrusted},
		{"an empty list", func(r *Record) { r.Act = ActList }, ""},
		{"a list", func(r *Record) { r.Act, r.Live = ActList, many(3) }, ""},
		{"the longest list", func(r *Record) { r.Act, r.Live = ActList, many(MaxLive) }, ""},
		{"a longer list", func(r *Record) { r.Act, r.Live = ActList, many(MaxLive+1) }, protocol.KindUntrusted},
		{"a list out of order", func(r *Record) { r.Act, r.Live = ActList, []protocol.Hash{hash(2), hash(1)} }, protocol.KindUntrusted},
		{"a list that names one twice", func(r *Record) { r.Act, r.Live = ActList, []protocol.Hash{hash(2), hash(2)} }, protocol.KindUntrusted},
		{"other vaults", func(r *Record) { r.Others = []ledger.VaultHead{other(7), other(8)} }, ""},
		{"other vaults out of order", func(r *Record) { r.Others = []ledger.VaultHead{other(8), other(7)} }, protocol.KindUntrusted},
		{"another vault twice", func(r *Record) { r.Others = []ledger.VaultHead{other(7), other(7)} }, protocol.KindUntrusted},
		{"this vault as another", func(r *Record) { r.Others = []ledger.VaultHead{{Vault: r.Vault, Seq: 1, Hash: hash(1)}} }, protocol.KindUntrusted},
		{"another vault that is empty", func(r *Record) { r.Others = []ledger.VaultHead{{Vault: protocol.VaultID{7}}} }, protocol.KindUntrusted},
		{"another vault without a hash", func(r *Record) { r.Others = []ledger.VaultHead{{Vault: protocol.VaultID{7}, Seq: 1}} }, protocol.KindUntrusted},
		{"too many other vaults", func(r *Record) {
			for i := range MaxOthers + 1 {
				r.Others = append(r.Others, ledger.VaultHead{Vault: protocol.VaultID{byte(i >> 8), byte(i), 1}, Seq: 1, Hash: hash(1)})
			}
		}, protocol.KindUntrusted},
	} {
		r := l.next()
		c.change(r)
		got, err := Parse(r.Sign(w.anna))
		wantKind(t, c.name, err, c.want)
		if (got == nil) != (c.want != "") {
			t.Errorf("%s: record %v beside the error %v", c.name, got != nil, err)
		}
	}
}

// TestEnvelopesOfAnotherVersion is G18: nothing older or newer is read.
func TestEnvelopesOfAnotherVersion(t *testing.T) {
	w := newWorld(t, "version")
	signature := new(keys.Signature)
	for _, version := range []uint64{0, 2, 1 << 40} {
		r := w.line(0).next()
		r.Version, r.Signature = version, signature
		_, err := Parse(canonical.MustMarshal(r))
		wantKind(t, "record", err, protocol.KindUnsupported)
		p := w.statement()
		p.Version, p.Signature = version, signature
		_, err = ParsePackStatement(canonical.MustMarshal(p))
		wantKind(t, "pack statement", err, protocol.KindUnsupported)
		g := w.generation(w.line(0), PruneRetire, 1)
		g.Version, g.Signature = version, signature
		_, err = ParseGeneration(canonical.MustMarshal(g))
		wantKind(t, "generation", err, protocol.KindUnsupported)
	}
}

func TestEnvelopesWithUnknownOrMissingParts(t *testing.T) {
	w := newWorld(t, "unknown")
	r, p, g := w.line(0).next(), w.statement(), w.generation(w.line(0), PruneRetire, 1)
	signature := new(keys.Signature)
	r.Version, p.Version, g.Version = 1, 1, 1
	parse := map[string]func(signed bool, extra any) error{
		"record": func(signed bool, extra any) error {
			if signed {
				r.Signature = signature
			}
			_, err := Parse(canonical.MustMarshal(struct {
				Record
				Extra any `cbor:"99,keyasint,omitempty"`
			}{*r, extra}))
			return err
		},
		"pack statement": func(signed bool, extra any) error {
			if signed {
				p.Signature = signature
			}
			_, err := ParsePackStatement(canonical.MustMarshal(struct {
				PackStatement
				Extra any `cbor:"99,keyasint,omitempty"`
			}{*p, extra}))
			return err
		},
		"generation": func(signed bool, extra any) error {
			if signed {
				g.Signature = signature
			}
			_, err := ParseGeneration(canonical.MustMarshal(struct {
				Generation
				Extra any `cbor:"99,keyasint,omitempty"`
			}{*g, extra}))
			return err
		},
	}
	for name, try := range parse {
		wantKind(t, name+" without a signature", try(false, nil), protocol.KindUntrusted)
		wantKind(t, name+" with a field of the future", try(true, 1), protocol.KindUntrusted)
		if err := try(true, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantKind(t, "record never signed", w.line(0).next().Verify(w.state), protocol.KindUntrusted)
	_, err := w.statement().Verify(w.state)
	wantKind(t, "pack statement never signed", err, protocol.KindUntrusted)
	wantKind(t, "generation never signed", w.generation(w.line(0), PruneRetire, 1).Verify(w.state), protocol.KindUntrusted)
}

// TestWhoMayRecord holds records against a ledger with every kind of member.
func TestWhoMayRecord(t *testing.T) {
	w, stranger := newWorld(t, "who"), newWorld(t, "stranger")
	l := w.line(0)
	early := w.state
	l.run(w.anna)
	list := func(r *Record) { r.Act = ActList }
	for _, c := range []struct {
		name   string
		device *keys.MemberSecrets
		change func(r *Record)
		good   bool
	}{
		{"an owner's run", w.anna, func(*Record) {}, true},
		{"another owner's run", w.bert, func(*Record) {}, true},
		{"a writer's run", w.writer, func(*Record) {}, true},
		{"an owner's list", w.bert, list, true},
		{"a writer's list", w.writer, list, false},
		{"a writer that was not granted the vault", w.idle, func(*Record) {}, false},
		{"a writer in a vault it was not granted", w.writer, func(r *Record) { r.Vault = w.vaults[1] }, false},
		{"a recovery key", w.kit, func(*Record) {}, false},
		{"a recovery key's list", w.kit, list, false},
		{"a device of another account", stranger.anna, func(*Record) {}, false},
		{"another account", w.anna, func(r *Record) { r.Account = stranger.state.Account() }, false},
		{"another account's ledger", w.anna, func(r *Record) { r.Ledger = stranger.state.Head() }, false},
		{"a ledger head that is not there yet", w.anna, func(r *Record) { r.Ledger.Seq++ }, false},
		{"a ledger head of another history", w.anna, func(r *Record) { r.Ledger.Hash[0] ^= 1 }, false},
		{"an epoch of the future", w.anna, func(r *Record) { r.Epoch++ }, false},
		{"a vault that is not there", w.anna, func(r *Record) { r.Vault = protocol.VaultID{0xff} }, false},
		{"a vault that was not there yet", w.anna, func(r *Record) { r.Ledger = ledger.Head{Seq: 0, Hash: protocol.Hash(early.Account())} }, false},
	} {
		r := l.next()
		c.change(r)
		r.Sign(c.device)
		err := r.Verify(w.state)
		if (err == nil) != c.good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: error %v, want good %v", c.name, err, c.good)
		}
	}
	r, err := Parse(l.raws[0])
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, "held against another account", r.Verify(stranger.state), protocol.KindUntrusted)
}

func TestRecordsOfOldEpochs(t *testing.T) {
	w := newWorld(t, "epoch")
	l := w.line(0)
	before, old := w.state.Head(), l.next()
	w.rotateVault(w.anna, 0)
	old.Sign(w.bert)
	if err := old.Verify(w.state); err != nil {
		t.Errorf("made before the rotation, as its device saw it: %v", err)
	}
	again := l.next()
	again.Epoch = 1
	again.Sign(w.bert)
	wantKind(t, "the old epoch after the rotation", again.Verify(w.state), protocol.KindUntrusted)
	next := l.next()
	next.Ledger = before
	next.Sign(w.bert)
	wantKind(t, "the new epoch before the rotation", next.Verify(w.state), protocol.KindUntrusted)
}

func TestRecordsOfRemovedDevices(t *testing.T) {
	for _, device := range []string{"owner", "writer"} {
		w := newWorld(t, device)
		removed := w.bert
		if device == "writer" {
			removed = w.writer
		}
		l := w.line(0)
		l.run(removed)
		late, before := l.next(), w.state.Head()
		late.Sign(removed)
		w.remove(w.anna, removed, l.head())
		r, err := Parse(l.raws[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(w.state); err != nil {
			t.Errorf("%s: what the removal names does not count: %v", device, err)
		}
		wantKind(t, device+": beyond the removal's head, with the ledger of before", late.Verify(w.state), protocol.KindUntrusted)
		after := l.next()
		after.Sign(removed)
		wantKind(t, device+": with the ledger of after", after.Verify(w.state), protocol.KindUntrusted)
		moved := l.fork(0).next()
		moved.Ledger, moved.Epoch = before, 1
		moved.Details = []byte("another past")
		moved.Sign(removed)
		if err := moved.Verify(w.state); err != nil {
			t.Errorf("%s: a record at a place that counts is for the chain to refuse: %v", device, err)
		}
		other := w.line(1).next()
		other.Ledger, other.Epoch = before, 1
		other.Sign(removed)
		wantKind(t, device+": in a vault that the removal names no head of", other.Verify(w.state), protocol.KindUntrusted)
	}
}

// TestSignaturesServeOnePurpose moves each kind of signature to each other
// envelope, and from one record to another.
func TestSignaturesServeOnePurpose(t *testing.T) {
	w := newWorld(t, "purpose")
	l := w.line(0)
	r, p, g := l.next(), w.statement(), w.generation(l, PruneRetire, 1)
	r.Sign(w.anna)
	p.Sign(w.anna)
	g.Sign(w.anna)
	for name, purpose := range map[string]keys.Purpose{
		"ledger entry": keys.PurposeLedgerEntry, "pack": keys.PurposePack, "snapshot": keys.PurposeSnapshot,
		"generation": keys.PurposeGeneration, "session": keys.PurposeSession,
	} {
		for kind, try := range map[string]func() error{
			"snapshot": func() error {
				signature := w.anna.Signing.Sign(purpose, r.signed())
				r.Signature = &signature
				return r.Verify(w.state)
			},
			"pack": func() error {
				signature := w.anna.Signing.Sign(purpose, p.signed())
				p.Signature = &signature
				_, err := p.Verify(w.state)
				return err
			},
			"generation": func() error {
				signature := w.anna.Signing.Sign(purpose, g.signed())
				g.Signature = &signature
				return g.Verify(w.state)
			},
		} {
			if err := try(); (err == nil) != (name == kind) {
				t.Errorf("a signature for %s on a %s: %v", name, kind, err)
			}
		}
	}
	other := l.next()
	other.Details = []byte("other details")
	other.Sign(w.anna)
	r.Signature = other.Signature
	wantKind(t, "another record's signature", r.Verify(w.state), protocol.KindUntrusted)
	other.Device = w.bert.ID()
	wantKind(t, "another device's name", other.Verify(w.state), protocol.KindUntrusted)
}

func TestFollows(t *testing.T) {
	w := newWorld(t, "follows")
	place := Place{Head: ledger.VaultHead{Vault: w.vaults[0], Seq: 4, Hash: protocol.Hash{4}}, Ledger: 7, Generation: 2}
	for _, c := range []struct {
		name   string
		change func(r *Record)
		good   bool
	}{
		{"the next", func(*Record) {}, true},
		{"a newer ledger and generation", func(r *Record) { r.Ledger.Seq, r.Generation = 9, 3 }, true},
		{"another vault", func(r *Record) { r.Vault = w.vaults[1] }, false},
		{"the place before", func(r *Record) { r.Seq = 4 }, false},
		{"the place after", func(r *Record) { r.Seq = 6 }, false},
		{"another record before", func(r *Record) { r.Prev[9] ^= 1 }, false},
		{"an older ledger", func(r *Record) { r.Ledger.Seq = 6 }, false},
		{"an older generation", func(r *Record) { r.Generation = 1 }, false},
	} {
		r := &Record{Vault: w.vaults[0], Seq: 5, Prev: protocol.Hash{4}, Ledger: ledger.Head{Seq: 7}, Generation: 2}
		c.change(r)
		if err := r.Follows(place); (err == nil) != c.good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v, want good %v", c.name, err, c.good)
		}
	}
}
