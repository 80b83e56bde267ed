// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

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
		t.Fatalf("solekeyd %s: code %d: %s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// running is a server that was started with up --json.
type running struct {
	t      *testing.T
	data   string
	events []map[string]any
	stop   context.CancelFunc
	ended  chan int
}

// start runs `up` until its self-check is through.
func start(t *testing.T, data string, flags ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	r := &running{t: t, data: data, stop: cancel, ended: make(chan int, 1)}
	go func() {
		args := append([]string{"up", "--json", "--data", data, "--listen", "127.0.0.1:0"}, flags...)
		r.ended <- run(ctx, args, writer, os.Stderr)
		_ = writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		var event map[string]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatalf("%q is no JSON: %v", lines.Text(), err)
		}
		r.events = append(r.events, event)
		if event["action"] == "self-check" {
			go func() { _, _ = io.Copy(io.Discard, reader) }()
			return r
		}
	}
	t.Fatalf("the server ended before its self-check, code %d", <-r.ended)
	return nil
}

// event returns the one event with a value under a key.
func (r *running) event(key, value string) map[string]any {
	for _, event := range r.events {
		if event[key] == value {
			return event
		}
	}
	return nil
}

func (r *running) end() {
	r.t.Helper()
	r.stop()
	if code := <-r.ended; code != 0 {
		r.t.Fatalf("the server ended with code %d", code)
	}
}

// post sends JSON to the running server.
func (r *running) post(path, token string, body any) (int, []byte) {
	r.t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		raw, _ = json.Marshal(body) // types of package api always encode
	}
	return r.do(http.MethodPost, path, token, raw)
}

func (r *running) do(method, path, token string, raw []byte) (int, []byte) {
	r.t.Helper()
	request, err := http.NewRequest(method, "https://"+r.event("action", "serving")["listen"].(string)+path, bytes.NewReader(raw))
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	answer, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.TLS.Version != tls.VersionTLS13 {
		r.t.Errorf("TLS version %x", answer.TLS.Version)
	}
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, data
}

// join opens an account with the invite.
func (r *running) join(invite, name string) *accountstest.Holder {
	r.t.Helper()
	h := accountstest.NewHolder(r.t)
	world, found := r.look(name)
	if found.Present() {
		r.t.Fatalf("%s is there before anybody joined", name)
	}
	h.Enter(world.Log(), found.Index())
	if status, body := r.post(api.PathAccounts, "", h.Create(invite, name)); status != http.StatusCreated {
		r.t.Fatalf("open account: %d: %s", status, body)
	}
	return h
}

// signIn opens a session, signed for the server that the invite names.
func (r *running) signIn(h *accountstest.Holder, server string) string {
	r.t.Helper()
	_, body := r.post(api.PathChallenges, "", api.ChallengeRequest{Account: h.Account(), Member: h.Owner.ID()})
	var c api.Challenge
	if err := json.Unmarshal(body, &c); err != nil {
		r.t.Fatal(err)
	}
	claim := api.SessionClaim{Server: server, Account: h.Account(), Member: h.Owner.ID(), Nonce: c.Nonce}
	status, body := r.post(api.PathSessions, "", api.SessionRequest{Account: h.Account(), Member: h.Owner.ID(), Nonce: c.Nonce, Signature: claim.Sign(h.Owner.Signing)})
	var s api.Session
	if err := json.Unmarshal(body, &s); err != nil || status != http.StatusOK {
		r.t.Fatalf("sign in: %d: %s", status, body)
	}
	return s.Token
}

func field(t *testing.T, line, name string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	text, _ := object[name].(string)
	return text
}

// TestLifeOfAServer: first start, accounts, backup while it runs, restore,
// damage found, database rebuilt.
func TestLifeOfAServer(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data, "--url", "https://cloud.example.org:8443")
	invite := r.event("message_type", "invite")["url"].(string)
	if !strings.HasPrefix(invite, "https://cloud.example.org:8443/i/") {
		t.Fatalf("invite %q", invite)
	}
	parsed, err := api.ParseInvite(invite)
	if err != nil {
		t.Fatal(err)
	}
	h := r.join(invite, "anna")
	token := r.signIn(h, parsed.Server())
	path := api.PathVault(h.Account(), h.Vault) + api.BelowSnapshots
	if status, body := r.post(path, token, h.Run(h.Owner, api.Head{})); status != http.StatusOK {
		t.Fatalf("commit: %d: %s", status, body)
	}

	other := field(t, must(t, "invite", "--json", "--data", data), "url")
	if other == invite || !strings.HasPrefix(other, "https://cloud.example.org:8443/i/") {
		t.Errorf("second invite %q", other)
	}
	r.join(other, "bert")
	if list := must(t, "account", "list", "--data", data); strings.Count(list, "\n") != 2 || !strings.Contains(list, "anna") {
		t.Errorf("accounts:\n%s", list)
	}
	must(t, "account", "suspend", "anna", "--data", data)
	must(t, "quota", "anna", "5GB", "--data", data)
	if line := must(t, "account", "show", h.Account().String(), "--json", "--data", data); !strings.Contains(line, `"suspended":true`) || !strings.Contains(line, `"quota":5000000000`) {
		t.Errorf("account: %s", line)
	}
	must(t, "account", "resume", "anna", "--data", data)
	if r := command("account", "show", "nobody", "--data", data); r.code != 10 {
		t.Errorf("an unknown account: code %d", r.code)
	}
	if r := command("up", "--data", data, "--listen", "127.0.0.1:0"); r.code != 11 {
		t.Errorf("a second server: code %d: %s", r.code, r.err)
	}
	if r := command("doctor", "--rebuild", "--data", data); r.code != 11 {
		t.Errorf("rebuild beside a server: code %d: %s", r.code, r.err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, "backup", copied, "--data", data)
	must(t, "doctor", "--read-data", "--data", data)
	r.end()
	afterwards(t, data, copied, h, parsed.Server())
}

