// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import "github.com/solekey/solekey/protocol"

// MayAdd reports whether the device may add to the vault now: a present owner,
// or a present writer that was granted the vault, while the account is not
// closed. Errors are KindRemoved for a removed device and KindDenied for all
// else.
func (s *State) MayAdd(device protocol.MemberID, vault protocol.VaultID) error {
	m, ok := s.members[device]
	switch {
	case !ok:
		return protocol.Errorf(protocol.KindDenied, "device %s is not in the account", device)
	case !m.Present():
		return protocol.Errorf(protocol.KindRemoved, "device %s was removed", device)
	case s.closed:
		return protocol.Errorf(protocol.KindDenied, "the account is closed")
	}
	_, known := s.vaults[vault]
	_, granted := m.Granted[vault]
	if known && (m.Owner() || granted) {
		return nil
	}
	return protocol.Errorf(protocol.KindDenied, "device %s may not add to vault %s", device, vault)
}

// MayManage reports whether the device may read, list and retire: a present
// owner. Errors are as MayAdd's.
func (s *State) MayManage(device protocol.MemberID) error {
	m, ok := s.members[device]
	switch {
	case !ok || m.Present() && !m.Owner():
		return protocol.Errorf(protocol.KindDenied, "device %s may only add", device)
	case !m.Present():
		return protocol.Errorf(protocol.KindRemoved, "device %s was removed", device)
	}
	return nil
}

// Belongs reports whether a device had its place in the account when it signed,
// in its own view: it was in the ledger at the head it saw and not removed
// there, was granted the vault where it is a writer, and the epoch it used was
// the one in force.
func (s *State) Belongs(device protocol.MemberID, vault protocol.VaultID, epoch uint64, seen Head) error {
	m, ok := s.members[device]
	if !ok {
		return refuse("device %s is not in the ledger", device)
	}
	if !s.Holds(seen) {
		return refuse("the ledger head it names is not in this ledger")
	}
	v, ok := s.vaults[vault]
	if !ok || epoch == 0 || v.epochAt(seen.Seq) != epoch {
		return refuse("epoch %d of vault %s was not in force at ledger entry %d", epoch, vault, seen.Seq)
	}
	if m.Kind != KindDevice || m.Added > seen.Seq || !m.Present() && seen.Seq >= m.Removed {
		return refuse("device %s was not in the account at ledger entry %d", device, seen.Seq)
	}
	if at, granted := m.grantedAt[vault]; m.Role == protocol.RoleWriter && (!granted || at > seen.Seq) {
		return refuse("writer %s was not granted vault %s at ledger entry %d", device, vault, seen.Seq)
	}
	return nil
}

// Counts reports whether what a device signed at a position of a vault's chain
// counts: the device belongs, and where it was removed since, the position is
// not beyond the head that its removal names. A removed device could sign on,
// naming a ledger head before its removal, with a provider that plays along.
// Where the position's hash is given, it must be that head's own at that head;
// below it, who reads the chain must see that it passes through (LastHeads).
func (s *State) Counts(device protocol.MemberID, at VaultHead, epoch uint64, seen Head) error {
	if err := s.Belongs(device, at.Vault, epoch, seen); err != nil {
		return err
	}
	m := s.members[device]
	last := m.Heads[at.Vault]
	if m.Present() || at.Seq < last.Seq || at.Seq == last.Seq && (at.Hash.IsZero() || at.Hash == last.Hash) {
		return nil
	}
	return refuse("device %s was removed, and this lies beyond its last head that counts", device)
}
