// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vectors

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
)

var update = flag.Bool("update", false, "write the test vectors anew")

// Suite is how one package makes and checks its vectors.
type Suite struct {
	Prefix string // of the files' names, without the "-"
	// Generate returns every vector of the prefix. What is not marked as
	// randomised must come out the same each time.
	Generate func(t *testing.T) []*Vector
	// Check holds a vector to the code; the key is the header's format.
	Check map[string]func(t *testing.T, v *Vector)
}

// Run generates the vectors, holds the files to them (or, with -update, writes
// the files; randomised ones only where there is none yet), and checks every
// file of the prefix.
func Run(t *testing.T, s Suite) {
	t.Helper()
	folder := folder(t)
	known := map[string]bool{}
	for _, v := range s.Generate(t) {
		if known[v.Name] || !strings.HasPrefix(v.Name, s.Prefix+"-") {
			t.Errorf("vector %s: the name is taken, or lacks the prefix %s", v.Name, s.Prefix)
		}
		known[v.Name] = true
		hold(t, filepath.Join(folder, v.Name+".txt"), v)
	}
	paths, err := filepath.Glob(filepath.Join(folder, s.Prefix+"-*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors %s-*.txt in %s: %v", s.Prefix, folder, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		if !known[name] {
			t.Errorf("vector %s: nothing here makes it", name)
		}
		t.Run(name, func(t *testing.T) { checkFile(t, s, name, path) })
	}
}

func checkFile(t *testing.T, s Suite, name, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Parse(name, text)
	if err != nil {
		t.Fatal(err)
	}
	v.Text(t, "case")
	v.Text(t, "expect")
	v.Randomised()
	check, ok := s.Check[v.Text(t, "format")]
	if !ok {
		t.Fatalf("nothing here checks its format")
	}
	check(t, v)
	if keys := v.unread(); len(keys) > 0 {
		t.Errorf("nothing here reads its header lines %q", keys)
	}
}

// hold writes the file or compares it.
func hold(t *testing.T, path string, v *Vector) {
	t.Helper()
	text, err := v.Format()
	if err != nil {
		t.Error(err)
		return
	}
	old, readErr := os.ReadFile(path)
	switch {
	case *update && (readErr != nil || !v.Randomised()):
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Error(err)
		}
	case readErr != nil:
		t.Errorf("vector %s: %v (go test -update writes it)", v.Name, readErr)
	case !v.Randomised() && !bytes.Equal(old, text):
		t.Errorf("vector %s is not what the code makes; where that is meant, go test -update", v.Name)
	}
}

// folder returns spec/vectors of the module that the test runs in.
func folder(t *testing.T) string {
	t.Helper()
	at, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return filepath.Join(at, "spec", "vectors")
		}
		up := filepath.Dir(at)
		if up == at {
			t.Fatal("no go.mod above the test")
		}
		at = up
	}
}

// Text returns the value of a header line that must be there.
func (v *Vector) Text(t *testing.T, key string) string {
	t.Helper()
	value, ok := v.Lookup(key)
	if !ok {
		t.Fatalf("vector %s: no header line %q", v.Name, key)
	}
	return value
}

// Hex returns the bytes of a header line that must be there.
func (v *Vector) Hex(t *testing.T, key string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v.Text(t, key))
	if err != nil {
		t.Fatalf("vector %s: header line %q: %v", v.Name, key, err)
	}
	return b
}

// Body returns the bytes of a vector that has at most one part.
func (v *Vector) Body(t *testing.T) []byte {
	t.Helper()
	if len(v.Parts) > 1 {
		t.Fatalf("vector %s: %d parts, want one", v.Name, len(v.Parts))
	}
	if len(v.Parts) == 0 {
		return nil
	}
	return v.Parts[0]
}

// Expect holds an outcome to the header, and reports whether the case is a
// valid one, so that what it gave is to be looked at.
func (v *Vector) Expect(t *testing.T, err error) bool {
	t.Helper()
	want := v.Text(t, "expect")
	got := Valid
	if err != nil {
		got = string(protocol.KindOf(err))
	}
	if got != want {
		t.Fatalf("vector %s: outcome %s (%v), want %s", v.Name, got, err, want)
	}
	return want == Valid
}
