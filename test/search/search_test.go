// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package search

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestScanFindsEveryEncodingAnywhere(t *testing.T) {
	needle := []byte("a secret that nobody may see")
	forms := map[string]func([]byte) []byte{
		"raw":       func(b []byte) []byte { return b },
		"hex":       func(b []byte) []byte { return []byte(hex.EncodeToString(b)) },
		"HEX":       func(b []byte) []byte { return []byte(strings.ToUpper(hex.EncodeToString(b))) },
		"base64":    func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) },
		"base64url": func(b []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(b)) },
		"base32":    func(b []byte) []byte { return []byte(base32.StdEncoding.EncodeToString(b)) },
	}
	for name, form := range forms {
		for before := range 12 {
			s := New()
			s.Add("needle", needle)
			hay := form(append(bytes.Repeat([]byte{'x'}, before), append(needle, "more"...)...))
			hits := 0
			if err := s.Scan(bytes.NewReader(hay), func(string, int64) { hits++ }); err != nil || hits == 0 {
				t.Errorf("%s behind %d bytes: %d hits, %v", name, before, hits, err)
			}
		}
	}
}

func TestScanAcrossBlocks(t *testing.T) {
	needle := []byte("0123456789abcdef")
	for _, at := range []int{0, 1<<20 - 3, 2<<20 - 8, 2<<20 - 1, 3<<20 + 5} {
		hay := make([]byte, 4<<20)
		copy(hay[at:], needle)
		s := New()
		s.Add("needle", needle)
		var places []int64
		if err := s.Scan(bytes.NewReader(hay), func(_ string, offset int64) { places = append(places, offset) }); err != nil {
			t.Fatal(err)
		}
		if len(places) != 1 || places[0] != int64(at) {
			t.Errorf("at %d: found %v", at, places)
		}
	}
}

func TestScanTree(t *testing.T) {
	dir := t.TempDir()
	s := New()
	if s.Add("short", []byte("1234567")) || !s.Add("name", []byte("tell-tale-name")) || !s.Add("content", []byte("tell-tale-content")) {
		t.Fatal("a needle was taken or refused wrongly")
	}
	if err := os.WriteFile(filepath.Join(dir, "harmless"), []byte("nothing here"), 0o600); err != nil {
		t.Fatal(err)
	}
	finds, size, err := s.ScanTree(dir)
	if err != nil || len(finds) != 0 || size != 12 {
		t.Fatalf("found %v in %d bytes, %v", finds, size, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tell-tale-name"), []byte("..tell-tale-content"), 0o600); err != nil {
		t.Fatal(err)
	}
	finds, _, err = s.ScanTree(dir)
	if err != nil || len(finds) != 2 || finds[0].Needle != "name" || finds[1].Needle != "content" || finds[1].Offset != 2 {
		t.Fatalf("found %v, %v", finds, err)
	}
}
