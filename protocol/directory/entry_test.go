// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// entriesOfEachKind returns one of each.
func entriesOfEachKind(t testing.TB, key *tlog.LogKey) []*Entry {
	alice, bob := newSimName(t, 1), newSimName(t, 2)
	return []*Entry{
		simOriginEntry(t),
		alice.next(key),
		bob.notice(key, alice),
		{Reassign: &Reassign{Index: alice.index, Notice: 77}},
		{Anchor: NewAnchor(key, DeriveAnchorKey(alice.secret, "2026-03-30", 3), simHash("box", 3))},
		{Root: &Root{Size: 9, Names: simHash("names", 1), Anchors: simHash("anchors", 1), Time: simStart}},
		{Policy: &Policy{Number: 2, Prev: simHash("policy", 1), Statement: "We were not asked."}},
		{Custodian: &Custodian{Custodian: simHash("custodian", 1), Number: 4, Commitment: simHash("use", 4)}},
		{Release: &Release{Program: "solekey", Version: "1.2.3", Manifest: simHash("manifest", 3), Number: 3}},
	}
}

func TestEntriesOfEachKind(t *testing.T) {
	key := simLogKey(t, simOrigin)
	words := map[string]bool{}
	for i, e := range entriesOfEachKind(t, key) {
		raw := e.Bytes()
		again, err := ParseEntry(raw)
		if err != nil || !bytes.Equal(again.Bytes(), raw) || again.Kind() != e.Kind() {
			t.Errorf("kind %d: %v", i+1, err)
			continue
		}
		if raw[5] != byte(i+1) {
			t.Errorf("%s has number %d, want %d", e.Kind(), raw[5], i+1)
		}
		if err := again.VerifySignature(key.ID()); err != nil {
			t.Errorf("%s: %v", e.Kind(), err)
		}
		signed := e.Update != nil || e.Notice != nil || e.Anchor != nil
		if err := again.VerifySignature(simHash("other log", 0)); signed != (protocol.KindOf(err) == protocol.KindUntrusted) {
			t.Errorf("%s in another log: %v", e.Kind(), err)
		}
		if LooksLikeRoot(raw) != (e.Root != nil) || LooksLikeRoot(raw[:5]) {
			t.Errorf("%s looks like something else", e.Kind())
		}
		words[e.Kind()] = true
	}
	if len(words) != kindCount {
		t.Errorf("kinds are called %v", words)
	}
	if (&Entry{}).Kind() != "nothing" || (&Entry{Root: &Root{}, Release: &Release{}}).Kind() != "nothing" {
		t.Error("no kind and two kinds have a name")
	}
}

