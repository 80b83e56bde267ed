// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/protocol/statement"
)

// Vault is one vault at the server.
type Vault struct {
	m    *Member
	id   protocol.VaultID
	path string
}

// Vault returns the vault of the identifier; it asks nothing.
func (m *Member) Vault(id protocol.VaultID) *Vault {
	return &Vault{m: m, id: id, path: api.PathVault(m.id, id)}
}

// ID returns the vault's identifier.
func (v *Vault) ID() protocol.VaultID { return v.id }

func (v *Vault) call(method, below string) call {
	return call{method: method, path: v.path + below, signer: v.m.signer}
}

// Head asks for the vault's present state, which the server signs where that is
// demanded. Hold it against the marks.
func (v *Vault) Head(ctx context.Context) (api.Head, error) {
	q, err := v.m.c.question(statement.KindVault, v.m.id, v.id)
	if err != nil {
		return api.Head{}, err
	}
	var answer api.HeadAnswer
	k := v.call(http.MethodGet, api.BelowHead)
	if q != nil {
		k.query = func() url.Values { return q.values(url.Values{}) }
	}
	err = v.m.c.ask(ctx, k, nil, &answer, func() error {
		said, err := q.answered(answer.Statement)
		if err == nil && said != nil && answer.Head != signedHead(said) {
			return unexpected("another head than the one it signed")
		}
		if err != nil {
			return err
		}
		return checkHead(answer.Head)
	})
	return answer.Head, err
}

func signedHead(s *statement.Statement) api.Head {
	return api.Head{Seq: s.Seq, Hash: s.Hash, Generation: s.Generation, GenerationHash: s.GenerationHash}
}

func checkHead(h api.Head) error {
	if (h.Seq == 0) != h.Hash.IsZero() || (h.Generation == 0) != h.GenerationHash.IsZero() {
		return unexpected("a head whose number and hash contradict each other")
	}
	return nil
}

// Snapshots visits the vault's records from a number on, until the server has
// no more. They are unverified: append them to a snapshot.Chain as they come.
// An error of visit ends it and is returned as it is.
func (v *Vault) Snapshots(ctx context.Context, from uint64, visit func(raw []byte) error) error {
	return v.chain(ctx, api.BelowSnapshots, from, visit)
}

// Generations visits the vault's generations from a number on, likewise.
func (v *Vault) Generations(ctx context.Context, from uint64, visit func(raw []byte) error) error {
	return v.chain(ctx, api.BelowGenerations, from, visit)
}

func (v *Vault) chain(ctx context.Context, below string, from uint64, visit func(raw []byte) error) error {
	next := max(from, 1)
	return v.pages(ctx, below, api.MaxRecord, pager{
		query: func() url.Values { return url.Values{"from": {strconv.FormatUint(next, 10)}} },
		visit: func(raw []byte) error { next++; return visit(raw) },
	})
}

// pager says how a listing is asked for and taken in.
type pager struct {
	query func() url.Values // of the next page, after what was visited
	visit func(record []byte) error
}

// visitError carries an error of a visitor out of a call as it is.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }

// unwrapVisit returns a visitor's error as it was, and any other as it is.
func unwrapVisit(err error) error {
	var stopped *visitError
	if errors.As(err, &stopped) {
		return stopped.err
	}
	return err
}

// pages asks for pages of records until one is empty. An attempt that breaks off
// goes on behind the last record visited.
func (v *Vault) pages(ctx context.Context, below string, limit int, p pager) error {
	for {
		visited := 0
		k := v.call(http.MethodGet, below)
		k.query = p.query
		k.limit = api.MaxPageBytes + int64(limit) + 8*api.MaxPage
		k.read = func(r io.Reader) (bool, error) {
			before := visited
			err := readRecords(r, limit, func(record []byte) error { visited++; return p.visit(record) })
			return visited > before, err
		}
		if err := v.m.c.do(ctx, k); err != nil {
			return unwrapVisit(err)
		}
		if visited == 0 {
			return nil
		}
	}
}

func readRecords(r io.Reader, limit int, visit func([]byte) error) error {
	for {
		record, err := api.ReadRecord(r, limit)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := visit(record); err != nil {
			return &visitError{err}
		}
	}
}

// CommitSnapshot makes the record the vault's new head. Where the head or the
// generation moved meanwhile the error is KindConflict, and its Refusal says to
// where. A record that is committed already is no error. The answer is the head
// after it, which others may have moved on.
func (v *Vault) CommitSnapshot(ctx context.Context, raw []byte) (api.Head, error) {
	r, err := snapshot.Parse(raw)
	if err != nil {
		return api.Head{}, err
	}
	return v.commit(ctx, api.BelowSnapshots, raw, func(h api.Head) bool {
		return h.Seq > r.Seq || h.Seq == r.Seq && h.Hash == snapshot.HashOf(raw)
	})
}

// CommitGeneration makes the generation the newest of the vault's prune chain,
// likewise.
func (v *Vault) CommitGeneration(ctx context.Context, raw []byte) (api.Head, error) {
	g, err := snapshot.ParseGeneration(raw)
	if err != nil {
		return api.Head{}, err
	}
	return v.commit(ctx, api.BelowGenerations, raw, func(h api.Head) bool {
		return h.Generation > g.Number || h.Generation == g.Number && h.GenerationHash == snapshot.HashOf(raw)
	})
}

// commit sends a record and holds the answer to it.
func (v *Vault) commit(ctx context.Context, below string, raw []byte, reached func(api.Head) bool) (api.Head, error) {
	var head api.Head
	k := v.call(http.MethodPost, below)
	k.kind, k.limit = api.TypeBytes, api.MaxJSON
	k.body = func() [][]byte { return [][]byte{raw} }
	k.read = func(r io.Reader) (bool, error) {
		head = api.Head{}
		if err := decode(r, &head); err != nil {
			return false, err
		}
		if !reached(head) {
			return false, unexpected("a head that does not hold the record")
		}
		return true, checkHead(head)
	}
	return head, v.m.c.do(ctx, k)
}
