// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"

	"github.com/solekey/solekey/protocol"
)

// Stats counts what a vault holds. Sizes are in bytes.
type Stats struct {
	Snapshots int
	// Files and RestoreSize are what a restore of all the chosen snapshots would
	// write, as the devices that made them counted.
	Files       uint64
	RestoreSize uint64
	// The rest counts what the chosen snapshots need, each chunk once; Counted
	// says whether it was.
	Counted    bool
	Chunks     int64
	RawSize    int64 // before compression
	SealedSize int64 // their part of the packs
	// The rest is about all packs that are stored.
	Packs        int
	StoredSize   int64
	PaddingSize  int64 // of padding, headers and indexes
	UnusedSize   int64 // of content that the chosen snapshots do not need
	RetiredPacks int
	RetiredSize  int64
}

// Stats counts. With raw it goes through the trees of the chosen snapshots; else
// it says what the records say.
func (v *Vault) Stats(ctx context.Context, list []*Snapshot, raw bool) (*Stats, error) {
	if err := v.mustRead(); err != nil {
		return nil, err
	}
	s := &Stats{Snapshots: len(list)}
	for _, one := range list {
		s.Files += one.Counts.Files
		s.RestoreSize += one.Counts.Bytes
	}
	if !raw {
		return s, v.countPacks(s)
	}
	s.Counted = true
	m, err := v.mark(ctx, roots(list))
	if err != nil {
		return nil, err
	}
	defer m.close()
	if err := v.countPacks(s); err != nil {
		return nil, err
	}
	return s, v.countChunks(m, s)
}

func (v *Vault) countPacks(s *Stats) error {
	for p, err := range v.index.Packs() {
		if err != nil {
			return err
		}
		if _, retired := v.prunes.Retired()[p.ID]; retired {
			s.RetiredPacks++
			s.RetiredSize += p.Size
			continue
		}
		s.Packs++
		s.StoredSize += p.Size
	}
	return nil
}

// countChunks counts what is needed, each chunk once, and what packs hold.
func (v *Vault) countChunks(m *marks, s *Stats) error {
	var content int64
	lost := m.losses
	err := m.match(func(c *matched) error {
		counted := false
		for i := range c.places {
			l := &c.places[i]
			if _, retired := v.prunes.Retired()[l.Pack]; !retired {
				content += share(l)
			}
			if len(c.uses) > 0 && !counted {
				s.Chunks++
				s.RawSize += int64(l.Length)
				s.SealedSize += share(l)
				counted = true
			}
		}
		if len(c.uses) > 0 && len(c.places) == 0 {
			lost++
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.PaddingSize = max(s.StoredSize-content, 0)
	s.UnusedSize = max(content-s.SealedSize, 0)
	if lost > 0 {
		v.o.Warn(protocol.Errorf(protocol.KindUnreadable, "%d parts of snapshots are missing; `solekey check` says what they touch", lost))
	}
	return nil
}

// RepairIndex builds the local index anew from the indexes inside the packs, and
// returns how many packs it knows then.
func (v *Vault) RepairIndex(ctx context.Context) (packs int, err error) {
	if err := v.mustRead(); err != nil {
		return 0, err
	}
	if err := v.rebuildIndex(ctx); err != nil {
		return 0, err
	}
	for _, err := range v.index.Packs() {
		if err != nil {
			return 0, err
		}
		packs++
	}
	return packs, nil
}
