// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"sort"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// ForgetOptions say which snapshots are forgotten: those that IDs name, or those
// that the policy does not keep of what the filter chooses.
type ForgetOptions struct {
	IDs     []string
	Filter  Filter
	Policy  Policy
	GroupBy []string // of host, paths, tags
	DryRun  bool
}

// ForgetResult says what was forgotten.
type ForgetResult struct {
	Groups    []*ForgetGroup
	Forgotten []*Snapshot
	Kept      int           // live snapshots afterwards
	Record    protocol.Hash // the list; zero where nothing changed
}

// ForgetGroup is a group of snapshots that the policy was applied to.
type ForgetGroup struct {
	Writer protocol.MemberID // whose they are; zero: the owners'
	Host   string
	Paths  []string
	Tags   []string
	Keep   []*Judged // newest first
	Remove []*Judged
}

// Judged is a snapshot with what a policy says of it.
type Judged struct {
	*Snapshot
	Time    protocol.Time // that the rules went by
	Reasons []string      // why it is kept
}

// Forget signs a list without the snapshots that are to be forgotten. Where
// another device moves the vault meanwhile it looks again, with what is there
// then. A forgotten snapshot can be brought back until its packs are dropped.
func (v *Vault) Forget(ctx context.Context, o ForgetOptions) (*ForgetResult, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	var result *ForgetResult
	record, err := v.restate(ctx, func() (*statement, error) {
		var err error
		if result, err = v.weighForget(&o); err != nil || o.DryRun {
			return nil, err
		}
		return v.without(result.Forgotten)
	})
	if err != nil {
		return nil, err
	}
	result.Record = record
	return result, nil
}

func (o *ForgetOptions) check() error {
	switch {
	case len(o.IDs) == 0 && o.Policy.IsEmpty():
		return protocol.Errorf(protocol.KindUsage, "nothing says which snapshots to keep: give a --keep rule, or name the snapshots to forget; nothing was forgotten")
	case len(o.IDs) > 0 && !o.Policy.IsEmpty():
		return protocol.Errorf(protocol.KindUsage, "give either --keep rules or the snapshots to forget, not both; nothing was forgotten")
	}
	for _, by := range o.GroupBy {
		if by != "host" && by != "paths" && by != "tags" {
			return protocol.Errorf(protocol.KindUsage, "group by %q: it is host, paths or tags, several with commas between", by)
		}
	}
	return nil
}

// weighForget decides what is forgotten of what is live now.
func (v *Vault) weighForget(o *ForgetOptions) (*ForgetResult, error) {
	result := &ForgetResult{}
	var err error
	if len(o.IDs) > 0 {
		if result.Forgotten, err = v.byIDs(o.IDs, o.Filter); err == nil {
			o.IDs = names(result.Forgotten) // what the words mean now: "latest" may be another one next time
		}
	} else {
		err = v.judgeByPolicy(o, result)
	}
	result.Kept = len(v.chain.Live()) - len(result.Forgotten)
	return result, err
}

// names returns the whole identifiers of snapshots.
func names(list []*Snapshot) []string {
	ids := make([]string, 0, len(list))
	for _, s := range list {
		ids = append(ids, s.ID.String())
	}
	return ids
}

// byIDs returns the live snapshots that identifiers name, each once; also those
// that do not open.
func (v *Vault) byIDs(ids []string, f Filter) ([]*Snapshot, error) {
	var list []*Snapshot
	seen := map[protocol.Hash]bool{}
	for _, id := range ids {
		s, err := v.byID(id, f)
		if err != nil {
			return nil, err
		}
		if !seen[s.ID] {
			list = append(list, s)
		}
		seen[s.ID] = true
	}
	return list, nil
}

func (v *Vault) byID(id string, f Filter) (*Snapshot, error) {
	if id == Latest {
		s, _, err := v.Find(id, f)
		return s, err
	}
	return v.byPrefix(id, v.chain.Live())
}

