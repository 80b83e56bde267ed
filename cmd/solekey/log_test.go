// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/test/world"
)

// kept opens the machine's memory.
func (m *machine) kept() *state.State {
	m.t.Helper()
	kept, err := state.OpenReader(m.path("state"), m.path("cache"))
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = kept.Close() })
	return kept
}

// logSummary is the object of log status.
func (m *machine) logSummary(code int) map[string]any {
	m.t.Helper()
	return objects(m.t, m.exits(code, "log", "status", "--json").out)[0]
}

// TestAlarmHoldsWrites: while an alarm stands what writes ends with 20, what reads
// goes on, and only the user's own act ends it.
func TestAlarmHoldsWrites(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.exits(0, "backup", desk.path("password"))
	alarm, err := desk.kept().RaiseAlarm(&state.Alarm{Time: 5, Kind: "fork", Text: "the server showed two logs"}, []byte("proof"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"backup " + desk.path("password"), "device rename desk table", "status", "log status", "log alarms", "key fingerprint bert"} {
		if got := desk.exits(exitUntrusted, strings.Fields(line)...); !strings.Contains(got.out+got.err, "fork") {
			t.Errorf("%s does not name the alarm:\n%s%s", line, got.out, got.err)
		}
	}
	desk.exits(exitFailed, "doctor")
	desk.exits(0, "snapshots")
	desk.exits(0, "restore", "latest", "-t", desk.path("out"))
	list := objects(t, desk.exits(exitUntrusted, "log", "alarms", "--json").out)
	if len(list) != 1 || list[0]["stands"] != true || list[0]["evidence"] != desk.kept().EvidencePath(alarm) || list[0]["evidence"] == "" {
		t.Errorf("the list is %v", list)
	}
	if got := desk.logSummary(exitUntrusted); got["proof"] != "alarmed" {
		t.Errorf("log status: %v", got["proof"])
	}
	desk.exits(exitUsage, "log", "alarms", "note", "one")
	desk.exits(exitNotFound, "log", "alarms", "note", "2")
	if got := objects(t, desk.exits(0, "log", "alarms", "note", "1", "--json").out)[0]; got["writes"] != true {
		t.Errorf("after taking note: %v", got)
	}
	desk.exits(0, "backup", desk.path("password"))
	desk.exits(0, "status")
	if list := objects(t, desk.exits(0, "log", "alarms", "--json").out); len(list) != 1 || list[0]["stands"] != false {
		t.Errorf("a noted alarm is in the list as %v", list)
	}
}

// policyOf writes a policy for the machine's log with witnesses of its own.
func (m *machine) policyOf(lines ...string) string {
	m.t.Helper()
	w, err := m.kept().World()
	if err != nil {
		m.t.Fatal(err)
	}
	return m.write("policy", strings.Join(append([]string{"log " + w.Log().String()}, lines...), "\n")+"\n")
}

func witnessLine(t *testing.T, name string) string {
	t.Helper()
	secret, err := tlog.GenerateWitnessSecret(name, tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	return "witness " + strings.ReplaceAll(name, "/", "-") + " " + secret.Public().String()
}

// TestQuorumIsALocalAct: a stricter quorum is demanded at once, by this device
// alone; further devices still join with what the server hands out.
func TestQuorumIsALocalAct(t *testing.T) {
	t.Parallel()
	w, desk := opened(t)
	desk.exits(0, "backup", desk.path("password"))
	link := desk.link()
	strict := desk.policyOf(witnessLine(t, "w.example/audit"), "quorum w.example-audit")
	if got := desk.exits(exitUsage, "log", "quorum", strict); !strings.Contains(got.err, "--yes") {
		t.Errorf("nobody was asked: %s", got.err)
	}
	if got := objects(t, desk.exits(0, "log", "quorum", "--json").out); len(got) != 1 || got[0]["witness_demanded"] != false {
		t.Errorf("unconfirmed, and changed: %v", got)
	}
	both := objects(t, desk.exits(0, "log", "quorum", strict, "--yes", "--json").out)
	if len(both) != 2 || both[0]["which"] != "before" || both[1]["which"] != "after" || both[1]["auditor_demanded"] != true {
		t.Errorf("shown were %v", both)
	}
	// Nobody cosigns: own backups go on, and nobody new is let in.
	desk.exits(0, "backup", desk.path("password"))
	if got := desk.logSummary(0); got["witness_demanded"] != true || got["auditor_demanded"] != true {
		t.Errorf("log status: %v", got)
	}
	if got := desk.exits(exitUnreachable, "recovery", "kit", "--out", desk.path("second")); !strings.Contains(got.err, "witness") {
		t.Errorf("a recovery key without a proof: %s", got.err)
	}
	if desk.link() != link {
		t.Error("the link for further devices names a log that the server does not hand out")
	}
	desk.exits(0, "log", "quorum", "--offered", "--yes")
	desk.exits(0, "recovery", "kit", "--out", desk.path("second"))
	other := world.New(t, programs)
	stranger := newMachine(t)
	stranger.exits(0, "join", "--name", "eve", "--recovery-out", stranger.path("kit"), other.Provider.Invite())
	if got := desk.exits(exitUntrusted, "log", "quorum", stranger.policyOf("quorum none"), "--yes"); !strings.Contains(got.err, "another log") {
		t.Errorf("the policy of another log: %s", got.err)
	}
	desk.exits(exitUsage, "log", "quorum", desk.path("password"), "--yes")
	desk.exits(exitUsage, "log", "quorum", desk.path("nothing"), "--yes")
	_ = w
}

// TestLogWarnings: each warning says what happened, and what to do.
func TestLogWarnings(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.exits(0, "status")
	d, err := desk.kept().Device()
	if err != nil {
		t.Fatal(err)
	}
	a := &app{streams: &streams{}}
	cases := map[string]struct {
		change func(*logStanding)
		status trust.Status
		says   string
		fails  protocol.Kind
	}{
		"fresh":      {func(*logStanding) {}, trust.StatusFresh, "no witness is demanded", ""},
		"aging":      {func(l *logStanding) { l.age = directory.SoftAge + time.Hour }, trust.StatusAging, "Nothing is held back", ""},
		"old":        {func(l *logStanding) { l.age = directory.HardAge + time.Hour }, trust.StatusHeld, "nobody new is let in", protocol.KindTooOld},
		"behind":     {func(l *logStanding) { l.behind = 49 * time.Hour }, trust.StatusFresh, "no proof of the newest snapshots", protocol.KindTooOld},
		"not behind": {func(l *logStanding) { l.behind = 47 * time.Hour }, trust.StatusFresh, "", ""},
		"unproven":   {func(l *logStanding) { l.view = nil }, trust.StatusHeld, "is proven to this device yet", ""},
	}
	for name, c := range cases {
		l, err := a.logStanding(desk.kept(), d)
		if err != nil {
			t.Fatal(err)
		}
		c.change(l)
		if got := l.status(); got != c.status {
			t.Errorf("%s: %s, want %s", name, got, c.status)
		}
		if all := strings.Join(l.warnings(), "\n"); !strings.Contains(all, c.says) {
			t.Errorf("%s: says %q", name, all)
		}
		if err := l.failure(desk.kept()); protocol.KindOf(err) != c.fails {
			t.Errorf("%s: ends with %v", name, err)
		}
	}
}

// TestDemandedWitnesses: what a policy does not demand is named, and what that costs.
func TestDemandedWitnesses(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	plain, audit := witnessLine(t, "w.example"), witnessLine(t, "a.example/audit")
	own := witnessLine(t, "own.example") + " https://cloud.example:8445"
	cases := map[string]struct {
		lines   []string
		missing []string // words of each text, in order
	}{
		"nobody":               {[]string{"quorum none"}, []string{"no witness is demanded"}},
		"one that only looks":  {[]string{plain, "quorum w.example"}, []string{"no auditing witness"}},
		"an auditor":           {[]string{audit, "quorum a.example-audit"}, nil},
		"either":               {[]string{plain, audit, "group g 1 w.example a.example-audit", "quorum g"}, []string{"no auditing witness"}},
		"both":                 {[]string{plain, audit, "group g 2 w.example a.example-audit", "quorum g"}, nil},
		"a group of auditors":  {[]string{plain, "group auditing 1 w.example", "quorum auditing"}, nil},
		"the provider's own":   {[]string{own, "quorum own.example"}, []string{"no auditing witness", "own address"}},
		"its own, and another": {[]string{own, audit, "group g 2 own.example a.example-audit", "quorum g"}, nil},
	}
	for name, c := range cases {
		text, err := os.ReadFile(desk.policyOf(c.lines...))
		if err != nil {
			t.Fatal(err)
		}
		policy, err := tlog.ParsePolicy(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := lacks(policy, "cloud.example:8443")
		if len(got) != len(c.missing) {
			t.Errorf("%s: %q", name, got)
			continue
		}
		for i, words := range c.missing {
			if !strings.Contains(got[i], words) {
				t.Errorf("%s: %q, want %q", name, got[i], words)
			}
		}
	}
	for address, same := range map[string]bool{
		"https://cloud.example:1/x": true, "https://CLOUD.example": true, "http://127.0.0.1:8445": true, "http://localhost": true,
		"https://w.example": false, "": false, "::": false,
	} {
		if sameHost(address, "cloud.example:8443") != same {
			t.Errorf("%q is at the server: %v", address, !same)
		}
	}
}

// TestContactsNotice: that somebody else wants a contact's name is said while the two
// can still talk about it.
func TestContactsNotice(t *testing.T) {
	p := directorytest.New(t)
	state := genesisOf(t)
	p.Move("bert", state)
	p.Publish()
	leaf, _ := p.Leaf("bert")
	leaf.Notice = &directory.PendingNotice{Position: 2, Time: p.Now()}
	p.SetLeaf("bert", &leaf)
	p.Publish()
	_, found, err := p.World.Look(nil, "bert", p.Lookup("bert", 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	standing, err := found.Standing(nil, state, p.Now())
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	c := &contact{name: "bert", standing: standing}
	c.noticed(&app{streams: &streams{Out: &out, Err: &errs}})
	if !strings.Contains(errs.String(), "another identity") || c.object()["notice_time"] == nil {
		t.Errorf("says %q, %v", &errs, c.object())
	}
}

// genesisOf returns the ledger of an account that was just opened.
func genesisOf(t *testing.T) *ledger.State {
	t.Helper()
	d, err := keyring.Create(keys.GenerateMemberSecrets(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return d.Batch().State
}

// TestAccusationsBecomeAlarms: whatever command comes by a proof of a lie remembers it.
func TestAccusationsBecomeAlarms(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.exits(0, "status")
	a := &app{streams: &streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}}
	a.flags.stateDir, a.flags.cacheDir, a.flags.keyFile = desk.path("state"), desk.path("cache"), desk.path("key")
	a.flags.passwordFile = desk.path("password")
	err := a.withSession(func(*session) error {
		return protocol.Wrap(protocol.KindUntrusted, &directory.Alarm{Kind: directory.AlarmRollback, Text: "an older log"}, "list")
	})
	if h := trust.HeldBy(err); h == nil || h.Alarm.Kind != "rollback" {
		t.Fatalf("no alarm: %v", err)
	}
	if got := desk.exits(exitUntrusted, "log", "alarms"); !strings.Contains(got.out, "an older log") {
		t.Errorf("not remembered: %s", got.out)
	}
}

// TestWithheldProofsFail: a device that comes back says with its exit code that the
// newest may be hidden from it.
func TestWithheldProofsFail(t *testing.T) {
	j := &joining{app: &app{streams: &streams{}}}
	if err := j.newEnough(); err != nil {
		t.Error(err)
	}
	j.doubt.Withheld = 2
	if err := j.newEnough(); protocol.KindOf(err) != protocol.KindTooOld || !strings.Contains(err.Error(), "2 proofs") {
		t.Errorf("ends with %v", err)
	}
	j.doubt = doubt{Unreadable: 1}
	if err := j.newEnough(); protocol.KindOf(err) != protocol.KindTooOld || !strings.Contains(err.Error(), "1 false proof") {
		t.Errorf("unproven, it ends with %v", err)
	}
}

// TestAcceptOlder: proofs that a device in wrong hands may have made up are forgotten
// by an act of the user, and by nothing else.
func TestAcceptOlder(t *testing.T) {
	t.Parallel()
	_, desk := opened(t)
	desk.exits(0, "backup", desk.path("password"))
	d, err := desk.kept().Device()
	if err != nil {
		t.Fatal(err)
	}
	made, err := json.Marshal([]trust.AnchoredHead{{Vault: d.BackupVault, Seq: 1 << 30, Hash: protocol.Hash{1}, Epoch: 1, Period: "2026-11-21"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := desk.kept().SetNote("anchored-heads", made); err != nil {
		t.Fatal(err)
	}
	if got := desk.exits(exitUntrusted, "backup", desk.path("password")); !strings.Contains(got.err, "accept-older") {
		t.Errorf("it does not say what to do: %s", got.err)
	}
	if got := desk.exits(exitUsage, "repair", "accept-older"); !strings.Contains(got.out, "record 1073741824") {
		t.Errorf("it does not say what is given up: %s", got.out)
	}
	desk.exits(exitUntrusted, "backup", desk.path("password"))
	desk.exits(0, "repair", "accept-older", "--yes")
	desk.exits(0, "backup", desk.path("password"))
	desk.exits(exitNotFound, "repair", "accept-older", "--yes")
}
