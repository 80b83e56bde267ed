// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"
)

// encodings are the ways in which a word may lie about. Those of base64 and
// base32 are the inner part, which does not depend on what stands before.
func encodings(word []byte) map[string][]byte {
	found := map[string][]byte{
		"raw": word, "hex": []byte(hex.EncodeToString(word)),
		"HEX": []byte(strings.ToUpper(hex.EncodeToString(word))),
	}
	for shift := range 3 {
		padded := append(make([]byte, shift), word...)
		text := base64.StdEncoding.EncodeToString(padded)
		inner := text[4*((shift+2)/3):]
		inner = inner[:len(inner)/4*4-4]
		found["base64"+string(rune('0'+shift))] = []byte(inner)
		found["base64url"+string(rune('0'+shift))] = []byte(strings.NewReplacer("+", "-", "/", "_").Replace(inner))
	}
	for shift := range 5 {
		padded := append(make([]byte, shift), word...)
		text := base32.StdEncoding.EncodeToString(padded)
		inner := text[8*((shift+4)/5):]
		inner = inner[:len(inner)/8*8-8]
		found["base32"+string(rune('0'+shift))] = []byte(inner)
		found["BASE32"+string(rune('0'+shift))] = []byte(strings.ToLower(inner))
	}
	var little, big []byte
	for _, unit := range utf16.Encode([]rune(string(word))) {
		little = append(little, byte(unit), byte(unit>>8))
		big = append(big, byte(unit>>8), byte(unit))
	}
	found["utf-16le"], found["utf-16be"] = little, big
	return found
}

// search names the canaries that data holds, in whatever encoding.
func search(data []byte, canaries map[string][]byte) []string {
	var found []string
	for name, word := range canaries {
		for encoding, form := range encodings(word) {
			if len(form) >= 6 && bytes.Contains(data, form) {
				found = append(found, name+" as "+encoding)
			}
		}
	}
	return found
}

// tap keeps all that goes through the network, in both directions.
type tap struct {
	mu   sync.Mutex // guards seen
	seen bytes.Buffer
}

func (p *tap) step(w http.ResponseWriter, r *http.Request, next http.Handler) {
	head, err := httputil.DumpRequest(r, false)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	p.mu.Lock()
	p.seen.Write(head)
	p.seen.Write(body)
	p.mu.Unlock()
	next.ServeHTTP(w, r)
}

// TestProviderHoldsNothing: no name, content, label or key is on the provider's
// disk, in its log or on the wire, in any encoding.
func TestProviderHoldsNothing(t *testing.T) {
	t.Parallel()
	w := New(t, programs, "--verbose")
	wire := &tap{}
	w.Net.Use(wire.step)
	owner := w.Device("canary-device-name")
	owner.Join("anna", w.Provider.Invite())
	writer := w.Device("canary-writer-name")
	owner.Add(writer, "anna", "--writer")
	for _, d := range []*Device{writer, owner} {
		d.Write("canary-folder-name/canary-file-name", strings.Repeat("canary-of-the-content ", 50))
		d.Write("canary-folder-name/once", "canary-said-once")
		if err := os.Symlink("canary-link-target", d.Path("canary-folder-name", "link")); err != nil {
			t.Fatal(err)
		}
		d.Backup("--tag", "canary-tag-word", "--host", "canary-host-name", "--exclude", "canary-pattern", d.Path("canary-folder-name"))
	}
	Same(t, owner.Path("canary-folder-name"), owner.restored(owner.Path("canary-folder-name")))
	canaries := map[string][]byte{
		"the password":      []byte(Password),
		"the writer's path": []byte(filepath.Base(writer.Dir) + "/"),
	}
	for _, word := range []string{
		"device-name", "writer-name", "folder-name", "file-name", "of-the-content", "said-once", "link-target", "tag-word", "host-name", "pattern",
	} {
		canaries[word] = []byte("canary-" + word)
	}
	for name, secret := range owner.secretsOf(t) {
		canaries[name] = secret
	}
	for name, secret := range writer.secretsOf(t) {
		canaries["writer's "+name] = secret
	}
	if len(canaries) < 10 {
		t.Fatalf("too few canaries: %d", len(canaries))
	}
	w.Provider.Stop()
	searched := 0
	for path, what := range Contents(t, w.Provider.Data) {
		if what == "folder" {
			continue
		}
		searched++
		if found := search(mustRead(t, filepath.Join(w.Provider.Data, path)), canaries); len(found) > 0 {
			t.Errorf("%s holds %q", path, found)
		}
		if found := search([]byte(path), canaries); len(found) > 0 {
			t.Errorf("the path %s holds %q", path, found)
		}
	}
	if found := search([]byte(w.Provider.Log()), canaries); len(found) > 0 {
		t.Errorf("the log holds %q", found)
	}
	if found := search(wire.seen.Bytes(), canaries); len(found) > 0 || wire.seen.Len() == 0 {
		t.Errorf("of %d bytes on the wire: %q", wire.seen.Len(), found)
	}
	if searched < 10 {
		t.Errorf("only %d files were searched", searched)
	}
}

// secretsOf returns all secrets that a device can get at.
func (d *Device) secretsOf(t *testing.T) map[string][]byte {
	t.Helper()
	found := map[string][]byte{"key file": bytes.TrimSpace(mustRead(t, d.Path("key")))}
	th := d.thief(t, d.newest(t))
	for raw, secret := range th.secrets {
		if secret {
			found["secret "+hex.EncodeToString([]byte(raw[:4]))] = []byte(raw)
		}
	}
	if kit, err := os.ReadFile(d.Kit()); err == nil {
		key := regexp.MustCompile("Recovery key: *(.*)").FindSubmatch(kit)
		if key == nil {
			t.Fatalf("no key in the kit:\n%s", kit)
		}
		found["recovery key"] = key[1]
		found["recovery key, bare"] = bytes.ReplaceAll(key[1], []byte("-"), nil)
	}
	return found
}

// TestSearchFinds: the search of the test above finds what it is to find.
func TestSearchFinds(t *testing.T) {
	t.Parallel()
	word := []byte("canary-of-the-content")
	for name, data := range map[string][]byte{
		"raw": append([]byte("xx"), word...), "hex": []byte("00" + hex.EncodeToString(word) + "00"),
		"base64 behind 1": []byte(base64.StdEncoding.EncodeToString([]byte("x" + string(word) + "yz"))),
		"base64 behind 2": []byte(base64.StdEncoding.EncodeToString([]byte("xy" + string(word)))),
		"base64 behind 3": []byte(base64.URLEncoding.EncodeToString([]byte("xyz" + string(word) + "z"))),
		"base32 behind 4": []byte(base32.StdEncoding.EncodeToString([]byte("xyzw" + string(word)))),
		"base32 behind 7": []byte(strings.ToLower(base32.StdEncoding.EncodeToString([]byte("xyzwxyz" + string(word) + "x")))),
		"utf-16":          []byte("c\x00a\x00n\x00a\x00r\x00y\x00-\x00o\x00f\x00-\x00t\x00h\x00e\x00-\x00c\x00o\x00n\x00t\x00e\x00n\x00t\x00"),
	} {
		if len(search(data, map[string][]byte{"it": word})) == 0 {
			t.Errorf("%s: not found in %q", name, data)
		}
	}
}
