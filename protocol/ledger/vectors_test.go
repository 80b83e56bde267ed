// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "ledger",
		Generate: generate,
		Check: map[string]func(*testing.T, *vectors.Vector){
			"ledger-entry": checkEntryVector,
			"ledger-fold":  checkFoldVector,
		},
	})
}

func generate(t *testing.T) []*vectors.Vector {
	return slices.Concat(entryVectors(), foldVectors(t), listVectors(t))
}

// entryVectors are entries for syntax alone; no history is behind them.
func entryVectors() []*vectors.Vector {
	var list []*vectors.Vector
	for kind, body := range oneOfEach() {
		raw := sealed(plainFields(body), member("A"))
		name := "ledger-entry-" + strings.ReplaceAll(kind, " ", "-")
		list = append(list, vectors.New(name, "an entry that says "+kind, "ledger-entry", vectors.Valid, raw).
			With("kind", kind).WithHex("hash", hashOf(raw)).WithHex("signer", idBytes("A")))
	}
	bad := func(name, says string, expect protocol.Kind, raw []byte) {
		list = append(list, vectors.New("ledger-entry-bad-"+name, says, "ledger-entry", string(expect), raw))
	}
	plain := plainFields(Body{Close: &Close{}})
	raw := sealed(plain, member("A"))
	newer := plain
	newer.Version = 2
	hash := object("x")
	bad("version", "a version of the format that is not known", protocol.KindUnsupported, sealed(newer, member("A")))
	bad("unsigned", "no signature", protocol.KindUntrusted, plain.signed())
	bad("bodies", "two bodies", protocol.KindUntrusted, sealed(plainFields(Body{Close: &Close{}, Veto: &Veto{Entry: hash}}), member("A")))
	bad("body", "no body", protocol.KindUntrusted, sealed(plainFields(Body{}), member("A")))
	bad("trailing", "one byte behind the entry", protocol.KindUntrusted, append(bytes.Clone(raw), 0))
	bad("version-long", "the version in a longer form than it needs", protocol.KindUntrusted, append([]byte{0xa8, 0x01, 0x18, 0x01}, raw[3:]...))
	bad("head-hash", "a head that counts nothing, with a hash", protocol.KindUntrusted,
		sealed(plainFields(Body{RemoveDevice: &RemoveDevice{Device: id("B"), Heads: []VaultHead{{Vault: vault("docs"), Hash: hash}}}}), member("A")))
	bad("no-wrap", "a grant whose wrap is the zero hash", protocol.KindUntrusted, sealed(plainFields(Body{Grant: &Grant{Member: id("B"), Epoch: 1}}), member("A")))
	bad("wraps-order", "the wraps of a rotation in descending order", protocol.KindUntrusted,
		sealed(plainFields(Body{Rotate: &Rotate{Epoch: 1, Wraps: []MemberWrap{{protocol.MemberID{2}, hash}, {protocol.MemberID{1}, hash}}}}), member("A")))
	bad("label", "a label of 1025 bytes", protocol.KindUntrusted, sealed(plainFields(Body{Name: &Name{Member: id("A"), Epoch: 1, Box: make([]byte, MaxLabelSize+1)}}), member("A")))
	return list
}

func hashOf(raw []byte) []byte { h := sha256.Sum256(raw); return h[:] }

func idBytes(name string) []byte { i := id(name); return i[:] }

