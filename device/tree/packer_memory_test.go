// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// All that a packer ever allocates, not only what it holds at a time, is about
// its packs in flight, its buffers and its encoders: a run of 13 packs costs no
// more than one of 4 does, but for the indexes.
func TestPackerMemoryIsBounded(t *testing.T) {
	text, random := testText(1, 64<<10), testRandom(1, 1<<20)
	allocated := func(chunks int) int64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p := NewPacker(t.Context(), PackerOptions{
			Run: testRun(t), Secrets: testSecrets(1), Workers: 2, Uploads: 2,
			Sink: func(context.Context, *Finished) error { return nil },
		})
		for i := range chunks {
			chunk := text
			if i%2 == 0 {
				chunk = random[:MinChunkLength+i*4999%(len(random)-MinChunkLength)]
			}
			binary.LittleEndian.PutUint64(chunk, uint64(i))
			if err := p.Add(t.Context(), KindFile, protocol.Hash(binary.LittleEndian.AppendUint64(make([]byte, 24), uint64(i))), chunk); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		t.Logf("%d chunks: %+v, %d MiB allocated", chunks, p.Stats(), (after.TotalAlloc-before.TotalAlloc)>>20)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	short, long := allocated(220), allocated(660)
	if short > 112<<20 {
		t.Errorf("%d MiB allocated for a short run", short>>20)
	}
	if long-short > 32<<20 {
		t.Errorf("%d MiB more allocated for a run of three times the length", (long-short)>>20)
	}
}
