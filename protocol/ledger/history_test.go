// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// refused holds an outcome of Fold or Extend to a refusal with these words, and
// to giving no state.
func refused(t *testing.T, what string, state *State, err error, words string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: taken in", what)
	case protocol.KindOf(err) != protocol.KindUntrusted || !strings.Contains(err.Error(), words):
		t.Errorf("%s: refused as %s: %v", what, protocol.KindOf(err), err)
	case state != nil:
		t.Errorf("%s: refused, and gave a state all the same", what)
	}
}

// TestProviderReordersHistory plays what a server can do to a list of entries
// without a key: each entry is honest, and the list is not.
func TestProviderReordersHistory(t *testing.T) {
	honest := tell(t, begin+"A: add-device C writer\nA: grant C docs\n")
	other := tellFrom(t, "B", "B: add-device A owner\nB: rotate\n")
	fork := tell(t, begin+"B: add-device X owner\nB: grant X\n")
	e := honest.entries
	last := len(e) - 1
	for name, list := range map[string][]*Entry{
		"dropped":              slices.Delete(slices.Clone(e), 2, 3),
		"dropped first":        e[1:],
		"swapped":              append(slices.Clone(e[:2]), append([]*Entry{e[3], e[2]}, e[4:]...)...),
		"replayed":             append(slices.Clone(e), e[last]),
		"replayed an old one":  append(slices.Clone(e), e[1]),
		"genesis twice":        append([]*Entry{e[0]}, e...),
		"a fork's entry":       append(slices.Clone(e[:last]), fork.entries[last]),
		"a fork's entry more":  append(slices.Clone(e), fork.entries[last]),
		"another ledger":       append(slices.Clone(e), other.entries[1]),
		"another's beginning":  append([]*Entry{other.entries[0]}, e[1:]...),
		"backwards":            reversed(e),
		"a later one skipped":  append(slices.Clone(e[:last-1]), e[last]),
		"an early one instead": append(slices.Clone(e[:last]), e[1]),
	} {
		state, err := Fold(parseAll(t, list), nil)
		refused(t, name, state, err, "entry")
	}
	state, err := Fold(nil, nil)
	refused(t, "nothing", state, err, "empty")
}

func reversed(list []*Entry) []*Entry {
	r := slices.Clone(list)
	slices.Reverse(r)
	return r
}

// tellFrom tells a story whose first device is another than A.
func tellFrom(t testing.TB, first, lines string) *story {
	t.Helper()
	genesis, err := Sign(nil, 0, Body{Genesis: &Genesis{Device: *member(first).Public()}}, member(first))
	if err != nil {
		t.Fatal(err)
	}
	state, err := Fold([]*Entry{genesis}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, state: state, entries: []*Entry{genesis}, times: Times{}, named: map[string]protocol.Hash{}}
	s.play(lines)
	return s
}

