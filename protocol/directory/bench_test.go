// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// benchNames is how many names the benchmarks have; SOLEKEY_BENCH_NAMES sets it.
func benchNames(b *testing.B) int {
	text := os.Getenv("SOLEKEY_BENCH_NAMES")
	if text == "" {
		return 10_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// benchUpdate returns an update to the version, by keys that cost little to make.
func benchUpdate(log protocol.Hash, name, version uint64) []byte {
	key := func(version uint64) ed25519.PrivateKey {
		seed := simHash(fmt.Sprint("key", version), name)
		return ed25519.NewKeyFromSeed(seed[:])
	}
	own, next := key(version), key(version+1)
	u := &Update{
		Index: simHash("index", name), Version: version, Commitment: simHash("commitment", name+version<<40),
		Key: Key(own.Public().(ed25519.PublicKey)), Next: KeyHash(Key(next.Public().(ed25519.PublicKey))),
	}
	u.Signature = Signature(ed25519.Sign(own, u.signed(log)))
	return (&Entry{Update: u}).Bytes()
}

// benchFill registers the names, a root after each 5,000.
func benchFill(b *testing.B, key *tlog.LogKey, names int) (*Replay, *MemoryStore) {
	store := NewMemoryStore()
	r := NewReplay(key, store)
	ctx := context.Background()
	if err := r.Entry(ctx, simOriginEntry(b).Bytes()); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < names; n += 5000 {
		var raws [][]byte
		for i := n; i < min(n+5000, names); i++ {
			raws = append(raws, benchUpdate(key.ID(), uint64(i), 1))
		}
		benchBatch(b, r, store, raws)
	}
	return r, store
}

func benchBatch(b *testing.B, r *Replay, store *MemoryStore, raws [][]byte) {
	ctx := context.Background()
	if err := r.Entries(ctx, raws); err != nil {
		b.Fatal(err)
	}
	root, err := r.NextRoot(ctx, simStart)
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Entry(ctx, root.Bytes()); err != nil {
		b.Fatal(err)
	}
	store.Apply(r.TakeChange())
}

// BenchmarkReplay replays updates of names that are registered, all cores at it,
// a root after each 5,000.
func BenchmarkReplay(b *testing.B) {
	key, names := simLogKey(b, simOrigin), benchNames(b)
	r, store := benchFill(b, key, names)
	versions := make([]uint64, names)
	for i := range versions {
		versions[i] = 1
	}
	b.ResetTimer()
	for done, at := 0, 0; done < b.N; {
		b.StopTimer()
		var raws [][]byte
		for ; len(raws) < 5000 && done < b.N; done++ {
			at = (at + 7919) % names
			versions[at]++
			raws = append(raws, benchUpdate(key.ID(), uint64(at), versions[at]))
		}
		b.StartTimer()
		benchBatch(b, r, store, raws)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkProve makes look-up proofs.
func BenchmarkProve(b *testing.B) {
	key, names := simLogKey(b, simOrigin), benchNames(b)
	r, store := benchFill(b, key, names)
	root, _ := r.Roots()
	tree := NewTree(root, NewCache(store, CacheSize))
	hashes, bytes := 0, 0
	b.ResetTimer()
	for i := range b.N {
		p, err := tree.Prove(context.Background(), simHash("index", uint64(i%names)))
		if err != nil {
			b.Fatal(err)
		}
		hashes, bytes = hashes+len(p.Siblings), bytes+len(p.Bytes())
	}
	b.ReportMetric(float64(hashes)/float64(b.N), "hashes")
	b.ReportMetric(float64(bytes)/float64(b.N), "bytes")
}

// BenchmarkTile parses and prints a full tile of the lowest kind.
func BenchmarkTile(b *testing.B) {
	var items []Item
	leaf := (&Leaf{Version: 12, Chain: simHash("chain", 0), Next: simHash("next", 0), Position: 1 << 30}).Bytes()
	for i := range uint64(1 << tileLevels) {
		index := protocol.Hash{}
		binary.BigEndian.PutUint64(index[:], i<<60)
		items = append(items, Item{index, leaf})
	}
	root, change, err := NewTree(protocol.Hash{}, NewMemoryStore()).Set(context.Background(), items)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		top, err := parseTile(change.New[root], root, 0, protocol.Hash{})
		if err != nil || len(tileOf(top)) != len(change.New[root]) {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(change.New[root])))
}
