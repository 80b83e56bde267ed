// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow/followtest"
)

// damage runs a statement on the state.
func (a *audit) damage(statement string) {
	a.t.Helper()
	db, err := sql.Open("sqlite", a.path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(a.t.Context(), statement); err != nil {
		a.t.Fatal(err)
	}
}

// TestDamagedStateAccusesNobody: what is wrong on the auditor's own disk is no
// finding, and goes away with the file.
func TestDamagedStateAccusesNobody(t *testing.T) {
	for what, statement := range map[string]string{
		"tiles":    "UPDATE tiles SET data = X'01020304'",
		"no tiles": "DELETE FROM tiles",
		"state":    "UPDATE replays SET state = X'00'",
		"frontier": "UPDATE replays SET frontier = X'0000000000000000'",
	} {
		a := newAudit(t)
		a.names(1, 100)
		a.good()
		a.damage(statement)
		a.names(2, 100)
		var f *auditor.Finding
		if _, err := a.step(); err == nil || errors.As(err, &f) || protocol.KindOf(err) == protocol.KindUnreachable {
			t.Errorf("%s: %v", what, err)
		}
		if err := os.Remove(a.path); err != nil {
			t.Fatal(err)
		}
		a.good()
	}
}

// TestLostMemo: without the checkpoint from before, another past is still found by
// what was followed.
func TestLostMemo(t *testing.T) {
	a := newAudit(t)
	a.names(1, 300)
	other := a.log.Other()
	a.names(2, 300)
	a.good()
	a.damage("UPDATE replays SET memo = X''")
	fill(other, 77, int(a.log.Head().Size-other.Head().Size))
	other.Root(protocol.TimeOf(a.now))
	a.config.Source = other
	a.found(auditor.RuleOneLog, false)
}

// TestInterruptedAnywhere: whatever tile the log stops answering at, the next step
// goes on, and the end is the same.
func TestInterruptedAnywhere(t *testing.T) {
	a := newAudit(t)
	for round := range 3 {
		a.names(round, 200)
	}
	source := &failing{Log: a.log}
	a.config.Source = source
	for source.after = 1; ; source.after++ {
		source.read = 0
		r, err := a.step()
		if err == nil {
			if r.Counts.Names != 24 || r.Counts.Uses != 3*192 {
				t.Errorf("it ends with %+v", r)
			}
			break
		}
		var f *auditor.Finding
		if protocol.KindOf(err) != protocol.KindUnreachable || errors.As(err, &f) || source.after > 100 {
			t.Fatalf("after %d reads: %v", source.after, err)
		}
	}
	if source.after < 5 {
		t.Errorf("a step reads only %d times", source.after)
	}
}

// failing answers a number of times.
type failing struct {
	*followtest.Log
	after, read int
}

func (f *failing) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	if f.read++; f.read > f.after {
		return nil, protocol.Errorf(protocol.KindUnreachable, "nobody answers")
	}
	return f.Log.ReadTile(ctx, t)
}

// TestEvidenceOfManyEntries: a batch of some hundred entries makes a file that can
// be sent by mail.
func TestEvidenceOfManyEntries(t *testing.T) {
	a := newAudit(t)
	alice := followtest.NewName(t, "alice")
	a.log.Add(alice.Update(a.log.Key()))
	a.names(1, 300)
	for i := range 60 {
		a.log.Add(followtest.NewName(t, fmt.Sprint("more ", i)).Update(a.log.Key()))
	}
	bad := *alice.Update(a.log.Key()).Update
	bad.Signature[5] ^= 1
	a.log.Force(&directory.Entry{Update: &bad})
	a.log.Force(&directory.Entry{Root: &directory.Root{Size: a.log.Head().Size, Time: protocol.TimeOf(a.now)}})
	f := a.found(string(directory.RuleSignature), true)
	if len(f.Evidence) > 2<<20 {
		t.Errorf("the evidence has %d bytes", len(f.Evidence))
	}
}
