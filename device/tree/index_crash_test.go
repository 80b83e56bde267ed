// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol"
)

var errKilled = errors.New("killed")

// killer stops all work before one step, as a power failure does: what was made and not synced then is half there.
type killer struct {
	steps  int // that are left
	unsafe map[string]bool
	acts   []string
}

func (k *killer) step(act, path string) error {
	if k.steps == 0 {
		return errKilled
	}
	k.steps--
	k.acts = append(k.acts, act)
	switch act {
	case "create", "write":
		k.unsafe[path] = true
	case "sync":
		delete(k.unsafe, path)
	case "rename":
		delete(k.unsafe, path+".new")
	}
	return nil
}

// lose halves the files that were not synced.
func (k *killer) lose(t *testing.T) {
	t.Helper()
	for path := range k.unsafe {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.Truncate(path, info.Size()/2)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestIndexKilledAtEachStep does the same work again and again, killed one step later each time, and opens what is
// left: every pack that a Flush made durable is there, and every pack that is there is there with all its chunks.
func TestIndexKilledAtEachStep(t *testing.T) {
	t.Parallel()
	for steps := 0; ; steps++ {
		dir := t.TempDir()
		k := &killer{steps: steps, unsafe: map[string]bool{}}
		durable, added, removed, err := indexWork(t, dir, disk{testingOnlyStep: k.step})
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		k.lose(t)
		checkAfterKill(t, dir, durable, added, removed)
		if err == nil {
			if steps < 60 || !slices.Contains(k.acts, "remove") {
				t.Errorf("the work takes %d steps only: %v", steps, k.acts)
			}
			return
		}
		if t.Failed() {
			t.Fatalf("killed before step %d", steps)
		}
	}
}

// indexWork adds packs, flushes, and removes one, until it is killed; added are all packs that may be there, durable
// those that must be, removed the one that may be missing and, once its removal was durable, must be.
func indexWork(t *testing.T, dir string, d disk) (durable []protocol.PackID, added map[protocol.PackID]*modelPack, removed map[protocol.PackID]bool, err error) {
	t.Helper()
	r := dice(11)
	added, removed = map[protocol.PackID]*modelPack{}, map[protocol.PackID]bool{}
	x, err := openIndex(dir, d, 50)
	if err != nil {
		return nil, added, removed, err
	}
	defer func() { x.closeFiles() }()
	var ids []protocol.PackID
	for i := range 12 {
		info, index := randomPack(r, 30)
		added[info.ID] = &modelPack{info, places(info.ID, index)}
		ids = append(ids, info.ID)
		if err := x.AddPack(info, index); err != nil {
			return durable, added, removed, err
		}
		if i == 8 {
			removed[ids[0]] = false
			if err := x.RemovePacks(ids[:3]); err != nil {
				return durable, added, removed, err
			}
			removed[ids[0]], removed[ids[1]], removed[ids[2]] = false, false, false
			durable = slices.DeleteFunc(durable, func(id protocol.PackID) bool { return slices.Contains(ids[:3], id) })
		}
		if i%3 == 2 {
			if err := x.Flush(); err != nil {
				return durable, added, removed, err
			}
			durable = slices.DeleteFunc(slices.Clone(ids), func(id protocol.PackID) bool { _, r := removed[id]; return r })
			for id := range removed {
				removed[id] = true
			}
		}
	}
	return durable, added, removed, nil
}

func checkAfterKill(t *testing.T, dir string, durable []protocol.PackID, added map[protocol.PackID]*modelPack, removed map[protocol.PackID]bool) {
	t.Helper()
	x := mustOpen(t, dir)
	defer x.Close()
	there := map[protocol.PackID]*modelPack{}
	for p, err := range x.Packs() {
		if err != nil {
			t.Fatal(err)
		}
		if added[p.ID] == nil || removed[p.ID] {
			t.Fatalf("pack %v should not be there", p.ID)
		}
		there[p.ID] = added[p.ID]
	}
	for _, id := range durable {
		if there[id] == nil {
			t.Errorf("pack %v was flushed and is lost", id)
		}
	}
	checkIndex(t, x, there)
	checkWalk(t, x, there)
	for id, m := range added { // what was lost can be added again
		if there[id] == nil && !removed[id] {
			index := &PackIndex{Frames: []Frame{{Kind: KindFile, Sealed: 17, Raw: 1, Chunks: []PackedChunk{{Name: randomHash(dice(1)), Length: 1}}}}}
			if err := x.AddPack(m.info, index); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestIndexFailsAndGoesOn has one step fail, as on a full disk: the index stays usable, and the next Flush makes up.
func TestIndexFailsAndGoesOn(t *testing.T) {
	t.Parallel()
	for fail := range 40 {
		dir, r, steps := t.TempDir(), dice(12), 0
		x, err := openIndex(dir, disk{testingOnlyStep: func(string, string) error {
			steps++
			if steps == fail {
				return errKilled
			}
			return nil
		}}, 50)
		if err != nil {
			t.Fatal(err)
		}
		model := map[protocol.PackID]*modelPack{}
		for range 10 {
			info, index := randomPack(r, 30)
			if err := x.AddPack(info, index); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			model[info.ID] = &modelPack{info, places(info.ID, index)}
		}
		checkIndex(t, x, model)
		x.Flush()
		if err := x.Close(); err != nil && fail < steps {
			t.Fatal(err)
		}
		x = mustOpen(t, dir)
		checkIndex(t, x, model)
		x.Close()
	}
}

// smallIndex makes an index of a few files and returns its model.
func smallIndex(t *testing.T, dir string) map[protocol.PackID]*modelPack {
	t.Helper()
	x, r := mustOpen(t, dir), dice(13)
	model := map[protocol.PackID]*modelPack{}
	for range 3 {
		info, index := randomPack(r, 120)
		addBoth(t, x, model, info, index)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return model
}

// probe opens an index and asks it everything: whatever it answers must be true, or ErrIndexDamaged.
func probe(t *testing.T, dir string, model map[protocol.PackID]*modelPack) (damaged bool) {
	t.Helper()
	x, err := ReadIndex(dir)
	if err != nil {
		if !errors.Is(err, ErrIndexDamaged) {
			t.Fatalf("opening gave %v", err)
		}
		return true
	}
	defer x.Close()
	for id, m := range model {
		if _, found, err := x.Pack(id); err != nil && !errors.Is(err, ErrIndexDamaged) || err == nil && !found {
			t.Fatalf("Pack gave %v, %v", found, err)
		}
		for name, want := range m.at {
			got, err := x.Lookup(nil, name)
			switch {
			case errors.Is(err, ErrIndexDamaged):
				damaged = true
			case err != nil || len(got) != 1 || got[0] != want:
				t.Fatalf("Lookup gave %v, %v, want %v", got, err, want)
			}
		}
	}
	for _, err := range x.Chunks() {
		if err != nil && !errors.Is(err, ErrIndexDamaged) {
			t.Fatalf("Chunks gave %v", err)
		}
		damaged = damaged || err != nil
	}
	return damaged
}

// TestIndexDamage flips bits all over the files, and cuts each at every byte of its tail: no wrong answer comes.
func TestIndexDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := smallIndex(t, dir)
	if probe(t, dir, model) {
		t.Fatal("a whole index is damaged")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(whole); i += 1 + len(whole)/300 {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			damageAndProbe(t, path, b, model)
		}
		for n := max(0, len(whole)-300); n < len(whole); n++ {
			damageAndProbe(t, path, whole[:n], model)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveIndex(dir); err != nil {
		t.Fatal(err)
	}
	x := mustOpen(t, dir)
	defer x.Close()
	checkIndex(t, x, nil)
}

func damageAndProbe(t *testing.T, path string, b []byte, model map[protocol.PackID]*modelPack) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if !probe(t, filepath.Dir(path), model) {
		t.Errorf("%s: damage was not noticed", filepath.Base(path))
	}
}

// FuzzManifest holds the parser to its promise: what it accepts is spelled in one way only.
func FuzzManifest(f *testing.F) {
	for _, m := range []*manifest{{Version: 1}, {Version: 1, Next: 9, Files: []fileMark{{Number: 1, Records: 2}}, Flags: []byte{0, 1, 2}, Dead: 4}} {
		b, err := m.print()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[4:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte{0, 0, 0, 0}, body...)
		sum := checksum(body)
		b[0], b[1], b[2], b[3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		m, err := parseManifest(b, "test")
		if err != nil {
			return
		}
		if again, err := m.print(); err != nil || !slices.Equal(again, b) {
			t.Errorf("%x was read, %x is printed: %v", b, again, err)
		}
	})
}

// FuzzIndexFile opens any bytes as an index file and asks for names: no panic, and no answer
// but the true one, since no checksum holds by chance.
func FuzzIndexFile(f *testing.F) {
	dir := f.TempDir()
	x, err := openIndex(dir, disk{}, 50)
	if err != nil {
		f.Fatal(err)
	}
	info, index := randomPack(dice(1), 100)
	if err := errors.Join(x.AddPack(info, index), x.Close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(indexFilePath(dir, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, uint16(0), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, at uint16, value byte) {
		if int(at) < len(b) {
			b = slices.Clone(b)
			b[at] ^= value
		}
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := openIndexFile(path, 0, 101)
		if err != nil {
			return
		}
		defer x.release()
		for name, want := range places(info.ID, index) {
			records, err := x.find(nil, name[:])
			want.Pack = protocol.PackID{}
			if err == nil && (len(records) != 1 || records[0].location() != want) {
				t.Errorf("%v lies at %v", name, records)
			}
		}
	})
}

// TestIndexFileSameName finds a name that fills several blocks.
func TestIndexFileSameName(t *testing.T) {
	t.Parallel()
	x, r := mustOpen(t, t.TempDir()), dice(14)
	defer x.Close()
	name := randomHash(r)
	for range 300 {
		info, index := randomPack(r, 2)
		index.Frames[0].Chunks[0].Name = name
		if err := x.AddPack(info, index); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	records, err := x.find(nil, name)
	if err != nil || len(records) != 300 {
		t.Errorf("%d records, %v; want 300", len(records), err)
	}
	if l, err := x.Lookup(nil, name); err != nil || len(l) != maxLocations {
		t.Errorf("%d locations, %v; want %d", len(l), err, maxLocations)
	}
}