// byPrefix returns the one snapshot of a set whose identifier begins so.
func (v *Vault) byPrefix(id string, of map[protocol.Hash]uint64) (*Snapshot, error) {
	var found []*Snapshot
	for hash, seq := range of {
		if id != "" && strings.HasPrefix(hash.String(), strings.ToLower(id)) {
			found = append(found, &Snapshot{ID: hash, Seq: seq})
		}
	}
	switch len(found) {
	case 0:
		return nil, protocol.Errorf(protocol.KindNotFound, "there is no snapshot %q here; nothing was changed", id)
	case 1:
		if opened, err := v.snapshot(found[0].Seq); err == nil {
			return opened, nil
		}
		return found[0], nil
	}
	return nil, protocol.Errorf(protocol.KindUsage, "%d snapshots begin with %q; write more of it; nothing was changed", len(found), id)
}

func (v *Vault) judgeByPolicy(o *ForgetOptions, result *ForgetResult) error {
	claims, err := v.claims()
	if err != nil {
		return err
	}
	now := v.o.Now()
	if err := checkClock(claims, now); err != nil {
		return err
	}
	list, err := v.Snapshots()
	if err != nil {
		return err
	}
	times := boundTimes(claims, now)
	for _, members := range v.groups(list, o) {
		g := o.judgeGroup(members, times, v.writer(members[0].Device))
		result.Groups = append(result.Groups, g)
		for _, j := range g.Remove {
			result.Forgotten = append(result.Forgotten, j.Snapshot)
		}
	}
	return nil
}

// writer returns the device itself where it is a writer, zero otherwise.
func (v *Vault) writer(device protocol.MemberID) protocol.MemberID {
	m, err := v.ledger.Member(device)
	if err == nil && m.Kind == ledger.KindDevice && m.Role == protocol.RoleOwner {
		return protocol.MemberID{}
	}
	return device
}

// groups divides snapshots, in the order of the chain, into groups that compete
// for being kept. A writer's compete with its own only, whatever host and paths
// they claim to be of.
func (v *Vault) groups(list []*Snapshot, o *ForgetOptions) [][]*Snapshot {
	var groups [][]*Snapshot
	places := map[string]int{}
	for _, s := range list {
		if !o.Filter.Matches(s) {
			continue
		}
		writer := v.writer(s.Device)
		key := string(writer[:]) + strings.Join(s.groupKey(o.GroupBy), "\x00")
		place, known := places[key]
		if !known {
			place = len(groups)
			places[key] = place
			groups = append(groups, nil)
		}
		groups[place] = append(groups[place], s)
	}
	return groups
}

func (s *Snapshot) groupKey(by []string) []string {
	var key []string
	for _, field := range by {
		key = append(key, field)
		switch field {
		case "host":
			key = append(key, s.Host)
		case "paths":
			key = append(key, s.sortedPaths()...)
		case "tags":
			key = append(key, inOrder(s.Tags)...)
		}
	}
	return key
}

func (s *Snapshot) sortedPaths() []string {
	paths := make([]string, 0, len(s.Paths))
	for _, p := range s.Paths {
		paths = append(paths, string(p))
	}
	sort.Strings(paths)
	return paths
}

func inOrder(list []string) []string {
	list = append([]string(nil), list...)
	sort.Strings(list)
	return list
}

// judgeGroup applies the policy to a group, given in the order of the chain.
func (o *ForgetOptions) judgeGroup(members []*Snapshot, times map[protocol.Hash]protocol.Time, writer protocol.MemberID) *ForgetGroup {
	g := &ForgetGroup{Writer: writer}
	group := make([]candidate, 0, len(members))
	for i := len(members) - 1; i >= 0; i-- {
		group = append(group, candidate{members[i], times[members[i].ID].Std()})
	}
	if writer.IsZero() { // owners' clocks are believed: two devices may differ from the chain's order
		sort.SliceStable(group, func(i, j int) bool { return group[i].at.After(group[j].at) })
	}
	for _, by := range o.GroupBy {
		switch by {
		case "host":
			g.Host = group[0].Host
		case "paths":
			g.Paths = group[0].sortedPaths()
		case "tags":
			g.Tags = inOrder(group[0].Tags)
		}
	}
	for i, v := range o.Policy.apply(group, !writer.IsZero()) {
		j := &Judged{group[i].Snapshot, times[group[i].ID], v.reasons}
		if v.keep {
			g.Keep = append(g.Keep, j)
		} else {
			g.Remove = append(g.Remove, j)
		}
	}
	return g
}
