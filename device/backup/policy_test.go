// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
)

// candidates makes a group, newest first, of times such as "2014-11-23 10:00",
// each with marks behind a bar: p for partial, anything else a tag.
func candidates(t *testing.T, lines ...string) []candidate {
	t.Helper()
	var group []candidate
	for i, line := range lines {
		when, marks, _ := strings.Cut(line, "|")
		layout := "2006-01-02 15:04"
		if len(when) == len("2006-01-02") {
			layout = "2006-01-02"
		}
		at, err := time.Parse(layout, when)
		check(t, err)
		s := &Snapshot{Seq: uint64(len(lines) - i)}
		for mark := range strings.FieldsSeq(marks) {
			if mark == "p" {
				s.Partial = true
			} else {
				s.Tags = append(s.Tags, mark)
			}
		}
		group = append(group, candidate{s, at})
	}
	return group
}

func sundays() []string {
	at := time.Date(2014, 11, 23, 9, 0, 0, 0, time.UTC)
	var lines []string
	for range 12 {
		lines = append(lines, at.Format("2006-01-02 15:04"))
		at = at.AddDate(0, 0, -7)
	}
	return lines
}

func days(from string, n, perDay int) []string {
	at, err := time.Parse("2006-01-02", from)
	if err != nil {
		panic(err)
	}
	var lines []string
	for range n {
		for i := range perDay {
			lines = append(lines, at.Add(time.Duration(23-i)*time.Hour).Format("2006-01-02 15:04"))
		}
		at = at.AddDate(0, 0, -1)
	}
	return lines
}

func TestPolicyKeeps(t *testing.T) {
	tests := []struct {
		name   string
		group  []string
		policy Policy
		writer bool
		keep   []int // places, from the newest
	}{
		{"last", sundays(), Policy{Last: 3}, false, []int{0, 1, 2}},
		{"more than there are", sundays()[:2], Policy{Last: 3}, false, []int{0, 1}},
		{"all", sundays(), Policy{Last: All}, false, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"days are counted where there are any", sundays(), Policy{Daily: 4}, false, []int{0, 1, 2, 3}},
		{"weeks", sundays(), Policy{Weekly: 4}, false, []int{0, 1, 2, 3}},
		{"months, newest of each, and the oldest", sundays(), Policy{Monthly: 6}, false, []int{0, 4, 8, 11}},
		{"years, and the oldest", sundays(), Policy{Yearly: 2}, false, []int{0, 11}},
		{"one year alone", sundays(), Policy{Yearly: 1}, false, []int{0}},
		{"days and months", sundays(), Policy{Daily: 2, Monthly: 3}, false, []int{0, 1, 4, 8}},
		{"newest of each day", days("2026-03-10", 4, 3), Policy{Daily: 2}, false, []int{0, 3}},
		{"hours", days("2026-03-10", 2, 3), Policy{Hourly: 4}, false, []int{0, 1, 2, 3}},
		{"within is counted from the newest", days("2026-03-10", 10, 1), Policy{Within: Span{Days: 3}}, false, []int{0, 1, 2}},
		{"within hours", days("2026-03-10", 2, 5), Policy{Within: Span{Hours: 2}}, false, []int{0, 1}},
		{"daily within", days("2026-03-10", 5, 2), Policy{WithinDaily: Span{Days: 2}}, false, []int{0, 2, 3}},
		{"weekly within, with the oldest", days("2026-03-15", 20, 1), Policy{WithinWeekly: Span{Months: 1}}, false, []int{0, 7, 14, 19}},
		{"tags", []string{"2026-03-03", "2026-03-02|keep", "2026-03-01|keep safe"}, Policy{Last: 1, Tags: []string{"keep,safe"}}, false, []int{0, 2}},
		{"one of two lists of tags", []string{"2026-03-03", "2026-03-02|a", "2026-03-01|b"}, Policy{Tags: []string{"a", "b"}}, false, []int{0, 1, 2}},
		{"the newest always", []string{"2026-03-03", "2026-03-02|a"}, Policy{Tags: []string{"a"}}, false, []int{0, 1}},
		{"a partial one evicts nothing complete", []string{"2026-03-03|p", "2026-03-02", "2026-03-01"}, Policy{Last: 2}, false, []int{0, 1, 2}},
		{"several partial ones evict nothing complete", []string{"2026-03-04|p", "2026-03-03|p", "2026-03-02", "2026-03-01"}, Policy{Last: 1}, false, []int{0, 2}},
		{"a partial one later that day", []string{"2026-03-02 20:00|p", "2026-03-02 08:00", "2026-03-01"}, Policy{Daily: 1}, false, []int{0, 1}},
		{"within, a partial one later that day", []string{"2026-03-03", "2026-03-02 20:00|p", "2026-03-02 08:00"}, Policy{WithinDaily: Span{Days: 7}}, false, []int{0, 1, 2}},
		{"a partial one that was followed", []string{"2026-03-03", "2026-03-02|p", "2026-03-01"}, Policy{Last: 2}, false, []int{0, 2}},
		{"only partial ones", []string{"2026-03-03|p", "2026-03-02|p", "2026-03-01|p"}, Policy{Last: 2}, false, []int{0, 1}},

		{"writer: first of each day", days("2026-03-10", 4, 3), Policy{Daily: 2}, true, []int{0, 2, 5}},
		{"writer: last counts days", days("2026-03-10", 4, 3), Policy{Last: 3}, true, []int{0, 2, 5, 8}},
		{"writer: hours count days", days("2026-03-10", 4, 3), Policy{Hourly: 2}, true, []int{0, 2, 5}},
		{"writer: junk of a day evicts nothing", days("2026-03-10", 2, 20), Policy{Last: 2}, true, []int{0, 19, 39}},
		{"writer: partial ones evict nothing complete", []string{"2026-03-04|p", "2026-03-03|p", "2026-03-02", "2026-03-01"}, Policy{Last: 1}, true, []int{0, 2}},
		{"writer: first of each week", days("2026-03-15", 14, 1), Policy{Weekly: 2}, true, []int{0, 6, 13}},
		{"writer: hourly within keeps hours", days("2026-03-10", 1, 4), Policy{WithinHourly: Span{Days: 1}}, true, []int{0, 1, 2, 3}},
		{"nothing", nil, Policy{Last: 1}, false, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var keep []int
			for i, r := range test.policy.apply(candidates(t, test.group...), test.writer) {
				if r.keep != (len(r.reasons) > 0) {
					t.Errorf("place %d: kept %v because of %q", i, r.keep, r.reasons)
				}
				if r.keep {
					keep = append(keep, i)
				}
			}
			if !slices.Equal(keep, test.keep) {
				t.Errorf("keeps %v, want %v", keep, test.keep)
			}
		})
	}
}

