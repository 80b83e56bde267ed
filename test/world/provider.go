// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Provider is a running or stopped solekeyd.
type Provider struct {
	Data   string           // its data folder
	Events []map[string]any // what the last start said

	w       *World
	flags   []string
	process *exec.Cmd
	log     *lockedBuffer
	first   string // the invite of the first start
}

// lockedBuffer is a buffer that one goroutine may write while another reads.
type lockedBuffer struct {
	mu     sync.Mutex // guards buffer
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// Start starts the provider and waits for its self-check.
func (p *Provider) Start() {
	p.w.T.Helper()
	args := append([]string{
		"up", "--json", "--data", p.Data, "--listen", "127.0.0.1:0", "--metrics", "", "--nightly-backup=false",
		"--url", "https://" + p.w.Net.Address(),
	}, p.flags...)
	p.process, p.log, p.Events = exec.Command(p.w.Programs.Provider, args...), &lockedBuffer{}, nil
	p.process.Env = environment(p.w.Dir)
	p.process.Stderr = p.log
	out, err := p.process.StdoutPipe()
	if err == nil {
		err = p.process.Start()
	}
	if err != nil {
		p.w.T.Fatalf("start the provider: %v", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		event := map[string]any{}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			p.w.T.Fatalf("the provider says %q, which is no JSON: %v", lines.Text(), err)
		}
		p.Events = append(p.Events, event)
		p.take(event)
		if event["action"] == "self-check" {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
			return
		}
	}
	p.w.T.Fatalf("the provider ended before its self-check: %v\n%s", p.process.Wait(), p.log)
}

// take notes what a start said that matters later.
func (p *Provider) take(event map[string]any) {
	if url, ok := event["url"].(string); ok && p.first == "" {
		p.first = url
	}
	if listen, ok := event["listen"].(string); ok {
		p.w.Net.passTo(listen)
	}
}

// Reconciled returns what the last start took in from the blob folder, nil for
// nothing.
func (p *Provider) Reconciled() any {
	for _, event := range p.Events {
		if event["action"] == "reconciled" {
			return event["found"]
		}
	}
	return nil
}

// Stop ends the provider in order.
func (p *Provider) Stop() {
	p.w.T.Helper()
	p.w.Net.dropIdle()
	_ = p.process.Process.Signal(syscall.SIGTERM) // one that ended already is seen by Wait
	if err := p.process.Wait(); err != nil {
		p.w.T.Fatalf("stop the provider: %v\n%s", err, p.log)
	}
	p.process = nil
}

// Kill ends the provider as kill -9 does.
func (p *Provider) Kill() {
	_ = p.process.Process.Kill() // it may have ended already
	_ = p.process.Wait()         // it says that it was killed
	p.process = nil
	if strings.Contains(p.log.String(), "DATA RACE") {
		p.w.T.Errorf("the provider: %s", p.log)
	}
}

// clean is the end of the test.
func (p *Provider) clean() {
	if p.process != nil {
		p.Kill()
	}
	if p.w.T.Failed() && p.log != nil {
		lines := strings.SplitAfter(p.log.String(), "\n")
		p.w.T.Logf("the provider said at last:\n%s", strings.Join(lines[max(0, len(lines)-10):], ""))
	}
}

// Run runs one command of solekeyd on the data folder.
func (p *Provider) Run(args ...string) Result {
	p.w.T.Helper()
	return runProgram(p.w.T, p.w.Programs.Provider, environment(p.w.Dir), "", append(args, "--data", p.Data))
}

// Must is Run where nothing else than success will do.
func (p *Provider) Must(args ...string) string {
	p.w.T.Helper()
	r := p.Run(args...)
	if r.Code != 0 {
		p.w.T.Fatalf("solekeyd %s: %s", strings.Join(args, " "), r)
	}
	return r.Out
}

// Invite returns an invite: that of the first start, then new ones.
func (p *Provider) Invite() string {
	p.w.T.Helper()
	if url := p.first; url != "" {
		p.first = "used"
		if url != "used" {
			return url
		}
	}
	var line struct{ URL string }
	if err := json.Unmarshal([]byte(p.Must("invite", "--json")), &line); err != nil {
		p.w.T.Fatalf("read invite: %v", err)
	}
	return line.URL
}

// Log returns what the provider logged since its last start.
func (p *Provider) Log() string { return p.log.String() }

// Database is the path of its database.
func (p *Provider) Database() string { return filepath.Join(p.Data, "solekeyd.db") }

// LoseDatabase removes the database of a stopped provider.
func (p *Provider) LoseDatabase() {
	p.w.T.Helper()
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(p.Database() + part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.w.T.Fatal(err)
		}
	}
}

// Blobs calls visit with each file of a kind in the blob folder: pack, ledger,
// snapshot, ...
func (p *Provider) Blobs(kind string, visit func(path string, size int64)) {
	p.w.T.Helper()
	paths, err := filepath.Glob(filepath.Join(p.Data, "blobs", "*", kind, "*"))
	if err != nil {
		p.w.T.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			p.w.T.Fatal(err)
		}
		visit(path, info.Size())
	}
}

// Stored returns how many packs the blob folder holds, and their bytes.
func (p *Provider) Stored() (packs int, bytes int64) {
	p.w.T.Helper()
	p.Blobs("pack", func(_ string, size int64) { packs++; bytes += size })
	return packs, bytes
}

// key returns the server's own key: whoever has the provider has that.
func (p *Provider) key() *ecdsa.PrivateKey {
	p.w.T.Helper()
	key, err := readKey(filepath.Join(p.Data, "keys", "tls.key"))
	if err != nil {
		p.w.T.Fatal(err)
	}
	return key
}

func readKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is no PEM file", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	own, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a key of another kind", path)
	}
	return own, nil
}
