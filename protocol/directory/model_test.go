// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// naive is the rules as somebody would write them who reads spec/directory.md and
// has all of a log in memory: plain maps, no trees, nothing prepared or pending.
type naive struct {
	log     *tlog.LogKey
	size    uint64
	from    uint64 // behind the newest root
	time    protocol.Time
	names   map[protocol.Hash]*naiveName
	anchors map[Period]map[protocol.Hash]protocol.Hash
	policy  uint64
	prev    protocol.Hash
}

type naiveName struct {
	version, position, identity uint64
	commitments                 []protocol.Hash // of this identity
	next                        protocol.Hash
	notice                      *Notice
	noticeAt                    uint64
	noticeTime                  protocol.Time
}

func newNaive(log *tlog.LogKey) *naive {
	return &naive{log: log, names: map[protocol.Hash]*naiveName{}, anchors: map[Period]map[protocol.Hash]protocol.Hash{}}
}

// leaf is what the tree should hold of a name.
func (n *naiveName) leaf() []byte {
	var chain protocol.Hash
	for _, c := range n.commitments {
		chain = Chain(chain, c)
	}
	l := &Leaf{Version: n.version, Chain: chain, Next: n.next, Position: n.position, Identity: n.identity}
	if n.notice != nil {
		l.Notice = &PendingNotice{Position: n.noticeAt, Time: n.noticeTime, Commitment: n.notice.Commitment, Next: n.notice.Next}
	}
	return l.Bytes()
}

// roots are what a root of this time should state.
func (m *naive) roots(at protocol.Time) (names, anchors protocol.Hash) {
	var leaves, periods []Item
	for index, n := range m.names {
		if n.notice != nil && n.noticeAt >= m.from {
			n.noticeTime = at
		}
		leaves = append(leaves, Item{index, n.leaf()})
	}
	for p, tree := range m.anchors {
		if p.End()+PeriodKept <= at {
			continue
		}
		var list []Item
		for index, c := range tree {
			list = append(list, Item{index, c[:]})
		}
		root := modelRoot(list, 0)
		periods = append(periods, Item{p.Index(), root[:]})
	}
	return modelRoot(leaves, 0), modelRoot(periods, 0)
}

// refuses returns the rule that an entry breaks, "" for none.
func (m *naive) refuses(e *Entry) Rule {
	switch {
	case e.Update != nil:
		return m.refusesUpdate(e)
	case e.Notice != nil:
		n := m.names[e.Notice.Index]
		switch {
		case n == nil:
			return RuleNotice
		case n.next.IsZero():
			return RuleClosed
		case n.version != e.Notice.Version || n.notice != nil && n.notice.Commitment == e.Notice.Commitment && n.notice.Next == e.Notice.Next:
			return RuleNotice
		}
	case e.Reassign != nil:
		n := m.names[e.Reassign.Index]
		if n == nil || n.notice == nil || n.noticeAt != e.Reassign.Notice || n.noticeAt >= m.from || m.time-n.noticeTime < 30*24*simHour {
			return RuleDelay
		}
	case e.Anchor != nil:
		a := e.Anchor
		switch _, taken := m.anchors[a.Period][a.Index]; {
		case m.time < a.Period.Start() || m.time >= a.Period.End()+24*simHour:
			return RulePeriod
		case a.Index != anchorIndex(a.Period, a.Key) || taken:
			return RuleIndex
		}
	case e.Root != nil:
		return m.refusesRoot(e.Root)
	case e.Policy != nil:
		if e.Policy.Number != m.policy+1 || e.Policy.Prev != m.prev {
			return RuleNumber
		}
	case e.Origin != nil:
		return RuleOrigin
	}
	if e.VerifySignature(m.log.ID()) != nil {
		return RuleSignature
	}
	return ""
}

func (m *naive) refusesUpdate(e *Entry) Rule {
	n, u := m.names[e.Update.Index], e.Update
	switch {
	case n == nil && u.Version != 1:
		return RuleVersion
	case n == nil:
	case n.next.IsZero():
		return RuleClosed
	case u.Version != n.version+1:
		return RuleVersion
	case KeyHash(u.Key) != n.next:
		return RuleKey
	}
	if e.VerifySignature(m.log.ID()) != nil {
		return RuleSignature
	}
	return ""
}

func (m *naive) refusesRoot(r *Root) Rule {
	switch {
	case r.Size != m.size:
		return RuleRoot
	case r.Time < m.time:
		return RuleTime
	}
	if names, anchors := m.roots(r.Time); r.Names != names || r.Anchors != anchors {
		return RuleRoot
	}
	return ""
}

// apply applies what was not refused.
func (m *naive) apply(e *Entry) {
	switch {
	case e.Update != nil:
		n := m.names[e.Update.Index]
		if n == nil {
			n = &naiveName{}
			m.names[e.Update.Index] = n
		}
		n.version, n.position, n.next, n.notice = e.Update.Version, m.size, e.Update.Next, nil
		n.commitments = append(n.commitments, e.Update.Commitment)
	case e.Notice != nil:
		n := m.names[e.Notice.Index]
		n.notice, n.noticeAt = e.Notice, m.size
	case e.Reassign != nil:
		n := m.names[e.Reassign.Index]
		n.version, n.position, n.next, n.identity = n.version+1, m.size, n.notice.Next, n.identity+1
		n.commitments, n.notice = []protocol.Hash{n.notice.Commitment}, nil
	case e.Anchor != nil:
		if m.anchors[e.Anchor.Period] == nil {
			m.anchors[e.Anchor.Period] = map[protocol.Hash]protocol.Hash{}
		}
		m.anchors[e.Anchor.Period][e.Anchor.Index] = e.Anchor.Commitment
	case e.Root != nil:
		m.roots(e.Root.Time)
		m.time, m.from = e.Root.Time, m.size+1
	case e.Policy != nil:
		m.policy, m.prev = e.Policy.Number, tlog.LeafHash(e.Bytes())
	}
	m.size++
}

