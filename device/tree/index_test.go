// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

// dice returns a source of random numbers that is the same in every run.
func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// randomHash returns a uniform name.
func randomHash(r *rand.Rand) (h protocol.Hash) {
	for i := 0; i < len(h); i += 8 {
		binary.BigEndian.PutUint64(h[i:], r.Uint64())
	}
	return h
}

// randomPack returns a pack of that many chunks, in frames of up to 9.
func randomPack(r *rand.Rand, chunks int) (PackInfo, *PackIndex) {
	info := PackInfo{ID: protocol.PackID(randomHash(r)), Signer: protocol.MemberID(randomHash(r)), Size: seal.PackTarget, Usable: true}
	index := &PackIndex{}
	for chunks > 0 {
		f := Frame{Kind: KindFile, Compression: Compression(r.IntN(2))}
		for range min(chunks, 1+r.IntN(9)) {
			c := PackedChunk{Name: randomHash(r), Length: 1 + r.IntN(2000)}
			f.Raw += c.Length
			f.Chunks = append(f.Chunks, c)
		}
		chunks -= len(f.Chunks)
		f.Sealed = f.Raw + seal.FrameOverhead
		if f.Compression != CompressNone {
			f.Sealed = seal.FrameOverhead + 1 + f.Raw/2
		}
		index.Frames = append(index.Frames, f)
	}
	info.Chunks = index.Chunks()
	return info, index
}

// places returns where each chunk of a pack lies, worked out anew.
func places(id protocol.PackID, index *PackIndex) map[protocol.Hash]Location {
	at := map[protocol.Hash]Location{}
	offset := int64(seal.PackHeaderSize)
	for i, f := range index.Frames {
		start := 0
		for _, c := range f.Chunks {
			if _, twice := at[c.Name]; !twice {
				at[c.Name] = Location{id, i, offset, f.Sealed, f.Compression, f.Raw, start, c.Length}
			}
			start += c.Length
		}
		offset += int64(f.Sealed)
	}
	return at
}

// mustOpen opens an index with little room in memory, so that few records make files and merges.
func mustOpen(t testing.TB, dir string) *Index {
	t.Helper()
	x, err := openIndex(dir, disk{}, 50)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// modelPack is a pack as the model of an index knows it.
type modelPack struct {
	info PackInfo
	at   map[protocol.Hash]Location
}

// checkIndex holds an index to a model: exactly these packs, with all their chunks where they are.
func checkIndex(t *testing.T, x *Index, model map[protocol.PackID]*modelPack) {
	t.Helper()
	seen := 0
	for p, err := range x.Packs() {
		if err != nil {
			t.Fatal(err)
		}
		if m := model[p.ID]; m == nil || m.info != p {
			t.Fatalf("pack %v is %+v, the model has %+v", p.ID, p, m)
		}
		seen++
	}
	if seen != len(model) {
		t.Fatalf("%d packs, the model has %d", seen, len(model))
	}
	for id, m := range model {
		if p, found, err := x.Pack(id); err != nil || !found || p != m.info {
			t.Fatalf("Pack(%v) = %+v, %v, %v", id, p, found, err)
		}
		for name, want := range m.at {
			checkChunk(t, x, model, name, want)
		}
	}
}

// checkChunk holds the answers about one chunk to the model.
func checkChunk(t *testing.T, x *Index, model map[protocol.PackID]*modelPack, name protocol.Hash, want Location) {
	t.Helper()
	locations, err := x.Lookup(nil, name)
	if err != nil || !slices.Contains(locations, want) {
		t.Fatalf("Lookup(%v) = %v, %v, without %v", name, locations, err, want)
	}
	usable := false
	for i, l := range locations {
		m := model[l.Pack]
		if m == nil || m.at[name] != l {
			t.Fatalf("Lookup(%v) gives %v, which the model has not", name, l)
		}
		if m.info.Usable && i > 0 && !usable {
			t.Fatalf("Lookup(%v): a usable pack behind one that is not", name)
		}
		usable = usable || m.info.Usable
	}
	if has, err := x.Has(name); err != nil || has != usable {
		t.Fatalf("Has(%v) = %v, %v, want %v", name, has, err, usable)
	}
}

// TestIndexAgainstModel does random things to an index and to a map, and compares them.
func TestIndexAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { modelIndex(t, dice(seed), t.TempDir()) })
	}
}

