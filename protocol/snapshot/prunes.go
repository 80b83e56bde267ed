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
	vault   protocol.VaultID
	number  uint64
	hash    protocol.Hash
	ledger  uint64 // seq of the newest ledger head that a generation saw
	head    uint64 // seq of the newest vault head that a generation was computed from
	retired map[protocol.PackID]Retirement
}

// Retirement says when a pack was retired, in the two chains' own order.
type Retirement struct {
	Generation uint64 // the number of the step that retired it
	Head       uint64 // seq of the vault head that the step was computed from
}

// NewPrunes returns the empty prune chain of a vault.
func NewPrunes(vault protocol.VaultID) *Prunes {
	return &Prunes{vault: vault, retired: map[protocol.PackID]Retirement{}}
}

// Number returns the newest generation's number, 0 where there is none.
func (p *Prunes) Number() uint64 { return p.number }

// Hash returns the SHA-256 of the newest generation, zero where there is none.
func (p *Prunes) Hash() protocol.Hash { return p.hash }

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
	if err := p.follows(g); err != nil {
		return nil, err
	}
	if state != nil {
		if err := g.Verify(state); err != nil {
			return nil, err
		}
	}
	p.take(g)
	p.number, p.hash, p.ledger, p.head = g.Number, HashOf(raw), g.Ledger.Seq, g.Head.Seq
	return g, nil
}

// follows demands that the generation is the next one, saw no less than the one
// before, and drops only what was retired before its head. To retire what is
// retired, or revive what is not, changes nothing and is no error.
func (p *Prunes) follows(g *Generation) error {
	if g.Vault != p.vault || g.Number != p.number+1 || g.Prev != p.hash {
		return protocol.Errorf(protocol.KindUntrusted, "generation %d does not follow generation %d of vault %s", g.Number, p.number, p.vault)
	}
	if g.Ledger.Seq < p.ledger || g.Head.Seq < p.head {
		return protocol.Errorf(protocol.KindUntrusted, "generation %d saw an older ledger or head than the one before it", g.Number)
	}
	if g.Act != PruneDrop {
		return nil
	}
	for _, pack := range g.Packs {
		if r, retired := p.retired[pack]; !retired || g.Head.Seq <= r.Head {
			return protocol.Errorf(protocol.KindUntrusted, "generation %d drops pack %s, which was not retired before its head", g.Number, pack)
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
