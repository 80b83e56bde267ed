// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
)

// Prunes is a vault's verified prune chain from the first generation on. It
// keeps the packs that are retired, and forgets the dropped ones.
type Prunes struct {
	place   PrunePlace
	retired map[protocol.PackID]Retirement
}

// PrunePlace is where a vault's prune chain has got to: what its next generation
// must fit.
type PrunePlace struct {
	Vault  protocol.VaultID
	Number uint64        // of the newest generation, 0 where there is none
	Hash   protocol.Hash // SHA-256 of its bytes, zero where there is none
	Ledger uint64        // seq of the ledger head that it saw
	Head   uint64        // seq of the vault head that it was computed from
}

// Retirement says when a pack was retired, in the two chains' own order.
type Retirement struct {
	Generation uint64 // the number of the step that retired it
	Head       uint64 // seq of the vault head that the step was computed from
}

// NewPrunes returns the empty prune chain of a vault.
func NewPrunes(vault protocol.VaultID) *Prunes {
	return &Prunes{place: PrunePlace{Vault: vault}, retired: map[protocol.PackID]Retirement{}}
}

// Number returns the newest generation's number, 0 where there is none.
func (p *Prunes) Number() uint64 { return p.place.Number }

// Hash returns the SHA-256 of the newest generation, zero where there is none.
func (p *Prunes) Hash() protocol.Hash { return p.place.Hash }

// Place returns what the next generation must fit.
func (p *Prunes) Place() PrunePlace { return p.place }

// Retired returns the packs that are retired and neither revived nor dropped.
// The caller must not change the map.
func (p *Prunes) Retired() map[protocol.PackID]Retirement { return p.retired }

// Append verifies the next generation against the ledger and the chain and takes
// it in. A refused one leaves the chain as it was.
func (p *Prunes) Append(raw []byte, state *ledger.State) (*Generation, error) {
	return p.append(raw, state)
}

// Resume takes in the next generation without verifying its signature. It is for
// generations that this device verified before and kept: the caller must compare
// Number and Hash with its own high-water mark afterwards.
func (p *Prunes) Resume(raw []byte) (*Generation, error) { return p.append(raw, nil) }

func (p *Prunes) append(raw []byte, state *ledger.State) (*Generation, error) {
	g, err := ParseGeneration(raw)
	if err != nil {
		return nil, err
	}
	if err := g.Follows(p.place); err != nil {
		return nil, err
	}
	if err := p.refusesDrop(g); err != nil {
		return nil, err
	}
	if state != nil {
		if err := g.Verify(state); err != nil {
			return nil, err
		}
	}
	p.take(g)
	p.place.Number, p.place.Hash, p.place.Ledger, p.place.Head = g.Number, HashOf(raw), g.Ledger.Seq, g.Head.Seq
	return g, nil
}

// refusesDrop demands that a drop names retired packs only. To retire what is
// retired, or revive what is not, changes nothing and is no error.
func (p *Prunes) refusesDrop(g *Generation) error {
	if g.Act != PruneDrop {
		return nil
	}
	for _, pack := range g.Packs {
		if _, retired := p.retired[pack]; !retired {
			return protocol.Errorf(protocol.KindUntrusted, "generation %d drops pack %s, which is not retired", g.Number, pack)
		}
	}
	return nil
}

func (p *Prunes) take(g *Generation) {
	for _, pack := range g.Packs {
		_, retired := p.retired[pack]
		switch {
		case g.Act != PruneRetire:
			delete(p.retired, pack)
		case !retired:
			p.retired[pack] = Retirement{Generation: g.Number, Head: g.Head.Seq}
		}
	}
}
