// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// refuse returns the error of a rule that does not hold.
func refuse(format string, args ...any) error {
	return protocol.Errorf(protocol.KindUntrusted, format, args...)
}

// apply holds the body to its rules and changes the state.
func (s *State) apply(e *Entry, times Times) error {
	b := &e.f.Body
	switch {
	case b.AddDevice != nil:
		return s.addDevice(e.f.Seq, b.AddDevice)
	case b.RemoveDevice != nil:
		return s.removeDevice(e.f.Seq, b.RemoveDevice)
	case b.Grant != nil:
		return s.grant(e.f.Seq, b.Grant)
	case b.Rotate != nil:
		return s.rotate(b.Rotate)
	case b.CreateVault != nil:
		return s.createVault(e.f.Seq, b.CreateVault)
	case b.RotateVault != nil:
		return s.rotateVault(e.f.Seq, b.RotateVault)
	case b.SetProtection != nil:
		return s.setProtection(b.SetProtection)
	case b.AddRecovery != nil:
		return s.addRecovery(e.f.Seq, b.AddRecovery)
	case b.RemoveRecovery != nil:
		return s.askRemoveRecovery(e, b.RemoveRecovery)
	case b.Close != nil:
		return s.wait(e)
	case b.Veto != nil:
		_, err := s.takePending(b.Veto.Entry)
		return err
	case b.Complete != nil:
		return s.complete(e, b.Complete, times)
	case b.Name != nil:
		return s.name(e.f.Prev, b.Name)
	}
	return refuse("a genesis stands only at the start")
}

// addMember enters a new member; what was removed stays removed, because its
// keys stay used.
func (s *State) addMember(m *Member) error {
	m.ID = m.Keys.ID()
	m.verifier = m.Keys.Verify.Verifier()
	m.Heads = map[protocol.VaultID]VaultHead{}
	m.Wraps = map[uint64]protocol.Hash{}
	m.Granted = map[protocol.VaultID]protocol.Hash{}
	m.grantedAt = map[protocol.VaultID]uint64{}
	s.members[m.ID] = m
	return s.use(m.Keys.Verify[:], m.Keys.Wrap[:])
}

// use marks public keys as used. None stands in a ledger twice, in whatever
// place: a removed member does not come back with half of its keys, and a vault
// is not rotated to a key that somebody knows already.
func (s *State) use(public ...[]byte) error {
	for _, k := range public {
		h := protocol.Hash(sha256.Sum256(k))
		if s.used[h] {
			return refuse("a key of it is or was in the ledger already")
		}
		s.used[h] = true
	}
	return nil
}

// admit holds a new member's keys and the number of its kind to the rules.
func (s *State) admit(k *keys.MemberKeys, kind Kind, most int) error {
	if err := k.Check(); err != nil {
		return err
	}
	count := 0
	for _, m := range s.members {
		if m.Kind == kind && m.Present() {
			count++
		}
	}
	if count >= most {
		return refuse("an account has at most %d of them", most)
	}
	return nil
}

func (s *State) addDevice(seq uint64, b *AddDevice) error {
	if b.Role != protocol.RoleOwner && b.Role != protocol.RoleWriter {
		return refuse("role %d is not known", b.Role)
	}
	if err := s.admit(&b.Device, KindDevice, MaxDevices); err != nil {
		return err
	}
	return s.addMember(&Member{Kind: KindDevice, Role: b.Role, Keys: b.Device, Added: seq})
}

func (s *State) addRecovery(seq uint64, b *AddRecovery) error {
	if err := s.admit(&b.Keys, KindRecovery, MaxRecovery); err != nil {
		return err
	}
	return s.addMember(&Member{Kind: KindRecovery, Keys: b.Keys, Added: seq})
}

// removeDevice removes at once. Where the device held the account secret, a
// rotation of it and of every vault is due before anything else.
func (s *State) removeDevice(seq uint64, b *RemoveDevice) error {
	m, ok := s.members[b.Device]
	if !ok || m.Kind != KindDevice || !m.Present() {
		return refuse("device %s is not in the account", b.Device)
	}
	if !s.opensWithout(m) {
		return refuse("nobody could open the account any more")
	}
	if err := s.namesEveryVault(b.Heads); err != nil {
		return err
	}
	for _, h := range b.Heads {
		m.Heads[h.Vault] = h
	}
	owner := m.Owner()
	m.Removed = seq
	s.dropPendingOf(m.ID)
	if owner {
		s.rotationDue()
	}
	return nil
}

// namesEveryVault demands a head for each vault of the ledger: a vault that was
// left out would void all that the device ever signed in it, and nobody could
// tell whether that was meant.
func (s *State) namesEveryVault(heads []VaultHead) error {
	for _, h := range heads {
		if _, ok := s.vaults[h.Vault]; !ok {
			return refuse("vault %s is not in the ledger", h.Vault)
		}
	}
	if len(heads) != len(s.vaults) { // no vault stands there twice: they ascend
		return refuse("it names heads of %d vaults, the ledger has %d", len(heads), len(s.vaults))
	}
	return nil
}

