// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix:   "statement",
		Generate: func(t *testing.T) []*vectors.Vector { return slices.Concat(signedVectors(t), pairVectors(t)) },
		Check: map[string]func(*testing.T, *vectors.Vector){
			"statement": checkSigned, "statement-pair": checkPair,
		},
	})
}

func signedVectors(t *testing.T) []*vectors.Vector {
	key := secret(t, "provider").Public()
	with := func(v *vectors.Vector) *vectors.Vector { return v.WithHex("key", key[:]) }
	var list []*vectors.Vector
	for _, s := range []Statement{aboutLedger(), aboutVault(), receipt()} {
		v := vectors.New("statement-"+s.Kind.String(), "a statement: "+s.Kind.String(), "statement", vectors.Valid, sign(t, s).Bytes())
		list = append(list, described(with(v).WithHex("seed", secret(t, "provider").Expose()), s))
	}
	empty := aboutVault()
	empty.Seq, empty.Hash, empty.Generation, empty.GenerationHash = 0, protocol.Hash{}, 0, protocol.Hash{}
	list = append(list, described(with(vectors.New("statement-vault-empty", "an empty vault", "statement", vectors.Valid, sign(t, empty).Bytes())).WithHex("seed", secret(t, "provider").Expose()), empty))
	bad := func(name, says string, kind protocol.Kind, raw []byte) {
		list = append(list, with(vectors.New("statement-bad-"+name, says, "statement", string(kind), raw)))
	}
	for says, s := range unsound() {
		bad(strings.ReplaceAll(says, " ", "-"), "signed, but unsound: "+says, protocol.KindUntrusted, forced(t, s))
	}
	newer, kind, raw := aboutLedger(), aboutLedger(), sign(t, aboutLedger()).Bytes()
	newer.Version, kind.Kind = 2, 4
	bad("version", "a version that is not known", protocol.KindUnsupported, forced(t, newer))
	bad("kind", "a kind that is not known", protocol.KindUnsupported, forced(t, kind))
	flipped := bytes.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	bad("signature", "a bit of the signature is flipped", protocol.KindUntrusted, flipped)
	bad("trailing", "one byte behind", protocol.KindUntrusted, append(bytes.Clone(raw), 0))
	return list
}

func described(v *vectors.Vector, s Statement) *vectors.Vector {
	return v.With("kind", s.Kind.String()).With("since", fmt.Sprint(int64(s.Since))).With("time", fmt.Sprint(int64(s.Time))).With("seq", fmt.Sprint(s.Seq)).With("name-version", fmt.Sprint(s.NameVersion))
}

func checkSigned(t *testing.T, v *vectors.Vector) {
	s, err := Key(v.Hex(t, "key")).Verify(v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	for _, f := range described(&vectors.Vector{}, s.Statement()).Header {
		if got := v.Text(t, f.Key); got != f.Value {
			t.Errorf("%s is %s, the vector says %s", f.Key, f.Value, got)
		}
	}
	secret, err := ParseSecret(v.Hex(t, "seed"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.Sign(s.Statement())
	if err != nil || !bytes.Equal(again.Bytes(), v.Body(t)) {
		t.Errorf("signs as other bytes: %v", err)
	}
}

// pairVectors are pairs of sound statements: do they contradict each other?
func pairVectors(t *testing.T) []*vectors.Vector {
	key := secret(t, "provider").Public()
	var list []*vectors.Vector
	for _, c := range pairs() {
		name := "statement-pair-" + strings.NewReplacer(" ", "-", ",", "").Replace(c.name)
		yes := map[bool]string{true: "yes", false: "no"}[c.want != ""]
		list = append(list, vectors.New(name, c.name, "statement-pair", vectors.Valid, sign(t, c.a).Bytes(), sign(t, c.b).Bytes()).
			WithHex("key", key[:]).With("contradict", yes))
	}
	return list
}

func checkPair(t *testing.T, v *vectors.Vector) {
	var pair [2]*Signed
	for i := range pair {
		s, err := Key(v.Hex(t, "key")).Verify(v.Parts[i])
		if !v.Expect(t, err) {
			return
		}
		pair[i] = s
	}
	if _, yes := Contradict(pair[0], pair[1]); yes != (v.Text(t, "contradict") == "yes") {
		t.Errorf("contradict: %t", yes)
	}
}

// FuzzVerify reads what a server may send as a statement.
func FuzzVerify(f *testing.F) {
	key := secret(f, "provider").Public()
	for _, s := range []Statement{aboutLedger(), aboutVault(), receipt()} {
		f.Add(sign(f, s).Bytes())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := parse(raw)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
				t.Fatalf("refused as %s", kind)
			}
			return
		}
		forced := Signed{s: e.Statement, key: key, raw: raw}
		if why, yes := Contradict(&forced, &forced); yes {
			t.Fatalf("it contradicts itself: %s", why)
		}
		s, err := key.Verify(raw)
		if err == nil && !bytes.Equal(sign(t, s.Statement()).Bytes(), raw) {
			t.Fatal("signs as other bytes")
		}
	})
}
