// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
)

// oneOfEach gives an entry's fields for every body, by its kind.
func oneOfEach() map[string]Body {
	hash := object("something")
	return map[string]Body{
		"genesis":         {Genesis: &Genesis{Device: *member("A").Public()}},
		"add device":      {AddDevice: &AddDevice{Device: *member("B").Public(), Role: protocol.RoleWriter}},
		"remove device":   {RemoveDevice: &RemoveDevice{Device: id("B"), Heads: []VaultHead{{Vault: vault("docs"), Seq: 1, Hash: hash}}}},
		"grant":           {Grant: &Grant{Member: id("B"), Vault: vault("docs"), Wrap: hash}},
		"rotate":          {Rotate: &Rotate{Epoch: 2, Wraps: []MemberWrap{{id("A"), hash}}, Link: hash}},
		"create vault":    {CreateVault: &CreateVault{Vault: vault("docs"), Category: 1, Key: vaultSecret("docs", 1).Public(), Secrets: hash}},
		"rotate vault":    {RotateVault: &RotateVault{Vault: vault("docs"), Epoch: 2, Key: vaultSecret("docs", 2).Public(), Secrets: hash}},
		"set protection":  {SetProtection: &SetProtection{Category: 1, Level: 1}},
		"add recovery":    {AddRecovery: &AddRecovery{Keys: *member("R").Public()}},
		"remove recovery": {RemoveRecovery: &RemoveRecovery{Member: id("R")}},
		"close":           {Close: &Close{}},
		"veto":            {Veto: &Veto{Entry: hash}},
		"complete":        {Complete: &Complete{Entry: hash}},
		"name":            {Name: &Name{Member: id("A"), Epoch: 1, Box: []byte("box")}},
	}
}

// seal signs fields that Sign would not.
func sealed(f fields, by *keys.MemberSecrets) []byte {
	sig := by.Signing.Sign(keys.PurposeLedgerEntry, f.signed())
	f.Signature = &sig
	return canonical.MustMarshal(f)
}

func plainFields(b Body) fields {
	return fields{Version: 1, Account: protocol.AccountID{1}, Seq: 3, Prev: protocol.Hash{2}, Time: 4, Body: b, Signer: id("A")}
}

func TestEveryBodyParsesAndPrintsTheSame(t *testing.T) {
	bodies := oneOfEach()
	if n := reflect.TypeFor[Body]().NumField(); n != len(bodies) {
		t.Fatalf("%d bodies, %d are tried", n, len(bodies))
	}
	for kind, body := range bodies {
		raw := sealed(plainFields(body), member("A"))
		e, err := Parse(raw)
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		if !bytes.Equal(canonical.MustMarshal(e.f), raw) || !bytes.Equal(e.Bytes(), raw) {
			t.Errorf("%s: prints as other bytes", kind)
		}
		if got := e.Body().Kind(); got != kind {
			t.Errorf("%s: is called %s", kind, got)
		}
		if e.Seq() != 3 || e.Prev() != (protocol.Hash{2}) || e.Time() != 4 || e.Signer() != id("A") || e.Account() != (protocol.AccountID{1}) {
			t.Errorf("%s: the fields come out wrong", kind)
		}
	}
}

func TestParseKeepsNothingOfTheCallers(t *testing.T) {
	raw := sealed(plainFields(Body{Close: &Close{}}), member("A"))
	e, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-1] ^= 1
	if bytes.Equal(e.Bytes(), raw) {
		t.Error("an entry changes with the bytes it was read from")
	}
}

