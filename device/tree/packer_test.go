// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// testChunk is a chunk to be added.
type testChunk struct {
	kind      Kind
	plaintext []byte
}

// testMix returns chunks as a tree of mixed files has them: n small texts,
// some that do not shrink, a few long ones, and nodes in between.
func testMix(seed uint64, n int) []testChunk {
	r := rand.New(rand.NewPCG(seed, 1))
	var mix []testChunk
	for i := range n {
		size := 1 + int(300*r.ExpFloat64()*r.ExpFloat64()*r.ExpFloat64())
		switch {
		case i%200 == 199:
			mix = append(mix, testChunk{KindFile, testRandom(r.Uint64(), MinChunkLength+r.IntN(MaxChunkLength-MinChunkLength))})
		case i%200 == 99:
			mix = append(mix, testChunk{KindFile, testText(r.Uint64(), MinChunkLength+r.IntN(1<<20))})
		case i%20 == 19:
			mix = append(mix, testChunk{KindNode, testText(r.Uint64(), 3000)})
		case i%7 == 6:
			mix = append(mix, testChunk{KindFile, testRandom(r.Uint64(), min(size*8, MinChunkLength-1))})
		case i == 10:
			mix = append(mix, testChunk{KindList, testRandom(r.Uint64(), 4096)})
		default:
			mix = append(mix, testChunk{KindFile, testText(r.Uint64(), min(size, MinChunkLength-1))})
		}
	}
	return mix
}

// pack adds chunks in order and ends the run.
func pack(t testing.TB, secrets *Secrets, workers int, chunks []testChunk) (*testStore, Stats) {
	t.Helper()
	store, names := new(testStore), NewNames(secrets.Naming)
	p := NewPacker(t.Context(), PackerOptions{Run: testRun(t), Secrets: secrets, Sink: store.sink, Workers: workers})
	defer p.Close()
	for _, c := range chunks {
		name := names.Name(c.kind, c.plaintext)
		if err := p.Add(t.Context(), c.kind, name, c.plaintext); err != nil {
			t.Fatal(err)
		}
		if !p.Has(name) && !store.has(name) {
			t.Fatal("a chunk is neither in flight nor stored")
		}
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store, p.Stats()
}

func TestPackerStoresEverything(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(1)
	names := NewNames(secrets.Naming)
	for _, n := range []int{0, 1, 30, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			chunks := testMix(uint64(n), n)
			store, stats := pack(t, secrets, 2, chunks)
			want := make(map[protocol.Hash][]byte)
			raw := 0
			for _, c := range chunks {
				want[names.Name(c.kind, c.plaintext)] = c.plaintext
			}
			for _, b := range want {
				raw += len(b)
			}
			got := store.content(t, secrets)
			if !maps.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("%d chunks came back of %d", len(got), len(want))
			}
			stored := 0
			for _, p := range store.packs {
				stored += len(p.Bytes)
			}
			if want := (Stats{int64(len(want)), int64(raw), int64(len(store.packs)), int64(stored)}); stats != want {
				t.Errorf("counted %+v, want %+v", stats, want)
			}
			if n == 0 && len(store.packs) != 0 {
				t.Error("a run without content made a pack")
			}
		})
	}
}

// All packs but the last have one size, and hardly any of it is lost.
func TestPackerFillsPacks(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(1)
	store, _ := pack(t, secrets, 2, testMix(5, 5000))
	last, lost := 0, 0
	for _, p := range store.packs {
		index := openTestPack(t, p.Bytes, secrets, make(map[protocol.Hash][]byte))
		if !reflect.DeepEqual(index, p.Index) {
			t.Error("the sink got another index than the pack has")
		}
		if p.Last {
			last++
			continue
		}
		if len(p.Bytes) != seal.PackTarget {
			t.Errorf("a full pack has %d bytes", len(p.Bytes))
		}
		lost += len(p.Bytes) - seal.PackHeaderSize - index.FramesLength() - len(index.Print())
	}
	full := len(store.packs) - last
	if last != 1 || full < 3 {
		t.Fatalf("%d full packs, %d last ones", full, last)
	}
	if lost/full > seal.PackTarget/40 {
		t.Errorf("%d KiB are lost in each pack", lost/full>>10)
	}
}