// foldVectors are histories told as stories; where the last line begins with
// "!", its entry is signed all the same and the history is refused for it.
func foldVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	for _, c := range []struct{ name, says, lines string }{
		{"genesis", "the shortest ledger", ``},
		{"account", "an account as it begins: a recovery key, a second owner, the first secret, a vault", begin},
		{"writer", "a writer device and its grant", "A: rotate\nA: create-vault docs\nA: add-device W writer\nA: grant W docs"},
		{"removal", "an owner is removed, and both secrets are rotated", "A: add-device B owner\nA: rotate\nA: create-vault docs\nA: remove B head=docs@5\nA: rotate\nA: rotate-vault docs"},
		{"removal-due", "an owner is removed, and the rotation has not come yet", "A: add-device B owner\nA: rotate\nA: remove B"},
		{"veto", "a request to close, and the veto of the recovery key", "A: add-recovery R\nA: close as=c\nR: veto c"},
		{"pending", "a request to close that waits", "A: close"},
		{"closed", "an account closed after seven days", "A: close as=c at=1d\nA: complete c at=8d"},
		{"recovery-removed", "a recovery method removed after seven days", "A: add-recovery R\nA: rotate\nA: remove-recovery R as=r at=1d\nA: complete r at=8d"},
		{"recovery-outranked", "a recovery method removes a younger one at once, also while a rotation is due", "A: add-recovery R\nA: add-device B owner\nA: rotate\nB: add-recovery T\nB: grant T\nR: remove B\nR: remove-recovery T\nR: rotate"},
		{"recovery-answered", "a recovery method removes a younger one whose removal was pending", "A: add-recovery R\nA: add-recovery T\nA: rotate\nA: remove-recovery T\nR: remove-recovery T"},
		{"bad-younger", "a recovery method removes an older one", "A: add-recovery R\nA: add-recovery T\n!T: remove-recovery R"},
		{"bad-itself", "a recovery method removes itself", "A: add-recovery R\n!R: remove-recovery R"},
		{"bad-outranked-owner", "an owner device removes a recovery method while a rotation is due", "A: add-recovery R\nA: add-device B owner\nA: rotate\nA: remove B\n!A: remove-recovery R"},
		{"bad-outranked-veto", "a veto of a removal that worked at once", "A: add-recovery R\nA: add-recovery T\nR: remove-recovery T as=t\n!A: veto t"},
		{"bad-silent", "a removal that names no head of a vault", "A: add-device B owner\nA: rotate\nA: create-vault docs\nA: create-vault mail\n!A: remove B head=docs@5 without=mail"},
		{"bad-early", "a completion a day too early", "A: close as=c at=1d\n!A: complete c at=7d"},
		{"bad-unproven", "a completion of a request that the log never held", "A: close as=c\n!A: complete c at=8d"},
		{"bad-writer", "a writer adds a device", "A: add-device W writer\n!W: add-device X owner"},
		{"bad-stranger", "somebody who is in no ledger adds himself", "!X: add-device X owner"},
		{"bad-removed", "a removed device adds one", "A: add-device B owner\nA: remove B\n!B: add-device X owner"},
		{"bad-returns", "a removed device's signing key comes back beside a new wrap key", "A: add-device B owner\nA: remove B\n!A: add-device X owner keys=B/X"},
		{"bad-due", "a device is added while a rotation is due", "A: add-device B owner\nA: rotate\nA: remove B\n!A: add-device X writer"},
		{"bad-ghost", "a rotation to one recipient too many", "A: add-device B owner\n!A: rotate to=A,B,X"},
		{"bad-left-out", "a rotation that leaves a holder out", "A: add-recovery R\n!A: rotate to=A"},
		{"bad-swapped", "a rotation to a stranger in a holder's place", "A: add-recovery R\n!A: rotate to=A,X"},
		{"bad-ungranted", "an owner that was not given the secret rotates it", "A: rotate\nA: add-device B owner\n!B: rotate"},
		{"bad-last", "the last holder is removed", "A: rotate\n!A: remove A"},
		{"bad-recovery", "a recovery key closes the account", "A: add-recovery R\n!R: close"},
		{"bad-closed", "something comes after the end", "A: close as=c at=1d\nA: complete c at=8d\n!A: add-device X owner"},
		{"bad-vault-key", "a vault is rotated to the key it had", "A: rotate\nA: create-vault docs\n!A: rotate-vault docs keys=docs"},
		{"bad-level", "a protection level that is not known", "!A: set-protection level=2"},
	} {
		list = append(list, foldVector(t, c.name, c.says, c.lines))
	}
	return list
}

