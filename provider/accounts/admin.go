// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// Find returns an account by its name or the text of its identifier, for
// whoever runs the server.
func (s *Service) Find(ctx context.Context, text string) (Info, error) {
	if id, err := protocol.ParseAccountID(text); err == nil {
		return s.Stores.Accounts.Account(ctx, id)
	}
	name, err := api.CanonicalName(text)
	if err != nil {
		return Info{}, err
	}
	return s.Stores.Accounts.AccountByName(ctx, name)
}

// List visits all accounts.
func (s *Service) List(ctx context.Context, visit func(Info) error) error {
	return s.Stores.Accounts.Accounts(ctx, visit)
}

// Suspend stops or allows again that an account is changed. Reading stays.
func (s *Service) Suspend(ctx context.Context, id protocol.AccountID, suspended bool) error {
	return s.Stores.Accounts.ChangeAccount(ctx, id, func(r *Record) { r.Suspended = suspended })
}

// SetQuota sets how many bytes an account may store; 0 lifts the limit.
func (s *Service) SetQuota(ctx context.Context, id protocol.AccountID, quota int64) error {
	if quota < 0 {
		return protocol.Errorf(protocol.KindUsage, "a quota is not negative")
	}
	return s.Stores.Accounts.ChangeAccount(ctx, id, func(r *Record) { r.Quota = quota })
}
