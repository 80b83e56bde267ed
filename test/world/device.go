// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Device is one machine with the client on it.
type Device struct {
	Name string
	Dir  string // its home
	Env  []string

	w *World
}

// Password is what every account of a world is opened with.
const Password = "correct-horse-canary-battery"

// Device returns a machine that has not joined anything.
func (w *World) Device(name string) *Device {
	w.T.Helper()
	w.devices++
	d := &Device{Name: name, Dir: filepath.Join(w.Dir, fmt.Sprintf("device-%d", w.devices)), w: w}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		w.T.Fatal(err)
	}
	d.Write("password", Password+"\n")
	d.Env = append(environment(d.Dir),
		"SOLEKEY_STATE_DIR="+d.State(), "SOLEKEY_CACHE_DIR="+d.Cache(),
		"SOLEKEY_KEY_FILE="+d.Path("key"), "SOLEKEY_PASSWORD_FILE="+d.Path("password"))
	return d
}

// environment is what programs see of the machine that runs the tests.
func environment(home string) []string {
	env := []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "USER=tester", "TZ=UTC", "LC_ALL=C.UTF-8",
		"GORACE=atexit_sleep_ms=0", // or every program with the race detector sleeps a second before it ends
	}
	if covered := os.Getenv("GOCOVERDIR"); covered != "" {
		env = append(env, "GOCOVERDIR="+covered)
	}
	return env
}

// State is the folder of what the device must remember.
func (d *Device) State() string { return d.Path("state") }

// Cache is the folder of what it can fetch again.
func (d *Device) Cache() string { return d.Path("cache") }

// Kit is where the recovery kit is written to.
func (d *Device) Kit() string { return d.Path("kit.txt") }

// Path returns a path in the device's home.
func (d *Device) Path(parts ...string) string {
	return filepath.Join(append([]string{d.Dir}, parts...)...)
}

// Write writes a file in the device's home, with the folders above it, and
// returns its path.
func (d *Device) Write(name, content string) string {
	d.w.T.Helper()
	path := d.Path(name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o600)
	}
	if err != nil {
		d.w.T.Fatal(err)
	}
	return path
}

// Join opens an account with an invite.
func (d *Device) Join(account, invite string) {
	d.w.T.Helper()
	d.Must("join", "--name", account, "--device-name", d.Name, "--recovery-out", d.Kit(), invite)
}

// Result is what one command line did.
type Result struct {
	Code     int
	Out, Err string
}

// String shows the result whole.
func (r Result) String() string {
	return fmt.Sprintf("exit code %d\nstdout: %s\nstderr: %s", r.Code, r.Out, r.Err)
}

// Command returns a command line of solekey on this device, not started.
func (d *Device) Command(args ...string) *exec.Cmd {
	c := exec.Command(d.w.Programs.Device, args...)
	c.Env, c.Dir = d.Env, d.Dir
	return c
}

// Run runs solekey on this device.
func (d *Device) Run(args ...string) Result {
	d.w.T.Helper()
	return finish(d.w.T, d.Command(args...))
}

// Must is Run where nothing else than success will do.
func (d *Device) Must(args ...string) string {
	d.w.T.Helper()
	return d.Exits(0, args...).Out
}

// Exits is Run where nothing else than this exit code will do.
func (d *Device) Exits(code int, args ...string) Result {
	d.w.T.Helper()
	r := d.Run(args...)
	if r.Code != code {
		d.w.T.Fatalf("%s: solekey %s: want exit code %d: %s", d.Name, strings.Join(args, " "), code, r)
	}
	return r
}

// Backup backs paths up and returns the summary.
func (d *Device) Backup(paths ...string) map[string]any {
	d.w.T.Helper()
	return Summary(d.w.T, d.Must(append([]string{"backup", "--json"}, paths...)...))
}

// Snapshots returns the lines of snapshots --json.
func (d *Device) Snapshots() []map[string]any {
	d.w.T.Helper()
	return Lines(d.w.T, d.Must("snapshots", "--json"))
}

// Lines parses a JSON object a line.
func Lines(t testing.TB, out string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(out) {
		object := map[string]any{}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("%q is no JSON object: %v", line, err)
		}
		lines = append(lines, object)
	}
	return lines
}

// Summary returns the line with message_type summary.
func Summary(t testing.TB, out string) map[string]any {
	t.Helper()
	for _, line := range Lines(t, out) {
		if line["message_type"] == "summary" {
			return line
		}
	}
	t.Fatalf("no summary in %q", out)
	return nil
}

// runProgram runs a program to its end.
func runProgram(t testing.TB, path string, env []string, dir string, args []string) Result {
	t.Helper()
	c := exec.Command(path, args...)
	c.Env, c.Dir = env, dir
	return finish(t, c)
}

// raceExit is the exit code of a program in which the race detector found
// something.
const raceExit = 66

// finish runs a prepared command to its end.
func finish(t testing.TB, c *exec.Cmd) Result {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", c, err)
	}
	r := Result{Code: c.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
	if r.Code == raceExit || strings.Contains(r.Err, "panic: ") {
		t.Fatalf("%s: %s", c, r)
	}
	return r
}
