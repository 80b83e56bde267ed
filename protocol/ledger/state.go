// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Head is a position in a ledger.
type Head struct {
	Seq  uint64        `cbor:"1,keyasint"`
	Hash protocol.Hash `cbor:"2,keyasint"`
}

// State is what a verified history amounts to. Only Fold makes one; it is
// immutable, and safe for concurrent use.
type State struct {
	account  protocol.AccountID
	head     Head
	hashes   []protocol.Hash // of every entry
	members  map[protocol.MemberID]*Member
	vaults   map[protocol.VaultID]*Vault
	levels   map[protocol.Category]protocol.Level
	epoch    uint64          // of the account secret; 0 before the first Rotate
	links    []protocol.Hash // Link of each epoch, from 1
	due      bool            // a Rotate must come next
	pending  []Pending
	closed   bool
	lastName map[string]NameRef
	used     map[protocol.Hash]bool // SHA-256 of every public key that ever stood here
}

// Kind says what a member is.
type Kind uint8

// The kinds of member.
const (
	KindDevice   Kind = 1
	KindRecovery Kind = 2
)

// Member is a device or a recovery method, present or removed.
type Member struct {
	ID      protocol.MemberID
	Kind    Kind
	Role    protocol.Role // of devices
	Keys    keys.MemberKeys
	Added   uint64 // seq of the entry that added it
	Removed uint64 // seq of the entry that removed it; 0 while it is present
	// Heads holds, for a removed device, the last head that counts of each vault
	// that there was when it was removed.
	Heads map[protocol.VaultID]VaultHead
	// Wraps holds the hash of the member's wrap of the account secret by epoch.
	Wraps map[uint64]protocol.Hash
	// Granted holds, for a writer, the hash of its wrap for each vault.
	Granted map[protocol.VaultID]protocol.Hash

	grantedAt map[protocol.VaultID]uint64 // seq of the entry, for what is in Granted
	verifier  *keys.Verifier              // of Keys.Verify
}

// Verify reports, as protocol.KindUntrusted, whether sig is no signature of the
// member over the message under the purpose. It is faster than Keys.Verify.Verify
// and says the same: nothing about whether the member was present.
func (m *Member) Verify(p keys.Purpose, message []byte, sig *keys.Signature) error {
	return m.verifier.Verify(p, message, sig)
}

// Present reports whether the member was not removed.
func (m *Member) Present() bool { return m.Removed == 0 }

// Owner reports whether the member is a present owner device.
func (m *Member) Owner() bool {
	return m.Present() && m.Kind == KindDevice && m.Role == protocol.RoleOwner
}

// Vault is a vault and its epochs.
type Vault struct {
	ID       protocol.VaultID
	Category protocol.Category
	Created  uint64 // seq of the entry
	Epochs   []VaultEpoch
	due      bool // a RotateVault must come before anything is sealed to it
}

// VaultEpoch is one generation of a vault's key pair.
type VaultEpoch struct {
	Key          keys.WrapKey
	Secrets      protocol.Hash // the box of the secrets, an object
	AccountEpoch uint64        // of the account secret the box is sealed under
	Since        uint64        // seq of the entry that put it in force
}

// Epoch returns the number of the epoch in force, from 1.
func (v *Vault) Epoch() uint64 { return uint64(len(v.Epochs)) }

// RotationDue reports whether the vault needs a new epoch before anything is
// sealed to it again.
func (v *Vault) RotationDue() bool { return v.due }

// epochAt returns the epoch that was in force right after the entry seq.
func (v *Vault) epochAt(seq uint64) uint64 {
	var epoch uint64
	for i, e := range v.Epochs {
		if e.Since <= seq {
			epoch = uint64(i + 1)
		}
	}
	return epoch
}

// Pending is an entry that waits for its delay.
type Pending struct {
	Entry  protocol.Hash
	Seq    uint64
	Signer protocol.MemberID
	Body   Body
}

// NameRef is the newest boxed label of a member or a vault.
type NameRef struct {
	Epoch uint64
	Prev  protocol.Hash // the hash before the entry: part of the box's context
	Box   []byte
}

// Account returns the account's identifier.
func (s *State) Account() protocol.AccountID { return s.account }

// Head returns the newest entry's position.
func (s *State) Head() Head { return s.head }

// Epoch returns the epoch of the account secret in force, 0 before the first.
func (s *State) Epoch() uint64 { return s.epoch }