func TestSignKeepsNothingOfTheCallers(t *testing.T) {
	s := tell(t, begin)
	b := Body{RemoveRecovery: &RemoveRecovery{Member: id("R")}}
	e, err := Sign(s.state, 0, b, member("A"))
	if err != nil {
		t.Fatal(err)
	}
	b.RemoveRecovery.Member = id("A")
	if _, err := s.state.Extend([]*Entry{e}, nil); err != nil {
		t.Errorf("an entry changes with the body it was signed for: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	both := Body{Close: &Close{}, Veto: &Veto{Entry: object("x")}}
	hash := object("x")
	unsorted := []VaultHead{{Vault: protocol.VaultID{2}}, {Vault: protocol.VaultID{1}}}
	twice := []VaultHead{{Vault: protocol.VaultID{1}}, {Vault: protocol.VaultID{1}}}
	a, b := protocol.MemberID{1}, protocol.MemberID{2}
	for name, c := range map[string]struct {
		body  Body
		words string
	}{
		"no body":                    {Body{}, "0 bodies"},
		"two bodies":                 {both, "2 bodies"},
		"heads in another order":     {Body{RemoveDevice: &RemoveDevice{Heads: unsorted}}, "ascending"},
		"a vault's head twice":       {Body{RemoveDevice: &RemoveDevice{Heads: twice}}, "ascending"},
		"a head without its hash":    {Body{RemoveDevice: &RemoveDevice{Heads: []VaultHead{{Seq: 1}}}}, "wrong hash"},
		"no head with a hash":        {Body{RemoveDevice: &RemoveDevice{Heads: []VaultHead{{Hash: hash}}}}, "wrong hash"},
		"wraps in another order":     {Body{Rotate: &Rotate{Epoch: 1, Wraps: []MemberWrap{{b, hash}, {a, hash}}}}, "ascending"},
		"a member's wrap twice":      {Body{Rotate: &Rotate{Epoch: 1, Wraps: []MemberWrap{{a, hash}, {a, hash}}}}, "ascending"},
		"a wrap that is none":        {Body{Rotate: &Rotate{Epoch: 1, Wraps: []MemberWrap{{Member: a}}}}, "names no wrap or box"},
		"a grant of nothing":         {Body{Grant: &Grant{Member: a, Epoch: 1}}, "names no wrap or box"},
		"a vault without secrets":    {Body{CreateVault: &CreateVault{}}, "names no wrap or box"},
		"a rotation without secrets": {Body{RotateVault: &RotateVault{}}, "names no wrap or box"},
		"a label too long":           {Body{Name: &Name{Box: make([]byte, MaxLabelSize+1)}}, "label of 1025 bytes"},
		"no label":                   {Body{Name: &Name{}}, "label of 0 bytes"},
	} {
		e, err := Parse(sealed(plainFields(c.body), member("A")))
		if protocol.KindOf(err) != protocol.KindUntrusted || !strings.Contains(err.Error(), c.words) || e != nil {
			t.Errorf("%s: %v", name, err)
		}
		if e, err := Sign(nil, 0, c.body, member("A")); err == nil {
			t.Errorf("%s: signed as %+v", name, e)
		}
	}
	if _, err := Parse(sealed(plainFields(Body{Name: &Name{Box: make([]byte, MaxLabelSize)}}), member("A"))); err != nil {
		t.Errorf("the longest label: %v", err)
	}
}

func TestParseRefusesBytes(t *testing.T) {
	raw := sealed(plainFields(Body{Close: &Close{}}), member("A"))
	unsigned := plainFields(Body{Close: &Close{}})
	newer := unsigned
	newer.Version = 2
	long := Body{Rotate: &Rotate{Epoch: 1}}
	for i := range 1000 {
		long.Rotate.Wraps = append(long.Rotate.Wraps, MemberWrap{protocol.MemberID{byte(i >> 8), byte(i)}, object("x")})
	}
	for name, c := range map[string]struct {
		raw  []byte
		kind protocol.Kind
	}{
		"nothing":            {nil, protocol.KindUntrusted},
		"something behind":   {append(bytes.Clone(raw), 0), protocol.KindUntrusted},
		"the last byte off":  {raw[:len(raw)-1], protocol.KindUntrusted},
		"no signature":       {unsigned.signed(), protocol.KindUntrusted},
		"a newer version":    {sealed(newer, member("A")), protocol.KindUnsupported},
		"version 0":          {sealed(fields{Body: unsigned.Body}, member("A")), protocol.KindUnsupported},
		"a newer field":      {[]byte{0xa2, 0x01, 0x02, 0x18, 0x63, 0x00}, protocol.KindUnsupported},
		"an unknown field":   {[]byte{0xa2, 0x01, 0x01, 0x18, 0x63, 0x00}, protocol.KindUntrusted},
		"no map":             {[]byte{0x80}, protocol.KindUntrusted},
		"an entry too long":  {sealed(plainFields(long), member("A")), protocol.KindUntrusted},
		"an empty signature": {append(append([]byte{0xa8}, raw[1:len(raw)-keys.SignatureSize-4]...), 0x08, 0x40), protocol.KindUntrusted},
	} {
		e, err := Parse(c.raw)
		if protocol.KindOf(err) != c.kind || e != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sign(nil, 0, long, member("A")); err == nil {
		t.Error("an entry too long is signed")
	}
}

func TestObjects(t *testing.T) {
	h, l := object("wrap"), object("link")
	for kind, body := range oneOfEach() {
		want := map[string]int{"grant": 1, "rotate": 2, "create vault": 1, "rotate vault": 1}[kind]
		if got := body.Objects(); len(got) != want {
			t.Errorf("%s: names objects %v", kind, got)
		}
	}
	r := Body{Rotate: &Rotate{Wraps: []MemberWrap{{id("A"), h}}}}
	if got := r.Objects(); len(got) != 1 || got[0] != h {
		t.Errorf("a first rotation names %v", got)
	}
	r.Rotate.Link = l
	if got := r.Objects(); len(got) != 2 || got[1] != l {
		t.Errorf("a rotation names %v", got)
	}
	if kind := (&Body{}).Kind(); kind != "nothing" {
		t.Errorf("no body is called %s", kind)
	}
}
