// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/test/vectors"
)

func TestVectors(t *testing.T) {
	vectors.Run(t, vectors.Suite{
		Prefix: "api",
		Generate: func(t *testing.T) []*vectors.Vector {
			return slices.Concat(inviteVectors(), badInviteVectors(), nameVectors(), claimVectors(), recordVectors(), frameVectors())
		},
		Check: map[string]func(*testing.T, *vectors.Vector){
			"api-invite":      checkInvite,
			"api-name":        checkName,
			"api-claim":       checkClaim,
			"api-pack-record": checkPackRecord,
			"api-records":     checkRecords,
			"api-block-head":  checkBlockHead,
		},
	})
}

// counting returns n bytes that count up from the first.
func counting(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func vectorInvite() api.Invite {
	return api.Invite{
		Host: "cloud.example.org:8443", Secret: api.InviteSecret(counting(0x10, 15)),
		Pin: api.Pin(counting(0x40, 32)), World: protocol.Hash(counting(0x80, 32)),
	}
}

func inviteVectors() []*vectors.Vector {
	public, link := vectorInvite(), vectorInvite()
	public.Host, public.Pin = "example.org", api.Pin{}
	link.Secret, link.World = api.InviteSecret{}, protocol.Hash{}
	var list []*vectors.Vector
	for _, c := range []struct {
		name, says string
		invite     api.Invite
	}{
		{"pinned", "an invite of a server that is known by its key", vectorInvite()},
		{"public", "an invite of a server that a public authority vouches for", public},
		{"link", "a link for a further device: no secret, no world", link},
	} {
		hash := c.invite.Secret.Hash()
		list = append(list, vectors.New("api-invite-"+c.name, c.says, "api-invite", vectors.Valid).
			With("url", c.invite.URL()).With("host", c.invite.Host).With("server", c.invite.Server()).
			WithHex("secret", c.invite.Secret[:]).WithHex("secret-hash", hash[:]).
			WithHex("pin", c.invite.Pin[:]).WithHex("world", c.invite.World[:]))
	}
	return list
}

func badInviteVectors() []*vectors.Vector {
	good, bare := vectorInvite(), vectorInvite()
	bare.World = protocol.Hash{}
	mistyped := []byte(good.URL())
	mistyped[len(mistyped)-20]++
	var list []*vectors.Vector
	for _, c := range []struct{ name, says, url string }{
		{"mistyped", "one letter is another one", string(mistyped)},
		{"short", "the last letter is missing", good.URL()[:len(good.URL())-1]},
		{"http", "not over TLS", "http" + good.URL()[len("https"):]},
		{"query", "something behind the code", good.URL() + "?x"},
		{"no-world", "an invite to a new account that names no world", bare.URL()},
	} {
		list = append(list, vectors.New("api-invite-bad-"+c.name, c.says, "api-invite", string(protocol.KindUsage)).With("url", c.url))
	}
	return list
}

func checkInvite(t *testing.T, v *vectors.Vector) {
	invite, err := api.ParseInvite(v.Text(t, "url"))
	if !v.Expect(t, err) {
		return
	}
	hash := invite.Secret.Hash()
	for key, got := range map[string][]byte{"secret": invite.Secret[:], "secret-hash": hash[:], "pin": invite.Pin[:], "world": invite.World[:]} {
		if want := v.Hex(t, key); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", key, got, want)
		}
	}
	if invite.Host != v.Text(t, "host") || invite.Server() != v.Text(t, "server") || invite.URL() != v.Text(t, "url") {
		t.Errorf("host %s, server %s, url %s", invite.Host, invite.Server(), invite.URL())
	}
}

// nameVectors hold names as bytes: what differs in them may look alike.
func nameVectors() []*vectors.Vector {
	var list []*vectors.Vector
	for _, c := range []struct{ name, says, typed string }{
		{"plain", "as it is", "anna"},
		{"case", "letters become small", "Anna.MÜLLER@Example"},
		{"wide", "full-width letters become the plain ones", "ａｎｎａ"},
		{"composed", "a letter and its accent become one", "ande\u0301"},
	} {
		canonical, err := api.CanonicalName(c.typed)
		if err != nil {
			panic("solekey: internal error: " + err.Error())
		}
		list = append(list, vectors.New("api-name-"+c.name, c.says, "api-name", vectors.Valid, []byte(c.typed), []byte(canonical)))
	}
	for _, c := range []struct{ name, says, typed string }{
		{"space", "a space", "an na"},
		{"zero-width", "a letter that does not show", "an\u200bna"},
		{"control", "a control character", "anna\n"},
		{"long", "65 bytes", "a" + string(bytes.Repeat([]byte("b"), 64))},
		{"mixed", "letters of both directions in one name", "anna\u05d0"},
	} {
		list = append(list, vectors.New("api-name-bad-"+c.name, c.says, "api-name", string(protocol.KindUsage), []byte(c.typed)))
	}
	return list
}

func checkName(t *testing.T, v *vectors.Vector) {
	name, err := api.CanonicalName(string(v.Parts[0]))
	if v.Expect(t, err) && name != string(v.Parts[1]) {
		t.Errorf("%q, want %q", name, v.Parts[1])
	}
}

