// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// FuzzParse reads what a server may send as an entry: what is read prints as
// the same bytes, and what is refused is refused as it should be.
func FuzzParse(f *testing.F) {
	for _, body := range oneOfEach() {
		f.Add(sealed(plainFields(body), member("A")))
	}
	f.Add([]byte{0xa2, 0x01, 0x02, 0x18, 0x63, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := Parse(raw)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported || e != nil {
				t.Fatalf("refused as %s", kind)
			}
			return
		}
		if !bytes.Equal(canonical.MustMarshal(e.f), raw) {
			t.Fatal("prints as other bytes")
		}
		if _, err := Fold([]*Entry{e}, nil); err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("refused as %s", protocol.KindOf(err))
		}
	})
}

// FuzzFold plays a server and dishonest members against a history. Each step of
// the script is three bytes: what to do, to which entry, and how. A step changes
// an entry and has it signed again, or moves, drops or repeats it. Each entry of
// what comes out is applied or refused, never panics, and whatever the state is
// then, it keeps what must always hold. Signatures are left out: they take all
// the time, and members who collude with the server would give them.
func FuzzFold(f *testing.F) {
	s := tell(f, withWriter+`
		A: grant W docs
		A: close as=c at=0d
		B: veto c
		A: remove B head=docs@3
		A: rotate
		A: rotate-vault docs
		A: add-recovery S
		A: grant S
		R: remove-recovery S
		A: rotate
		A: remove-recovery R as=r at=0d
		A: complete r at=7d
		A: rotate
	`)
	genesis, err := Fold(s.entries[:1], nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 3, 0, 1, 5, 2, 2, 7, 0, 3, 9, 4, 4, 6, 1, 5, 6, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		state, times, renamed := genesis.clone(), Times{}, map[protocol.Hash]protocol.Hash{}
		for i, p := range mutatedHistory(s.entries, script) {
			e := p.after(t, state, renamed)
			times[e.Hash()] = protocol.Time(i) * PendingDelay
			next := state.clone()
			_, err := next.expects(e)
			if err == nil {
				err = next.apply(e, times)
			}
			if err != nil {
				if protocol.KindOf(err) != protocol.KindUntrusted {
					t.Fatalf("refused as %s: %v", protocol.KindOf(err), err)
				}
				continue // who makes up a history leaves out what is refused
			}
			next.advance(e)
			mustHold(t, state, next)
			mustLeaveWell(t, state, next, e)
			state, renamed[p.original] = next, e.Hash()
		}
	})
}

// mustHold are the invariants of every state, and of what may change between one
// and the next.
func mustHold(t *testing.T, before, s *State) {
	t.Helper()
	holders := s.Holders()
	if !s.opensWithout(nil) {
		t.Fatal("nobody can open the account")
	}
	for id, m := range before.members {
		if now := s.members[id]; now == nil || now.Keys != m.Keys || !m.Present() && now.Removed != m.Removed {
			t.Fatal("a member changed, or came back")
		}
	}
	if before.epoch > s.epoch || before.closed && s.head != before.head {
		t.Fatal("the state goes backwards")
	}
	for _, r := range holders {
		m := s.members[r.Member()]
		if !m.Present() || m.Kind == KindDevice && m.Role != protocol.RoleOwner {
			t.Fatal("a holder is removed, or a writer")
		}
	}
	for name, v := range s.vaults {
		if _, err := s.VaultRecipient(name); err == nil && (v.due || s.due || s.closed) {
			t.Fatal("a vault that waits for keys gives a recipient")
		}
	}
	if s.head.Seq+1 != uint64(len(s.hashes)) || uint64(len(s.links)) != s.epoch {
		t.Fatal("the state has lost count")
	}
}