// player makes entries, good ones and ones that are nearly good.
type player struct {
	r     *rand.Rand
	m     *naive
	other *tlog.LogKey
	made  []*Entry // everything that was ever tried
	at    protocol.Time
}

// entry returns what somebody might put into the log next.
func (p *player) entry(t *testing.T) *Entry {
	who := newSimName(t, p.r.Uint64N(12))
	log := p.m.log
	if p.r.IntN(12) == 0 {
		log = p.other
	}
	version := uint64(0)
	if n := p.m.names[who.index]; n != nil {
		version = n.version
	}
	signer := who
	if n := p.m.names[who.index]; n != nil && n.identity%2 == 1 || p.r.IntN(12) == 0 {
		signer = newSimName(t, 100) // to whom names are given
	}
	switch p.r.IntN(14) {
	case 0, 1, 2, 3:
		next := signer.key(version + 2)
		if p.r.IntN(25) == 0 {
			next = nil
		}
		off := uint64(p.r.IntN(8)) / 7 // once in a while a version too far
		return &Entry{Update: NewUpdate(log, who.index, version+1+off, who.opening(version+1), signer.key(version+1), next)}
	case 4:
		lost := &simName{index: who.index, version: version}
		return newSimName(t, 100).notice(log, lost)
	case 5:
		notice := p.r.Uint64N(p.m.size + 1)
		if n := p.m.names[who.index]; n != nil && n.notice != nil && p.r.IntN(3) > 0 {
			notice = n.noticeAt
		}
		return &Entry{Reassign: &Reassign{Index: who.index, Notice: notice}}
	case 6, 7:
		period := DayOf(p.at + protocol.Time(p.r.IntN(5)-2)*day)
		if p.r.IntN(3) == 0 {
			period = MonthOf(p.at + protocol.Time(p.r.IntN(3)-1)*20*day)
		}
		return &Entry{Anchor: NewAnchor(log, DeriveAnchorKey(who.secret, period, p.r.Uint64N(3)), simHash("box", p.r.Uint64()))}
	case 8:
		return &Entry{Policy: &Policy{Number: p.m.policy + 1 + p.r.Uint64N(4)/3, Prev: p.m.prev, Statement: "x"}}
	case 9:
		if len(p.made) > 0 {
			return p.made[p.r.IntN(len(p.made))]
		}
	}
	return p.root()
}

// root returns a root, mostly of what there is, and lets time pass.
func (p *player) root() *Entry {
	p.at += protocol.Time(p.r.IntN(60)) * simHour
	if p.r.IntN(15) == 0 {
		p.at += 35 * day
	}
	r := &Root{Size: p.m.size, Time: p.at}
	r.Names, r.Anchors = p.m.roots(p.at)
	switch p.r.IntN(20) {
	case 0:
		r.Names[0] ^= 1
	case 1:
		r.Anchors = protocol.Hash{1}
	case 2:
		r.Size--
	case 3:
		r.Time = p.m.time - 1
	}
	return &Entry{Root: r}
}

// TestReplayAgainstModel plays logs at random, holds every decision of the replay
// to the naive one, and every root.
func TestReplayAgainstModel(t *testing.T) {
	decided := map[string]int{}
	for seed := range uint64(6) {
		l := newSimLog(t)
		m := newNaive(l.key)
		m.size, m.from, m.time = l.replay.Size(), l.replay.Size(), l.at
		p := &player{r: rand.New(rand.NewPCG(seed, 3)), m: m, other: simLogKey(t, simOrigin), at: l.at}
		for range 250 {
			e := p.entry(t)
			p.made = append(p.made, e)
			parsed, err := ParseEntry(e.Bytes())
			if err != nil {
				continue // a root of size 0 or a time before all time, say
			}
			want := m.refuses(parsed)
			err = l.replay.Entry(context.Background(), e.Bytes())
			got := Rule("")
			if b, ok := err.(*Breach); ok {
				got = b.Rule
			} else if err != nil {
				t.Fatal(err)
			}
			if got != want {
				t.Fatalf("seed %d, position %d: %s is refused by %q, want %q", seed, m.size, e.Kind(), got, want)
			}
			decided[fmt.Sprint(e.Kind(), " ", want)]++
			if want == "" {
				m.apply(parsed)
				l.store.Apply(l.replay.TakeChange())
			}
		}
	}
	for _, must := range []string{
		"update ", "update version", "update key", "update closed", "update signature", "notice ", "notice notice", "reassignment ", "reassignment delay",
		"anchor ", "anchor period", "anchor index", "root ", "root root", "root time", "policy statement ", "policy statement number",
	} {
		if decided[must] == 0 {
			t.Errorf("the players never came to %q: %v", must, decided)
		}
	}
}
