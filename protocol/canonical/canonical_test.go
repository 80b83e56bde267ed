// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package canonical

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// sample has a field of every shape that Solekey's formats have.
type sample struct {
	N int64             `cbor:"1,keyasint"`
	B []byte            `cbor:"2,keyasint"`
	H [4]byte           `cbor:"3,keyasint,omitzero"`
	L []uint64          `cbor:"4,keyasint,omitempty"`
	S string            `cbor:"5,keyasint,omitempty"`
	T bool              `cbor:"6,keyasint,omitempty"`
	P *sample           `cbor:"7,keyasint,omitempty"`
	M map[uint64][]byte `cbor:"8,keyasint,omitempty"`
}

// loose has what no format of ours may have.
type loose struct {
	F float64 `cbor:"1,keyasint"`
	P *sample `cbor:"2,keyasint"`
}

var goodCases = []struct {
	name, text string
	value      sample
}{
	{"smallest", "a2 01 00 02 40", sample{B: []byte{}}},
	{"everything", "a8 01 20 02 41ff 03 44 01020304 04 83 01 18 18 19 0100 05 62 c3bc 06 f5 07 a2 01 01 02 40 08 a2 01 40 0a 4107", sample{
		N: -1, B: []byte{0xff}, H: [4]byte{1, 2, 3, 4}, L: []uint64{1, 24, 256}, S: "ü", T: true,
		P: &sample{N: 1, B: []byte{}}, M: map[uint64][]byte{10: {7}, 1: {}},
	}},
	{"widest number", "a2 01 1b 7fffffffffffffff 02 40", sample{N: math.MaxInt64, B: []byte{}}},
	{"lowest number", "a2 01 3b 7fffffffffffffff 02 40", sample{N: math.MinInt64, B: []byte{}}},
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMarshalAndUnmarshal(t *testing.T) {
	for _, c := range goodCases {
		want := unhex(t, c.text)
		data, err := Marshal(c.value)
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%s: %x (%v)", c.name, data, err)
		}
		var v sample
		if err := Unmarshal(want, len(want), &v); err != nil || !reflect.DeepEqual(v, c.value) {
			t.Errorf("%s: %+v (%v)", c.name, v, err)
		}
		if !bytes.Equal(MustMarshal(&c.value), want) {
			t.Errorf("%s: a pointer has another encoding", c.name)
		}
	}
}

