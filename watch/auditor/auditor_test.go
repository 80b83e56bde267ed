// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/evidence"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow"
	"github.com/solekey/solekey/watch/follow/followtest"
)

var (
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	hour  = protocol.Time(time.Hour)
)

// audit is an auditor over a log, and what it told.
type audit struct {
	t      *testing.T
	log    *followtest.Log
	config auditor.Config
	path   string
	events []string
	now    time.Time
}

// newAudit returns an auditor's surroundings, with an hour's log.
func newAudit(t *testing.T) *audit {
	t.Helper()
	a := &audit{t: t, log: followtest.New(t, "log.example/one", protocol.TimeOf(start)), path: filepath.Join(t.TempDir(), "audit.db"), now: start.Add(time.Hour)}
	a.config = auditor.Config{
		Log: a.log.Key(), Source: a.log, Clock: func() time.Time { return a.now },
		Event: func(e auditor.Event) { a.events = append(a.events, fmt.Sprint(e.Position, " ", e.Entry.Kind())) },
	}
	return a
}

// step runs one step, of an auditor that was started anew.
func (a *audit) step() (*auditor.Report, error) {
	a.t.Helper()
	return a.start(func(au *auditor.Auditor) (*auditor.Report, error) { return au.Step(a.t.Context()) })
}

func (a *audit) start(run func(*auditor.Auditor) (*auditor.Report, error)) (*auditor.Report, error) {
	a.t.Helper()
	store, err := follow.Open(a.t.Context(), a.path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			a.t.Error(err)
		}
	}()
	config := a.config
	config.Store = store
	return run(auditor.New(config))
}

// good runs a step that must find nothing.
func (a *audit) good() *auditor.Report {
	a.t.Helper()
	r, err := a.step()
	if err != nil {
		a.t.Fatal(err)
	}
	if head := a.log.Head(); r.Size != head.Size || r.Root != head.Root {
		a.t.Fatalf("the report is of %d entries, want %d", r.Size, head.Size)
	}
	return r
}

// found runs a step that must find a breach of the rule, twice: what is broken stays
// broken. Where there is evidence, others must come to the same verdict.
func (a *audit) found(rule string, evident bool) *auditor.Finding {
	a.t.Helper()
	var last *auditor.Finding
	for range 2 {
		r, err := a.step()
		var f *auditor.Finding
		if !errors.As(err, &f) || protocol.KindOf(err) != protocol.KindUntrusted || r != nil {
			a.t.Fatalf("found %v, want a breach of %s", err, rule)
		}
		by := a.log.Key().String()
		if rule == auditor.RuleServed || rule == auditor.RuleSigned {
			by = "" // nobody is accused of what nobody signed
		}
		if f.Rule != rule || f.What == "" || f.By != by || !strings.Contains(err.Error(), f.What) {
			a.t.Fatalf("found %q (%s), want a breach of %s", f.Rule, f.What, rule)
		}
		if (f.Evidence != nil) != evident || (f.Without == "") != evident {
			a.t.Fatalf("evidence: %v, without: %s", f.Evidence != nil, f.Without)
		}
		if evident {
			if v, err := evidence.Verify(f.Evidence, evidence.Options{Log: a.log.Key()}); err != nil || v.What != f.What {
				a.t.Fatalf("others say %+v: %v", v, err)
			}
		}
		last = f
	}
	return last
}

// names appends n entries, of which a few register names, and a root. The others
// carry no signature, which cost time.
func (a *audit) names(round, n int) {
	signed := min(n, 8)
	for i := range signed {
		a.log.Add(followtest.NewName(a.t, fmt.Sprint(round, " ", i)).Update(a.log.Key()))
	}
	fill(a.log, round, n-signed)
	a.log.Root(protocol.TimeOf(a.now))
}

// fill appends entries without signatures, under a tag of their own.
func fill(log *followtest.Log, tag, n int) {
	for i := range n {
		log.Add(&directory.Entry{Custodian: &directory.Custodian{Custodian: protocol.Hash{1, byte(tag)}, Number: uint64(i) + 1}})
	}
}

