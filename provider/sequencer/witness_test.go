// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/sequencer"
)

const twoOfThree = "group all3 2 w0.example w1.example w2.example\nquorum all3"

func (w *world) publish() {
	w.t.Helper()
	if err := w.Publish(ctx); err != nil {
		w.t.Fatalf("publish: %v", err)
	}
}

// published returns the size that is published for the first world.
func (w *world) published() uint64 {
	w.t.Helper()
	st, err := w.Status(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	return st.Published[w.worlds[0].Hash()]
}

// TestQuorum publishes what the quorum cosigned, and nothing that it did not.
func TestQuorum(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	if _, err := w.Lookup(ctx, sequencer.Question{Name: "anna"}); protocol.KindOf(err) != protocol.KindUnreachable {
		t.Errorf("an answer under no checkpoint: %v", err)
	}
	w.integrate()
	w.publish()
	w.look(w.worlds[0], "anna")
	first := w.published()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	w.join("anna")
	w.integrate()
	w.publish()
	if leaf, ok := w.look(w.worlds[0], "anna").Leaf(); !ok || leaf.Version != 1 || w.published() <= first {
		t.Errorf("leaf %+v at %d", leaf, w.published())
	}
	w.witnesses[1].set(func(x *witness) { x.answer = down })
	w.join("bert")
	w.integrate()
	second := w.published()
	w.wantKind("one of three", w.Publish(ctx), protocol.KindUnreachable)
	if w.published() != second || w.look(w.worlds[0], "bert").Present() {
		t.Error("published without a quorum")
	}
	st, err := w.Status(ctx)
	if err != nil || st.Witnesses[0].Error == "" || st.Witnesses[2].Error != "" || st.Witnesses[2].Size != st.Size || st.Size <= second {
		t.Errorf("status %+v, %v", st, err)
	}
	w.witnesses[0].set(func(x *witness) { x.answer = nil }) // it is two checkpoints behind
	w.publish()
	if !w.look(w.worlds[0], "bert").Present() {
		t.Error("bert is not there")
	}
}

// TestWorldsOfOtherDevices publishes for each world what its own policy accepts.
func TestWorldsOfOtherDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, "quorum none")
	strict := w.world("group both all w0.example w1.example\nquorum both")
	w.worlds = append(w.worlds, strict)
	w.witnesses[1].set(func(x *witness) {
		x.answer = func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(http.StatusNotFound) }
	})
	w.restart()
	w.integrate()
	w.wantKind("one of two", w.Publish(ctx), protocol.KindUnreachable)
	w.look(w.worlds[0], "anna")
	_, err := w.Lookup(ctx, sequencer.Question{Name: "anna", World: strict.Hash()})
	w.wantKind("a world without a checkpoint", err, protocol.KindUnreachable)
	_, err = w.Lookup(ctx, sequencer.Question{Name: "anna", World: protocol.Hash{1}})
	w.wantKind("an unknown world", err, protocol.KindNotFound)
	w.witnesses[1].set(func(x *witness) { x.answer = nil })
	w.publish()
	w.look(strict, "anna")
}

// TestSlowWitness lets one of three take its time: nobody waits for it.
func TestSlowWitness(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	w.integrate()
	w.publish()
	release := make(chan struct{})
	w.witnesses[2].set(func(x *witness) { x.before = func() { <-release } })
	for _, name := range []string{"anna", "bert", "cleo"} {
		w.join(name)
		w.integrate()
		w.publish()
	}
	if !w.look(w.worlds[0], "cleo").Present() {
		t.Error("cleo is not there")
	}
	close(release)
	deadline := time.Now().Add(10 * time.Second)
	for size := uint64(0); size == 0; time.Sleep(time.Millisecond) {
		w.witnesses[2].set(func(x *witness) { size = x.newest.Size })
		if time.Now().After(deadline) {
			t.Fatal("the slow one never cosigned")
		}
	}
}

