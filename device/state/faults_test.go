// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// TestFullDisk lets every log be written to a disk without space: nothing moves,
// and when there is space again it goes on.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		return // only Linux has a disk that is always full
	}
	w := newWorld(t)
	s := w.open()
	must(t, s.SetDevice(w.device()))
	v := s.Vault(w.vault)
	records := w.records(2)
	must(t, v.AdvanceGeneration(Position{1, protocol.Hash{1}})) // makes the vault's folder
	for _, path := range []string{s.path(nameLedger), v.path("records")} {
		must(t, os.Symlink("/dev/full", path))
	}
	_, err := s.AppendLedger(w.batch.Entries, w.batch.Objects)
	wantKind(t, err, protocol.KindFull)
	wantKind(t, v.AppendRecords(records...), protocol.KindFull)
	if _, known, err := s.LedgerHead(); known || err != nil {
		t.Fatalf("the ledger's mark moved: %v", err)
	}
	if head, err := v.Head(); head != (Position{}) || err != nil {
		t.Fatalf("the vault's mark moved to %v, %v", head, err)
	}
	for _, path := range []string{s.path(nameLedger), v.path("records")} {
		must(t, os.Remove(path))
	}
	_, err = s.AppendLedger(w.batch.Entries, w.batch.Objects)
	must(t, err)
	must(t, v.AppendRecords(records...))
	wantChain(t, v, records)
}

// TestReplacedInOnePiece stops a replacement at each step that a process can die
// at: the old document stands, and the next one goes through.
func TestReplacedInOnePiece(t *testing.T) {
	w := newWorld(t)
	must(t, w.joined().Close())
	next := w.device()
	next.Name = "lovelace"
	whole, err := os.ReadFile(filepath.Join(w.dir, nameDevice))
	must(t, err)
	for cut := 0; cut <= len(whole); cut += 37 {
		left := filepath.Join(w.dir, tempPrefix+nameDevice+"-1")
		must(t, os.WriteFile(left, whole[:cut], 0o600))
		s, err := Open(w.dir, w.cache)
		must(t, err)
		got, err := s.Device()
		must(t, err)
		if got.Name != "ada" && got.Name != next.Name {
			t.Fatalf("cut at %d: the device is called %q", cut, got.Name)
		}
		must(t, s.SetDevice(next))
		must(t, s.Close())
	}
}

// TestNothingIsWrittenWhereNothingCanBe puts a file where a folder must be.
func TestNothingIsWrittenWhereNothingCanBe(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	must(t, os.WriteFile(s.path(nameVaults), nil, 0o600))
	must(t, os.WriteFile(s.path(nameNotes), nil, 0o600))
	v := s.Vault(w.vault)
	for name, err := range map[string]error{
		"head":        v.AdvanceHead(Position{1, protocol.Hash{1}}),
		"records":     v.AppendRecords(w.records(1)...),
		"last backup": v.SetLastBackup(&LastBackup{}),
		"note":        s.SetNote("join", []byte("x")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	_, err := Open(filepath.Join(w.dir, nameVaults), w.cache)
	if err == nil {
		t.Error("a file was opened as the state folder")
	}
	if _, err := s.Ledger(); err != nil {
		t.Errorf("what was there before is lost: %v", err)
	}
}

// TestForeignBox seals what is no device's secrets under the right key.
func TestForeignBox(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	file := filepath.Join(t.TempDir(), "key")
	good := w.secrets()
	must(t, s.Protect(MethodFile, Access{KeyFile: file}, good))
	key, err := readKeyFile(file)
	must(t, err)
	signing, wrap := w.self.Signing.Expose(), w.self.Wrap.Expose()
	other := keys.GenerateMemberSecrets()
	for name, plain := range map[string][]byte{
		"nothing":             {},
		"garbage":             []byte("garbage"),
		"a short signing key": canonical.MustMarshal(secretsBox{Signing: signing[1:], Wrap: wrap}),
		"a short wrap key":    canonical.MustMarshal(secretsBox{Signing: signing, Wrap: wrap[1:]}),
		"a short vault key":   canonical.MustMarshal(secretsBox{Signing: signing, Wrap: wrap, Vaults: []vaultSecret{{Secret: wrap[1:]}}}),
		"another member":      canonical.MustMarshal(secretsBox{Signing: other.Signing.Expose(), Wrap: other.Wrap.Expose()}),
		"half another member": canonical.MustMarshal(secretsBox{Signing: signing, Wrap: other.Wrap.Expose()}),
		"too much":            make([]byte, maxSecrets+1),
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := s.sealed()
			must(t, err)
			sealed.Box = seal.Box(key, sealedContext(w.device()), plain)
			must(t, writeDocument(s.path(nameSealed), "secrets", sealed))
			_, err = s.Unlock(Access{})
			wantKind(t, err, protocol.KindUntrusted)
			if !strings.Contains(err.Error(), nameSealed) {
				t.Errorf("error %q does not name the file", err)
			}
		})
	}
	t.Run("another method", func(t *testing.T) {
		sealed, err := s.sealed()
		must(t, err)
		sealed.Method = "stone"
		must(t, writeDocument(s.path(nameSealed), "secrets", sealed))
		_, err = s.Unlock(Access{})
		wantKind(t, err, protocol.KindUntrusted)
	})
}

