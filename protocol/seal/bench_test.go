// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import "testing"

// frameLength is a usual length of a frame.
const frameLength = 1 << 20

func BenchmarkSealPack(b *testing.B) {
	run, frame := newWorld(b, "bench").run(b, 0), make([]byte, frameLength)
	buf := make([]byte, 0, PackTarget+1<<20)
	b.SetBytes(15 * frameLength)
	b.ReportAllocs()
	for b.Loop() {
		w := run.NewPack(buf)
		for range 15 {
			if _, err := w.Append(frame); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.Finish(frame[:1000], 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenPack(b *testing.B) {
	w := newWorld(b, "bench")
	run := w.run(b, 0)
	lengths := make([]int, 15)
	for i := range lengths {
		lengths[i] = frameLength
	}
	s := sealPack(b, run, w.vaultSecrets[0], lengths...)
	h, err := ParsePackHeader(s.bytes)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(s.bytes)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := OpenPack(run, h)
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Verify(s.bytes, s.frames, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBox(b *testing.B) {
	secret, c, plaintext := seeded("secret"), someContext(TypeDetails), make([]byte, 1000)
	for b.Loop() {
		if _, err := OpenBox(secret, c, Box(secret, c, plaintext)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	w := newWorld(b, "bench")
	at := w.wraps(b)[TypeRunKey]
	for b.Loop() {
		if _, err := Wrap(at.to, at.c, seeded("secret")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	w := newWorld(b, "bench")
	at := w.wraps(b)[TypeRunKey]
	wrap, err := Wrap(at.to, at.c, seeded("secret"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Unwrap(at.own, at.c, wrap); err != nil {
			b.Fatal(err)
		}
	}
}
