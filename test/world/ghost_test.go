// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// ledgers changes the entries of every ledger that is served.
func ledgers(change func(entries [][]byte) [][]byte) Step {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/ledger") {
			next.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		var page struct {
			Entries [][]byte `json:"entries"`
			Objects [][]byte `json:"objects"`
			More    bool     `json:"more"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
			panic(http.ErrAbortHandler)
		}
		page.Entries = change(page.Entries)
		body, err := json.Marshal(page)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // a device that went away is no matter here
	}
}

// TestGhost: a provider that puts a device of its own into the ledger, or a kit,
// or hides or changes an entry, is refused by a device with a memory and by one
// that joins.
func TestGhost(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	ghost := keys.GenerateMemberSecrets()
	state := d.newest(t)
	forged := func(body ledger.Body) []byte {
		// Sign refuses what a stranger may not say, so the entry is said in the
		// stranger's own ledger and grafted from there.
		own, err := ledger.Sign(nil, 1, ledger.Body{Genesis: &ledger.Genesis{Device: *ghost.Public()}}, ghost)
		if err != nil {
			t.Fatal(err)
		}
		folded, err := ledger.Fold([]*ledger.Entry{own}, nil)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := ledger.Sign(folded, 2, body, ghost)
		if err != nil {
			t.Fatal(err)
		}
		return entry.Bytes()
	}
	device := forged(ledger.Body{AddDevice: &ledger.AddDevice{Device: *keys.GenerateMemberSecrets().Public(), Role: protocol.RoleOwner}})
	kit := forged(ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *keys.GenerateMemberSecrets().Public()}})
	if state.Head().Seq == 0 {
		t.Fatal("the ledger has one entry only: there is nothing to hide")
	}
	cases := map[string]func([][]byte) [][]byte{
		"a device added": func(l [][]byte) [][]byte { return append(l, device) },
		"a kit added":    func(l [][]byte) [][]byte { return append(l, kit) },
		"nothing served": func([][]byte) [][]byte { return nil },
		"a bit flipped": func(l [][]byte) [][]byte {
			last := bytes.Clone(l[len(l)-1])
			last[len(last)/2] ^= 1
			return append(l[:len(l)-1:len(l)-1], last)
		},
		"an entry twice": func(l [][]byte) [][]byte { return append(l, l[len(l)-1]) },
		"another ledger": func([][]byte) [][]byte { return [][]byte{device} },
	}
	for name, change := range cases {
		w.Net.Use(ledgers(change))
		for _, args := range [][]string{{"backup", source}, {"device", "list"}, {"restore", "latest", "--target", d.Path("out")}} {
			before := d.Remembered()
			if r := d.Run(args...); r.Code != 20 {
				t.Errorf("%s, %v: %s", name, args, r)
			}
			if differ := Differences(before, d.Remembered()); len(differ) > 0 {
				t.Errorf("%s, %v: it moved what the device remembers: %q", name, args, differ)
			}
		}
		back := w.Device("back")
		if r := back.Run("join", "--recovery-kit", back.Write("kit", string(mustRead(t, d.Kit())))); r.Code != 20 {
			t.Errorf("%s, coming back: %s", name, r)
		}
		if _, err := os.Stat(d.Path("out")); err == nil {
			t.Errorf("%s: something was restored", name)
		}
	}
	w.Net.Use(nil)
	d.Backup(source)
}
