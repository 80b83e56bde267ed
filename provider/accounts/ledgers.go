// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

// LedgerConflict says that a ledger's head is another than the one that was
// extended. It unwraps to protocol.KindConflict.
type LedgerConflict struct {
	Head ledger.Head
}

// Error says it in words.
func (e *LedgerConflict) Error() string {
	return "the ledger has grown meanwhile; read it and decide again"
}

// Unwrap gives the error its kind.
func (e *LedgerConflict) Unwrap() error {
	return protocol.Errorf(protocol.KindConflict, "the ledger has grown meanwhile")
}

// Ledger returns a page of an account's ledger.
func (s *Service) Ledger(ctx context.Context, account protocol.AccountID, from uint64) (api.LedgerPage, error) {
	if _, err := s.Stores.Ledgers.LedgerHead(ctx, account); err != nil {
		return api.LedgerPage{}, err
	}
	encoded, err := s.Stores.Ledgers.Entries(ctx, account, from, api.MaxLedgerPage+1)
	if err != nil {
		return api.LedgerPage{}, err
	}
	page := api.LedgerPage{Entries: [][]byte{}, Objects: [][]byte{}}
	seen := map[protocol.Hash]bool{}
	size := 0
	for _, raw := range encoded {
		objects, err := s.objects(ctx, account, raw, seen)
		if err != nil {
			return api.LedgerPage{}, err
		}
		for _, object := range objects {
			size += len(object)
		}
		size += len(raw)
		if len(page.Entries) == api.MaxLedgerPage || size > api.MaxLedgerPageSize && len(page.Entries) > 0 {
			page.More = true
			break
		}
		page.Entries, page.Objects = append(page.Entries, raw), append(page.Objects, objects...)
	}
	return page, nil
}

// objects returns what an entry names and the page does not hold yet.
func (s *Service) objects(ctx context.Context, account protocol.AccountID, raw []byte, seen map[protocol.Hash]bool) ([][]byte, error) {
	entry, err := ledger.Parse(raw)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read ledger of account %s", account)
	}
	var objects [][]byte
	for _, name := range entry.Body().Objects() {
		if seen[name] {
			continue
		}
		object, err := s.Stores.Ledgers.Object(ctx, account, name)
		if err != nil {
			return nil, err
		}
		seen[name] = true
		objects = append(objects, object)
	}
	return objects, nil
}

// Append extends an account's ledger. What does not extend it validly is
// refused whole.
func (s *Service) Append(ctx context.Context, session Session, r api.LedgerAppend) (api.LedgerHead, error) {
	if err := s.Manages(ctx, session); err != nil {
		return api.LedgerHead{}, err
	}
	batch, err := newBatch(r.RequestID, r.Entries, r.Objects, r.Recovery)
	if err != nil {
		return api.LedgerHead{}, err
	}
	batch.Account, batch.At, batch.After = session.Account, s.now(), ledger.Head{Seq: r.Seq, Hash: r.Prev}
	batch.Digest = digest(r.RequestID, r.Seq, r.Prev, r.Entries, r.Objects, batch.Recovery)
	state, err := s.State(ctx, session.Account)
	if err != nil {
		return api.LedgerHead{}, err
	}
	last := batch.Entries[len(batch.Entries)-1]
	answer := api.LedgerHead{Seq: last.Seq(), Hash: last.Hash()}
	if state.Head() != batch.After {
		return s.again(answer, batch, state)
	}
	if err := s.append(ctx, state, batch); err != nil {
		return api.LedgerHead{}, s.orConflict(ctx, session.Account, err)
	}
	return answer, nil
}

// again answers a batch that does not extend the head: it is there already, as
// after a lost answer, or something else is.
func (s *Service) again(answer api.LedgerHead, batch Batch, state *ledger.State) (api.LedgerHead, error) {
	for _, entry := range batch.Entries {
		if !state.Holds(ledger.Head{Seq: entry.Seq(), Hash: entry.Hash()}) {
			return api.LedgerHead{}, &LedgerConflict{Head: state.Head()}
		}
	}
	return answer, nil
}

func (s *Service) append(ctx context.Context, state *ledger.State, batch Batch) error {
	info, err := s.Stores.Accounts.Account(ctx, batch.Account)
	if err != nil {
		return err
	}
	if err := writable(info); err != nil {
		return err
	}
	next, err := state.Extend(batch.Entries, nil)
	if err != nil {
		return err
	}
	if err := s.checkHeads(ctx, batch); err != nil {
		return err
	}
	if err := s.grow(ctx, state, batch); err != nil {
		return err
	}
	s.cache(next)
	s.changed(batch.Account)
	return nil
}

func (s *Service) orConflict(ctx context.Context, account protocol.AccountID, err error) error {
	if !isKind(err, protocol.KindConflict) {
		return err
	}
	head, read := s.Stores.Ledgers.LedgerHead(ctx, account)
	if read != nil {
		return read
	}
	return &LedgerConflict{Head: head}
}

// RecoveryBox returns the box of a locator, which only whoever holds the
// recovery secret can know.
func (s *Service) RecoveryBox(ctx context.Context, address string, locator protocol.Hash) ([]byte, error) {
	if err := s.limit(ctx, "lookup-address", address, s.Limits.LookupsPerAddress); err != nil {
		return nil, err
	}
	return s.Stores.Ledgers.RecoveryBox(ctx, locator)
}
