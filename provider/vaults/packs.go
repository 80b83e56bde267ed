// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// Offer is a pack whose statement was verified and that may now be sent.
type Offer struct {
	place     Place
	statement *snapshot.PackStatement
	raw       []byte
	ledger    ledger.Head
	stored    bool
}

// Stored reports that the pack is here already; nothing needs to be sent.
func (o *Offer) Stored() bool { return o.stored }

// Size returns the size that the statement names.
func (o *Offer) Size() int64 { return int64(o.statement.Size) }

// Offer verifies a pack's statement, before its bytes are read: rights,
// signature, epoch, room, and that the pack is not retired or dropped.
func (s *Service) Offer(ctx context.Context, device Device, vault protocol.VaultID, id protocol.PackID, raw []byte) (*Offer, error) {
	state, err := s.mayAdd(ctx, device, vault)
	if err != nil {
		return nil, err
	}
	st, err := snapshot.ParsePackStatement(raw)
	if err != nil {
		return nil, err
	}
	offer := &Offer{place: Place{device.Account, vault}, statement: st, raw: raw, ledger: state.Head()}
	if err := s.checkStatement(ctx, device, offer, id, state); err != nil {
		return nil, err
	}
	old, err := s.Packs.Pack(ctx, device.Account, id)
	if isKind(err, protocol.KindNotFound) {
		return offer, s.checkRoom(ctx, device.Account, offer.Size())
	}
	if err != nil {
		return nil, err
	}
	offer.stored = true
	return offer, s.sameAs(ctx, offer, old)
}

func (s *Service) checkStatement(ctx context.Context, device Device, o *Offer, id protocol.PackID, state *ledger.State) error {
	st := o.statement
	switch {
	case st.Account != o.place.Account || st.Vault != o.place.Vault || st.Pack != id:
		return protocol.Errorf(protocol.KindUsage, "the statement speaks of another pack than %s", id)
	case st.Device != device.Member:
		return protocol.Errorf(protocol.KindDenied, "pack %s is signed by another device than the one that sends it", id)
	case st.Size == 0 || st.Size > api.MaxPack:
		return protocol.Errorf(protocol.KindUsage, "pack %s: %d bytes, 1 to %d allowed", id, st.Size, int64(api.MaxPack))
	}
	if _, err := st.Verify(state); err != nil {
		return err
	}
	recipient, err := state.VaultRecipient(st.Vault)
	if err != nil {
		return err
	}
	if st.Epoch != recipient.Epoch() {
		return s.conflict(ctx, o.place, "the vault has new keys meanwhile; read the ledger and seal again")
	}
	return nil
}

func (s *Service) checkRoom(ctx context.Context, account protocol.AccountID, size int64) error {
	room, err := s.Packs.Room(ctx, account)
	if err != nil {
		return err
	}
	if size > room {
		return protocol.Errorf(protocol.KindQuota, "the account's quota has room for %d bytes, the pack has %d", room, size)
	}
	return nil
}

// sameAs answers a pack that is or was here.
func (s *Service) sameAs(ctx context.Context, o *Offer, old Pack) error {
	switch {
	case old.State == api.PackDropped && old.Place == o.place: // by whomever: of some only the name is left
		return s.conflict(ctx, o.place, string(old.State))
	case old.Place != o.place || old.Device != o.statement.Device:
		return protocol.Errorf(protocol.KindExists, "pack %s is here already, of another vault or device", old.ID)
	case old.State != api.PackStored:
		return s.conflict(ctx, o.place, string(old.State))
	}
	return nil
}

// tries is how often a write is begun again because a ledger grew between its
// check and its commit.
const tries = 4

