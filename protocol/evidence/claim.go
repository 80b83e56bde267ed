// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"fmt"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// statementKey returns the key that the log's first entry names for statements.
func statementKey(log *tlog.LogKey, origin *directory.Included) (statement.Key, error) {
	if origin == nil || origin.Position != 0 {
		return statement.Key{}, nothing("the log's first entry is not there")
	}
	if _, err := origin.Verify(log); err != nil {
		return statement.Key{}, err
	}
	e, err := directory.ParseEntry(origin.Entry)
	if err != nil {
		return statement.Key{}, err
	}
	if e.Origin == nil {
		return statement.Key{}, nothing("the log's first entry names no key")
	}
	return statement.Key(e.Origin.Statement), nil
}

// stated returns a statement that the log's provider signed.
func stated(log *tlog.LogKey, key statement.Key, raw []byte) (*statement.Signed, error) {
	s, err := key.Verify(raw)
	if err != nil {
		return nil, err
	}
	if s.Statement().Log != log.ID() {
		return nil, nothing("a statement is about another log")
	}
	return s, nil
}

// Statements returns evidence that two statements contradict each other. Origin is
// the log's first entry, as View.Origin has it.
func Statements(log *tlog.LogKey, origin *directory.Included, a, b *statement.Signed) ([]byte, error) {
	return (&file{Statements: &statements{Origin: *origin, A: a.Bytes(), B: b.Bytes()}}).seal(log)
}

func (s *statements) judge(log *tlog.LogKey) (*Verdict, error) {
	key, err := statementKey(log, &s.Origin)
	if err != nil {
		return nil, err
	}
	a, err := stated(log, key, s.A)
	if err != nil {
		return nil, err
	}
	b, err := stated(log, key, s.B)
	if err != nil {
		return nil, err
	}
	why, yes := statement.Contradict(a, b)
	if !yes {
		return nil, nothing("the two statements can both be true")
	}
	return &Verdict{Broken: "what a provider states is true", What: "The provider contradicts itself: " + why + "."}, nil
}

// Promise returns evidence that a receipt was not honoured. Shown has the name's
// path under a root after the promised time; entry is, where the version is the
// promised one, what stands at the leaf's position, else nil.
func Promise(log *tlog.LogKey, origin *directory.Included, receipt *statement.Signed, shown *directory.Shown, entry *directory.Included) ([]byte, error) {
	p := &promise{Origin: *origin, Receipt: receipt.Bytes(), Shown: *shown}
	if entry != nil {
		p.Entry = &directory.Included{Position: entry.Position, Entry: entry.Entry, Proof: entry.Proof}
	}
	return (&file{Promise: p}).seal(log)
}

func (p *promise) judge(log *tlog.LogKey) (*Verdict, error) {
	key, err := statementKey(log, &p.Origin)
	if err != nil {
		return nil, err
	}
	receipt, err := stated(log, key, p.Receipt)
	if err != nil {
		return nil, err
	}
	c, root, leaf, err := p.Shown.VerifyLeaf(log)
	if err != nil {
		return nil, err
	}
	s := receipt.Statement()
	if s.Kind != statement.KindReceipt || s.Index != p.Shown.Index || root.Time <= s.By {
		return nil, nothing("the receipt promises nothing that the root should hold")
	}
	v := &Verdict{Broken: "what a receipt promises comes into the log in time"}
	text := fmt.Sprintf("The provider promised on %s that version %d of a name would be in its log by %s.", s.Time, s.NameVersion, s.By)
	switch {
	case leaf == nil:
		v.What = text + fmt.Sprintf(" On %s it knows no such name.", root.Time)
		return v, nil
	case leaf.Version < s.NameVersion:
		v.What = text + fmt.Sprintf(" On %s the name has version %d.", root.Time, leaf.Version)
		return v, nil
	case leaf.Version > s.NameVersion || p.Entry == nil || p.Entry.Position != leaf.Position:
		return nil, nothing("the name has the promised version or a later one")
	}
	if err := tlog.VerifyInclusion(c, leaf.Position, tlog.LeafHash(p.Entry.Entry), p.Entry.Proof); err != nil {
		return nil, err
	}
	if tlog.LeafHash(p.Entry.Entry) == s.Hash {
		return nil, nothing("the log holds what was promised")
	}
	v.What = text + " It holds that version by another update than the promised one."
	return v, nil
}

