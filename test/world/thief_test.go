// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// thief has everything that is on a device's disk and everything that is on the
// provider's, and tries every key on every lock.
type thief struct {
	t       *testing.T
	ledger  *ledger.State   // public: who is a member, which epochs there are
	objects [][]byte        // wraps and boxes that the provider keeps
	secrets map[string]bool // tried as keys; true for what is one
	wraps   []*keys.WrapSecret
	boxes   []*keys.Secret
}

// thief steals the device; ledger is the account's newest, which the provider has.
func (d *Device) thief(t *testing.T, newest *ledger.State) *thief {
	t.Helper()
	th := &thief{t: t, ledger: newest, secrets: map[string]bool{}}
	d.w.Provider.Blobs("object", func(path string, _ int64) { th.objects = append(th.objects, mustRead(t, path)) })
	kept, err := state.OpenReader(d.State(), d.Cache())
	if err != nil {
		t.Fatal(err)
	}
	self, err := kept.Unlock(state.Access{KeyFile: d.Path("key")})
	if err != nil {
		t.Fatal(err)
	}
	th.takeAll(self.Member.Wrap.Expose())
	th.takeAll(self.Member.Signing.Expose())
	for vault, secret := range self.Vaults {
		th.takeAll(secret.Expose())
		th.takeAll(vault[:])
	}
	own, err := kept.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range own.Vaults() {
		if content, err := keyring.OpenWriter(own, kept.Object, self.Member, v.ID); err == nil {
			th.takeAll(content.Root.Expose())
		}
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(mustRead(t, d.Path("key")))))
	if err != nil {
		t.Fatal(err)
	}
	th.takeAll(key)
	for path := range Contents(t, d.Dir) { // whatever else lies about
		if info, err := os.Stat(d.Path(path)); err == nil && info.Mode().IsRegular() && info.Size() < 1<<20 {
			th.takeWritten(mustRead(t, d.Path(path)))
		}
	}
	for known := -1; known < len(th.secrets); {
		known = len(th.secrets)
		th.tryObjects()
	}
	return th
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// takeAll takes each run of 32 bytes of what was secret for a key of every kind.
func (th *thief) takeAll(data []byte) { th.take(data, true) }

func (th *thief) take(data []byte, secret bool) {
	for i := 0; i+keys.SecretSize <= len(data); i++ {
		raw := data[i : i+keys.SecretSize]
		if _, tried := th.secrets[string(raw)]; tried {
			continue
		}
		th.secrets[string(raw)] = secret
		if wrap, err := keys.NewWrapSecret(raw); err == nil {
			th.wraps = append(th.wraps, wrap)
		}
		if secret, err := keys.NewSecret(raw); err == nil {
			th.boxes = append(th.boxes, secret)
		}
	}
}

var (
	inHex    = regexp.MustCompile("[0-9a-fA-F]{64}")
	inBase64 = regexp.MustCompile("[A-Za-z0-9+/]{43}=")
)

// takeWritten takes what is written as a key might be.
func (th *thief) takeWritten(text []byte) {
	for _, one := range inHex.FindAll(text, -1) {
		if raw, err := hex.DecodeString(string(one)); err == nil {
			th.take(raw, false)
		}
	}
	for _, one := range inBase64.FindAll(text, -1) {
		if raw, err := base64.StdEncoding.DecodeString(string(one)); err == nil {
			th.take(raw, false)
		}
	}
}

// contexts are the places that an object of the ledger may be sealed for.
func (th *thief) contexts() []seal.Context {
	var all []seal.Context
	account := th.ledger.Account()
	for epoch := uint64(1); epoch <= th.ledger.Epoch(); epoch++ {
		all = append(all, seal.Context{Account: account, Type: seal.TypeAccountLink, Epoch: epoch})
		for _, m := range th.ledger.AllMembers() {
			all = append(all, seal.Context{Account: account, Type: seal.TypeAccountSecret, ID: protocol.Hash(m.ID), Epoch: epoch})
		}
	}
	for _, v := range th.ledger.Vaults() {
		for epoch := uint64(1); epoch <= v.Epoch(); epoch++ {
			all = append(all, seal.Context{Account: account, Vault: v.ID, Type: seal.TypeVaultSecrets, Epoch: epoch})
		}
		for _, m := range th.ledger.AllMembers() {
			all = append(all, seal.Context{Account: account, Vault: v.ID, Type: seal.TypeWriterSecrets, ID: protocol.Hash(m.ID)})
		}
	}
	return all
}