// Frames hold what belongs together: neighbours in order, kinds apart.
func TestPackerFrames(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(1)
	names := NewNames(secrets.Naming)
	chunks := testMix(6, 2000)
	store, _ := pack(t, secrets, 2, chunks)
	place := make(map[protocol.Hash]int)
	for i, c := range slices.Backward(chunks) { // the first of equal ones counts
		place[names.Name(c.kind, c.plaintext)] = i
	}
	for _, p := range store.packs {
		for _, f := range p.Index.Frames {
			if f.Raw > segmentLength && len(f.Chunks) > 1 || len(f.Chunks) > segmentChunks {
				t.Errorf("a segment of %d bytes and %d chunks", f.Raw, len(f.Chunks))
			}
			order := make([]int, len(f.Chunks))
			for i, c := range f.Chunks {
				order[i] = place[c.Name]
				if chunks[order[i]].kind != f.Kind {
					t.Errorf("%v in a frame of %v", chunks[order[i]].kind, f.Kind)
				}
				if len(f.Chunks) > 1 && c.Length >= MinChunkLength {
					t.Errorf("a chunk of %d bytes is not alone", c.Length)
				}
			}
			if !slices.IsSorted(order) {
				t.Error("chunks of a frame are not in the order of their files")
			}
		}
	}
}

// Many chunks of one byte run into the limit of chunks, not beyond it.
func TestPackerLimitsChunks(t *testing.T) {
	t.Parallel()
	secrets := testSecrets(1)
	var chunks []testChunk
	for i := range MaxPackChunks + 3*segmentChunks {
		chunks = append(chunks, testChunk{KindFile, []byte{byte(i), byte(i >> 8), byte(i >> 16)}})
	}
	store, _ := pack(t, secrets, 2, chunks)
	if got := store.content(t, secrets); len(got) != len(chunks) {
		t.Errorf("%d chunks came back of %d", len(got), len(chunks))
	}
	for _, p := range store.packs {
		if n := p.Index.Chunks(); n > MaxPackChunks {
			t.Errorf("a pack of %d chunks", n)
		}
	}
}

// The same chunks give the same sizes and frames, however many processors.
func TestPackerIsDeterministic(t *testing.T) {
	t.Parallel()
	chunks := testMix(7, 3000)
	var want []*Finished
	for _, workers := range []int{1, 2, 5} {
		store, _ := pack(t, testSecrets(1), workers, chunks)
		slices.SortFunc(store.packs, func(a, b *Finished) int { // uploads overtake each other
			return bytes.Compare(a.Index.Frames[0].Chunks[0].Name[:], b.Index.Frames[0].Chunks[0].Name[:])
		})
		if want == nil {
			want = store.packs
			continue
		}
		if len(store.packs) != len(want) {
			t.Fatalf("%d workers: %d packs, want %d", workers, len(store.packs), len(want))
		}
		for i, p := range store.packs {
			if len(p.Bytes) != len(want[i].Bytes) || !reflect.DeepEqual(p.Index, want[i].Index) {
				t.Errorf("%d workers: pack %d differs", workers, i)
			}
			if p.ID == want[i].ID {
				t.Errorf("two runs made one pack")
			}
		}
	}
}

// Several goroutines add the same chunks: each is stored once.
func TestPackerConcurrentAdds(t *testing.T) {
	t.Parallel()
	secrets, store, chunks := testSecrets(1), new(testStore), testMix(8, 1000)
	names := NewNames(secrets.Naming)
	p := NewPacker(t.Context(), PackerOptions{Run: testRun(t), Secrets: secrets, Sink: store.sink})
	var adders sync.WaitGroup
	for range 4 {
		adders.Go(func() {
			for _, c := range chunks {
				if err := p.Add(t.Context(), c.kind, names.Name(c.kind, c.plaintext), c.plaintext); err != nil {
					t.Error(err)
				}
			}
		})
	}
	adders.Wait()
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	content := store.content(t, secrets)
	for _, c := range chunks {
		if !bytes.Equal(content[names.Name(c.kind, c.plaintext)], c.plaintext) {
			t.Fatal("a chunk is missing")
		}
	}
}