func modelIndex(t *testing.T, r *rand.Rand, dir string) {
	x := mustOpen(t, dir)
	defer func() { x.Close() }()
	model := map[protocol.PackID]*modelPack{}
	var ids []protocol.PackID
	var names []protocol.Hash
	for step := range 150 {
		switch n := r.IntN(20); {
		case n < 11:
			info, index := randomPack(r, 1+r.IntN(60))
			if len(names) > 0 && r.IntN(2) == 0 { // a chunk that lies in an earlier pack
				index.Frames[0].Chunks[0].Name = names[r.IntN(len(names))]
			} else {
				names = append(names, index.Frames[0].Chunks[0].Name)
			}
			if last := &index.Frames[len(index.Frames)-1]; r.IntN(4) == 0 { // or twice in this one
				last.Chunks[len(last.Chunks)-1].Name = index.Frames[0].Chunks[0].Name
			}
			info.Usable, info.Cursor = r.IntN(3) > 0, uint64(step)
			addBoth(t, x, model, info, index)
			ids = append(ids, info.ID)
		case n < 13:
			addAgain(t, x, model)
		case n < 15 && len(ids) > 0:
			markBoth(t, x, model, ids[r.IntN(len(ids))], r.IntN(2) == 0)
		case n < 17 && len(ids) > 0:
			removeBoth(t, x, model, ids[r.IntN(len(ids))])
		case n < 18:
			if err := x.Flush(); err != nil {
				t.Fatal(err)
			}
		case n < 19:
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = mustOpen(t, dir)
		}
	}
	checkIndex(t, x, model)
	checkWalk(t, x, model)
	if has, err := x.Has(randomHash(r)); has || err != nil {
		t.Errorf("Has of an unknown chunk = %v, %v", has, err)
	}
}

func addBoth(t *testing.T, x *Index, model map[protocol.PackID]*modelPack, info PackInfo, index *PackIndex) {
	t.Helper()
	if err := x.AddPack(info, index); err != nil {
		t.Fatal(err)
	}
	model[info.ID] = &modelPack{info, places(info.ID, index)}
}

// addAgain adds a pack that is known already, with other words, which must change nothing.
func addAgain(t *testing.T, x *Index, model map[protocol.PackID]*modelPack) {
	t.Helper()
	for id := range model {
		if err := x.AddPack(PackInfo{ID: id, Usable: true}, &PackIndex{}); err != nil {
			t.Fatal(err)
		}
		return
	}
}

func markBoth(t *testing.T, x *Index, model map[protocol.PackID]*modelPack, id protocol.PackID, usable bool) {
	t.Helper()
	if err := x.SetUsable([]protocol.PackID{id}, usable); err != nil {
		t.Fatal(err)
	}
	if m := model[id]; m != nil {
		m.info.Usable = usable
	}
}

func removeBoth(t *testing.T, x *Index, model map[protocol.PackID]*modelPack, id protocol.PackID) {
	t.Helper()
	if err := x.RemovePacks([]protocol.PackID{id}); err != nil {
		t.Fatal(err)
	}
	delete(model, id)
}

// checkWalk holds Chunks to the model: ascending, complete, nothing else.
func checkWalk(t *testing.T, x *Index, model map[protocol.PackID]*modelPack) {
	t.Helper()
	want := 0
	for _, m := range model {
		want += len(m.at)
	}
	var last protocol.Hash
	for c, err := range x.Chunks() {
		if err != nil {
			t.Fatal(err)
		}
		if slices.Compare(last[:], c.Name[:]) > 0 {
			t.Fatal("Chunks does not ascend")
		}
		if m := model[c.Pack]; m == nil || m.at[c.Name] != c.Location {
			t.Fatalf("Chunks gives %+v, which the model has not", c)
		}
		last = c.Name
		want--
	}
	if want != 0 {
		t.Fatalf("Chunks left out %d", want)
	}
}

