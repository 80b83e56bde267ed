// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow"
	"github.com/solekey/solekey/watch/follow/followtest"
	"github.com/solekey/solekey/watch/witness"
)

// audited is a stage whose log has a directory that the witness audits, over HTTP.
type audited struct {
	*stage
	dir   *followtest.Log
	files string
	tiles http.Handler // what the log's server does
	kept  *follow.Store
}

func newAudited(t *testing.T) *audited {
	t.Helper()
	s := &audited{stage: newStage(t), files: filepath.Join(t.TempDir(), "follow.db")}
	s.dir = followtest.New(t, "log.example/audited", protocol.TimeOf(start))
	s.tiles = s.dir.Handler("/v1/log")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.tiles.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	source, err := follow.Dial(server.URL + "/v1/log")
	if err != nil {
		t.Fatal(err)
	}
	if s.kept, err = follow.Open(ctx, s.files); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.kept.Close() })
	s.others = []witness.Log{{Key: s.dir.Key(), Secrets: s.secrets, Auditor: witness.NewAuditor(s.dir.Key(), source, s.kept, s.store)}}
	s.begin()
	return s
}

// root ends the log with a root of the present and asks for it.
func (s *audited) root(old uint64) answer {
	s.t.Helper()
	return s.ask(s.dir.Log, old, s.dir.Root(protocol.TimeOf(s.clock.now())).Size)
}

func (s *audited) latest() uint64 {
	s.t.Helper()
	l, err := s.store.Latest(ctx, "log.example/audited")
	if err != nil {
		s.t.Fatal(err)
	}
	return l.Size
}

func (s *audited) alarms(want ...string) {
	s.t.Helper()
	list, err := s.store.Alarms(ctx)
	if err != nil || len(list) != len(want) {
		s.t.Errorf("%d alarms, %v: %+v", len(list), err, list)
		return
	}
	for i, text := range want {
		if !strings.Contains(list[i].Text, text) {
			s.t.Errorf("alarm %q, want %q", list[i].Text, text)
		}
	}
}

// TestAuditFollows: an honest log is cosigned, step by step.
func TestAuditFollows(t *testing.T) {
	s := newAudited(t)
	name := followtest.NewName(t, "ada")
	size := uint64(0)
	for range 5 {
		s.dir.Add(name.Update(s.dir.Key()))
		a := s.root(size)
		size = s.dir.Head().Size
		s.cosigned("an honest log", a, s.dir.Log, size, s.clock.now())
		s.clock.pass(time.Hour)
	}
	s.alarms()
}

// TestAuditRefuses: whatever breaks a rule is not cosigned, though it extends the
// log; after it nothing is.
func TestAuditRefuses(t *testing.T) {
	name := func() *followtest.Name { return followtest.NewName(t, "ada") }
	for what, lie := range map[string]struct {
		entry func(s *audited) *directory.Entry
		alarm string
	}{
		"a root that the entries do not give": {func(s *audited) *directory.Entry {
			return &directory.Entry{Root: &directory.Root{Size: s.dir.Head().Size, Names: protocol.Hash{1}, Time: protocol.TimeOf(start)}}
		}, `"root"`},
		"an update without the key": {func(s *audited) *directory.Entry {
			e := followtest.NewName(t, "eve").Update(s.dir.Key())
			e.Update.Version = 2
			return e
		}, `"version"`},
		"a name that is taken": {func(s *audited) *directory.Entry { return name().Update(s.dir.Key()) }, `"version"`},
		"no root at the end":   {func(s *audited) *directory.Entry { return followtest.NewName(t, "bob").Update(s.dir.Key()) }, "does not end with a root"},
		"a time that goes back": {func(s *audited) *directory.Entry {
			return &directory.Entry{Root: &directory.Root{Size: s.dir.Head().Size, Time: protocol.TimeOf(start.Add(-time.Minute))}}
		}, `"time"`},
	} {
		s := newAudited(t)
		s.dir.Add(name().Update(s.dir.Key()))
		s.cosigned(what+": before", s.root(0), s.dir.Log, s.dir.Head().Size, start)
		good := s.latest()
		bad := s.dir.Force(lie.entry(s))
		for range 2 {
			s.refused(what, s.ask(s.dir.Log, good, bad.Size), http.StatusUnprocessableEntity)
		}
		s.alarms(lie.alarm)
		if s.latest() != good {
			t.Errorf("%s: size %d is kept", what, s.latest())
		}
	}
}

