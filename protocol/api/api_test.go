// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
)

func TestInviteThereAndBack(t *testing.T) {
	for _, host := range []string{"192.168.1.5:8443", "cloud.example.org", "[2001:db8::1]:8443", "localhost:1"} {
		for _, pin := range []api.Pin{{}, {1, 2, 3}} {
			invite := api.GenerateInvite(host, pin, protocol.Hash{4})
			for _, text := range []string{invite.URL(), strings.ToUpper(invite.URL()), "\n  " + invite.URL() + " \r\n"} {
				got, err := api.ParseInvite(text)
				if err != nil || got != invite {
					t.Errorf("parse %q: %v", text, err)
				}
			}
		}
	}
}

func TestInviteVector(t *testing.T) {
	invite := api.Invite{Host: "example.org:8443", Secret: api.InviteSecret{1, 2, 3}, Pin: api.Pin{0xff}, World: protocol.Hash{0xee}}
	const want = "https://example.org:8443/i/aeaqeayaaaaaaaaaaaaaaaaaad7qaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab3qaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa3dpwbii"
	if got := invite.URL(); got != want {
		t.Errorf("url = %s, want %s", got, want)
	}
	if invite.Server() != "pin:ff"+strings.Repeat("00", 31) {
		t.Errorf("server = %s", invite.Server())
	}
	invite.Pin = api.Pin{}
	if invite.Server() != "host:example.org:8443" {
		t.Errorf("server = %s", invite.Server())
	}
}

func TestInviteRefusals(t *testing.T) {
	good := api.GenerateInvite("example.org:8443", api.Pin{7}, protocol.Hash{8})
	code := good.Code()
	flipped := []byte(code)
	flipped[20] = 'a' + (flipped[20]-'a'+1)%26
	cases := map[string]string{
		"nothing":            "",
		"only the code":      code,
		"http":               "http://example.org/i/" + code,
		"no host":            "https:///i/" + code,
		"user":               "https://eve@example.org/i/" + code,
		"password":           "https://eve:x@example.org/i/" + code,
		"query":              "https://example.org/i/" + code + "?x",
		"query before":       "https://example.org?/i/" + code,
		"fragment":           "https://example.org/i/" + code + "#x",
		"fragment before":    "https://example.org#/i/" + code,
		"other path":         "https://example.org/j/" + code,
		"deeper path":        "https://example.org/a/i/" + code,
		"space in the host":  "https://exam ple.org/i/" + code,
		"percent":            "https://example%2eorg/i/" + code,
		"one letter changed": "https://example.org/i/" + string(flipped),
		"one letter less":    "https://example.org/i/" + code[1:],
		"one letter more":    "https://example.org/i/" + code + "a",
		"padding":            "https://example.org/i/" + code + "=",
		"much too long":      "https://example.org/i/" + strings.Repeat("a", 4000),
	}
	for name, text := range cases {
		if _, err := api.ParseInvite(text); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v, want kind usage", name, err)
		}
	}
}

// TestInviteEveryLetterCounts changes each letter of a code to each other one.
func TestInviteEveryLetterCounts(t *testing.T) {
	code := api.GenerateInvite("h", api.Pin{9}, protocol.Hash{8}).Code()
	for i := range code {
		for _, c := range "abcdefghijklmnopqrstuvwxyz234567" {
			other := code[:i] + string(c) + code[i+1:]
			if _, err := api.ParseInviteCode(other); other != code && err == nil {
				t.Fatalf("letter %d changed to %c: accepted", i, c)
			}
		}
	}
}

func TestInviteOfNewerVersion(t *testing.T) {
	raw := make([]byte, 80, 84)
	raw[0] = 2
	sum := sha256.Sum256(raw)
	code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(raw, sum[:4]...))
	if _, err := api.ParseInviteCode(strings.ToLower(code)); protocol.KindOf(err) != protocol.KindUnsupported {
		t.Errorf("version 2: %v, want kind unsupported", err)
	}
}