// TestIndexOneWriter sees that a second writer is refused, and that readers are not.
func TestIndexOneWriter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	x := mustOpen(t, dir)
	info, index := randomPack(dice(1), 200)
	if err := x.AddPack(info, index); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenIndex(dir); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("a second writer got %v", err)
	}
	if err := RemoveIndex(dir); protocol.KindOf(err) != protocol.KindBusy {
		t.Errorf("removing an index in use gave %v", err)
	}
	reader, err := ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.AddPack(info, index); err == nil {
		t.Error("a reader added a pack")
	}
	if err := reader.RemovePacks(nil); err == nil {
		t.Error("a reader removed packs")
	}
	checkIndex(t, reader, map[protocol.PackID]*modelPack{info.ID: {info, places(info.ID, index)}})
	if err := errors.Join(reader.Close(), x.Close(), RemoveIndex(dir)); err != nil {
		t.Fatal(err)
	}
	x = mustOpen(t, dir)
	checkIndex(t, x, nil)
	x.Close()
}

// TestIndexReaderOutlivesMerges sees that a reader goes on while the writer replaces the files under it.
func TestIndexReaderOutlivesMerges(t *testing.T) {
	t.Parallel()
	dir, r := t.TempDir(), dice(2)
	x := mustOpen(t, dir)
	defer x.Close()
	model := map[protocol.PackID]*modelPack{}
	for range 3 {
		info, index := randomPack(r, 60)
		addBoth(t, x, model, info, index)
	}
	reader, err := ReadIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for range 30 {
		info, index := randomPack(r, 60)
		if err := x.AddPack(info, index); err != nil {
			t.Fatal(err)
		}
	}
	checkIndex(t, reader, model)
}

// TestIndexSpaceComesBack removes packs and sees that their records leave the files.
func TestIndexSpaceComesBack(t *testing.T) {
	t.Parallel()
	x := mustOpen(t, t.TempDir())
	defer x.Close()
	r := dice(3)
	var ids []protocol.PackID
	for range 40 {
		info, index := randomPack(r, 60)
		if err := x.AddPack(info, index); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.ID)
	}
	if err := errors.Join(x.RemovePacks(ids[:30]), x.Flush()); err != nil {
		t.Fatal(err)
	}
	var records uint64
	for _, f := range x.files {
		records += f.records
	}
	if want := uint64(10 * 61); records != want || x.dead != 0 {
		t.Errorf("%d records are left and %d count as dead, want %d and none", records, x.dead, want)
	}
}

// TestIndexConcurrent looks chunks up while packs are added, flushed and merged.
func TestIndexConcurrent(t *testing.T) {
	t.Parallel()
	x := mustOpen(t, t.TempDir())
	defer x.Close()
	var wait sync.WaitGroup
	for worker := range uint64(4) {
		wait.Go(func() {
			r := dice(100 + worker)
			for range 40 {
				info, index := randomPack(r, 40)
				if err := x.AddPack(info, index); err != nil {
					t.Error(err)
				}
				for name, want := range places(info.ID, index) {
					if got, err := x.Lookup(nil, name); err != nil || len(got) != 1 || got[0] != want {
						t.Errorf("Lookup = %v, %v, want %v", got, err, want)
					}
				}
			}
		})
	}
	wait.Wait()
}

// simulateIndex adds that many chunks in packs of 20,000, asking for each before, and holds memory to a limit.
func simulateIndex(t testing.TB, chunks int, limit uint64) {
	x, err := OpenIndex(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	r := dice(4)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	for done := 0; done < chunks; done += 20_000 {
		info, index := randomPack(r, 20_000)
		for _, f := range index.Frames {
			for _, c := range f.Chunks {
				if has, err := x.Has(c.Name); has || err != nil {
					t.Fatal(has, err)
				}
			}
		}
		if err := x.AddPack(info, index); err != nil {
			t.Fatal(err)
		}
		info, index = PackInfo{}, nil
		if done%200_000 == 0 || done+20_000 >= chunks {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))
		}
	}
	t.Logf("%d chunks: %d KiB in memory, %d files", chunks, most>>10, len(x.files))
	if most > limit {
		t.Errorf("%d chunks take %d bytes of memory, at most %d are allowed", chunks, most, limit)
	}
}

// BenchmarkIndexTenMillion adds ten million chunks; it fails when they take more than 64 MiB of memory.
func BenchmarkIndexTenMillion(b *testing.B) {
	for b.Loop() {
		simulateIndex(b, 10_000_000, 64<<20)
	}
}
