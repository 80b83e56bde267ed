// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
)

// secondWrap is RFC 9180's single-shot sealing in base mode, written a second
// time from the documents, with the randomness of the encapsulation, 64 bytes,
// as an argument.
func secondWrap(t testing.TB, key keys.WrapKey, c Context, secret, random []byte) []byte {
	t.Helper()
	shared, enc := encapsulate(t, key, random)
	aesKey, baseNonce := keySchedule(t, shared, c.encode())
	block, err := aes.NewCipher(aesKey)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(enc, baseNonce, secret, nil)
}

// encapsulate is MLKEM768-X25519.
func encapsulate(t testing.TB, key keys.WrapKey, random []byte) (shared, enc []byte) {
	t.Helper()
	lattice, err := mlkem.NewEncapsulationKey768(key[:mlkem.EncapsulationKeySize768])
	if err != nil {
		t.Fatal(err)
	}
	sharedLattice, encLattice, err := mlkemtest.Encapsulate768(lattice, random[:32])
	if err != nil {
		t.Fatal(err)
	}
	public, err := ecdh.X25519().NewPublicKey(key[mlkem.EncapsulationKeySize768:])
	if err != nil {
		t.Fatal(err)
	}
	ephemeral, err := ecdh.X25519().NewPrivateKey(random[32:])
	if err != nil {
		t.Fatal(err)
	}
	sharedCurve, err := ephemeral.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	encCurve := ephemeral.PublicKey().Bytes()
	h := sha3.New256()
	for _, part := range [][]byte{sharedLattice, sharedCurve, encCurve, public.Bytes(), []byte(`\.//^\`)} {
		h.Write(part)
	}
	return h.Sum(nil), append(encLattice, encCurve...)
}

// keySchedule is RFC 9180's, section 5.1, for the suite 0x647a, 1, 2.
func keySchedule(t testing.TB, shared, info []byte) (key, baseNonce []byte) {
	t.Helper()
	suite := []byte{'H', 'P', 'K', 'E', 0x64, 0x7a, 0, 1, 0, 2}
	extract := func(salt []byte, label string, input []byte) []byte {
		labeled := append(append(append([]byte("HPKE-v1"), suite...), label...), input...)
		out, err := hkdf.Extract(sha256.New, labeled, salt)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	context := append(append([]byte{0}, extract(nil, "psk_id_hash", nil)...), extract(nil, "info_hash", info)...)
	secret := extract(shared, "secret", nil)
	expand := func(label string, n int) []byte {
		labeled := binary.BigEndian.AppendUint16(nil, uint16(n))
		labeled = append(append(append(append(labeled, "HPKE-v1"...), suite...), label...), context...)
		out, err := hkdf.Expand(sha256.New, secret, string(labeled), n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return expand("key", 32), expand("base_nonce", 12)
}

func TestWrapIsWhatTheDocumentsSay(t *testing.T) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	wrap := secondWrap(t, own.Public(), c, seeded("secret").Expose(), seededBytes("random", 64))
	got, err := Unwrap(own, c, wrap)
	if err != nil || !got.Equal(seeded("secret")) {
		t.Errorf("a wrap made from the documents alone does not open: %v", err)
	}
}

// wraps lists one wrap of each type with what opens it.
func (w *world) wraps(t testing.TB) map[Type]struct {
	to  directory.Recipient
	own *keys.WrapSecret
	c   Context
} {
	account := w.state.Account()
	owner, writer := protocol.Hash(w.owner.ID()), protocol.Hash(w.writer.ID())
	return map[Type]struct {
		to  directory.Recipient
		own *keys.WrapSecret
		c   Context
	}{
		TypeAccountSecret: {w.member(t, w.owner), w.owner.Wrap, Context{Account: account, Type: TypeAccountSecret, ID: owner, Epoch: 1}},
		TypeWriterSecrets: {w.member(t, w.writer), w.writer.Wrap, Context{Account: account, Vault: w.vaults[0], Type: TypeWriterSecrets, ID: writer}},
		TypeRunKey:        {w.recipient(t, 0), w.vaultSecrets[0], runContext(account, w.vaults[0], 1, protocol.RunID{5})},
	}
}

func TestWrapOpens(t *testing.T) {
	w := newWorld(t, "wrap")
	for kind, at := range w.wraps(t) {
		wrap, err := Wrap(at.to, at.c, seeded("secret"))
		if err != nil || len(wrap) != WrapSize {
			t.Errorf("type %d: wrap of %d bytes, %v", kind, len(wrap), err)
			continue
		}
		got, err := Unwrap(at.own, at.c, wrap)
		if err != nil || !got.Equal(seeded("secret")) {
			t.Errorf("type %d does not open: %v", kind, err)
		}
		for name, other := range otherContexts(at.c) {
			if other == at.c {
				continue
			}
			got, err := Unwrap(at.own, other, wrap)
			refused(t, fmt.Sprintf("type %d with another %s", kind, name), protocol.KindUntrusted, got, got == nil, err)
		}
		got, err = Unwrap(seededWrap("another"), at.c, wrap)
		refused(t, "another key", protocol.KindUntrusted, got, got == nil, err)
	}
}

func TestWrapRefusesWhatIsNotTheRecipients(t *testing.T) {
	w, other := newWorld(t, "wrap"), newWorld(t, "other account")
	at := w.wraps(t)
	vault, owner := at[TypeRunKey], at[TypeAccountSecret]
	otherOwner := owner.c
	otherOwner.Account, otherOwner.ID = other.state.Account(), protocol.Hash(other.owner.ID())
	inVault := func(change func(c *Context)) Context {
		c := vault.c
		change(&c)
		return c
	}
	for _, c := range []struct {
		name string
		to   directory.Recipient
		c    Context
	}{
		{"nobody", directory.Recipient{}, vault.c},
		{"nobody and no account", directory.Recipient{}, Context{Type: TypeRunKey}},
		{"another account's vault", other.recipient(t, 0), vault.c},
		{"another account's member", other.member(t, other.owner), owner.c},
		{"this member under another account", owner.to, otherOwner},
		{"another vault", w.recipient(t, 1), vault.c},
		{"no vault in the context", vault.to, inVault(func(c *Context) { c.Vault = protocol.VaultID{} })},
		{"an epoch before", vault.to, inVault(func(c *Context) { c.Epoch-- })},
		{"an epoch later", vault.to, inVault(func(c *Context) { c.Epoch++ })},
		{"a writer in an owner's place", w.member(t, w.writer), owner.c},
		{"an owner in a writer's place", owner.to, at[TypeWriterSecrets].c},
		{"a vault in a member's place", vault.to, owner.c},
		{"a member in a vault's place", owner.to, vault.c},
		{"a box's type", vault.to, inVault(func(c *Context) { c.Type = TypeDetails })},
		{"a pack's type", vault.to, inVault(func(c *Context) { c.Type = TypePack })},
		{"a member's type for a vault", vault.to, inVault(func(c *Context) { c.Type = TypeAccountSecret })},
	} {
		got, err := Wrap(c.to, c.c, seeded("secret"))
		refused(t, c.name, protocol.KindInternal, len(got), got == nil, err)
	}
}

func TestWrapRefusesEveryFlippedByte(t *testing.T) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	wrap := secondWrap(t, own.Public(), c, seeded("secret").Expose(), seededBytes("random", 64))
	for i := range wrap {
		mask := byte(1) << (i % 8)
		if i%32 == 31 {
			mask = 0x80 // the bit of an X25519 point that the curve ignores
		}
		wrap[i] ^= mask
		got, err := Unwrap(own, c, wrap)
		refused(t, fmt.Sprintf("byte %d changed by %02x", i, mask), protocol.KindUntrusted, got, got == nil, err)
		wrap[i] ^= mask
	}
}

func TestWrapRefusesEveryOtherLength(t *testing.T) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	wrap := secondWrap(t, own.Public(), c, seeded("secret").Expose(), seededBytes("random", 64))
	for _, n := range []int{0, 1, tagSize, 32, 1088, 1120, 1136, WrapSize - 1} {
		got, err := Unwrap(own, c, wrap[:n])
		refused(t, fmt.Sprintf("cut to %d bytes", n), protocol.KindUntrusted, got, got == nil, err)
	}
	got, err := Unwrap(own, c, append(wrap, 0))
	refused(t, "one byte more", protocol.KindUntrusted, got, got == nil, err)
}

// TestWrapHasNoClassicalBranch seals with X25519 alone and with ML-KEM alone,
// under the same context, and sees both refused.
func TestWrapHasNoClassicalBranch(t *testing.T) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	for name, kem := range map[string]hpke.KEM{
		"X25519": hpke.DHKEM(ecdh.X25519()), "ML-KEM-768": hpke.MLKEM768(), "P-256 hybrid": hpke.MLKEM768P256(),
	} {
		private, err := kem.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := hpke.Seal(private.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), c.encode(), seeded("secret").Expose())
		if err != nil {
			t.Fatal(err)
		}
		padded := append(sealed, make([]byte, max(0, WrapSize-len(sealed)))...)[:WrapSize]
		got, err := Unwrap(own, c, padded)
		refused(t, name, protocol.KindUntrusted, got, got == nil, err)
	}
}

// TestWrapDemandsASecretsLength seals another length under the right key and
// context, which an attacker can: the recipient takes 32 bytes only.
func TestWrapDemandsASecretsLength(t *testing.T) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	for _, n := range []int{0, 31, 33} {
		wrap := secondWrap(t, own.Public(), c, make([]byte, n), seededBytes("random", 64))
		got, err := Unwrap(own, c, wrap)
		refused(t, fmt.Sprintf("%d bytes", n), protocol.KindUntrusted, got, got == nil, err)
	}
}