// TestEncodings holds the bytes that are signed or listed to what they were when
// version 1 was written.
func TestEncodings(t *testing.T) {
	thirtyTwo := func(b string) string { return "5820" + b + strings.Repeat("00", 31) }
	claim := api.SessionClaim{Server: "pin:00", Account: protocol.AccountID{1}, Member: protocol.MemberID{2}, Nonce: api.Nonce{3}}
	if got, want := hex.EncodeToString(claim.Bytes()), "a4"+"01"+"6670696e3a3030"+"02"+thirtyTwo("01")+"03"+thirtyTwo("02")+"04"+thirtyTwo("03"); got != want {
		t.Errorf("claim = %s, want %s", got, want)
	}
	record := api.PackRecord{Cursor: 300, Statement: []byte("st"), Received: 5, Retired: 0}
	if got, want := hex.EncodeToString(record.Marshal()), "a4"+"01"+"19012c"+"02"+"427374"+"03"+"05"+"04"+"00"; got != want {
		t.Errorf("pack record = %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(api.AppendRecord(nil, []byte("abc"))), "00000003616263"; got != want {
		t.Errorf("record = %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(api.BlockHead{Status: api.BlockRetired, Length: 258}.Append(nil)), "020000000000000102"; got != want {
		t.Errorf("block head = %s, want %s", got, want)
	}
	secret := api.InviteSecret{1}
	if got, want := secret.Hash(), sha256.Sum256(append([]byte("solekey/v1/invite\x00\x01"), make([]byte, 14)...)); got != want {
		t.Errorf("hash of an invite's secret = %s", got)
	}
}

// TestJSONForms holds the names of fields to the contract.
func TestJSONForms(t *testing.T) {
	member := protocol.MemberID{}
	for want, value := range map[string]any{
		`{"account":"` + zeros(64) + `","member":"` + zeros(64) + `"}`:                                                 api.ChallengeRequest{},
		`{"seq":1,"hash":"` + zeros(64) + `"}`:                                                                         api.LedgerHead{Seq: 1},
		`{"seq":0,"hash":"` + zeros(64) + `","generation":2,"generation_hash":"` + zeros(64) + `"}`:                    api.Head{Generation: 2},
		`{"seq":1,"hash":"` + zeros(64) + `","receipt":"AQ=="}`:                                                        api.Appended{LedgerHead: api.LedgerHead{Seq: 1}, Receipt: []byte{1}},
		`{"seq":1,"hash":"` + zeros(64) + `","generation":0,"generation_hash":"` + zeros(64) + `","statement":"AQ=="}`: api.HeadAnswer{Head: api.Head{Seq: 1}, Statement: []byte{1}},
		`{"account":"` + zeros(64) + `"}`:                                                                              api.Created{},
		`{"entries":null,"objects":null,"more":true,"statement":"AQ=="}`:                                               api.LedgerPage{More: true, Statement: []byte{1}},
		`{"world":"` + zeros(64) + `","size":3,"periods":[{"period":"2026-11","indexes":["` + zeros(64) + `"]}]}`:      api.AnchorsWanted{Size: 3, Periods: []api.AnchorPeriod{{Period: "2026-11", Indexes: []protocol.Hash{{}}}}},
		`{"anchors":[{"entry":"AQ==","box":"Ag=="}]}`:                                                                  api.AnchorsLeft{Anchors: []api.Anchor{{Entry: []byte{1}, Box: []byte{2}}}},
		`{"reads":[{"pack":"` + zeros(64) + `","offset":131072,"length":131072}]}`:                                     api.BlocksRequest{Reads: []api.Read{{Offset: 131072, Length: 131072}}},
		`{"states":["stored","retired","absent","dropped"]}`:                                                           api.StatResponse{States: []api.PackState{api.PackStored, api.PackRetired, api.PackAbsent, api.PackDropped}},
		`{"approved":true,"confirmation":"AQ=="}`:                                                                      api.EnrolmentOutcome{Approved: true, Confirmation: []byte{1}},
		`{"enrolment":"` + zeros(32) + `","state":"challenged","commitment":"AQ==","approver":"` + zeros(64) + `","created":1,"expires":2}`: api.Enrolment{
			State: api.EnrolmentChallenged, Commitment: []byte{1}, Approver: &member, Created: 1, Expires: 2,
		},
		`{"kind":"conflict","message":"m","ledger_head":{"seq":3,"hash":"` + zeros(64) + `"}}`: api.Error{Kind: protocol.KindConflict, Message: "m", LedgerHead: &api.LedgerHead{Seq: 3}},
		`{"kind":"too-many","message":"m","retry_after":9}`:                                    api.Error{Kind: protocol.KindTooMany, Message: "m", RetryAfter: 9},
		`{"account":"` + zeros(64) + `","token":"t","scope":"enrol","expires":4}`:              api.Session{Token: "t", Scope: api.ScopeEnrol, Expires: 4},
		`{"request_id":"` + zeros(32) + `","seq":0,"prev":"` + zeros(64) + `","entries":["AQ=="],"objects":null,"recovery":[{"locator":"` + zeros(64) + `","box":"Ag=="}],"update":"Aw==","opening":"BA=="}`: api.LedgerAppend{
			Entries: [][]byte{{1}}, Recovery: []api.RecoveryBox{{Box: []byte{2}}}, Update: []byte{3}, Opening: []byte{4},
		},
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("%T = %s, %v; want %s", value, got, err, want)
		}
	}
}

func zeros(n int) string { return strings.Repeat("0", n) }

func TestInviteSecretIsHidden(t *testing.T) {
	invite := api.GenerateInvite("h", api.Pin{}, protocol.Hash{8})
	encoded, err := json.Marshal(invite)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(invite), fmt.Sprintf("%+v %#v %s %v", invite, invite, invite.Secret, invite.Secret), string(encoded)} {
		if strings.Contains(text, invite.Code()) || strings.Contains(text, fmt.Sprint([15]byte(invite.Secret))) {
			t.Errorf("the secret shows in %q", text)
		}
	}
	if invite.Secret.Hash() == (api.InviteSecret{}).Hash() {
		t.Error("two secrets have one hash")
	}
}

