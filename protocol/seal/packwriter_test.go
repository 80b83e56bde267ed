// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// TestNoncesNeverRepeat watches every nonce that packs use, under whatever is
// done to a writer, also after errors.
func TestNoncesNeverRepeat(t *testing.T) {
	used := map[*PackWriter]map[uint64]bool{}
	testingOnlySeal = func(w *PackWriter, number uint64) {
		if used[w] == nil {
			used[w] = map[uint64]bool{}
		}
		if used[w][number] {
			t.Errorf("nonce %d is used twice under one key", number)
		}
		used[w][number] = true
	}
	t.Cleanup(func() { testingOnlySeal = nil })
	run := newWorld(t, "nonces").run(t, 0)
	random := rand.New(rand.NewPCG(1, 2))
	buf, tooLarge := make([]byte, 0, 1<<20), make([]byte, MaxPackSize)
	for range 50 {
		w := run.NewPack(buf)
		for range 40 {
			switch random.IntN(12) {
			case 0:
				_, _ = w.Finish(make([]byte, random.IntN(100)), random.IntN(3))
			case 1:
				_, _ = w.Finish(nil, 1000) // too large
			case 2:
				_, _ = w.Append(tooLarge)
			default:
				_, _ = w.Append(make([]byte, random.IntN(2000)))
			}
		}
		_, _ = w.Finish(nil, 0)
		if !used[w][nonceLead] || !used[w][nonceIndex] || !used[w][noncePadding] {
			t.Error("a finished pack lacks a part")
		}
	}
	if len(used) != 50 {
		t.Errorf("%d packs were watched, want 50", len(used))
	}
}

func TestNothingIsSealedAfterFinish(t *testing.T) {
	run := newWorld(t, "finish").run(t, 0)
	w := run.NewPack(nil)
	if _, err := w.Append([]byte("frame")); err != nil {
		t.Fatal(err)
	}
	pack, err := w.Finish([]byte("index"), 0)
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(pack)
	number, err := w.Append([]byte("late"))
	refused(t, "append after finish", protocol.KindInternal, number, number == 0, err)
	again, err := w.Finish([]byte("other index"), 0)
	refused(t, "finish after finish", protocol.KindInternal, len(again), again == nil, err)
	if !bytes.Equal(pack, before) || w.Len() != len(pack) {
		t.Error("the finished pack has changed")
	}
}

func TestFailedFinishChangesNothing(t *testing.T) {
	w, run := newWorld(t, "too large"), (*Run)(nil)
	run = w.run(t, 0)
	writer := run.NewPack(nil)
	if _, err := writer.Append([]byte("frame")); err != nil {
		t.Fatal(err)
	}
	length := writer.Len()
	got, err := writer.Finish(make([]byte, MaxPackSize), 0)
	refused(t, "an index too large", protocol.KindInternal, len(got), got == nil, err)
	got, err = writer.Finish(nil, 100000)
	refused(t, "too many steps", protocol.KindInternal, len(got), got == nil, err)
	if writer.Len() != length {
		t.Error("a refused finish changed the pack")
	}
	s := &sealed{own: w.vaultSecrets[0], frames: []int{5 + tagSize, 4 + tagSize}}
	if _, err := writer.Append([]byte("more")); err != nil {
		t.Fatal(err)
	}
	if s.bytes, err = writer.Finish(nil, 0); err != nil {
		t.Fatal(err)
	}
	if frames, err := s.open(s.bytes); err != nil || string(frames[1]) != "more" {
		t.Errorf("the pack does not open after a refused finish: %v", err)
	}
}

