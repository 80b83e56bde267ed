// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/follow/followtest"
)

// spawn runs the witness as a process of its own.
func spawn(t *testing.T, data string, flags ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], upArgs(data, flags)...)
	cmd.Env = append(os.Environ(), "SOLEKEY_TEST_PROGRAM=yes")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, address(events(t, out))
}

// TestKill kills the witness again and again while two forks of a log want to be
// cosigned: all that ever left it is one log, and never a smaller size after a
// larger.
func TestKill(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	l := grown(t, "log.example/one", 3)
	fork := l.Fork()
	for i := range 120 {
		l.Append(t, fmt.Appendf(nil, "one %d", i))
		fork.Append(t, fmt.Appendf(nil, "another %d", i))
	}
	var mu sync.Mutex
	roots, largest := map[uint64]protocol.Hash{}, uint64(0)
	hammer := func(stop context.Context, url string, l *tlogtest.Log) {
		old := uint64(0)
		for size := uint64(4); size < 123 && stop.Err() == nil; {
			before := func() uint64 { mu.Lock(); defer mu.Unlock(); return largest }()
			status, body := ask(t, url, l, old, size)
			switch theirs, err := tlog.ParseConflict(body); {
			case status == http.StatusOK:
				mu.Lock()
				if root, ok := roots[size]; ok && root != l.At(t, size).Root || size < before {
					t.Errorf("size %d is cosigned after %d, or with another root", size, before)
				}
				roots[size], largest = l.At(t, size).Root, max(largest, size)
				mu.Unlock()
				old, size = size, size+1
			case status == http.StatusConflict && err == nil:
				old, size = theirs, max(size, theirs)+1
			default:
				size++
			}
		}
	}
	for range 6 {
		cmd, url := spawn(t, data, "--log", l.Secret.Public().String(), "--log-rate", "0", "--address-rate", "0")
		stop, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { hammer(stop, url, l) })
		wg.Go(func() { hammer(stop, url, fork) })
		target := func() uint64 { mu.Lock(); defer mu.Unlock(); return largest + 8 }()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			mu.Lock()
			reached := largest >= min(target, 122)
			mu.Unlock()
			if reached {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		cancel()
		wg.Wait()
	}
	onOne := 0
	for size, root := range roots {
		if l.At(t, size).Root == root {
			onOne++
		}
	}
	if len(roots) < 10 || onOne != 0 && onOne != len(roots) {
		t.Errorf("%d sizes are cosigned, %d of them of one log", len(roots), onOne)
	}
}

// TestAuditedLog: the whole program audits a log over HTTP, under keys that say so.
func TestAuditedLog(t *testing.T) {
	now := protocol.TimeOf(time.Now())
	l := followtest.New(t, "log.example/audited", now)
	plain := grown(t, "log.example/plain", 4)
	server := httptest.NewServer(l.Handler("/v1/log"))
	defer server.Close()
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data, "--log", l.Key().String()+"="+server.URL+"/v1/log", "--log", plain.Secret.Public().String(), "--audit", "log.example/audited")
	defer r.end()
	name := followtest.NewName(t, "ada")
	l.Add(name.Update(l.Key()))
	head := l.Root(now)
	status, lines := ask(t, address(r.events), l.Log, 0, head.Size)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, lines)
	}
	policy := "log " + l.Key().String() + "\n" + event(r.events, "mode", "auditing")["policy"].(string) + "quorum witness.example/audit\n"
	parsed, err := tlog.ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	if w, err := parsed.Verify(append(l.Note(t, 0), lines...)); err != nil || len(w.Cosigners) != 2 {
		t.Errorf("%+v, %v", w, err)
	}
	if status, lines := ask(t, address(r.events), plain, 0, 4); status != http.StatusOK || strings.Contains(string(lines), "/audit ") {
		t.Errorf("a log that is not audited: status %d: %s", status, lines)
	}
	if text := get(t, address(r.events)+"/vkeys?origin=log.example/audited"); !strings.HasPrefix(text, "# mode: auditing\nwitness.example/audit+") {
		t.Error(text)
	}
	bad := l.Force(name.Update(plain.Secret.Public())) // signed for another log
	if status, body := ask(t, address(r.events), l.Log, head.Size, bad.Size); status != http.StatusUnprocessableEntity {
		t.Errorf("status %d: %s", status, body)
	}
	if got := command("status", "--data", data); got.code != 20 || !strings.Contains(got.out, "breaks the rule") {
		t.Errorf("code %d: %s", got.code, got.out)
	}
}

func TestManPagesAndKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	must(t, "man", dir)
	for _, name := range []string{"solekey-witness", "solekey-witness-up", "solekey-witness-status", "solekey-witness-key", "solekey-witness-version"} {
		page, err := os.ReadFile(filepath.Join(dir, name+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT"} {
			if !strings.Contains(string(page), "\n.SH "+section+"\n") {
				t.Errorf("%s has no section %s", name, section)
			}
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if said := must(t, "completion", shell); !strings.Contains(said, "solekey-witness") {
			t.Errorf("completion for %s: %.80q", shell, said)
		}
	}
	if said := must(t, "version"); !strings.HasPrefix(said, "solekey-witness ") {
		t.Error(said)
	}
	data := filepath.Join(t.TempDir(), "data")
	l := grown(t, "log.example/one", 0)
	start(t, data, "--log", l.Secret.Public().String()).end()
	said := must(t, "key", "--data", data, "--url", "https://w.example/")
	if strings.Count(said, " https://w.example/\n") != 4 || !strings.Contains(said, "group witness.example/audit any witness.example/audit:ed25519 witness.example/audit:ml-dsa-44\n") {
		t.Error(said)
	}
	t.Setenv("SOLEKEY_WITNESS_DATA", data)
	if said := must(t, "key", "--json"); strings.Count(said, "\n") != 2 || strings.Contains(said, "PRIVATE") {
		t.Error(said)
	}
}
