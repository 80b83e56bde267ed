// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// records remembers where the stored records of a vault begin; the record of
// number n is the frame n-1.
type records struct {
	length  int64 // of the file when it was read
	offsets []int64
}

func (v *Vault) log() log { return log{v.path("records"), "records"} }

// Chain returns the vault's chain of records as far as it is stored: signatures
// were verified before they were stored, and the mark certifies the whole by
// the last one's hash. Where the file was lost or damaged the chain is empty:
// fetch the records from 1, and AppendRecords holds them against the mark.
func (v *Vault) Chain() (*snapshot.Chain, error) {
	m, err := v.marks()
	if err != nil {
		return nil, err
	}
	chain, err := v.resume(m)
	if lost(err) {
		return snapshot.NewChain(v.id), v.reset(m)
	}
	return chain, err
}

// reset sets a damaged file of records aside. The head stays: what is fetched
// anew must lead to it.
func (v *Vault) reset(damaged vaultMarks) error {
	return v.change(func(m *vaultMarks) error {
		if m.Length == damaged.Length {
			v.log().setAside()
			m.Stored, m.Length = position{}, 0
		}
		return nil
	})
}

func (v *Vault) resume(m vaultMarks) (*snapshot.Chain, error) {
	chain := snapshot.NewChain(v.id)
	if m.Length == 0 {
		return chain, nil
	}
	err := v.log().scan(m.Length, func(_ int64, raw []byte) error {
		_, err := chain.Resume(raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	if chain.Head() != (ledger.VaultHead{Vault: v.id, Seq: m.Stored.Seq, Hash: m.Stored.Hash}) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the stored records of vault %s do not end at the mark", v.id)
	}
	return chain, nil
}

// Record returns the stored record of the number, from 1. The error is
// KindNotFound where it is not stored.
func (v *Vault) Record(seq uint64) ([]byte, error) {
	m, err := v.marks()
	if err != nil {
		return nil, err
	}
	if seq == 0 || seq > m.Stored.Seq {
		return nil, protocol.Errorf(protocol.KindNotFound, "record %d of vault %s is not on this device", seq, v.id)
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.record(m, seq)
}

// record reads one record; s.mu is held.
func (v *Vault) record(m vaultMarks, seq uint64) ([]byte, error) {
	known := v.s.vaults[v.id]
	if known == nil || known.length != m.Length {
		offsets, err := v.log().offsets(m.Length)
		if err != nil {
			return nil, err
		}
		known = &records{length: m.Length, offsets: offsets}
		v.s.vaults[v.id] = known
	}
	if seq > uint64(len(known.offsets)) {
		return nil, errDamaged(v.path("records"), protocol.Errorf(protocol.KindUntrusted, "record %d is missing", seq))
	}
	return v.log().frame(known.offsets[seq-1])
}

// AppendRecords stores records that a snapshot.Chain took in, in their order,
// and moves the mark with them. Records that are stored already are compared
// and passed over. What does not follow, or contradicts the mark, is
// KindUntrusted, and nothing changes.
func (v *Vault) AppendRecords(raw ...[]byte) error {
	return v.s.update(func() error {
		m, err := v.marksToExtend()
		if err != nil {
			return err
		}
		var frames [][]byte
		for _, r := range raw {
			isNew, err := v.take(&m, r)
			if err != nil {
				return err
			}
			if isNew {
				frames = append(frames, r)
			}
		}
		if len(frames) == 0 {
			return nil
		}
		if m.Length, err = v.log().append(m.Length, frames); err != nil {
			return err
		}
		return v.setMarks(m)
	})
}

// marksToExtend returns the marks; where the file was lost, as of an empty one.
func (v *Vault) marksToExtend() (vaultMarks, error) {
	m, err := v.marks()
	if err != nil || m.Length == 0 {
		return m, err
	}
	f, err := v.log().open(m.Length)
	if err == nil {
		return m, f.Close()
	}
	if !lost(err) {
		return m, err
	}
	v.log().setAside()
	m.Stored, m.Length = position{}, 0 // the head stays: what is fetched anew must lead to it
	return m, nil
}

// take moves the marks over one record and reports whether it is new.
func (v *Vault) take(m *vaultMarks, raw []byte) (bool, error) {
	r, err := snapshot.Parse(raw)
	if err != nil {
		return false, err
	}
	if r.Vault != v.id {
		return false, protocol.Errorf(protocol.KindUntrusted, "record %d belongs to another vault", r.Seq)
	}
	hash := snapshot.HashOf(raw)
	if r.Seq <= m.Stored.Seq {
		return false, v.compare(*m, r.Seq, hash)
	}
	if r.Seq != m.Stored.Seq+1 || r.Prev != m.Stored.Hash {
		return false, protocol.Errorf(protocol.KindUntrusted, "record %d does not follow record %d of vault %s, the last one stored", r.Seq, m.Stored.Seq, v.id)
	}
	if r.Seq == m.Head.Seq && hash != m.Head.Hash {
		return false, errFork(wordRecords, r.Seq)
	}
	m.Stored = position{r.Seq, hash}
	if r.Seq > m.Head.Seq {
		m.Head = m.Stored
	}
	return true, nil
}

// compare holds a record against the stored one of its number.
func (v *Vault) compare(m vaultMarks, seq uint64, hash protocol.Hash) error {
	if seq == m.Stored.Seq {
		if hash != m.Stored.Hash {
			return errFork(wordRecords, seq)
		}
		return nil
	}
	if m.Length == 0 {
		return nil
	}
	stored, err := v.record(m, seq)
	if err != nil {
		return err
	}
	if snapshot.HashOf(stored) != hash {
		return errFork(wordRecords, seq)
	}
	return nil
}
