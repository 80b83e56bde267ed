// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"bytes"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// Limits of a generation.
const (
	MaxGenerationSize  = 4 << 20 // bytes of one encoded generation
	MaxGenerationPacks = 1 << 16
)

// PruneAct says what a generation does to its packs.
type PruneAct uint8

const (
	// PruneRetire asks the provider to keep the packs only for the retention time.
	PruneRetire PruneAct = 1
	// PruneRevive takes a retirement back.
	PruneRevive PruneAct = 2
	// PruneDrop lets the provider delete packs whose retention time is over.
	PruneDrop PruneAct = 3
)

// Generation is one step of a vault's prune chain, made by an owner device.
//
// Growth: as Record.
type Generation struct {
	Version   uint64             `cbor:"1,keyasint"`
	Act       PruneAct           `cbor:"2,keyasint"`
	Account   protocol.AccountID `cbor:"3,keyasint"`
	Vault     protocol.VaultID   `cbor:"4,keyasint"`
	Number    uint64             `cbor:"5,keyasint"` // from 1
	Prev      protocol.Hash      `cbor:"6,keyasint,omitzero"`
	Device    protocol.MemberID  `cbor:"7,keyasint"`
	Ledger    ledger.Head        `cbor:"8,keyasint"`
	Head      ledger.VaultHead   `cbor:"9,keyasint"`  // of the vault, from which it was computed
	Packs     []protocol.PackID  `cbor:"10,keyasint"` // ascending
	Signature *keys.Signature    `cbor:"11,keyasint,omitempty"`
}

func (g Generation) signed() []byte {
	g.Signature = nil
	return canonical.MustMarshal(g)
}

// Sign sets version, device and signature and returns the encoding.
func (g *Generation) Sign(device *keys.MemberSecrets) []byte {
	g.Version, g.Device = protocol.FormatVersion, device.ID()
	signature := device.Signing.Sign(keys.PurposeGeneration, g.signed())
	g.Signature = &signature
	return canonical.MustMarshal(g)
}

// ParseGeneration reads syntax and limits only.
func ParseGeneration(raw []byte) (*Generation, error) {
	g := new(Generation)
	if err := canonical.Unmarshal(raw, MaxGenerationSize, g); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse generation")
	}
	if err := checkEnvelope("generation", g.Version, g.Signature); err != nil {
		return nil, err
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Generation) check() error {
	bad := func(why string) error {
		return protocol.Errorf(protocol.KindUntrusted, "parse generation %d: %s", g.Number, why)
	}
	switch {
	case g.Act < PruneRetire || g.Act > PruneDrop:
		return bad("it does nothing that is known here")
	case g.Number == 0 || (g.Number == 1) != g.Prev.IsZero():
		return bad("its place in the chain is wrong")
	case g.Head.Vault != g.Vault || (g.Head.Seq == 0) != g.Head.Hash.IsZero():
		return bad("its head is wrong")
	case len(g.Packs) == 0 || len(g.Packs) > MaxGenerationPacks:
		return bad("its list of packs has the wrong size")
	}
	for i := 1; i < len(g.Packs); i++ {
		if bytes.Compare(g.Packs[i-1][:], g.Packs[i][:]) >= 0 {
			return bad("its packs are not in ascending order")
		}
	}
	return nil
}

// Verify holds the generation against the ledger: signature of an owner device
// that was in the account at the ledger head it saw. Whether the device is still
// present is the provider's question when it takes the generation in; a step
// that was taken in stands in the chain whoever is removed later.
func (g *Generation) Verify(state *ledger.State) error {
	e := envelope{g.Account, g.Device, keys.PurposeGeneration, g.Signature}
	member, err := e.verify(state, g.signed)
	if err == nil && !g.mayPrune(state, member) {
		err = protocol.Errorf(protocol.KindUntrusted, "device %s may not prune", g.Device)
	}
	return protocol.Wrap(protocol.KindUntrusted, err, "generation %d", g.Number)
}

// Follows demands that the generation is the next one at the place, and that its
// device had seen no less than the one before: neither an older ledger nor an
// older head of the vault. So a drop is never computed from a head before the
// one from which its packs were retired.
func (g *Generation) Follows(p PrunePlace) error {
	if g.Vault != p.Vault || g.Number != p.Number+1 || g.Prev != p.Hash {
		return protocol.Errorf(protocol.KindUntrusted, "generation %d does not follow generation %d of vault %s", g.Number, p.Number, p.Vault)
	}
	if g.Ledger.Seq < p.Ledger || g.Head.Seq < p.Head {
		return protocol.Errorf(protocol.KindUntrusted, "generation %d saw an older ledger or head than the one before it", g.Number)
	}
	return nil
}

// mayPrune reports whether the signer was an owner device of the account, which
// held the vault, at the ledger head it saw.
func (g *Generation) mayPrune(state *ledger.State, signer *ledger.Member) bool {
	vault, err := state.Vault(g.Vault)
	return err == nil && state.Holds(g.Ledger) && vault.Created <= g.Ledger.Seq &&
		signer.Kind == ledger.KindDevice && signer.Role == protocol.RoleOwner && signer.Added <= g.Ledger.Seq &&
		(signer.Present() || g.Ledger.Seq < signer.Removed)
}