func foldVector(t *testing.T, name, says, lines string) *vectors.Vector {
	lines, last, bad := strings.Cut(lines, "!")
	s := tell(t, lines)
	if !bad {
		return withState(historyVector(name, says, vectors.Valid, s.entries, s.times), s.state)
	}
	s.refuseNothing(last)
	return historyVector(name, says, string(protocol.KindUntrusted), s.entries, s.times)
}

// refuseNothing signs the act and appends its entry without folding it.
func (s *story) refuseNothing(line string) {
	extended := s.state
	err := s.act(line)
	if err == nil || s.state != extended {
		s.t.Fatalf("%q was taken in", line)
	}
	s.entries = append(s.entries, s.last)
}

func historyVector(name, says, expect string, entries []*Entry, times Times) *vectors.Vector {
	v := vectors.New("ledger-fold-"+name, says, "ledger-fold", expect)
	for i, e := range entries {
		v.Parts = append(v.Parts, e.Bytes())
		if at, ok := times[e.Hash()]; ok {
			v.With(fmt.Sprintf("logged-%d", i), strconv.FormatInt(int64(at), 10))
		}
	}
	return v
}

// listVectors are what a server makes of honest entries without a key.
func listVectors(t *testing.T) []*vectors.Vector {
	s := tell(t, "A: add-device B writer\nA: add-recovery R\n")
	other := tellFrom(t, "B", "")
	e := s.entries
	bad := func(name, says string, entries ...*Entry) *vectors.Vector {
		return historyVector(name, says, string(protocol.KindUntrusted), entries, nil)
	}
	return []*vectors.Vector{
		bad("bad-dropped", "an entry was dropped", e[0], e[2]),
		bad("bad-reordered", "two entries changed places", e[0], e[2], e[1]),
		bad("bad-replayed", "an entry stands there twice", e[0], e[1], e[1]),
		bad("bad-headless", "the genesis is missing", e[1], e[2]),
		bad("bad-grafted", "entries of one account behind another's genesis", other.entries[0], e[1]),
	}
}

func withState(v *vectors.Vector, s *State) *vectors.Vector {
	var holders []string
	for _, r := range s.Holders() {
		holders = append(holders, r.Member().String())
	}
	return v.With("account", s.Account().String()).With("head", s.Head().Hash.String()).
		With("epoch", fmt.Sprint(s.Epoch())).With("holders", strings.Join(holders, " ")).
		With("rotation-due", fmt.Sprint(s.RotationDue())).With("pending", fmt.Sprint(len(s.Pending()))).With("closed", fmt.Sprint(s.Closed()))
}

func checkEntryVector(t *testing.T, v *vectors.Vector) {
	e, err := Parse(v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	if e.Body().Kind() != v.Text(t, "kind") || e.Hash().String() != v.Text(t, "hash") || e.Signer().String() != v.Text(t, "signer") {
		t.Errorf("read as %s, hash %s, signer %s", e.Body().Kind(), e.Hash(), e.Signer())
	}
	if !bytes.Equal(canonical.MustMarshal(e.f), v.Body(t)) {
		t.Error("prints as other bytes")
	}
}

func checkFoldVector(t *testing.T, v *vectors.Vector) {
	var entries []*Entry
	times := Times{}
	for i, part := range v.Parts {
		e, err := Parse(part)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if text, ok := v.Lookup(fmt.Sprintf("logged-%d", i)); ok {
			at, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			times[e.Hash()] = protocol.Time(at)
		}
		entries = append(entries, e)
	}
	state, err := Fold(entries, times)
	if !v.Expect(t, err) {
		return
	}
	for _, f := range withState(&vectors.Vector{}, state).Header {
		if got := v.Text(t, f.Key); got != f.Value {
			t.Errorf("%s is %s, the vector says %s", f.Key, f.Value, got)
		}
	}
}
