// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"reflect"
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
// an entry and has it signed again, or moves, drops or repeats it. Whatever
// comes out folds or is refused, never panics; and every state that folding
// gives keeps what must always hold.
func FuzzFold(f *testing.F) {
	s := tell(f, withWriter+`
		A: grant W docs
		A: close as=c at=0d
		B: veto c
		A: remove B head=docs@3
		A: rotate
		A: rotate-vault docs
		A: remove-recovery R as=r at=0d
		A: complete r at=7d
		A: rotate
	`)
	f.Add([]byte{})
	f.Add([]byte{0, 3, 0, 1, 5, 2, 2, 7, 0, 3, 9, 4, 4, 6, 1, 5, 6, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		list := bytesToHistory(s.entries, script)
		state, err := Fold(list, s.times)
		if (err == nil) != (state != nil) {
			t.Fatal("a refusal and a state, or neither")
		}
		if err != nil {
			return
		}
		mustHold(t, state)
		again, err := Fold(parseAll(t, list), s.times)
		if err != nil || !reflect.DeepEqual(state.clone(), again.clone()) {
			t.Fatalf("folding again gives another state: %v", err)
		}
	})
}

// mustHold are the invariants of every state.
func mustHold(t *testing.T, s *State) {
	t.Helper()
	holders := s.Holders()
	if len(holders) == 0 {
		t.Fatal("nobody holds the account")
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

// bytesToHistory runs the script over a copy of the history. From the first
// changed entry on, every entry is chained and signed anew, as members who
// collude with the server would.
func bytesToHistory(entries []*Entry, script []byte) []*Entry {
	list := make([]fields, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.f)
	}
	for ; len(script) >= 3 && len(list) > 1; script = script[3:] {
		at, how := 1+int(script[1])%(len(list)-1), script[2]
		switch script[0] % 6 {
		case 0:
			list = append(list[:at], list[at+1:]...)
		case 1:
			list = append(list[:at+1], list[at:]...)
		case 2:
			other := 1 + int(how)%(len(list)-1)
			list[at], list[other] = list[other], list[at]
		case 3:
			list[at].Signer = id(string("ABRWX"[how%5]))
		case 4:
			list[at].Body = list[1+int(how)%(len(list)-1)].Body
		case 5:
			list[at].Body = mutated(list[at].Body, how)
		}
		if len(list) > 64 {
			list = list[:64]
		}
	}
	return chained(list)
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
		return Body{RemoveDevice: &RemoveDevice{Device: id(string("ABRWX"[how%5]))}}
	case b.Veto != nil:
		return Body{Complete: &Complete{Entry: b.Veto.Entry}}
	}
	return b
}

func chained(list []fields) []*Entry {
	var entries []*Entry
	var account protocol.AccountID
	var prev protocol.Hash
	for i, f := range list {
		if i > 0 {
			f.Account, f.Seq, f.Prev = account, uint64(i), prev
		}
		name := nameOf(f.Signer)
		sig := member(name).Signing.Sign(keys.PurposeLedgerEntry, f.signed())
		f.Signature = &sig
		e, err := Parse(canonical.MustMarshal(f))
		if err != nil {
			return entries
		}
		if i == 0 {
			account = e.Account()
		}
		prev = e.Hash()
		entries = append(entries, e)
	}
	return entries
}
