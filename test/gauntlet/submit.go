// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/storage/disk"
	"github.com/solekey/solekey/storage/sqlite"
)

// AskForName puts into the site's public log that a stranger asks for a name: the
// one thing about somebody else's name that the rules let a provider do. It waits
// until that is published.
func (s *Site) AskForName(name string, clock func() time.Time) {
	s.t.Helper()
	s.submit(name, clock, submitNotice)
}

// GiveName gives a name to the stranger who asked for it, which the rules allow
// where nobody answered for 30 days. It waits until that is published.
func (s *Site) GiveName(name string, clock func() time.Time) {
	s.t.Helper()
	s.submit(name, clock, submitReassign)
}

func (s *Site) submit(name string, clock func() time.Time, entry func(context.Context, *sequencer.Service, *directory.World, string) error) {
	s.t.Helper()
	status, raw := s.Get(api.PathWorld)
	if status != http.StatusOK {
		s.t.Fatalf("the site shows no world: status %d", status)
	}
	w, err := directory.ParseWorld(raw)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Stop()
	err = s.withLog(w, clock, func(ctx context.Context, log *sequencer.Service) error {
		return entry(ctx, log, w, name)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Start()
	before := s.Size()
	s.Grow(before)
}

// withLog opens the log of a stopped site.
func (s *Site) withLog(w *directory.World, clock func() time.Time, do func(context.Context, *sequencer.Service) error) (err error) {
	ctx := context.Background()
	blobs, err := disk.Open(filepath.Join(s.Dir, "blobs"))
	if err != nil {
		return err
	}
	db, err := sqlite.Open(ctx, filepath.Join(s.Dir, "solekeyd.db"), records.Schema())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	config := sequencer.DefaultConfig()
	config.Store, config.Key, config.VRF = records.New(db.Write, db.Read, blobs), s.LogSecret(), s.VRFSecret()
	config.Worlds, config.Clock = []*directory.World{w}, clock
	log, err := sequencer.Open(ctx, config)
	if err != nil {
		return err
	}
	return do(ctx, log)
}

// submitNotice asks for the name at whatever version it has.
func submitNotice(ctx context.Context, log *sequencer.Service, w *directory.World, name string) error {
	index, err := log.Index(name)
	if err != nil {
		return err
	}
	ghost := keys.GenerateMemberSecrets()
	own, err := ledger.Sign(nil, 1, ledger.Body{Genesis: &ledger.Genesis{Device: *ghost.Public()}}, ghost)
	if err != nil {
		return err
	}
	folded, err := ledger.Fold([]*ledger.Entry{own}, nil)
	if err != nil {
		return err
	}
	opening := directory.GenerateOpening(folded.Account(), folded.Head())
	secret := keys.GenerateSecret()
	for version := uint64(1); version < 32; version++ {
		key := directory.DeriveUpdateSecret(secret, folded.Account(), version+1)
		next := directory.DeriveUpdateSecret(secret, folded.Account(), version+2)
		entry := directory.Entry{Notice: directory.NewNotice(w.Log(), index, version, opening, key, next)}
		if err = log.Submit(ctx, entry.Bytes(), opening.Bytes()); err == nil {
			return nil
		}
	}
	return err
}

// submitReassign carries out the request for the name, wherever it stands.
func submitReassign(ctx context.Context, log *sequencer.Service, _ *directory.World, name string) error {
	index, err := log.Index(name)
	if err != nil {
		return err
	}
	for position := range uint64(1 << 10) {
		entry := directory.Entry{Reassign: &directory.Reassign{Index: index, Notice: position}}
		if err = log.Submit(ctx, entry.Bytes(), nil); err == nil {
			return nil
		}
	}
	return err
}
