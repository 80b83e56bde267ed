// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"sort"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// Snapshot is one snapshot of a vault, verified and opened.
type Snapshot struct {
	ID     protocol.Hash // the hash of its record
	Seq    uint64
	Device protocol.MemberID
	Void   bool // signed beyond the head that its device's removal names
	RunDetails
}

// sortHeads brings heads into the order in which records hold them.
func sortHeads(heads []ledger.VaultHead) {
	sort.Slice(heads, func(i, j int) bool { return bytes.Compare(heads[i].Vault[:], heads[j].Vault[:]) < 0 })
}

// Snapshots returns the live snapshots in the order in which they were
// committed, with the tags as they are now.
func (v *Vault) Snapshots() ([]*Snapshot, error) { return v.listed(v.live()) }

// live returns the positions of the live snapshots, ascending.
func (v *Vault) live() []uint64 {
	if v.chain == nil {
		return nil
	}
	return positions(v.chain.Live())
}

func positions(of map[protocol.Hash]uint64) []uint64 {
	var seqs []uint64
	for _, seq := range of {
		seqs = append(seqs, seq)
	}
	sort.Slice(seqs, func(i, j int) bool { return seqs[i] < seqs[j] })
	return seqs
}

func (v *Vault) listed(seqs []uint64) ([]*Snapshot, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	tags, err := v.tags()
	if err != nil {
		return nil, err
	}
	list := make([]*Snapshot, 0, len(seqs))
	for _, seq := range seqs {
		s, err := v.snapshot(seq)
		if protocol.KindOf(err) == protocol.KindUntrusted {
			v.o.Warn(err) // its device made it so; it must not hide the others
			continue
		}
		if err != nil {
			return nil, err
		}
		if changed, ok := tags[s.ID]; ok {
			s.Tags = changed
		}
		list = append(list, s)
	}
	return list, nil
}

// snapshot opens the run record at a position.
func (v *Vault) snapshot(seq uint64) (*Snapshot, error) {
	raw, err := v.kept.Record(seq)
	if err != nil {
		return nil, err
	}
	rec, d, err := v.openRecord(raw)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "open snapshot %d", seq)
	}
	if d.Run == nil {
		return nil, protocol.Errorf(protocol.KindInternal, "record %d is no snapshot", seq)
	}
	if err := v.checkNamer(rec.Device, d.Run.Namer); err != nil {
		return nil, err
	}
	s := &Snapshot{ID: snapshot.HashOf(raw), Seq: seq, Device: rec.Device, RunDetails: *d.Run}
	_, s.Void = v.chain.Void()[s.ID]
	return s, nil
}

// checkNamer demands that a writer's snapshot is named by its own secret, and an
// owner's by the vault's.
func (v *Vault) checkNamer(device, namer protocol.MemberID) error {
	m, err := v.ledger.Member(device)
	if err != nil {
		return err
	}
	want := protocol.MemberID{}
	if m.Role == protocol.RoleWriter {
		want = device
	}
	if namer != want {
		return protocol.Errorf(protocol.KindUntrusted, "a snapshot of device %s is named by another's secret", device)
	}
	return nil
}

// openRecord opens the details of a verified record.
func (v *Vault) openRecord(raw []byte) (*snapshot.Record, *details, error) {
	rec, err := snapshot.Parse(raw)
	if err != nil {
		return nil, nil, err
	}
	h := &seal.PackHeader{Account: rec.Account, Vault: rec.Vault, Epoch: rec.Epoch, Run: rec.Run, Wrap: rec.Wrap}
	own, err := v.opens.Wrap(rec.Epoch)
	if err != nil {
		return nil, nil, err
	}
	run, err := seal.OpenRun(own, h)
	if err != nil {
		return nil, nil, err
	}
	plain, err := run.Open(rec.Prev, rec.Details)
	if err != nil {
		return nil, nil, err
	}
	d, err := parseDetails(plain, rec.Act)
	return rec, d, err
}

// tags returns the changed tags of snapshots: the newest list states them all.
func (v *Vault) tags() (map[protocol.Hash][]string, error) {
	tags := map[protocol.Hash][]string{}
	for seq := v.head.Seq; seq > 0; seq-- {
		raw, err := v.kept.Record(seq)
		if err != nil {
			return nil, err
		}
		rec, err := snapshot.Parse(raw)
		if err != nil {
			return nil, err
		}
		if rec.Act != snapshot.ActList || !v.counts(rec.Device, seq) {
			continue
		}
		_, d, err := v.openRecord(raw)
		if err != nil {
			v.o.Warn(protocol.Wrap(protocol.KindUntrusted, err, "the changes of tags in record %d, signed by device %s, do not open; older ones are shown", seq, rec.Device))
			continue
		}
		for _, t := range d.List.Tags {
			tags[t.Snapshot] = t.Tags
		}
		return tags, nil
	}
	return tags, nil
}

// counts reports whether what a device signed at a place of the chain counts: a
// removed device's does up to the head that its removal names.
func (v *Vault) counts(device protocol.MemberID, seq uint64) bool {
	m, err := v.ledger.Member(device)
	return err == nil && (m.Present() || seq <= m.Heads[v.o.Vault].Seq)
}

// Latest is the name of the newest snapshot.
const Latest = "latest"

// Filter chooses among snapshots. Its zero value chooses all.
type Filter struct {
	Hosts []string
	Paths []string
	Tags  []string // each a comma-separated list that must all be there
}

// Matches reports whether the filter chooses the snapshot.
func (f *Filter) Matches(s *Snapshot) bool {
	return matchesHost(f.Hosts, s) && matchesPaths(f.Paths, s) && matchesTags(f.Tags, s)
}

func matchesHost(hosts []string, s *Snapshot) bool {
	for _, h := range hosts {
		if h == s.Host {
			return true
		}
	}
	return len(hosts) == 0
}

func matchesPaths(paths []string, s *Snapshot) bool {
	for _, want := range paths {
		found := false
		for _, p := range s.Paths {
			found = found || string(p) == want
		}
		if !found {
			return false
		}
	}
	return true
}

func matchesTags(tags []string, s *Snapshot) bool {
	for _, list := range tags {
		if hasAllTags(s, strings.Split(list, ",")) {
			return true
		}
	}
	return len(tags) == 0
}

func hasAllTags(s *Snapshot, tags []string) bool {
	for _, want := range tags {
		found := want == "" && len(s.Tags) == 0
		for _, tag := range s.Tags {
			found = found || tag == want
		}
		if !found {
			return false
		}
	}
	return true
}

// Find returns the one live snapshot whose identifier begins with id, or the
// newest of those the filter chooses for Latest. A path behind a colon is
// returned, too.
func (v *Vault) Find(id string, f Filter) (s *Snapshot, path string, err error) {
	id, path, _ = strings.Cut(id, ":")
	list, err := v.Snapshots()
	if err != nil {
		return nil, "", err
	}
	var found []*Snapshot
	for _, s := range list {
		if id == Latest && f.Matches(s) || id != Latest && strings.HasPrefix(s.ID.String(), strings.ToLower(id)) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 0:
		return nil, "", protocol.Errorf(protocol.KindNotFound, "there is no snapshot %q here; `solekey snapshots` lists them", id)
	case id == Latest || len(found) == 1:
		return found[len(found)-1], path, nil
	}
	return nil, "", protocol.Errorf(protocol.KindUsage, "%d snapshots begin with %q; write more of it", len(found), id)
}