// badCases are encodings that Marshal never writes. Each is one deviation from
// "a2 01 00 02 40" or near it.
var badCases = []struct{ name, says, text string }{
	{"empty", "nothing", ""},
	{"trailing", "a byte behind the value", "a2 01 00 02 40 00"},
	{"truncated", "the last byte is missing", "a2 01 00 02"},
	{"missing", "a field is missing", "a1 01 00"},
	{"twice", "the key 1 stands there twice", "a3 01 00 01 00 02 40"},
	{"order", "keys in another order", "a2 02 40 01 00"},
	{"unknown", "a key that is not known", "a3 01 00 02 40 09 00"},
	{"negative-key", "a key that is not known, below zero", "a3 01 00 02 40 20 00"},
	{"text-key", "a key that is text", "a2 6131 00 02 40"},
	{"long-key", "a key in a longer form than it needs", "a2 1801 00 02 40"},
	{"long-number", "a number in a longer form than it needs", "a2 01 1800 02 40"},
	{"long-number-8", "a number in the longest form", "a2 01 1b0000000000000000 02 40"},
	{"long-length", "a length in a longer form than it needs", "a2 01 00 02 5800"},
	{"long-map", "the number of pairs in a longer form than it needs", "b802 01 00 02 40"},
	{"indefinite-map", "a map of indefinite length", "bf 01 00 02 40 ff"},
	{"indefinite-bytes", "bytes of indefinite length", "a2 01 00 02 5f 40 ff"},
	{"indefinite-list", "a list of indefinite length", "a3 01 00 02 40 04 9f 01 ff"},
	{"tag", "a tag", "a2 01 c1 00 02 40"},
	{"self-described", "the tag of self-described CBOR", "d9d9f7 a2 01 00 02 40"},
	{"bignum", "a bignum", "a2 01 c2 4100 02 40"},
	{"float", "a float with an integer's value", "a2 01 f90000 02 40"},
	{"null", "null in place of bytes", "a2 01 00 02 f6"},
	{"null-number", "null in place of a number", "a2 01 f6 02 40"},
	{"null-pointer", "null in place of a map that may be absent", "a3 01 00 02 40 07 f6"},
	{"undefined", "undefined in place of bytes", "a2 01 00 02 f7"},
	{"null-value", "null in place of everything", "f6"},
	{"simple", "a simple value that is not assigned", "a2 01 e0 02 40"},
	{"false", "false where it is to be absent", "a3 01 00 02 40 06 f4"},
	{"zero", "zero bytes where they are to be absent", "a3 01 00 02 40 03 4400000000"},
	{"empty-list", "an empty list where it is to be absent", "a3 01 00 02 40 04 80"},
	{"short-hash", "a hash of three bytes", "a3 01 00 02 40 03 43010203"},
	{"long-hash", "a hash of five bytes", "a3 01 00 02 40 03 450102030405"},
	{"numbers-for-bytes", "a list of numbers in place of bytes", "a2 01 00 02 8101"},
	{"numbers-for-hash", "a list of numbers in place of a hash", "a3 01 00 02 40 03 8401020304"},
	{"text-for-bytes", "text in place of bytes", "a2 01 00 02 6161"},
	{"bytes-for-text", "bytes in place of text", "a3 01 00 02 40 05 4161"},
	{"utf-8", "text that is not UTF-8", "a3 01 00 02 40 05 61ff"},
	{"surrogate", "text that holds a surrogate", "a3 01 00 02 40 05 63eda080"},
	{"overflow", "a number that does not fit", "a2 01 1b8000000000000000 02 40"},
	{"negative", "a negative number where there is none", "a3 01 00 02 40 04 81 20"},
	{"list-for-map", "a list in place of the map", "82 00 40"},
	{"map-order", "the keys of a map in another order", "a3 01 00 02 40 08 a2 0a 40 01 40"},
	{"map-twice", "a key of a map twice", "a3 01 00 02 40 08 a2 01 40 01 40"},
	{"huge-list", "a list that says it has 2^40 elements", "a3 01 00 02 40 04 9b 0000010000000000"},
	{"huge-bytes", "bytes that say they are 2^63 long", "a2 01 00 02 5b 8000000000000000"},
	{"huge-map", "a map that says it has 2^32 pairs", "ba ffffffff"},
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, c := range badCases {
		v := new(sample)
		if err := Unmarshal(unhex(t, c.text), 1<<20, v); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %+v (%v)", c.name, v, err)
		}
	}
}

func TestLimit(t *testing.T) {
	data := unhex(t, goodCases[0].text)
	for limit := range 10 {
		err := Unmarshal(data, limit, new(sample))
		if (err == nil) != (limit >= len(data)) || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func TestNesting(t *testing.T) {
	deep := func(n int) []byte {
		v := &sample{B: []byte{}}
		for range n - 1 {
			v = &sample{B: []byte{}, P: v}
		}
		return MustMarshal(v)
	}
	if err := Unmarshal(deep(MaxNesting), 1<<20, new(sample)); err != nil {
		t.Errorf("%d maps in each other: %v", MaxNesting, err)
	}
	if err := Unmarshal(deep(MaxNesting+1), 1<<20, new(sample)); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("%d maps in each other: %v", MaxNesting+1, err)
	}
}

func TestElementsAndPairs(t *testing.T) {
	list := func(n int) []byte { return MustMarshal(sample{B: []byte{}, L: make([]uint64, n)}) }
	pairs := func(n int) []byte {
		v := sample{B: []byte{}, M: map[uint64][]byte{}}
		for i := range n {
			v.M[uint64(i)] = []byte{}
		}
		return MustMarshal(v)
	}
	for name, c := range map[string]struct {
		data []byte
		good bool
	}{
		"the longest list":  {list(MaxElements), true},
		"a longer list":     {list(MaxElements + 1), false},
		"the most pairs":    {pairs(MaxPairs), true},
		"one pair too many": {pairs(MaxPairs + 1), false},
	} {
		if err := Unmarshal(c.data, 1<<24, new(sample)); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingLooseEitherWay holds the rules that no type of ours should need.
func TestNothingLooseEitherWay(t *testing.T) {
	for name, v := range map[string]any{
		"a float": 1.5, "a float in a field": loose{P: &sample{}}, "a nil pointer": struct {
			P *sample `cbor:"1,keyasint"`
		}{}, "nil": nil, "a channel": make(chan int), "a function": func() {},
	} {
		if data, err := Marshal(v); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("%s: %x (%v)", name, data, err)
		}
	}
	var f struct {
		F float64 `cbor:"1,keyasint"`
	}
	if err := Unmarshal(unhex(t, "a1 01 f93c00"), 100, &f); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a float is read: %v (%v)", f, err)
	}
	var p struct {
		P *sample `cbor:"1,keyasint"`
	}
	if err := Unmarshal(unhex(t, "a1 01 f6"), 100, &p); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a null is read: %v (%v)", p, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("MustMarshal of a float does not panic")
		}
	}()
	MustMarshal(1.5)
}

