// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestContextEncodesItsEightFields(t *testing.T) {
	c := Context{Type: TypeDetails, Epoch: 300}
	c.Account[0], c.Vault[0], c.ID[0], c.Parent[0] = 3, 4, 6, 8
	zeros := func(first string, n int) string { return first + fmt.Sprintf("%0*x", 2*(n-1), 0) }
	want := "a8" +
		"01" + "7832" + hex.EncodeToString([]byte("solekey/v1 HKDF-SHA256 AES-256-GCM MLKEM768-X25519")) +
		"02" + "01" +
		"03" + "5820" + zeros("03", 32) +
		"04" + "50" + zeros("04", 16) +
		"05" + "07" +
		"06" + "5820" + zeros("06", 32) +
		"07" + "19012c" +
		"08" + "5820" + zeros("08", 32)
	if len(suite) != 0x32 {
		want = "the suite has " + fmt.Sprint(len(suite)) + " bytes"
	}
	if got := hex.EncodeToString(c.encode()); got != want {
		t.Errorf("context is encoded as\n%s, want\n%s", got, want)
	}
}

func TestContextDemandsATypeFromTheList(t *testing.T) {
	for _, kind := range []Type{0, TypeAnchor + 1, 255} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("type %d is taken", kind)
				}
			}()
			Box(seeded("secret"), Context{Type: kind}, nil)
		}()
	}
}

func TestBoxOpens(t *testing.T) {
	secret := seeded("secret")
	for _, n := range []int{0, 1, 15, 16, 17, 1000, 1 << 20} {
		plaintext := seededBytes("plaintext", n)
		box := Box(secret, someContext(TypeLabel), plaintext)
		if len(box) != n+BoxOverhead {
			t.Errorf("box of %d bytes has %d, want %d more", n, len(box), BoxOverhead)
		}
		got, err := OpenBox(secret, someContext(TypeLabel), box)
		if err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("box of %d bytes opens to %d bytes, %v", n, len(got), err)
		}
	}
}

func TestBoxesDiffer(t *testing.T) {
	secret, c := seeded("secret"), someContext(TypeLabel)
	seen := map[string]bool{}
	for range 1000 {
		box := string(Box(secret, c, []byte("same")))
		for _, part := range []string{box[1:33], box[33:65], box[65:]} {
			if seen[part] {
				t.Fatal("two boxes share a salt, a commitment or a ciphertext")
			}
			seen[part] = true
		}
	}
}

func TestBoxRefusesEveryFlippedBit(t *testing.T) {
	secret, c := seeded("secret"), someContext(TypeVaultSecrets)
	box := Box(secret, c, seededBytes("plaintext", 40))
	for i := range box {
		for bit := range 8 {
			box[i] ^= 1 << bit
			got, err := OpenBox(secret, c, box)
			refused(t, fmt.Sprintf("bit %d of byte %d flipped", bit, i), protocol.KindUntrusted, got, got == nil, err)
			box[i] ^= 1 << bit
		}
	}
}

func TestBoxRefusesEveryOtherLength(t *testing.T) {
	secret, c := seeded("secret"), someContext(TypeVaultSecrets)
	box := Box(secret, c, seededBytes("plaintext", 40))
	for n := range box {
		got, err := OpenBox(secret, c, box[:n])
		refused(t, fmt.Sprintf("cut to %d bytes", n), protocol.KindUntrusted, got, got == nil, err)
		got, err = OpenBox(secret, c, box[n+1:])
		refused(t, fmt.Sprintf("%d bytes cut off in front", n+1), protocol.KindUntrusted, got, got == nil, err)
	}
	for _, more := range [][]byte{{0}, make([]byte, tagSize), box} {
		got, err := OpenBox(secret, c, append(append([]byte(nil), box...), more...))
		refused(t, fmt.Sprintf("%d bytes more", len(more)), protocol.KindUntrusted, got, got == nil, err)
	}
}

// TestBoxOpensInItsPlaceOnly is G23: a box of one place put into another.
func TestBoxOpensInItsPlaceOnly(t *testing.T) {
	secret := seeded("secret")
	for kind := TypeAccountSecret; kind <= TypeAnchor; kind++ {
		c := someContext(kind)
		box := Box(secret, c, []byte("in its place"))
		if _, err := OpenBox(secret, c, box); err != nil {
			t.Errorf("type %d does not open where it was sealed: %v", kind, err)
		}
		for name, other := range otherContexts(c) {
			got, err := OpenBox(secret, other, box)
			refused(t, fmt.Sprintf("type %d with another %s", kind, name), protocol.KindUntrusted, got, got == nil, err)
		}
		got, err := OpenBox(seeded("another secret"), c, box)
		refused(t, "another secret", protocol.KindUntrusted, got, got == nil, err)
	}
}

