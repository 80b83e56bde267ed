// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// Subset chooses some of the packs to read. Its zero value chooses all.
type Subset struct {
	Part, Of uint32  // the packs whose name falls into part 1 to Of of that many
	Percent  float64 // a random part of all
	Bytes    int64   // random ones, up to so many bytes
}

// ParsePart reads a subset as in 5% or 2/10; a size is for the caller.
func ParsePart(text string) (Subset, bool) {
	if number, isPercent := strings.CutSuffix(text, "%"); isPercent {
		n, err := strconv.ParseFloat(number, 64)
		return Subset{Percent: n}, err == nil && n > 0 && n <= 100
	}
	part, of, isPart := strings.Cut(text, "/")
	n, err1 := strconv.ParseUint(part, 10, 32)
	t, err2 := strconv.ParseUint(of, 10, 32)
	return Subset{Part: uint32(n), Of: uint32(t)}, isPart && err1 == nil && err2 == nil && n >= 1 && n <= t
}

// choose returns the chosen ones of packs.
func (s Subset) choose(packs []tree.PackInfo) []tree.PackInfo {
	switch {
	case s.Of > 0:
		return slices.DeleteFunc(packs, func(p tree.PackInfo) bool {
			return binary.BigEndian.Uint32(p.ID[:])%s.Of != s.Part-1
		})
	case s.Percent > 0:
		shuffle(packs)
		n := int(float64(len(packs))*s.Percent/100 + 0.5)
		return packs[:min(max(n, 1), len(packs))]
	case s.Bytes > 0:
		shuffle(packs)
		var sum int64
		for i := range packs {
			if sum += packs[i].Size; sum > s.Bytes {
				return packs[:max(i, 1)]
			}
		}
	}
	return packs
}

func shuffle(packs []tree.PackInfo) {
	rand.Shuffle(len(packs), func(i, j int) { packs[i], packs[j] = packs[j], packs[i] })
}

// packsEach is how many packs one request asks for. They come one after the
// other; each is verified while the next one is on its way.
const packsEach = 8

// readData reads packs whole, each once, two at a time where there are two
// processors: while one is verified the next is on its way. Each takes 16 MiB, and
// at most 24, and a frame.
func (c *Check) readData(ctx context.Context) error {
	var packs []tree.PackInfo
	for p, err := range c.v.index.Packs() {
		if err != nil {
			return err
		}
		if !c.broken[p.ID] {
			packs = append(packs, p)
		}
	}
	packs = c.o.Subset.choose(packs)
	c.toRead.Store(int64(len(packs)))
	jobs := make(chan []tree.PackInfo)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	d := &dataCheck{c: c, decompressor: tree.NewDecompressor()}
	var readers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 2) {
		readers.Go(func() {
			var raw []byte
			for job := range jobs {
				if err := d.read(ctx, job, &raw); err != nil {
					cancel(err)
				}
			}
		})
	}
	for part := range slices.Chunk(packs, packsEach) {
		if ctx.Err() != nil {
			break
		}
		jobs <- part
	}
	close(jobs)
	readers.Wait()
	return context.Cause(ctx)
}

// dataCheck reads packs; it is safe for concurrent use.
type dataCheck struct {
	c            *Check
	decompressor *tree.Decompressor
	mu           sync.Mutex // serialises what is found
}

func (d *dataCheck) read(ctx context.Context, packs []tree.PackInfo, raw *[]byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	reads := make([]client.Read, len(packs))
	for i := range packs {
		reads[i] = wholeRead(&packs[i])
	}
	return d.c.v.remote.Blocks(ctx, reads, func(i int, b client.Block) error {
		if b.Data == nil {
			d.found(Damage{What: DamagePackMissing, Pack: packs[i].ID})
			return nil
		}
		return d.one(&packs[i], b.Data, raw)
	})
}

// one holds one whole pack to its name, its seals, the names of its chunks, and
// the local index to it.
func (d *dataCheck) one(p *tree.PackInfo, data []byte, raw *[]byte) error {
	v := d.c.v
	unindexed := 0
	var places []tree.Location
	err := v.eachChunk(p.ID, data, d.decompressor, raw, func(_ tree.Kind, name protocol.Hash, chunk []byte) error {
		var err error
		if places, err = v.index.Lookup(places[:0], name); err != nil {
			return err
		}
		if !lies(places, p.ID, len(chunk)) {
			unindexed++
		}
		return nil
	})
	d.c.readPacks.Add(1)
	d.c.readBytes.Add(int64(len(data)))
	if isLoss(err) {
		d.found(Damage{What: DamagePackBroken, Pack: p.ID, Err: err})
		return nil
	}
	if err == nil {
		d.mu.Lock()
		d.c.whole[p.ID] = true
		d.mu.Unlock()
	}
	if unindexed > 0 {
		d.found(Damage{What: DamageIndex, Pack: p.ID, Err: protocol.Errorf(protocol.KindUntrusted, "%d of its chunks are not in the local index; `solekey repair index` builds it anew", unindexed)})
	}
	return err
}

// lies reports whether a chunk of that length lies in the pack. Of one that lies
// in very many packs the index tells some.
func lies(places []tree.Location, pack protocol.PackID, length int) bool {
	for i := range places {
		if places[i].Pack == pack && places[i].Length == length {
			return true
		}
	}
	return len(places) >= 16
}

func (d *dataCheck) found(damage Damage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if damage.What != DamageIndex {
		d.c.broken[damage.Pack] = true
	}
	d.c.found(damage)
}
