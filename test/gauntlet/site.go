// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/tlog"
)

// Host is the name under which every client knows its provider. It resolves to
// nothing: clients reach it through the front, which is their proxy.
const Host = "gauntlet.example"

// Site is a real solekeyd on loopback over a data folder. The provider's
// secrets are in the folder, so that whoever holds the Site is the provider.
type Site struct {
	Dir string // the data folder

	t        testing.TB
	programs *Programs
	clock    string // the file that the programs read the time from
	flags    []string
	process  *exec.Cmd
	said     *lockedBuffer
	log      string // the key of its public log
	proxy    string // through which it reaches witnesses

	mu      sync.Mutex // guards address
	address string
}

// on is a site like this one on another folder, not started.
func (s *Site) on(dir string) *Site {
	return &Site{Dir: dir, t: s.t, programs: s.programs, clock: s.clock, flags: s.flags, log: s.log, proxy: s.proxy}
}

// at returns where the site listens.
func (s *Site) at() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

func (s *Site) listens(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = address
}

type lockedBuffer struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

// Write appends.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

// String returns what was written so far.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// environment is what a program sees of the machine that runs the tests.
func environment(home, clock string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(home, "tmp"), "USER=tester",
		"TZ=UTC", "LC_ALL=C.UTF-8", "SOLEKEY_TEST_CLOCK=" + clock,
	}
}

// Start starts the provider and waits for its self-check.
func (s *Site) Start() {
	s.t.Helper()
	args := append([]string{
		"up", "--json", "--data", s.Dir, "--listen", "127.0.0.1:0", "--metrics", "", "--nightly-backup=false", "--url", "https://" + Host,
	}, s.flags...)
	s.process, s.said = exec.Command(s.programs.Provider, args...), &lockedBuffer{}
	s.process.Env, s.process.Stderr = append(environment(filepath.Dir(s.Dir), s.clock), "HTTP_PROXY="+s.proxy), s.said
	out, err := s.process.StdoutPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		s.t.Fatalf("start the provider: %v", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event struct{ Action, Listen, URL, Log string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			s.t.Fatalf("the provider says %q, which is no JSON: %v", lines.Text(), err)
		}
		if event.Listen != "" {
			s.listens(event.Listen)
		}
		if event.Log != "" {
			s.log, _, _ = strings.Cut(event.Log, "=https://")
		}
		if event.Action == "self-check" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return
		}
	}
	s.t.Fatalf("the provider ended before its self-check: %v\n%s", s.process.Wait(), s.said)
}

// Stop ends the provider in order.
func (s *Site) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGTERM) // one that ended already is seen by Wait
	if err := s.process.Wait(); err != nil {
		s.t.Errorf("stop the provider: %v\n%s", err, s.said)
	}
	s.process = nil
}

// kill is the end of a test.
func (s *Site) kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill() // it may have ended already
	_ = s.process.Wait()         // it says that it was killed
	s.process = nil
}

// Run runs one command of solekeyd on the data folder and returns its output.
func (s *Site) Run(args ...string) string {
	s.t.Helper()
	c := exec.Command(s.programs.Provider, append(args, "--data", s.Dir)...)
	c.Env = environment(filepath.Dir(s.Dir), s.clock)
	out, err := c.Output()
	if err != nil {
		s.t.Fatalf("solekeyd %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Invite returns a new invite.
func (s *Site) Invite() string {
	s.t.Helper()
	var line struct{ URL string }
	if err := json.Unmarshal([]byte(s.Run("invite", "--json")), &line); err != nil {
		s.t.Fatalf("read invite: %v", err)
	}
	return line.URL
}

// Get asks the site for what is public.
func (s *Site) Get(path string) (int, []byte) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test started it itself
	}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + s.at() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, body
}

// Size returns how many entries the newest published checkpoint covers, 0 where
// none is published.
func (s *Site) Size() uint64 {
	s.t.Helper()
	status, note := s.Get(api.PathCheckpoint)
	if status != http.StatusOK {
		return 0
	}
	c, err := tlog.ParseCheckpoint(note)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.Size
}

// Grow waits until the site has published a checkpoint of more entries than size.
func (s *Site) Grow(size uint64) {
	s.t.Helper()
	for until := time.Now().Add(30 * time.Second); s.Size() <= size; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			s.t.Fatalf("no checkpoint beyond %d entries is published:\n%s", size, s.said)
		}
	}
}

// Log returns what the provider logged since its last start.
func (s *Site) Log() string { return s.said.String() }

// Blobs returns the paths of what the site keeps of a kind: pack, ledger, ...
func (s *Site) Blobs(kind string) []string {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.Dir, "blobs", "*", kind, "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return paths
}

// Pack returns a stored pack, nil where there is none.
func (s *Site) Pack(id protocol.PackID) []byte {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.Dir, "blobs", "*", "pack", id.String()))
	if err != nil || len(paths) == 0 {
		return nil
	}
	data, err := os.ReadFile(paths[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// copyTo copies the folder of a stopped site. Blobs are never written in place,
// so that hard links do.
func (s *Site) copyTo(dir string) {
	s.t.Helper()
	err := filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		if strings.HasPrefix(rel, "blobs"+string(filepath.Separator)) {
			return os.Link(path, to)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// key returns the site's own TLS key.
func (s *Site) key() (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, "keys", "tls.key"))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", s.Dir)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of another kind", s.Dir)
	}
	return own, nil
}