// TestCommitmentIsComparedFirst holds boxes and packs to decrypting nothing
// before the commitment was compared.
func TestCommitmentIsComparedFirst(t *testing.T) {
	decrypted := 0
	testingOnlyOpen = func() { decrypted++ }
	t.Cleanup(func() { testingOnlyOpen = nil })
	secret, c := seeded("secret"), someContext(TypeLabel)
	box := Box(secret, c, []byte("label"))
	try := func(what string, want int, open func() error) {
		t.Helper()
		decrypted = 0
		if err := open(); (err == nil) != (want == 1 && what == "whole") || decrypted != want {
			t.Errorf("%s: error %v after %d decryptions, want %d", what, err, decrypted, want)
		}
	}
	try("whole", 1, func() error { _, err := OpenBox(secret, c, box); return err })
	try("another secret", 0, func() error { _, err := OpenBox(seeded("other"), c, box); return err })
	for i := 1; i < 1+saltSize+commitmentSize; i++ {
		box[i] ^= 1
		try("salt or commitment", 0, func() error { _, err := OpenBox(secret, c, box); return err })
		box[i] ^= 1
	}
	box[len(box)-1] ^= 1
	try("tag", 1, func() error { _, err := OpenBox(secret, c, box); return err })
}

// field is an element of GCM's field, as an integer whose bit 127-i is the
// coefficient of x^i.
type field = *big.Int

// mul multiplies in GCM's field, slowly and plainly.
func mul(a, b field) field {
	product, reduction := new(big.Int), new(big.Int).Lsh(big.NewInt(0xe1), 120)
	v := new(big.Int).Set(a)
	for i := 127; i >= 0; i-- {
		if b.Bit(i) == 1 {
			product.Xor(product, v)
		}
		carry := v.Bit(0)
		v.Rsh(v, 1)
		if carry == 1 {
			v.Xor(v, reduction)
		}
	}
	return product
}

// inverse returns a^(2^128-2).
func inverse(a field) field {
	result := new(big.Int).Lsh(big.NewInt(1), 127) // one
	for range 127 {
		a = mul(a, a)
		result = mul(result, a)
	}
	return result
}

// gcmParts returns the hash key and the tag's mask of a key under nonce zero.
func gcmParts(key []byte) (hash, mask field) {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out, counter := make([]byte, 16), make([]byte, 16)
	block.Encrypt(out, counter)
	hash = new(big.Int).SetBytes(out)
	counter[15] = 1
	block.Encrypt(out, counter)
	return hash, new(big.Int).SetBytes(out)
}

// twoKeyed returns one block and a tag that AES-256-GCM opens under both keys.
// The tag is c·H² + L·H + mask, so that c is the root of a linear equation.
func twoKeyed(key1, key2 []byte) []byte {
	h1, m1 := gcmParts(key1)
	h2, m2 := gcmParts(key2)
	length := big.NewInt(128)
	right := new(big.Int).Xor(mul(length, new(big.Int).Xor(h1, h2)), new(big.Int).Xor(m1, m2))
	c := mul(right, inverse(mul(new(big.Int).Xor(h1, h2), new(big.Int).Xor(h1, h2))))
	tag := new(big.Int).Xor(new(big.Int).Xor(mul(c, mul(h1, h1)), mul(length, h1)), m1)
	return append(c.FillBytes(make([]byte, 16)), tag.FillBytes(make([]byte, 16))...)
}

// TestNoBoxOpensUnderTwoSecrets makes the ciphertext that AES-256-GCM alone
// would open under two keys, and shows that a box of it opens under at most the
// one that its commitment names, whatever salt and commitment are put before.
func TestNoBoxOpensUnderTwoSecrets(t *testing.T) {
	one, two, c := seeded("one"), seeded("two"), someContext(TypeLabel)
	saltOne, saltTwo := seededBytes("salt one", saltSize), seededBytes("salt two", saltSize)
	keyOne, commitmentOne := deriveKey(t, one.Expose(), saltOne, c)
	keyTwo, commitmentTwo := deriveKey(t, two.Expose(), saltTwo, c)
	sealed := twoKeyed(keyOne, keyTwo)
	aeadOne, _ := derive(one, saltOne, c)
	aeadTwo, _ := derive(two, saltTwo, c)
	if _, err := aeadOne.Open(nil, nonce(0), sealed, nil); err != nil {
		t.Fatalf("the forged ciphertext does not open under the first key: %v", err)
	}
	if _, err := aeadTwo.Open(nil, nonce(0), sealed, nil); err != nil {
		t.Fatalf("the forged ciphertext does not open under the second key: %v", err)
	}
	for _, salt := range [][]byte{saltOne, saltTwo} {
		for _, commitment := range [][]byte{commitmentOne, commitmentTwo} {
			box := append(append(append([]byte{boxFormat}, salt...), commitment...), sealed...)
			_, errOne := OpenBox(one, c, box)
			_, errTwo := OpenBox(two, c, box)
			if errOne == nil && errTwo == nil {
				t.Error("one box opens under two secrets")
			}
			own := bytes.Equal(salt, saltOne) == bytes.Equal(commitment, commitmentOne)
			if opens := errOne == nil || errTwo == nil; opens != own {
				t.Errorf("salt and commitment of one secret: %v; opens: %v", own, opens)
			}
		}
	}
}

// deriveKey computes what derive does, from the standard library alone.
func deriveKey(t *testing.T, secret, salt []byte, c Context) (key, commitment []byte) {
	t.Helper()
	out, err := hkdf.Key(sha256.New, secret, salt, string(c.encode()), 64)
	if err != nil {
		t.Fatal(err)
	}
	return out[:32], out[32:]
}
