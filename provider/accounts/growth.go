// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

const day = 24 * time.Hour

// checkHeads holds what a removal says of the vaults' chains against the chains:
// a device may know less than the newest head, but none that never was. Every
// reader would refuse the chain otherwise.
func (s *Service) checkHeads(ctx context.Context, batch Batch) error {
	for _, entry := range batch.Entries {
		removal := entry.Body().RemoveDevice
		if removal == nil {
			continue
		}
		for _, head := range removal.Heads {
			if err := s.checkHead(ctx, batch.Account, removal.Device, head); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) checkHead(ctx context.Context, account protocol.AccountID, device protocol.MemberID, head ledger.VaultHead) error {
	if head.Seq == 0 {
		return nil // nothing counts: of every chain
	}
	holds, err := s.Stores.Ledgers.HoldsHead(ctx, account, head)
	if err == nil && !holds {
		err = protocol.Errorf(protocol.KindUntrusted, "the removal of device %s names record %d of vault %s, which is not in the vault's chain here", device, head.Seq, head.Vault)
	}
	return err
}

// grow appends a verified batch within the day's limit, so that a device gone
// bad cannot fill the ledger. It is counted durably before it is appended, and
// taken back where it was not.
func (s *Service) grow(ctx context.Context, state *ledger.State, batch Batch) error {
	key, start := s.growthOf(state, batch), s.Clock().Truncate(day)
	count := func(ctx context.Context, n int64) (int64, error) {
		return s.Stores.Logins.Count(ctx, key, protocol.TimeOf(start), n)
	}
	n := int64(len(batch.Entries))
	total, err := count(ctx, n)
	if err != nil {
		return err
	}
	if total > s.Limits.EntriesPerDay {
		err = &TooManyError{
			What:  fmt.Sprintf("a ledger grows by at most %d entries a day", s.Limits.EntriesPerDay),
			After: start.Add(day).Sub(s.Clock()),
		}
	} else {
		err = s.Stores.Ledgers.AppendLedger(ctx, batch)
	}
	if err == nil {
		return nil
	}
	_, back := count(context.WithoutCancel(ctx), -n)
	return errors.Join(err, back)
}

// growthOf returns the counter that a batch is counted by: the account's, or the
// one of its oldest recovery method, for what that signed alone. So a thief who
// used the account's up does not keep the holder's kit from throwing him out, and
// what he adds himself is younger.
func (s *Service) growthOf(state *ledger.State, batch Batch) protocol.Hash {
	oldest := oldestRecovery(state)
	for _, entry := range batch.Entries {
		if entry.Signer() != oldest {
			return s.counter("ledger", batch.Account.String())
		}
	}
	return s.counter("ledger-recovery", batch.Account.String())
}

// oldestRecovery returns the recovery method present that was added first, zero
// where there is none.
func oldestRecovery(state *ledger.State) protocol.MemberID {
	for _, m := range state.AllMembers() {
		if m.Kind == ledger.KindRecovery && m.Present() {
			return m.ID
		}
	}
	return protocol.MemberID{}
}
