// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestLedgerSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	_, err := s.Ledger()
	wantKind(t, err, protocol.KindNotFound)
	wantKind(t, s.Entries(nil), protocol.KindNotFound)
	must(t, s.SetDevice(w.device()))
	folded, err := s.AppendLedger(w.batch.Entries, w.batch.Objects)
	must(t, err)
	again := w.again()
	got, err := again.Ledger()
	must(t, err)
	if got.Head() != folded.Head() || got.Head() != w.batch.State.Head() {
		t.Fatalf("ledger ends at %v, want %v", got.Head(), w.batch.State.Head())
	}
	// The ring opens with what is stored alone.
	_, err = keyring.Open(got, again.Object, w.self)
	must(t, err)
	var stored []*ledger.Entry
	must(t, again.Entries(func(e *ledger.Entry) error { stored = append(stored, e); return nil }))
	if !slices.Equal(hashes(stored), hashes(w.batch.Entries)) {
		t.Fatal("other entries are stored than were appended")
	}
	head, known, err := again.LedgerHead()
	must(t, err)
	if !known || head != folded.Head() {
		t.Fatalf("mark %v, %v", head, known)
	}
	_, err = again.Object(protocol.Hash{1})
	wantKind(t, err, protocol.KindNotFound)
}

func TestLedgerGoesOn(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	more := w.more("laptop")
	// The server is asked from the head on: its first entry is known.
	page := append(w.batch.Entries[len(w.batch.Entries)-1:], more.Entries...)
	other := w.again() // another process, whose cache is behind afterwards
	_, err := other.Ledger()
	must(t, err)
	for range 2 { // the second time it is all known
		folded, err := s.AppendLedger(page, append(more.Objects, w.batch.Objects[len(w.batch.Objects)-1]))
		must(t, err)
		if folded.Head() != more.State.Head() {
			t.Fatalf("ledger ends at %v, want %v", folded.Head(), more.State.Head())
		}
	}
	got, err := other.Ledger()
	must(t, err)
	if got.Head() != more.State.Head() {
		t.Fatal("another process does not see what was appended")
	}
}

func TestLedgerRefuses(t *testing.T) {
	w := newWorld(t)
	fork := w.more("one")
	stranger := newWorld(t)
	cases := []struct {
		name    string
		entries []*ledger.Entry
		objects [][]byte
		word    string
	}{
		{"nothing", nil, nil, "rollback"},
		{"another entry at a known place", fork.Entries, nil, "fork"},
		{"another account", stranger.batch.Entries, stranger.batch.Objects, "fork"},
		{"an object nobody names", w.batch.Entries, [][]byte{[]byte("stray")}, "named by none"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := w.joinedElsewhere()
			two := w.more("two")
			_, err := s.AppendLedger(two.Entries, two.Objects)
			must(t, err)
			_, err = s.AppendLedger(c.entries, c.objects)
			wantKind(t, err, protocol.KindUntrusted)
			if !strings.Contains(err.Error(), c.word) {
				t.Fatalf("error %q does not say %q", err, c.word)
			}
			if head, _, _ := s.LedgerHead(); head != two.State.Head() {
				t.Fatal("a refused append moved the mark")
			}
		})
	}
}

// joinedElsewhere is joined in a folder of its own.
func (w *world) joinedElsewhere() *State {
	w.t.Helper()
	c := *w
	c.dir = filepath.Join(w.t.TempDir(), "elsewhere")
	return c.joined()
}

func TestFirstLedgerMustBeTheDevices(t *testing.T) {
	w, stranger := newWorld(t), newWorld(t)
	s := w.open()
	must(t, s.SetDevice(w.device()))
	_, err := s.AppendLedger(stranger.batch.Entries, stranger.batch.Objects)
	wantKind(t, err, protocol.KindUntrusted)
	_, err = s.AppendLedger(w.batch.Entries[1:], nil)
	wantKind(t, err, protocol.KindUntrusted)
}

