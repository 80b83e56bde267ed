// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/witness"
)

// TestMain runs the program itself where a test started this binary as one: that
// one can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("SOLEKEY_TEST_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// result is what a command line did.
type result struct {
	code     int
	out, err string
}

func command(args ...string) result {
	var out, errs bytes.Buffer
	code := run(context.Background(), args, &out, &errs)
	return result{code, out.String(), errs.String()}
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	r := command(args...)
	if r.code != 0 {
		t.Fatalf("solekey-witness %s: code %d: %s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// running is a witness that was started with up --json.
type running struct {
	t      *testing.T
	events []map[string]any
	stop   context.CancelFunc
	ended  chan int
}

// events reads lines of JSON up to the one that says that the witness is up.
func events(t *testing.T, out io.Reader) []map[string]any {
	t.Helper()
	var list []map[string]any
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var event map[string]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%q is no JSON: %v", lines.Text(), err)
		}
		list = append(list, event)
		if event["action"] == "up" {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return list
		}
	}
	t.Fatal("the witness ended before it was up")
	return nil
}

func upArgs(data string, flags []string) []string {
	return append([]string{"up", "--json", "--data", data, "--listen", "127.0.0.1:0", "--name", "witness.example"}, flags...)
}

func start(t *testing.T, data string, flags ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	r := &running{t: t, stop: cancel, ended: make(chan int, 1)}
	go func() {
		r.ended <- run(ctx, upArgs(data, flags), writer, io.Discard)
		_ = writer.Close()
	}()
	r.events = events(t, reader)
	return r
}

func (r *running) end() {
	r.t.Helper()
	r.stop()
	if code := <-r.ended; code != 0 {
		r.t.Fatalf("the witness ended with code %d", code)
	}
}

// event returns the first event with a value under a key.
func event(list []map[string]any, key, value string) map[string]any {
	for _, e := range list {
		if e[key] == value {
			return e
		}
	}
	return nil
}

func address(list []map[string]any) string {
	return "http://" + event(list, "action", "serving")["listen"].(string)
}

// ask sends a log's checkpoint.
func ask(t *testing.T, url string, l *tlogtest.Log, old, size uint64) (int, []byte) {
	t.Helper()
	proof, err := tlog.ProveConsistency(context.Background(), l, min(old, size), size)
	if err != nil {
		t.Fatal(err)
	}
	body := (&tlog.AddCheckpoint{Old: old, Proof: proof, Note: l.NoteOf(t, l.At(t, size), 0)}).Marshal()
	response, err := http.Post(url+witness.PathAddCheckpoint, "", bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	lines, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	return response.StatusCode, lines
}

func grown(t *testing.T, origin string, size int) *tlogtest.Log {
	t.Helper()
	l := tlogtest.New(t, origin)
	for i := range size {
		l.Append(t, fmt.Appendf(nil, "entry %d", i))
	}
	return l
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s, %v", url, response.Status, body, err)
	}
	return string(body)
}

// TestUp: the first start makes keys, shows them, and the witness cosigns with
// them; the second start is the same witness.
func TestUp(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	l := grown(t, "log.example/one", 9)
	r := start(t, data, "--log", l.Secret.Public().String())
	shown := event(r.events, "mode", "extension")
	if shown == nil || event(r.events, "action", "keys-made") == nil {
		t.Fatalf("the first start shows no keys: %v", r.events)
	}
	policy := "log " + l.Secret.Public().String() + "\n" + shown["policy"].(string) + "quorum witness.example\n"
	parsed, err := tlog.ParsePolicy([]byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	status, lines := ask(t, address(r.events), l, 0, 5)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, lines)
	}
	w, err := parsed.Verify(append(l.NoteOf(t, l.At(t, 5), 0), lines...))
	if err != nil || w.Size != 5 || w.Time == 0 || len(w.Cosigners) != 2 {
		t.Errorf("%+v, %v", w, err)
	}
	if text := get(t, address(r.events)+witness.PathVKeys); !strings.HasPrefix(text, "# mode: extension\n"+shown["vkeys"].([]any)[0].(string)+"\n") {
		t.Error(text)
	}
	private := event(r.events, "action", "serving")["metrics"].(string)
	if get(t, private+"/health") != "ok\n" || !strings.Contains(get(t, private+"/metrics"), `solekey_witness_size{log="log.example/one"} 5`) {
		t.Error("no metrics")
	}
	if r := command(upArgs(data, []string{"--log", l.Secret.Public().String()})...); r.code != 11 {
		t.Errorf("a second witness on the folder: code %d: %s", r.code, r.err)
	}
	if said := must(t, "status", "--data", data); !strings.Contains(said, "log.example/one\n  size 5, root ") || !strings.Contains(said, "1 logs, 0 alarms") {
		t.Error(said)
	}
	r.end()

	r = start(t, data, "--log", l.Secret.Public().String())
	defer r.end()
	if event(r.events, "action", "keys-made") != nil {
		t.Error("the second start made keys")
	}
	if status, body := ask(t, address(r.events), l, 0, 9); status != http.StatusConflict || string(body) != "5\n" {
		t.Errorf("status %d: %s", status, body)
	}
	status, lines = ask(t, address(r.events), l, 5, 9)
	if _, err := parsed.Verify(append(l.Note(t, 0), lines...)); status != http.StatusOK || err != nil {
		t.Errorf("status %d, %v", status, err)
	}
}