// afterwards brings the backup back, and then loses and damages things.
func afterwards(t *testing.T, data, copied string, h *accountstest.Holder, server string) {
	t.Helper()
	if r := command("restore", copied, "--data", data); r.code == 0 || !strings.Contains(r.err, "not empty") {
		t.Errorf("restore over a server: code %d: %s", r.code, r.err)
	}
	again := filepath.Join(t.TempDir(), "again")
	must(t, "restore", copied, "--data", again)
	r := start(t, again, "--url", "https://cloud.example.org:8443")
	if r.event("message_type", "invite") != nil {
		t.Error("a restored server hands out a first invite")
	}
	r.signIn(h, server) // same keys: the device still recognises it
	r.end()

	must(t, "doctor", "--rebuild", "--data", again)
	if line := must(t, "account", "show", "anna", "--json", "--data", again); !strings.Contains(line, `"quota":5000000000`) || !strings.Contains(line, h.Account().String()) {
		t.Errorf("rebuilt account: %s", line)
	}
	snapshots, err := filepath.Glob(filepath.Join(again, blobsName, h.Account().String(), "snapshot", "*"))
	if err != nil || len(snapshots) != 1 {
		t.Fatalf("%v, %v", snapshots, err)
	}
	damage(t, snapshots[0])
	must(t, "doctor", "--data", again)
	if r := command("doctor", "--read-data", "--json", "--data", again); r.code != 20 || !strings.Contains(r.out, "damaged") {
		t.Errorf("a damaged blob: code %d: %s", r.code, r.out)
	}
	if err := os.Remove(snapshots[0]); err != nil {
		t.Fatal(err)
	}
	if r := command("doctor", "--data", again); r.code != 20 || !strings.Contains(r.out, "missing") {
		t.Errorf("a missing blob: code %d: %s", r.code, r.out)
	}
	if err := os.Chmod(filepath.Join(again, keysName), 0o755); err != nil {
		t.Fatal(err)
	}
	if r := command("doctor", "--data", again); !strings.Contains(r.out, "others may read") {
		t.Errorf("open permissions: %s", r.out)
	}
}

