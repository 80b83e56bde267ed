// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// packSource serves packs from memory and counts.
type packSource struct {
	packs  map[protocol.PackID][]byte
	broken func(read Read) error // nil: none is
	give   func(b []byte) []byte // what is given instead; nil: the bytes

	mu    sync.Mutex // guards what follows
	reads []Read
}

func (s *packSource) Blocks(_ context.Context, reads []Read, visit func(i int, b []byte) error) error {
	for i, read := range reads {
		s.mu.Lock()
		s.reads = append(s.reads, read)
		s.mu.Unlock()
		pack, found := s.packs[read.Pack]
		if !found {
			return protocol.Errorf(protocol.KindNotFound, "no pack %v", read.Pack)
		}
		if s.broken != nil {
			if err := s.broken(read); err != nil {
				return err
			}
		}
		size := int64(len(pack))
		b := bytes.Clone(pack[min(read.Offset, size):min(read.Offset+read.Length, size)])
		if s.give != nil {
			b = s.give(b)
		}
		if err := visit(i, b); err != nil {
			return err
		}
		clear(b) // it was valid during the call only
	}
	return nil
}

// readerWorld is a vault with packs, an index of them, and a reader.
type readerWorld struct {
	source *packSource
	index  *Index
	reader *Reader
	chunks map[protocol.Hash]testChunk
	wants  []Want
}

// newReaderWorld packs chunks twice, in two runs, so that everything lies in two places, in two orders.
func newReaderWorld(t testing.TB, chunks []testChunk) *readerWorld {
	t.Helper()
	secrets := testSecrets(1)
	names := NewNames(secrets.Naming)
	w := &readerWorld{source: &packSource{packs: map[protocol.PackID][]byte{}}, chunks: map[protocol.Hash]testChunk{}}
	w.index = mustOpen(t, t.TempDir())
	t.Cleanup(func() { w.index.Close() })
	for _, c := range chunks {
		name := names.Name(c.kind, c.plaintext)
		if _, twice := w.chunks[name]; !twice {
			w.wants = append(w.wants, Want{c.kind, name, uint64(len(c.plaintext))})
		}
		w.chunks[name] = c
	}
	backward := slices.Clone(chunks)
	slices.Reverse(backward)
	for _, order := range [][]testChunk{chunks, backward} {
		store, _ := pack(t, secrets, 2, order)
		for _, p := range store.packs {
			w.source.packs[p.ID] = p.Bytes
			if err := w.index.AddPack(PackInfo{ID: p.ID, Size: int64(len(p.Bytes)), Usable: true}, p.Index); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.reader = NewReader(ReaderOptions{
		Index: w.index, Source: w.source, Open: openForTest,
		Names: func(protocol.MemberID) (*Names, error) { return names, nil },
	})
	return w
}

func openForTest(h *seal.PackHeader) (*seal.Pack, error) {
	run, err := seal.OpenRun(newTestVault().own, h)
	if err != nil {
		return nil, err
	}
	return seal.OpenPack(run, h)
}

// fetch fetches wants and returns how many came, having held each to what was packed, and the errors of the others.
func (w *readerWorld) fetch(t *testing.T, wants []Want) (came int, failed []error, err error) {
	t.Helper()
	var mu sync.Mutex
	seen := map[int]bool{}
	err = w.reader.Fetch(t.Context(), wants, func(i int, chunk []byte, err error) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[i] {
			t.Errorf("want %d came twice", i)
		}
		seen[i] = true
		if err != nil {
			failed = append(failed, err)
			return nil
		}
		if !bytes.Equal(chunk, w.chunks[wants[i].Name].plaintext) {
			t.Errorf("want %d came with other bytes", i)
		}
		came++
		return nil
	})
	return came, failed, err
}

func TestReaderFetchesEverythingOnce(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(1, 3000))
	came, failed, err := w.fetch(t, w.wants)
	if err != nil || len(failed) > 0 || came != len(w.wants) {
		t.Fatalf("%d of %d came, %d failed: %v", came, len(w.wants), len(failed), err)
	}
	var fetched, stored int64
	for _, read := range w.source.reads {
		if read.Offset%seal.BlockSize != 0 || read.Length%seal.BlockSize != 0 {
			t.Errorf("%+v is no whole blocks", read)
		}
		fetched += read.Length
	}
	for _, p := range w.source.packs {
		stored += int64(len(p))
	}
	// Everything is stored twice: one copy is to be fetched, with a block in common at each seam.
	if most := stored/2 + stored/10; fetched > most {
		t.Errorf("%d bytes were fetched for %d stored twice", fetched, stored)
	}
}

