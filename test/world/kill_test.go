// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol/seal"
)

// volume is how much noise the stories of killing back up: it fills three packs.
const volume = 36 << 20

// noisy writes a folder that fills several packs and returns it.
func noisy(d *Device) string {
	d.w.T.Helper()
	for i := range 4 {
		d.Write(fmt.Sprintf("data/part-%d", i), string(Noise(byte(i), volume/4)))
	}
	return d.Path("data")
}

// killedAt starts a backup and kills it when k bytes of it have arrived. It
// reports whether the backup was still under way.
func (d *Device) killedAt(k int64, source string) bool {
	d.w.T.Helper()
	backup := d.Command("backup", source)
	started := make(chan struct{})
	d.w.Net.At(k, func() {
		<-started
		_ = backup.Process.Kill() // it may just have ended
	})
	if err := backup.Start(); err != nil {
		d.w.T.Fatal(err)
	}
	close(started)
	err := backup.Wait()
	d.w.Net.At(0, nil)
	d.w.Net.Quiet()
	return err != nil
}

// TestKilledClient kills backups at many points. The next run goes on where the
// killed one stopped, and nothing is stored twice but at most one pack.
func TestKilledClient(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	first := w.Joined("undisturbed")
	source := noisy(first)
	w.Net.At(0, nil)
	first.Backup(source)
	_, undisturbed := w.Provider.Stored()
	sent := w.Net.Up()
	for i, share := range []float64{0.002, 0.3, 0.55, 0.8, 0.95} {
		d := w.Joined(fmt.Sprintf("killed-%d", i))
		_, before := w.Provider.Stored()
		if !d.killedAt(int64(share*float64(sent)), source) {
			t.Errorf("at %v: the backup was through before it was killed", share)
		}
		d.Backup(source)
		_, now := w.Provider.Stored()
		if now-before > undisturbed+seal.PackTarget {
			t.Errorf("at %v: %d bytes stored, undisturbed it is %d", share, now-before, undisturbed)
		}
		d.Must("check")
		if share == 0.55 {
			Same(t, source, d.restored(source))
		}
	}
	w.Provider.Must("doctor", "--read-data")
}

// acknowledged notes the packs that the provider said it keeps.
type acknowledged struct {
	mu    sync.Mutex // guards packs
	packs []string
}

// watch is a Step that notes them.
func (a *acknowledged) watch(w http.ResponseWriter, r *http.Request, next http.Handler) {
	seen := &statusWriter{ResponseWriter: w}
	next.ServeHTTP(seen, r)
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/packs/") && seen.status/100 == 2 {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.packs = append(a.packs, filepath.Base(r.URL.Path))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// stand demands that each acknowledged pack is in the blob folder, whole.
func (a *acknowledged) stand(t *testing.T, p *Provider) {
	t.Helper()
	there := map[string]bool{}
	p.Blobs("pack", func(path string, _ int64) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		there[hex.EncodeToString(sum[:])] = true
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.packs) == 0 {
		t.Error("no pack was acknowledged")
	}
	for _, id := range a.packs {
		if !there[id] {
			t.Errorf("pack %s was acknowledged and is gone", id)
		}
	}
}

// TestKilledProvider kills the provider while packs come in and starts it again:
// the backup goes on by itself, and nothing acknowledged is lost.
func TestKilledProvider(t *testing.T) {
	t.Parallel()
	w := New(t, programs)
	d := w.Joined("anna")
	source := noisy(d)
	packs := &acknowledged{}
	w.Net.Use(packs.watch)
	backup := d.Command("backup", "--json", source)
	var out strings.Builder
	backup.Stdout, backup.Stderr = &out, &out
	for i, k := range []int64{volume / 3, volume / 3, volume / 4} {
		killed := make(chan struct{})
		w.Net.At(k, func() { w.Provider.Kill(); close(killed) })
		if i == 0 {
			if err := backup.Start(); err != nil {
				t.Fatal(err)
			}
		}
		<-killed
		w.Provider.Start()
	}
	if err := backup.Wait(); err != nil {
		t.Fatalf("backup: %v\n%s", err, &out)
	}
	packs.stand(t, w.Provider)
	w.Provider.Must("doctor", "--read-data")
	Same(t, source, d.restored(source))
}