// TestAuditSkew: the newest root's time is the present, by the witness's clock.
func TestAuditSkew(t *testing.T) {
	s := newAudited(t)
	size := uint64(0)
	for _, c := range []struct {
		off time.Duration
		ok  bool
	}{{-10 * time.Minute, true}, {0, true}, {10 * time.Minute, true}} {
		s.clock.pass(time.Hour)
		head := s.dir.Root(protocol.TimeOf(s.clock.now().Add(c.off)))
		s.cosigned(c.off.String(), s.ask(s.dir.Log, size, head.Size), s.dir.Log, head.Size, s.clock.now())
		size = head.Size
	}
	s.clock.pass(time.Hour)
	head := s.dir.Root(protocol.TimeOf(s.clock.now().Add(-10*time.Minute - time.Second)))
	s.refused("too old", s.ask(s.dir.Log, size, head.Size), http.StatusServiceUnavailable)
	s.cosigned("what was cosigned before, again", s.ask(s.dir.Log, size, size), s.dir.Log, size, s.clock.now())
	head = s.dir.Root(protocol.TimeOf(s.clock.now().Add(10*time.Minute + time.Second)))
	s.refused("too new", s.ask(s.dir.Log, size, head.Size), http.StatusServiceUnavailable)
	s.clock.pass(time.Second)
	s.cosigned("a second later", s.ask(s.dir.Log, size, head.Size), s.dir.Log, head.Size, s.clock.now())
	s.alarms() // a clock that is off is no proof
}

// TestAuditUnreachable: what cannot be read is not cosigned, and no alarm.
func TestAuditUnreachable(t *testing.T) {
	s := newAudited(t)
	s.cosigned("before", s.root(0), s.dir.Log, s.dir.Head().Size, start)
	good, honest := s.latest(), s.tiles
	for what, h := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadGateway) },
		"nothing":  func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"a page":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		s.tiles = h
		a := s.root(good)
		if s.refused(what, a, http.StatusServiceUnavailable); a.waiting == "" {
			t.Errorf("%s: nothing says that it may be tried again", what)
		}
	}
	s.alarms()
	s.tiles = honest
	s.cosigned("after", s.root(good), s.dir.Log, s.dir.Head().Size, start)
}

// TestAuditAnotherPast: a log that was followed, and then shows a fork that its
// consistency proof does not give away because nothing was cosigned in between.
func TestAuditAnotherPast(t *testing.T) {
	s := newAudited(t)
	s.cosigned("before", s.root(0), s.dir.Log, s.dir.Head().Size, start)
	good := s.dir.Head()
	fork := s.dir.Fork()
	// Followed but not cosigned: its time is not the present.
	ahead := s.dir.Root(protocol.TimeOf(start.Add(time.Hour)))
	s.refused("followed", s.ask(s.dir.Log, good.Size, ahead.Size), http.StatusServiceUnavailable)
	s.alarms()
	fork.Append(t, (&directory.Entry{Root: &directory.Root{Size: good.Size, Time: protocol.TimeOf(start)}}).Bytes())
	fork.Append(t, (&directory.Entry{Root: &directory.Root{Size: good.Size + 1, Time: protocol.TimeOf(start)}}).Bytes())
	s.tiles = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tile, err := tlog.ParseTilePath(strings.TrimPrefix(r.URL.Path, "/v1/log/"))
		if err != nil {
			t.Error(err)
		}
		data, err := fork.ReadTile(ctx, tile)
		if err != nil {
			http.NotFound(w, r)
		}
		_, _ = w.Write(data)
	})
	s.refused("a fork of it", s.ask(fork, good.Size, good.Size+2), http.StatusUnprocessableEntity)
	s.alarms("another past")
}

