// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"fmt"
	"strings"
	"time"
)

// Policy says which snapshots of a group are kept. Count rules keep so many of
// the newest, or the newest of so many hours, days and so on in which there are
// any; All keeps all. Within rules keep what is no older than that, counted from
// the newest snapshot of the group.
type Policy struct {
	Last, Hourly, Daily, Weekly, Monthly, Yearly                                 int
	Within, WithinHourly, WithinDaily, WithinWeekly, WithinMonthly, WithinYearly Span
	Tags                                                                         []string       // each a comma-separated list that must all be there
	Zone                                                                         *time.Location // in which days begin; nil: UTC
}

// All, as the count of a rule, keeps everything that the rule could keep.
const All = -1

// IsEmpty reports whether the policy would keep nothing.
func (p *Policy) IsEmpty() bool {
	for _, r := range p.rules() {
		if r.count != 0 || !r.within.IsZero() {
			return false
		}
	}
	return p.Within.IsZero() && len(p.Tags) == 0
}

// candidate is a snapshot of a group with the time that rules go by.
type candidate struct {
	*Snapshot
	at time.Time
}

// ruling says whether a candidate is kept, and why.
type ruling struct {
	keep    bool
	reasons []string
}

func (v *ruling) because(reason string) {
	v.keep = true
	v.reasons = append(v.reasons, reason)
}

// rule keeps one snapshot in each period: count periods, or those within a span.
type rule struct {
	name   string
	count  int
	within Span
	period func(at time.Time, place int) int
}

func (p *Policy) rules() []rule {
	return []rule{
		{name: "last snapshot", count: p.Last, period: func(_ time.Time, place int) int { return place }},
		{name: "hourly snapshot", count: p.Hourly, period: periodHour},
		{name: "daily snapshot", count: p.Daily, period: periodDay},
		{name: "weekly snapshot", count: p.Weekly, period: periodWeek},
		{name: "monthly snapshot", count: p.Monthly, period: periodMonth},
		{name: "yearly snapshot", count: p.Yearly, period: periodYear},
		{name: "hourly within", within: p.WithinHourly, period: periodHour},
		{name: "daily within", within: p.WithinDaily, period: periodDay},
		{name: "weekly within", within: p.WithinWeekly, period: periodWeek},
		{name: "monthly within", within: p.WithinMonthly, period: periodMonth},
		{name: "yearly within", within: p.WithinYearly, period: periodYear},
	}
}

func periodHour(at time.Time, place int) int  { return periodDay(at, place)*100 + at.Hour() }
func periodDay(at time.Time, place int) int   { return periodMonth(at, place)*100 + at.Day() }
func periodMonth(at time.Time, place int) int { return at.Year()*100 + int(at.Month()) }
func periodYear(at time.Time, _ int) int      { return at.Year() }
func periodWeek(at time.Time, _ int) int {
	year, week := at.ISOWeek()
	return year*100 + week
}

// apply judges the snapshots of one group, newest first. Of a writer's group,
// each period keeps its first snapshot, and count rules see one snapshot a day:
// so what a writer adds later never takes the place of what was there before
// within a period, and uses up no more of a count than backups once a day would.
func (p *Policy) apply(group []candidate, writer bool) []ruling {
	rulings := make([]ruling, len(group))
	if len(group) == 0 {
		return rulings
	}
	rulings[0].because("newest")
	for i := range group {
		group[i].at = group[i].at.In(p.zone())
	}
	p.applyTags(group, rulings)
	p.applyWithin(group, rulings)
	for _, r := range p.rules() {
		if r.count != 0 {
			for _, places := range apart(group, counted(group)) {
				if writer {
					places = firstOfDays(group, places)
				}
				r.choose(group, places, writer, rulings)
			}
		}
		if !r.within.IsZero() {
			for _, places := range apart(group, r.recent(group)) {
				r.choose(group, places, writer, rulings)
			}
		}
	}
	return rulings
}

// apart parts the places of complete snapshots from those of partial ones. Rules
// go over each by itself, so that no partial snapshot stands for a complete one.
func apart(group []candidate, places []int) [2][]int {
	var parts [2][]int
	for _, i := range places {
		which := 0
		if group[i].Partial {
			which = 1
		}
		parts[which] = append(parts[which], i)
	}
	return parts
}

func (p *Policy) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

func (p *Policy) applyTags(group []candidate, rulings []ruling) {
	for i, c := range group {
		for _, list := range p.Tags {
			if hasAllTags(c.Snapshot, strings.Split(list, ",")) {
				rulings[i].because(fmt.Sprintf("has tags %s", list))
			}
		}
	}
}

func (p *Policy) applyWithin(group []candidate, rulings []ruling) {
	if p.Within.IsZero() {
		return
	}
	oldest := p.Within.before(group[0].at)
	for i, c := range group {
		if c.at.After(oldest) {
			rulings[i].because("within " + p.Within.String())
		}
	}
}

// counted returns the places of what count rules look at: a partial snapshot
// does not count once a complete one followed it.
func counted(group []candidate) []int {
	var places []int
	followed := false
	for i, c := range group {
		if !c.Partial || !followed {
			places = append(places, i)
		}
		followed = followed || !c.Partial
	}
	return places
}

// firstOfDays returns, of the places, the first snapshot of each day.
func firstOfDays(group []candidate, places []int) []int {
	var first []int
	for n, i := range places {
		if n+1 == len(places) || periodDay(group[places[n+1]].at, 0) != periodDay(group[i].at, 0) {
			first = append(first, i)
		}
	}
	return first
}

// recent returns the places of what a within rule looks at.
func (r *rule) recent(group []candidate) []int {
	oldest := r.within.before(group[0].at)
	var places []int
	for i, c := range group {
		if c.at.After(oldest) {
			places = append(places, i)
		}
	}
	return places
}

// choose keeps one snapshot of each period: the newest, or the first of a
// writer's; and the oldest of all where the count leaves room for it.
func (r *rule) choose(group []candidate, places []int, writer bool, rulings []ruling) {
	left := r.count
	if !r.within.IsZero() {
		left = All
	}
	for n, i := range places {
		if left == 0 {
			return
		}
		period := r.period(group[i].at, n)
		newest := n == 0 || r.period(group[places[n-1]].at, n-1) != period
		first := n+1 == len(places) || r.period(group[places[n+1]].at, n+1) != period
		reason := r.name
		switch {
		case writer && !first, !writer && !newest && n+1 < len(places):
			continue
		case !writer && !newest:
			reason = "oldest " + r.name
		}
		rulings[i].because(reason)
		if left > 0 {
			left--
		}
	}
}