func FuzzInvite(f *testing.F) {
	f.Add(api.GenerateInvite("example.org:8443", api.Pin{1}, protocol.Hash{8}).URL())
	f.Add("https://[::1]/i/")
	f.Add(strings.ToUpper(api.GenerateInvite("h", api.Pin{}, protocol.Hash{8}).URL()))
	f.Fuzz(func(t *testing.T, text string) {
		invite, err := api.ParseInvite(text)
		if err != nil {
			return
		}
		if again := invite.URL(); again != strings.ToLower(strings.TrimSpace(text)) {
			t.Fatalf("%q parses and prints as %q", text, again)
		}
	})
}

func TestRecords(t *testing.T) {
	records := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), 1000)}
	var body []byte
	for _, r := range records {
		body = api.AppendRecord(body, r)
	}
	in := bytes.NewReader(body)
	for _, want := range records {
		got, err := api.ReadRecord(in, 1000)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("record %q: %q, %v", want, got, err)
		}
	}
	if _, err := api.ReadRecord(in, 1000); !errors.Is(err, io.EOF) {
		t.Fatalf("end of the body: %v, want io.EOF", err)
	}
	for end := 1; end < len(body); end++ {
		if end == 7 || end == 11 {
			continue // a body may end between records
		}
		in, err := bytes.NewReader(body[:end]), error(nil)
		for err == nil {
			_, err = api.ReadRecord(in, 1000)
		}
		if protocol.KindOf(err) != protocol.KindUntrusted {
			t.Fatalf("cut at %d: %v, want kind untrusted", end, err)
		}
	}
	if _, err := api.ReadRecord(bytes.NewReader(body[11:]), 999); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Fatalf("a record over the limit: %v", err)
	}
	if _, err := api.ReadRecord(strings.NewReader("\xff\xff\xff\xff"), 1<<20); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Fatalf("a huge length: %v", err)
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add(api.AppendRecord(nil, []byte("abc")))
	f.Add([]byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		in := bytes.NewReader(body)
		var again []byte
		for {
			record, err := api.ReadRecord(in, 1<<16)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			again = api.AppendRecord(again, record)
		}
		if !bytes.Equal(again, body) {
			t.Fatalf("%x reads and writes as %x", body, again)
		}
	})
}

func TestBlockHead(t *testing.T) {
	for _, head := range []api.BlockHead{{}, {Status: api.BlockAbsent}, {Status: api.BlockRetired, Length: api.MaxPack}, {Length: 131072}} {
		raw := head.Append([]byte("x"))[1:]
		got, err := api.ReadBlockHead(bytes.NewReader(raw))
		if err != nil || got != head || len(raw) != api.BlockHeadSize {
			t.Errorf("%+v: %+v, %v", head, got, err)
		}
	}
	for _, raw := range []string{"\x03\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\xff\xff\xff\xff\xff\xff\xff\xff", "\x00\x00\x00\x00\x00\x02\x00\x00\x01", "\x00\x00"} {
		if _, err := api.ReadBlockHead(strings.NewReader(raw)); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%x: %v, want kind untrusted", raw, err)
		}
	}
}

func TestReadCheck(t *testing.T) {
	const b = api.BlockSize
	for _, good := range []api.Read{{Offset: 0, Length: b}, {Offset: 5 * b, Length: 2 * b}, {Offset: api.MaxPack, Length: b}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, bad := range []api.Read{{}, {Offset: 1, Length: b}, {Length: b - 1}, {Offset: -b, Length: b}, {Length: -b}, {Length: api.MaxPack + b}, {Offset: 1 << 62, Length: b}} {
		if err := bad.Check(); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%+v: %v, want kind usage", bad, err)
		}
	}
}