func TestParseEntryRefuses(t *testing.T) {
	key := simLogKey(t, simOrigin)
	all := entriesOfEachKind(t, key)
	nonCanonical := Key(bytes.Repeat([]byte{0xff}, 32))
	for what, e := range map[string]*Entry{
		"nothing":                    {},
		"two kinds":                  {Root: all[5].Root, Reassign: all[3].Reassign},
		"origin: a small VRF key":    {Origin: &Origin{VRF: vrf.Key{1}, Statement: all[0].Origin.Statement}},
		"origin: no statement key":   {Origin: &Origin{VRF: all[0].Origin.VRF}},
		"update: version 0":          with(all[1], func(e *Entry) { e.Update.Version = 0 }),
		"update: no key":             with(all[1], func(e *Entry) { e.Update.Key = Key{} }),
		"update: a key not reduced":  with(all[1], func(e *Entry) { e.Update.Key = nonCanonical }),
		"notice: version 0":          with(all[2], func(e *Entry) { e.Notice.Version = 0 }),
		"notice: closes":             with(all[2], func(e *Entry) { e.Notice.Next = protocol.Hash{} }),
		"notice: no key":             with(all[2], func(e *Entry) { e.Notice.Key = Key{} }),
		"anchor: a week":             with(all[4], func(e *Entry) { e.Anchor.Period = "2026-W14" }),
		"anchor: no key":             with(all[4], func(e *Entry) { e.Anchor.Key = Key{} }),
		"root: of nothing":           with(all[5], func(e *Entry) { e.Root.Size = 0 }),
		"root: before all time":      with(all[5], func(e *Entry) { e.Root.Time = -1 }),
		"root: after all time":       with(all[5], func(e *Entry) { e.Root.Time = maxTime + 1 }),
		"policy: number 0":           with(all[6], func(e *Entry) { e.Policy.Number = 0 }),
		"policy: 2 after none":       with(all[6], func(e *Entry) { e.Policy.Prev = protocol.Hash{} }),
		"policy: 1 after some":       with(all[6], func(e *Entry) { e.Policy.Number = 1 }),
		"policy: says nothing":       with(all[6], func(e *Entry) { e.Policy.Statement = "" }),
		"policy: says too much":      with(all[6], func(e *Entry) { e.Policy.Statement = strings.Repeat("x", MaxStatementSize+1) }),
		"policy: too large at all":   with(all[6], func(e *Entry) { e.Policy.Statement = strings.Repeat("x", MaxEntrySize) }),
		"custodian: number 0":        with(all[7], func(e *Entry) { e.Custodian.Number = 0 }),
		"custodian: no key":          with(all[7], func(e *Entry) { e.Custodian.Custodian = protocol.Hash{} }),
		"release: number 0":          with(all[8], func(e *Entry) { e.Release.Number = 0 }),
		"release: no program":        with(all[8], func(e *Entry) { e.Release.Program = "" }),
		"release: two words":         with(all[8], func(e *Entry) { e.Release.Program = "sole key" }),
		"release: a long version":    with(all[8], func(e *Entry) { e.Release.Version = strings.Repeat("1", MaxWordSize+1) }),
		"release: a version in bold": with(all[8], func(e *Entry) { e.Release.Version = "１" }),
	} {
		if _, err := ParseEntry(e.Bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
	big := with(all[6], func(e *Entry) { e.Policy.Statement = strings.Repeat("x", MaxStatementSize) })
	if raw := big.Bytes(); len(raw) > MaxEntrySize {
		t.Errorf("the largest statement takes %d bytes", len(raw))
	} else if _, err := ParseEntry(raw); err != nil {
		t.Error(err)
	}
}

// with returns a changed copy of an entry.
func with(e *Entry, change func(e *Entry)) *Entry {
	var copied Entry
	if err := canonical.Unmarshal(canonical.MustMarshal(e), MaxEntrySize, &copied); err != nil {
		panic(err)
	}
	change(&copied)
	return &copied
}

// TestKeysHaveOneForm: the encodings that some implementations read and others do
// not are refused, and those beside them are not.
func TestKeysHaveOneForm(t *testing.T) {
	high := func(low, top byte) Key {
		k := Key(bytes.Repeat([]byte{0xff}, 32))
		k[0], k[31] = low, top
		return k
	}
	for what, c := range map[string]struct {
		key  Key
		good bool
	}{
		"zeros":                   {Key{}, false},
		"y = p":                   {high(0xed, 0x7f), false},
		"y = p, signed":           {high(0xed, 0xff), false},
		"y = 2^255 - 1":           {high(0xff, 0x7f), false},
		"y = p - 1":               {high(0xec, 0x7f), true},
		"y = p - 1, signed":       {high(0xec, 0xff), false},
		"y = 1":                   {Key{1}, true},
		"y = 1, signed":           {Key{0: 1, 31: 0x80}, false},
		"y = 2, signed":           {Key{0: 2, 31: 0x80}, true},
		"y = p - 2, signed":       {high(0xeb, 0xff), true},
		"a high byte in between":  {Key{0: 0xff, 31: 0x7f}, true},
		"a low byte in between":   {func() Key { k := high(0xff, 0x7f); k[17] = 0xfe; return k }(), true},
		"only the sign, y = zero": {Key{31: 0x80}, true},
	} {
		if err := c.key.check("test"); (err == nil) != c.good {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCommitmentsBindEverything(t *testing.T) {
	o := Opening{Account: protocol.AccountID(simHash("account", 1)), Ledger: ledger.Head{Seq: 3, Hash: simHash("ledger", 3)}, Blind: simHash("blind", 1)}
	index := simHash("index", 1)
	seen := map[protocol.Hash]string{Commit(index, 1, o): "itself"}
	for what, other := range map[string]protocol.Hash{
		"index":       Commit(simHash("index", 2), 1, o),
		"version":     Commit(index, 2, o),
		"account":     Commit(index, 1, Opening{protocol.AccountID(simHash("account", 2)), o.Ledger, o.Blind}),
		"seq":         Commit(index, 1, Opening{o.Account, ledger.Head{Seq: 4, Hash: o.Ledger.Hash}, o.Blind}),
		"ledger hash": Commit(index, 1, Opening{o.Account, ledger.Head{Seq: 3, Hash: simHash("ledger", 4)}, o.Blind}),
		"blind":       Commit(index, 1, Opening{o.Account, o.Ledger, simHash("blind", 2)}),
	} {
		if was, ok := seen[other]; ok {
			t.Errorf("%s gives the commitment of %s", what, was)
		}
		seen[other] = what
	}
	a, b := GenerateOpening(o.Account, o.Ledger), GenerateOpening(o.Account, o.Ledger)
	if a.Blind == b.Blind || a.Account != o.Account || a.Ledger != o.Ledger {
		t.Error("openings are not blinded anew")
	}
	again, err := ParseOpening(a.Bytes())
	if err != nil || again != a || len(a.Bytes()) > MaxOpeningSize {
		t.Errorf("an opening of %d bytes: %v", len(a.Bytes()), err)
	}
	if _, err := ParseOpening(append(a.Bytes(), 0)); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("an opening with a byte behind: %v", err)
	}
	if Chain(protocol.Hash{}, index) == Chain(index, protocol.Hash{}) {
		t.Error("the chain does not say what comes first")
	}
	if Index(vrf.Output{31: 1, 32: 2}) != (protocol.Hash{31: 1}) {
		t.Error("the index is not the first half of the output")
	}
}

// TestKeysShareNothing: every version, account, period and slot has a key of its
// own, and an anchor's index is its own.
func TestKeysShareNothing(t *testing.T) {
	alice, bob := newSimName(t, 1), newSimName(t, 2)
	seen := map[Key]bool{}
	for _, k := range []Key{
		alice.key(1).Public(), alice.key(2).Public(), bob.key(1).Public(),
		DeriveUpdateSecret(alice.secret, bob.account, 1).Public(),
		DeriveAnchorKey(alice.secret, "2026-03-30", 0).Public(), DeriveAnchorKey(alice.secret, "2026-03-30", 1).Public(),
		DeriveAnchorKey(alice.secret, "2026-03", 0).Public(), DeriveAnchorKey(bob.secret, "2026-03", 0).Public(),
	} {
		if seen[k] {
			t.Errorf("key %x comes twice", k)
		}
		seen[k] = true
	}
	if again := DeriveAnchorKey(alice.secret, "2026-03", 0).Public(); again != DeriveAnchorKey(alice.secret, "2026-03", 0).Public() {
		t.Error("a key is not determined")
	}
}

func TestSecretsHide(t *testing.T) {
	alice := newSimName(t, 1)
	update, anchor := alice.key(1), DeriveAnchorKey(alice.secret, "2026-03", 0)
	bare := string(update.seed.Expose())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		for _, v := range []any{update, *update, anchor, *anchor} {
			text := fmt.Sprintf(verb, v)
			if text != "(secret)" || strings.Contains(text, bare) {
				t.Errorf("%s prints %q", verb, text)
			}
		}
	}
	for _, v := range []any{*update, *anchor} {
		if text, err := json.Marshal(v); err == nil {
			t.Errorf("marshals as %s", text)
		}
		if raw, err := canonical.Marshal(v); err == nil {
			t.Errorf("marshals as %x", raw)
		}
	}
}

func TestLeaf(t *testing.T) {
	l := &Leaf{
		Version: 1 << 60, Chain: simHash("chain", 0), Next: simHash("next", 0), Position: 1 << 60, Identity: 1 << 60,
		Notice: &PendingNotice{Position: 1 << 60, Time: maxTime, Commitment: simHash("c", 0), Next: simHash("n", 0)},
	}
	again, err := ParseLeaf(l.Bytes())
	if err != nil || !bytes.Equal(again.Bytes(), l.Bytes()) || len(l.Bytes()) > MaxValueSize/2 {
		t.Errorf("the largest leaf has %d bytes: %v", len(l.Bytes()), err)
	}
	for what, bad := range map[string]*Leaf{
		"version 0":                {Next: simHash("next", 0)},
		"a notice on a closed one": {Version: 1, Notice: l.Notice},
	} {
		if _, err := ParseLeaf(bad.Bytes()); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := ParseLeaf(nil); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("nothing: %v", err)
	}
}
