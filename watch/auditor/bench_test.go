// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow"
)

// benchBatch is how many entries stand between two roots.
const benchBatch = 5000

// benchEntry registers a name, by keys that cost little to make.
func benchEntry(log *tlog.LogKey, name uint64) []byte {
	draw := func(label byte) [32]byte { return sha256.Sum256(binary.BigEndian.AppendUint64([]byte{label}, name)) }
	own, next := draw(0), draw(1)
	key := ed25519.NewKeyFromSeed(own[:])
	u := &directory.Update{Index: draw(2), Version: 1, Commitment: draw(3), Key: directory.Key(key.Public().(ed25519.PublicKey)), Next: next}
	type signed struct {
		Log        protocol.Hash `cbor:"1,keyasint"`
		Index      protocol.Hash `cbor:"2,keyasint"`
		Version    uint64        `cbor:"3,keyasint"`
		Commitment protocol.Hash `cbor:"4,keyasint"`
		Key        directory.Key `cbor:"5,keyasint"`
		Next       protocol.Hash `cbor:"6,keyasint,omitzero"`
	}
	message := canonical.MustMarshal(signed{log.ID(), u.Index, u.Version, u.Commitment, u.Key, u.Next})
	u.Signature = directory.Signature(ed25519.Sign(key, append([]byte("solekey/v1/directory-update\x00"), message...)))
	return (&directory.Entry{Update: u}).Bytes()
}

// benchLog makes a log of so many names.
func benchLog(b *testing.B, names int) *tlogtest.Log {
	log := tlogtest.New(b, "log.example/bench")
	key, store := log.Secret.Public(), directory.NewMemoryStore()
	replay := directory.NewReplay(key, store)
	add := func(raws ...[]byte) {
		if err := replay.Entries(context.Background(), raws); err != nil {
			b.Fatal(err)
		}
		log.Append(b, raws...)
	}
	add((&directory.Entry{Origin: &directory.Origin{VRF: vrf.Generate().Public(), Statement: directory.Key{1}}}).Bytes())
	for done := 0; done < names; done += benchBatch {
		raws := make([][]byte, min(benchBatch, names-done))
		var wg sync.WaitGroup
		for part := range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := part; i < len(raws); i += runtime.GOMAXPROCS(0) {
					raws[i] = benchEntry(key, uint64(done+i))
				}
			})
		}
		wg.Wait()
		add(raws...)
		root, err := replay.NextRoot(context.Background(), protocol.TimeOf(start))
		if err != nil {
			b.Fatal(err)
		}
		add(root.Bytes())
		store.Apply(replay.TakeChange())
	}
	return log
}

// BenchmarkAudit follows a whole log into a new state. SOLEKEY_BENCH_NAMES sets how
// many names it has. Memory is what is in use beyond the log itself.
func BenchmarkAudit(b *testing.B) {
	names, err := strconv.Atoi(os.Getenv("SOLEKEY_BENCH_NAMES"))
	if err != nil {
		names = 10_000
	}
	log := benchLog(b, names)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	entries, disk := uint64(0), int64(0)
	peak := watchMemory()
	b.ResetTimer()
	for range b.N {
		path := filepath.Join(b.TempDir(), "audit.db")
		store, err := follow.Open(b.Context(), path)
		if err != nil {
			b.Fatal(err)
		}
		a := auditor.New(auditor.Config{Log: log.Secret.Public(), Source: log, Store: store, Clock: func() time.Time { return start }})
		r, err := a.Step(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		entries += r.Size
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		disk = info.Size()
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(peak()-int64(before.HeapInuse))/(1<<20), "MiB")
	b.ReportMetric(float64(disk)/(1<<20), "MiB-disk")
}

// watchMemory returns what returns the most memory that was in use.
func watchMemory() func() int64 {
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		peak := int64(0)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, int64(m.HeapInuse))
			select {
			case <-tick.C:
			case <-stop:
				most <- peak
				return
			}
		}
	}()
	return func() int64 { close(stop); return <-most }
}
