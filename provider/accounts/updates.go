// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// Directory is the public log, as far as accounts need it. What a store of
// ledgers takes in with a batch's update, the log will hold.
type Directory interface {
	// Log returns the log's identifier, for which updates are signed.
	Log() protocol.Hash
	// Index returns where a canonical name stands in the directory.
	Index(name string) (protocol.Hash, error)
	// Promise returns the time of the log by which it holds what is accepted now.
	Promise() protocol.Time
}

// Signer signs what is newest. It calls look between two readings of a clock that
// never goes back; look names only what is stored durably. After is the time that
// the asker knows already.
type Signer interface {
	Sign(ctx context.Context, after protocol.Time, look func(context.Context) (statement.Statement, error)) ([]byte, error)
}

// checkUpdate holds a batch's update to all that does not need the name's leaf,
// and returns the entry and its opening: it is an update of this name in this log,
// signed by the key that it names, and commits to the ledger's head after the
// batch. Version and key are for the store to check, where it takes the batch in.
func (s *Service) checkUpdate(name string, batch *Batch, update, opening []byte) error {
	if s.Directory == nil {
		return protocol.Errorf(protocol.KindInternal, "directory update: no public log is open here")
	}
	if len(update) > api.MaxUpdate || len(opening) > api.MaxOpening {
		return protocol.Errorf(protocol.KindUsage, "directory update: the update or its opening is too large")
	}
	entry, err := directory.ParseEntry(update)
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "directory update")
	}
	if entry.Update == nil {
		return protocol.Errorf(protocol.KindUntrusted, "directory update: it is another kind of entry, %s", entry.Kind())
	}
	if batch.Opening, err = directory.ParseOpening(opening); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "directory update")
	}
	index, err := s.Directory.Index(name)
	if err != nil {
		return err
	}
	if err := entry.VerifySignature(s.Directory.Log()); err != nil {
		return protocol.Wrap(protocol.KindUntrusted, err, "directory update")
	}
	batch.Update = update
	return matchUpdate(entry.Update, index, batch)
}

func matchUpdate(u *directory.Update, index protocol.Hash, batch *Batch) error {
	last := batch.Entries[len(batch.Entries)-1]
	head := ledger.Head{Seq: last.Seq(), Hash: last.Hash()}
	first := batch.Entries[0].Seq() == 0
	wrong := func(why string) error {
		return protocol.Errorf(protocol.KindUntrusted, "directory update: %s", why)
	}
	switch {
	case u.Index != index:
		return wrong("it is of another name")
	case batch.Opening.Account != batch.Account || batch.Opening.Ledger != head:
		return wrong("its opening names another account, or not the ledger's head after these entries")
	case u.Commitment != directory.Commit(index, u.Version, batch.Opening):
		return wrong("the opening does not open its commitment")
	case first != (u.Version == 1):
		return wrong("a name's first version goes with the ledger's first entries, and with no others")
	case u.Next.IsZero():
		return protocol.Errorf(protocol.KindDenied, "directory update: it would close the name for ever while the account goes on")
	}
	return nil
}

// receipt signs that the log will hold a batch's update. The batch is stored.
func (s *Service) receipt(ctx context.Context, batch *Batch) ([]byte, error) {
	entry, err := directory.ParseEntry(batch.Update)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "sign receipt")
	}
	return s.Signer.Sign(ctx, 0, func(context.Context) (statement.Statement, error) {
		return statement.Statement{
			Kind: statement.KindReceipt, Account: batch.Account, Hash: tlog.LeafHash(batch.Update),
			Index: entry.Update.Index, NameVersion: entry.Update.Version, By: s.Directory.Promise(),
		}, nil
	})
}

// signHead signs which entry is the last of a ledger; nil where nobody asks.
func (s *Service) signHead(ctx context.Context, account protocol.AccountID, q api.Question) ([]byte, error) {
	if !q.Asks() {
		return nil, nil
	}
	return s.Signer.Sign(ctx, q.After, func(ctx context.Context) (statement.Statement, error) {
		head, err := s.Stores.Ledgers.LedgerHead(ctx, account)
		return statement.Statement{Kind: statement.KindLedger, Account: account, Seq: head.Seq, Hash: head.Hash, Nonce: q.Nonce}, err
	})
}