// TestBadAnswers: what a witness answers counts for nothing unless it verifies.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	other, err := tlog.GenerateWitnessSecret("w0.example", tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"nothing":        text(http.StatusOK, ""),
		"noise":          text(http.StatusOK, "— w0.example AAAA\n"),
		"no size":        text(http.StatusConflict, "many\n"),
		"a size again":   text(http.StatusConflict, "1\n"),
		"a proxy's page": text(http.StatusForbidden, "<html>"),
		"a huge answer":  text(http.StatusOK, strings.Repeat("x", 1<<20)),
		"another's key":  text(http.StatusOK, string(other.Cosign((&tlogNote{}).of(t), tlog.Checkpoint{}, 1_000_000_000))),
		"an elsewhere": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://127.0.0.1:1/", http.StatusFound)
		},
		"a broken answer":    func(rw http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		"no witness at all":  text(http.StatusNotFound, "404"),
		"too many questions": text(http.StatusTooManyRequests, "later"),
	} {
		w := newWorld(t, 1, "quorum w0.example")
		w.integrate()
		w.publish()
		before := w.published()
		w.join("anna")
		w.integrate()
		w.witnesses[0].set(func(x *witness) { x.answer = answer })
		if err := w.Publish(ctx); err == nil || w.published() != before {
			t.Errorf("%s: published %d, %v", name, w.published(), err)
		}
		if err := w.Refusal(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tlogNote is a note of some other log.
type tlogNote struct{}

func (*tlogNote) of(t *testing.T) []byte {
	t.Helper()
	secret, err := tlog.GenerateLogSecret("other.example")
	if err != nil {
		t.Fatal(err)
	}
	return secret.Sign(tlog.Checkpoint{Root: new(tlog.Frontier).Root()})
}

// olderCopy puts a copy of database and blobs aside, lets the log go on, and
// brings the copy back.
func (w *world) olderCopy(goOn func()) {
	w.t.Helper()
	copied := w.dir + "/copy.db"
	if err := w.db.Backup(ctx, copied); err != nil {
		w.t.Fatal(err)
	}
	kept := w.copyBlobs()
	goOn()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(w.dir + "/a.db" + suffix)
	}
	if err := os.Rename(copied, w.dir+"/a.db"); err != nil {
		w.t.Fatal(err)
	}
	w.blobs = kept
	w.open()
}

// TestOlderCopyOfAll restores database and blobs from before what witnesses saw:
// nothing is integrated, signed or taken, and it is said why; whoever cannot bring
// back what is missing takes the witness out of the world, or begins a new log.
func TestOlderCopyOfAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	h := w.join("anna")
	w.integrate()
	w.publish()
	w.olderCopy(func() {
		w.join("bert")
		w.integrate()
		w.publish()
	})
	size := w.published()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	_, err := w.Integrate(ctx)
	w.wantKind("integrate an older copy", err, protocol.KindUntrusted)
	w.wantKind("publish an older copy", w.Publish(ctx), protocol.KindUntrusted)
	w.wantKind("append to an older copy", w.store.AppendLedger(ctx, w.batch(h)), protocol.KindInternal)
	st, err := w.Status(ctx)
	if err != nil || st.Size != size || !strings.Contains(st.Refusal, "older copy") {
		t.Errorf("status %+v, %v", st, err)
	}
	w.restart()
	_, err = w.Integrate(ctx)
	w.wantKind("after a restart", err, protocol.KindUntrusted)
	w.witnesses = nil
	w.worlds = []*directory.World{w.world("quorum none")}
	w.restart()
	w.join("cleo")
	w.integrate()
}

// TestOlderDatabase restores the database alone: the blobs bring it forward to what
// the witnesses saw, and the log goes on.
func TestOlderDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	h := w.join("anna")
	w.integrate()
	w.publish()
	now := w.blobs
	w.olderCopy(func() {
		w.grow(h)
		w.integrate()
		w.publish()
		w.grow(h)
		now = w.blobs
	})
	w.blobs = now
	w.restart()
	w.integrate()
	w.publish()
	leaf, _ := w.look(w.worlds[0], "anna").Leaf()
	if leaf.Version != 3 {
		t.Errorf("version %d of anna", leaf.Version)
	}
}

// TestNobodyToAsk: a process that starts while no witness answers integrates and
// signs nothing; appends are taken.
func TestNobodyToAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	w.integrate()
	w.publish()
	for _, x := range w.witnesses[1:] {
		x.set(func(x *witness) { x.answer = down })
	}
	w.restart()
	w.join("anna")
	_, err := w.Integrate(ctx)
	w.wantKind("integrate with one of three", err, protocol.KindUnreachable)
	w.wantKind("publish with one of three", w.Publish(ctx), protocol.KindUnreachable)
	w.witnesses[1].set(func(x *witness) { x.answer = nil })
	w.integrate()
	w.publish()
	if !w.look(w.worlds[0], "anna").Present() {
		t.Error("anna is not there")
	}
}

