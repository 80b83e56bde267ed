// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/witness"
)

// Witness cosigns what extends the log that it saw, with what it remembers in a
// file; it is watch/witness, in the process of the test. It can be bribed.
type Witness struct {
	Name string // the first part of its address, NAME.example

	t      testing.TB
	secret *tlog.WitnessSecret
	log    *tlog.LogKey
	file   string
	clock  string

	mu      sync.Mutex // guards what follows
	store   *witness.Store
	handler http.Handler
}

// witnessNames are the witnesses of every stage; devices demand two of them.
var witnessNames = []string{"witness-1", "witness-2", "witness-3"}

// newWitnesses returns witnesses of a log, in a folder.
func newWitnesses(t testing.TB, log *tlog.LogKey, dir, clock string) map[string]*Witness {
	t.Helper()
	made := map[string]*Witness{}
	for _, name := range witnessNames {
		secret, err := tlog.GenerateWitnessSecret(name+".example", tlog.Ed25519)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = &Witness{Name: name, t: t, secret: secret, log: log, file: filepath.Join(dir, name+".db"), clock: clock}
	}
	return made
}

// policy demands two of three witnesses.
func policy(list map[string]*Witness) string {
	var b strings.Builder
	for _, name := range witnessNames {
		b.WriteString("witness " + name + " " + list[name].secret.Public().String() + " http://" + name + ".example\n")
	}
	return b.String() + "group two 2 " + strings.Join(witnessNames, " ") + "\nquorum two\n"
}

// in returns the witness with what it remembers now, in another folder. Nobody may
// ask it meanwhile.
func (w *Witness) in(t testing.TB, dir, clock string) *Witness {
	t.Helper()
	w.close()
	c := w.Bribed(dir)
	c.t, c.clock = t, clock
	data, err := os.ReadFile(w.file)
	if os.IsNotExist(err) {
		return c // nobody asked it yet
	}
	if err == nil {
		err = os.WriteFile(c.file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bribed returns a witness with the same key, in a folder, that remembers nothing:
// it cosigns whatever it is shown first.
func (w *Witness) Bribed(dir string) *Witness {
	return &Witness{Name: w.Name, t: w.t, secret: w.secret, log: w.log, file: filepath.Join(dir, w.Name+".db"), clock: w.clock}
}

// Cosign signs a checkpoint whatever it is.
func (w *Witness) Cosign(note []byte, at time.Time) ([]byte, error) {
	c, err := tlog.ParseCheckpoint(note)
	if err != nil {
		return nil, err
	}
	return w.secret.Cosign(note, c, protocol.TimeOf(at)), nil
}

// ServeHTTP answers a log.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	h, err := w.open()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	h.ServeHTTP(rw, r)
}

func (w *Witness) open() (http.Handler, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.handler != nil {
		return w.handler, nil
	}
	store, err := witness.Open(context.Background(), w.file)
	if err != nil {
		return nil, err
	}
	one, err := witness.New(witness.Config{
		Logs:   []witness.Log{{Key: w.log, Secrets: []*tlog.WitnessSecret{w.secret}}},
		Memory: store, Clock: clockOf(w.clock), Notes: slog.New(slog.NewTextHandler(io.Discard, nil)), Limits: witness.DefaultLimits(),
	})
	if err != nil {
		_ = store.Close() // the first error counts
		return nil, err
	}
	w.store, w.handler = store, one.Handler()
	w.t.Cleanup(w.close)
	return w.handler, nil
}

// close ends it; whoever asks opens it again.
func (w *Witness) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store == nil {
		return
	}
	if err := w.store.Close(); err != nil {
		w.t.Errorf("close %s: %v", w.Name, err)
	}
	w.store, w.handler = nil, nil
}

// clockOf reads the clock of a scene.
func clockOf(file string) func() time.Time {
	return func() time.Time {
		text, err := os.ReadFile(file)
		if err != nil {
			return time.Now()
		}
		off, err := time.ParseDuration(string(text))
		if err != nil {
			return time.Now()
		}
		return time.Now().Add(off)
	}
}
