// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"slices"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// Limits of what a replay remembers. What exceeds them is refused.
const (
	MaxCustodians = 256 // keys that uses are counted for
	MaxPrograms   = 256 // programs that releases are counted for
	MaxStateSize  = 4 << 20

	maxOpenPeriods = 1 << 10 // never so many: two or three days, one or two months
)

// state is what the rules know of a log up to a root.
//
// Growth: it never leaves who replays; another version is refused, and the log
// replayed from its start.
type state struct {
	Version     uint64          `cbor:"1,keyasint"`
	Log         protocol.Hash   `cbor:"2,keyasint"`
	Size        uint64          `cbor:"3,keyasint"` // entries up to and with the newest root
	Time        protocol.Time   `cbor:"4,keyasint"` // of the newest root
	Names       protocol.Hash   `cbor:"5,keyasint"`
	Anchors     protocol.Hash   `cbor:"6,keyasint"`
	Origin      *Origin         `cbor:"7,keyasint,omitempty"`
	Policy      uint64          `cbor:"8,keyasint"` // number of the newest statement
	PolicyHash  protocol.Hash   `cbor:"9,keyasint"` // its leaf hash
	Custodians  []CustodianUses `cbor:"10,keyasint"`
	Programs    []Releases      `cbor:"11,keyasint"`
	Periods     []openPeriod    `cbor:"12,keyasint"` // ascending
	OldestDay   Period          `cbor:"13,keyasint"` // no day before it is in the tree; or ""
	OldestMonth Period          `cbor:"14,keyasint"`
	Counts      Counts          `cbor:"15,keyasint"`
}

// Counts says how many entries of each kind a log has.
type Counts struct {
	Names     uint64 `cbor:"1,keyasint" json:"names"` // that were ever registered
	Closed    uint64 `cbor:"2,keyasint" json:"closed"`
	Updates   uint64 `cbor:"3,keyasint" json:"updates"`
	Notices   uint64 `cbor:"4,keyasint" json:"notices"`
	Reassigns uint64 `cbor:"5,keyasint" json:"reassignments"`
	Anchors   uint64 `cbor:"6,keyasint" json:"anchors"`
	Roots     uint64 `cbor:"7,keyasint" json:"roots"`
	Policies  uint64 `cbor:"8,keyasint" json:"policy_statements"`
	Uses      uint64 `cbor:"9,keyasint" json:"custodian_uses"`
	Releases  uint64 `cbor:"10,keyasint" json:"releases"`
}

// CustodianUses counts the uses of one custodian's key.
type CustodianUses struct {
	Custodian protocol.Hash `cbor:"1,keyasint" json:"custodian"`
	Number    uint64        `cbor:"2,keyasint" json:"uses"`
	Months    []MonthUses   `cbor:"3,keyasint" json:"months"` // ascending, by the log's time
}

// MonthUses counts uses in a month.
type MonthUses struct {
	Month Period `cbor:"1,keyasint" json:"month"`
	Uses  uint64 `cbor:"2,keyasint" json:"uses"`
}

// Releases counts the releases of one program.
type Releases struct {
	Program string `cbor:"1,keyasint" json:"program"`
	Number  uint64 `cbor:"2,keyasint" json:"releases"`
}

// openPeriod is a period that takes anchors, and the root of its tree.
type openPeriod struct {
	Period Period        `cbor:"1,keyasint"`
	Root   protocol.Hash `cbor:"2,keyasint"`
}

// clone returns a copy that shares nothing that changes.
func (s *state) clone() state {
	c := *s
	c.Custodians = slices.Clone(s.Custodians)
	for i := range c.Custodians {
		c.Custodians[i].Months = slices.Clone(c.Custodians[i].Months)
	}
	c.Programs = slices.Clone(s.Programs)
	c.Periods = slices.Clone(s.Periods)
	return c
}

// parseState reads a state of the log of this ID.
func parseState(raw []byte, log protocol.Hash) (*state, error) {
	var s state
	if v, ok := canonical.Version(raw); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse replay state: version %d is not known here", v)
	}
	if err := canonical.Unmarshal(raw, MaxStateSize, &s); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse replay state")
	}
	if s.Log != log {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse replay state: it is of another log")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return &s, nil
}

// check holds a state to what every state is.
func (s *state) check() error {
	ascending := slices.IsSortedFunc(s.Periods, func(a, b openPeriod) int { return strings.Compare(string(a.Period), string(b.Period)) })
	ok := ascending && len(s.Periods) <= maxOpenPeriods && len(s.Custodians) <= MaxCustodians && len(s.Programs) <= MaxPrograms &&
		(s.Size == 0) == (s.Origin == nil) && s.Time >= 0 && s.Time <= maxTime
	for _, p := range s.Periods {
		_, err := ParsePeriod(string(p.Period))
		ok = ok && err == nil
	}
	for _, p := range []Period{s.OldestDay, s.OldestMonth} {
		if _, err := ParsePeriod(string(p)); p != "" && err != nil {
			ok = false
		}
	}
	if !ok {
		return protocol.Errorf(protocol.KindUntrusted, "parse replay state: it is none that a replay leaves")
	}
	return nil
}

// bytes returns the encoding.
func (s *state) bytes() []byte { return canonical.MustMarshal(s) }

// period returns the root of an open period's tree, zero where it has none yet.
func (s *state) period(p Period) protocol.Hash {
	if i, ok := s.findPeriod(p); ok {
		return s.Periods[i].Root
	}
	return protocol.Hash{}
}

func (s *state) findPeriod(p Period) (int, bool) {
	return slices.BinarySearchFunc(s.Periods, p, func(o openPeriod, p Period) int { return strings.Compare(string(o.Period), string(p)) })
}

// setPeriod notes the root of a period's tree.
func (s *state) setPeriod(p Period, root protocol.Hash) {
	i, ok := s.findPeriod(p)
	if !ok {
		s.Periods = slices.Insert(s.Periods, i, openPeriod{Period: p})
	}
	s.Periods[i].Root = root
	oldest := &s.OldestDay
	if p.IsMonth() {
		oldest = &s.OldestMonth
	}
	if *oldest == "" || p < *oldest {
		*oldest = p
	}
}

// close drops the periods that take no more anchors and returns them.
func (s *state) close(at protocol.Time) []Period {
	var closed []Period
	s.Periods = slices.DeleteFunc(s.Periods, func(o openPeriod) bool {
		if o.Period.Open(at) {
			return false
		}
		closed = append(closed, o.Period)
		return true
	})
	return closed
}

// leave returns the periods that are too old to stay in the tree, in order, and
// forgets them.
func (s *state) leave(at protocol.Time) []Period {
	var left []Period
	for _, oldest := range []*Period{&s.OldestDay, &s.OldestMonth} {
		for *oldest != "" && oldest.End()+PeriodKept <= at {
			left = append(left, *oldest)
			*oldest = oldest.Next()
		}
	}
	return left
}

// custodian returns the place of a custodian's count, and whether there is one.
func (s *state) custodian(key protocol.Hash) (int, bool) {
	return slices.BinarySearchFunc(s.Custodians, key, func(c CustodianUses, key protocol.Hash) int {
		return strings.Compare(string(c.Custodian[:]), string(key[:]))
	})
}

// program returns the place of a program's count, and whether there is one.
func (s *state) program(name string) (int, bool) {
	return slices.BinarySearchFunc(s.Programs, name, func(r Releases, name string) int { return strings.Compare(r.Program, name) })
}
