// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func TestDeviceSurvivesRestart(t *testing.T) {
	w := newWorld(t)
	s := w.open()
	_, err := s.Device()
	wantKind(t, err, protocol.KindNotFound)
	must(t, s.SetDevice(w.device()))
	got, err := w.again().Device()
	must(t, err)
	if *got != *w.device() {
		t.Fatalf("device %+v, want %+v", got, w.device())
	}
	other := w.device()
	other.Name = "lovelace"
	must(t, s.SetDevice(other))
	other.Member[0]++
	wantKind(t, s.SetDevice(other), protocol.KindExists)
	other.Member = protocol.MemberID{}
	wantKind(t, s.SetDevice(other), protocol.KindInternal)
}

func TestDamagedDocumentIsNamed(t *testing.T) {
	cases := []struct {
		name   string
		change func([]byte) []byte
		kind   protocol.Kind
		says   string
	}{
		{"empty", func([]byte) []byte { return nil }, protocol.KindUntrusted, "is damaged"},
		{"half", func(b []byte) []byte { return b[:len(b)/2] }, protocol.KindUntrusted, "is damaged"},
		{"garbage", func([]byte) []byte { return []byte("\x00\x01\x02") }, protocol.KindUntrusted, "is damaged"},
		{"a bit", func(b []byte) []byte { return bytes.Replace(b, []byte("ada"), []byte("adb"), 1) }, protocol.KindUntrusted, "check sum"},
		{"twice", func(b []byte) []byte { return append(b, b...) }, protocol.KindUntrusted, "follows its end"},
		{"another file", func(b []byte) []byte { return bytes.Replace(b, []byte("solekey device"), []byte("solekey marks"), 1) }, protocol.KindUntrusted, "no device file"},
		{"newer", func(b []byte) []byte { return bytes.Replace(b, []byte(`"version": 1`), []byte(`"version": 2`), 1) }, protocol.KindUnsupported, "newer version"},
		{"newer with more", func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"version": 1`), []byte(`"version": 3, "more": {}`), 1)
		}, protocol.KindUnsupported, "newer version"},
		{"huge", func([]byte) []byte { return make([]byte, maxDocument+1) }, protocol.KindUntrusted, "larger"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			s := w.open()
			must(t, s.SetDevice(w.device()))
			path := filepath.Join(w.dir, nameDevice)
			spoil(t, path, c.change)
			_, err := s.Device()
			wantKind(t, err, c.kind)
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %q names neither %q nor %s", err, c.says, path)
			}
			wantKind(t, s.SetDevice(w.device()), c.kind) // what is damaged is not overwritten
		})
	}
}

func TestLongLockNamesItsHolder(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	_, err := Open(w.dir, w.cache)
	wantKind(t, err, protocol.KindBusy)
	if !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Fatalf("error %q does not say which process", err)
	}
	// A reader works beside it, and may move marks.
	must(t, w.again().Vault(w.vault).AdvanceHead(headOf(w.records(1)[0])))
	must(t, s.Close())
	next, err := Open(w.dir, w.cache)
	must(t, err)
	must(t, next.Close())
}

func TestReaderMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	_, err := OpenReader(dir, dir)
	wantKind(t, err, protocol.KindNotFound)
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("the folder was made")
	}
}

// asNobody runs do on a thread whose file accesses have no privilege.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		do()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		_ = syscall.Setfsgid(65534)
		_ = syscall.Setfsuid(65534)
		do()
	}()
	<-done
}

func TestReadOnlyFolder(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	must(t, s.Close())
	must(t, filepath.Walk(filepath.Dir(filepath.Dir(w.dir)), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return err
	}))
	for _, name := range []string{nameDevice, nameMarks, nameLedger, nameLock, nameUpdate} {
		must(t, os.Chmod(filepath.Join(w.dir, name), 0o444))
	}
	must(t, os.Chmod(w.dir, 0o555))
	defer func() { must(t, os.Chmod(w.dir, 0o755)) }()
	asNobody(t, func() {
		_, err := Open(w.dir, w.cache)
		if protocol.KindOf(err) != protocol.KindDenied || !strings.Contains(err.Error(), "must be writable") {
			t.Errorf("open of a read-only folder: %v", err)
		}
		r, err := OpenReader(w.dir, w.cache)
		if err != nil {
			t.Errorf("reader of a read-only folder: %v", err)
			return
		}
		if _, err := r.Ledger(); err != nil {
			t.Errorf("ledger in a read-only folder: %v", err)
		}
		if err := r.Vault(w.vault).AdvanceCursor(7); protocol.KindOf(err) != protocol.KindDenied {
			t.Errorf("advance in a read-only folder: %v", err)
		}
	})
}

func TestOpenSweepsLeftovers(t *testing.T) {
	w := newWorld(t)
	must(t, w.joined().Close())
	left := filepath.Join(w.dir, tempPrefix+"device.json-123")
	must(t, os.WriteFile(left, []byte("{"), 0o600))
	w.open()
	if _, err := os.Stat(left); err == nil {
		t.Fatal("the leftover of a killed process stays")
	}
}

func TestFilesArePrivate(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	must(t, s.SetSession(&api.Session{Token: "t"}))
	must(t, s.SetNote("join", []byte("x")))
	must(t, s.Vault(w.vault).AppendRecords(w.records(1)...))
	must(t, filepath.Walk(w.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	}))
}

func TestSessionNotesAndLastBackup(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	if got, err := s.Session(); got != nil || err != nil {
		t.Fatalf("session %v, %v before there is one", got, err)
	}
	must(t, s.SetSession(&api.Session{Account: w.device().Account, Token: "token", Scope: api.ScopeMember, Expires: 9}))
	got, err := w.again().Session()
	must(t, err)
	if got.Token != "token" || got.Scope != api.ScopeMember || got.Expires != 9 {
		t.Fatalf("session %+v", got)
	}
	spoil(t, filepath.Join(w.dir, nameSession), func(b []byte) []byte { return b[:9] })
	if got, err := s.Session(); got != nil || err != nil {
		t.Fatalf("a damaged session must count as none: %v, %v", got, err)
	}
	must(t, s.SetSession(nil))

	must(t, s.SetNote("join", []byte{0, 255}))
	note, err := w.again().Note("join")
	must(t, err)
	if !bytes.Equal(note, []byte{0, 255}) {
		t.Fatalf("note %x", note)
	}
	must(t, s.SetNote("join", nil))
	_, err = s.Note("join")
	wantKind(t, err, protocol.KindNotFound)
	for _, name := range []string{"", "../device", "A", "a/b"} {
		wantKind(t, s.SetNote(name, []byte("x")), protocol.KindInternal)
	}

	v := s.Vault(w.vault)
	if last, err := v.LastBackup(); last != nil || err != nil {
		t.Fatalf("last backup %v, %v before there is one", last, err)
	}
	must(t, v.SetLastBackup(&LastBackup{Record: protocol.Hash{3}, Seq: 3, Time: 33}))
	last, err := w.again().Vault(w.vault).LastBackup()
	must(t, err)
	if *last != (LastBackup{Record: protocol.Hash{3}, Seq: 3, Time: 33}) {
		t.Fatalf("last backup %+v", last)
	}
}

func TestCachePaths(t *testing.T) {
	w := newWorld(t)
	path, err := w.open().Vault(w.vault).CachePath(CacheIndex)
	must(t, err)
	if !strings.HasPrefix(path, w.cache) || !strings.HasSuffix(path, "/index") {
		t.Fatalf("path %s", path)
	}
	if _, err := os.Stat(filepath.Join(w.cache, "CACHEDIR.TAG")); err != nil {
		t.Fatal(err)
	}
}

func TestForgetLeavesNothing(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	wantKind(t, w.again().Forget(), protocol.KindInternal)
	must(t, s.Forget())
	_, err := s.Device()
	wantKind(t, err, protocol.KindNotFound)
	_, err = s.Ledger()
	wantKind(t, err, protocol.KindNotFound)
	left, err := filepath.Glob(filepath.Join(w.dir, "*"))
	must(t, err)
	for _, path := range left {
		if name := filepath.Base(path); name != nameLock && name != nameUpdate {
			t.Errorf("%s is left", path)
		}
	}
}
