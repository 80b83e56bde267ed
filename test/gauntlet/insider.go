// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"crypto/sha256"
	"os"
	"regexp"
	"testing"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// Insider is everything that an owner device knows. The oracles need it to know
// what must not leave the device; an attack that plays with an insider, or that
// is given more than a provider has so as to be sure to hit, needs it too.
type Insider struct {
	Self   *keys.MemberSecrets
	Ledger *ledger.State
	// Secrets are the account's, by epoch.
	Secrets map[uint64]*keys.Secret
	// Ring opens vaults; nil for a writer.
	Ring *keyring.Ring

	t    testing.TB
	kept *state.State
}

// Insider opens what the device knows.
func (d *Device) Insider() *Insider {
	d.t.Helper()
	kept, err := state.OpenReader(d.State(), d.Path("cache"))
	if err != nil {
		d.t.Fatal(err)
	}
	opened, err := kept.Unlock(state.Access{KeyFile: d.Path("key")})
	if err != nil {
		d.t.Fatal(err)
	}
	folded, err := kept.Ledger()
	if err != nil {
		d.t.Fatal(err)
	}
	in := &Insider{Self: opened.Member, Ledger: folded, Secrets: map[uint64]*keys.Secret{}, t: d.t, kept: kept}
	m, err := folded.Member(in.Self.ID())
	if err != nil {
		d.t.Fatal(err)
	}
	for epoch, name := range m.Wraps {
		wrap, err := kept.Object(name)
		if err != nil {
			continue // an older epoch's need not be here
		}
		c := seal.Context{Account: folded.Account(), Type: seal.TypeAccountSecret, ID: protocol.Hash(m.ID), Epoch: epoch}
		if secret, err := seal.Unwrap(in.Self.Wrap, c, wrap); err == nil {
			in.Secrets[epoch] = secret
		}
	}
	if m.Role == protocol.RoleOwner {
		if in.Ring, err = keyring.Open(folded, kept.Object, in.Self); err != nil {
			d.t.Fatal(err)
		}
	}
	return in
}

// Object returns a wrap or box that the ledger names.
func (in *Insider) Object(name protocol.Hash) []byte {
	in.t.Helper()
	object, err := in.kept.Object(name)
	if err != nil {
		in.t.Fatal(err)
	}
	return object
}

// Layout is where the parts of a pack lie.
type Layout struct {
	Lead   seal.Lead
	Frames [][2]int // begin and end of each sealed frame
	Index  *tree.PackIndex
}

// Layout opens a pack of the account.
func (in *Insider) Layout(pack []byte) *Layout {
	in.t.Helper()
	l, err := in.layout(pack)
	if err != nil {
		in.t.Fatal(err)
	}
	return l
}

func (in *Insider) layout(pack []byte) (*Layout, error) {
	h, err := seal.ParsePackHeader(pack)
	if err != nil {
		return nil, err
	}
	v, err := in.Ring.Vault(h.Vault)
	if err != nil {
		return nil, err
	}
	own, err := v.Wrap(h.Epoch)
	if err != nil {
		return nil, err
	}
	run, err := seal.OpenRun(own, h)
	if err != nil {
		return nil, err
	}
	opened, err := seal.OpenPack(run, h)
	if err != nil {
		return nil, err
	}
	l := &Layout{Lead: opened.Lead()}
	raw, err := opened.OpenIndex(pack[len(pack)-l.Lead.IndexLength:])
	if err != nil {
		return nil, err
	}
	if l.Index, err = tree.ParsePackIndex(raw); err != nil {
		return nil, err
	}
	at := seal.PackHeaderSize
	for _, f := range l.Index.Frames {
		l.Frames = append(l.Frames, [2]int{at, at + f.Sealed})
		at += f.Sealed
	}
	return l, nil
}

// learn returns the secrets of all devices, and the hashes of the public keys
// that they may wrap to.
func (g *Stage) learn(t testing.TB) (secrets map[string][]byte, honest map[string]bool) {
	t.Helper()
	secrets, honest = map[string][]byte{"the password": []byte(password)}, map[string]bool{}
	for _, name := range g.devices {
		d := &Device{Name: name, Dir: g.Dir + "/" + name, t: t}
		for what, secret := range d.secrets() {
			secrets[name+"'s "+what] = secret
		}
		for key := range d.recipients() {
			honest[key] = true
		}
	}
	for name := range g.truth.files {
		if len(name) >= 10 && bytes.Contains([]byte(name), []byte("canary")) {
			secrets["the name "+name] = []byte(name)
		}
	}
	for i, body := range g.truth.bodies {
		for part, at := range map[string]int{"begin": 0, "middle": len(body) / 2} {
			if at+24 <= len(body) {
				secrets["body "+string(rune('0'+i%10))+" "+part+" "+string(body[:6])] = body[at : at+24]
			}
		}
	}
	return secrets, honest
}

var kitKey = regexp.MustCompile("Recovery key: *([A-Za-z0-9-]+)")

// secrets returns what no byte of the device's requests may hold.
func (d *Device) secrets() map[string][]byte {
	d.t.Helper()
	in := d.Insider()
	found := map[string][]byte{
		"signing secret": in.Self.Signing.Expose(), "wrap secret": in.Self.Wrap.Expose(), "label": []byte(d.Name + "-canary-device"),
	}
	for epoch, secret := range in.Secrets {
		found["account secret "+string(rune('0'+epoch))] = secret.Expose()
	}
	if in.Ring != nil {
		for _, v := range in.Ledger.Vaults() {
			opened, err := in.Ring.Vault(v.ID)
			if err != nil {
				d.t.Fatal(err)
			}
			found["content secret"] = opened.Content().Root.Expose()
			for epoch := uint64(1); epoch <= v.Epoch(); epoch++ {
				if wrap, err := opened.Wrap(epoch); err == nil {
					found["vault secret "+string(rune('0'+epoch))] = wrap.Expose()
				}
			}
		}
	}
	if key, err := os.ReadFile(d.Path("key")); err == nil {
		found["key file"] = bytes.TrimSpace(key)
	}
	if kit, err := os.ReadFile(d.Path("kit.txt")); err == nil {
		if m := kitKey.FindSubmatch(kit); m != nil {
			found["recovery key"], found["recovery key, bare"] = m[1], bytes.ReplaceAll(m[1], []byte("-"), nil)
		}
	}
	return found
}

// recipients returns the hashes of the public keys that the device's ledger
// proves: members, present or past, and vaults.
func (d *Device) recipients() map[string]bool {
	d.t.Helper()
	found := map[string]bool{}
	kept, err := state.OpenReader(d.State(), d.Path("cache"))
	if err != nil {
		return found
	}
	folded, err := kept.Ledger()
	if err != nil {
		return found
	}
	for _, m := range folded.AllMembers() {
		found[keyHash(m.Keys.Wrap[:])] = true
	}
	for _, v := range folded.Vaults() {
		for _, e := range v.Epochs {
			found[keyHash(e.Key[:])] = true
		}
	}
	return found
}

func keyHash(key []byte) string {
	sum := sha256.Sum256(key)
	return hexOf(sum[:])
}
