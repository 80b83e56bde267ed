// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"crypto/ed25519"
	"encoding/binary"
	"slices"
)

// TestingOnlyLog and TestingOnlyWitness make keys from seeds, for vectors;
// TestingOnlyVKey makes the text of any key.
var (
	TestingOnlyLog     = newLogSecret
	TestingOnlyWitness = newWitnessSecret
	TestingOnlyVKey    = func(name string, alg byte, key []byte) string { return vkey{name, alg, key}.String() }
)

// TestingOnlySignText signs any text as a log would.
func TestingOnlySignText(origin, text string) []byte {
	s := newLogSecret(origin, make([]byte, seedSize))
	l := line{name: origin, id: s.public.vkey.id(), sig: ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), []byte(text))}
	return append([]byte(text+"\n"), l.format()...)
}

// TestingOnlyLine makes a line with any bytes as the signature.
func TestingOnlyLine(name string, k *WitnessKey, sig []byte) string {
	return string(TestingOnlyLineID(name, k.vkey.id(), sig))
}

// TestingOnlyLineID is TestingOnlyLine for any key id.
func TestingOnlyLineID(name string, id uint32, sig []byte) []byte {
	return (&line{name: name, id: id, sig: sig}).format()
}

// TestingOnlyCosignAt cosigns with Ed25519 at any second.
func TestingOnlyCosignAt(s *WitnessSecret, c Checkpoint, seconds uint64) string {
	sig := ed25519.Sign(ed25519.NewKeyFromSeed(s.seed()), classicMessage(seconds, c.Body()))
	return TestingOnlyLine(s.public.Name(), s.public, append(binary.BigEndian.AppendUint64(nil, seconds), sig...))
}

// TestingOnlyWithout takes the lines of a name out of a note.
func TestingOnlyWithout(raw []byte, name string) []byte {
	n, err := parseNote(raw)
	if err != nil {
		panic(err)
	}
	n.lines = slices.DeleteFunc(n.lines, func(l line) bool { return l.name == name })
	out, err := n.format()
	if err != nil {
		panic(err)
	}
	return out
}
