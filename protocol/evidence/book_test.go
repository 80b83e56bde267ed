// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/protocol/vrf"
)

const hour = protocol.Time(time.Hour)

// start is when books begin.
var start = protocol.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))

// book is a provider: its log by the rules, what it states, and the trees under
// every root it ever had. What a test has it do besides is on the test.
type book struct {
	t       testing.TB
	log     *tlogtest.Log
	key     *tlog.LogKey
	says    *statement.Secret
	witness *tlog.WitnessSecret
	store   *directory.MemoryStore
	replay  *directory.Replay
	at      protocol.Time
	entries [][]byte
	notes   [][]byte // one for each root
	roots   []int    // its position
}

func hash(word string) protocol.Hash { return sha256.Sum256([]byte(word)) }

func seed(word string) []byte { h := hash(word); return h[:] }

// newBook returns a provider whose keys the word gives; its log has an origin and a
// root.
func newBook(t testing.TB, word string) *book {
	t.Helper()
	secret := logSecret(t, word)
	says, err := statement.ParseSecret(seed(word + "/statements"))
	check(t, err)
	names, err := vrf.Parse(seed(word + "/vrf"))
	check(t, err)
	witness := witnessSecret(t, word)
	b := &book{t: t, log: tlogtest.Of(secret), key: secret.Public(), says: says, witness: witness, store: directory.NewMemoryStore(), at: start}
	b.replay = directory.NewReplay(b.key, b.store)
	b.add(&directory.Entry{Origin: &directory.Origin{VRF: names.Public(), Statement: directory.Key(says.Public())}})
	b.root()
	return b
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// add adds entries that the rules allow.
func (b *book) add(entries ...*directory.Entry) {
	b.t.Helper()
	for _, e := range entries {
		check(b.t, b.replay.Entry(context.Background(), e.Bytes()))
		b.append(e.Bytes())
	}
}

// append adds an entry whatever it is.
func (b *book) append(raw []byte) {
	b.entries = append(b.entries, raw)
	b.log.Append(b.t, raw)
}

// root adds a root an hour later.
func (b *book) root() {
	b.t.Helper()
	b.at += hour
	e, err := b.replay.NextRoot(context.Background(), b.at)
	check(b.t, err)
	b.add(e)
	b.store.Apply(directory.Change{New: b.replay.TakeChange().New})
	b.publish()
}

// publish signs the log as it is and has it cosigned.
func (b *book) publish() {
	b.roots = append(b.roots, len(b.entries)-1)
	b.notes = append(b.notes, b.log.Note(b.t, b.at, b.witness))
}

// fork returns a provider with the same keys and past.
func (b *book) fork() *book {
	b.t.Helper()
	f := *b
	f.log, f.store = b.log.Fork(), directory.NewMemoryStore()
	f.entries, f.notes, f.roots = append([][]byte(nil), b.entries...), append([][]byte(nil), b.notes...), append([]int(nil), b.roots...)
	f.replay = directory.NewReplay(b.key, f.store)
	for _, raw := range b.entries {
		check(b.t, f.replay.Entry(context.Background(), raw))
	}
	f.store.Apply(directory.Change{New: f.replay.TakeChange().New})
	return &f
}

// lie signs a root over names that the entries do not give: the leaf stands at the
// index, or nothing does.
func (b *book) lie(index protocol.Hash, leaf *directory.Leaf) {
	b.t.Helper()
	names, anchors := b.replay.Roots()
	item := directory.Item{Index: index}
	if leaf != nil {
		item.Value = leaf.Bytes()
	}
	root, change, err := directory.NewTree(names, b.store).Set(context.Background(), []directory.Item{item})
	check(b.t, err)
	b.store.Apply(directory.Change{New: change.New})
	b.at += hour
	b.append((&directory.Entry{Root: &directory.Root{Size: uint64(len(b.entries)), Names: root, Anchors: anchors, Time: b.at}}).Bytes())
	b.publish()
}

// shown returns what the checkpoint of a number says of an index.
func (b *book) shown(number int, index protocol.Hash) *directory.Shown {
	b.t.Helper()
	raw := b.entries[b.roots[number]]
	e, err := directory.ParseEntry(raw)
	check(b.t, err)
	path, err := directory.NewTree(e.Root.Names, b.store).Prove(context.Background(), index)
	check(b.t, err)
	return &directory.Shown{Note: b.notes[number], Root: raw, RootProof: b.proof(number, b.roots[number]), Index: index, Path: path}
}

// newest is shown of the newest checkpoint.
func (b *book) newest(index protocol.Hash) *directory.Shown { return b.shown(len(b.notes)-1, index) }

// included returns an entry under the checkpoint of a number.
func (b *book) included(number, position int) *directory.Included {
	b.t.Helper()
	return &directory.Included{Note: b.notes[number], Position: uint64(position), Entry: b.entries[position], Proof: b.proof(number, position)}
}

func (b *book) proof(number, position int) []protocol.Hash {
	b.t.Helper()
	proof, err := tlog.ProveInclusion(context.Background(), b.log, uint64(b.roots[number]+1), uint64(position))
	check(b.t, err)
	return proof
}

// origin returns the log's first entry.
func (b *book) origin() *directory.Included { return b.included(0, 0) }

// frontier returns the frontier of the first entries.
func (b *book) frontier(size int) *tlog.Frontier {
	var f tlog.Frontier
	for _, raw := range b.entries[:size] {
		f.Append(tlog.LeafHash(raw))
	}
	return &f
}

// excerpt returns the excerpt between two positions.
func (b *book) excerpt(from, to int) *directory.Excerpt {
	b.t.Helper()
	x, err := directory.NewExcerpt(context.Background(), b.key, b.frontier(from), b.entries[from:to+1], b.store)
	check(b.t, err)
	return x
}

// say signs a statement, a second after the one before.
func (b *book) say(s statement.Statement) *statement.Signed {
	b.t.Helper()
	b.at += protocol.Time(time.Second)
	s.Log, s.Since, s.Time = b.key.ID(), b.at, b.at
	signed, err := b.says.Sign(s)
	check(b.t, err)
	return signed
}

// head states what is the newest of a ledger.
func (b *book) head(l *ledger.State) *statement.Signed {
	b.t.Helper()
	return b.say(statement.Statement{Kind: statement.KindLedger, Account: l.Account(), Seq: l.Head().Seq, Hash: l.Head().Hash})
}

// promise signs the receipt of an update.
func (b *book) promise(u *directory.Update) *statement.Signed {
	b.t.Helper()
	e := directory.Entry{Update: u}
	return b.say(statement.Statement{
		Kind: statement.KindReceipt, Account: protocol.AccountID{1}, Index: u.Index, NameVersion: u.Version, Hash: tlog.LeafHash(e.Bytes()), By: b.at + 2*hour,
	})
}

// person is an account with a name.
type person struct {
	t       testing.TB
	index   protocol.Hash
	secret  *keys.Secret
	device  *keys.MemberSecrets
	entries []*ledger.Entry
	state   *ledger.State
	opens   []directory.Opening // of each version
}

func newPerson(t testing.TB, word string) *person {
	t.Helper()
	secret, err := keys.NewSecret(seed(word))
	check(t, err)
	p := &person{t: t, index: hash("index of " + word), secret: secret, device: keys.NewMemberSecrets(secret, "test")}
	p.say(ledger.Body{Genesis: &ledger.Genesis{Device: *p.device.Public()}})
	return p
}

func (p *person) say(body ledger.Body) {
	p.t.Helper()
	e, err := ledger.Sign(p.state, 0, body, p.device)
	check(p.t, err)
	p.entries = append(p.entries, e)
	p.state, err = ledger.Fold(p.entries, nil)
	check(p.t, err)
}

// grow appends an entry to the ledger.
func (p *person) grow(word string) {
	p.t.Helper()
	p.say(ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *keys.NewMemberSecrets(p.secret, word).Public()}})
}

// fork returns the same account, to be told another way.
func (p *person) fork() *person {
	f := *p
	f.entries, f.opens = append([]*ledger.Entry(nil), p.entries...), append([]directory.Opening(nil), p.opens...)
	return &f
}

func (p *person) key(version uint64) *directory.UpdateSecret {
	return directory.DeriveUpdateSecret(p.secret, p.state.Account(), version)
}

// move returns the update to the next version, which opens to the ledger's head.
func (p *person) move(log *tlog.LogKey) *directory.Update {
	version := uint64(len(p.opens) + 1)
	o := directory.Opening{Account: p.state.Account(), Ledger: p.state.Head(), Blind: hash("blind")}
	p.opens = append(p.opens, o)
	return directory.NewUpdate(log, p.index, version, o, p.key(version), p.key(version+1))
}
