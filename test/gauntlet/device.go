// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Device is one machine with the real client program on it.
type Device struct {
	Name string
	Dir  string // its home

	t        testing.TB
	programs *Programs
	env      []string
	truth    *truth
	patience string // how long Add waits for the other side; "": half a minute
}

// password is what every account of the gauntlet is opened with.
const password = "canary-correct-horse-battery"

// tapName is the file in a device's home that its programs tell of what they seal.
const tapName = "tap"

func newDevice(t testing.TB, p *Programs, f *Front, dir, name, clock string, known *truth) *Device {
	t.Helper()
	d := &Device{Name: name, Dir: filepath.Join(dir, name), t: t, programs: p, truth: known}
	if err := os.MkdirAll(d.Path("tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.env = append(environment(d.Dir, clock),
		"SOLEKEY_STATE_DIR="+d.State(), "SOLEKEY_CACHE_DIR="+d.Path("cache"),
		"SOLEKEY_KEY_FILE="+d.Path("key"), "SOLEKEY_PASSWORD_FILE="+d.Path("password"),
		"SOLEKEY_TEST_TAP="+d.Path(tapName), "HTTPS_PROXY="+f.proxy(name))
	if _, err := os.Stat(d.Path("password")); err != nil {
		d.put("password", []byte(password+"\n"))
	}
	return d
}

// Path returns a path in the device's home.
func (d *Device) Path(parts ...string) string {
	return filepath.Join(append([]string{d.Dir}, parts...)...)
}

// State is the folder of what the device must remember.
func (d *Device) State() string { return d.Path("state") }

// Write writes a file in the device's home and returns its path. What is in it
// counts as plaintext: nobody but the account's devices may ever see it, and
// nothing else under its name may come out of a restore.
func (d *Device) Write(name string, content []byte) string {
	d.t.Helper()
	d.truth.add(name, content)
	return d.put(name, content)
}

// put is Write for what is no plaintext.
func (d *Device) put(name string, content []byte) string {
	d.t.Helper()
	path := d.Path(name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

// Lose removes something of the device's home.
func (d *Device) Lose(name string) {
	d.t.Helper()
	if err := os.RemoveAll(d.Path(name)); err != nil {
		d.t.Fatal(err)
	}
}

// Result is what one command line did.
type Result struct {
	Args     []string
	Code     int
	Out, Err string
	Took     time.Duration
	Peak     int64 // memory in KiB, 0 where the program did not say
}

// String shows the result whole.
func (r Result) String() string {
	return fmt.Sprintf("solekey %s: exit code %d\nstdout: %.2000s\nstderr: %.2000s", strings.Join(r.Args, " "), r.Code, r.Out, r.Err)
}

// longest is how long a command may take before it counts as hanging.
const longest = 90 * time.Second

// Run runs solekey on this device.
func (d *Device) Run(args ...string) Result {
	d.t.Helper()
	ctx, done := context.WithTimeout(context.Background(), longest)
	defer done()
	c := exec.CommandContext(ctx, d.programs.Device, args...)
	c.Env, c.Dir = d.env, d.Dir
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	began, taps := time.Now(), d.tapSize()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatalf("run %s: %v", c, err)
	}
	return Result{
		Args: args, Code: c.ProcessState.ExitCode(), Out: out.String(), Err: errs.String(),
		Took: time.Since(began), Peak: d.peak(taps),
	}
}

// Must is Run where nothing else than success will do.
func (d *Device) Must(args ...string) string {
	d.t.Helper()
	r := d.Run(args...)
	if r.Code != 0 {
		d.t.Fatalf("%s: %s", d.Name, r)
	}
	return r.Out
}

func (d *Device) tapSize() int64 {
	info, err := os.Stat(d.Path(tapName))
	if err != nil {
		return 0
	}
	return info.Size()
}

// tapped returns what the device's programs told of what they sealed, from an
// offset on.
func (d *Device) tapped(from int64) []string {
	data, err := os.ReadFile(d.Path(tapName))
	if err != nil || int64(len(data)) < from {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(data[from:])), "\n")
}

// peak returns the most memory that a program which wrote behind the offset had.
func (d *Device) peak(from int64) (kib int64) {
	for _, line := range d.tapped(from) {
		if text, ok := strings.CutPrefix(line, "peak "); ok {
			n, _ := strconv.ParseInt(text, 10, 64) // 0 where it is no number
			kib = max(kib, n)
		}
	}
	return kib
}

// Add makes newcomer a further device of d's account, by the long code, as a
// person does who reads it off one screen and types it into the other. It returns
// what the two programs said, that of the newcomer first.
func (d *Device) Add(newcomer *Device, account string, flags ...string) (join, approve Result) {
	d.t.Helper()
	link := strings.TrimSpace(d.Must("device", "link"))
	ctx, done := context.WithTimeout(context.Background(), longest)
	defer done()
	args := append([]string{"join", "--json", "--name", account, "--device-name", newcomer.Name, "--timeout", cmp.Or(newcomer.patience, "30s"), link}, flags...)
	c := exec.CommandContext(ctx, newcomer.programs.Device, args...)
	c.Env, c.Dir = newcomer.env, newcomer.Dir
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	code := longCode(out)
	if code != "" {
		words := []string{"device", "approve", "--timeout", cmp.Or(d.patience, "30s"), code}
		if len(flags) > 0 {
			words = append(words, "--name", newcomer.Name)
		}
		approve = d.Run(words...)
	}
	_, _ = io.Copy(io.Discard, out) // ends with the process
	_ = c.Wait()                    // the exit code says it
	join = Result{Args: args, Code: c.ProcessState.ExitCode(), Err: errs.String()}
	return join, approve
}

// longCode reads what a joining device says up to its long code.
func longCode(out io.Reader) string {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct {
			Code string `json:"long_code"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Code != "" {
			return line.Code
		}
	}
	return ""
}