// TestAuditAnnounced: a name that is given away by a notice dated back, all in one
// checkpoint, follows the rules; who saw the log without the notice does not cosign.
func TestAuditAnnounced(t *testing.T) {
	month := time.Duration(directory.ReassignDelay) + 2*time.Hour
	for what, c := range map[string]struct {
		seen   time.Duration // when the witness last saw the log, before the present
		refuse bool
	}{
		"seen a day ago":        {24 * time.Hour, true},
		"seen a month ago":      {month, false},
		"seen almost that long": {month - 3*time.Hour, true},
	} {
		s := newAudited(t)
		lost, thief := followtest.NewName(t, "ada"), followtest.NewName(t, "eve")
		s.dir.Add(lost.Update(s.dir.Key()))
		now := start.Add(month)
		s.clock.set(now.Add(-c.seen))
		old := protocol.TimeOf(start) // the log's own time stands still until the theft
		s.dir.Root(old)
		// A plain look, as a witness has that began to audit later.
		size := s.dir.Head().Size
		next := witness.Latest{Size: size, Root: s.dir.Head().Root, Time: protocol.TimeOf(s.clock.now()), Note: []byte{1}}
		if err := s.store.Advance(ctx, "log.example/audited", witness.Latest{}, next); err != nil {
			t.Fatal(err)
		}
		s.clock.set(now)
		s.dir.Add(thief.Notice(s.dir.Key(), lost))
		position := s.dir.Head().Size - 1
		s.dir.Root(old + protocol.Time(time.Second))
		s.dir.Root(protocol.TimeOf(now))
		s.dir.Add(lost.Reassign(position))
		a := s.root(size)
		if !c.refuse {
			s.cosigned(what, a, s.dir.Log, s.dir.Head().Size, now)
			s.cosigned(what+", again", s.root(s.dir.Head().Size), s.dir.Log, s.dir.Head().Size, now)
			continue
		}
		s.refused(what, a, http.StatusUnprocessableEntity)
		s.alarms("gives a name away")
		// Nor after a new start, where the log was followed and not cosigned.
		if err := s.kept.Close(); err != nil {
			t.Fatal(err)
		}
		again := newAuditorOver(t, s)
		err := again.Audit(ctx, s.dir.Head(), protocol.TimeOf(now))
		if protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s, after a new start: %v", what, err)
		}
	}
}

func newAuditorOver(t *testing.T, s *audited) *witness.DirectoryAuditor {
	t.Helper()
	kept, err := follow.Open(ctx, s.files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	a := witness.NewAuditor(s.dir.Key(), s.dir, kept, s.store)
	if size, err := a.Followed(ctx); err != nil || size != s.dir.Head().Size {
		t.Errorf("followed to %d, %v", size, err)
	}
	return a
}

// TestAuditEmpty: a log without entries has nothing to audit.
func TestAuditEmpty(t *testing.T) {
	s := newAudited(t)
	s.refused("nothing", s.ask(s.dir.Log, 0, 0), http.StatusUnprocessableEntity)
}

// TestAuditFault: when the file of the replay fails, nothing is cosigned, and no log
// is blamed.
func TestAuditFault(t *testing.T) {
	s := newAudited(t)
	if err := s.kept.Close(); err != nil {
		t.Fatal(err)
	}
	a := s.root(0)
	if s.refused("a closed file", a, http.StatusServiceUnavailable); strings.Contains(a.body, "database") {
		t.Errorf("the answer says too much: %s", a.body)
	}
	s.alarms()
}
