// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/sha256"
	"sort"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// world is an account with an owner, a writer and two vaults, all from one seed.
type world struct {
	standing      *directory.Standing
	state         *ledger.State
	owner, writer *keys.MemberSecrets
	vaults        [2]protocol.VaultID
	vaultSecrets  [2]*keys.WrapSecret
}

func seeded(label string) *keys.Secret {
	sum := sha256.Sum256([]byte(label))
	s, err := keys.NewSecret(sum[:])
	if err != nil {
		panic(err)
	}
	return s
}

func seededBytes(label string, n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		sum := sha256.Sum256(append([]byte(label), byte(i), byte(i>>8), byte(i>>16)))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

func seededWrap(label string) *keys.WrapSecret {
	s, err := keys.NewWrapSecret(seededBytes(label, keys.WrapSeedSize))
	if err != nil {
		panic(err)
	}
	return s
}

func newWorld(t testing.TB, seed string) *world {
	t.Helper()
	w := &world{
		owner:  keys.NewMemberSecrets(seeded(seed), "owner"),
		writer: keys.NewMemberSecrets(seeded(seed), "writer"),
	}
	w.say(t, ledger.Body{Genesis: &ledger.Genesis{Device: *w.owner.Public(), Nonce: sha256.Sum256([]byte(seed))}})
	w.say(t, ledger.Body{AddDevice: &ledger.AddDevice{Device: *w.writer.Public(), Role: protocol.RoleWriter}})
	w.rotate(t)
	for i := range w.vaults {
		copy(w.vaults[i][:], seededBytes(seed+"/vault", 16))
		w.vaults[i][0] = byte(i + 1)
		w.vaultSecrets[i] = seededWrap(seed + "/vault key" + string(rune('0'+i)))
		w.say(t, ledger.Body{CreateVault: &ledger.CreateVault{
			Vault: w.vaults[i], Category: protocol.CategoryBackups, Key: w.vaultSecrets[i].Public(), Secrets: protocol.Hash{9},
		}})
	}
	return w
}

// say appends an entry that the owner signs.
func (w *world) say(t testing.TB, body ledger.Body) {
	t.Helper()
	entry, err := ledger.Sign(w.state, 0, body, w.owner)
	if err != nil {
		t.Fatal(err)
	}
	if w.state == nil {
		genesis, failed := ledger.Fold([]*ledger.Entry{entry}, nil)
		if failed != nil {
			t.Fatal(failed)
		}
		w.standing, err = directory.Begin(genesis, w.owner.ID())
	} else {
		w.standing, err = w.standing.Extend(w.owner.ID(), []*ledger.Entry{entry})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.state = w.standing.State()
}

func (w *world) rotate(t testing.TB) {
	t.Helper()
	var wraps []ledger.MemberWrap
	for _, to := range w.state.Holders() {
		wraps = append(wraps, ledger.MemberWrap{Member: to.Member(), Wrap: protocol.Hash{1}})
	}
	sort.Slice(wraps, func(i, j int) bool { return bytes.Compare(wraps[i].Member[:], wraps[j].Member[:]) < 0 })
	body := &ledger.Rotate{Epoch: w.state.Epoch() + 1, Wraps: wraps}
	if body.Epoch > 1 {
		body.Link = protocol.Hash{2}
	}
	w.say(t, ledger.Body{Rotate: body})
}

// recipient returns the vault of the number as a recipient.
func (w *world) recipient(t testing.TB, number int) directory.Recipient {
	t.Helper()
	to, err := w.standing.Vault(w.vaults[number])
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func (w *world) member(t testing.TB, m *keys.MemberSecrets) directory.Recipient {
	t.Helper()
	to, err := w.standing.Member(m.ID())
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func (w *world) run(t testing.TB, number int) *Run {
	t.Helper()
	run, err := NewRun(w.recipient(t, number))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// refused demands an error of the kind and no result.
func refused[T any](t testing.TB, what string, kind protocol.Kind, got T, nothing bool, err error) {
	t.Helper()
	if protocol.KindOf(err) != kind || !nothing {
		t.Errorf("%s: got %v, error %v; want nothing, and the kind %s", what, got, err, kind)
	}
}

// otherContexts returns the context with each of its fields changed in turn.
func otherContexts(c Context) map[string]Context {
	list := map[string]Context{}
	add := func(name string, change func(c *Context)) {
		other := c
		change(&other)
		list[name] = other
	}
	add("account", func(c *Context) { c.Account[31] ^= 1 })
	add("no account", func(c *Context) { c.Account = protocol.AccountID{} })
	add("vault", func(c *Context) { c.Vault[0] ^= 0x80 })
	add("no vault", func(c *Context) { c.Vault = protocol.VaultID{} })
	add("object", func(c *Context) { c.ID[15] ^= 4 })
	add("no object", func(c *Context) { c.ID = protocol.Hash{} })
	add("epoch above", func(c *Context) { c.Epoch++ })
	add("epoch below", func(c *Context) { c.Epoch-- })
	add("parent", func(c *Context) { c.Parent[0] ^= 1 })
	add("no parent", func(c *Context) { c.Parent = protocol.Hash{} })
	for other := TypeAccountSecret; other <= TypeAnchor; other++ {
		if other != c.Type {
			add("type "+string(rune('0'+other)), func(c *Context) { c.Type = other })
		}
	}
	return list
}

// someContext returns a context of the type whose every field is set.
func someContext(kind Type) Context {
	return Context{
		Account: protocol.AccountID(seededBytes("account", 32)), Vault: protocol.VaultID(seededBytes("vault", 16)),
		Type: kind, ID: protocol.Hash(seededBytes("object", 32)), Epoch: 7, Parent: protocol.Hash(seededBytes("parent", 32)),
	}
}
