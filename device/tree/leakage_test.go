// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tree

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/solekey/solekey/protocol/seal"
)

// publicFiles returns files that everybody knows: n of them, of 1 KiB to
// 512 KiB, each length as likely as its half; every second one compresses.
func publicFiles(n int) [][]testChunk {
	r := rand.New(rand.NewPCG(43, 0))
	files := make([][]testChunk, n)
	for i := range files {
		size := int(1024 * math.Pow(512, r.Float64()))
		content := testRandom(r.Uint64(), size)
		if i%2 == 0 {
			content = testText(r.Uint64(), size)
		}
		for len(content) > 0 { // cut where the secret of each vault says, in truth: it changes few bytes
			n := min(len(content), MinChunkLength+r.IntN(MinChunkLength))
			files[i], content = append(files[i], testChunk{KindFile, content[:n]}), content[n:]
		}
	}
	return files
}

// visible is what an observer sees of a run: the sizes of its packs. Beside it
// stands what padding hides: the bytes of content in the last one.
type visible struct {
	full, last int
	content    int
}

func observe(t *testing.T, secrets *Secrets, files ...[]testChunk) visible {
	t.Helper()
	var all []testChunk
	for _, f := range files {
		all = append(all, f...)
	}
	var v visible
	store, _ := pack(t, secrets, 1, all)
	for _, p := range store.packs {
		if seal.PackSize(len(p.Bytes)-seal.FrameOverhead, 0) != len(p.Bytes) {
			t.Errorf("%d bytes are no padded size", len(p.Bytes))
		}
		if !p.Last {
			v.full++
			continue
		}
		v.last = len(p.Bytes)
		v.content = seal.PackHeaderSize + p.Index.FramesLength() + len(p.Index.Print()) + seal.FrameOverhead
	}
	return v
}

// sizes returns what the last pack of a run of the content in v may show.
func (v visible) sizes() (list [maxSteps + 1]int) {
	for steps := range list {
		list[steps] = seal.PackSize(v.content, lastSteps(v.content, steps))
	}
	return list
}

// The bound of spec/tree.md, at its worst: the observer knows every file of a
// run but one, and that one is among n public files, each as likely. If all
// their runs together may show m sizes, he names the right file with a
// probability of m/((maxSteps+1)n) at most: whatever he answers to a size, it
// is right for one file, which shows that size one time in maxSteps+1.
func TestLeakageOfPackSizes(t *testing.T) {
	t.Parallel()
	const known = 10
	files := publicFiles(200)
	base, candidates := files[:known:known], files[known:]
	own := make([]visible, len(candidates)) // what the observer finds out in a vault of his own
	shown := make(map[int]int)              // by how many candidates a size may be shown
	for i, f := range candidates {
		own[i] = observe(t, testSecrets(1), append(base, f)...)
		for _, size := range own[i].sizes() {
			shown[size]++
		}
	}
	named, namedBare := 0.0, 0.0
	for i, f := range candidates { // fresh vaults
		seen := observe(t, testSecrets(byte(2+i)), append(base, f)...)
		if sizes := own[i].sizes(); seen.full != own[i].full || !slices.Contains(sizes[:], seen.last) {
			t.Fatal("the observer does not recognise a run that he knows")
		}
		named += 1 / float64(shown[seen.last]) // all that fit are as likely: no observer does better
		fit := 0
		for _, v := range own {
			if seen.content == v.content {
				fit++
			}
		}
		namedBare += float64(min(fit, 1)) / float64(max(fit, 1))
	}
	n := float64(len(candidates))
	bound := float64(len(shown)) / ((maxSteps + 1) * n)
	t.Logf("of %v files the right one is named with probability %.3f, bound %.3f for %d sizes; %.3f without padding",
		n, named/n, bound, len(shown), namedBare/n)
	if named/n > 2*bound { // the steps of these vaults are a sample of few hundred
		t.Errorf("named with probability %.3f, far over the bound of %.3f", named/n, bound)
	}
	if bound > 0.1 {
		t.Errorf("the bound is %.3f, over what spec/tree.md states for such files", bound)
	}
	if namedBare/n < 0.9 {
		t.Errorf("without padding named with probability %.3f: the observer of this test is too weak", namedBare/n)
	}
}

// Below the floor nothing but the steps shows, and they are drawn by a secret.
func TestLeakageOfSmallRuns(t *testing.T) {
	t.Parallel()
	sizes := make(map[int]int)
	for i := range 60 {
		content := testRandom(uint64(i), 1+i*8000)
		seen := observe(t, testSecrets(byte(i)), []testChunk{{KindFile, content[:min(len(content), MinChunkLength)]}, {KindFile, content[len(content)/2:]}})
		sizes[seen.last]++
	}
	for steps := range maxSteps + 1 {
		size := seal.PackSize(0, steps)
		if sizes[size] == 0 {
			t.Errorf("no run of %d bytes", size)
		}
		delete(sizes, size)
	}
	if len(sizes) != 0 {
		t.Errorf("small runs show other sizes: %v", sizes)
	}
}

// All that packs show of a long run is how many there are and the last one's
// size, which is one of few.
func TestLeakageInBits(t *testing.T) {
	t.Parallel()
	sizes := make(map[int]bool)
	for content := 0; content <= seal.PackTarget-seal.FrameOverhead; content += 7000 {
		for steps := range maxSteps + 1 {
			sizes[seal.PackSize(content, lastSteps(content, steps))] = true
		}
	}
	if bits := math.Log2(float64(len(sizes))); bits > 7.4 {
		t.Errorf("%d sizes, %.1f bits", len(sizes), bits)
	}
}
