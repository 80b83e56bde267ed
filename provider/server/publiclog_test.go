// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/provider/statements"
)

// publicLog is the provider's log, carried on by hand.
type publicLog struct {
	*sequencer.Service
	key    *tlog.LogKey
	signer *statements.Signer
}

// memoryFloor is a floor that lives as long as the test.
type memoryFloor struct{ at protocol.Time }

func (f *memoryFloor) Floor(context.Context) (protocol.Time, error) { return f.at, nil }

func (f *memoryFloor) Raise(_ context.Context, to protocol.Time) error {
	f.at = to
	return nil
}

// newPublicLog opens a log with two worlds that demand no witness.
func newPublicLog(t testing.TB, store *records.Store, clock func() time.Time) *publicLog {
	t.Helper()
	secret, err := tlog.GenerateLogSecret("log.example.org")
	if err != nil {
		t.Fatal(err)
	}
	function, statementSecret := vrf.Generate(), statement.Generate()
	config := sequencer.DefaultConfig()
	for _, text := range []string{"", " https://log.example.org"} {
		policy, err := tlog.ParsePolicy([]byte("log " + secret.Public().String() + text + "\nquorum none\n"))
		if err != nil {
			t.Fatal(err)
		}
		world, err := directory.NewWorld(policy, function.Public(), statementSecret.Public())
		if err != nil {
			t.Fatal(err)
		}
		config.Worlds = append(config.Worlds, world)
	}
	config.Store, config.Key, config.VRF, config.Clock, config.AnchorsEvery = store, secret, function, clock, 0
	config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	service, err := sequencer.Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := statements.New(ctx, statements.Config{Log: secret.Public().ID(), Secret: statementSecret, Floor: &memoryFloor{}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return &publicLog{Service: service, key: secret.Public(), signer: signer}
}

// create is the request that opens an account of the name.
func (w *world) create(h *accountstest.Holder, invite, name string) api.CreateAccount {
	w.t.Helper()
	canonical, err := api.CanonicalName(name)
	if err != nil {
		canonical = "anybody" // the server is to refuse it
	}
	index, err := w.public.Index(canonical)
	if err != nil {
		w.t.Fatal(err)
	}
	h.Enter(w.public.key, index)
	return h.Create(invite, name)
}

// publish gives all that waits its place in the log, and publishes a checkpoint.
func (w *world) publish() {
	w.t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.public.Integrate(ctx); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.public.Publish(ctx); err != nil {
		w.t.Fatal(err)
	}
}
