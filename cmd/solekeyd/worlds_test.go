// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// vkeyOf makes a witness and returns its key.
func vkeyOf(t *testing.T, name string, algorithm tlog.Algorithm) string {
	t.Helper()
	secret, err := tlog.GenerateWitnessSecret(name, algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Public().String()
}

// shown is a witness that shows its keys, and counts how often.
type shown struct {
	*httptest.Server
	text  string
	asked int
}

func show(t *testing.T, lines ...string) *shown {
	t.Helper()
	s := &shown{text: strings.Join(lines, "\n") + "\n"}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/vkeys" {
			http.NotFound(w, r)
			return
		}
		s.asked++
		fmt.Fprint(w, s.text)
	}))
	t.Cleanup(s.Close)
	return s
}

func newKeys(t *testing.T) *logKeys {
	t.Helper()
	keys, err := openLogKeys(t.TempDir(), true, newOrigin("cloud.example.org"))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestPolicyText: what is demanded of how many witnesses.
func TestPolicyText(t *testing.T) {
	keys := newKeys(t)
	one := func(n int, auditing bool) (list []witness) {
		for i := range n {
			list = append(list, witness{URL: fmt.Sprintf("https://w%d.example.org", i), Keys: []string{vkeyOf(t, "w.example.org", tlog.Ed25519)}, Auditing: auditing})
		}
		return list
	}
	both := witness{URL: "https://both.example.org", Keys: []string{vkeyOf(t, "both", tlog.Ed25519), vkeyOf(t, "both", tlog.MLDSA44)}, Auditing: true}
	for name, c := range map[string]struct {
		list []witness
		want string // of the policy's last lines, where the groups are
	}{
		"none":                {nil, "quorum none\n"},
		"one":                 {one(1, false), "quorum w.example.org\n"},
		"two":                 {one(2, true), "group auditing 2 w.example.org w.example.org-2\nquorum auditing\n"},
		"three":               {one(3, false), "group extending 2 w.example.org w.example.org-2 w.example.org-3\nquorum extending\n"},
		"one audits":          {slices.Concat(one(1, true), one(3, false)), "group extending 2 w.example.org-2 w.example.org-3 w.example.org-4\ngroup demanded 2 w.example.org extending\nquorum demanded\n"},
		"two keys of one":     {[]witness{both}, "group keys-of-both 1 both both-2\nquorum keys-of-both\n"},
		"two keys and others": {append(one(2, true), both), "group keys-of-both 1 both both-2\ngroup auditing 2 w.example.org w.example.org-2 keys-of-both\nquorum auditing\n"},
	} {
		text := policyText(keys, c.list)
		policy, err := tlog.ParsePolicy([]byte(text))
		if err != nil || !strings.HasSuffix(text, c.want) {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		if policy.NeedsWitness() != (len(c.list) > 0) || policy.Log().String() != keys.log.Public().String() {
			t.Errorf("%s: %s", name, policy)
		}
	}
}

func TestOrigins(t *testing.T) {
	for host, want := range map[string]string{
		"cloud.example.org:8443": "cloud.example.org/solekey/", "cloud.example.org": "cloud.example.org/solekey/",
		"192.168.1.5:8443": "solekey/", "[2001:db8::1]:8443": "solekey/", "localhost:8443": "solekey/", "": "solekey/",
	} {
		one, two := newOrigin(host), newOrigin(host)
		if !strings.HasPrefix(one, want) || len(one) != len(want)+16 || one == two {
			t.Errorf("%s: %s, %s", host, one, two)
		}
		if _, err := tlog.GenerateLogSecret(one); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// wear is a site with worlds only, and a program that says nothing.
func wear(t *testing.T) (*program, *site) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, keysName), 0o700); err != nil {
		t.Fatal(err)
	}
	keys := newKeys(t)
	w, err := openWorlds(filepath.Join(dir, keysName), true, keys)
	if err != nil {
		t.Fatal(err)
	}
	return &program{out: io.Discard, err: io.Discard}, &site{dir: dir, keys: &siteKeys{log: keys}, worlds: w}
}

// again reads the worlds as the next start does.
func (s *site) again(t *testing.T) {
	t.Helper()
	var err error
	if s.worlds, err = openWorlds(s.keysDir(), false, s.keys.log); err != nil {
		t.Fatal(err)
	}
}

// TestWitnessIsPinnedOnce: what a witness shows counts the first time only, and
// every world that was ever handed out stays.
func TestWitnessIsPinnedOnce(t *testing.T) {
	p, s := wear(t)
	ctx := context.Background()
	ed, lattice := vkeyOf(t, "w.example.org", tlog.Ed25519), vkeyOf(t, "w.example.org", tlog.MLDSA44)
	w := show(t, "# a witness", auditingMark, ed, "", lattice)
	first := s.worlds.newest().Hash()
	ask := func(f witnessFlags) {
		t.Helper()
		if err := p.witness(ctx, s, f); err != nil {
			t.Fatal(err)
		}
		s.again(t)
	}
	ask(witnessFlags{})
	if s.worlds.newest().Hash() != first {
		t.Error("without flags the world changed")
	}
	ask(witnessFlags{witnesses: []string{w.URL + "/"}})
	second := s.worlds.newest()
	if second.Hash() == first || len(s.worlds.parsed) != 2 || len(second.Policy().Witnesses()) != 2 || second.Policy().Witnesses()[0].URL != w.URL {
		t.Fatalf("%d worlds: %s", len(s.worlds.parsed), second.Policy())
	}
	if !strings.Contains(second.Policy().String(), "quorum keys-of-w.example.org\n") || !s.worlds.Witnesses[0].Auditing {
		t.Errorf("policy %s", second.Policy())
	}
	w.text = vkeyOf(t, "eve", tlog.Ed25519) + "\n"
	ask(witnessFlags{witnesses: []string{w.URL}})
	if s.worlds.newest().Hash() != second.Hash() || w.asked != 1 {
		t.Error("a witness that shows other keys later is believed")
	}
	ask(witnessFlags{witnesses: []string{ed + " " + w.URL}})
	third := s.worlds.newest()
	if len(third.Policy().Witnesses()) != 1 || len(s.worlds.parsed) != 3 || !s.worlds.Witnesses[0].Auditing {
		t.Errorf("keys by hand: %s", third.Policy())
	}
	ask(witnessFlags{witnesses: []string{noWitness}})
	if s.worlds.newest().Hash() != first || len(s.worlds.parsed) != 3 {
		t.Errorf("none: %d worlds, %s", len(s.worlds.parsed), s.worlds.newest().Policy())
	}
	ask(witnessFlags{auditing: []string{vkeyOf(t, "x", tlog.Ed25519) + " https://x.example.org"}})
	if len(s.worlds.parsed) != 4 || len(s.worlds.Witnesses) != 2 {
		t.Errorf("%d worlds, %d witnesses", len(s.worlds.parsed), len(s.worlds.Witnesses))
	}
}

func TestWitnessPolicyFile(t *testing.T) {
	p, s := wear(t)
	key := vkeyOf(t, "w", tlog.Ed25519)
	path := filepath.Join(t.TempDir(), "policy")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# ours\nwitness w " + key + " https://w.example.org\nquorum w\n")
	if err := p.witness(context.Background(), s, witnessFlags{policy: path}); err != nil {
		t.Fatal(err)
	}
	if got := s.worlds.newest().Policy(); !got.NeedsWitness() || got.Witnesses()[0].URL != "https://w.example.org" {
		t.Errorf("policy %s", got)
	}
	hash := s.worlds.newest().Hash()
	write("log " + s.keys.log.log.Public().String() + "\nwitness w " + key + " https://w.example.org\nquorum w\n")
	if err := p.witness(context.Background(), s, witnessFlags{policy: path}); err != nil || s.worlds.newest().Hash() != hash {
		t.Errorf("with its log: %v", err)
	}
	for name, text := range map[string]string{
		"another log": "log " + newKeys(t).log.Public().String() + "\nquorum none\n",
		"no quorum":   "witness w " + key + "\n",
		"noise":       "hello\n",
		"too large":   largePolicy(t),
	} {
		write(text)
		if err := p.witness(context.Background(), s, witnessFlags{policy: path}); protocol.KindOf(err) != protocol.KindUsage {
			t.Errorf("%s: %v, want kind usage", name, err)
		}
	}
	if s.worlds.newest().Hash() != hash {
		t.Error("a refused policy changed the world")
	}
}

// largePolicy names so many witnesses that no recovery box holds their keys.
func largePolicy(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "witness w%d %s https://w%d.example.org\n", i, vkeyOf(t, "w", tlog.MLDSA44), i)
	}
	return b.String() + "quorum none\n"
}

