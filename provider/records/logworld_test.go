// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package records

import (
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/provider/sequencer"
)

// logKeys are the keys of a provider's log.
type logKeys struct {
	log        *tlog.LogSecret
	vrf        *vrf.Secret
	statements *statement.Secret
}

func newLogKeys(t testing.TB) *logKeys {
	t.Helper()
	secret, err := tlog.GenerateLogSecret("log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	return &logKeys{secret, vrf.Generate(), statement.Generate()}
}

// world returns a world of these keys whose policy has these further lines.
func (k *logKeys) world(t testing.TB, lines string) *directory.World {
	t.Helper()
	policy, err := tlog.ParsePolicy([]byte("log " + k.log.Public().String() + "\n" + lines + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := directory.NewWorld(policy, k.vrf.Public(), k.statements.Public())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) logConfig() sequencer.Config {
	c := sequencer.DefaultConfig()
	c.Store, c.Key, c.VRF, c.Worlds = w.store, w.keys.log, w.keys.vrf, w.worlds
	c.Clock, c.Logger = func() time.Time { return w.now }, slog.New(slog.NewTextHandler(io.Discard, nil))
	c.Client, c.Wait = &http.Client{}, 0
	return c
}

// integrate integrates all that waits.
func (w *world) integrate() {
	w.t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.log.Integrate(ctx); err != nil {
			w.t.Fatalf("integrate: %v", err)
		}
	}
}

// publish publishes what is integrated, and holds it against all that was
// published before: as whoever follows the log does.
func (w *world) publish() tlog.Checkpoint {
	w.t.Helper()
	if err := w.log.Publish(ctx); err != nil {
		w.t.Fatalf("publish: %v", err)
	}
	note, err := w.log.Checkpoint(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	*w.seen = append(*w.seen, note)
	return w.audit()
}

// audit replays the whole log from what is served, and holds every checkpoint
// that was ever published against it.
func (w *world) audit() tlog.Checkpoint {
	w.t.Helper()
	key := w.keys.log.Public()
	newest, err := key.Verify((*w.seen)[len(*w.seen)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	for _, note := range *w.seen {
		old, err := key.Verify(note)
		if err != nil {
			w.t.Fatal(err)
		}
		proof, err := tlog.ProveConsistency(ctx, w.store, old.Size, newest.Size)
		if err == nil {
			err = tlog.VerifyConsistency(old, newest, proof)
		}
		if err != nil {
			w.t.Fatalf("the log of size %d does not extend the one of size %d that was published: %v", newest.Size, old.Size, err)
		}
	}
	store := directory.NewMemoryStore()
	replay := directory.NewReplay(key, store)
	err = tlog.Entries(ctx, w.store, 0, newest, new(tlog.Frontier), func(_ uint64, entry []byte) error {
		if err := replay.Entry(ctx, entry); err != nil {
			return err
		}
		store.Apply(replay.TakeChange())
		return nil
	})
	if err != nil || !replay.Rooted() {
		w.t.Fatalf("an auditor refuses the log of size %d: %v", newest.Size, err)
	}
	return newest
}

// look looks a name up as a device does that knows nothing yet.
func (w *world) look(name string) *directory.Found {
	w.t.Helper()
	answer, err := w.log.Lookup(ctx, sequencer.Question{Name: name})
	if err != nil {
		w.t.Fatalf("look up %s: %v", name, err)
	}
	again, err := directory.ParseAnswer(answer.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	_, found, err := w.worlds[0].Look(nil, name, again)
	if err != nil {
		w.t.Fatalf("look up %s: %v", name, err)
	}
	return found
}

// version returns the version of a name in the directory, 0 for none.
func (w *world) version(name string) uint64 {
	w.t.Helper()
	leaf, _ := w.look(name).Leaf()
	return leaf.Version
}

// TestLogFromEndToEnd opens accounts, appends, integrates, publishes and looks up.
func TestLogFromEndToEnd(t *testing.T) {
	w := newWorld(t)
	anna := w.join("anna")
	_, request := anna.AddWriter()
	if _, err := w.people.Append(ctx, session(anna, anna.Owner), request); err != nil {
		t.Fatal(err)
	}
	w.join("bert")
	w.publish()
	if got := w.version("anna"); got != 0 {
		t.Fatalf("version %d of anna before it was integrated", got)
	}
	w.integrate()
	w.now = w.now.Add(time.Second)
	first := w.publish()
	if a, b, none := w.version("anna"), w.version("bert"), w.version("nobody"); a != 2 || b != 1 || none != 0 {
		t.Fatalf("versions %d, %d, %d", a, b, none)
	}
	if err := directoryHead(w.look("anna")); err != anna.State.Head().Hash {
		t.Fatal("another head")
	}
	w.restart(ends()[3])
	if again := w.publish(); again != first {
		t.Fatalf("after a rebuild the checkpoint is %v, was %v", again, first)
	}
	if got := w.version("anna"); got != 2 {
		t.Fatalf("version %d of anna after a rebuild", got)
	}
	w.wantSound()
}

func directoryHead(f *directory.Found) protocol.Hash {
	_, head := f.Head(nil)
	return head.Hash
}