// TestKeyFilesStay keeps what the user named: changing the method, or
// forgetting the device, removes no key file.
func TestKeyFilesStay(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	file := filepath.Join(t.TempDir(), "key")
	must(t, s.Protect(MethodFile, Access{KeyFile: file}, w.secrets()))
	before, err := os.ReadFile(file)
	must(t, err)
	must(t, s.Protect(MethodFile, Access{KeyFile: file}, w.secrets())) // the same file again
	must(t, s.Protect(MethodPassphrase, answering("x"), w.secrets()))
	must(t, s.Protect(MethodFile, Access{KeyFile: file}, w.secrets()))
	must(t, s.Forget())
	after, err := os.ReadFile(file)
	must(t, err)
	if string(before) != string(after) {
		t.Fatal("the key file was changed")
	}
	_, err = s.Method()
	wantKind(t, err, protocol.KindNotFound)
}

// TestManyAtOnce lets readers and one writer work on one folder.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	records := w.records(12)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			r := w.again()
			for range 20 {
				chain, err := r.Vault(w.vault).Chain()
				if err != nil {
					t.Errorf("chain beside a writer: %v", err)
					return
				}
				if seq := chain.Head().Seq; seq > 0 {
					if _, err := r.Vault(w.vault).Record(seq); err != nil {
						t.Errorf("record %d beside a writer: %v", seq, err)
					}
				}
				if _, err := r.Ledger(); err != nil {
					t.Errorf("ledger beside a writer: %v", err)
				}
				if err := r.Vault(w.vault).AdvanceCursor(chain.Head().Seq); err != nil {
					t.Errorf("cursor beside a writer: %v", err)
				}
			}
		})
	}
	for _, r := range records {
		must(t, s.Vault(w.vault).AppendRecords(r))
	}
	group.Wait()
	wantChain(t, s.Vault(w.vault), records)
}

// TestLedgerStory tells a story of two devices of one account, each with its
// state: what one appends, the other takes in.
func TestLedgerStory(t *testing.T) {
	w := newWorld(t)
	first := w.joined()
	second := w.joinedElsewhere()
	ring, standing := w.ring, w.standing
	all := append([]*ledger.Entry(nil), w.batch.Entries...)
	for _, label := range []string{"desk", "lap", "attic"} {
		d, err := ring.Edit(standing, 3)
		must(t, err)
		must(t, d.NameMember(w.self.ID(), label))
		standing = d.Standing()
		_, err = first.AppendLedger(d.Batch().Entries, d.Batch().Objects)
		must(t, err)
		all = append(all, d.Batch().Entries...)
		head, _, err := second.LedgerHead()
		must(t, err)
		folded, err := second.AppendLedger(all[head.Seq:], nil)
		must(t, err)
		ring, err = keyring.Open(folded, second.Object, w.self)
		must(t, err)
		if got, err := ring.Label(w.self.ID()); got != label || err != nil {
			t.Fatalf("label %q, %v, want %q", got, err, label)
		}
	}
	a, _, err := first.LedgerHead()
	must(t, err)
	b, _, err := second.LedgerHead()
	must(t, err)
	if a != b || a.Seq != uint64(len(all)-1) {
		t.Fatalf("heads %v and %v after %d entries", a, b, len(all))
	}
}