func TestWitnessRefusals(t *testing.T) {
	p, s := wear(t)
	key := vkeyOf(t, "w", tlog.Ed25519)
	nothing, noise := show(t, "# nobody"), show(t, "hello")
	many := show(t, vkeyOf(t, "a", tlog.Ed25519), vkeyOf(t, "b", tlog.Ed25519), vkeyOf(t, "c", tlog.Ed25519), vkeyOf(t, "d", tlog.Ed25519), vkeyOf(t, "e", tlog.Ed25519))
	gone := show(t, key)
	gone.Close()
	good := show(t, key)
	for name, c := range map[string]struct {
		flags witnessFlags
		kind  protocol.Kind
	}{
		"no URL":              {witnessFlags{witnesses: []string{"w.example.org"}}, protocol.KindUsage},
		"empty":               {witnessFlags{witnesses: []string{""}}, protocol.KindUsage},
		"another scheme":      {witnessFlags{witnesses: []string{"ftp://w.example.org"}}, protocol.KindUsage},
		"a password":          {witnessFlags{witnesses: []string{"https://a:b@w.example.org"}}, protocol.KindUsage},
		"a query":             {witnessFlags{witnesses: []string{"https://w.example.org?x"}}, protocol.KindUsage},
		"a key that is none":  {witnessFlags{witnesses: []string{"w+1+x https://w.example.org"}}, protocol.KindUsage},
		"twice":               {witnessFlags{witnesses: []string{good.URL, good.URL}}, protocol.KindUsage},
		"none and one":        {witnessFlags{witnesses: []string{"none", good.URL}}, protocol.KindUsage},
		"a policy and more":   {witnessFlags{policy: "x", witnesses: []string{good.URL}}, protocol.KindUsage},
		"no such policy":      {witnessFlags{policy: filepath.Join(t.TempDir(), "x")}, protocol.KindUsage},
		"shows nothing":       {witnessFlags{witnesses: []string{nothing.URL}}, protocol.KindUntrusted},
		"shows noise":         {witnessFlags{witnesses: []string{noise.URL}}, protocol.KindUntrusted},
		"shows too many":      {witnessFlags{witnesses: []string{many.URL}}, protocol.KindUntrusted},
		"does not answer":     {witnessFlags{witnesses: []string{gone.URL}}, protocol.KindUnreachable},
		"answers with errors": {witnessFlags{witnesses: []string{good.URL + "/elsewhere"}}, protocol.KindUnreachable},
		"one key at two":      {witnessFlags{witnesses: []string{key + " https://a.example.org", key + " https://b.example.org"}}, protocol.KindUsage},
	} {
		before := s.worlds.newest().Hash()
		if err := p.witness(context.Background(), s, c.flags); protocol.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %s", name, err, c.kind)
		}
		s.again(t)
		if s.worlds.newest().Hash() != before || len(s.worlds.Witnesses) != 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
}

// TestWorldsOfAnotherServer: worlds and keys belong together.
func TestWorldsOfAnotherServer(t *testing.T) {
	_, s := wear(t)
	other := newKeys(t)
	if _, err := openWorlds(s.keysDir(), false, other); protocol.KindOf(err) != protocol.KindUntrusted {
		t.Errorf("with other keys: %v, want kind untrusted", err)
	}
	path := filepath.Join(s.keysDir(), worldsName)
	for name, c := range map[string]struct {
		text string
		kind protocol.Kind
	}{
		"noise":   {"hello", protocol.KindUntrusted},
		"nothing": {`{"version":1}`, protocol.KindUntrusted},
		"damaged": {`{"version":1,"worlds":["AAAA"]}`, protocol.KindUntrusted},
		"newer":   {`{"version":2}`, protocol.KindUnsupported},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openWorlds(s.keysDir(), true, s.keys.log); protocol.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %s", name, err, c.kind)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := openWorlds(s.keysDir(), false, s.keys.log); protocol.KindOf(err) != protocol.KindNotFound {
		t.Errorf("missing: %v, want kind not-found", err)
	}
}