// TestFork: a second root at one size is an alarm that status shows and ends with.
func TestFork(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	l := grown(t, "log.example/one", 5)
	fork := l.Fork()
	l.Append(t, []byte("one"))
	fork.Append(t, []byte("another"))
	r := start(t, data, "--log", l.Secret.Public().String())
	if status, _ := ask(t, address(r.events), l, 0, 6); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if status, _ := ask(t, address(r.events), fork, 6, 6); status != http.StatusConflict {
		t.Fatalf("a fork: status %d", status)
	}
	r.end()
	got := command("status", "--data", data)
	if got.code != 20 || !strings.Contains(got.out, "second root at size 6") || !strings.Contains(got.out, string(fork.Note(t, 0))) {
		t.Errorf("code %d: %s%s", got.code, got.out, got.err)
	}
	got = command("status", "--json", "--data", data)
	if got.code != 20 || !strings.Contains(got.out, `"message_type":"alarm"`) || !strings.Contains(got.err, `"code":20`) {
		t.Errorf("code %d: %s%s", got.code, got.out, got.err)
	}
}

// TestWrongUsage: every wrong command line says what is wrong, and starts nothing.
func TestWrongUsage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	key := grown(t, "log.example/one", 0).Secret.Public().String()
	for what, c := range map[string]struct {
		args []string
		says string
	}{
		"no log":                 {[]string{"up"}, "--log"},
		"a wrong log":            {[]string{"up", "--log", "log.example"}, "--log log.example"},
		"a log twice":            {[]string{"up", "--log", key, "--log", key}, "named twice"},
		"audit without address":  {[]string{"up", "--log", key, "--audit", "all"}, "--log KEY=URL"},
		"audit of another":       {[]string{"up", "--log", key, "--audit", "other"}, "no --log names"},
		"audit at a bad address": {[]string{"up", "--log", key + "=ftp://x", "--audit", "all"}, "no address of a log"},
		"a bad name":             {[]string{"up", "--log", key, "--name", "a b", "--data", filepath.Join(data, "other")}, "--name"},
		"half of TLS":            {[]string{"up", "--log", key, "--tls-cert", "x"}, "go together"},
		"public metrics":         {[]string{"up", "--log", key, "--metrics", "0.0.0.0:0", "--listen", "127.0.0.1:0"}, "no loopback address"},
		"a bad address":          {[]string{"up", "--log", key, "--listen", "nowhere:x"}, "nowhere"},
		"an unknown command":     {[]string{"upp"}, "did you mean up"},
		"an unknown flag":        {[]string{"up", "--nope"}, "nope"},
		"an argument":            {[]string{"status", "x"}, "no arguments"},
	} {
		got := command(append([]string{"--data", data}, c.args...)...)
		if got.code != 2 || !strings.Contains(got.err, c.says) {
			t.Errorf("%s: code %d: %s", what, got.code, got.err)
		}
	}
	for _, args := range [][]string{{"status"}, {"key"}} {
		if got := command(append(args, "--data", filepath.Join(data, "nowhere"))...); got.code != 10 || !strings.Contains(got.err, "solekey-witness up") {
			t.Errorf("%v: code %d: %s", args, got.code, got.err)
		}
	}
}

// TestForgetfulWitness: keys without their memory sign nothing; a memory without
// keys gets no new ones.
func TestForgetfulWitness(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	l := grown(t, "log.example/one", 5)
	flags := []string{"--log", l.Secret.Public().String()}
	r := start(t, data, flags...)
	if status, _ := ask(t, address(r.events), l, 0, 5); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	r.end()
	other := command("up", "--data", data, "--name", "other.example", "--log", flags[1])
	if other.code != 2 || !strings.Contains(other.err, "is called witness.example") {
		t.Errorf("another name: code %d: %s", other.code, other.err)
	}
	keys := filepath.Join(data, keysName)
	saved, err := os.ReadFile(keys)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keys); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("keys have mode %v, %v", info.Mode(), err)
	}
	if err := os.Remove(keys); err != nil {
		t.Fatal(err)
	}
	if got := command(upArgs(data, flags)...); got.code != 20 || !strings.Contains(got.err, "keys of the witness") {
		t.Errorf("without keys: code %d: %s", got.code, got.err)
	}
	for what, text := range map[string]string{"cut": string(saved[:len(saved)/2]), "a line less": string(saved[bytes.IndexByte(saved, '\n')+1:]), "nothing": ""} {
		if err := os.WriteFile(keys, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := command(upArgs(data, flags)...); got.code != 20 {
			t.Errorf("%s: code %d: %s", what, got.code, got.err)
		}
	}
	if err := os.WriteFile(keys, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(data, memoryName+"*"))
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{upArgs(data, flags), {"status", "--data", data}} {
		if got := command(args...); got.code != 20 || !strings.Contains(got.err, "forgot what it cosigned") {
			t.Errorf("without memory: code %d: %s", got.code, got.err)
		}
	}
}

// TestExitCodesAreExplained: what the pages say is what the program ends with.
func TestExitCodesAreExplained(t *testing.T) {
	named := map[string]bool{}
	for _, item := range pages.Exit {
		named[item[0]] = true
	}
	for _, kind := range []protocol.Kind{
		protocol.KindInternal, protocol.KindUsage, protocol.KindNotFound, protocol.KindBusy, protocol.KindUntrusted, protocol.KindUnsupported,
		protocol.KindUnreachable, protocol.KindInterrupted, protocol.KindFull,
	} {
		if code := fmt.Sprint(exitCode(protocol.Errorf(kind, "it failed"))); !named[code] {
			t.Errorf("%s ends with %s, which no page explains", kind, code)
		}
	}
	if exitCode(context.Canceled) != 130 {
		t.Error("interrupted has another code")
	}
}