// TestEveryFieldIsBound changes one field of an honest entry at a time, and
// signs it again only where it says so.
func TestEveryFieldIsBound(t *testing.T) {
	s := tell(t, begin)
	body := Body{AddDevice: &AddDevice{Device: *member("X").Public(), Role: protocol.RoleWriter}}
	honest, err := Sign(s.state, 7, body, member("A"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.state.Extend([]*Entry{honest}, nil); err != nil {
		t.Fatal(err)
	}
	evil := Body{AddDevice: &AddDevice{Device: *member("X").Public(), Role: protocol.RoleOwner}}
	flip := func(sig keys.Signature, at int) *keys.Signature { sig[at] ^= 1; return &sig }
	for _, c := range []struct {
		name   string
		change func(*fields)
		resign bool
		words  string
	}{
		{"account", func(f *fields) { f.Account[0] ^= 1 }, true, "does not follow"},
		{"no account", func(f *fields) { f.Account = protocol.AccountID{} }, true, "does not follow"},
		{"position behind", func(f *fields) { f.Seq++ }, true, "does not follow"},
		{"position before", func(f *fields) { f.Seq-- }, true, "does not follow"},
		{"entry before", func(f *fields) { f.Prev[31] ^= 1 }, true, "does not follow"},
		{"no entry before", func(f *fields) { f.Prev = protocol.Hash{} }, true, "does not follow"},
		{"time", func(f *fields) { f.Time++ }, false, "signature does not hold"},
		{"body", func(f *fields) { f.Body = evil }, false, "signature does not hold"},
		{"another signer", func(f *fields) { f.Signer = id("B") }, false, "signature does not hold"},
		{"a strange signer", func(f *fields) { f.Signer = id("X") }, false, "not in the ledger"},
		{"classic half", func(f *fields) { f.Signature = flip(*f.Signature, 0) }, false, "signature does not hold"},
		{"lattice half", func(f *fields) { f.Signature = flip(*f.Signature, 64) }, false, "signature does not hold"},
	} {
		f := honest.f
		c.change(&f)
		if c.resign {
			sig := member("A").Signing.Sign(keys.PurposeLedgerEntry, f.signed())
			f.Signature = &sig
		}
		e, err := Parse(canonical.MustMarshal(f))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		state, err := s.state.Extend([]*Entry{e}, nil)
		refused(t, c.name, state, err, c.words)
	}
}

// TestOtherPurpose gives an entry a signature of the right key over the right
// bytes, made for something else.
func TestOtherPurpose(t *testing.T) {
	s := tell(t, begin)
	f := fields{
		Version: 1, Account: s.state.Account(), Seq: s.state.Head().Seq + 1, Prev: s.state.Head().Hash,
		Body: Body{Close: &Close{}}, Signer: id("A"),
	}
	for _, p := range []keys.Purpose{keys.PurposePack, keys.PurposeSnapshot, keys.PurposeGeneration, keys.PurposeSession} {
		sig := member("A").Signing.Sign(p, f.signed())
		g := f
		g.Signature = &sig
		e, err := Parse(canonical.MustMarshal(g))
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.state.Extend([]*Entry{e}, nil)
		refused(t, p.String(), state, err, "signature does not hold")
	}
}

// TestGenesis holds the first entry to its rules.
func TestGenesis(t *testing.T) {
	a := member("A")
	sign := func(f fields, by *keys.MemberSecrets) *Entry {
		sig := by.Signing.Sign(keys.PurposeLedgerEntry, f.signed())
		f.Signature = &sig
		e, err := Parse(canonical.MustMarshal(f))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	good := fields{Version: 1, Body: Body{Genesis: &Genesis{Device: *a.Public()}}, Signer: a.ID()}
	if _, err := Fold([]*Entry{sign(good, a)}, nil); err != nil {
		t.Fatal(err)
	}
	bad := keys.MemberKeys{Verify: a.Public().Verify, Wrap: badWrapKey()}
	for _, c := range []struct {
		name   string
		change func(*fields)
		by     *keys.MemberSecrets
		words  string
	}{
		{"no genesis", func(f *fields) { f.Body = Body{Close: &Close{}} }, a, "no genesis"},
		{"not at the start", func(f *fields) { f.Seq = 1 }, a, "no genesis"},
		{"something before it", func(f *fields) { f.Prev[0] = 1 }, a, "no genesis"},
		{"in another account", func(f *fields) { f.Account[0] = 1 }, a, "no genesis"},
		{"signed for another", func(f *fields) { f.Signer = id("B") }, a, "not signed by its device"},
		{"signed by another", func(*fields) {}, member("B"), "signature does not hold"},
		{"another's device", func(f *fields) { f.Signer = id("B") }, member("B"), "not signed by its device"},
		{"a wrap key that is none", func(f *fields) {
			f.Body = Body{Genesis: &Genesis{Device: bad}}
			f.Signer = bad.ID()
		}, a, "wrap key"},
	} {
		f := good
		c.change(&f)
		state, err := Fold([]*Entry{sign(f, c.by)}, nil)
		refused(t, c.name, state, err, c.words)
	}
}

// TestAccountIsCertified shows that whoever asks for one account and is served
// another sees it: the identifier is the hash of what began the ledger.
func TestAccountIsCertified(t *testing.T) {
	mine, theirs := tell(t, begin), tellFrom(t, "B", "")
	if mine.state.Account() == theirs.state.Account() {
		t.Fatal("two accounts have one identifier")
	}
	if mine.state.Account() != protocol.AccountID(mine.entries[0].Hash()) {
		t.Error("the identifier is not the hash of entry 0")
	}
	nonce, err := Sign(nil, 0, Body{Genesis: &Genesis{Device: *member("A").Public(), Nonce: [32]byte{1}}}, member("A"))
	if err != nil {
		t.Fatal(err)
	}
	if nonce.Account() == mine.state.Account() {
		t.Error("two accounts of one device have one identifier")
	}
}

// TestForkIsSeen shows what tells two histories of one account apart.
func TestForkIsSeen(t *testing.T) {
	left, right := tell(t, begin+"A: add-device X writer"), tell(t, begin+"A: add-device Y writer")
	if left.state.Account() != right.state.Account() || left.state.Head().Seq != right.state.Head().Seq {
		t.Fatal("the stories are no fork")
	}
	if left.state.Holds(right.state.Head()) || right.state.Holds(left.state.Head()) {
		t.Error("a state holds the head of the other branch")
	}
	common := Head{Seq: 4, Hash: left.entries[4].Hash()}
	if !left.state.Holds(common) || !right.state.Holds(common) {
		t.Error("the entry before the fork is not held")
	}
	beyond := left.state.Head()
	beyond.Seq++
	if left.state.Holds(beyond) {
		t.Error("a state holds an entry that is not there yet")
	}
}

// TestAllOrNothing refuses a whole batch for its last entry and leaves the state.
func TestAllOrNothing(t *testing.T) {
	s := tell(t, begin)
	before := s.state.clone()
	good, err := Sign(s.state, 0, Body{AddRecovery: &AddRecovery{Keys: *member("S").Public()}}, member("A"))
	if err != nil {
		t.Fatal(err)
	}
	state, err := s.state.Extend([]*Entry{good, good}, nil)
	refused(t, "the same entry twice", state, err, "does not follow")
	if !reflect.DeepEqual(before, s.state.clone()) {
		t.Error("the refused batch changed the state")
	}
}

// TestClonesShareNothing changes whatever a clone holds, and looks at the other.
func TestClonesShareNothing(t *testing.T) {
	s := tell(t, withWriter+"A: grant W docs\nA: name-member B\nA: close as=c\nA: set-protection\n")
	c := s.state.clone()
	c.hashes[0][0] ^= 1
	c.links[0][0] ^= 1
	c.pending[0].Seq = 99
	c.levels[9] = 9
	c.lastName["x"] = NameRef{}
	c.used[protocol.Hash{}] = true
	c.vaults[vault("docs")].Epochs[0].Since = 99
	c.vaults[vault("docs")].due = true
	w := c.members[id("W")]
	w.Heads[vault("docs")] = VaultHead{}
	w.Wraps[9] = protocol.Hash{}
	w.grantedAt[vault("docs")] = 99
	delete(w.Granted, vault("docs"))
	w.Removed = 9
	s.foldsAlike()
}

// TestAnswersAreCopies changes what a state gave out and asks it again.
func TestAnswersAreCopies(t *testing.T) {
	s := tell(t, begin)
	m, err := s.state.Member(id("B"))
	if err != nil {
		t.Fatal(err)
	}
	m.Keys.Wrap, m.Removed = member("X").Public().Wrap, 1
	v, err := s.state.Vault(vault("docs"))
	if err != nil {
		t.Fatal(err)
	}
	v.Epochs[0].Key = member("X").Public().Wrap
	for _, m := range s.state.AllMembers() {
		m.Keys.Wrap, m.Role = member("X").Public().Wrap, protocol.RoleWriter
	}
	for _, v := range s.state.Vaults() {
		v.Epochs[0].Key = member("X").Public().Wrap
	}
	s.foldsAlike()
}