// opensWithout reports whether somebody but the member was given the account
// secret in force; whoever only may be given it does not help.
func (s *State) opensWithout(leaving *Member) bool {
	for _, m := range s.holders() {
		if m != leaving && s.opens(m) {
			return true
		}
	}
	return false
}

// rotationDue marks that a former holder knows the secrets in force.
func (s *State) rotationDue() {
	s.due = s.epoch > 0
	for _, v := range s.vaults {
		v.due = true
	}
}

func (s *State) grant(seq uint64, b *Grant) error {
	m, ok := s.members[b.Member]
	if !ok || !m.Present() {
		return refuse("member %s is not in the account", b.Member)
	}
	if m.Role == protocol.RoleWriter {
		return s.grantWriter(seq, m, b)
	}
	if !b.Vault.IsZero() || b.Epoch == 0 || b.Epoch != s.epoch {
		return refuse("a holder is granted the account secret of the epoch in force, %d", s.epoch)
	}
	if _, has := m.Wraps[b.Epoch]; has {
		return refuse("member %s has its grant already", b.Member)
	}
	m.Wraps[b.Epoch] = b.Wrap
	return nil
}

func (s *State) grantWriter(seq uint64, m *Member, b *Grant) error {
	if _, ok := s.vaults[b.Vault]; !ok || b.Epoch != 0 {
		return refuse("a writer is granted vaults, and nothing else")
	}
	if _, has := m.Granted[b.Vault]; has {
		return refuse("writer %s has vault %s already", b.Member, b.Vault)
	}
	m.Granted[b.Vault], m.grantedAt[b.Vault] = b.Wrap, seq
	return nil
}

// rotate demands that the recipients are exactly the present holders.
func (s *State) rotate(b *Rotate) error {
	if b.Epoch != s.epoch+1 {
		return refuse("epoch %d does not follow %d", b.Epoch, s.epoch)
	}
	if (b.Epoch == 1) != b.Link.IsZero() {
		return refuse("epoch %d has the wrong link", b.Epoch)
	}
	holders := s.holders()
	if len(holders) != len(b.Wraps) {
		return refuse("it names %d recipients, the account has %d holders", len(b.Wraps), len(holders))
	}
	for i, m := range holders {
		if b.Wraps[i].Member != m.ID {
			return refuse("its recipients are not the account's holders")
		}
	}
	for i, m := range holders {
		m.Wraps[b.Epoch] = b.Wraps[i].Wrap
	}
	s.epoch, s.due = b.Epoch, false
	s.links = append(s.links, b.Link)
	return nil
}

func (s *State) createVault(seq uint64, b *CreateVault) error {
	if _, taken := s.vaults[b.Vault]; taken || b.Vault.IsZero() {
		return refuse("vault %s is there already", b.Vault)
	}
	if s.epoch == 0 {
		return refuse("there is no account secret yet")
	}
	if b.Category != protocol.CategoryBackups {
		return refuse("category %d is not known", b.Category)
	}
	if len(s.vaults) >= MaxVaults {
		return refuse("an account has at most %d vaults", MaxVaults)
	}
	if err := s.admitVaultKey(&b.Key); err != nil {
		return err
	}
	v := &Vault{ID: b.Vault, Category: b.Category, Created: seq}
	v.Epochs = []VaultEpoch{{Key: b.Key, Secrets: b.Secrets, AccountEpoch: s.epoch, Since: seq}}
	s.vaults[b.Vault] = v
	return nil
}

func (s *State) rotateVault(seq uint64, b *RotateVault) error {
	v, ok := s.vaults[b.Vault]
	if !ok {
		return refuse("vault %s is not in the ledger", b.Vault)
	}
	if b.Epoch != v.Epoch()+1 {
		return refuse("epoch %d does not follow %d", b.Epoch, v.Epoch())
	}
	if err := s.admitVaultKey(&b.Key); err != nil {
		return err
	}
	v.Epochs = append(v.Epochs, VaultEpoch{Key: b.Key, Secrets: b.Secrets, AccountEpoch: s.epoch, Since: seq})
	v.due = false
	return nil
}

func (s *State) admitVaultKey(k *keys.WrapKey) error {
	if err := k.Check(); err != nil {
		return err
	}
	return s.use(k[:])
}

func (s *State) setProtection(b *SetProtection) error {
	if b.Category != protocol.CategoryBackups || b.Level != protocol.LevelAdvanced {
		return refuse("level %d for category %d is not known", b.Level, b.Category)
	}
	s.levels[b.Category] = b.Level
	return nil
}

func (s *State) name(prev protocol.Hash, b *Name) error {
	ref := NameRef{Epoch: b.Epoch, Prev: prev, Box: b.Box}
	if b.Epoch == 0 || b.Epoch != s.epoch {
		return refuse("a label is boxed under the account secret in force, epoch %d", s.epoch)
	}
	_, member := s.members[b.Member]
	_, vault := s.vaults[b.Vault]
	switch {
	case member && b.Vault.IsZero():
		s.lastName[string(b.Member[:])] = ref
	case vault && b.Member.IsZero():
		s.lastName[string(b.Vault[:])] = ref
	default:
		return refuse("it names nothing that is in the ledger")
	}
	return nil
}
