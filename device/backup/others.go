// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"slices"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
)

// named is the newest head of a vault that a device named in its verified
// records of another vault. It is kept until this device's own view of the vault
// holds it: a head that it never holds is evidence of a hidden or forked past.
type named struct {
	In     protocol.VaultID  `cbor:"1,keyasint"` // the vault whose record names it
	Device protocol.MemberID `cbor:"2,keyasint"`
	Head   ledger.VaultHead  `cbor:"3,keyasint"`
}

const (
	noteNamed    = "named-heads"
	maxNamed     = 1024 // what is more is left out: this much is there where few devices name few vaults
	maxNamedSize = 1 << 18
)

type namedNote struct {
	Heads []named `cbor:"1,keyasint"`
}

// otherHeads are what records say of other vaults than their own.
type otherHeads struct {
	before []named // about this vault, known before its records were asked for
	found  []named // in the records that were new
}

// note takes up what a verified record names, of vaults that there are.
func (o *otherHeads) note(r *snapshot.Record, in *ledger.State) {
	for _, h := range r.Others {
		if _, err := in.Vault(h.Vault); err != nil {
			continue
		}
		o.found = newest(o.found, named{In: r.Vault, Device: r.Device, Head: h})
	}
}

// newest puts n in the place of an older one of the same device and vaults.
func newest(list []named, n named) []named {
	for i, old := range list {
		if old.In == n.In && old.Device == n.Device && old.Head.Vault == n.Head.Vault {
			if n.Head.Seq > old.Head.Seq {
				list[i] = n
			}
			return list
		}
	}
	return append(list, n)
}

// namedHeads returns what is kept; what cannot be read is forgotten.
func (v *Vault) namedHeads() ([]named, error) {
	data, err := v.o.State.Note(noteNamed)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var note namedNote
	if err := canonical.Unmarshal(data, maxNamedSize, &note); err != nil {
		v.warn(protocol.Wrap(protocol.KindInternal, err, "the heads that records name are damaged here, and forgotten"))
		return nil, nil
	}
	return note.Heads, nil
}

func (v *Vault) keepNamed(list []named) error {
	if len(list) == 0 {
		return v.o.State.SetNote(noteNamed, nil)
	}
	list = list[:min(len(list), maxNamed)]
	return v.o.State.SetNote(noteNamed, canonical.MustMarshal(namedNote{list}))
}

func (v *Vault) warn(err error) {
	if v.o.Warn != nil {
		v.o.Warn(err)
	}
}

// beginOthers is called before records are asked for: what was named by then
// must be in the chain that comes.
func (v *Vault) beginOthers() error {
	list, err := v.namedHeads()
	v.named = otherHeads{}
	for _, n := range list {
		if n.Head.Vault == v.o.Vault {
			v.named.before = append(v.named.before, n)
		}
	}
	return err
}

// endOthers keeps what the new records name.
func (v *Vault) endOthers() error {
	if len(v.named.found) == 0 {
		return nil
	}
	list, err := v.namedHeads()
	if err != nil {
		return err
	}
	for _, n := range v.named.found {
		list = newest(list, n)
	}
	return v.keepNamed(list)
}

// headView is what this device's view of a vault says of a head.
type headView int

const (
	cannotTell headView = iota
	confirmed
	beyond     // this device has not seen so far
	contradict // another record is at its place, or the chain ends before it
)

// holdOthers holds the heads that records name against what this device knows.
// A head that contradicts it is protocol.KindUntrusted: the provider shows two
// pasts, or the device that named it lies. It stays so until that device is
// removed; nothing that a removed device named stops anybody.
func (v *Vault) holdOthers() error {
	list, err := v.namedHeads()
	if err != nil {
		return err
	}
	var kept []named
	var evidence error
	ahead := map[protocol.VaultID]uint64{}
	for _, n := range list {
		is, err := v.judge(n)
		if err != nil {
			return err
		}
		switch {
		case is == confirmed:
			continue
		case is == beyond:
			ahead[n.Head.Vault] = max(ahead[n.Head.Vault], n.Head.Seq)
		case is == contradict && v.wasRemoved(n.Device):
			v.warn(v.evidence(n))
			continue
		case is == contradict && evidence == nil:
			evidence = v.evidence(n)
		}
		kept = append(kept, n)
	}
	for vault, seq := range ahead {
		v.warn(protocol.Errorf(protocol.KindWaiting, "another device has seen snapshot record %d of vault %s, which this device has not: look into that vault to see whether the server has it", seq, vault))
	}
	if !slices.Equal(kept, list) {
		err = v.keepNamed(kept)
	}
	return errors.Join(evidence, err)
}

func (v *Vault) evidence(n named) error {
	return protocol.Errorf(protocol.KindUntrusted,
		"device %s has seen another record %d of vault %s than the server shows here, or has made it up: the server hides or forks a past, or that device is not to be trusted any more; compare with the device, or remove it",
		n.Device, n.Head.Seq, n.Head.Vault)
}

// wasRemoved reports whether the device was removed.
func (v *Vault) wasRemoved(device protocol.MemberID) bool {
	m, err := v.ledger.Member(device)
	return err != nil || !m.Present()
}

// judge holds one head against the chain of this vault, which is in step with
// the provider, or against what is remembered of another vault.
func (v *Vault) judge(n named) (headView, error) {
	switch {
	case n.Head.Vault == v.o.Vault && v.chain.Holds(n.Head):
		return confirmed, nil
	case n.Head.Vault == v.o.Vault:
		if n.Head.Seq > v.chain.Head().Seq && !slices.Contains(v.named.before, n) {
			return cannotTell, nil // named while the records were on their way
		}
		return contradict, nil
	case n.In == v.o.Vault:
		return judgeKept(v.o.State.Vault(n.Head.Vault), n.Head)
	}
	return cannotTell, nil
}

// judgeKept holds a head against what this device remembers of a vault.
func judgeKept(kept *state.Vault, h ledger.VaultHead) (headView, error) {
	mark, err := kept.Head()
	switch {
	case err != nil || mark.Seq == 0:
		return cannotTell, err
	case h.Seq > mark.Seq:
		return beyond, nil
	case h.Seq == mark.Seq && h.Hash == mark.Hash:
		return confirmed, nil
	case h.Seq == mark.Seq:
		return contradict, nil
	}
	chain, err := kept.Chain()
	switch {
	case err != nil || h.Seq > chain.Head().Seq:
		return cannotTell, err
	case chain.Holds(h):
		return confirmed, nil
	}
	return contradict, nil
}
