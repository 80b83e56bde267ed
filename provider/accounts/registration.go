// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
)

// Invite makes a single-use invite that names the host, its pin and the world
// that the new device is to join.
func (s *Service) Invite(ctx context.Context, host string, pin api.Pin, world protocol.Hash) (api.Invite, error) {
	invite := api.GenerateInvite(host, pin, world)
	return invite, s.Stores.Invites.AddInvite(ctx, invite.Secret.Hash(), s.now())
}

// checkInvite returns the hash of an invite that is known here. The secret has
// 120 bits: telling the cases apart helps no guesser.
func (s *Service) checkInvite(ctx context.Context, text string) (protocol.Hash, Invite, error) {
	var invite api.Invite
	var err error
	if strings.Contains(text, ":") {
		invite, err = api.ParseInvite(text)
	} else {
		invite, err = api.ParseInviteCode(text)
	}
	if err != nil {
		return protocol.Hash{}, Invite{}, err
	}
	hash := invite.Secret.Hash()
	known, err := s.Stores.Invites.Invite(ctx, hash)
	if isKind(err, protocol.KindNotFound) {
		return hash, known, protocol.Errorf(protocol.KindWrongSecret, "this server does not know this invite; ask whoever runs it for a new one")
	}
	return hash, known, err
}

func usedUp() error {
	return protocol.Errorf(protocol.KindDenied, "this invite was used already; each is good for one account")
}

// Register answers the first message of a registration. It changes nothing but
// the counters.
func (s *Service) Register(ctx context.Context, address string, r api.RegistrationRequest) (api.RegistrationResponse, error) {
	var none api.RegistrationResponse
	if err := s.limit(ctx, "guess-address", address, s.Limits.GuessesPerAddress); err != nil {
		return none, err
	}
	_, invite, err := s.checkInvite(ctx, r.Invite)
	if err != nil {
		return none, err
	}
	if !invite.UsedBy.IsZero() {
		return none, usedUp()
	}
	name, err := api.CanonicalName(r.Name)
	if err != nil {
		return none, err
	}
	// The answer depends on the name's own key, so it helps whoever guesses at
	// that name's password, also before the account is opened: count it as a guess.
	if err := s.limit(ctx, "guess-name", name, s.Limits.GuessesPerName); err != nil {
		return none, err
	}
	if _, err := s.Stores.Accounts.AccountByName(ctx, name); !isKind(err, protocol.KindNotFound) {
		return none, orTaken(err, name)
	}
	request, err := s.opaque.Deserialize.RegistrationRequest(r.Request)
	if err != nil {
		return none, protocol.Errorf(protocol.KindUsage, "registration: the request is malformed")
	}
	response, err := s.opaque.RegistrationResponse(request, credential(name), nil)
	if err != nil {
		return none, protocol.Errorf(protocol.KindUsage, "registration: the request is malformed")
	}
	return api.RegistrationResponse{Response: response.Serialize()}, nil
}

func orTaken(err error, name string) error {
	if err != nil {
		return err
	}
	return protocol.Errorf(protocol.KindExists, "the name %q is taken here", name)
}

// credential is what a name's OPRF key is derived from. Unknown names have one
// too, so that they answer like known ones, today as tomorrow.
func credential(name string) []byte { return []byte("solekey/v1/credential\x00" + name) }