func TestUnmarshalIgnoresWhatWasThere(t *testing.T) {
	v := sample{S: "old"}
	if err := Unmarshal(unhex(t, goodCases[0].text), 100, &v); err == nil {
		t.Errorf("what was there before passes as read: %+v", v)
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]int{
		"":                       -1,
		"a1":                     -1,
		"a1 01":                  -1,
		"a1 01 01":               1,
		"a2 01 02 63 00":         2,
		"b7 01 18 63":            99,
		"a2 01 19 0100":          256,
		"a2 01 19 01":            -1,
		"a2 02 01":               -1,
		"a2 01 40":               -1,
		"a2 01 20":               -1,
		"81 01 01":               -1,
		"a0 01 01":               -1,
		"b8 01 01":               -1,
		"a1 01 1c":               -1,
		"a1 01 1b00000000000000": -1,
	} {
		v, ok := Version(unhex(t, text))
		if ok != (want >= 0) || ok && v != uint64(want) {
			t.Errorf("%q: %d, %t", text, v, ok)
		}
	}
}

func TestErrorsSayWhat(t *testing.T) {
	err := Unmarshal([]byte{0xf6}, 0, new(sample))
	if err == nil || !strings.Contains(err.Error(), "1 bytes, at most 0 allowed") || !strings.Contains(err.Error(), "canonical.sample") {
		t.Errorf("the error says %v", err)
	}
}

// FuzzUnmarshal reads bytes of a server's choice: what is read prints as the
// same bytes and reads back as the same value.
func FuzzUnmarshal(f *testing.F) {
	for _, c := range goodCases {
		f.Add(unhex(f, c.text))
	}
	for _, c := range badCases {
		f.Add(unhex(f, c.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		Version(data)
		var v, again sample
		if err := Unmarshal(data, 1<<16, &v); err != nil {
			if protocol.KindOf(err) != protocol.KindUntrusted {
				t.Fatalf("refused as %s", protocol.KindOf(err))
			}
			return
		}
		out, err := Marshal(v)
		if err != nil || !bytes.Equal(out, data) {
			t.Fatalf("prints as %x (%v)", out, err)
		}
		if err := Unmarshal(out, len(out), &again); err != nil || !reflect.DeepEqual(v, again) {
			t.Fatalf("reads back as %+v (%v)", again, err)
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	data := MustMarshal(goodCases[1].value)
	for b.Loop() {
		if err := Unmarshal(data, 1000, new(sample)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPlain holds the second look at bytes by itself: what it says must not
// hang on what the decoder refused before.
func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"":                     true,
		"00":                   true,
		"20":                   true,
		"f4":                   true,
		"f5":                   true,
		"82 f4 f5":             true,
		"a2 01 f4 02 42 f6f7":  true, // null and undefined inside bytes are bytes
		"43 c10000":            true,
		"f6":                   false,
		"f7":                   false,
		"f8 20":                false,
		"e0":                   false,
		"f9 0000":              false,
		"fa 00000000":          false,
		"fb 0000000000000000":  false,
		"81 f6":                false,
		"c1 00":                false,
		"a1 01 c1 00":          false,
		"42 00":                false,
		"5b ffffffffffffffff":  false,
		"18":                   false,
		"19 00":                false,
		"1c":                   false,
		"1c 00 00 00 00 00 00": false,
		"9f ff":                false,
		"5f 40 ff":             false,
		"ff":                   false,
	} {
		if got := plain(unhex(t, text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	for _, reserved := range []byte{28, 29, 30, 31} {
		if _, n := head(append([]byte{reserved}, make([]byte, 300)...)); n != 0 {
			t.Errorf("the reserved head %d has %d bytes", reserved, n)
		}
	}
}