func TestReaderFetchesLittleForLittle(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(2, 1000))
	for i := 0; i < len(w.wants); i += 37 {
		w.source.reads = nil
		came, failed, err := w.fetch(t, w.wants[i:i+1])
		if came != 1 || err != nil {
			t.Fatalf("want %d: %v, %v", i, failed, err)
		}
		var fetched int64
		for _, read := range w.source.reads {
			fetched += read.Length
		}
		if len(w.source.reads) > 2 || fetched > MaxFrameLength+3*seal.BlockSize {
			t.Errorf("one chunk took %+v", w.source.reads)
		}
	}
}

func TestReaderChunk(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(3, 1000))
	for round := range 2 {
		w.source.reads = nil
		nodes := 0
		for _, want := range w.wants {
			if want.Kind != KindNode {
				continue
			}
			nodes++
			chunk, err := w.reader.Chunk(t.Context(), want.Kind, want.Name)
			if err != nil || !bytes.Equal(chunk, w.chunks[want.Name].plaintext) {
				t.Fatalf("chunk %v: %v", want.Name, err)
			}
		}
		if most := []int{nodes / 3, 0}[round]; len(w.source.reads) > most {
			t.Errorf("round %d: %d nodes took %d reads", round, nodes, len(w.source.reads))
		}
	}
}

func TestReaderPrefetch(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(4, 500))
	var nodes []Want
	for _, want := range w.wants {
		if want.Kind == KindNode {
			nodes = append(nodes, want)
		}
	}
	nodes = append(nodes, Want{Kind: KindNode, Name: protocol.Hash{1}}) // one that is nowhere does not matter
	for range 2 {
		if err := w.reader.Prefetch(t.Context(), nodes); err != nil {
			t.Fatal(err)
		}
		w.source.reads = nil
	}
	for _, want := range nodes[:len(nodes)-1] {
		if _, err := w.reader.Chunk(t.Context(), want.Kind, want.Name); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.source.reads) > 0 {
		t.Errorf("what was prefetched took %d reads", len(w.source.reads))
	}
}

// TestReaderTurnsToOtherPlaces damages one copy of everything, in every way, and still gets all.
func TestReaderTurnsToOtherPlaces(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(5, 800))
	whole := w.source.packs
	half := len(whole) / 2
	var first []protocol.PackID // the packs of the first run
	for p := range w.index.Packs() {
		if len(first) < half {
			first = append(first, p.ID)
		}
	}
	for name, damage := range map[string]func(p []byte) []byte{
		"gone":       func([]byte) []byte { return nil },
		"empty":      func([]byte) []byte { return []byte{} },
		"cut off":    func(p []byte) []byte { return p[:len(p)/3] },
		"one bit":    func(p []byte) []byte { p[len(p)/4] ^= 1; return p },
		"the header": func(p []byte) []byte { p[100] ^= 1; return p },
		"the magic":  func(p []byte) []byte { p[0] ^= 1; return p },
		"each block": func(p []byte) []byte {
			for i := 5000; i < len(p); i += seal.BlockSize / 2 {
				p[i] ^= 1
			}
			return p
		},
		"another pack": func([]byte) []byte { return bytes.Clone(whole[first[len(first)-1]]) },
	} {
		packs := map[protocol.PackID][]byte{}
		for id, p := range whole {
			packs[id] = p
			if slices.Contains(first, id) {
				if packs[id] = damage(bytes.Clone(p)); packs[id] == nil {
					delete(packs, id)
				}
			}
		}
		w.source.packs = packs
		w.reader = NewReader(w.reader.ReaderOptions)
		if came, failed, err := w.fetch(t, w.wants); err != nil || came != len(w.wants) {
			t.Errorf("%s: %d of %d came: %v, %v", name, came, len(w.wants), failed, err)
		}
	}
}