func TestGoodLog(t *testing.T) {
	a := newAudit(t)
	alice, bob := followtest.NewName(t, "alice"), followtest.NewName(t, "bob")
	a.log.Add(alice.Update(a.log.Key()), alice.Update(a.log.Key()))
	a.log.Root(protocol.TimeOf(start))
	r := a.good()
	if r.New != r.Size || r.Counts.Names != 1 || r.Counts.Updates != 2 || r.Time != protocol.TimeOf(start) {
		t.Errorf("report %+v", r)
	}
	a.log.Add(
		bob.Notice(a.log.Key(), alice),
		&directory.Entry{Policy: &directory.Policy{Number: 1, Statement: "We keep nothing else."}},
		&directory.Entry{Release: &directory.Release{Program: "solekey", Version: "1.0", Number: 1}},
		&directory.Entry{Custodian: &directory.Custodian{Custodian: protocol.Hash{1}, Number: 1}},
	)
	a.log.Root(protocol.TimeOf(start) + hour)
	r = a.good()
	if r.New != 5 || r.Counts.Notices != 1 || len(r.Custodians) != 1 || r.Custodians[0].Months[0] != (directory.MonthUses{Month: "2026-11", Uses: 1}) || len(r.Programs) != 1 {
		t.Errorf("report %+v", r)
	}
	if got := fmt.Sprint(a.events); got != "[5 notice 6 policy statement 7 release]" {
		t.Errorf("events %s", got)
	}
	if r = a.good(); r.New != 0 || len(a.events) != 3 {
		t.Errorf("once more: %+v, %s", r, a.events)
	}
	state, err := a.start(func(au *auditor.Auditor) (*auditor.Report, error) { return au.State(t.Context()) })
	if err != nil || state.Size != r.Size || state.Counts != r.Counts {
		t.Errorf("state %+v: %v", state, err)
	}
}

func TestStateOfNothing(t *testing.T) {
	a := newAudit(t)
	if r, err := a.start(func(au *auditor.Auditor) (*auditor.Report, error) { return au.State(t.Context()) }); r != nil || err != nil {
		t.Errorf("state %+v: %v", r, err)
	}
}

// TestBreaches: a log that breaks a rule is found out, from its start and from a
// state in the middle, and the evidence convinces others.
func TestBreaches(t *testing.T) {
	type story func(a *audit, alice, bob *followtest.Name)
	for name, c := range map[string]struct {
		rule directory.Rule
		bad  story
	}{
		"a key that is not named": {directory.RuleKey, func(a *audit, alice, bob *followtest.Name) {
			e := bob.Update(a.log.Key()) // version 1 of bob, made version 2 of alice
			stolen := *e.Update
			stolen.Index, stolen.Version = alice.Index(), 2
			a.log.Force(&directory.Entry{Update: &stolen})
		}},
		"a version left out": {directory.RuleVersion, func(a *audit, alice, _ *followtest.Name) {
			alice.Update(a.log.Key())
			a.log.Force(alice.Update(a.log.Key()))
		}},
		"a wrong signature": {directory.RuleSignature, func(a *audit, alice, _ *followtest.Name) {
			e := alice.Update(a.log.Key())
			e.Update.Commitment[0] ^= 1
			a.log.Force(e)
		}},
		"a reassignment without notice": {directory.RuleDelay, func(a *audit, alice, _ *followtest.Name) {
			a.log.Force(alice.Reassign(2))
		}},
		"a root of something else": {directory.RuleRoot, func(a *audit, _, _ *followtest.Name) {
			a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Names: protocol.Hash{1}, Time: protocol.TimeOf(a.now)}})
		}},
		"a time that goes back": {directory.RuleTime, func(a *audit, _, _ *followtest.Name) {
			a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Time: 1}})
		}},
	} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", before), func(t *testing.T) {
				a := newAudit(t)
				alice, bob := followtest.NewName(t, "alice"), followtest.NewName(t, "bob")
				if a.names(1, 30); c.rule == directory.RuleVersion { // once over more than a tile
					a.names(0, 270)
				}
				a.log.Add(alice.Update(a.log.Key()))
				a.names(2, 5)
				if before {
					a.good()
				}
				a.names(3, 20) // further roots that are read and not kept yet
				a.names(4, 20)
				c.bad(a, alice, bob)
				a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Time: protocol.TimeOf(a.now)}})
				a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Time: protocol.TimeOf(a.now)}})
				a.found(string(c.rule), true)
			})
		}
	}
}

