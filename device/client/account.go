// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// maxListJSON bounds the answers that carry many parts.
const maxListJSON = 48 << 20

// maxLedger bounds the bytes of a ledger with its objects, which are in memory
// before any of them can be verified: many times what an account comes to.
const maxLedger = 256 << 20

// sizeOf returns the bytes of a page.
func sizeOf(page *api.LedgerPage) int {
	size := 0
	for _, part := range [][][]byte{page.Entries, page.Objects} {
		for _, one := range part {
			size += len(one)
		}
	}
	return size
}

// Info asks what the server says about itself; all of it is a claim.
func (c *Client) Info(ctx context.Context) (*api.Server, error) {
	info := new(api.Server)
	err := c.ask(ctx, call{method: http.MethodGet, path: api.PathServer}, nil, info, func() error {
		if !slices.Contains(info.API, api.Version) {
			return protocol.Errorf(protocol.KindUnsupported, "the server speaks versions %v of the interface, this program speaks %d: update the older of the two", info.API, api.Version)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

// CreateAccount opens an account and uses the invite up; it returns the server's
// signed receipt of the name's first version, nil where none is demanded. A zero
// RequestID is chosen here; to repeat it in a later run, choose it there.
func (c *Client) CreateAccount(ctx context.Context, body *api.CreateAccount, p Promise) (*statement.Signed, error) {
	b := *body
	if b.RequestID.IsZero() {
		b.RequestID = newRequestID()
	}
	if len(b.Entries) == 0 {
		return nil, protocol.Errorf(protocol.KindInternal, "open account: no entries")
	}
	p.Account = protocol.AccountID(sha256.Sum256(b.Entries[0]))
	var created api.Created
	var receipt *statement.Signed
	err := c.ask(ctx, call{method: http.MethodPost, path: api.PathAccounts}, b, &created, func() (err error) {
		if created.Account != p.Account {
			return unexpected("account %s, not %s", created.Account, p.Account)
		}
		receipt, err = c.receipt(p, created.Receipt)
		return err
	})
	return receipt, err
}

// RecoveryBox fetches the box under a locator; what is in it is for whoever
// holds the recovery key to say.
func (c *Client) RecoveryBox(ctx context.Context, locator protocol.Hash) ([]byte, error) {
	var box []byte
	err := c.do(ctx, call{
		method: http.MethodGet, path: api.PathRecoveryBox(locator), limit: api.MaxRecoveryBox,
		read: func(r io.Reader) (bool, error) {
			var err error
			box, err = io.ReadAll(r)
			return false, err
		},
	})
	return box, err
}

// account is what newcomers and members may both ask.
type account struct {
	c      *Client
	id     protocol.AccountID
	signer signer
}

// Account returns the account that the server named at login, or that a member
// was made for.
func (a *account) Account() protocol.AccountID { return a.id }

// Ledger returns the server's ledger from an entry on, and the objects that the
// entries name. Entries follow each other in number and reach at least to what
// the server signed as the newest; nothing else is verified: fold them, and hold
// them against the mark.
func (a *account) Ledger(ctx context.Context, from uint64) (entries []*ledger.Entry, objects [][]byte, err error) {
	q, err := a.c.question(statement.KindLedger, a.id, protocol.VaultID{})
	if err != nil {
		return nil, nil, err
	}
	said, asked, size := (*statement.Statement)(nil), q, 0
	for more := true; more; asked = nil {
		var page api.LedgerPage
		at := from + uint64(len(entries))
		k := call{
			method: http.MethodGet, path: api.PathLedger(a.id), signer: a.signer, limit: maxListJSON,
			query: func() url.Values { return asked.values(url.Values{api.QueryFrom: {strconv.FormatUint(at, 10)}}) },
		}
		var got []*ledger.Entry
		err = a.c.ask(ctx, k, nil, &page, func() error {
			if newest, err := asked.answered(page.Statement); err != nil {
				return err
			} else if newest != nil {
				said = newest
			}
			var err error
			got, err = checkLedgerPage(&page, at)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		entries, objects, more = append(entries, got...), append(objects, page.Objects...), page.More
		if size += sizeOf(&page); len(entries) > ledger.MaxEntries || size > a.c.most {
			return nil, nil, unexpected("a ledger of more than %d entries or %d bytes", ledger.MaxEntries, a.c.most)
		}
	}
	return entries, objects, reaches(entries, from, said)
}

// reaches demands that the entries hold what the server signed as the newest. A
// signed head before what was asked for is for the marks to judge.
func reaches(entries []*ledger.Entry, from uint64, said *statement.Statement) error {
	if said == nil || said.Seq < from {
		return nil
	}
	if at := said.Seq - from; at >= uint64(len(entries)) || entries[at].Hash() != said.Hash {
		return unexpected("ledger entries without entry %d, which it signed as the newest", said.Seq)
	}
	return nil
}

// checkLedgerPage parses a page: entries in their order, objects that they name,
// none twice.
func checkLedgerPage(page *api.LedgerPage, from uint64) ([]*ledger.Entry, error) {
	if len(page.Entries) > api.MaxLedgerPage || page.More && len(page.Entries) == 0 {
		return nil, unexpected("a page of %d entries", len(page.Entries))
	}
	named := map[protocol.Hash]bool{}
	var entries []*ledger.Entry
	for i, raw := range page.Entries {
		e, err := ledger.Parse(raw)
		if err != nil {
			return nil, err
		}
		if e.Seq() != from+uint64(i) {
			return nil, unexpected("ledger entry %d in place of %d", e.Seq(), from+uint64(i))
		}
		for _, name := range e.Body().Objects() {
			named[name] = true
		}
		entries = append(entries, e)
	}
	for _, object := range page.Objects {
		name := protocol.Hash(sha256.Sum256(object))
		if !named[name] {
			return nil, unexpected("object %s, which no entry names or which came before", name)
		}
		named[name] = false
	}
	return entries, nil
}

// Member is a device or a recovery method that signs in by its own key.
type Member struct {
	account
	member protocol.MemberID
}

// As returns the member whose secrets are given. Sessions are opened when they
// are needed and remembered in the cache, which may be nil.
func (c *Client) As(id protocol.AccountID, secrets *keys.MemberSecrets, cache Sessions) *Member {
	member := secrets.ID()
	signer := &memberSigner{c: c, account: id, member: member, signing: secrets.Signing, cache: cache}
	return &Member{account{c: c, id: id, signer: signer}, member}
}

// SignIn opens a session now, where none is remembered: to learn whether the
// server takes this member.
func (m *Member) SignIn(ctx context.Context) error {
	_, err := m.signer.token(ctx, "")
	return err
}

// SignOut ends the session at the server.
func (m *Member) SignOut(ctx context.Context) error {
	return m.c.ask(ctx, call{method: http.MethodDelete, path: api.PathCurrentSession, signer: m.signer}, nil, nil, nil)
}

// Info asks what the server says about the account.
func (m *Member) Info(ctx context.Context) (*api.Account, error) {
	info := new(api.Account)
	err := m.c.ask(ctx, call{method: http.MethodGet, path: api.PathAccount(m.id), signer: m.signer}, nil, info, func() error {
		if info.Account != m.id {
			return unexpected("account %s, not %s", info.Account, m.id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Append is what extends a ledger: entries that follow the head, the objects that
// they name, boxes for recovery keys among them, and the update of the name that
// the last entry becomes newest by, with its opening.
type Append struct {
	After    ledger.Head
	Entries  []*ledger.Entry
	Objects  [][]byte
	Recovery []api.RecoveryBox
	Update   []byte
	Opening  []byte
	Promise  Promise
}

// AppendLedger appends entries and returns the server's signed receipt, nil where
// none is demanded. Where the ledger has grown meanwhile the error is
// KindConflict, and its Refusal says to where.
func (m *Member) AppendLedger(ctx context.Context, b Append) (*statement.Signed, error) {
	if len(b.Entries) == 0 {
		return nil, protocol.Errorf(protocol.KindInternal, "append to ledger: no entries")
	}
	body := api.LedgerAppend{
		RequestID: newRequestID(), Seq: b.After.Seq, Prev: b.After.Hash, Objects: b.Objects, Recovery: b.Recovery,
		Update: b.Update, Opening: b.Opening,
	}
	for _, e := range b.Entries {
		body.Entries = append(body.Entries, e.Bytes())
	}
	last := b.Entries[len(b.Entries)-1]
	var done api.Appended
	var receipt *statement.Signed
	err := m.c.ask(ctx, call{method: http.MethodPost, path: api.PathLedger(m.id), signer: m.signer}, body, &done, func() (err error) {
		// Others may have appended since.
		if done.Seq < last.Seq() || done.Seq == last.Seq() && done.Hash != last.Hash() {
			return unexpected("ledger head %d, not %d", done.Seq, last.Seq())
		}
		receipt, err = m.c.receipt(b.Promise, done.Receipt)
		return err
	})
	return receipt, err
}