func TestPackIsFullAtItsLimits(t *testing.T) {
	run := newWorld(t, "full").run(t, 0)
	w := run.NewPack(make([]byte, 0, MaxPackSize))
	number, err := w.Append(make([]byte, MaxPackSize-PackHeaderSize-3*tagSize+1))
	refused(t, "one byte too many", protocol.KindInternal, number, number == 0, err)
	if _, err := w.Append(make([]byte, MaxPackSize-PackHeaderSize-3*tagSize)); err != nil {
		t.Errorf("what just fits is refused: %v", err)
	}
	if pack, err := w.Finish(nil, 0); err != nil || len(pack) != MaxPackSize {
		t.Errorf("a pack filled to its limit has %d bytes, %v", len(pack), err)
	}
	w = run.NewPack(make([]byte, 0, 2<<20))
	for i := range MaxFrames {
		if _, err := w.Append(nil); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	number, err = w.Append(nil)
	refused(t, "one frame too many", protocol.KindInternal, number, number == 0, err)
}

// TestFinishUsesTheBuffer holds the writer to the buffer it was given: the pack
// takes its place, and what was in it before does not come out.
func TestFinishUsesTheBuffer(t *testing.T) {
	w := newWorld(t, "buffer")
	run := w.run(t, 0)
	secretText := []byte("what was in the buffer before")
	buf := bytes.Repeat(secretText, 2*PackFloor/len(secretText))
	writer := run.NewPack(buf)
	if _, err := writer.Append([]byte("frame")); err != nil {
		t.Fatal(err)
	}
	allocated := testing.AllocsPerRun(1, func() {
		copied := *writer
		if _, err := copied.Finish([]byte("index"), 0); err != nil {
			t.Error(err)
		}
	})
	if allocated > 8 {
		t.Errorf("finish allocates %v times", allocated)
	}
	pack, err := writer.Finish([]byte("index"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if &pack[0] != &buf[0] {
		t.Error("the pack does not lie in the buffer")
	}
	s := &sealed{own: w.vaultSecrets[0], frames: []int{5 + tagSize}}
	if _, err := s.open(pack); err != nil {
		t.Errorf("the pack does not open: %v", err)
	}
	if bytes.Contains(pack, secretText) {
		t.Error("the pack shows what was in the buffer before")
	}
}

func TestPacksOfARunDiffer(t *testing.T) {
	run := newWorld(t, "differ").run(t, 0)
	one, two := run.NewPack(nil), run.NewPack(nil)
	for _, w := range []*PackWriter{one, two} {
		if _, err := w.Append([]byte("the same frame")); err != nil {
			t.Fatal(err)
		}
	}
	if bytes.Equal(one.buf[offSalt:offCommitment], two.buf[offSalt:offCommitment]) ||
		bytes.Equal(one.buf[offCommitment:offLead], two.buf[offCommitment:offLead]) ||
		bytes.Equal(one.buf[PackHeaderSize:], two.buf[PackHeaderSize:]) {
		t.Error("two packs share a salt, a commitment or a ciphertext")
	}
}

func TestPackSizes(t *testing.T) {
	if PackSize(0, 0) != PackFloor || PackSize(PackFloor-tagSize, 0) != PackFloor || PackSize(PackFloor-tagSize+1, 0) == PackFloor {
		t.Error("the floor is not the floor")
	}
	last, worst, set := 0, 0.0, map[int]bool{}
	for content := PackHeaderSize; content <= MaxPackSize-tagSize; content += 61 {
		size := PackSize(content, 0)
		if size < last {
			t.Fatalf("%d bytes are padded to %d, fewer bytes to %d", content, size, last)
		}
		if size < content+tagSize || padme(size) != size {
			t.Fatalf("%d bytes are padded to %d: no room, or not in the set", content, size)
		}
		if content+tagSize > PackFloor {
			worst = max(worst, float64(size)/float64(content+tagSize)-1)
		}
		last, set[size] = size, true
	}
	if worst > 0.12 || worst > 0.0313 {
		t.Errorf("padding costs up to %.2f %%", worst*100)
	}
	if len(set) != 177 || !set[PackTarget] || !set[MaxPackSize] {
		t.Errorf("the set has %d sizes", len(set))
	}
}

func TestStepsGoThroughTheSet(t *testing.T) {
	size := PackSize(0, 0)
	for steps := 1; size < MaxPackSize; steps++ {
		next := PackSize(0, steps)
		if next != padme(size+1) || next <= size || float64(next) > 1.0323*float64(size) {
			t.Fatalf("step %d leads from %d to %d", steps, size, next)
		}
		size = next
	}
}

// TestOverheadTable holds the table of spec/pack.md.
func TestOverheadTable(t *testing.T) {
	for content, want := range map[int]int{
		1 << 10: 512 << 10, 500 << 10: 512 << 10, 600 << 10: 608 << 10, 1 << 20: 1056 << 10,
		5 << 20: 5248 << 10, 10 << 20: 10496 << 10, 16<<20 - 16: 16 << 20, 16 << 20: 16896 << 10, 20 << 20: 20992 << 10,
	} {
		if got := PackSize(content, 0); got != want {
			t.Errorf("%d bytes are padded to %d KiB, want %d", content, got>>10, want>>10)
		}
	}
}

func TestNonceIsACounter(t *testing.T) {
	for number, want := range map[uint64]string{
		0: "000000000000000000000000", 3: "000000000000000000000003", 1 << 40: "000000000000010000000000",
	} {
		if got := fmt.Sprintf("%x", nonce(number)); got != want {
			t.Errorf("nonce %d is %s, want %s", number, got, want)
		}
	}
}
