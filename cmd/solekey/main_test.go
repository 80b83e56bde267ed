// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/test/world"
)

// programs is set before any test runs and then read only.
var programs *world.Programs

func TestMain(m *testing.M) { os.Exit(world.Main(m, func(p *world.Programs) { programs = p })) }

// machine is a device whose commands run inside the test.
type machine struct {
	t   *testing.T
	dir string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, dir: t.TempDir()}
	m.write("password", "correct horse\n")
	return m
}

func (m *machine) path(name string) string { return filepath.Join(m.dir, name) }

func (m *machine) write(name, content string) string {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return m.path(name)
}

// line is a command line of this machine.
func (m *machine) line(args []string) []string {
	return append([]string{
		"--state-dir", m.path("state"), "--cache-dir", m.path("cache"), "--key-file", m.path("key"),
		"--password-file", m.path("password"),
	}, args...)
}

// outcome is what one command line did.
type outcome struct {
	code     int
	out, err string
}

func (m *machine) runWith(ctx context.Context, in io.Reader, args ...string) outcome {
	var out, errs bytes.Buffer
	code := run(ctx, m.line(args), &streams{In: in, Out: &out, Err: &errs})
	return outcome{code, out.String(), errs.String()}
}

func (m *machine) run(args ...string) outcome {
	return m.runWith(context.Background(), strings.NewReader(""), args...)
}

// exits runs a command line that must end with the code.
func (m *machine) exits(code int, args ...string) outcome {
	m.t.Helper()
	got := m.run(args...)
	if got.code != code {
		m.t.Fatalf("%s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got.code, code, got.out, got.err)
	}
	return got
}

// objects decodes JSON lines.
func objects(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out) {
		one := map[string]any{}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("%q is no JSON: %v", line, err)
		}
		all = append(all, one)
	}
	return all
}

// devices returns the number of present devices.
func (m *machine) devices() int {
	m.t.Helper()
	n := 0
	for _, o := range objects(m.t, m.exits(0, "device", "list", "--json").out) {
		if o["message_type"] == "device" {
			n++
		}
	}
	return n
}

// talk is a command that runs while the test reads what it says and answers.
type talk struct {
	t     *testing.T
	in    *io.PipeWriter
	lines *bufio.Scanner
	code  chan int
	errs  *bytes.Buffer
}

// start starts a command with --json.
func (m *machine) start(ctx context.Context, args ...string) *talk {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	k := &talk{t: m.t, in: inWrite, lines: bufio.NewScanner(outRead), code: make(chan int, 1), errs: new(bytes.Buffer)}
	k.lines.Buffer(nil, 1<<20)
	go func() {
		code := run(ctx, m.line(append(args, "--json")), &streams{In: inRead, Out: outWrite, Err: k.errs})
		_ = outWrite.Close()
		k.code <- code
	}()
	return k
}

// until reads what the command says until an object has the field, and returns
// the field; "" where the command ends first.
func (k *talk) until(field string) string {
	for k.lines.Scan() {
		one := map[string]any{}
		if json.Unmarshal(k.lines.Bytes(), &one) == nil && one[field] != nil {
			text, _ := one[field].(string)
			return text
		}
	}
	return ""
}

// answer types a line.
func (k *talk) answer(text string) {
	k.t.Helper()
	if _, err := io.WriteString(k.in, text+"\n"); err != nil {
		k.t.Fatal(err)
	}
}

// end waits for the command and returns its exit code.
func (k *talk) end() int {
	for k.lines.Scan() { // nobody else reads what is left
	}
	return <-k.code
}

// opened starts a provider and opens an account on a machine.
func opened(t *testing.T) (*world.World, *machine) {
	t.Helper()
	w := world.New(t, programs)
	m := newMachine(t)
	m.exits(0, "join", "--name", "alice", "--device-name", "desk", "--recovery-out", m.path("kit"), w.Provider.Invite())
	return w, m
}

// link returns the link with which further devices join.
func (m *machine) link() string {
	m.t.Helper()
	return objects(m.t, m.exits(0, "device", "link", "--json").out)[0]["url"].(string)
}
