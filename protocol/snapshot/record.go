// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// Limits of a record.
const (
	MaxRecordSize = 8 << 20 // bytes of one encoded record
	MaxLive       = 1 << 16 // live snapshots of a vault
	MaxDetails    = 4 << 20 // bytes of the sealed details
	MaxOthers     = ledger.MaxVaults
	wrapSize      = 1120 + 48 // bytes of the wrapped run key
)

// Act says what a record does.
type Act uint8

const (
	// ActRun adds one snapshot.
	ActRun Act = 1
	// ActList states which snapshots are live: exactly those it names.
	ActList Act = 2
)

// Record is one signed state of a vault. What people would read, the root of
// the tree, host, paths, tags, times, is sealed in Details under a key that
// Wrap holds for the vault.
//
// Growth: a field or act is only ever added with a new format version; a reader
// refuses a version, field or act it does not know.
type Record struct {
	Version    uint64             `cbor:"1,keyasint"`
	Act        Act                `cbor:"2,keyasint"`
	Account    protocol.AccountID `cbor:"3,keyasint"`
	Vault      protocol.VaultID   `cbor:"4,keyasint"`
	Epoch      uint64             `cbor:"5,keyasint"`
	Seq        uint64             `cbor:"6,keyasint"` // from 1
	Prev       protocol.Hash      `cbor:"7,keyasint,omitzero"`
	Device     protocol.MemberID  `cbor:"8,keyasint"`
	Ledger     ledger.Head        `cbor:"9,keyasint"`  // the newest that the device knew
	Generation uint64             `cbor:"10,keyasint"` // of the prune chain, committed together
	Run        protocol.RunID     `cbor:"11,keyasint"`
	Wrap       []byte             `cbor:"12,keyasint"` // the run key, to the vault
	Details    []byte             `cbor:"13,keyasint"` // a box under the run key
	Live       []protocol.Hash    `cbor:"14,keyasint,omitempty"`
	Others     []ledger.VaultHead `cbor:"15,keyasint,omitempty"` // the other vaults' heads as the device knows them
	Signature  *keys.Signature    `cbor:"16,keyasint,omitempty"`
}

func (r Record) signed() []byte {
	r.Signature = nil
	return canonical.MustMarshal(r)
}

// Sign sets version, device and signature and returns the encoding.
func (r *Record) Sign(device *keys.MemberSecrets) []byte {
	r.Version, r.Device = protocol.FormatVersion, device.ID()
	signature := device.Signing.Sign(keys.PurposeSnapshot, r.signed())
	r.Signature = &signature
	return canonical.MustMarshal(r)
}

// Parse reads a record: syntax and limits only.
func Parse(raw []byte) (*Record, error) {
	r := new(Record)
	if err := canonical.Unmarshal(raw, MaxRecordSize, r); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse snapshot record")
	}
	if err := checkEnvelope("snapshot record", r.Version, r.Signature); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

// check holds a record to what its syntax alone demands.
func (r *Record) check() error {
	bad := func(why string) error {
		return protocol.Errorf(protocol.KindUntrusted, "parse snapshot record %d: %s", r.Seq, why)
	}
	switch {
	case r.Act != ActRun && r.Act != ActList:
		return bad("it does nothing that is known here")
	case r.Epoch == 0:
		return bad("it has no epoch")
	case r.Seq == 0 || (r.Seq == 1) != r.Prev.IsZero():
		return bad("its place in the chain is wrong")
	case len(r.Wrap) != wrapSize || len(r.Details) > MaxDetails:
		return bad("a sealed part has the wrong size")
	case r.Act == ActRun && len(r.Live) > 0 || len(r.Live) > MaxLive:
		return bad("its list of live snapshots has the wrong size")
	case !ascendingHashes(r.Live) || !ascendingVaults(r.Others):
		return bad("a list is not in ascending order")
	}
	return r.checkOthers()
}

// checkOthers demands heads of other vaults that are not empty: the head of
// this one is Prev.
func (r *Record) checkOthers() error {
	if len(r.Others) > MaxOthers {
		return protocol.Errorf(protocol.KindUntrusted, "parse snapshot record %d: it names %d other vaults", r.Seq, len(r.Others))
	}
	for _, h := range r.Others {
		if h.Vault == r.Vault || h.Seq == 0 || h.Hash.IsZero() {
			return protocol.Errorf(protocol.KindUntrusted, "parse snapshot record %d: the head of another vault is wrong", r.Seq)
		}
	}
	return nil
}

func ascendingHashes(list []protocol.Hash) bool {
	for i := 1; i < len(list); i++ {
		if bytes.Compare(list[i-1][:], list[i][:]) >= 0 {
			return false
		}
	}
	return true
}

func ascendingVaults(list []ledger.VaultHead) bool {
	for i := 1; i < len(list); i++ {
		if bytes.Compare(list[i-1].Vault[:], list[i].Vault[:]) >= 0 {
			return false
		}
	}
	return true
}

// HashOf returns the hash by which the next record, and a list, name a record.
func HashOf(raw []byte) protocol.Hash { return sha256.Sum256(raw) }

// Verify holds the record against the ledger: signature, and that what its
// device signs at this place counts. A list counts only from an owner device.
// Who takes a record into a vault also holds it to Follows.
func (r *Record) Verify(state *ledger.State) error {
	counts, err := r.verify(state)
	if err == nil && !counts {
		err = protocol.Errorf(protocol.KindUntrusted, "device %s was removed, and this lies beyond its last head that counts", r.Device)
	}
	return protocol.Wrap(protocol.KindUntrusted, err, "snapshot record %d", r.Seq)
}

// verify reports whether a record that its device had the right to sign still
// counts after the removals that the ledger holds.
func (r *Record) verify(state *ledger.State) (counts bool, err error) {
	e := envelope{r.Account, r.Device, keys.PurposeSnapshot, r.Signature}
	member, err := e.verify(state, r.signed)
	if err != nil {
		return false, err
	}
	if r.Act == ActList && member.Role != protocol.RoleOwner {
		return false, protocol.Errorf(protocol.KindUntrusted, "only an owner device states what is live")
	}
	if err := state.Belongs(r.Device, r.Vault, r.Epoch, r.Ledger); err != nil {
		return false, err
	}
	return member.Present() || r.Seq <= member.Heads[r.Vault].Seq, nil
}

// Place is where a vault's chain has got to: what its next record must fit.
type Place struct {
	Head       ledger.VaultHead // of the newest record; Seq 0 for the empty vault
	Ledger     uint64           // seq of the newest ledger head that a record saw
	Generation uint64           // the newest of the prune chain that a record saw
}

// Follows demands that the record is the next one at the place, and that its
// device had seen no less than the ones before: neither an older ledger nor an
// older step of the prune chain.
func (r *Record) Follows(p Place) error {
	switch {
	case r.Vault != p.Head.Vault || r.Seq != p.Head.Seq+1 || r.Prev != p.Head.Hash:
		return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d does not follow record %d of vault %s", r.Seq, p.Head.Seq, p.Head.Vault)
	case r.Ledger.Seq < p.Ledger:
		return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d saw an older ledger than a record before it", r.Seq)
	case r.Generation < p.Generation:
		return protocol.Errorf(protocol.KindUntrusted, "snapshot record %d saw an older generation than a record before it", r.Seq)
	}
	return nil
}
