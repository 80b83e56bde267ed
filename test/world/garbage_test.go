// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// garbage makes a wrong answer of a right one. None of them is what the
// interface allows, whatever was asked.
var garbage = map[string]func(right []byte) []byte{
	"noise":     func(right []byte) []byte { return Noise(3, max(len(right), 100)) },
	"page":      func([]byte) []byte { return []byte("<!doctype html><title>Sign in to the hotel's network</title>") },
	"truncated": func(right []byte) []byte { return right[:len(right)-1-len(right)/3] },
	"endless":   func(right []byte) []byte { return append(bytes.Clone(right), make([]byte, 34<<20)...) },
	"flipped": func(right []byte) []byte {
		wrong := bytes.Clone(right)
		for i := 0; i < len(wrong); i += 97 {
			wrong[i] ^= 0x55
		}
		return wrong
	},
}

// template strips an endpoint of identifiers.
func template(method, path string) string {
	return method + " " + regexp.MustCompile("[0-9a-f]{32,}").ReplaceAllString(path, "ID")
}

// answered collects the endpoints that a command asks.
func (w *World) answered(run func()) []string {
	w.Net.Requests()
	run()
	var found []string
	for _, one := range w.Net.Requests() {
		method, path, _ := strings.Cut(one, " ")
		found = append(found, template(method, path))
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// spoil answers an endpoint with garbage. The request does not reach the
// provider; what a right answer looks like is taken from one that did, before.
func spoil(endpoint string, right []byte, change func([]byte) []byte) Step {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if template(r.Method, r.URL.Path) != endpoint {
			next.ServeHTTP(w, r)
			return
		}
		_, _ = w.Write(change(right)) // a device that stops listening is no matter here
	}
}

// listen keeps the last answer of each endpoint.
func listen(right map[string][]byte) Step {
	var mu sync.Mutex // guards right while a command runs
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		mu.Lock()
		right[template(r.Method, r.URL.Path)] = bytes.Clone(rec.Body.Bytes())
		mu.Unlock()
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()) // as above
	}
}

// TestGarbage: whatever nonsense comes as an answer, the command says so with
// exit code 20 or 22, and the device remembers what it did before.
func TestGarbage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"backup", "restore"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := New(t, programs)
			d := w.Joined("anna")
			source := photos(d)
			args := []string{"backup", source}
			if name == "restore" {
				args = []string{"restore", "latest", "--target", d.Path("target")}
			}
			d.Backup(source)
			right := map[string][]byte{}
			w.Net.Use(listen(right))
			if name == "backup" {
				d.Write("photos/second", "second")
			}
			d.signOut()
			lose(t, d.Cache())
			endpoints := w.answered(func() { d.Must(args...) })
			d.Must("snapshots") // what it did is known now
			for _, endpoint := range endpoints {
				d.hearsGarbage(args, endpoint, right[endpoint])
			}
		})
	}
}

// hearsGarbage runs a command while one endpoint answers each kind of garbage.
func (d *Device) hearsGarbage(args []string, endpoint string, right []byte) {
	d.w.T.Helper()
	for kind, change := range garbage {
		if !spoils(kind, right) || kind == "endless" && args[0] != "backup" {
			continue
		}
		what := fmt.Sprintf("%s, %s at %s", args[0], kind, endpoint)
		if args[0] == "backup" {
			d.Write("photos/second", what)
		}
		d.signOut()
		lose(d.w.T, d.Cache())
		d.w.Net.Use(spoil(endpoint, right, change))
		d.refuses(what, args)
		d.w.Net.Use(nil)
		d.recovers(what)
	}
}

// refuses demands that a command says that it was told nonsense, and learns
// nothing from it. Anchors are asked after when a backup is stored already.
func (d *Device) refuses(what string, args []string) {
	d.w.T.Helper()
	before := d.Remembered()
	r := d.Run(args...)
	if r.Code != 20 && r.Code != 22 {
		d.w.T.Errorf("%s: %s", what, r)
	}
	differ := Differences(before, d.Remembered())
	if stored := strings.HasSuffix(what, "anchors") && strings.Contains(r.Err, "the backup is stored"); len(differ) > 0 && !stored {
		d.w.T.Errorf("%s: it moved what the device remembers: %q", what, differ)
	}
	if strings.Contains(r.Err, "hotel") {
		d.w.T.Errorf("%s: it repeats what the server says: %s", what, r.Err)
	}
	if _, err := os.Stat(d.Path("target")); err == nil {
		holdsNothingWrong(d.w.T, d.Path("photos"), filepath.Join(d.Path("target"), d.Path("photos")))
	}
}

// recovers demands that the device takes no harm from nonsense once the provider
// speaks sense again.
func (d *Device) recovers(what string) {
	d.w.T.Helper()
	lose(d.w.T, d.Path("target"))
	if r := d.Run("restore", "latest", "--target", d.Path("target")); r.Code != 0 {
		d.w.T.Errorf("%s: afterwards: %s", what, r)
	}
	lose(d.w.T, d.Path("target"))
}

// spoils reports whether garbage of the kind is worth asking at an endpoint:
// an answer that says nothing cannot be made wrong by changing it.
func spoils(kind string, right []byte) bool {
	var object map[string]any
	says := json.Unmarshal(right, &object) != nil || len(object) > 0
	return len(right) > 4 && says || kind == "noise" || kind == "page"
}

// lose removes a folder.
func lose(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// signOut makes the next run sign in anew.
func (d *Device) signOut() {
	d.w.T.Helper()
	if err := os.RemoveAll(filepath.Join(d.State(), "session.json")); err != nil {
		d.w.T.Fatal(err)
	}
}
