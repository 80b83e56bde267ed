// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

func TestQuestionThereAndBack(t *testing.T) {
	for _, q := range []api.Question{{}, {Nonce: [16]byte{1}}, {Nonce: [16]byte{0xff, 15: 1}, After: 1}, {Nonce: [16]byte{1}, After: 1<<62 + 1}} {
		values, err := url.ParseQuery(q.Query())
		if err != nil {
			t.Fatal(err)
		}
		got, err := api.ParseQuestion(values.Get(api.QueryNonce), values.Get(api.QueryAfter))
		if err != nil || got != q || got.Asks() != (q != api.Question{}) {
			t.Errorf("%+v, query %q: %+v, %v", q, q.Query(), got, err)
		}
	}
}

func TestQuestionRefusals(t *testing.T) {
	nonce := strings.Repeat("0f", 16)
	for name, c := range map[string][2]string{
		"no nonce":         {"", "1"},
		"a short nonce":    {nonce[2:], "1"},
		"a long nonce":     {nonce + "00", "1"},
		"upper case":       {strings.ToUpper(nonce), "1"},
		"a nonce of zeros": {zeros(32), "1"},
		"no number":        {nonce, "x"},
		"before 1970":      {nonce, "-1"},
		"a sign":           {nonce, "+1"},
		"a leading zero":   {nonce, "01"},
		"too large":        {nonce, "9223372036854775808"},
	} {
		if q, err := api.ParseQuestion(c[0], c[1]); protocol.KindOf(err) != protocol.KindUsage || q.Asks() {
			t.Errorf("%s: %+v, %v, want kind usage", name, q, err)
		}
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add(strings.Repeat("0f", 16), "7")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, nonce, after string) {
		q, err := api.ParseQuestion(nonce, after)
		if err != nil || !q.Asks() {
			return
		}
		if after == "" {
			after = "0"
		}
		if want := api.QueryNonce + "=" + nonce + "&" + api.QueryAfter + "=" + after; q.Query() != want {
			t.Fatalf("%q, %q prints as %q", nonce, after, q.Query())
		}
	})
}

func TestAnchorLimits(t *testing.T) {
	period := func(n int) api.AnchorPeriod { return api.AnchorPeriod{Indexes: make([]protocol.Hash, n)} }
	for name, c := range map[string]struct {
		periods []api.AnchorPeriod
		good    bool
	}{
		"nothing":             {nil, false},
		"one":                 {[]api.AnchorPeriod{period(1)}, true},
		"all in one":          {[]api.AnchorPeriod{period(api.MaxAnchorIndexes)}, true},
		"one too many":        {[]api.AnchorPeriod{period(api.MaxAnchorIndexes), period(1)}, false},
		"periods alone":       {make([]api.AnchorPeriod, api.MaxAnchorIndexes), true},
		"too many of periods": {make([]api.AnchorPeriod, api.MaxAnchorIndexes+1), false},
	} {
		err := api.AnchorsWanted{Periods: c.periods}.Check()
		if c.good != (err == nil) || err != nil && protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := api.Anchor{Entry: make([]byte, api.MaxUpdate), Box: make([]byte, api.MaxAnchorBox)}
	many := make([]api.Anchor, api.MaxAnchors+1)
	for i := range many {
		many[i] = good
	}
	for name, c := range map[string]struct {
		anchors []api.Anchor
		good    bool
	}{
		"nothing":      {nil, false},
		"as many":      {many[1:], true},
		"too many":     {many, false},
		"no entry":     {[]api.Anchor{good, {Box: good.Box}}, false},
		"no box":       {[]api.Anchor{{Entry: good.Entry}}, false},
		"a huge entry": {[]api.Anchor{{Entry: make([]byte, api.MaxUpdate+1), Box: good.Box}}, false},
		"a huge box":   {[]api.Anchor{{Entry: good.Entry, Box: make([]byte, api.MaxAnchorBox+1)}}, false},
	} {
		err := api.AnchorsLeft{Anchors: c.anchors}.Check()
		if c.good != (err == nil) || err != nil && protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInviteNamesAWorld: who opens an account has to know whose log it is.
func TestInviteNamesAWorld(t *testing.T) {
	invite := api.GenerateInvite("h", api.Pin{}, protocol.Hash{})
	if _, err := api.ParseInvite(invite.URL()); protocol.KindOf(err) != protocol.KindUsage {
		t.Errorf("an invite without a world: %v, want kind usage", err)
	}
	link := api.Invite{Host: "h", Pin: api.Pin{1}}
	if got, err := api.ParseInvite(link.URL()); err != nil || got != link {
		t.Errorf("a link without a world: %v", err)
	}
}
