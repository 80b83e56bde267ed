// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// statement is what a list record states: all that is live, and all tags that
// differ from what runs said.
type statement struct {
	live []protocol.Hash
	tags map[protocol.Hash][]string
}

// stated returns what is live now, to be changed and restated.
func (v *Vault) stated() (*statement, error) {
	tags, err := v.tags()
	if err != nil {
		return nil, err
	}
	s := &statement{tags: tags}
	for hash := range v.chain.Live() {
		s.live = append(s.live, hash)
	}
	return s, nil
}

// without states what is live but for some snapshots; nil for none.
func (v *Vault) without(forgotten []*Snapshot) (*statement, error) {
	if len(forgotten) == 0 {
		return nil, nil
	}
	s, err := v.stated()
	if err != nil {
		return nil, err
	}
	gone := map[protocol.Hash]bool{}
	for _, f := range forgotten {
		gone[f.ID] = true
	}
	kept := s.live[:0]
	for _, hash := range s.live {
		if !gone[hash] {
			kept = append(kept, hash)
		}
	}
	s.live = kept
	return s, nil
}

// restate signs and commits a list. What it states is computed from the head
// that it is put upon: where the head moved, compute is called again, so that no
// snapshot which came meanwhile is lost. Where compute returns nil, nothing is
// signed and the hash is zero.
func (v *Vault) restate(ctx context.Context, compute func() (*statement, error)) (protocol.Hash, error) {
	for range maxTries {
		s, err := compute()
		if err != nil || s == nil {
			return protocol.Hash{}, err
		}
		if testingOnlyBeforeList != nil {
			testingOnlyBeforeList()
		}
		raw, err := v.proposeList(ctx, s)
		if err == nil {
			return snapshot.HashOf(raw), nil
		}
		if protocol.KindOf(err) != protocol.KindConflict {
			return protocol.Hash{}, err
		}
		if err := v.refresh(ctx); err != nil {
			return protocol.Hash{}, err
		}
	}
	return protocol.Hash{}, protocol.Errorf(protocol.KindBusy, "other devices keep moving the head; nothing was changed, try again")
}

// testingOnlyBeforeList lets a test move the vault before a list is committed.
var testingOnlyBeforeList func()

func (v *Vault) proposeList(ctx context.Context, s *statement) ([]byte, error) {
	to, err := v.recipient()
	if err != nil {
		return nil, err
	}
	run, err := seal.NewRun(to)
	if err != nil {
		return nil, err
	}
	d := s.details(v.o.Now())
	sort.Slice(s.live, func(i, j int) bool { return bytes.Compare(s.live[i][:], s.live[j][:]) < 0 })
	return v.propose(ctx, run, snapshot.ActList, d, s.live)
}

// roomForTags is how long the tags may be that a list restates, of the
// snapshot.MaxDetails that there are.
const roomForTags = snapshot.MaxDetails / 4 * 3

// details restate the tags, also those of forgotten snapshots, which come back
// with them: as long as there is room, of the live ones in any case.
func (s *statement) details(now protocol.Time) *details {
	d := &details{List: &ListDetails{Time: now}}
	for hash, tags := range s.tags {
		d.List.Tags = append(d.List.Tags, SnapshotTags{Snapshot: hash, Tags: tags})
	}
	if len(canonical.MustMarshal(d)) > roomForTags {
		d.List.Tags = d.List.Tags[:0]
		for _, hash := range s.live {
			if tags, changed := s.tags[hash]; changed {
				d.List.Tags = append(d.List.Tags, SnapshotTags{Snapshot: hash, Tags: tags})
			}
		}
	}
	sortTags(d.List.Tags)
	return d
}