// Put stores the bytes of an offered pack. It returns when they are durable, and
// reports whether the pack is new. It does not keep data. Where the ledger grew
// since the offer, the statement is held against it again.
func (s *Service) Put(ctx context.Context, o *Offer, data []byte) (created bool, err error) {
	if int64(len(data)) != o.Size() {
		return false, protocol.Errorf(protocol.KindUntrusted, "pack %s has %d bytes, its statement says %d", o.statement.Pack, len(data), o.Size())
	}
	device := Device{Account: o.place.Account, Member: o.statement.Device}
	for range tries {
		created, err = s.Packs.AddPack(ctx, NewPack{
			Place: o.place, Pack: o.statement.Pack, Device: o.statement.Device,
			Statement: o.raw, Data: data, Ledger: o.ledger, At: s.now(),
		})
		if !isKind(err, protocol.KindConflict) {
			return created, err
		}
		if o, err = s.Offer(ctx, device, o.place.Vault, o.statement.Pack, o.raw); err != nil {
			return false, err
		}
	}
	return false, s.conflict(ctx, o.place, "the ledger grows too fast; send the pack again")
}

// List visits a page of the vault's packs.
func (s *Service) List(ctx context.Context, device Device, vault protocol.VaultID, after uint64, limit int, visit func(api.PackRecord) error) error {
	if _, err := s.mayManage(ctx, device, vault); err != nil {
		return err
	}
	if limit <= 0 || limit > api.MaxPage {
		limit = api.MaxPage
	}
	return s.Packs.Packs(ctx, Place{device.Account, vault}, after, limit, visit)
}

// Stat says what is held of each pack. To a writer device all but its own are absent.
func (s *Service) Stat(ctx context.Context, device Device, vault protocol.VaultID, ids []protocol.PackID) ([]api.PackState, error) {
	state, err := s.mayAdd(ctx, device, vault)
	if err != nil {
		return nil, err
	}
	if len(ids) > api.MaxStat {
		return nil, protocol.Errorf(protocol.KindUsage, "%d packs asked after, at most %d allowed at once", len(ids), api.MaxStat)
	}
	owner := state.MayManage(device.Member) == nil
	states := make([]api.PackState, len(ids))
	for i, id := range ids {
		pack, err := s.Packs.Pack(ctx, device.Account, id)
		states[i] = pack.State
		if isKind(err, protocol.KindNotFound) || err == nil && (pack.Vault != vault || !owner && pack.Device != device.Member) {
			states[i] = api.PackAbsent
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return states, nil
}

// Blocks is the answer to one read: its head, and what follows it.
type Blocks struct {
	Head   api.BlockHead
	Offset int64
	Data   blob.Reader // nil where nothing follows; the caller closes
}

// CheckReads refuses what is asked for in the wrong way or all at once.
func (s *Service) CheckReads(ctx context.Context, device Device, vault protocol.VaultID, reads []api.Read) error {
	if _, err := s.mayManage(ctx, device, vault); err != nil {
		return err
	}
	if len(reads) > api.MaxReads {
		return protocol.Errorf(protocol.KindUsage, "%d reads, at most %d allowed at once", len(reads), api.MaxReads)
	}
	var total int64
	for _, read := range reads {
		if err := read.Check(); err != nil {
			return err
		}
		total += read.Length
	}
	if total > api.MaxReadBytes {
		return protocol.Errorf(protocol.KindUsage, "reads of %d bytes, at most %d allowed at once", total, int64(api.MaxReadBytes))
	}
	return nil
}

// Read opens one read of those that CheckReads let pass.
func (s *Service) Read(ctx context.Context, place Place, read api.Read) (Blocks, error) {
	absent := Blocks{Head: api.BlockHead{Status: api.BlockAbsent}}
	pack, err := s.Packs.Pack(ctx, place.Account, read.Pack)
	if isKind(err, protocol.KindNotFound) || err == nil && (pack.Vault != place.Vault || pack.State == api.PackDropped) {
		return absent, nil
	}
	if err != nil {
		return Blocks{}, err
	}
	data, size, err := s.Packs.OpenPack(ctx, place.Account, read.Pack)
	if isKind(err, protocol.KindNotFound) {
		return absent, nil
	}
	if err != nil {
		return Blocks{}, err
	}
	head := api.BlockHead{Status: api.BlockOK, Length: max(0, min(read.Length, size-read.Offset))}
	if pack.State == api.PackRetired {
		head.Status = api.BlockRetired
	}
	return Blocks{Head: head, Offset: read.Offset, Data: data}, nil
}