func TestLostLedgerMustLeadToTheMark(t *testing.T) {
	w := newWorld(t)
	more := w.more("later")
	all := append(slices.Clone(w.batch.Entries), more.Entries...)
	objects := append(slices.Clone(w.batch.Objects), more.Objects...)
	fork := append(slices.Clone(w.batch.Entries), w.more("other").Entries...)
	damage := map[string]func([]byte) []byte{
		"gone":    func([]byte) []byte { return nil },
		"shorter": func(b []byte) []byte { return b[:len(b)-1] },
		"a bit":   func(b []byte) []byte { b[len(b)-9] ^= 1; return b },
		"a frame": func(b []byte) []byte { b[20] = 'x'; return b },
	}
	for name, change := range damage {
		t.Run(name, func(t *testing.T) {
			s := w.joinedElsewhere()
			_, err := s.AppendLedger(all, objects)
			must(t, err)
			spoil(t, s.path(nameLedger), change)
			s.ledger = nil // as after a restart
			_, err = s.Ledger()
			wantKind(t, err, protocol.KindNotFound)
			_, err = s.AppendLedger(w.batch.Entries, w.batch.Objects)
			wantKind(t, err, protocol.KindUntrusted) // a rollback
			_, err = s.AppendLedger(fork, objects)
			wantKind(t, err, protocol.KindUntrusted)
			_, err = s.AppendLedger(all, objects)
			must(t, err)
			got, err := s.Ledger()
			must(t, err)
			if got.Head() != more.State.Head() {
				t.Fatal("the ledger did not come back")
			}
		})
	}
}

func TestNewerLedgerFileIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	spoil(t, s.path(nameLedger), func(b []byte) []byte {
		return bytes.Replace(b, []byte("solekey ledger 1\n"), []byte("solekey ledger 2\n"), 1)
	})
	s.ledger = nil
	_, err := s.Ledger()
	wantKind(t, err, protocol.KindUnsupported)
	_, err = s.AppendLedger(w.batch.Entries, nil)
	wantKind(t, err, protocol.KindUnsupported)
}

func TestTornLedgerTailIsCutOff(t *testing.T) {
	w := newWorld(t)
	more := w.more("later")
	s := w.joined()
	before, err := os.ReadFile(s.path(nameLedger))
	must(t, err)
	marks, err := os.ReadFile(s.path(nameMarks))
	must(t, err)
	_, err = s.AppendLedger(append(w.batch.Entries[len(w.batch.Entries)-1:], more.Entries...), more.Objects)
	must(t, err)
	after, err := os.ReadFile(s.path(nameLedger))
	must(t, err)
	// The process died somewhere in the append: the mark is the old one.
	for cut := len(before); cut <= len(after); cut += 97 {
		must(t, os.WriteFile(s.path(nameLedger), after[:cut], 0o600))
		must(t, os.WriteFile(s.path(nameMarks), marks, 0o600))
		s.ledger = nil
		got, err := s.Ledger()
		must(t, err)
		if got.Head() != w.batch.State.Head() {
			t.Fatalf("cut at %d: ledger ends at %v", cut, got.Head())
		}
		got, err = s.AppendLedger(more.Entries, more.Objects)
		must(t, err)
		if got.Head() != more.State.Head() {
			t.Fatalf("cut at %d: the append did not go on", cut)
		}
		now, err := os.ReadFile(s.path(nameLedger))
		must(t, err)
		if !bytes.Equal(now, after) {
			t.Fatalf("cut at %d: the file holds something else", cut)
		}
	}
}

func TestChangedObjectIsNotGivenOut(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	object := w.batch.Objects[0]
	name := protocol.Hash(sha256.Sum256(object))
	got, err := s.Object(name)
	must(t, err)
	if !bytes.Equal(got, object) {
		t.Fatal("another object")
	}
	spoil(t, s.path(nameLedger), func(b []byte) []byte {
		b[bytes.Index(b, object)+5] ^= 1
		return b
	})
	_, err = s.Object(name) // the process knows where it was
	wantKind(t, err, protocol.KindUntrusted)
	s.ledger = nil
	_, err = s.Object(name) // the next one does not find it
	wantKind(t, err, protocol.KindNotFound)
}

// BenchmarkLedger reads and folds a ledger of 20 entries, as every run begins.
func BenchmarkLedger(b *testing.B) {
	self := keys.GenerateMemberSecrets()
	d, err := keyring.Create(self, 1)
	if err == nil {
		err = d.Rotate()
	}
	for i := len(d.Batch().Entries); i < 20 && err == nil; i++ {
		err = d.NameMember(self.ID(), "laptop")
	}
	s, err2 := Open(b.TempDir(), b.TempDir())
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.AppendLedger(d.Batch().Entries, d.Batch().Objects); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s.ledger = nil
		if _, err := s.Ledger(); err != nil {
			b.Fatal(err)
		}
	}
}