// Claim is a head of a ledger that a provider claimed: by a signed statement, or by
// an update in its log and the opening that came with it.
type Claim struct {
	Statement *statement.Signed
	Update    *directory.Included
	Opening   *directory.Opening
}

func (c Claim) encode() claim {
	if c.Statement != nil {
		return claim{Statement: c.Statement.Bytes()}
	}
	return claim{Update: c.Update, Opening: c.Opening.Bytes()}
}

// Histories returns evidence that the provider claimed two heads of one account's
// ledger that no one ledger holds. The entries, which may be empty where the heads
// have one number, are the ledger's after a's number, up to b's.
func Histories(log *tlog.LogKey, origin *directory.Included, a, b Claim, entries []*ledger.Entry) ([]byte, error) {
	h := &histories{A: a.encode(), B: b.encode()}
	if a.Statement != nil || b.Statement != nil {
		h.Origin = origin
	}
	for _, e := range entries {
		h.Entries = append(h.Entries, e.Bytes())
	}
	return (&file{Histories: h}).seal(log)
}

func (h *histories) judge(log *tlog.LogKey) (*Verdict, error) {
	account, a, err := h.A.head(log, h.Origin)
	if err != nil {
		return nil, err
	}
	other, b, err := h.B.head(log, h.Origin)
	if err != nil {
		return nil, err
	}
	if account != other || a.Seq > b.Seq || uint64(len(h.Entries)) != b.Seq-a.Seq {
		return nil, nothing("the two heads are not of one account, or the entries between them are not there")
	}
	at := b
	for i := len(h.Entries) - 1; i >= 0; i-- {
		e, err := ledger.Parse(h.Entries[i])
		if err != nil {
			return nil, err
		}
		if e.Hash() != at.Hash || e.Seq() != at.Seq || e.Account() != account {
			return nil, nothing("the entries do not lead from the one head to the other")
		}
		at = ledger.Head{Seq: at.Seq - 1, Hash: e.Prev()}
	}
	if at == a {
		return nil, nothing("the two heads are of one history")
	}
	return &Verdict{
		Broken: "an account has one history",
		What: fmt.Sprintf("The provider claimed two histories of account %s: in the one, ledger entry %d has the hash %s, in the other %s. Devices that were shown different ones do not see each other's changes.",
			account, a.Seq, a.Hash, at.Hash),
	}, nil
}

// head returns what is claimed.
func (c *claim) head(log *tlog.LogKey, origin *directory.Included) (protocol.AccountID, ledger.Head, error) {
	if len(c.Statement) > 0 {
		if c.Update != nil || len(c.Opening) > 0 {
			return protocol.AccountID{}, ledger.Head{}, nothing("a claim is made in two ways")
		}
		return c.statedHead(log, origin)
	}
	if c.Update == nil {
		return protocol.AccountID{}, ledger.Head{}, nothing("a claim is missing")
	}
	if _, err := c.Update.Verify(log); err != nil {
		return protocol.AccountID{}, ledger.Head{}, err
	}
	e, err := directory.ParseEntry(c.Update.Entry)
	if err != nil {
		return protocol.AccountID{}, ledger.Head{}, err
	}
	o, err := directory.ParseOpening(c.Opening)
	if err != nil {
		return protocol.AccountID{}, ledger.Head{}, err
	}
	if e.Update == nil || directory.Commit(e.Update.Index, e.Update.Version, o) != e.Update.Commitment {
		return protocol.AccountID{}, ledger.Head{}, nothing("the opening is not the update's")
	}
	return o.Account, o.Ledger, nil
}

func (c *claim) statedHead(log *tlog.LogKey, origin *directory.Included) (protocol.AccountID, ledger.Head, error) {
	key, err := statementKey(log, origin)
	if err != nil {
		return protocol.AccountID{}, ledger.Head{}, err
	}
	signed, err := stated(log, key, c.Statement)
	if err != nil {
		return protocol.AccountID{}, ledger.Head{}, err
	}
	s := signed.Statement()
	if s.Kind != statement.KindLedger {
		return protocol.AccountID{}, ledger.Head{}, nothing("the statement is not about a ledger")
	}
	return s.Account, ledger.Head{Seq: s.Seq, Hash: s.Hash}, nil
}