// TestBreachBeforeTheFirstRoot: then the evidence begins with entry 0.
func TestBreachBeforeTheFirstRoot(t *testing.T) {
	a := newAudit(t)
	fresh := tlogtest.Of(a.log.Secret)
	fresh.Append(t, (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes())
	a.config.Source = fresh
	a.found(string(directory.RuleOrigin), true)
}

// TestBreachWithoutEvidence: what a root does not commit to is found, and whoever
// doubts it replays the log.
func TestBreachWithoutEvidence(t *testing.T) {
	a := newAudit(t)
	a.log.Force(&directory.Entry{Policy: &directory.Policy{Number: 3, Prev: protocol.Hash{1}, Statement: "x"}})
	a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Time: protocol.TimeOf(start)}})
	a.found(string(directory.RuleNumber), false)
}

func TestUnknownEntry(t *testing.T) {
	a := newAudit(t)
	a.log.Append(t, []byte{0xa2, 1, 1, 2, 0xa1, 0x0a, 0xa0})
	a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size}})
	_, err := a.step()
	var f *auditor.Finding
	if protocol.KindOf(err) != protocol.KindUnsupported || errors.As(err, &f) {
		t.Errorf("an entry of a newer program: %v", err)
	}
}

func TestCheckpointWithoutRoot(t *testing.T) {
	a := newAudit(t)
	a.good()
	a.names(1, 300)
	a.log.Add(followtest.NewName(t, "alice").Update(a.log.Key()))
	a.found(auditor.RuleEnd, true)
	a.log.Root(protocol.TimeOf(a.now))
	a.good() // the next one has one, and the log is as good as before
}

func TestFork(t *testing.T) {
	a := newAudit(t)
	a.names(1, 300)
	other := a.log.Other()
	a.names(2, 300)
	a.good()
	honest := a.log
	other.Add(followtest.NewName(t, "somebody else").Update(other.Key()))
	other.Root(protocol.TimeOf(a.now))
	a.log, a.config.Source = other, other
	// Smaller than what was seen: what is served shows that they are two logs, or not.
	_, err := a.step()
	var f *auditor.Finding
	if !errors.As(err, &f) || f.Rule != auditor.RuleServed {
		t.Errorf("a smaller log that is another: %v", err)
	}
	fill(other, 77, int(honest.Head().Size-1-other.Head().Size))
	other.Root(protocol.TimeOf(a.now))
	if other.Head().Size != honest.Head().Size {
		t.Fatal("the two are not of one size")
	}
	a.found(auditor.RuleOneLog, true)
	a.names(9, 10)
	a.found(auditor.RuleOneLog, true)
	a.log, a.config.Source = honest, honest
	a.good()
}

// TestRollback: a log that shows an older state is found out. Both checkpoints can
// be true, so nobody else has to believe it.
func TestRollback(t *testing.T) {
	a := newAudit(t)
	a.names(1, 300)
	old := a.log.Other()
	a.names(2, 300)
	a.good()
	now := a.log
	a.config.Source = pair{old, now}
	a.found(auditor.RuleForward, false)
	a.config.Source = now
	a.good()
}

// pair shows the checkpoint of one log and the tiles of another.
type pair struct{ note, tiles *followtest.Log }

func (p pair) Checkpoint(ctx context.Context) ([]byte, error) { return p.note.Checkpoint(ctx) }
func (p pair) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return p.tiles.ReadTile(ctx, t)
}

// TestServesSomethingElse: tiles that are not the checkpoint's are found, and are
// nobody's signed lie.
func TestServesSomethingElse(t *testing.T) {
	a := newAudit(t)
	a.names(1, 300)
	other := newAudit(t)
	other.names(1, 310)
	a.config.Source = pair{a.log, other.log}
	a.found(auditor.RuleServed, false)
	a.config.Source = pair{other.log, a.log}
	a.found(auditor.RuleSigned, false)
	a.config.Source = a.log
	a.good()
}

