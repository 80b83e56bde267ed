// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Contact returns a page of the ledger that a name belongs to, without objects, for
// whoever verifies it to seal something to its members.
func (s *Service) Contact(ctx context.Context, session Session, name string, from uint64) (api.LedgerPage, error) {
	none := api.LedgerPage{}
	if session.Scope != api.ScopeMember {
		return none, protocol.Errorf(protocol.KindDenied, "this needs a session of a device, a password is not enough")
	}
	name, err := api.CanonicalName(name)
	if err != nil {
		return none, err
	}
	info, err := s.Stores.Accounts.AccountByName(ctx, name)
	if isKind(err, protocol.KindNotFound) {
		return none, protocol.Errorf(protocol.KindNotFound, "there is no account %q here", name)
	}
	if err != nil {
		return none, err
	}
	encoded, err := s.Stores.Ledgers.Entries(ctx, info.Account, from, api.MaxLedgerPage+1)
	if err != nil {
		return none, err
	}
	page := api.LedgerPage{Entries: [][]byte{}, Objects: [][]byte{}}
	size := 0
	for _, raw := range encoded {
		size += len(raw)
		if full(page, size) {
			page.More = true
			break
		}
		page.Entries = append(page.Entries, raw)
	}
	return page, nil
}

// MayAnchor counts one request that leaves anchors with boxes of so many bytes, and
// refuses it to whoever is no member, or of an account that is suspended.
func (s *Service) MayAnchor(ctx context.Context, session Session, bytes int) error {
	if session.Scope != api.ScopeMember {
		return protocol.Errorf(protocol.KindDenied, "this needs a session of a device, a password is not enough")
	}
	info, err := s.Stores.Accounts.Account(ctx, session.Account)
	if err != nil {
		return err
	}
	if err := writable(info); err != nil {
		return err
	}
	if err := s.limit(ctx, "anchors", string(session.Account[:]), s.Limits.AnchorsPerHour); err != nil {
		return err
	}
	return s.limitUses(ctx, "anchor bytes", string(session.Account[:]), int64(bytes), s.Limits.AnchorBytesPerHour)
}