// Link returns the hash of the box by which the secret of the epoch opens the
// one before it; zero for epoch 1.
func (s *State) Link(epoch uint64) protocol.Hash {
	if epoch == 0 || epoch > uint64(len(s.links)) {
		return protocol.Hash{}
	}
	return s.links[epoch-1]
}

// RotationDue reports whether a Rotate must come before anything else.
func (s *State) RotationDue() bool { return s.due }

// Closed reports whether the account was closed.
func (s *State) Closed() bool { return s.closed }

// Pending returns the entries that wait for their delay.
func (s *State) Pending() []Pending { return append([]Pending(nil), s.pending...) }

// Level returns the protection level of a category.
func (s *State) Level(c protocol.Category) protocol.Level {
	if level, ok := s.levels[c]; ok {
		return level
	}
	return protocol.LevelAdvanced
}

// Holds reports whether the ledger holds the entry at the position, so that a
// statement that names a ledger head is known to speak of this history.
func (s *State) Holds(h Head) bool {
	return h.Seq < uint64(len(s.hashes)) && s.hashes[h.Seq] == h.Hash
}

// Member returns a copy of a present or removed member.
func (s *State) Member(id protocol.MemberID) (*Member, error) {
	m, ok := s.members[id]
	if !ok {
		return nil, protocol.Errorf(protocol.KindUntrusted, "member %s is not in the ledger", id)
	}
	return m.clone(), nil
}

// AllMembers returns copies of every member, present or removed, in the order
// in which they were added.
func (s *State) AllMembers() []*Member {
	list := make([]*Member, 0, len(s.members))
	for _, m := range s.members {
		list = append(list, m.clone())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Added < list[j].Added })
	return list
}

// LastHeads returns, for every removal after which something of the vault still
// counts, the last head that does. The vault's chain must pass through each of
// them, so that no provider can put another past below it.
func (s *State) LastHeads(vault protocol.VaultID) []VaultHead {
	var list []VaultHead
	for _, m := range s.members {
		if h, ok := m.Heads[vault]; ok && h.Seq > 0 {
			list = append(list, h)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Seq < list[j].Seq })
	return list
}

// Vault returns a copy of a vault.
func (s *State) Vault(id protocol.VaultID) (*Vault, error) {
	v, ok := s.vaults[id]
	if !ok {
		return nil, protocol.Errorf(protocol.KindNotFound, "vault %s is not in the ledger", id)
	}
	return v.clone(), nil
}

// Vaults returns copies of the vaults in the order of their creation.
func (s *State) Vaults() []*Vault {
	list := make([]*Vault, 0, len(s.vaults))
	for _, v := range s.vaults {
		list = append(list, v.clone())
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Created < list[j].Created })
	return list
}

// MemberName returns the newest boxed label of a member.
func (s *State) MemberName(id protocol.MemberID) (NameRef, bool) {
	ref, ok := s.lastName[string(id[:])]
	return ref, ok
}

// VaultName returns the newest boxed label of a vault.
func (s *State) VaultName(id protocol.VaultID) (NameRef, bool) {
	ref, ok := s.lastName[string(id[:])]
	return ref, ok
}

// holders returns who holds the account secret, ascending by identifier: owner
// devices and recovery methods that are present.
func (s *State) holders() []*Member {
	var list []*Member
	for _, m := range s.members {
		if m.Owner() || m.Present() && m.Kind == KindRecovery {
			list = append(list, m)
		}
	}
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].ID[:], list[j].ID[:]) < 0 })
	return list
}

// clone returns a deep copy to extend.
func (s *State) clone() *State {
	c := *s
	c.hashes = append([]protocol.Hash(nil), s.hashes...)
	c.links = append([]protocol.Hash(nil), s.links...)
	c.pending = append([]Pending(nil), s.pending...)
	c.members = make(map[protocol.MemberID]*Member, len(s.members))
	for id, m := range s.members {
		c.members[id] = m.clone()
	}
	c.vaults = make(map[protocol.VaultID]*Vault, len(s.vaults))
	for id, v := range s.vaults {
		c.vaults[id] = v.clone()
	}
	c.levels, c.used = copyMap(s.levels), copyMap(s.used)
	c.lastName = copyMap(s.lastName)
	return &c
}

func (m *Member) clone() *Member {
	c := *m
	c.Heads, c.Wraps = copyMap(m.Heads), copyMap(m.Wraps)
	c.Granted, c.grantedAt = copyMap(m.Granted), copyMap(m.grantedAt)
	return &c
}

func (v *Vault) clone() *Vault {
	c := *v
	c.Epochs = append([]VaultEpoch(nil), v.Epochs...)
	return &c
}

func copyMap[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
