// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory/directorytest"
)

func TestExitCodes(t *testing.T) {
	want := map[protocol.Kind]int{
		protocol.KindInternal: 1, protocol.KindDenied: 1, protocol.KindConflict: 1, protocol.KindExists: 1,
		protocol.KindUsage: 2, protocol.KindUnreadable: 3, protocol.KindNotFound: 10, protocol.KindBusy: 11,
		protocol.KindWrongSecret: 12, protocol.KindUntrusted: 20, protocol.KindQuota: 21, protocol.KindUnreachable: 22,
		protocol.KindRemoved: 23, protocol.KindWaiting: 24, protocol.KindTooOld: 25, protocol.KindInterrupted: 130,
	}
	for kind, code := range want {
		if got := exitCode(protocol.Errorf(kind, "x")); got != code {
			t.Errorf("%s: %d, want %d", kind, got, code)
		}
		if got := exitCode(fmt.Errorf("outer: %w", protocol.Errorf(kind, "x"))); got != code {
			t.Errorf("wrapped %s: %d, want %d", kind, got, code)
		}
		if exitWords[code] == "" {
			t.Errorf("exit code %d has no words", code)
		}
	}
	if got := exitCode(fmt.Errorf("no kind")); got != exitFailed {
		t.Errorf("an error without a kind: %d", got)
	}
}

// everyCommand visits the commands below one.
func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, visit)
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	root := newRoot(&app{streams: &streams{}})
	everyCommand(root, func(c *cobra.Command) {
		if c.HasParent() && (c.Example == "" || c.Short == "" || c.Long == "" && !c.HasSubCommands()) {
			t.Errorf("%s lacks words or an example", c.CommandPath())
		}
	})
}

func TestUsage(t *testing.T) {
	for _, line := range []string{
		"frob", "backups", "device frob", "device list extra", "version --frob", "whoami extra", "completion", "completion ksh",
		"device rename one", "join a b", "recovery frob", "status --max-age soon", "device approve a b",
	} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), strings.Fields(line), &streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != exitUsage {
			t.Errorf("solekey %s: exit code %d, want 2: %s", line, code, &errs)
		}
		if out.Len() > 0 {
			t.Errorf("solekey %s writes to stdout: %s", line, &out)
		}
	}
}

func TestCommandsWithoutDevice(t *testing.T) {
	m := newMachine(t)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if got := m.exits(0, "completion", shell); !strings.Contains(got.out, "solekey") {
			t.Errorf("completion %s: %q", shell, got.out)
		}
	}
	version := objects(t, m.exits(0, "version", "--json").out)[0]
	for _, field := range []string{"program", "version", "revision", "go", "platform", "format", "api"} {
		if version[field] == nil {
			t.Errorf("version lacks %s", field)
		}
	}
	m.exits(0, "version")
	m.exits(0, "man", m.path("man"))
	for _, args := range []string{"whoami", "status", "doctor", "device list", "device link", "recovery list", "recovery test", "backup /"} {
		got := m.exits(exitNotFound, strings.Fields(args)...)
		if !strings.Contains(got.err, "join") {
			t.Errorf("%s does not say what to do: %s", args, got.err)
		}
	}
}

func TestEnvironmentSetsFlags(t *testing.T) {
	m := newMachine(t)
	t.Setenv("SOLEKEY_JSON", "true")
	if got := m.exits(exitNotFound, "whoami"); !strings.Contains(got.err, `"exit_error"`) {
		t.Errorf("SOLEKEY_JSON did nothing: %s", got.err)
	}
	t.Setenv("SOLEKEY_MAX_AGE", "soon")
	m.exits(exitUsage, "status")
}

