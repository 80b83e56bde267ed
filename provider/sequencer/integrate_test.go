// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

// TestFirstEntries: the log begins with the keys that stay, and is published with
// a root at its end.
func TestFirstEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.publish()
	list := w.logged(0)
	if len(list) != 2 || list[0].Origin == nil || list[1].Root == nil || list[0].Origin.VRF != w.vrf.Public() ||
		list[0].Origin.Statement != directory.Key(w.statements.Public()) {
		t.Fatalf("the log begins with %d other entries", len(list))
	}
	w.restart()
	w.publish()
	if again := w.logged(0); len(again) != 2 {
		t.Errorf("%d entries after a second start", len(again))
	}
}

// TestHeartbeat: with nothing to log there is a root every hour, and none before.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	w.step()
	first := w.published()
	w.now = w.now.Add(59 * time.Minute)
	w.step()
	if got := w.published(); got != first {
		t.Errorf("size %d after an hour that is not over", got)
	}
	w.now = w.now.Add(time.Minute)
	w.step()
	if got := w.published(); got != first+1 {
		t.Errorf("size %d after an hour", got)
	}
	w.now = w.now.Add(-10 * time.Hour) // a clock that was set back
	w.join("anna")
	w.step()
	list := w.logged(first)
	if last := list[len(list)-1].Root; last == nil || last.Time < list[0].Root.Time || !w.look(w.worlds[0], "anna").Present() {
		t.Errorf("the log's time went back: %+v", last)
	}
}

// TestPromisesAreKept: after an outage, while more waits than a batch holds, no
// root is dated later than what still waits was promised for.
func TestPromisesAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, "quorum none")
	text := strings.Repeat("x", directory.MaxStatementSize)
	var prev protocol.Hash
	for n := uint64(1); n <= 600; n++ { // 9.8 MB, more than a batch
		raw := (&directory.Entry{Policy: &directory.Policy{Number: n, Prev: prev, Statement: text}}).Bytes()
		prev = tlog.LeafHash(raw)
		if err := w.store.Submit(ctx, raw, nil, protocol.TimeOf(w.now)); err != nil {
			t.Fatal(err)
		}
	}
	promise := w.Promise()
	w.join("anna")
	w.now = w.now.Add(72 * time.Hour)
	more, err := w.Integrate(ctx)
	if err != nil || !more {
		t.Fatalf("more %v, %v", more, err)
	}
	w.step()
	var held int
	for _, entry := range w.logged(0) {
		if entry.Policy != nil {
			held++
		}
		if entry.Root != nil && entry.Root.Time > promise && held < 600 {
			t.Errorf("a root of %s without all that was promised before %s", entry.Root.Time, promise)
		}
	}
	if held != 600 || !w.look(w.worlds[0], "anna").Present() {
		t.Errorf("%d entries", held)
	}
}

// TestForeignBatches: a batch in the blob store that is not this log's, or not
// what follows, keeps the log from opening.
func TestForeignBatches(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*sequencer.Batch){
		"of another log":      func(b *sequencer.Batch) { b.Log[0]++ },
		"with another root":   func(b *sequencer.Batch) { b.Root[0]++ },
		"with a wrong entry":  func(b *sequencer.Batch) { b.Entries = append([][]byte{b.Entries[0]}, b.Entries...) },
		"without a root":      func(b *sequencer.Batch) { b.Entries = b.Entries[:1] },
		"after another batch": func(b *sequencer.Batch) { b.Prev[0]++ },
	} {
		w := newWorld(t, 0, "quorum none")
		var raw []byte
		err := w.blobs.List(ctx, nil, blob.KindLog, func(ref blob.Ref, _ int64) error {
			var err error
			raw, err = blob.ReadAll(ctx, w.blobs, ref)
			return errors.Join(err, w.blobs.Delete(ctx, ref))
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := sequencer.ParseBatch(raw)
		if err != nil || !bytes.Equal(b.Bytes(), raw) {
			t.Fatalf("a batch is not what is printed: %v", err)
		}
		change(b)
		other := newWorld(t, 0, "quorum none") // an empty database beside these blobs
		other.log, other.vrf, other.statements, other.worlds = w.log, w.vrf, w.statements, w.worlds
		other.dir = t.TempDir()
		if err := other.db.Close(); err != nil {
			t.Fatal(err)
		}
		other.blobs = w.blobs
		if err := w.blobs.Put(ctx, blob.NewRef(protocol.AccountID{}, blob.KindLog, b.Bytes()), b.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := other.tryOpen(); err == nil {
			t.Errorf("%s: the log was opened", name)
		}
	}
}

// FuzzBatch reads what may lie in a journal.
func FuzzBatch(f *testing.F) {
	root := (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes()
	f.Add((&sequencer.Batch{Version: 1, Log: protocol.Hash{1}, From: 7, Entries: [][]byte{root}}).Bytes())
	f.Add((&sequencer.Batch{Version: 2, Entries: [][]byte{root}}).Bytes())
	f.Add(canonical.MustMarshal(sequencer.Batch{Version: 1}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := sequencer.ParseBatch(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(b.Bytes(), raw) || b.End() < b.From && b.From < 1<<62 {
			t.Errorf("%x is printed as %x", raw, b.Bytes())
		}
	})
}

func TestParseBatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		batch sequencer.Batch
		kind  protocol.Kind
	}{
		"empty":       {sequencer.Batch{Version: 1}, protocol.KindUntrusted},
		"too many":    {sequencer.Batch{Version: 1, Entries: make([][]byte, sequencer.MaxBatchEntries+3)}, protocol.KindUntrusted},
		"a newer one": {sequencer.Batch{Version: 2, Entries: [][]byte{{1}}}, protocol.KindUnsupported},
		"one":         {sequencer.Batch{Version: 1, Entries: [][]byte{{1}}}, ""},
	} {
		_, err := sequencer.ParseBatch(c.batch.Bytes())
		if got := protocol.KindOf(err); got != c.kind {
			t.Errorf("%s: kind %q, want %q (%v)", name, got, c.kind, err)
		}
	}
	if _, err := sequencer.ParseBatch(make([]byte, sequencer.MaxBatchSize+1)); err == nil {
		t.Error("a huge batch was read")
	}
}
