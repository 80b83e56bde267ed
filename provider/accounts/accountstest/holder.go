// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package accountstest plays the holder of an account, for tests of whoever
// serves one: NewHolder makes keys and a ledger, and Holder signs what a device
// would sign. What would be sealed is random bytes: a provider cannot tell.
package accountstest

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/protocol/tlog"
)

// Holder is the holder of an account with one owner device, one recovery key
// and one vault.
type Holder struct {
	Owner    *keys.MemberSecrets
	Recovery *keys.MemberSecrets
	State    *ledger.State
	Vault    protocol.VaultID
	Entries  [][]byte // the whole ledger
	Objects  [][]byte

	t testing.TB

	log     *tlog.LogKey // nil: in no log
	index   protocol.Hash
	secret  *keys.Secret
	version uint64 // of the name
}

// NewHolder returns a holder whose account is not opened anywhere yet.
func NewHolder(t testing.TB) *Holder {
	t.Helper()
	h := &Holder{t: t, Owner: keys.GenerateMemberSecrets(), Recovery: keys.GenerateMemberSecrets()}
	_, _ = rand.Read(h.Vault[:])
	genesis := &ledger.Genesis{Device: *h.Owner.Public()}
	_, _ = rand.Read(genesis.Nonce[:])
	h.say(h.Owner, ledger.Body{Genesis: genesis})
	h.say(h.Owner, ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *h.Recovery.Public()}})
	h.rotate(h.Owner)
	h.say(h.Owner, ledger.Body{CreateVault: &ledger.CreateVault{
		Vault: h.Vault, Category: protocol.CategoryBackups, Key: keys.GenerateWrapSecret().Public(), Secrets: h.object(),
	}})
	return h
}

// Copy returns a holder of the same account who goes on by himself.
func (h *Holder) Copy() *Holder {
	c := *h
	c.Entries, c.Objects = slices.Clone(h.Entries), slices.Clone(h.Objects)
	return &c
}

// Account returns the account's identifier.
func (h *Holder) Account() protocol.AccountID { return h.State.Account() }

// object makes an object and returns its name.
func (h *Holder) object() protocol.Hash {
	data := Random(100)
	h.Objects = append(h.Objects, data)
	return blob.Name(data)
}

// Random returns random bytes.
func Random(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

// RequestID returns a random request id.
func RequestID() protocol.RequestID { return protocol.RequestID(Random(16)) }

func (h *Holder) say(signer *keys.MemberSecrets, body ledger.Body) {
	h.t.Helper()
	entry, err := ledger.Sign(h.State, 0, body, signer)
	if err != nil {
		h.t.Fatalf("sign ledger entry: %v", err)
	}
	if h.State == nil {
		h.State, err = ledger.Fold([]*ledger.Entry{entry}, nil)
	} else {
		h.State, err = h.State.Extend([]*ledger.Entry{entry}, nil)
	}
	if err != nil {
		h.t.Fatalf("fold ledger entry: %v", err)
	}
	h.Entries = append(h.Entries, entry.Bytes())
}

func (h *Holder) rotate(signer *keys.MemberSecrets) {
	h.t.Helper()
	body := &ledger.Rotate{Epoch: h.State.Epoch() + 1}
	for _, holder := range h.State.Holders() {
		body.Wraps = append(body.Wraps, ledger.MemberWrap{Member: holder.Member(), Wrap: h.object()})
	}
	if body.Epoch > 1 {
		body.Link = h.object()
	}
	h.say(signer, ledger.Body{Rotate: body})
}

// Create returns the request that opens the account.
func (h *Holder) Create(invite, name string) api.CreateAccount {
	update, opening := h.update()
	return api.CreateAccount{
		RequestID: RequestID(), Invite: invite, Name: name, Record: AnyRecord(h.t),
		Entries: slices.Clone(h.Entries), Objects: slices.Clone(h.Objects),
		Recovery: []api.RecoveryBox{{Locator: protocol.Hash(Random(32)), Box: Random(200)}},
		Update:   update, Opening: opening,
	}
}

// grow returns the request for what f adds to the ledger.
func (h *Holder) grow(f func()) api.LedgerAppend {
	h.t.Helper()
	head, entries, objects := h.State.Head(), len(h.Entries), len(h.Objects)
	f()
	update, opening := h.update()
	return api.LedgerAppend{
		RequestID: RequestID(), Seq: head.Seq, Prev: head.Hash,
		Entries: slices.Clone(h.Entries[entries:]), Objects: slices.Clone(h.Objects[objects:]),
		Update: update, Opening: opening,
	}
}

// AddOwner adds an owner device.
func (h *Holder) AddOwner() (*keys.MemberSecrets, api.LedgerAppend) {
	h.t.Helper()
	device := keys.GenerateMemberSecrets()
	return device, h.grow(func() {
		h.say(h.Owner, ledger.Body{AddDevice: &ledger.AddDevice{Device: *device.Public(), Role: protocol.RoleOwner}})
		h.say(h.Owner, ledger.Body{Grant: &ledger.Grant{Member: device.ID(), Epoch: h.State.Epoch(), Wrap: h.object()}})
	})
}

// AddWriter adds a writer device that may add to the vault.
func (h *Holder) AddWriter() (*keys.MemberSecrets, api.LedgerAppend) {
	h.t.Helper()
	device := keys.GenerateMemberSecrets()
	return device, h.grow(func() {
		h.say(h.Owner, ledger.Body{AddDevice: &ledger.AddDevice{Device: *device.Public(), Role: protocol.RoleWriter}})
		h.say(h.Owner, ledger.Body{Grant: &ledger.Grant{Member: device.ID(), Vault: h.Vault, Wrap: h.object()}})
	})
}

// CreateVault adds a vault.
func (h *Holder) CreateVault() (protocol.VaultID, api.LedgerAppend) {
	h.t.Helper()
	vault := protocol.VaultID(Random(16))
	return vault, h.grow(func() {
		h.say(h.Owner, ledger.Body{CreateVault: &ledger.CreateVault{
			Vault: vault, Category: protocol.CategoryBackups, Key: keys.GenerateWrapSecret().Public(), Secrets: h.object(),
		}})
	})
}

// AddRecovery adds a recovery method.
func (h *Holder) AddRecovery() (*keys.MemberSecrets, api.LedgerAppend) {
	h.t.Helper()
	method := keys.GenerateMemberSecrets()
	return method, h.grow(func() {
		h.say(h.Owner, ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *method.Public()}})
		h.say(h.Owner, ledger.Body{Grant: &ledger.Grant{Member: method.ID(), Epoch: h.State.Epoch(), Wrap: h.object()}})
	})
}

