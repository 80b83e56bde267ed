// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// crime is something that a provider did, and the evidence of it.
type crime struct {
	name string
	says string
	kind string
	file *file
}

// crimes has the provider of the word do everything that there is evidence for.
func crimes(t testing.TB, word string) []crime {
	t.Helper()
	var list []crime
	for _, commit := range []func(testing.TB, string) []crime{forks, ends, lies, broken, claims, rulesBroken} {
		list = append(list, commit(t, word)...)
	}
	return list
}

// peopled returns a provider with a name of one version, under its second root.
func peopled(t testing.TB, word string) (*book, *person) {
	t.Helper()
	b, anna := newBook(t, word), newPerson(t, "anna")
	b.add(&directory.Entry{Update: anna.move(b.key)})
	b.root()
	return b, anna
}

func forks(t testing.TB, word string) []crime {
	b, _ := peopled(t, word)
	f := b.fork()
	b.add(&directory.Entry{Update: newPerson(t, "bert").move(b.key)})
	b.root()
	f.add(&directory.Entry{Update: newPerson(t, "carl").move(b.key)})
	f.root()
	f.root()
	at := uint64(b.roots[2] + 1)
	proof, err := tlog.ProveConsistency(context.Background(), f.log, at, at+1)
	check(t, err)
	middle := f.log.At(t, at).Root
	w := []string{b.witness.Public().String(), witnessSecret(t, "nobody").Public().String()}
	side := func(b *book, number, position int) leafShown {
		i := b.included(number, position)
		return leafShown{Note: i.Note, Leaf: tlog.LeafHash(i.Entry), Proof: i.Proof}
	}
	return []crime{
		{"fork", "two logs of one size, both cosigned by one witness", "fork", &file{Fork: &fork{A: b.notes[2], B: f.notes[2]}, Witnesses: w}},
		{"fork-below", "a log, and a larger one that does not extend it", "fork", &file{Fork: &fork{A: b.notes[2], B: f.notes[3], Middle: middle, Proof: proof}}},
		{"split", "two entries at one position of two logs", "split", &file{Split: &split{Position: 4, A: side(b, 2, 4), B: side(f, 3, 4)}}},
	}
}

func ends(t testing.TB, word string) []crime {
	b, _ := peopled(t, word)
	last := func(e *directory.Entry) *directory.Shown {
		f := b.fork()
		f.append(e.Bytes())
		f.publish()
		number := len(f.notes) - 1
		return &directory.Shown{Note: f.notes[number], Root: e.Bytes(), RootProof: f.proof(number, f.roots[number])}
	}
	back := b.fork()
	names, anchors := b.replay.Roots()
	back.append((&directory.Entry{Root: &directory.Root{Size: uint64(len(b.entries)), Names: names, Anchors: anchors, Time: b.at - hour/2}}).Bytes())
	back.publish()
	return []crime{
		{"order-time", "the log's time goes back", "order", &file{Order: &order{A: bare(b.shown(1, protocol.Hash{})), B: *bare(back.shown(2, protocol.Hash{}))}}},
		{"order-no-root", "a checkpoint that ends with an update", "order", &file{Order: &order{B: *last(&directory.Entry{Update: newPerson(t, "bert").move(b.key)})}}},
		{"order-other-root", "a checkpoint that ends with a root for another size", "order", &file{Order: &order{B: *last(&directory.Entry{Root: &directory.Root{Size: 3, Time: b.at}})}}},
	}
}