func TestPolicyDaysBeginInTheZone(t *testing.T) {
	group := func() []candidate { return candidates(t, "2026-03-02 01:00", "2026-03-01 23:00") }
	west := time.FixedZone("west", -3*3600)
	for _, test := range []struct {
		zone *time.Location
		keep bool
	}{{nil, true}, {west, true}} {
		p := Policy{Daily: 2, Zone: test.zone}
		got := p.apply(group(), false)
		if got[1].keep != test.keep {
			t.Errorf("zone %v keeps %v", test.zone, got[1].keep)
		}
		if name := strings.Join(got[1].reasons, ","); (name == "oldest daily snapshot") != (test.zone == west) {
			t.Errorf("zone %v: %s", test.zone, name)
		}
	}
}

func TestPolicyIsEmpty(t *testing.T) {
	for _, p := range []Policy{{}, {Zone: time.UTC}} {
		if !p.IsEmpty() {
			t.Errorf("%+v keeps something", p)
		}
	}
	for _, p := range []Policy{{Last: 1}, {Hourly: All}, {Tags: []string{"a"}}, {Within: Span{Days: 1}}, {WithinYearly: Span{Hours: 1}}} {
		if p.IsEmpty() {
			t.Errorf("%+v keeps nothing", p)
		}
	}
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]Span{
		"7d": {Days: 7}, "1y5m7d2h": {1, 5, 7, 2}, "2h": {Hours: 2}, "3m": {Months: 3}, "0d": {}, "2y12h": {Years: 2, Hours: 12},
	} {
		got, err := ParseSpan(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if !got.IsZero() && got.String() != text {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "d", "7", "7x", "-7d", "7d7d", "1.5d", "99999999999d", "7d ", "1d3"} {
		_, err := ParseSpan(text)
		wantKind(t, err, protocol.KindUsage)
	}
	if (Span{}).String() != "0h" {
		t.Error("the empty span has no text")
	}
}

// story writes claims in a little language: who, what its clock says, in days,
// and what is made of it. o1 and o2 are owners, w1 and w2 writers; l is an
// owner's list.
func story(lines ...string) (claims []claim, want map[protocol.Hash]protocol.Time) {
	const day = protocol.Time(24 * time.Hour)
	want = map[protocol.Hash]protocol.Time{}
	for i, line := range lines {
		var who string
		var says, is int
		if _, err := fmt.Sscanf(line, "%s %d %d", &who, &says, &is); err != nil {
			panic(err)
		}
		c := claim{hash: protocol.Hash{byte(i + 1)}, device: protocol.MemberID{who[0], who[1]}, owner: who[0] != 'w', run: who[0] != 'l'}
		c.began, c.ended = protocol.Time(says)*day, protocol.Time(says)*day
		claims = append(claims, c)
		if c.run {
			want[c.hash] = protocol.Time(is) * day
		}
	}
	return claims, want
}

func TestTimesAreBounded(t *testing.T) {
	const now = 100
	for name, lines := range map[string][]string{
		"honest":                               {"o1 10 10", "w1 11 11", "w2 11 11", "o1 12 12", "w1 13 13"},
		"ahead of now":                         {"o1 10 10", "w1 2000 100"},
		"ahead of the owner behind it":         {"w1 11 11", "w1 2000 15", "o1 15 15", "w1 16 16"},
		"before the owner in front of it":      {"o1 50 50", "w1 0 50", "w1 51 51"},
		"before its own":                       {"w1 50 50", "w1 10 50", "w1 51 51"},
		"its own later lie moves nothing":      {"w1 10 10", "w1 11 11", "w1 0 11", "w1 0 11"},
		"its own earlier lie stays its own":    {"w1 2000 100", "w1 11 100", "w2 12 12", "o1 100 100"},
		"another writer's lie moves nothing":   {"w2 10 10", "w1 2000 20", "w2 11 11", "w2 12 12", "l1 20 0"},
		"a list bounds":                        {"w1 10 10", "l1 20 0", "w1 5 20", "l1 30 0", "w1 90 90"},
		"an owner ahead of now bounds nothing": {"w1 10 10", "o1 500 100", "w1 20 20", "o2 30 30"},
		"owners that contradict each other":    {"o1 50 50", "w1 20 20", "o2 30 30", "w1 35 35"},
		"only writers":                         {"w1 10 10", "w2 5 5", "w1 12 12"},
	} {
		claims, want := story(lines...)
		got := boundTimes(claims, now*protocol.Time(24*time.Hour))
		for hash, at := range want {
			if got[hash] != at {
				t.Errorf("%s: line %d is day %v, want day %v", name, hash[0], got[hash].Std().YearDay()-1, at.Std().YearDay()-1)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d times, want %d", name, len(got), len(want))
		}
	}
}

// TestWritersCannotMoveThePast adds whatever lies a writer may add behind a
// history and demands that no time in it changes.
func TestWritersCannotMoveThePast(t *testing.T) {
	const now = 100 * protocol.Time(24*time.Hour)
	history := []string{"o1 10 0", "w1 11 0", "w2 12 0", "w1 13 0", "l1 14 0", "w2 15 0", "w1 16 0", "o1 17 0", "w1 18 0"}
	claims, _ := story(history...)
	before := boundTimes(claims, now)
	for lie := -10; lie < 3000; lie += 7 {
		more, _ := story(append(slices.Clone(history), fmt.Sprintf("w1 %d 0", lie), fmt.Sprintf("w1 %d 0", 2990-lie), fmt.Sprintf("w3 %d 0", lie))...)
		after := boundTimes(more, now)
		for hash, at := range before {
			if after[hash] != at {
				t.Fatalf("a lie of day %d moves line %d", lie, hash[0])
			}
		}
		for hash, at := range after {
			if at > now || int(hash[0]) > len(history) && hash[0] != byte(len(history)+3) && at < before[protocol.Hash{byte(len(history))}] {
				t.Fatalf("a lie of day %d comes to stand at %v", lie, at)
			}
		}
	}
}

func TestClockBehindIsRefused(t *testing.T) {
	const day = protocol.Time(24 * time.Hour)
	for _, test := range []struct {
		lines []string
		now   protocol.Time
		kind  protocol.Kind
	}{
		{[]string{"o1 10 0"}, 100 * day, ""},
		{[]string{"o1 101 0"}, 100 * day, ""},
		{[]string{"o1 103 0"}, 100 * day, protocol.KindUsage},
		{[]string{"w1 103 0"}, 100 * day, ""},
		{[]string{"o1 500 0", "l1 90 0", "w1 600 0"}, 100 * day, ""},
		{nil, 0, ""},
	} {
		claims, _ := story(test.lines...)
		err := checkClock(claims, test.now)
		if (err == nil) != (test.kind == "") || err != nil && protocol.KindOf(err) != test.kind {
			t.Errorf("%v: %v", test.lines, err)
		}
	}
}
