// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// world is an account with one owner device, one vault, and a state folder.
type world struct {
	t     *testing.T
	dir   string
	cache string
	self  *keys.MemberSecrets
	vault protocol.VaultID
	batch *keyring.Batch
	ring  *keyring.Ring

	standing *directory.Standing
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(t.TempDir(), "state"), cache: filepath.Join(t.TempDir(), "cache"), self: keys.GenerateMemberSecrets()}
	d, err := keyring.Create(w.self, 1)
	must(t, err)
	must(t, d.Rotate())
	w.vault, err = d.CreateVault(protocol.CategoryBackups)
	must(t, err)
	w.batch, w.standing = d.Batch(), d.Standing()
	w.ring, err = d.Ring()
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantKind fails unless err has the kind.
func wantKind(t *testing.T, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Fatalf("error of kind %q, want %q: %v", protocol.KindOf(err), kind, err)
	}
}

func (w *world) device() *Device {
	return &Device{
		Account: w.batch.State.Account(), Server: "backup.example:8443", Pin: [32]byte{1}, Name: "ada",
		Member: w.self.ID(), Role: protocol.RoleOwner, BackupVault: w.vault, Created: 5,
	}
}

// open opens the state and closes it at the test's end.
func (w *world) open() *State {
	w.t.Helper()
	s, err := Open(w.dir, w.cache)
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, s.Close()) })
	return s
}

// joined returns a state with device and ledger.
func (w *world) joined() *State {
	w.t.Helper()
	s := w.open()
	must(w.t, s.SetDevice(w.device()))
	_, err := s.AppendLedger(w.batch.Entries, w.batch.Objects)
	must(w.t, err)
	return s
}

// again returns a second State over the same folder, as the next process has it.
func (w *world) again() *State {
	w.t.Helper()
	s, err := OpenReader(w.dir, w.cache)
	must(w.t, err)
	return s
}

// records returns n records of the vault that follow the last one given.
func (w *world) records(n int, after ...[]byte) [][]byte {
	w.t.Helper()
	var prev protocol.Hash
	seq := uint64(0)
	if len(after) > 0 {
		last, err := snapshot.Parse(after[len(after)-1])
		must(w.t, err)
		prev, seq = snapshot.HashOf(after[len(after)-1]), last.Seq
	}
	var list [][]byte
	for range n {
		seq++
		run := keys.GenerateSecret().Expose()
		r := snapshot.Record{
			Act: snapshot.ActRun, Account: w.batch.State.Account(), Vault: w.vault, Epoch: 1, Seq: seq, Prev: prev,
			Ledger: w.batch.State.Head(), Run: protocol.RunID(run[:16]), Wrap: make([]byte, 1168), Details: run,
		}
		raw := r.Sign(w.self)
		list, prev = append(list, raw), snapshot.HashOf(raw)
	}
	return list
}

// more returns the batch that follows the world's, and the state after it.
func (w *world) more(label string) *keyring.Batch {
	w.t.Helper()
	d, err := w.ring.Edit(w.standing, 2)
	must(w.t, err)
	must(w.t, d.NameMember(w.self.ID(), label))
	return d.Batch()
}

func headOf(raw []byte) Position {
	r, err := snapshot.Parse(raw)
	if err != nil {
		return Position{}
	}
	return Position{r.Seq, snapshot.HashOf(raw)}
}

// spoil changes the file at path by change.
func spoil(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(data), 0o600))
}

func hashes(entries []*ledger.Entry) (list []protocol.Hash) {
	for _, e := range entries {
		list = append(list, e.Hash())
	}
	return list
}