// TestReaderTellsWhatCannotBeHad damages both copies: the chunks concerned fail, all others come.
func TestReaderTellsWhatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(6, 300))
	for _, p := range w.source.packs {
		p[len(p)/5] ^= 1
	}
	wants := append(slices.Clone(w.wants), Want{Kind: KindFile, Name: protocol.Hash{5}})
	came, failed, err := w.fetch(t, wants)
	if err != nil || came == 0 || came == len(w.wants) || came+len(failed) != len(wants) {
		t.Fatalf("%d of %d came, %d failed: %v", came, len(wants), len(failed), err)
	}
	kinds := map[protocol.Kind]int{}
	for _, err := range failed {
		kinds[protocol.KindOf(err)]++
	}
	if kinds[protocol.KindNotFound] != 1 || kinds[protocol.KindUntrusted] != len(failed)-1 {
		t.Errorf("kinds of errors: %v", kinds)
	}
}

// TestReaderKinds sees that a chunk of one kind is not given for another, nor one of another length.
func TestReaderKinds(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(7, 100))
	for i := range w.wants {
		wrong := w.wants[i]
		if i%2 == 0 {
			wrong.Kind = KindFile + KindNode - min(wrong.Kind, KindNode)
		} else {
			wrong.Length++
		}
		_, failed, err := w.fetch(t, []Want{wrong})
		if err != nil || len(failed) != 1 || protocol.KindOf(failed[0]) != protocol.KindUntrusted {
			t.Fatalf("%+v gave %v, %v", wrong, failed, err)
		}
	}
}

// TestReaderStops sees that errors which are nobody's fault end everything.
func TestReaderStops(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(8, 1000))
	w.source.broken = func(Read) error { return protocol.Errorf(protocol.KindUnreachable, "no network") }
	if _, failed, err := w.fetch(t, w.wants); protocol.KindOf(err) != protocol.KindUnreachable || len(failed) > 0 {
		t.Errorf("without a network: %v, %d failed", err, len(failed))
	}
	w.source.broken = nil
	enough := errors.New("enough")
	for _, at := range []int{1, 500} {
		var mu sync.Mutex
		calls := 0
		err := w.reader.Fetch(t.Context(), w.wants, func(int, []byte, error) error {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls >= at {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Errorf("an error of visit gave %v", err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.reader.Fetch(ctx, w.wants, func(int, []byte, error) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fetch gave %v", err)
	}
}

// TestReaderSourceLies gives other bytes of the same length, too few, and none: nothing wrong comes out.
func TestReaderSourceLies(t *testing.T) {
	t.Parallel()
	w := newReaderWorld(t, testMix(9, 60))
	for name, give := range map[string]func(b []byte) []byte{
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"nothing": func([]byte) []byte { return nil },
		"shifted": func(b []byte) []byte { return append(b[1:], b[0]) },
		"short":   func(b []byte) []byte { return b[:min(len(b), seal.PackHeaderSize+5)] },
	} {
		w.source.give = give
		w.reader = NewReader(w.reader.ReaderOptions)
		came, failed, err := w.fetch(t, w.wants)
		if err != nil || came != 0 || len(failed) != len(w.wants) {
			t.Errorf("%s: %d came, %d failed: %v", name, came, len(failed), err)
		}
	}
}

// TestRecent holds the cache to its room.
func TestRecent(t *testing.T) {
	c := recent[int, string]{room: 10}
	for i := range 5 {
		c.add(i, fmt.Sprint(i), 3)
	}
	c.find(2)
	c.add(9, "nine", 4)
	c.add(10, "too large", 11)
	c.add(9, "twice", 1)
	var got []int
	for i := range 11 {
		if _, found := c.find(i); found {
			got = append(got, i)
		}
	}
	if want := []int{2, 4, 9}; !slices.Equal(got, want) || c.used != 10 {
		t.Errorf("kept %v with size %d, want %v", got, c.used, want)
	}
}