func TestPackerRefuses(t *testing.T) {
	t.Parallel()
	store := new(testStore)
	p := NewPacker(t.Context(), PackerOptions{Run: testRun(t), Secrets: testSecrets(1), Sink: store.sink})
	for _, c := range []testChunk{{KindFile, nil}, {KindFile, make([]byte, MaxChunkLength+1)}, {0, []byte("x")}, {lastKind + 1, []byte("x")}} {
		if err := p.Add(t.Context(), c.kind, protocol.Hash{1}, c.plaintext); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("%d bytes of %v: %v", len(c.plaintext), c.kind, err)
		}
	}
	if err := p.Flush(t.Context()); err != nil || len(store.packs) != 0 {
		t.Errorf("%d packs, error %v", len(store.packs), err)
	}
	p.Close()
	if err := p.Add(t.Context(), KindFile, protocol.Hash{1}, []byte("x")); !errors.Is(err, errClosed) {
		t.Errorf("add after the end: %v", err)
	}
	if err := p.Flush(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("flush after the end: %v", err)
	}
}

// addUntil adds random chunks until an error comes, which it returns.
func addUntil(ctx context.Context, p *Packer) error {
	for i := range uint64(1000) {
		b := testRandom(i, 1<<20)
		if err := p.Add(ctx, KindFile, protocol.Hash(b[:32]), b); err != nil {
			return err
		}
	}
	return nil
}

// A sink that fails at its nth pack ends the run with its error; packs before
// it stay, and nothing hangs.
func TestPackerSinkFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk full")
	for fails := range 3 {
		store := new(testStore)
		p := NewPacker(t.Context(), PackerOptions{
			Run: testRun(t), Secrets: testSecrets(1), Uploads: 1,
			Sink: func(ctx context.Context, f *Finished) error {
				if len(store.packs) == fails {
					return broken
				}
				return store.sink(ctx, f)
			},
		})
		if err := addUntil(t.Context(), p); !errors.Is(err, broken) {
			t.Errorf("add: %v", err)
		}
		if err := p.Flush(t.Context()); !errors.Is(err, broken) {
			t.Errorf("flush: %v", err)
		}
		if len(store.packs) != fails {
			t.Errorf("%d packs stored, want %d", len(store.packs), fails)
		}
	}
}

func TestPackerIsCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped by hand")
	slow := func(ctx context.Context, _ *Finished) error { <-ctx.Done(); return context.Cause(ctx) }
	options := func() PackerOptions {
		return PackerOptions{Run: testRun(t), Secrets: testSecrets(1), Sink: slow}
	}
	t.Run("life", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := NewPacker(ctx, options())
		defer p.Close()
		go cancel(stop)
		if err := addUntil(t.Context(), p); !errors.Is(err, stop) {
			t.Errorf("add: %v", err)
		}
	})
	t.Run("add", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := NewPacker(t.Context(), options())
		defer p.Close()
		go cancel(stop)
		if err := addUntil(ctx, p); !errors.Is(err, stop) {
			t.Errorf("add: %v", err)
		}
		if err := p.Flush(t.Context()); !errors.Is(err, stop) {
			t.Errorf("flush: %v", err)
		}
	})
	t.Run("flush", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		p := NewPacker(t.Context(), options())
		if err := p.Add(t.Context(), KindFile, protocol.Hash{1}, []byte("x")); err != nil {
			t.Fatal(err)
		}
		go cancel(stop)
		if err := p.Flush(ctx); !errors.Is(err, stop) {
			t.Errorf("flush: %v", err)
		}
	})
	t.Run("close while adding", func(t *testing.T) {
		p := NewPacker(t.Context(), options())
		done := make(chan error)
		go func() { done <- addUntil(t.Context(), p) }()
		p.Close()
		if err := <-done; !errors.Is(err, errClosed) {
			t.Errorf("add: %v", err)
		}
	})
}

func BenchmarkPacker(b *testing.B) {
	secrets := testSecrets(1)
	names := NewNames(secrets.Naming)
	for name, make := range map[string]func(uint64) []byte{
		"text of 4 KiB":  func(i uint64) []byte { return testText(i, 4<<10) },
		"random of 1 MB": func(i uint64) []byte { return testRandom(i, 1<<20) },
	} {
		b.Run(name, func(b *testing.B) {
			var chunks [][]byte
			total := 0
			for i := uint64(0); total < 64<<20; i++ {
				chunks = append(chunks, make(i))
				total += len(chunks[i])
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				p := NewPacker(b.Context(), PackerOptions{Run: testRun(b), Secrets: secrets, Sink: func(context.Context, *Finished) error { return nil }})
				for _, c := range chunks {
					if err := p.Add(b.Context(), KindFile, names.Name(KindFile, c), c); err != nil {
						b.Fatal(err)
					}
				}
				if err := p.Flush(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
