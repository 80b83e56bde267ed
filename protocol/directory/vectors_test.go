// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/test/vectors"
)

// vectorKey is the log of the vectors.
const vectorKey = "log.example/vectors+0801968a+AROY9ixtGkV8UbpqS189vS9p/KkyFiGNyJl+QWvRfZPK"

func vectorLog(t testing.TB) *tlog.LogKey {
	t.Helper()
	key, err := tlog.ParseLogKey(vectorKey)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "directory",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(entryVectors(t), keyVectors(t), commitVectors(), treeVectors(t), replayVectors(t))
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"directory-entry": checkEntry, "directory-update-key": checkUpdateKey, "directory-anchor-key": checkAnchorKey,
			"directory-commit": checkCommit, "directory-tree": checkTree, "directory-path": checkPath, "directory-tile": checkTile,
			"directory-replay": checkReplay,
		},
	})
}

func entryVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	key := vectorLog(t)
	all := entriesOfEachKind(t, key)
	for _, e := range all {
		list = append(list, vectors.New("directory-entry-"+strings.ReplaceAll(e.Kind(), " ", "-"), "an entry, signed where its kind is", "directory-entry", vectors.Valid, e.Bytes()).
			With("log", vectorKey).With("kind", e.Kind()))
	}
	bad := func(name, says string, kind protocol.Kind, raw []byte) {
		list = append(list, vectors.New("directory-entry-bad-"+name, says, "directory-entry", string(kind), raw).With("log", vectorKey))
	}
	version := bytes.Clone(all[3].Bytes())
	version[2] = 2
	bad("version", "another version", protocol.KindUnsupported, version)
	bad("kind", "a kind that there is not", protocol.KindUnsupported, []byte{0xa2, 1, 1, 2, 0xa1, 0x0a, 0xa0})
	bad("two-kinds", "two kinds at once", protocol.KindUntrusted, (&Entry{Reassign: all[3].Reassign, Root: all[5].Root}).Bytes())
	bad("trailing", "a byte behind it", protocol.KindUntrusted, append(all[3].Bytes(), 0))
	bad("signature", "the update's signature is another's", protocol.KindUntrusted, with(all[1], func(e *Entry) { e.Update.Signature = all[2].Notice.Signature }).Bytes())
	other := newSimName(t, 1)
	elsewhere, err := tlog.ParseLogSecret("PRIVATE+KEY+log.example/2026+dcead936+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH")
	if err != nil {
		t.Fatal(err)
	}
	bad("log", "an update that was signed for another log", protocol.KindUntrusted, other.next(elsewhere.Public()).Bytes())
	bad("key", "the update's key is not in its one form", protocol.KindUntrusted, with(all[1], func(e *Entry) { e.Update.Key = Key(bytes.Repeat([]byte{0xff}, 32)) }).Bytes())
	bad("period", "an anchor for a day that there is not", protocol.KindUntrusted, with(all[4], func(e *Entry) { e.Anchor.Period = "2026-02-30" }).Bytes())
	return list
}

