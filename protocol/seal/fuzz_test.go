// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// FuzzPackHeader parses anything: what is taken prints as it came.
func FuzzPackHeader(f *testing.F) {
	run := fixedRun(f)
	header := run.newPack(nil, seededBytes("salt", saltSize)).buf
	f.Add(header)
	f.Add(header[:PackHeaderSize-1])
	f.Add(append(bytes.Clone(header), 1, 2, 3))
	f.Add([]byte("SOLEKEY\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParsePackHeader(b)
		if err != nil {
			if h != nil || protocol.KindOf(err) != protocol.KindUntrusted && protocol.KindOf(err) != protocol.KindUnsupported {
				t.Errorf("header %v, error %v", h, err)
			}
			return
		}
		printed := append([]byte(packMagic), h.Account[:]...)
		printed = append(printed, h.Vault[:]...)
		printed = binary.BigEndian.AppendUint64(printed, h.Epoch)
		printed = append(append(printed, h.Run[:]...), h.Wrap...)
		if !bytes.Equal(printed, b[:offSalt]) || !bytes.Equal(h.raw, b[:PackHeaderSize]) {
			t.Error("the header does not print as it was parsed")
		}
		if p, err := OpenPack(run, h); err == nil {
			t.Errorf("a header whose lead nobody sealed opens: %+v", p.Lead())
		}
	})
}

// FuzzBox opens anything: it opens only what Box made, and prints as it came.
func FuzzBox(f *testing.F) {
	secret, c := seeded("secret"), someContext(TypeLabel)
	f.Add([]byte{}, []byte("label"))
	f.Add(box(secret, c, []byte("label"), seededBytes("salt", saltSize)), []byte("label"))
	f.Fuzz(func(t *testing.T, sealed, plaintext []byte) {
		if opened, err := OpenBox(secret, c, sealed); err == nil {
			if !bytes.Equal(box(secret, c, opened, sealed[1:1+saltSize]), sealed) {
				t.Error("the box does not seal as it was opened")
			}
		} else if opened != nil || protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("opened %x, error %v", opened, err)
		}
		if opened, err := OpenBox(secret, c, Box(secret, c, plaintext)); err != nil || !bytes.Equal(opened, plaintext) {
			t.Errorf("what was just sealed does not open: %v", err)
		}
	})
}

// FuzzWrap opens anything as a wrap and as a wrap with its length put right.
func FuzzWrap(f *testing.F) {
	own, c := seededWrap("own"), someContext(TypeRunKey)
	good := secondWrap(f, own.Public(), c, seeded("secret").Expose(), seededBytes("random", 64))
	f.Add(good)
	f.Add(good[:WrapSize-1])
	f.Fuzz(func(t *testing.T, wrap []byte) {
		for _, candidate := range [][]byte{wrap, append(bytes.Clone(wrap), good[min(len(wrap), len(good)):]...)} {
			secret, err := Unwrap(own, c, candidate)
			if (err == nil) != bytes.Equal(candidate, good) || (secret == nil) != (err != nil) {
				t.Errorf("a wrap of %d bytes: error %v", len(candidate), err)
			}
		}
	})
}