// Create opens an account: it folds the ledger, holds the objects and the update of
// the directory against it and stores all in one step.
func (s *Service) Create(ctx context.Context, address string, r api.CreateAccount) (api.Created, error) {
	var none api.Created
	if err := s.limit(ctx, "guess-address", address, s.Limits.GuessesPerAddress); err != nil {
		return none, err
	}
	hash, _, err := s.checkInvite(ctx, r.Invite)
	if err != nil {
		return none, err
	}
	name, err := api.CanonicalName(r.Name)
	if err != nil {
		return none, err
	}
	if _, err := s.opaque.Deserialize.RegistrationRecord(r.Record); err != nil {
		return none, protocol.Errorf(protocol.KindUsage, "open account: the password record is malformed")
	}
	batch, err := newBatch(r.RequestID, r.Entries, r.Objects, r.Recovery)
	if err != nil {
		return none, err
	}
	state, err := ledger.Fold(batch.Entries, nil)
	if err != nil {
		return none, err
	}
	batch.Account, batch.At = state.Account(), s.now()
	if err := s.checkUpdate(name, &batch, r.Update, r.Opening); err != nil {
		return none, err
	}
	if err := s.checkHeads(ctx, batch); err != nil {
		return none, err
	}
	r.Invite, r.Name = hash.String(), name
	batch.Digest = digest(r.RequestID, r.Invite, r.Name, r.Record, r.Entries, r.Objects, batch.Recovery, r.Update, r.Opening)
	record := Record{
		Version: 1, Account: state.Account(), Number: 1, Name: name, Password: r.Record,
		Created: batch.At, Invite: hash, Quota: s.Quota,
	}
	if err := s.Stores.Accounts.CreateAccount(ctx, NewAccount{Record: record, Batch: batch}); err != nil {
		return none, err
	}
	receipt, err := s.receipt(ctx, &batch)
	return api.Created{Account: state.Account(), Receipt: receipt}, err
}

// digest is a hash over the whole of a request.
func digest(parts ...any) protocol.Hash { return sum(canonical.MustMarshal(parts)) }

// newBatch parses what a request appends and holds it to its limits. The
// objects must be exactly those that the entries name.
func newBatch(id protocol.RequestID, encoded, objects [][]byte, recovery []api.RecoveryBox) (Batch, error) {
	switch {
	case id.IsZero():
		return Batch{}, protocol.Errorf(protocol.KindUsage, "ledger: no request id")
	case len(encoded) == 0 || len(encoded) > api.MaxEntries:
		return Batch{}, protocol.Errorf(protocol.KindUsage, "ledger: %d entries, 1 to %d allowed at once", len(encoded), api.MaxEntries)
	case len(objects) > api.MaxObjects:
		return Batch{}, protocol.Errorf(protocol.KindUsage, "ledger: %d objects, at most %d allowed at once", len(objects), api.MaxObjects)
	}
	entries, err := parseEntries(encoded)
	if err != nil {
		return Batch{}, err
	}
	if err := matchObjects(entries, objects); err != nil {
		return Batch{}, err
	}
	boxes, err := checkBoxes(recovery)
	return Batch{Request: id, Entries: entries, Objects: objects, Recovery: boxes}, err
}

// matchObjects demands that the objects are exactly those that the entries name.
func matchObjects(entries []*ledger.Entry, objects [][]byte) error {
	named := map[protocol.Hash]bool{}
	for _, entry := range entries {
		for _, hash := range entry.Body().Objects() {
			named[hash] = true
		}
	}
	if len(named) != len(objects) {
		return protocol.Errorf(protocol.KindUntrusted, "ledger: the entries name %d objects, %d came with them", len(named), len(objects))
	}
	for i, object := range objects {
		hash := sum(object)
		if !named[hash] || len(object) > api.MaxObject {
			return protocol.Errorf(protocol.KindUntrusted, "ledger: object %d is named by no entry, twice there, or too large", i)
		}
		delete(named, hash)
	}
	return nil
}

func checkBoxes(recovery []api.RecoveryBox) ([]Box, error) {
	if len(recovery) > api.MaxRecoveryBoxes {
		return nil, protocol.Errorf(protocol.KindUsage, "recovery: %d boxes, at most %d allowed at once", len(recovery), api.MaxRecoveryBoxes)
	}
	seen := map[protocol.Hash]bool{}
	var boxes []Box
	for _, r := range recovery {
		if seen[r.Locator] || r.Locator.IsZero() || len(r.Box) == 0 || len(r.Box) > api.MaxRecoveryBox {
			return nil, protocol.Errorf(protocol.KindUsage, "recovery: a box is empty, too large, or its locator stands twice")
		}
		seen[r.Locator] = true
		boxes = append(boxes, Box{Locator: r.Locator, Box: r.Box})
	}
	return boxes, nil
}