func vectorClaim() api.SessionClaim {
	return api.SessionClaim{
		Server: vectorInvite().Server(), Account: protocol.AccountID(counting(1, 32)),
		Member: protocol.MemberID(counting(2, 32)), Nonce: api.Nonce(counting(3, 32)),
	}
}

func claimVectors() []*vectors.Vector {
	c := vectorClaim()
	return []*vectors.Vector{vectors.New("api-claim", "what a member signs to open a session", "api-claim", vectors.Valid, c.Bytes()).
		With("server", c.Server).WithHex("account", c.Account[:]).WithHex("member", c.Member[:]).WithHex("nonce", c.Nonce[:])}
}

func checkClaim(t *testing.T, v *vectors.Vector) {
	v.Expect(t, nil)
	claim := api.SessionClaim{
		Server: v.Text(t, "server"), Account: protocol.AccountID(v.Hex(t, "account")),
		Member: protocol.MemberID(v.Hex(t, "member")), Nonce: api.Nonce(v.Hex(t, "nonce")),
	}
	if !bytes.Equal(claim.Bytes(), v.Body(t)) {
		t.Errorf("%x", claim.Bytes())
	}
}

func recordVectors() []*vectors.Vector {
	stored := api.PackRecord{Cursor: 300, Statement: []byte("statement"), Received: 1_800_000_000_000_000_000}
	retired := stored
	retired.Retired = 1_800_000_000_000_000_001
	good := stored.Marshal()
	list := []*vectors.Vector{
		vectors.New("api-pack-record-bad-cut", "the end is missing", "api-pack-record", string(protocol.KindUntrusted), good[:len(good)-1]),
		vectors.New("api-pack-record-bad-more", "a byte behind the end", "api-pack-record", string(protocol.KindUntrusted), append(bytes.Clone(good), 0)),
	}
	for name, r := range map[string]api.PackRecord{"stored": stored, "retired": retired} {
		list = append(list, vectors.New("api-pack-record-"+name, "a pack in the listing of a vault", "api-pack-record", vectors.Valid, r.Marshal()).
			With("cursor", fmt.Sprint(r.Cursor)).WithHex("statement", r.Statement).
			With("received", fmt.Sprint(int64(r.Received))).With("retired", fmt.Sprint(int64(r.Retired))))
	}
	return list
}

func checkPackRecord(t *testing.T, v *vectors.Vector) {
	r, err := api.ParsePackRecord(v.Body(t))
	if !v.Expect(t, err) {
		return
	}
	got := []string{fmt.Sprint(r.Cursor), fmt.Sprintf("%x", r.Statement), fmt.Sprint(int64(r.Received)), fmt.Sprint(int64(r.Retired))}
	want := []string{v.Text(t, "cursor"), v.Text(t, "statement"), v.Text(t, "received"), v.Text(t, "retired")}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func frameVectors() []*vectors.Vector {
	body := api.AppendRecord(api.AppendRecord(nil, []byte("one")), counting(0, 40))
	bad := func(name, says, format string, body []byte) *vectors.Vector {
		return vectors.New(name, says, format, string(protocol.KindUntrusted), body)
	}
	return []*vectors.Vector{
		vectors.New("api-records", "a body of two records; the further parts are the records", "api-records", vectors.Valid, body, []byte("one"), counting(0, 40)),
		bad("api-records-bad-cut", "the body ends within a record", "api-records", body[:len(body)-1]),
		bad("api-records-bad-length", "the body ends within a length", "api-records", body[:9]),
		bad("api-records-bad-huge", "a record over the limit", "api-records", []byte{0xff, 0xff, 0xff, 0xff, 0}),
		vectors.New("api-block-head-stored", "heads the answer to a read", "api-block-head", vectors.Valid, api.BlockHead{Length: 131072}.Append(nil)).
			With("status", "0").With("length", "131072"),
		vectors.New("api-block-head-retired", "of a retired pack", "api-block-head", vectors.Valid, api.BlockHead{Status: api.BlockRetired, Length: 258}.Append(nil)).
			With("status", "2").With("length", "258"),
		bad("api-block-head-bad-status", "a status that there is not", "api-block-head", []byte{3, 0, 0, 0, 0, 0, 0, 0, 0}),
		bad("api-block-head-bad-length", "more than a pack has", "api-block-head", []byte{0, 0, 0, 0, 0, 2, 0, 0, 1}),
	}
}

func checkRecords(t *testing.T, v *vectors.Vector) {
	in := bytes.NewReader(v.Parts[0])
	var records [][]byte
	for {
		record, err := api.ReadRecord(in, 1<<20)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			v.Expect(t, err)
			return
		}
		records = append(records, record)
	}
	if v.Expect(t, nil) && !slices.EqualFunc(records, v.Parts[1:], bytes.Equal) {
		t.Errorf("records %x", records)
	}
}

func checkBlockHead(t *testing.T, v *vectors.Vector) {
	head, err := api.ReadBlockHead(bytes.NewReader(v.Body(t)))
	if !v.Expect(t, err) {
		return
	}
	if got := strconv.Itoa(int(head.Status)); got != v.Text(t, "status") || strconv.FormatInt(head.Length, 10) != v.Text(t, "length") {
		t.Errorf("status %s, length %d", got, head.Length)
	}
}
