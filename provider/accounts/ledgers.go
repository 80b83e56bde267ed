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

// Ledger returns a page of an account's ledger. Where the question asks for it, it
// says which entry is the last, signed before the page is read: the page, or those
// that follow it, reach at least as far.
func (s *Service) Ledger(ctx context.Context, account protocol.AccountID, from uint64, q api.Question) (api.LedgerPage, error) {
	if _, err := s.Stores.Ledgers.LedgerHead(ctx, account); err != nil {
		return api.LedgerPage{}, err
	}
	said, err := s.signHead(ctx, account, q)
	if err != nil {
		return api.LedgerPage{}, err
	}
	encoded, err := s.Stores.Ledgers.Entries(ctx, account, from, api.MaxLedgerPage+1)
	if err != nil {
		return api.LedgerPage{}, err
	}
	page := api.LedgerPage{Entries: [][]byte{}, Objects: [][]byte{}, Statement: said}
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
		if full(page, size) {
			page.More = true
			break
		}
		page.Entries, page.Objects = append(page.Entries, raw), append(page.Objects, objects...)
	}
	return page, nil
}

// full reports whether a page has no room for one more entry, which makes it as
// large as that. The first entry always has.
func full(page api.LedgerPage, size int) bool {
	return len(page.Entries) == api.MaxLedgerPage || size > api.MaxLedgerPageSize && len(page.Entries) > 0
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

// Append extends an account's ledger, and its name in the directory with it. What
// does not extend both validly is refused whole.
func (s *Service) Append(ctx context.Context, session Session, r api.LedgerAppend) (api.Appended, error) {
	var none api.Appended
	if err := s.Manages(ctx, session); err != nil {
		return none, err
	}
	batch, err := newBatch(r.RequestID, r.Entries, r.Objects, r.Recovery)
	if err != nil {
		return none, err
	}
	batch.Account, batch.At, batch.After = session.Account, s.now(), ledger.Head{Seq: r.Seq, Hash: r.Prev}
	batch.Digest = digest(r.RequestID, r.Seq, r.Prev, r.Entries, r.Objects, batch.Recovery, r.Update, r.Opening)
	info, err := s.Stores.Accounts.Account(ctx, session.Account)
	if err != nil {
		return none, err
	}
	if err := s.checkUpdate(info.Name, &batch, r.Update, r.Opening); err != nil {
		return none, err
	}
	state, err := s.State(ctx, session.Account)
	if err != nil {
		return none, err
	}
	last := batch.Entries[len(batch.Entries)-1]
	answer := api.Appended{LedgerHead: api.LedgerHead{Seq: last.Seq(), Hash: last.Hash()}}
	if state.Head() != batch.After {
		return s.again(ctx, answer, batch, state)
	}
	if err := s.append(ctx, info, state, batch); err != nil {
		return none, s.orConflict(ctx, session.Account, err)
	}
	answer.Receipt, err = s.receipt(ctx, &batch)
	return answer, err
}

// again answers a batch that does not extend the head: it is there already, as
// after a lost answer, or something else is. Only the very request that was
// accepted gets a receipt: of another one's update the log holds nothing.
func (s *Service) again(ctx context.Context, answer api.Appended, batch Batch, state *ledger.State) (api.Appended, error) {
	for _, entry := range batch.Entries {
		if !state.Holds(ledger.Head{Seq: entry.Seq(), Hash: entry.Hash()}) {
			return api.Appended{}, &LedgerConflict{Head: state.Head()}
		}
	}
	err := s.Stores.Ledgers.AppendLedger(ctx, batch) // appends nothing: the head has moved
	if isKind(err, protocol.KindConflict) {
		return answer, nil
	}
	if err == nil {
		answer.Receipt, err = s.receipt(ctx, &batch)
	}
	return answer, err
}

func (s *Service) append(ctx context.Context, info Info, state *ledger.State, batch Batch) error {
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