// damage changes one bit; the file may be a hard link, so it is written anew.
func damage(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMissingKeys: a server that lost its keys does not make new ones.
func TestMissingKeys(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	start(t, data).end()
	for _, key := range keyFiles() {
		path := filepath.Join(data, keysName, key)
		kept, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, left := range [][]byte{nil, []byte("garbage"), kept[:len(kept)/2]} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if left != nil {
				if err := os.WriteFile(path, left, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if r := command("up", "--data", data, "--listen", "127.0.0.1:0"); r.code != 10 && r.code != 20 || !strings.Contains(r.err, "backup") {
				t.Errorf("%s as %.10q: code %d: %s", key, left, r.code, r.err)
			}
			if err := os.WriteFile(path, kept, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	start(t, data).end()
}

// TestLostDatabase: the next start rebuilds it; without keys it is refused.
func TestLostDatabase(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := start(t, data)
	r.join(r.event("message_type", "invite")["url"].(string), "anna")
	r.end()
	lose := func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(filepath.Join(data, databaseName+suffix))
		}
	}
	lose()
	r = start(t, data)
	if r.event("action", "reconciled") == nil || r.event("message_type", "invite") != nil {
		t.Errorf("after the loss: %v", r.events)
	}
	r.end()
	must(t, "account", "show", "anna", "--data", data)
	if err := os.WriteFile(filepath.Join(data, databaseName), bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command("up", "--data", data, "--listen", "127.0.0.1:0"); r.code != 20 || !strings.Contains(r.err, "doctor --rebuild") {
		t.Errorf("a damaged database: code %d: %s", r.code, r.err)
	}
	must(t, "doctor", "--rebuild", "--sweep", "--data", data)
	must(t, "account", "show", "anna", "--data", data)
	lose()
	if err := os.RemoveAll(filepath.Join(data, keysName)); err != nil {
		t.Fatal(err)
	}
	if r := command("up", "--data", data, "--listen", "127.0.0.1:0"); r.code != 10 {
		t.Errorf("without keys and database: code %d: %s", r.code, r.err)
	}
}

func TestNightlyBackup(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s, err := createSite(context.Background(), data, "cloud.example.org:8443")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	day := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	for i := range keptBackups + 3 {
		for range 2 {
			if err := s.nightly(context.Background(), day.AddDate(0, 0, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	entries, err := os.ReadDir(filepath.Join(data, backupsName))
	if err != nil || len(entries) != keptBackups || entries[0].Name() != "2026-01-04" {
		t.Fatalf("%v, %v", entries, err)
	}
	newest := filepath.Join(data, backupsName, entries[len(entries)-1].Name())
	if r := command("restore", newest, "--data", filepath.Join(t.TempDir(), "x")); r.code != 2 {
		t.Errorf("restore of a nightly copy alone: code %d: %s", r.code, r.err)
	}
}

func TestMetricsAndHealth(t *testing.T) {
	r := start(t, filepath.Join(t.TempDir(), "data"))
	base := r.event("action", "serving")["metrics"].(string)
	for path, want := range map[string]string{"/health": "ok", "/metrics": "solekeyd_accounts 0"} {
		answer, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if !strings.Contains(string(body), want) {
			t.Errorf("%s: %s", path, body)
		}
	}
	r.end()
	if r := command("up", "--data", filepath.Join(t.TempDir(), "d"), "--listen", "127.0.0.1:0", "--metrics", "0.0.0.0:0"); r.code != 2 {
		t.Errorf("metrics for everybody: code %d: %s", r.code, r.err)
	}
}

func TestUsage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"up", "--surprise"}, 2},
		{[]string{"up", "extra"}, 2},
		{[]string{"up", "--quota", "much", "--data", data}, 2},
		{[]string{"up", "--retention-days", "-1", "--data", data}, 2},
		{[]string{"up", "--url", "http://x", "--data", data, "--listen", "127.0.0.1:0"}, 2},
		{[]string{"up", "--listen", "nowhere", "--data", data}, 2},
		{[]string{"account"}, 2},
		{[]string{"quota", "anna"}, 2},
		{[]string{"invite", "--data", data}, 10},
		{[]string{"doctor", "--data", data}, 10},
		{[]string{"backup", data, "--data", data}, 10},
		{[]string{"restore", data, "--data", data}, 2},
		{[]string{"version"}, 0},
		{[]string{"--help"}, 0},
		{[]string{"completion", "fish"}, 0},
	} {
		if r := command(c.args...); r.code != c.code {
			t.Errorf("solekeyd %s: code %d, want %d: %s", strings.Join(c.args, " "), r.code, c.code, r.err)
		}
	}
	r := command("invite", "--json", "--data", data)
	if field(t, r.err, "message_type") != "exit_error" || field(t, r.err, "kind") != string(protocol.KindNotFound) || r.out != "" {
		t.Errorf("as JSON: out %q, err %q", r.out, r.err)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Error("a refused command made a data folder")
	}
}

func TestEnvironment(t *testing.T) {
	data := filepath.Join(t.TempDir(), "from-environment")
	t.Setenv("SOLEKEYD_DATA", data)
	if r := command("invite"); !strings.Contains(r.err, data) {
		t.Errorf("SOLEKEYD_DATA: %s", r.err)
	}
	if r := command("invite", "--data", data+"2"); !strings.Contains(r.err, data+"2") {
		t.Errorf("the flag does not win: %s", r.err)
	}
	t.Setenv("SOLEKEYD_JSON", "perhaps")
	if r := command("invite"); r.code != 2 {
		t.Errorf("a wrong value: code %d: %s", r.code, r.err)
	}
}

func TestEveryCommandHasExamples(t *testing.T) {
	root := (&program{out: io.Discard, err: io.Discard}).root()
	commands := root.Commands()
	for len(commands) > 0 {
		cmd := commands[0]
		commands = append(commands[1:], cmd.Commands()...)
		if name := cmd.Name(); cmd.Example == "" && name != "help" && cmd.Parent().Name() != "completion" && name != "completion" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0, "none": 0, "0": 0, "17": 17, "17B": 17, "1KB": 1000, "1KiB": 1024, "1K": 1024, "1.5G": 3 << 29,
		"500GB": 500_000_000_000, "2TiB": 2 << 40,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "-1", "5XB", "5 GB x", "1e30", "GB", "5gb"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	for size, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3 << 29: "1.5 GiB"} {
		if got := printSize(size); got != want {
			t.Errorf("%d: %s, want %s", size, got, want)
		}
	}
}

func TestQR(t *testing.T) {
	var out bytes.Buffer
	terminal.PrintQR(&out, api.GenerateInvite("192.168.1.5:8443", api.Pin{1}, protocol.Hash{2}).URL())
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) < 17 || len([]rune(lines[0])) > 60 {
		t.Errorf("%d lines of %d", len(lines), len([]rune(lines[0])))
	}
	for i, line := range lines {
		if len([]rune(line)) != len([]rune(lines[0])) {
			t.Errorf("line %d has another length", i)
		}
	}
}
