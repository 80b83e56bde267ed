// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol/api"
)

// unreliable loses, repeats and delays requests by their number.
func unreliable(count *atomic.Int64) Step {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch n := count.Add(1); {
		case n%7 == 2: // lost on the way there
			panic(http.ErrAbortHandler)
		case n%7 == 4: // done, and the answer lost
			next.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		case n%7 == 6 && r.URL.Path != api.PathSessions: // arrives twice; what proves something is good once
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(httptest.NewRecorder(), r.Clone(r.Context()))
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		case n%7 == 0: // cut within the answer
			time.Sleep(20 * time.Millisecond)
			next.ServeHTTP(&cutWriter{ResponseWriter: w, left: 40}, r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	}
}

// cutWriter lets so many bytes of a body through.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	_, err := c.ResponseWriter.Write(p[:n])
	return len(p), err
}

// TestUnreliableNetwork: a network that drops, delays, repeats and cuts loses
// nothing and stores nothing twice.
func TestUnreliableNetwork(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	w.Net.Use(unreliable(new(atomic.Int64)))
	d := w.Joined("anna")
	source := photos(d)
	d.Backup(source)
	packs, _ := w.Provider.Stored()
	d.Write("photos/new", string(Noise(9, 100_000)))
	d.Backup(source)
	again, _ := w.Provider.Stored()
	if packs != 1 || again != 2 {
		t.Errorf("%d packs after the first run, %d after the second", packs, again)
	}
	if list := d.Snapshots(); len(list) != 2 {
		t.Errorf("%d snapshots: %v", len(list), list)
	}
	Same(t, source, d.restored(source))
	w.Net.Use(nil)
	w.Provider.Must("doctor", "--read-data")
}