// lies are about the tree over names.
func lies(t testing.TB, word string) []crime {
	b, anna := peopled(t, word)
	first := b.newest(anna.index)
	anna.grow("r1")
	b.add(&directory.Entry{Update: anna.move(b.key)})
	b.root()
	second := b.newest(anna.index)
	leaf, err := b.replay.Leaf(context.Background(), anna.index)
	check(t, err)
	lie := func(change func(l *directory.Leaf)) *book {
		f, l := b.fork(), *leaf
		change(&l)
		f.lie(anna.index, &l)
		return f
	}
	gone := b.fork()
	gone.lie(anna.index, nil)
	at := len(b.notes)
	regressed := func(name, says string, change func(l *directory.Leaf)) crime {
		return crime{name, says, "regress", &file{Regress: &regress{A: *second, B: *lie(change).newest(anna.index)}}}
	}
	other := lie(func(l *directory.Leaf) { l.Next[0] ^= 1 })
	beyond := lie(func(l *directory.Leaf) { l.Position = 1 << 30 })
	own := other.included(at, int(leaf.Position))
	stolen := b.fork()
	mallory := newPerson(t, "mallory")
	u := directory.NewUpdate(b.key, anna.index, 3, directory.Opening{Account: mallory.state.Account()}, mallory.key(3), mallory.key(4))
	stolen.append((&directory.Entry{Update: u}).Bytes())
	stolen.lie(anna.index, &directory.Leaf{Version: 3, Chain: directory.Chain(leaf.Chain, u.Commitment), Next: u.Next, Position: uint64(len(b.entries))})
	taken := stolen.included(at, len(b.entries))
	return []crime{
		{"leaf", "a leaf names another next key than its entry", "leaf", &file{Leaf: &leafLie{Shown: *other.newest(anna.index), Entry: own.Entry, Proof: own.Proof}}},
		{"leaf-beyond", "a leaf names an entry beyond the log", "leaf", &file{Leaf: &leafLie{Shown: *beyond.newest(anna.index)}}},
		{"regress-gone", "a name is gone", "regress", &file{Regress: &regress{A: *second, B: *gone.newest(anna.index)}}},
		regressed("regress-older", "a name has an older version again", func(l *directory.Leaf) { l.Version = 1 }),
		regressed("regress-other", "a version has another chain", func(l *directory.Leaf) { l.Chain[0] ^= 1 }),
		regressed("regress-entry", "a later version comes from an older entry", func(l *directory.Leaf) { l.Version, l.Position = 3, 2 }),
		regressed("regress-identity", "a version has another identity", func(l *directory.Leaf) { l.Identity = 1 }),
		{"regress-first", "the first version is back, also against the first root", "regress", &file{Regress: &regress{A: *first, B: *gone.newest(anna.index)}}},
		{"key", "a name is moved on with a key that is not its account's", "key", &file{Key: &wrongKey{A: *second, B: *stolen.newest(anna.index), Entry: taken.Entry, Proof: taken.Proof}}},
	}
}

// broken are promises that were not kept.
func broken(t testing.TB, word string) []crime {
	b, anna := peopled(t, word)
	anna.grow("r1")
	receipt := b.promise(anna.fork().move(b.key))
	bert := b.promise(newPerson(t, "bert").move(b.key))
	other := b.fork()
	for range 4 {
		b.root()
	}
	anna.grow("r2")
	other.add(&directory.Entry{Update: anna.move(b.key)})
	for range 4 {
		other.root()
	}
	number := len(other.notes) - 1
	leaf, err := other.replay.Leaf(context.Background(), anna.index)
	check(t, err)
	instead := other.included(number, int(leaf.Position))
	instead.Note = nil
	return []crime{
		{"promise", "an update that was promised is not there", "promise", &file{Promise: &promise{Origin: *b.origin(), Receipt: receipt.Bytes(), Shown: *b.newest(anna.index)}}},
		{"promise-absent", "a name that was promised is not there", "promise", &file{Promise: &promise{Origin: *b.origin(), Receipt: bert.Bytes(), Shown: *b.newest(newPerson(t, "bert").index)}}},
		{"promise-other", "another update has the version that was promised", "promise", &file{Promise: &promise{Origin: *b.origin(), Receipt: receipt.Bytes(), Shown: *other.newest(anna.index), Entry: instead}}},
	}
}