// mustLeaveWell holds each departure of one step to how that member may leave: a
// device with a head for every vault, the oldest recovery method after its delay
// alone, and nobody leaves a request behind that is about who is gone.
func mustLeaveWell(t *testing.T, before, s *State, e *Entry) {
	t.Helper()
	oldest := (*Member)(nil)
	for _, m := range before.AllMembers() {
		if oldest == nil && m.Kind == KindRecovery && m.Present() {
			oldest = m
		}
		if now := s.members[m.ID]; m.Present() && !now.Present() && m.Kind == KindDevice && len(now.Heads) != len(s.vaults) {
			t.Fatal("a device left without a head for every vault")
		}
	}
	if oldest != nil && !s.members[oldest.ID].Present() && e.f.Body.Complete == nil {
		t.Fatal("the oldest recovery method left at once")
	}
	for _, p := range s.pending {
		if p.Body.Close == nil && !s.members[p.target()].Present() || !s.members[p.Signer].Present() {
			t.Fatal("a request is about who is gone, or from them")
		}
	}
}

// played is an entry of an honest history that a script has got hold of.
type played struct {
	f        fields
	original protocol.Hash
}

// after gives the entry its place behind the state; what it refers to by hash is
// what became of it. The signature is zeros: nobody verifies it.
func (p played) after(t *testing.T, s *State, renamed map[protocol.Hash]protocol.Hash) *Entry {
	t.Helper()
	f := p.f
	f.Account, f.Seq, f.Prev, f.Signature = s.account, s.head.Seq+1, s.head.Hash, new(keys.Signature)
	switch {
	case f.Body.Veto != nil:
		f.Body = Body{Veto: &Veto{Entry: renamed[f.Body.Veto.Entry]}}
	case f.Body.Complete != nil:
		f.Body = Body{Complete: &Complete{Entry: renamed[f.Body.Complete.Entry]}}
	}
	e, err := Parse(canonical.MustMarshal(f))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// mutatedHistory runs the script over a copy of the history, without its genesis.
func mutatedHistory(entries []*Entry, script []byte) []played {
	var list []played
	for _, e := range entries[1:] {
		list = append(list, played{e.f, e.Hash()})
	}
	for ; len(script) >= 3 && len(list) > 0 && len(list) < 64; script = script[3:] {
		at, how := int(script[1])%len(list), script[2]
		other := int(how) % len(list)
		switch script[0] % 6 {
		case 0:
			list = append(list[:at], list[at+1:]...)
		case 1:
			list = append(list[:at+1], list[at:]...)
		case 2:
			list[at], list[other] = list[other], list[at]
		case 3:
			list[at].f.Signer = id(string("ABRWX"[how%5]))
		case 4:
			list[at].f.Body = list[other].f.Body
		case 5:
			list[at].f.Body = mutated(list[at].f.Body, how)
		}
	}
	return list
}

// mutated turns one small thing in a body.
func mutated(b Body, how byte) Body {
	switch {
	case b.AddDevice != nil:
		c := *b.AddDevice
		c.Role = protocol.Role(how % 4)
		return Body{AddDevice: &c}
	case b.Grant != nil:
		c := *b.Grant
		c.Epoch = uint64(how % 4)
		return Body{Grant: &c}
	case b.Rotate != nil:
		c := *b.Rotate
		c.Epoch, c.Wraps = c.Epoch+uint64(how%3)-1, c.Wraps[:int(how)%(len(c.Wraps)+1)]
		return Body{Rotate: &c}
	case b.RotateVault != nil:
		c := *b.RotateVault
		c.Epoch = uint64(how % 4)
		return Body{RotateVault: &c}
	case b.RemoveDevice != nil:
		c := *b.RemoveDevice
		c.Device = id(string("ABRWX"[how%5]))
		return Body{RemoveDevice: &c}
	case b.RemoveRecovery != nil:
		return Body{RemoveRecovery: &RemoveRecovery{Member: id(string("ARSW"[how%4]))}}
	case b.Veto != nil:
		return Body{Complete: &Complete{Entry: b.Veto.Entry}}
	}
	return b
}
