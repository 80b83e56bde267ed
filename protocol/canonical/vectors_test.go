// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package canonical

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "canonical",
		Generate: generate,
		Check:    map[string]func(*testing.T, *vectors.Vector){"canonical": check},
	})
}

func generate(t *testing.T) []*vectors.Vector {
	var list []*vectors.Vector
	add := func(name, says, expect, text string) *vectors.Vector {
		v := vectors.New("canonical-"+strings.ReplaceAll(name, " ", "-"), says, "canonical", expect).With("type", "sample")
		if b := unhex(t, text); len(b) > 0 {
			v.Parts = append(v.Parts, b)
		}
		list = append(list, v)
		return v
	}
	for _, c := range goodCases {
		v := add(c.name, "the encoding of the value that the header spells out", vectors.Valid, c.text)
		spell(v, "", &c.value)
	}
	for _, c := range badCases {
		add("bad-"+c.name, c.says, string(protocol.KindUntrusted), c.text)
	}
	return list
}

// spell writes a value into header lines, one a field that is there.
func spell(v *vectors.Vector, prefix string, s *sample) {
	v.With(prefix+"1", fmt.Sprint(s.N)).With(prefix+"2", fmt.Sprintf("h'%x'", s.B))
	if s.H != [4]byte{} {
		v.With(prefix+"3", fmt.Sprintf("h'%x'", s.H))
	}
	if len(s.L) > 0 {
		v.With(prefix+"4", fmt.Sprint(s.L))
	}
	if s.S != "" {
		v.With(prefix+"5", s.S)
	}
	if s.T {
		v.With(prefix+"6", "true")
	}
	if s.P != nil {
		spell(v, prefix+"7.", s.P)
	}
	if len(s.M) > 0 {
		v.With(prefix+"8", fmt.Sprintf("%x", s.M))
	}
}

func check(t *testing.T, v *vectors.Vector) {
	if v.Text(t, "type") != "sample" {
		t.Fatal("the type is not known")
	}
	var s sample
	if !v.Expect(t, Unmarshal(v.Body(t), 1<<20, &s)) {
		return
	}
	want := &vectors.Vector{}
	spell(want, "", &s)
	for _, f := range want.Header {
		if got := v.Text(t, f.Key); got != f.Value {
			t.Errorf("field %s is read as %s, the vector says %s", f.Key, f.Value, got)
		}
	}
	if out := MustMarshal(s); !bytes.Equal(out, v.Body(t)) {
		t.Errorf("prints as %x", out)
	}
}
