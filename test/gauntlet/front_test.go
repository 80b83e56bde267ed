// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol/api"
)

// honest is a site that is no real one: it says its name and what it was asked.
func honest(t *testing.T, name string) *Site {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasSuffix(r.URL.Path, "/records"):
			_, _ = w.Write(api.AppendRecord(api.AppendRecord(nil, []byte("one")), []byte("two")))
		case strings.HasSuffix(r.URL.Path, "/refused"):
			http.Error(w, "{}", http.StatusForbidden)
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"site": name, "asked": r.Method + " " + r.URL.String(), "body": string(body)})
		}
	}))
	t.Cleanup(server.Close)
	return &Site{t: t, address: server.Listener.Addr().String()}
}

// asker is a client of a device behind a front.
func asker(t *testing.T, f *Front, device string) func(method, path, body string) (int, string) {
	t.Helper()
	proxy, err := url.Parse(f.proxy(device))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of the test itself
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "https://"+Host+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
}

func TestFront(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := newFront(t, key)
	first, second := honest(t, "first"), honest(t, "second")
	f.route("", first)
	laptop, phone := asker(t, f, "laptop"), asker(t, f, "phone")
	says := func(ask func(string, string, string) (int, string), path, want string) {
		t.Helper()
		if status, body := ask(http.MethodGet, path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: status %d, %q, want %q in it", path, status, body, want)
		}
	}
	says(laptop, "/v1/x?b=1&a=2", "GET /v1/x?a=2")
	f.route("phone", second)
	says(phone, "/v1/x", "second")
	says(laptop, "/v1/x", "first")
	f.tell([]Lie{To("laptop", Ask(second)), On(http.MethodGet, "/x", JSON(func(v *map[string]any) { (*v)["site"] = "third" }))})
	says(laptop, "/v1/x", "second")
	says(phone, "/v1/x", "third")
	says(phone, "/v1/y", "second")
	f.tell([]Lie{On("", "/records", Records(func(l [][]byte) [][]byte { slices.Reverse(l); return l }))})
	if _, body := laptop(http.MethodGet, "/v1/records", ""); body != "\x00\x00\x00\x03two\x00\x00\x00\x03one" {
		t.Errorf("records: %q", body)
	}
	f.tell([]Lie{On("", "/refused", Bytes(func([]byte) []byte { return nil })), On(http.MethodPost, "", Cut)})
	if status, _ := laptop(http.MethodGet, "/v1/refused", ""); status != http.StatusForbidden {
		t.Errorf("a refusal was changed: status %d", status)
	}
	if status, body := laptop(http.MethodPost, "/v1/x", "canary"); status != 0 {
		t.Errorf("a cut answered: %d, %s", status, body)
	}
	seen := f.taken()
	last := seen[len(seen)-1]
	if !last.Lied || last.Device != "laptop" || last.Method != http.MethodPost || last.Shape != "/v1/x" || last.Size != 6 {
		t.Errorf("seen last: %+v", last)
	}
	if seen[0].Lied || seen[0].Shape != "/v1/x?a&b" {
		t.Errorf("seen first: %+v", seen[0])
	}
	if all := bytes.Join(f.received(), nil); !bytes.Contains(all, []byte("canary")) || !bytes.Contains(all, []byte("GET /v1/x?b=1&a=2")) {
		t.Errorf("received: %.300q", all)
	}
}

func TestShape(t *testing.T) {
	t.Parallel()
	u := &url.URL{Path: "/v1/accounts/" + strings.Repeat("0f", 32) + "/ledger", RawQuery: "from=12"}
	if got := shape(u); got != "/v1/accounts/#/ledger?from" {
		t.Errorf("shape = %s", got)
	}
}

func TestTableIsHeldToTheRun(t *testing.T) {
	t.Parallel()
	list := []Outcome{
		{ID: "G02", Name: "b", How: "so", Verdicts: []Verdict{REJECT}, Codes: []int{3, 20}, Says: []string{"this"}, Faces: 2},
		{ID: "G01", Name: "a", Verdicts: []Verdict{ALARM, HOLD}, Codes: []int{20}, Says: []string{"that | N"}, Faces: 1},
	}
	page := table(list)
	if !strings.Contains(page, "| G02 | b. *so* | 2 | REJECT | 3 20 | this | hold |\n") || strings.Index(page, "G01") > strings.Index(page, "G02") {
		t.Errorf("the page: %s", page)
	}
	list[0].Says = []string{"something else"}
	if settled(page) != settled(table(list)) {
		t.Error("words make a difference")
	}
	list[0].Codes = []int{0}
	if settled(page) == settled(table(list)) {
		t.Error("a code makes no difference")
	}
}

// hooks are words that only the programs of tests hold.
var hooks = map[string][]string{
	"solekey":         {"SOLEKEY_TEST_CLOCK", "SOLEKEY_TEST_TAP", "tappedAEAD"},
	"solekeyd":        {"SOLEKEY_TEST_CLOCK"},
	"solekey-witness": {"SOLEKEY_TEST_CLOCK"},
	"solekey-audit":   {"SOLEKEY_TEST_CLOCK"},
}

// TestNoHookInWhatIsHandedOut: clock and tap of the tests are in no program that
// the Makefile builds.
func TestNoHookInWhatIsHandedOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		flags []string
		there bool
	}{
		{"as the Makefile builds them", nil, false},
		{"as the gauntlet builds them", []string{"-tags", "testclock,tap"}, true},
	} {
		dir := t.TempDir()
		build := exec.Command("go", slices.Concat([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", dir + "/"}, c.flags, []string{"github.com/solekey/solekey/cmd/..."})...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if text, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, text)
		}
		for program, words := range hooks {
			data, err := os.ReadFile(filepath.Join(dir, program))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range words {
				if bytes.Contains(data, []byte(word)) != c.there {
					t.Errorf("%s: %s holds %q: %v", c.name, program, word, !c.there)
				}
			}
		}
	}
}