func checkEntry(t *testing.T, v *vectors.Vector) {
	key, err := tlog.ParseLogKey(v.Text(t, "log"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseEntry(v.Body(t))
	if err == nil {
		err = e.VerifySignature(key.ID())
	}
	if v.Expect(t, err) && (e.Kind() != v.Text(t, "kind") || !bytes.Equal(e.Bytes(), v.Body(t))) {
		t.Errorf("%s: it is a %s", v.Name, e.Kind())
	}
}

func keyVectors(t *testing.T) []*vectors.Vector {
	alice := newSimName(t, 1)
	update, anchor := alice.key(3), DeriveAnchorKey(alice.secret, "2026-03-30", 5)
	uk, ak, hash, index := update.Public(), anchor.Public(), KeyHash(update.Public()), anchor.Index()
	return []*vectors.Vector{
		vectors.New("directory-update-key", "the key of a version: parts are the key and what the version before holds of it", "directory-update-key", vectors.Valid, uk[:], hash[:]).
			WithHex("secret", alice.secret.Expose()).WithHex("account", alice.account[:]).With("version", "3"),
		vectors.New("directory-anchor-key", "the key of an anchor: parts are the key and its index", "directory-anchor-key", vectors.Valid, ak[:], index[:]).
			WithHex("secret", alice.secret.Expose()).With("period", "2026-03-30").With("slot", "5"),
	}
}

func secretOf(t *testing.T, v *vectors.Vector) *keys.Secret {
	t.Helper()
	s, err := keys.NewSecret(v.Hex(t, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numberOf(t *testing.T, v *vectors.Vector, key string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(v.Text(t, key), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func hashOf(t *testing.T, v *vectors.Vector, key string) protocol.Hash {
	t.Helper()
	return protocol.Hash(v.Hex(t, key))
}

func checkUpdateKey(t *testing.T, v *vectors.Vector) {
	k := DeriveUpdateSecret(secretOf(t, v), protocol.AccountID(hashOf(t, v, "account")), numberOf(t, v, "version")).Public()
	if hash := KeyHash(k); v.Expect(t, nil) && (!bytes.Equal(k[:], v.Parts[0]) || !bytes.Equal(hash[:], v.Parts[1])) {
		t.Errorf("%s: key %x, hash %s", v.Name, k, hash)
	}
}

func checkAnchorKey(t *testing.T, v *vectors.Vector) {
	k := DeriveAnchorKey(secretOf(t, v), Period(v.Text(t, "period")), numberOf(t, v, "slot"))
	public, index := k.Public(), k.Index()
	if v.Expect(t, nil) && (!bytes.Equal(public[:], v.Parts[0]) || !bytes.Equal(index[:], v.Parts[1])) {
		t.Errorf("%s: key %x, index %s", v.Name, public, index)
	}
}

func commitVectors() []*vectors.Vector {
	o := Opening{Account: protocol.AccountID(simHash("account", 1)), Ledger: ledger.Head{Seq: 7, Hash: simHash("ledger", 7)}, Blind: simHash("blind", 1)}
	index, before := simHash("index", 1), simHash("chain", 1)
	commitment := Commit(index, 4, o)
	first, then := Chain(protocol.Hash{}, commitment), Chain(before, commitment)
	return []*vectors.Vector{
		vectors.New("directory-commit", "an opening, its commitment, the chain with it alone, the chain after another", "directory-commit", vectors.Valid,
			o.Bytes(), commitment[:], first[:], then[:]).WithHex("index", index[:]).With("version", "4").WithHex("before", before[:]),
		vectors.New("directory-commit-bad-opening", "an opening with a byte behind it", "directory-commit", string(protocol.KindUntrusted), append(o.Bytes(), 0)).
			WithHex("index", index[:]).With("version", "4").WithHex("before", before[:]),
	}
}

func checkCommit(t *testing.T, v *vectors.Vector) {
	index, before, version := hashOf(t, v, "index"), hashOf(t, v, "before"), numberOf(t, v, "version")
	o, err := ParseOpening(v.Parts[0])
	if !v.Expect(t, err) {
		return
	}
	commitment := Commit(index, version, o)
	first, then := Chain(protocol.Hash{}, commitment), Chain(before, commitment)
	if !bytes.Equal(commitment[:], v.Parts[1]) || !bytes.Equal(first[:], v.Parts[2]) || !bytes.Equal(then[:], v.Parts[3]) {
		t.Errorf("%s: %s, %s, %s", v.Name, commitment, first, then)
	}
}

// replayVectors are small logs, entry by entry.
func replayVectors(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	alice, bob := newSimName(t, 1), newSimName(t, 2)
	l := newSimLogOf(t, vectorLog(t))
	l.add(simOriginEntry(t))
	l.root()
	l.add(alice.next(l.key), bob.next(l.key), alice.next(l.key))
	l.add(&Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 0), simHash("box", 0))})
	l.wait(simHour)
	notice := l.replay.Size()
	l.add(newSimName(t, 3).notice(l.key, bob))
	l.add(&Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 1), simHash("box", 1))})
	l.wait(simHour)
	good := func(name, says string) {
		names, anchors := l.replay.Roots()
		list = append(list, vectors.New("directory-replay-"+name, says, "directory-replay", vectors.Valid, slices.Clone(l.raws)...).
			With("log", vectorKey).WithHex("names", names[:]).WithHex("anchors", anchors[:]).With("time", fmt.Sprint(int64(l.replay.Time()))))
	}
	good("short", "two names, three updates, two anchors, a notice")
	broken := func(name, says string, e *Entry) {
		err := l.replay.Check(context.Background(), e)
		var b *Breach
		if !errors.As(err, &b) {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, vectors.New("directory-replay-bad-"+name, says, "directory-replay", string(protocol.KindOf(err)), append(slices.Clone(l.raws), e.Bytes())...).
			With("log", vectorKey).With("rule", string(b.Rule)))
	}
	update := func(version uint64, key *UpdateSecret) *Entry {
		return &Entry{Update: NewUpdate(l.key, alice.index, version, alice.opening(version), key, alice.key(version+1))}
	}
	broken("version", "a version is left out", update(4, alice.key(3)))
	broken("key", "a key that the version before does not name", update(3, bob.key(3)))
	broken("delay", "a reassignment before its delay is over", &Entry{Reassign: &Reassign{Index: bob.index, Notice: notice}})
	broken("index", "an anchor where one is", &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at), 1), simHash("box", 2))})
	broken("period", "an anchor for a day to come", &Entry{Anchor: NewAnchor(l.key, DeriveAnchorKey(alice.secret, DayOf(l.at).Next(), 0), simHash("box", 2))})
	broken("origin", "a second origin", simOriginEntry(t))
	broken("time", "a root of an earlier time", &Entry{Root: &Root{Size: l.replay.Size(), Time: simStart}})
	broken("root", "a root of empty trees", &Entry{Root: &Root{Size: l.replay.Size(), Time: l.at}})
	broken("number", "the second policy statement first", &Entry{Policy: &Policy{Number: 2, Prev: protocol.Hash{1}, Statement: "x"}})
	l.wait(ReassignDelay)
	l.add(&Entry{Reassign: &Reassign{Index: bob.index, Notice: notice}}, alice.close(l.key))
	l.root()
	good("long", "and a reassignment, and a name that is closed")
	broken("closed", "an update of a closed name", update(4, alice.key(4)))
	return list
}

func checkReplay(t *testing.T, v *vectors.Vector) {
	key, err := tlog.ParseLogKey(v.Text(t, "log"))
	if err != nil {
		t.Fatal(err)
	}
	r := NewReplay(key, NewMemoryStore())
	err = r.Entries(context.Background(), v.Parts)
	if v.Expect(t, err) {
		names, anchors := r.Roots()
		if names != hashOf(t, v, "names") || anchors != hashOf(t, v, "anchors") || int64(r.Time()) != int64(numberOf(t, v, "time")) {
			t.Errorf("%s: names %s, anchors %s, time %d", v.Name, names, anchors, r.Time())
		}
		return
	}
	var b *Breach
	if !errors.As(err, &b) || string(b.Rule) != v.Text(t, "rule") || b.Position != uint64(len(v.Parts)-1) {
		t.Errorf("%s: %v", v.Name, err)
	}
}