// tryObjects tries what is known on every wrap and box, and takes what opens.
func (th *thief) tryObjects() {
	wraps, boxes := th.wraps, th.boxes
	for _, c := range th.contexts() {
		for _, object := range th.objects {
			if len(object) == seal.WrapSize {
				th.tryWraps(c, object, wraps)
				continue
			}
			for _, secret := range boxes {
				if plain, err := seal.OpenBox(secret, c, object); err == nil {
					th.takeAll(plain)
				}
			}
		}
	}
}

// tryWraps tries the keys of members on a wrap; the many guesses are no keys of
// members, whose public halves the ledger has.
func (th *thief) tryWraps(c seal.Context, object []byte, wraps []*keys.WrapSecret) {
	for _, wrap := range wraps {
		if !th.isPublic(wrap.Public()) {
			continue
		}
		if secret, err := seal.Unwrap(wrap, c, object); err == nil {
			th.takeAll(secret.Expose())
		}
	}
}

// isPublic reports whether the ledger names the key.
func (th *thief) isPublic(k keys.WrapKey) bool {
	for _, m := range th.ledger.AllMembers() {
		if m.Keys.Wrap == k {
			return true
		}
	}
	return th.vaultKey(k)
}

func (th *thief) vaultKey(k keys.WrapKey) bool {
	for _, v := range th.ledger.Vaults() {
		for _, e := range v.Epochs {
			if e.Key == k {
				return true
			}
		}
	}
	return false
}

// opens reports whether anything known opens a pack.
func (th *thief) opens(pack []byte) bool {
	th.t.Helper()
	h, err := seal.ParsePackHeader(pack)
	if err != nil {
		th.t.Fatal(err)
	}
	for _, wrap := range th.wraps {
		run, err := seal.OpenRun(wrap, h)
		if err != nil {
			continue
		}
		if _, err := seal.OpenPack(run, h); err == nil {
			return true
		}
	}
	return false
}

// reads reports whether anything known opens what a record says to its owners.
func (th *thief) reads(raw []byte) bool {
	th.t.Helper()
	r, err := snapshot.Parse(raw)
	if err != nil {
		th.t.Fatal(err)
	}
	run := &seal.PackHeader{Account: r.Account, Vault: r.Vault, Epoch: r.Epoch, Run: r.Run, Wrap: r.Wrap}
	for _, wrap := range th.wraps {
		if opened, err := seal.OpenRun(wrap, run); err == nil {
			if _, err := opened.Open(r.Prev, r.Details); err == nil {
				return true
			}
		}
	}
	c := seal.Context{Account: r.Account, Vault: r.Vault, Type: seal.TypeDetails, ID: seal.RunID32(r.Run), Epoch: r.Epoch, Parent: r.Prev}
	for _, secret := range th.boxes {
		if _, err := seal.OpenBox(secret, c, r.Details); err == nil {
			return true
		}
	}
	return false
}

// records returns the signed records that the provider keeps, without the
// envelope that it puts around them.
func (p *Provider) records(t *testing.T) [][]byte {
	t.Helper()
	var found [][]byte
	p.Blobs("snapshot", func(path string, _ int64) {
		var kept struct {
			Version uint64        `cbor:"1,keyasint"`
			At      protocol.Time `cbor:"2,keyasint"`
			Cursor  uint64        `cbor:"3,keyasint,omitzero"`
			Raw     []byte        `cbor:"4,keyasint"`
		}
		if err := canonical.Unmarshal(mustRead(t, path), 1<<24, &kept); err != nil {
			t.Fatal(err)
		}
		found = append(found, kept.Raw)
	})
	return found
}

// packs returns the packs of the blob folder by their paths.
func (p *Provider) packs(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	p.Blobs("pack", func(path string, _ int64) { found[path] = mustRead(t, path) })
	return found
}

// newest returns the ledger as the device knows it.
func (d *Device) newest(t *testing.T) *ledger.State {
	t.Helper()
	kept, err := state.OpenReader(d.State(), d.Cache())
	if err != nil {
		t.Fatal(err)
	}
	folded, err := kept.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	return folded
}
