// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strconv"

	"github.com/solekey/solekey/protocol"
)

// Anchor is what a device leaves for whoever comes back with no memory: Entry is
// the entry of the public log, Box what its commitment is the hash of.
type Anchor struct {
	Entry []byte `json:"entry"`
	Box   []byte `json:"box"`
}

// AnchorsLeft leaves anchors. They enter the public log within the hour. The same
// anchor again changes nothing.
type AnchorsLeft struct {
	Anchors []Anchor `json:"anchors"`
}

// AnchorsWanted asks after anchors by their indexes, each under its period.
// World and Size are as in the queries of a look-up.
type AnchorsWanted struct {
	World   protocol.Hash  `json:"world"`
	Size    uint64         `json:"size"`
	Periods []AnchorPeriod `json:"periods"`
}

// AnchorPeriod is a day ("2006-01-02") or a month ("2006-01") and indexes in it.
type AnchorPeriod struct {
	Period  string          `json:"period"`
	Indexes []protocol.Hash `json:"indexes"`
}

// Check refuses what asks for more than MaxAnchorIndexes. A period without
// indexes asks for the period alone, and counts as one.
func (w AnchorsWanted) Check() error {
	n := 0
	for _, period := range w.Periods {
		n += max(1, len(period.Indexes))
	}
	if n == 0 || n > MaxAnchorIndexes {
		return protocol.Errorf(protocol.KindUsage, "anchors: %d asked after, 1 to %d allowed at once", n, MaxAnchorIndexes)
	}
	return nil
}

// Check refuses what leaves no anchors or too many, and boxes over their limit.
func (l AnchorsLeft) Check() error {
	if len(l.Anchors) == 0 || len(l.Anchors) > MaxAnchors {
		return protocol.Errorf(protocol.KindUsage, "anchors: %d left, 1 to %d allowed at once", len(l.Anchors), MaxAnchors)
	}
	for i, anchor := range l.Anchors {
		if len(anchor.Entry) == 0 || len(anchor.Entry) > MaxUpdate || len(anchor.Box) == 0 || len(anchor.Box) > MaxAnchorBox {
			return protocol.Errorf(protocol.KindUsage, "anchors: anchor %d is empty or too large", i)
		}
	}
	return nil
}

// Question is how a request asks for a statement: the zero question asks for none.
// The nonce is signed into the answer, so that an older one does not pass for it;
// After is the time of the newest statement that the asker holds on the subject.
type Question struct {
	Nonce [16]byte
	After protocol.Time
}

// Asks reports whether a statement is wanted.
func (q Question) Asks() bool { return q != Question{} }

// Query returns the question as it stands behind a path, without the question
// mark; empty for the zero question.
func (q Question) Query() string {
	if !q.Asks() {
		return ""
	}
	return QueryNonce + "=" + protocol.RequestID(q.Nonce).String() + "&" + QueryAfter + "=" + strconv.FormatInt(int64(q.After), 10)
}

// ParseQuestion reads what Query wrote, from the two values. No nonce is the zero
// question; a nonce of zeros, or a time without a nonce, is refused.
func ParseQuestion(nonce, after string) (Question, error) {
	var q Question
	if nonce == "" && after == "" {
		return q, nil
	}
	wrong := protocol.Errorf(protocol.KindUsage, "%s wants 32 hexadecimal digits that are not all zero, %s nanoseconds since 1970", QueryNonce, QueryAfter)
	var id protocol.RequestID
	if err := id.UnmarshalText([]byte(nonce)); err != nil || id.IsZero() {
		return Question{}, wrong
	}
	q.Nonce = id
	if after != "" {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil || n < 0 || strconv.FormatInt(n, 10) != after {
			return Question{}, wrong
		}
		q.After = protocol.Time(n)
	}
	return q, nil
}