func TestPackRecord(t *testing.T) {
	r := api.PackRecord{Cursor: 7, Statement: []byte("statement"), Received: 8, Retired: 9}
	got, err := api.ParsePackRecord(r.Marshal())
	if err != nil || got.Cursor != 7 || string(got.Statement) != "statement" || got.Received != 8 || got.Retired != 9 {
		t.Fatalf("%+v, %v", got, err)
	}
	for cut := range len(r.Marshal()) {
		if _, err := api.ParsePackRecord(r.Marshal()[:cut]); err == nil {
			t.Fatalf("cut at %d: accepted", cut)
		}
	}
}

func FuzzPackRecord(f *testing.F) {
	f.Add(api.PackRecord{Cursor: 1, Statement: []byte("x")}.Marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := api.ParsePackRecord(data); err == nil && !bytes.Equal(r.Marshal(), data) {
			t.Fatalf("%x parses and prints as %x", data, r.Marshal())
		}
	})
}

func TestSessionClaim(t *testing.T) {
	member := keys.GenerateMemberSecrets()
	claim := api.SessionClaim{Server: "pin:00", Account: protocol.AccountID{1}, Member: member.ID(), Nonce: api.Nonce{2}}
	signature := claim.Sign(member.Signing)
	key := member.Signing.Public()
	if err := claim.Verify(&key, signature); err != nil {
		t.Fatal(err)
	}
	changed := map[string]func(*api.SessionClaim){
		"server":  func(c *api.SessionClaim) { c.Server = "pin:01" },
		"account": func(c *api.SessionClaim) { c.Account[0]++ },
		"member":  func(c *api.SessionClaim) { c.Member[0]++ },
		"nonce":   func(c *api.SessionClaim) { c.Nonce[0]++ },
	}
	for name, change := range changed {
		other := claim
		change(&other)
		if err := other.Verify(&key, signature); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s changed: %v, want kind untrusted", name, err)
		}
	}
	if err := claim.Verify(&key, signature[1:]); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("a short signature: %v", err)
	}
}

// TestStatuses holds every kind to a status that a client without the body
// reads as something alike.
func TestStatuses(t *testing.T) {
	for kind, want := range map[protocol.Kind]int{
		protocol.KindUsage: 400, protocol.KindWrongSecret: 401, protocol.KindDenied: 403, protocol.KindRemoved: 403,
		protocol.KindNotFound: 404, protocol.KindConflict: 409, protocol.KindExists: 409, protocol.KindUntrusted: 422,
		protocol.KindTooMany: 429, protocol.KindQuota: 507, protocol.KindFull: 507, protocol.KindInternal: 500, "nonsense": 500,
		protocol.KindBusy: 503, protocol.KindUnreachable: 503, protocol.KindUnsupported: 400, protocol.KindWaiting: 409,
	} {
		if got := api.Status(kind); got != want {
			t.Errorf("%s travels under %d, want %d", kind, got, want)
		}
	}
	for status, want := range map[int]protocol.Kind{
		400: protocol.KindUsage, 413: protocol.KindUsage, 401: protocol.KindDenied, 403: protocol.KindDenied, 404: protocol.KindNotFound,
		409: protocol.KindConflict, 422: protocol.KindUntrusted, 429: protocol.KindTooMany, 502: protocol.KindUnreachable,
		503: protocol.KindUnreachable, 507: protocol.KindFull, 500: protocol.KindInternal, 418: protocol.KindInternal,
	} {
		if got := api.KindOfStatus(status); got != want {
			t.Errorf("status %d is read as %s, want %s", status, got, want)
		}
	}
}

func TestPaths(t *testing.T) {
	account, vault, pack := protocol.AccountID{1}, protocol.VaultID{2}, protocol.PackID{3}
	want := "/v1/accounts/01" + strings.Repeat("00", 31) + "/vaults/02" + strings.Repeat("00", 15) + "/packs/03" + strings.Repeat("00", 31)
	if got := api.PathPack(account, vault, pack); got != want {
		t.Errorf("path = %s, want %s", got, want)
	}
	for got, prefix := range map[string]string{
		api.PathLogin("x"):                         "/v1/logins/x",
		api.PathLedger(account):                    api.PathAccount(account) + "/ledger",
		api.PathEnrolment(protocol.RequestID{}):    "/v1/enrolments/" + strings.Repeat("0", 32),
		api.PathRecoveryBox(protocol.Hash{}):       "/v1/recovery/" + strings.Repeat("0", 64),
		api.PathVault(account, vault) + "/packs/0": api.PathVault(account, vault) + api.BelowPacks,
	} {
		if !strings.HasPrefix(got, prefix) {
			t.Errorf("path %s does not begin with %s", got, prefix)
		}
	}
}