// Remove removes a device, with the new keys that follow where it was an owner.
func (h *Holder) Remove(device protocol.MemberID, head api.Head) api.LedgerAppend {
	h.t.Helper()
	return h.RemoveAs(h.Owner, device, head)
}

// RemoveAs is Remove by another member than the owner.
func (h *Holder) RemoveAs(signer *keys.MemberSecrets, device protocol.MemberID, head api.Head) api.LedgerAppend {
	h.t.Helper()
	return h.grow(func() {
		owner := slices.ContainsFunc(h.State.Holders(), func(r ledger.Recipient) bool { return r.Member() == device })
		h.say(signer, ledger.Body{RemoveDevice: &ledger.RemoveDevice{
			Device: device, Heads: h.heads(head),
		}})
		if owner {
			h.rotate(signer)
			h.rotateVault(signer)
		}
	})
}

// heads names every vault of the account: its own at the head, others as empty.
func (h *Holder) heads(head api.Head) []ledger.VaultHead {
	var list []ledger.VaultHead
	for _, v := range h.State.Vaults() {
		named := ledger.VaultHead{Vault: v.ID}
		if v.ID == h.Vault {
			named.Seq, named.Hash = head.Seq, head.Hash
		}
		list = append(list, named)
	}
	slices.SortFunc(list, func(x, y ledger.VaultHead) int { return bytes.Compare(x.Vault[:], y.Vault[:]) })
	return list
}

// RotateVault puts a new key pair of the vault in force.
func (h *Holder) RotateVault() {
	h.t.Helper()
	h.rotateVault(h.Owner)
}

func (h *Holder) rotateVault(signer *keys.MemberSecrets) {
	h.t.Helper()
	h.say(signer, ledger.Body{RotateVault: &ledger.RotateVault{
		Vault: h.Vault, Epoch: h.epoch() + 1, Key: keys.GenerateWrapSecret().Public(), Secrets: h.object(),
	}})
}

func (h *Holder) epoch() uint64 {
	vault, err := h.State.Vault(h.Vault)
	if err != nil {
		h.t.Fatal(err)
	}
	return vault.Epoch()
}

// Pack signs the statement of a pack of these bytes.
func (h *Holder) Pack(device *keys.MemberSecrets, data []byte) (protocol.PackID, []byte) {
	statement := &snapshot.PackStatement{
		Account: h.Account(), Vault: h.Vault, Epoch: h.epoch(), Run: protocol.RunID(Random(16)),
		Pack: protocol.PackID(blob.Name(data)), Size: uint64(len(data)), Ledger: h.State.Head(),
	}
	return statement.Pack, statement.Sign(device)
}

// Run signs a run record that follows the head.
func (h *Holder) Run(device *keys.MemberSecrets, head api.Head) []byte {
	return h.record(head, snapshot.ActRun, nil).Sign(device)
}

// List signs a list record that follows the head.
func (h *Holder) List(device *keys.MemberSecrets, head api.Head, live ...protocol.Hash) []byte {
	slices.SortFunc(live, func(a, b protocol.Hash) int { return slices.Compare(a[:], b[:]) })
	return h.record(head, snapshot.ActList, live).Sign(device)
}

func (h *Holder) record(head api.Head, act snapshot.Act, live []protocol.Hash) *snapshot.Record {
	return &snapshot.Record{
		Act: act, Account: h.Account(), Vault: h.Vault, Epoch: h.epoch(), Seq: head.Seq + 1, Prev: head.Hash,
		Ledger: h.State.Head(), Generation: head.Generation, Run: protocol.RunID(Random(16)),
		Wrap: Random(1168), Details: Random(300), Live: live,
	}
}

// Generation signs a generation that follows the head.
func (h *Holder) Generation(device *keys.MemberSecrets, head api.Head, act snapshot.PruneAct, packs ...protocol.PackID) []byte {
	slices.SortFunc(packs, func(a, b protocol.PackID) int { return slices.Compare(a[:], b[:]) })
	g := &snapshot.Generation{
		Act: act, Account: h.Account(), Vault: h.Vault, Number: head.Generation + 1, Prev: head.GenerationHash,
		Ledger: h.State.Head(), Head: ledger.VaultHead{Vault: h.Vault, Seq: head.Seq, Hash: head.Hash}, Packs: packs,
	}
	return g.Sign(device)
}
