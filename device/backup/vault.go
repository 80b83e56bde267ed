// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// Options say what a Vault stands on. All but Warn are required.
type Options struct {
	State  *state.State
	Member *client.Member
	Self   *state.Secrets
	Vault  protocol.VaultID
	Now    func() protocol.Time
	// Beside says that the command reads only and may run beside another of
	// this device: where the local index is in use, it is read as it stood last.
	Beside bool
	// Warn is told what was noticed and left aside; it may be called from
	// several goroutines.
	Warn func(error)
}

// Vault is a vault as this device sees it: synchronised, verified, opened as far
// as the device may. It is not safe for concurrent use, but for what reads.
type Vault struct {
	o          Options
	device     *state.Device
	kept       *state.Vault
	remote     provider
	account    trust.Member
	trust      *trust.Trust
	ledger     *ledger.State
	standing   *directory.Standing   // of the ledger; nil where an alarm stands
	ring       *keyring.Ring         // nil for a writer
	opens      *keyring.VaultSecrets // nil for a writer
	content    keyring.ContentSecret // what own is derived from
	own        *tree.Secrets         // by which this device names, cuts and pads
	index      *tree.Index
	chain      *snapshot.Chain   // nil for a writer
	prunes     *snapshot.Prunes  // nil for a writer
	gone       []protocol.PackID // dropped, in the order of the prune chain
	head       ledger.VaultHead  // the newest record known
	step       uint64            // the newest step of the prune chain known
	prunedFrom ledger.VaultHead  // the head that this step was computed from
	named      otherHeads        // what records say of other vaults; nothing for a writer

	frozen  bool   // the index is another process's: it is read and not changed
	leftOut uint64 // lowest cursor of a listed pack that syncPacks left out

	mu    sync.Mutex // guards what follows
	names map[protocol.MemberID]*tree.Names
	runs  map[runKey]*seal.Run
}

// Open brings ledger, chains and index up to date with the provider and opens
// what this device may open. Close the vault afterwards.
func Open(ctx context.Context, o Options) (*Vault, error) {
	v := &Vault{
		o: o, kept: o.State.Vault(o.Vault), remote: o.Member.Vault(o.Vault), account: o.Member,
		names: map[protocol.MemberID]*tree.Names{}, runs: map[runKey]*seal.Run{},
	}
	if v.o.Warn == nil {
		v.o.Warn = func(error) {}
	}
	var err error
	if v.device, err = o.State.Device(); err != nil {
		return nil, err
	}
	if v.trust, err = trust.New(trust.Options{
		State: o.State, Source: o.Member, Name: v.device.Name, Self: o.Self.Member.ID(), Now: o.Now, Warn: v.o.Warn,
	}); err != nil {
		return nil, err
	}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// open does what Open does once it is known whose device this is.
func (v *Vault) open(ctx context.Context) (err error) {
	if err := v.lookAtLedger(ctx); err != nil {
		return err
	}
	if err := v.openKeys(); err != nil {
		return err
	}
	if err := v.openIndex(); err != nil {
		return err
	}
	err = v.sync(ctx)
	if errors.Is(err, tree.ErrIndexDamaged) {
		v.o.Warn(protocol.Errorf(protocol.KindUntrusted, "the local index is damaged; it is built anew"))
		err = v.rebuildIndex(ctx)
	}
	if err != nil {
		v.Close()
	}
	return err
}

// openKeys opens what the device's role gives it.
func (v *Vault) openKeys() error {
	if v.device.Role == protocol.RoleWriter {
		content, err := keyring.OpenWriter(v.ledger, v.o.State.Object, v.o.Self.Member, v.o.Vault)
		if err != nil {
			return err
		}
		v.content, v.own = content, tree.DeriveSecrets(content.Root, content.Namer)
		return nil
	}
	var err error
	if v.ring, err = keyring.Open(v.ledger, v.o.State.Object, v.o.Self.Member); err != nil {
		return err
	}
	if v.opens, err = v.ring.Vault(v.o.Vault); err != nil {
		return err
	}
	v.content = v.opens.Content()
	v.own = tree.DeriveSecrets(v.content.Root, v.content.Namer)
	return nil
}

// Close lets go of the local index.
func (v *Vault) Close() error {
	if v.index == nil { // it could not be built anew
		return nil
	}
	return v.index.Close()
}

// Writer reports whether this device can only add.
func (v *Vault) Writer() bool { return v.ring == nil }

// Ledger returns the folded ledger that the vault was opened under.
func (v *Vault) Ledger() *ledger.State { return v.ledger }

// Ring returns what this device can open, nil for a writer.
func (v *Vault) Ring() *keyring.Ring { return v.ring }

// mustRead refuses what a writer cannot do.
func (v *Vault) mustRead() error {
	if v.Writer() {
		return protocol.Errorf(protocol.KindDenied, "this device is a writer: it can back up, and neither list, read nor retire anything; use an owner device")
	}
	return nil
}

// secretsOf returns the secrets that name a writer's content, or the vault's
// own for the zero member.
func (v *Vault) secretsOf(namer protocol.MemberID) *tree.Secrets {
	content := v.opens.Content()
	if !namer.IsZero() {
		content = v.opens.Writer(namer)
	}
	return tree.DeriveSecrets(content.Root, content.Namer)
}

// namesOf returns the names under a namer's secret; it is safe for concurrent
// use.
func (v *Vault) namesOf(namer protocol.MemberID) (*tree.Names, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if n := v.names[namer]; n != nil {
		return n, nil
	}
	n := tree.NewNames(v.secretsOf(namer).Naming)
	v.names[namer] = n
	return n, nil
}

// maxRuns bounds how many runs' keys are kept at hand.
const maxRuns = 4096

// openPack opens a pack by its header; it is safe for concurrent use. Unwrapping
// costs a tenth of a millisecond, so runs are kept at hand.
func (v *Vault) openPack(h *seal.PackHeader) (*seal.Pack, error) {
	if h.Account != v.ledger.Account() || h.Vault != v.o.Vault {
		return nil, protocol.Errorf(protocol.KindUntrusted, "open pack: it belongs elsewhere")
	}
	run, err := v.openRun(h)
	if err != nil {
		return nil, err
	}
	return seal.OpenPack(run, h)
}

// runKey is what a run's key was opened from. The run's name alone is not it: any
// device may seal a pack under the name of another's run.
type runKey struct {
	run   protocol.RunID
	epoch uint64
	wrap  protocol.Hash
}

func (v *Vault) openRun(h *seal.PackHeader) (*seal.Run, error) {
	key := runKey{h.Run, h.Epoch, sha256.Sum256(h.Wrap)}
	v.mu.Lock()
	run := v.runs[key]
	v.mu.Unlock()
	if run != nil {
		return run, nil
	}
	own, err := v.opens.Wrap(h.Epoch)
	if err != nil {
		return nil, err
	}
	if run, err = seal.OpenRun(own, h); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.runs) >= maxRuns {
		clear(v.runs)
	}
	v.runs[key] = run
	return run, nil
}
