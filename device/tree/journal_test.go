// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/solekey/solekey/protocol"
)

var aboutTest = JournalAbout{Version: 1, Account: protocol.AccountID{1}, Vault: protocol.VaultID{2}, Epoch: 3, Run: protocol.RunID{4}, Device: protocol.MemberID{5}}

// journalPacks returns packs for a journal.
func journalPacks(n int) []JournalPack {
	r := dice(20)
	var packs []JournalPack
	for i := range n {
		info, index := randomPack(r, 1+i*3)
		packs = append(packs, JournalPack{info.ID, info.Size, index})
	}
	return packs
}

// writeJournal writes a journal and returns its bytes, and where each record ends.
func writeJournal(t testing.TB, path string, packs []JournalPack) (b []byte, ends []int64) {
	t.Helper()
	j, err := CreateJournal(path, aboutTest)
	if err != nil {
		t.Fatal(err)
	}
	ends = append(ends, j.end)
	for _, p := range packs {
		if err := j.Add(p); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, j.end)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, ends
}

// readJournal parses the bytes of a journal.
func readJournal(b []byte) (about JournalAbout, packs []JournalPack, err error) {
	about, err = parseJournal(bytes.NewReader(b), func(p JournalPack) error {
		packs = append(packs, p)
		return nil
	})
	return about, packs, err
}

// TestJournalTornAnywhere cuts a journal at every byte: all whole records before come back, and nothing else.
func TestJournalTornAnywhere(t *testing.T) {
	t.Parallel()
	want := journalPacks(8)
	b, ends := writeJournal(t, filepath.Join(t.TempDir(), "journal"), want)
	for n := range len(b) + 1 {
		whole := 0
		for whole < len(ends) && ends[whole] <= int64(n) {
			whole++
		}
		about, packs, err := readJournal(b[:n])
		if err != nil || len(packs) != max(whole-1, 0) || (about == aboutTest) != (whole > 0) {
			t.Fatalf("cut at %d: %d packs of %d, %v", n, len(packs), whole-1, err)
		}
		if len(packs) > 0 && !reflect.DeepEqual(packs, want[:len(packs)]) {
			t.Fatalf("cut at %d: other packs", n)
		}
	}
}

// TestJournalDamage flips a bit of every byte: no wrong pack comes back.
func TestJournalDamage(t *testing.T) {
	want := journalPacks(4)
	b, _ := writeJournal(t, filepath.Join(t.TempDir(), "journal"), want)
	for i := range b {
		b[i] ^= 1 << (i % 8)
		_, packs, err := readJournal(b)
		if err == nil && len(packs) == len(want) {
			t.Errorf("damage at %d was not noticed", i)
		}
		if len(packs) > 0 && !reflect.DeepEqual(packs, want[:len(packs)]) {
			t.Errorf("damage at %d gives other packs", i)
		}
		b[i] ^= 1 << (i % 8)
	}
}

// TestJournalKilledAtEachStep stops a journal before each step: what Add promised is there.
func TestJournalKilledAtEachStep(t *testing.T) {
	t.Parallel()
	packs := journalPacks(5)
	for steps := 0; ; steps++ {
		path := filepath.Join(t.TempDir(), "journal")
		k := &killer{steps: steps, unsafe: map[string]bool{}}
		promised := 0
		j, err := createJournal(path, aboutTest, disk{testingOnlyStep: k.step})
		for i := 0; err == nil && i < len(packs); i++ {
			if err = j.Add(packs[i]); err == nil {
				promised++
			}
		}
		if j == nil && promised > 0 || err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		got := 0
		_, readErr := ReadJournal(path, func(p JournalPack) error {
			if got++; p.ID != packs[got-1].ID {
				t.Errorf("pack %d is another", got-1)
			}
			return nil
		})
		if readErr != nil && !errors.Is(readErr, os.ErrNotExist) || got < promised {
			t.Errorf("killed before step %d: %d packs of %d, %v", steps, got, promised, readErr)
		}
		if j != nil {
			j.Close()
		}
		if err == nil {
			return
		}
	}
}

// TestJournalGoesOnAfterAFailure has one write fail: later ones are there, the failed one is not.
func TestJournalGoesOnAfterAFailure(t *testing.T) {
	packs := journalPacks(3)
	path := filepath.Join(t.TempDir(), "journal")
	failing := false
	j, err := createJournal(path, aboutTest, disk{testingOnlyStep: func(act, _ string) error {
		if failing && act == "sync" {
			return errKilled
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	failing = true
	if err := j.Add(packs[2]); !errors.Is(err, errKilled) {
		t.Errorf("a sync that fails gave %v", err)
	}
	failing = false
	if err := errors.Join(j.Add(packs[0]), j.Close()); err != nil {
		t.Fatal(err)
	}
	var got []JournalPack
	if _, err := ReadJournal(path, func(p JournalPack) error { got = append(got, p); return nil }); err != nil || !reflect.DeepEqual(got, packs[:1]) {
		t.Errorf("%d packs came back: %v", len(got), err)
	}
}

// TestJournalErrors sees what is refused, and what visit's error does.
func TestJournalErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	b, _ := writeJournal(t, path, journalPacks(2))
	if _, err := CreateJournal(path, aboutTest); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second journal in one place gave %v", err)
	}
	if _, err := ReadJournal(path, func(JournalPack) error { return errKilled }); !errors.Is(err, errKilled) {
		t.Errorf("an error of visit gave %v", err)
	}
	b[7] = '2'
	if _, _, err := readJournal(b); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("a newer journal gave %v", err)
	}
	other := filepath.Join(t.TempDir(), "journal")
	j, err := CreateJournal(other, aboutTest)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadJournal(other, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a removed journal gave %v", err)
	}
}

// FuzzJournal holds the parser to its promise: what it accepts, printed again, is what it read.
func FuzzJournal(f *testing.F) {
	b, _ := writeJournal(f, filepath.Join(f.TempDir(), "journal"), journalPacks(2))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		about, packs, err := readJournal(b)
		if err != nil || about == (JournalAbout{}) {
			return
		}
		path := filepath.Join(t.TempDir(), "journal")
		j, err := CreateJournal(path, about)
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		for _, p := range packs {
			if err := j.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		again, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(b, again) {
			t.Errorf("%x was read, %x is printed: %v", b, again, err)
		}
	})
}
