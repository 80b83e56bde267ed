// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// world is an account with two owners, a writer that was granted vault 0, one
// that was granted nothing, and a recovery key, all from one seed.
type world struct {
	t                             testing.TB
	state                         *ledger.State
	anna, bert, writer, idle, kit *keys.MemberSecrets
	vaults                        [2]protocol.VaultID
	entries                       [][]byte        // of the ledger
	states                        []*ledger.State // after each of them
}

func members(seed, name string) *keys.MemberSecrets {
	sum := sha256.Sum256([]byte(seed))
	s, err := keys.NewSecret(sum[:])
	if err != nil {
		panic(err)
	}
	return keys.NewMemberSecrets(s, name)
}

func wrapKey(label string) keys.WrapKey {
	sum := sha256.Sum256([]byte(label))
	s, err := keys.NewWrapSecret(sum[:])
	if err != nil {
		panic(err)
	}
	return s.Public()
}

func newWorld(t testing.TB, seed string) *world {
	t.Helper()
	w := &world{
		t: t, anna: members(seed, "anna"), bert: members(seed, "bert"), writer: members(seed, "writer"),
		idle: members(seed, "idle"), kit: members(seed, "kit"),
	}
	w.say(w.anna, ledger.Body{Genesis: &ledger.Genesis{Device: *w.anna.Public(), Nonce: sha256.Sum256([]byte(seed))}})
	w.add(w.bert, protocol.RoleOwner)
	w.add(w.writer, protocol.RoleWriter)
	w.add(w.idle, protocol.RoleWriter)
	w.say(w.anna, ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *w.kit.Public()}})
	w.rotate(w.anna)
	for i := range w.vaults {
		id := sha256.Sum256([]byte(seed + "/vault"))
		w.vaults[i] = protocol.VaultID(id[:16])
		w.vaults[i][0] = byte(i + 1)
		w.say(w.anna, ledger.Body{CreateVault: &ledger.CreateVault{
			Vault: w.vaults[i], Category: protocol.CategoryBackups, Key: wrapKey(fmt.Sprint(seed, i)), Secrets: protocol.Hash{9},
		}})
	}
	w.say(w.anna, ledger.Body{Grant: &ledger.Grant{Member: w.writer.ID(), Vault: w.vaults[0], Wrap: protocol.Hash{3}}})
	return w
}