func TestTimeToCome(t *testing.T) {
	a := newAudit(t)
	a.names(1, 3)
	a.now = start.Add(50 * time.Minute)
	a.good()
	a.now = start.Add(50*time.Minute - 1)
	a.found(auditor.RulePresent, false)
}

func TestSourceFails(t *testing.T) {
	a := newAudit(t)
	a.names(1, 3)
	a.config.Source = silent{}
	if _, err := a.step(); protocol.KindOf(err) != protocol.KindUnreachable {
		t.Errorf("a log that does not answer: %v", err)
	}
	a.config.Source = pair2{a.log}
	var f *auditor.Finding
	if _, err := a.step(); protocol.KindOf(err) != protocol.KindUnreachable || errors.As(err, &f) {
		t.Errorf("a log whose tiles do not come: %v", err)
	}
}

// silent does not answer; pair2 answers for checkpoints only.
type (
	silent struct{}
	pair2  struct{ *followtest.Log }
)

func (silent) Checkpoint(context.Context) ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindUnreachable, "nobody answers")
}

func (silent) ReadTile(context.Context, tlog.Tile) ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindUnreachable, "nobody answers")
}

func (pair2) ReadTile(context.Context, tlog.Tile) ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindUnreachable, "nobody answers")
}

func TestPolicy(t *testing.T) {
	a := newAudit(t)
	witness, err := tlog.GenerateWitnessSecret("w.example", tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := tlog.ParsePolicy([]byte("log " + a.log.Key().String() + "\nwitness w " + witness.Public().String() + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	a.config.Policy = policy
	a.names(1, 3)
	var f *auditor.Finding
	if _, err := a.step(); protocol.KindOf(err) != protocol.KindUnreachable || errors.As(err, &f) {
		t.Errorf("a checkpoint without cosignature: %v", err)
	}
	a.config.Source = cosigned{a.log, a.log.Note(t, protocol.TimeOf(start), witness)}
	r, err := a.step()
	if err != nil || r.Witnessed != protocol.TimeOf(start) || len(r.Cosigners) != 1 {
		t.Fatalf("cosigned: %+v (%v)", r, err)
	}
	bad := append([]byte(nil), a.log.Note(t, protocol.TimeOf(start), witness)...)
	bad[len(bad)-6] ^= 1
	a.config.Source = cosigned{a.log, bad}
	a.found(auditor.RuleSigned, false)
}

// cosigned shows a note.
type cosigned struct {
	*followtest.Log
	note []byte
}

func (c cosigned) Checkpoint(context.Context) ([]byte, error) { return c.note, nil }

func TestMetrics(t *testing.T) {
	a := newAudit(t)
	a.names(1, 3)
	scrape := func(au *auditor.Auditor) string {
		rec := httptest.NewRecorder()
		au.Metrics().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		text, err := io.ReadAll(rec.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, _ = a.start(func(au *auditor.Auditor) (*auditor.Report, error) {
		if text := scrape(au); !strings.Contains(text, "solekey_audit_steps_total 0\n") || strings.Contains(text, "solekey_audit_size") {
			t.Errorf("before a step:\n%s", text)
		}
		if _, err := au.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"solekey_audit_broken 0", "solekey_audit_size 6", "solekey_audit_names 3", `solekey_audit_entries{kind="update"} 3`,
			fmt.Sprint("solekey_audit_checked_seconds ", a.now.Unix()), fmt.Sprint("solekey_audit_log_seconds ", a.now.Unix()),
		} {
			if !strings.Contains(scrape(au), line+"\n") {
				t.Errorf("no line %q in\n%s", line, scrape(au))
			}
		}
		a.log.Force(&directory.Entry{Reassign: &directory.Reassign{}})
		if _, err := au.Step(t.Context()); err == nil {
			t.Fatal("a breach is not found")
		}
		if text := scrape(au); !strings.Contains(text, "solekey_audit_broken 1\n") || !strings.Contains(text, "solekey_audit_failed_total 1\n") {
			t.Errorf("after a breach:\n%s", text)
		}
		return nil, nil
	})
}