// TestFork lets a witness see another past of the log: it stops, at the latest
// when it starts again.
func TestFork(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(x *witness){
		"below": func(x *witness) { x.newest.Root[0]++ },
		"at the same size": func(x *witness) {
			x.newest.Root[0]++
			x.newest.Size += 2
		},
		"above": func(x *witness) { x.newest.Size += 100 },
	} {
		w := newWorld(t, 1, "quorum w0.example")
		w.integrate()
		w.publish()
		before := w.published()
		w.witnesses[0].set(change)
		w.join("anna")
		w.integrate()
		if err := w.Publish(ctx); err == nil || w.published() != before {
			t.Errorf("%s: published %d, %v", name, w.published(), err)
		}
		w.restart()
		_, err := w.Integrate(ctx)
		w.wantKind(name+": integrate", err, protocol.KindUntrusted)
		w.wantKind(name+": publish", w.Publish(ctx), protocol.KindUntrusted)
		if err := w.Refusal(ctx); err == nil || !strings.Contains(err.Error(), "older copy") {
			t.Errorf("%s: refusal: %v", name, err)
		}
	}
}

// clockwise is a witness that holds the newest root against its clock, where the
// checkpoint is new to it.
func (x *witness) clockwise(w *world) {
	x.set(func(x *witness) {
		x.answer = func(rw http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			request, err := tlog.ParseAddCheckpoint(body)
			if err != nil {
				panic(err)
			}
			c, err := w.log.Public().Verify(request.Note)
			if err != nil {
				panic(err)
			}
			x.mu.Lock()
			known, at := c.Size == x.newest.Size, request.Old == x.newest.Size
			x.mu.Unlock()
			root := w.rootAt(c.Size)
			if at && !known && root != nil && w.now.Sub(root.Time.Std()) > 10*time.Minute {
				http.Error(rw, "the newest root is too old", http.StatusServiceUnavailable)
				return
			}
			status, text := x.add(body)
			rw.WriteHeader(status)
			_, _ = rw.Write(text)
		}
	})
}

// rootAt returns the root that a log of the size ends with.
func (w *world) rootAt(size uint64) *directory.Root {
	if size == 0 {
		return nil
	}
	tile := tlog.Tile{Level: tlog.LevelEntries, N: (size - 1) / tlog.TileWidth, Width: int((size-1)%tlog.TileWidth) + 1}
	data, err := w.store.ReadTile(ctx, tile)
	if err != nil {
		panic(err)
	}
	entries, err := tlog.ParseBundle(data)
	if err != nil {
		panic(err)
	}
	entry, err := directory.ParseEntry(entries[len(entries)-1])
	if err != nil {
		panic(err)
	}
	return entry.Root
}

// TestLongStop stops a server for longer than witnesses want a root to be old, at
// every step: it goes on by itself when it is started again.
func TestLongStop(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(w *world){
		"after all was published": func(w *world) { w.step() },
		"before anything":         func(*world) {},
		"with something waiting":  func(w *world) { w.step(); w.join("anna") },
		"after it was integrated": func(w *world) { w.step(); w.join("anna"); w.integrate() },
		"after it was signed": func(w *world) {
			w.step()
			w.join("anna")
			w.integrate()
			w.witnesses[0].set(func(x *witness) { x.answer = down })
			if err := w.Publish(ctx); err == nil {
				t.Error("published without its witness")
			}
		},
	} {
		w := newWorld(t, 1, "quorum w0.example")
		w.witnesses[0].clockwise(w)
		before(w)
		w.witnesses[0].clockwise(w)
		w.now = w.now.Add(30 * time.Minute)
		w.restart()
		w.join("bert")
		w.step()
		if !w.look(w.worlds[0], "bert").Present() {
			t.Errorf("%s: the log does not go on", name)
		}
	}
}

// TestRootForTheWitness: while a checkpoint is not cosigned its root gets too old
// for that, and a new one is written without anything to log.
func TestRootForTheWitness(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "quorum w0.example")
	w.witnesses[0].clockwise(w)
	w.step()
	w.join("anna")
	w.integrate()
	w.witnesses[0].set(func(x *witness) { x.answer = down })
	for range 3 {
		w.now = w.now.Add(4 * time.Minute)
		w.integrate()
		if err := w.Publish(ctx); err == nil {
			t.Error("published without its witness")
		}
	}
	w.witnesses[0].clockwise(w)
	w.step()
	if !w.look(w.worlds[0], "anna").Present() {
		t.Error("anna is not there")
	}
}

// TestRun lets everything run by itself: what is appended is visible soon.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3, twoOfThree)
	w.config = func(c *sequencer.Config) { c.Interval = 5 * time.Millisecond }
	w.restart()
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { w.Run(running); close(ended) }()
	w.join("anna")
	deadline := time.Now().Add(10 * time.Second)
	for {
		if answer, err := w.Lookup(ctx, sequencer.Question{Name: "anna"}); err == nil && len(answer.Update) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("anna is not visible")
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
}