// say appends an entry and returns the state before it.
func (w *world) say(signer *keys.MemberSecrets, body ledger.Body) (before *ledger.State) {
	w.t.Helper()
	before = w.state
	entry, err := ledger.Sign(w.state, 0, body, signer)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.state == nil {
		w.state, err = ledger.Fold([]*ledger.Entry{entry}, nil)
	} else {
		w.state, err = w.state.Extend([]*ledger.Entry{entry}, nil)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.entries, w.states = append(w.entries, entry.Bytes()), append(w.states, w.state)
	return before
}

func (w *world) add(device *keys.MemberSecrets, role protocol.Role) {
	w.t.Helper()
	w.say(w.anna, ledger.Body{AddDevice: &ledger.AddDevice{Device: *device.Public(), Role: role}})
}

func (w *world) rotate(signer *keys.MemberSecrets) {
	w.t.Helper()
	body := &ledger.Rotate{Epoch: w.state.Epoch() + 1}
	for _, to := range w.state.Holders() {
		body.Wraps = append(body.Wraps, ledger.MemberWrap{Member: to.Member(), Wrap: protocol.Hash{1}})
	}
	if body.Epoch > 1 {
		body.Link = protocol.Hash{2}
	}
	w.say(signer, ledger.Body{Rotate: body})
}

func (w *world) rotateVault(signer *keys.MemberSecrets, i int) {
	w.t.Helper()
	epoch := w.epoch(w.vaults[i]) + 1
	w.say(signer, ledger.Body{RotateVault: &ledger.RotateVault{
		Vault: w.vaults[i], Epoch: epoch, Key: wrapKey(fmt.Sprint("rotated", i, epoch)), Secrets: protocol.Hash{8},
	}})
}

// remove removes a device, naming the heads, and of other vaults that nothing
// counts; it rotates where that is due.
func (w *world) remove(signer, device *keys.MemberSecrets, heads ...ledger.VaultHead) {
	w.t.Helper()
	for _, v := range w.vaults {
		if !slices.ContainsFunc(heads, func(h ledger.VaultHead) bool { return h.Vault == v }) {
			heads = append(heads, ledger.VaultHead{Vault: v})
		}
	}
	slices.SortFunc(heads, func(x, y ledger.VaultHead) int { return bytes.Compare(x.Vault[:], y.Vault[:]) })
	w.say(signer, ledger.Body{RemoveDevice: &ledger.RemoveDevice{Device: device.ID(), Heads: heads}})
	if !w.state.RotationDue() {
		return
	}
	w.rotate(signer)
	for i := range w.vaults {
		w.rotateVault(signer, i)
	}
}

func (w *world) epoch(vault protocol.VaultID) uint64 {
	w.t.Helper()
	v, err := w.state.Vault(vault)
	if err != nil {
		w.t.Fatal(err)
	}
	return v.Epoch()
}

// line is a chain of records as a provider would keep it.
type line struct {
	w      *world
	vault  protocol.VaultID
	raws   [][]byte
	hashes []protocol.Hash
}

func (w *world) line(i int) *line { return &line{w: w, vault: w.vaults[i]} }

func (l *line) head() ledger.VaultHead { return l.at(len(l.hashes)) }

func (l *line) at(seq int) ledger.VaultHead {
	h := ledger.VaultHead{Vault: l.vault, Seq: uint64(seq)}
	if seq > 0 {
		h.Hash = l.hashes[seq-1]
	}
	return h
}

// next returns an unsigned run record that follows the line's head.
func (l *line) next() *Record {
	head := l.head()
	run := sha256.Sum256(fmt.Append(nil, "run", head.Seq))
	return &Record{
		Act: ActRun, Account: l.w.state.Account(), Vault: l.vault, Epoch: l.w.epoch(l.vault), Seq: head.Seq + 1, Prev: head.Hash,
		Ledger: l.w.state.Head(), Run: protocol.RunID(run[:16]), Wrap: make([]byte, wrapSize), Details: []byte("sealed details"),
	}
}

// keep puts a signed record on the line.
func (l *line) keep(raw []byte) protocol.Hash {
	hash := HashOf(raw)
	l.raws, l.hashes = append(l.raws, raw), append(l.hashes, hash)
	return hash
}

// run adds a snapshot.
func (l *line) run(device *keys.MemberSecrets) protocol.Hash { return l.keep(l.next().Sign(device)) }

// list adds a list of what is live.
func (l *line) list(device *keys.MemberSecrets, live ...protocol.Hash) protocol.Hash {
	r := l.next()
	r.Act, r.Live = ActList, sorted(live)
	return l.keep(r.Sign(device))
}

// fork returns a line of its own that shares the first n records.
func (l *line) fork(n int) *line {
	return &line{w: l.w, vault: l.vault, raws: append([][]byte(nil), l.raws[:n]...), hashes: append([]protocol.Hash(nil), l.hashes[:n]...)}
}

// chain takes the whole line in.
func (l *line) chain(state *ledger.State) (*Chain, error) {
	c := NewChain(l.vault)
	for _, raw := range l.raws {
		if _, err := c.Append(raw, state); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (l *line) mustChain(state *ledger.State) *Chain {
	l.w.t.Helper()
	c, err := l.chain(state)
	if err == nil {
		err = c.Check(state)
	}
	if err != nil {
		l.w.t.Fatal(err)
	}
	return c
}

func sorted(list []protocol.Hash) []protocol.Hash {
	list = append([]protocol.Hash(nil), list...)
	for i := range list {
		for j := i; j > 0 && bytes.Compare(list[j][:], list[j-1][:]) < 0; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// live demands that exactly these snapshots are live.
func live(t *testing.T, c *Chain, want ...protocol.Hash) {
	t.Helper()
	if len(c.Live()) != len(want) {
		t.Errorf("%d snapshots are live, want %d", len(c.Live()), len(want))
	}
	for _, h := range want {
		if _, ok := c.Live()[h]; !ok {
			t.Errorf("snapshot %s is not live", h)
		}
	}
}

// wantKind demands an error of the kind.
func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Errorf("%s: error %v of kind %q, want %q", what, err, protocol.KindOf(err), kind)
	}
}

// sparse passes over most bytes in the middle of a signature: a test that flips
// every other byte of an envelope flips one in 32 there.
func sparse(raw []byte, i int) bool {
	return i > len(raw)-keys.SignatureSize && i < len(raw)-8 && i%32 != 0
}