func TestParseLink(t *testing.T) {
	full := api.Invite{Host: "host:1", Pin: api.Pin{1}, World: protocol.Hash{2}}
	secret := api.Invite{Host: "a", Secret: api.InviteSecret{1}, World: protocol.Hash{2}}
	cases := map[string]api.Invite{
		full.URL():                       full,
		strings.ToUpper(full.URL()):      full,
		" https://cloud.example.org/ \n": {Host: "cloud.example.org"},
		"https://cloud.example.org:8443": {Host: "cloud.example.org:8443"},
		secret.URL():                     secret,
	}
	for text, want := range cases {
		if got, err := parseLink(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "host", "http://host", "https://", "https://a/b", "https://a/i/x", full.URL() + "a"} {
		if _, err := parseLink(text); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKitReadsBack(t *testing.T) {
	d := &state.Device{Server: "host:8443", Pin: api.Pin{7}, Name: "alice", Account: protocol.AccountID{1}}
	kit := newKit(keyring.GenerateRecoveryKey(), d, directorytest.New(t).World)
	for _, text := range []string{kit.text(), strings.ReplaceAll(kit.text(), "\n", "\r\n"), "> " + kit.text(), strings.ToUpper(kit.text()[:0]) + kit.text()} {
		got, err := parseKit([]byte(text))
		if err != nil || got.key.Locator() != kit.key.Locator() || got.server.Host != d.Server || got.server.Pin != d.Pin {
			t.Fatalf("%q: %v, %v", text, got, err)
		}
	}
	written := kit.key.Written()
	wrong := strings.Replace(kit.text(), written, "A"+written, 1)
	if _, err := parseKit([]byte(wrong)); protocol.KindOf(err) != protocol.KindWrongSecret || strings.Contains(err.Error(), written[:4]) {
		t.Errorf("a mistyped key: %v", err)
	}
	for _, text := range []string{"", "Server: https://a", "Recovery key: " + written, "Server: nonsense\nRecovery key: " + written} {
		if _, err := parseKit([]byte(text)); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%q: %v", text, err)
		}
	}
	box := kit.box()
	place, err := kit.key.OpenPlace(box.Box)
	if err != nil || place.Account != d.Account || place.Server != d.Server || place.Pin != protocol.Hash(d.Pin) || place.Name != d.Name {
		t.Errorf("the box: %v, %v", place, err)
	}
}

func TestVoidKitIsRemoved(t *testing.T) {
	m := newMachine(t)
	d := &state.Device{Server: "host:8443", Name: "alice", Account: protocol.AccountID{1}}
	joined := directorytest.New(t).World
	kit, other := newKit(keyring.GenerateRecoveryKey(), d, joined), newKit(keyring.GenerateRecoveryKey(), d, joined)
	w := &writtenKit{Path: m.write("kit", other.text()), Member: kit.key.Member().ID()}
	if err := w.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := (&app{streams: &streams{}}).readKit(m.path("kit")); err != nil {
		t.Errorf("another kit was removed: %v", err)
	}
	m.write("kit", kit.text())
	if err := w.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := (&app{streams: &streams{}}).readKit(m.path("kit")); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("the void kit is still there: %v", err)
	}
}

func TestWords(t *testing.T) {
	ages := map[time.Duration]string{
		0: "just now", 119 * time.Second: "just now", 10 * time.Minute: "10 minutes ago", 3 * time.Hour: "3 hours ago",
		72 * time.Hour: "3 days ago", -time.Hour: "just now",
	}
	for d, want := range ages {
		if got := age(d); got != want {
			t.Errorf("age(%s) = %q, want %q", d, got, want)
		}
	}
	if got := plural(1, "vault") + " " + plural(0, "vault") + " " + plural(2, "vault"); got != "1 vault 0 vaults 2 vaults" {
		t.Errorf("plural: %q", got)
	}
	if got := grouped("ABCDEFGHIJKLM"); got != "ABCDEF-GHIJKL-M" {
		t.Errorf("grouped: %q", got)
	}
	prefixes := []struct {
		text string
		want bool
	}{{"abc", false}, {"abcd", true}, {"abcdef", true}, {"abce", false}, {"abcdefg", false}, {"", false}}
	for _, p := range prefixes {
		if isPrefix(p.text, "abcdef") != p.want {
			t.Errorf("isPrefix(%q) is not %v", p.text, p.want)
		}
	}
	if waysBack(&state.Device{Role: protocol.RoleOwner}, 1, 1) != 1 || waysBack(&state.Device{Role: protocol.RoleWriter}, 1, 1) != 2 {
		t.Error("ways back")
	}
}
