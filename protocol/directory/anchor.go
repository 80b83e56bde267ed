// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/tlog"
)

// PeriodGrace is how long after its end, by the log's time, a period still takes
// anchors: what was made in its last hour waits for a batch.
const PeriodGrace = day

// PeriodKept is how long after its end a period stays in the tree.
const PeriodKept = 800 * day

// The forms of a period: a day, or a month.
const (
	dayForm   = "2006-01-02"
	monthForm = "2006-01"
)

// Times that a log can have, and the years of periods, end here: far enough, and
// no sum of them overflows.
var (
	maxTime   = protocol.TimeOf(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
	firstYear = 1970
	lastYear  = 2199
)

// Period is a day ("2006-01-02") or a month ("2006-01") of UTC, for which anchors
// have a tree of their own.
type Period string

// DayOf returns the day that the moment is in.
func DayOf(at protocol.Time) Period { return Period(at.Std().Format(dayForm)) }

// MonthOf returns the month that the moment is in.
func MonthOf(at protocol.Time) Period { return Period(at.Std().Format(monthForm)) }

// ParsePeriod reads a period, in its one form.
func ParsePeriod(text string) (Period, error) {
	form := monthForm
	if len(text) == len(dayForm) {
		form = dayForm
	}
	at, err := time.Parse(form, text)
	if err != nil || at.Format(form) != text || at.Year() < firstYear || at.Year() > lastYear {
		return "", protocol.Errorf(protocol.KindUntrusted, "parse period: it is neither a day nor a month")
	}
	return Period(text), nil
}

// IsMonth reports whether the period is a month.
func (p Period) IsMonth() bool { return len(p) == len(monthForm) }

// Start returns the period's first moment. The period must have been parsed.
func (p Period) Start() protocol.Time {
	form := dayForm
	if p.IsMonth() {
		form = monthForm
	}
	at, err := time.Parse(form, string(p))
	if err != nil {
		panic("solekey: internal error: a period was not parsed: " + string(p))
	}
	return protocol.TimeOf(at)
}

// End returns the first moment after the period, which must have been parsed.
func (p Period) End() protocol.Time { return p.Next().Start() }

// Next returns the day after a day, the month after a month.
func (p Period) Next() Period {
	if p.IsMonth() {
		return MonthOf(protocol.TimeOf(p.Start().Std().AddDate(0, 1, 0)))
	}
	return DayOf(p.Start() + day)
}

// Open reports whether the period takes anchors at the moment, by the log's time.
func (p Period) Open(at protocol.Time) bool { return at >= p.Start() && at < p.End()+PeriodGrace }

// Index returns where the period stands in the tree over periods; the value there
// is the root of the period's tree.
func (p Period) Index() protocol.Hash { return hash("solekey/v1/anchor-period", []byte(p)) }

// AnchorKey signs one anchor. Two of one secret have nothing in common that
// anybody without the secret could see.
type AnchorKey struct {
	hidden
	period Period
	seed   *keys.Secret // of Ed25519
}

// DeriveAnchorKey returns the key for the slot, from 0, of the period. The
// secret is the account's, or a writer's own.
func DeriveAnchorKey(secret *keys.Secret, period Period, slot uint64) *AnchorKey {
	return &AnchorKey{period: period, seed: secret.Derive("solekey/v1/anchor", []byte(period), uint64Bytes(slot))}
}

// Public returns the key that verifies what k signs.
func (k *AnchorKey) Public() Key { return publicOf(k.seed) }

// Index returns where the anchor that k signs stands in its period's tree.
func (k *AnchorKey) Index() protocol.Hash { return anchorIndex(k.period, k.Public()) }

// ownIndex is what an anchor's index hashes.
type ownIndex struct {
	Period Period `cbor:"1,keyasint"`
	Key    Key    `cbor:"2,keyasint"`
}

// anchorIndex binds an index to its one-time key, so that nobody who sees or
// guesses an index can put something there.
func anchorIndex(period Period, key Key) protocol.Hash {
	return hash("solekey/v1/anchor-index", canonical.MustMarshal(ownIndex{period, key}))
}

// NewAnchor returns the anchor that commits to the hash.
func NewAnchor(log *tlog.LogKey, k *AnchorKey, commitment protocol.Hash) *Anchor {
	a := &Anchor{Period: k.period, Index: k.Index(), Commitment: commitment, Key: k.Public()}
	a.Signature = sign(k.seed, a.signed(log.ID()))
	return a
}

// anchored is what an Anchor signs.
type anchored struct {
	Log        protocol.Hash `cbor:"1,keyasint"`
	Period     Period        `cbor:"2,keyasint"`
	Index      protocol.Hash `cbor:"3,keyasint"`
	Commitment protocol.Hash `cbor:"4,keyasint"`
	Key        Key           `cbor:"5,keyasint"`
}

func (a *Anchor) signed(log protocol.Hash) []byte {
	return toSign("solekey/v1/anchor", anchored{log, a.Period, a.Index, a.Commitment, a.Key})
}