// claims are about heads.
func claims(t testing.TB, word string) []crime {
	b, anna := peopled(t, word)
	anna.grow("r1")
	fork := anna.fork()
	b.add(&directory.Entry{Update: anna.move(b.key)})
	b.root()
	logged := b.included(len(b.notes)-1, len(b.entries)-2)
	opening := anna.opens[1]
	one := b.head(anna.state)
	fork.entries = fork.entries[:1]
	var err error
	fork.state = newPerson(t, "anna").state
	fork.grow("x1")
	two := b.head(fork.state)
	fork.grow("x2")
	three := b.head(fork.state)
	check(t, err)
	vault := func(seq uint64) *statement.Signed {
		return b.say(statement.Statement{Kind: statement.KindVault, Account: anna.state.Account(), Vault: protocol.VaultID{1}, Seq: seq, Hash: hash("record")})
	}
	newer, older := vault(7), vault(6)
	origin := b.origin()
	said := func(s *statement.Signed) claim { return claim{Statement: s.Bytes()} }
	entry := fork.entries[2].Bytes()
	return []crime{
		{"statements", "two hashes for one entry of a ledger", "statements", &file{Statements: &statements{Origin: *origin, A: one.Bytes(), B: two.Bytes()}}},
		{"statements-vault", "an older head of a vault, later", "statements", &file{Statements: &statements{Origin: *origin, A: newer.Bytes(), B: older.Bytes()}}},
		{"histories", "two statements, of which the one does not lead to the other", "histories", &file{Histories: &histories{Origin: origin, A: said(one), B: said(three), Entries: [][]byte{entry}}}},
		{"histories-logged", "a statement, and the head that an update in the log opens to", "histories", &file{Histories: &histories{Origin: origin, A: claim{Update: logged, Opening: opening.Bytes()}, B: said(three), Entries: [][]byte{entry}}}},
		{"histories-one-number", "an update in the log, and a statement of the same number", "histories", &file{Histories: &histories{Origin: origin, A: claim{Update: logged, Opening: opening.Bytes()}, B: said(two)}}},
	}
}

// rulesBroken are entries between two roots that the rules forbid.
func rulesBroken(t testing.TB, word string) []crime {
	b, anna := peopled(t, word)
	mallory := newPerson(t, "mallory")
	from := len(b.entries) - 1
	commit := func(name, says string, entries ...*directory.Entry) []crime {
		f := b.fork()
		for _, e := range entries {
			f.append(e.Bytes())
		}
		f.publish()
		to := len(f.entries) - 1
		f.append((&directory.Entry{Root: &directory.Root{Size: uint64(to + 1), Time: b.at + 9*hour}}).Bytes())
		f.publish()
		proof, err := tlog.ProveConsistency(context.Background(), f.log, uint64(to+1), uint64(to+2))
		check(t, err)
		return []crime{
			{"rules-" + name, says, "rules", &file{Rules: &rules{Note: f.notes[len(f.notes)-2], Excerpt: *f.excerpt(from, to)}}},
			{"rules-" + name + "-later", says + ", under a later checkpoint", "rules", &file{Rules: &rules{Note: f.notes[len(f.notes)-1], Consistency: proof, Excerpt: *f.excerpt(from, to)}}},
		}
	}
	names, anchors := b.replay.Roots()
	u := directory.NewUpdate(b.key, anna.index, 2, directory.Opening{Account: protocol.AccountID{1}}, mallory.key(2), mallory.key(3))
	list := commit("key", "an update with a key that the leaf does not name", &directory.Entry{Update: u})
	names[0] ^= 1
	return append(list, commit("root", "a root that the entries do not give",
		&directory.Entry{Root: &directory.Root{Size: uint64(from + 1), Names: names, Anchors: anchors, Time: b.at + hour}})...)
}

// sealed returns the text of evidence against the provider, which must prove what
// it says.
func sealed(t testing.TB, f *file, b *book) []byte {
	t.Helper()
	raw, err := f.seal(b.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
