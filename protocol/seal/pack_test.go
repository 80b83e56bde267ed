// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// sealed is a pack and what a reader of its index knows.
type sealed struct {
	own    *keys.WrapSecret
	bytes  []byte
	frames []int // sealed lengths
	plain  [][]byte
	index  []byte
}

// seal makes a pack of frames of the lengths.
func sealPack(t testing.TB, run *Run, own *keys.WrapSecret, lengths ...int) *sealed {
	t.Helper()
	s := &sealed{own: own, index: []byte("the index of the pack")}
	w := run.NewPack(nil)
	for i, n := range lengths {
		frame := seededBytes(fmt.Sprint("frame ", i), n)
		number, err := w.Append(frame)
		if err != nil || number != i {
			t.Fatalf("append frame %d: number %d, %v", i, number, err)
		}
		s.plain = append(s.plain, frame)
		s.frames = append(s.frames, n+FrameOverhead)
	}
	var err error
	if s.bytes, err = w.Finish(s.index, 0); err != nil {
		t.Fatal(err)
	}
	return s
}

// open goes the whole way of a full check: header, run, lead, index, padding,
// frames. It returns the frames only where everything held.
func (s *sealed) open(pack []byte) ([][]byte, error) {
	h, err := ParsePackHeader(pack)
	if err != nil {
		return nil, err
	}
	run, err := OpenRun(s.own, h)
	if err != nil {
		return nil, err
	}
	p, err := OpenPack(run, h)
	if err != nil {
		return nil, err
	}
	var frames [][]byte
	err = p.Verify(pack, s.frames, func(_ int, frame []byte) error {
		frames = append(frames, bytes.Clone(frame))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return frames, nil
}

func newPack(t testing.TB) (*world, *Run, *sealed) {
	t.Helper()
	w := newWorld(t, "pack")
	run := w.run(t, 0)
	return w, run, sealPack(t, run, w.vaultSecrets[0], 100, 1, 0, 5000)
}

func TestPackOpens(t *testing.T) {
	w, run, s := newPack(t)
	frames, err := s.open(s.bytes)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.plain {
		if !bytes.Equal(frames[i], s.plain[i]) {
			t.Errorf("frame %d is not what was sealed", i)
		}
	}
	h, err := ParsePackHeader(s.bytes[:PackHeaderSize])
	if err != nil || h.Account != w.state.Account() || h.Vault != w.vaults[0] || h.Epoch != 1 || h.Run != run.ID() || !bytes.Equal(h.Wrap, run.Wrapped()) {
		t.Errorf("header is %+v, %v", h, err)
	}
	p, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	index, err := p.OpenIndex(s.bytes[len(s.bytes)-p.Lead().IndexLength:])
	if err != nil || !bytes.Equal(index, s.index) {
		t.Errorf("index is %q, %v", index, err)
	}
}

// TestPackRefusesEveryFlippedByte is G01: one bit in every byte of header, lead,
// frames and index, and in bytes all over the padding.
func TestPackRefusesEveryFlippedByte(t *testing.T) {
	_, _, s := newPack(t)
	end := PackHeaderSize
	for _, n := range s.frames {
		end += n
	}
	index := len(s.bytes) - len(s.index) - tagSize
	step := func(i int) int {
		switch {
		case i >= PackHeaderSize+200 && i < end-40:
			return 97 // inside the long frame
		case i >= end+32 && i < index-32 && i >= index-8223:
			return 509
		case i >= end+32 && i < index-8223:
			return 8191 // inside the padding
		}
		return 1
	}
	for i := 0; i < len(s.bytes); i += step(i) {
		s.bytes[i] ^= 1 << (i % 8)
		frames, err := s.open(s.bytes)
		want := protocol.KindUntrusted
		if i == offAccount-1 {
			want = protocol.KindUnsupported // the version
		}
		refused(t, fmt.Sprintf("byte %d changed", i), want, len(frames), frames == nil, err)
		s.bytes[i] ^= 1 << (i % 8)
	}
	if _, err := s.open(s.bytes); err != nil {
		t.Fatalf("the untouched pack does not open any more: %v", err)
	}
}

// TestPackVerifyHoldsTheHeaderItIsGiven opens a good header and verifies a pack
// whose header differs.
func TestPackVerifyHoldsTheHeaderItIsGiven(t *testing.T) {
	_, run, s := newPack(t)
	h, err := ParsePackHeader(s.bytes)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	for i := range PackHeaderSize {
		s.bytes[i] ^= 1
		err := p.Verify(s.bytes, s.frames, nil)
		refused(t, fmt.Sprintf("byte %d", i), protocol.KindUntrusted, 0, true, err)
		s.bytes[i] ^= 1
	}
	if err := p.Verify(s.bytes, s.frames, nil); err != nil {
		t.Error(err)
	}
}

// TestPackRefusesTruncation is G04, at every border of a part and around it.
func TestPackRefusesTruncation(t *testing.T) {
	_, _, s := newPack(t)
	borders := []int{0, 8, offVault, offEpoch, offRun, offWrap, offSalt, offCommitment, offLead, PackHeaderSize}
	end := PackHeaderSize
	for _, n := range s.frames {
		end += n
		borders = append(borders, end)
	}
	borders = append(borders, len(s.bytes)-len(s.index)-tagSize, len(s.bytes)-tagSize, len(s.bytes), 512<<10, 496<<10, 256<<10)
	for _, border := range borders {
		for _, n := range []int{border - 1, border, border + 1} {
			if n < 0 || n >= len(s.bytes) {
				continue
			}
			frames, err := s.open(s.bytes[:n])
			refused(t, fmt.Sprintf("cut to %d bytes", n), protocol.KindUntrusted, len(frames), frames == nil, err)
			cut := append(append([]byte(nil), s.bytes[:n]...), s.bytes[n+1:]...)
			want := protocol.KindUntrusted
			if n == offAccount-1 {
				want = protocol.KindUnsupported // what follows stands in the version's place
			}
			frames, err = s.open(cut)
			refused(t, fmt.Sprintf("byte %d cut out", n), want, len(frames), frames == nil, err)
		}
	}
	for _, more := range []int{1, tagSize, 16 << 10, 512 << 10} {
		frames, err := s.open(append(append([]byte(nil), s.bytes...), make([]byte, more)...))
		refused(t, fmt.Sprintf("%d bytes more", more), protocol.KindUntrusted, len(frames), frames == nil, err)
	}
}

// TestFramesStayInTheirPlace is G02 and G03: frames of equal length swapped
// within a pack, between packs of one run, of two runs, of two vaults.
func TestFramesStayInTheirPlace(t *testing.T) {
	w := newWorld(t, "swap")
	run := w.run(t, 0)
	first := sealPack(t, run, w.vaultSecrets[0], 64, 64, 64)
	part := func(s *sealed, i int) []byte {
		return s.bytes[PackHeaderSize+i*80 : PackHeaderSize+(i+1)*80]
	}
	for i := range 3 {
		for j := range 3 {
			if i == j {
				continue
			}
			other := &sealed{own: first.own, frames: first.frames, bytes: bytes.Clone(first.bytes)}
			copy(part(other, i), part(first, j))
			frames, err := other.open(other.bytes)
			refused(t, fmt.Sprintf("frame %d in the place of %d", j, i), protocol.KindUntrusted, len(frames), frames == nil, err)
		}
	}
	others := map[string]*sealed{
		"another pack of the run": sealPack(t, run, w.vaultSecrets[0], 64, 64, 64),
		"another run":             sealPack(t, w.run(t, 0), w.vaultSecrets[0], 64, 64, 64),
		"another vault":           sealPack(t, w.run(t, 1), w.vaultSecrets[1], 64, 64, 64),
	}
	for name, from := range others {
		for region, cut := range map[string][2]int{
			"frame": {PackHeaderSize, PackHeaderSize + 80}, "lead": {offLead, PackHeaderSize},
			"salt and commitment": {offSalt, offLead}, "wrap": {offWrap, offSalt},
			"index": {len(first.bytes) - len(first.index) - tagSize, len(first.bytes)}, "padding": {PackHeaderSize + 240, len(first.bytes) - len(first.index) - tagSize},
			"everything after the header": {PackHeaderSize, len(first.bytes)}, "the whole header": {0, PackHeaderSize},
		} {
			if name == "another pack of the run" && region == "wrap" {
				continue // one run has one wrap
			}
			mixed := bytes.Clone(first.bytes)
			copy(mixed[cut[0]:cut[1]], from.bytes[cut[0]:cut[1]])
			frames, err := first.open(mixed)
			refused(t, region+" of "+name, protocol.KindUntrusted, len(frames), frames == nil, err)
		}
	}
}

func TestPackOpensWithItsOwnRunOnly(t *testing.T) {
	w, run, s := newPack(t)
	h, err := ParsePackHeader(s.bytes)
	if err != nil {
		t.Fatal(err)
	}
	same := *run
	change := func(f func(r *Run)) *Run {
		r := same
		f(&r)
		return &r
	}
	for name, r := range map[string]*Run{
		"another run":     w.run(t, 0),
		"another vault":   w.run(t, 1),
		"another key":     change(func(r *Run) { r.key = seeded("other") }),
		"another account": change(func(r *Run) { r.account[0] ^= 1 }),
		"another epoch":   change(func(r *Run) { r.epoch++ }),
		"another id":      change(func(r *Run) { r.id[0] ^= 1 }),
	} {
		p, err := OpenPack(r, h)
		refused(t, name, protocol.KindUntrusted, p, p == nil, err)
	}
	hollow := &PackHeader{Account: h.Account, Vault: h.Vault, Epoch: h.Epoch, Run: h.Run, Wrap: h.Wrap}
	p, err := OpenPack(run, hollow)
	refused(t, "a header filled from a record", protocol.KindUntrusted, p, p == nil, err)
	r, err := OpenRun(w.vaultSecrets[1], h)
	refused(t, "another vault's secret", protocol.KindUntrusted, r, r == nil, err)
	if _, err := OpenRun(w.vaultSecrets[0], hollow); err != nil {
		t.Errorf("a header filled from a record opens no run: %v", err)
	}
}

// forge seals a pack whose lead and padding are what a device that lies says.
func forge(run *Run, contentEnd, indexLength uint32, padding []byte) []byte {
	w := run.NewPack(nil)
	w.buf = w.seal(noncePadding, w.buf, padding, nil)
	w.buf = w.seal(nonceIndex, w.buf, []byte("index"), nil)
	lead := binary.BigEndian.AppendUint32(nil, contentEnd)
	lead = binary.BigEndian.AppendUint32(lead, indexLength)
	w.seal(nonceLead, w.buf[offLead:offLead], lead, w.buf[:offLead])
	return w.buf
}

// TestLeadsThatLie opens leads that a device of the account made up: anyone who
// knows a vault's public key can, so that none may send a reader out of bounds.
func TestLeadsThatLie(t *testing.T) {
	run := newWorld(t, "lead").run(t, 0)
	const head = PackHeaderSize
	for _, c := range []struct {
		end, index uint32
		good       bool
	}{
		{head, 21, true},
		{head, tagSize, true},
		{head - 1, 21, false},
		{0, 21, false},
		{head, 0, false},
		{head, tagSize - 1, false},
		{1<<32 - 1, 21, false},
		{head, 1<<32 - 1, false},
		{1 << 31, 1 << 31, false},
		{MaxPackSize - 2*tagSize, tagSize, true},
		{MaxPackSize - 2*tagSize + 1, tagSize, false},
		{MaxPackSize, tagSize, false},
	} {
		h, err := ParsePackHeader(forge(run, c.end, c.index, nil))
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPack(run, h)
		if c.good != (err == nil) || c.good && p.Lead() != (Lead{int(c.end), int(c.index)}) {
			t.Errorf("lead %d, %d: error %v, want good %v", c.end, c.index, err, c.good)
		}
		if !c.good {
			refused(t, "lead", protocol.KindUntrusted, p, p == nil, err)
		}
	}
}

func TestLayoutTilesThePack(t *testing.T) {
	const head, size = PackHeaderSize, PackFloor
	for _, c := range []struct {
		name       string
		end, index uint32
		size       int64
		frames     []int
		good       bool
	}{
		{"no frame", head, 21, size, nil, true},
		{"one frame", head + 100, 21, size, []int{100}, true},
		{"an empty frame", head + tagSize, 21, size, []int{tagSize}, true},
		{"the last byte", size - tagSize - 21, 21, size, []int{size - tagSize - 21 - head}, true},
		{"no room for the padding", size - tagSize - 20, 21, size, []int{size - tagSize - 20 - head}, false},
		{"frames end before the content", head + 100, 21, size, []int{99}, false},
		{"frames end behind the content", head + 100, 21, size, []int{101}, false},
		{"a frame without room for a tag", head + 100, 21, size, []int{85, 15}, false},
		{"a frame of negative length", head + 100, 21, size, []int{200, -100}, false},
		{"a frame of the largest length", head + 100, 21, size, []int{1<<63 - 1, 100}, false},
		{"an empty pack", head, 21, 0, nil, false},
		{"a negative pack", head, 21, -size, nil, false},
		{"below the floor", head, 21, size - 16<<10, nil, false},
		{"not in the set", head, 21, size + 1, nil, false},
		{"the next of the set", head, 21, size + 16<<10, nil, true},
		{"the largest", head, 21, MaxPackSize, nil, true},
		{"beyond the largest", head, 21, MaxPackSize + 512<<10, nil, false},
		{"beyond 32 bits", head, 21, 1<<32 + size, nil, false},
		{"too many frames", head, 21, size, make([]int, MaxFrames+1), false},
	} {
		p := &Pack{lead: Lead{ContentEnd: int(c.end), IndexLength: int(c.index)}}
		if err := p.VerifyLayout(c.size, c.frames); (err == nil) != c.good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: error %v, want good %v", c.name, err, c.good)
		}
	}
}

// TestPaddingIsEmpty refuses padding in which a device hides something.
func TestPaddingIsEmpty(t *testing.T) {
	run := newWorld(t, "padding").run(t, 0)
	length := PackFloor - PackHeaderSize - 2*tagSize - len("index")
	for at, good := range map[int]bool{-1: true, 0: false, length / 2: false, length - 1: false} {
		padding := make([]byte, length)
		if at >= 0 {
			padding[at] = 1
		}
		pack := forge(run, PackHeaderSize, uint32(len("index")+tagSize), padding)
		h, err := ParsePackHeader(pack)
		if err != nil {
			t.Fatal(err)
		}
		p, err := OpenPack(run, h)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Verify(pack, nil, nil)
		if (err == nil) != good || err != nil && protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("padding with something at %d: error %v, want good %v", at, err, good)
		}
	}
}

// TestFrameNumbersReachNoOtherPart asks for the numbers by whose nonces the
// lead, the index and the padding are sealed.
func TestFrameNumbersReachNoOtherPart(t *testing.T) {
	_, run, s := newPack(t)
	h, err := ParsePackHeader(s.bytes)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	index := s.bytes[len(s.bytes)-p.Lead().IndexLength:]
	padding := s.bytes[p.Lead().ContentEnd : len(s.bytes)-p.Lead().IndexLength]
	for _, number := range []int{-3, -2, -1, MaxFrames, 1 << 40, -1 << 63} {
		for _, part := range [][]byte{index, padding, h.raw[offLead:], s.bytes[PackHeaderSize : PackHeaderSize+116]} {
			got, err := p.OpenFrame(number, part)
			refused(t, fmt.Sprintf("frame %d", number), protocol.KindUntrusted, len(got), got == nil, err)
		}
	}
	got, err := p.OpenIndex(padding)
	refused(t, "the padding as index", protocol.KindUntrusted, len(got), got == nil, err)
	refused(t, "the index as padding", protocol.KindUntrusted, 0, true, p.OpenPadding(index))
}

// TestPartsAreAuthenticatedEach opens parts alone, as a reader of ranges does.
func TestPartsAreAuthenticatedEach(t *testing.T) {
	_, run, s := newPack(t)
	h, err := ParsePackHeader(s.bytes[:PackHeaderSize])
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	at := PackHeaderSize
	for number, n := range s.frames {
		part := bytes.Clone(s.bytes[at : at+n])
		if got, err := p.OpenFrame(number, part); err != nil || !bytes.Equal(got, s.plain[number]) {
			t.Errorf("frame %d alone: %v", number, err)
		}
		for _, i := range []int{0, n / 2, n - 1} {
			part[i] ^= 0x10
			got, err := p.OpenFrame(number, part)
			refused(t, fmt.Sprintf("frame %d, byte %d", number, i), protocol.KindUntrusted, len(got), got == nil, err)
			part[i] ^= 0x10
		}
		got, err := p.OpenFrame(number, part[:n-1])
		refused(t, "a short frame", protocol.KindUntrusted, len(got), got == nil, err)
		got, err = p.OpenFrame(number, s.bytes[at:at+n+1])
		refused(t, "a long frame", protocol.KindUntrusted, len(got), got == nil, err)
		at += n
	}
}

func TestVerifyStopsWhereTheVisitorSays(t *testing.T) {
	_, run, s := newPack(t)
	h, err := ParsePackHeader(s.bytes)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenPack(run, h)
	if err != nil {
		t.Fatal(err)
	}
	stop := protocol.Errorf(protocol.KindInterrupted, "stop")
	visited := 0
	err = p.Verify(s.bytes, s.frames, func(int, []byte) error {
		visited++
		return stop
	})
	if protocol.KindOf(err) != protocol.KindInterrupted || visited != 1 {
		t.Errorf("visited %d frames, %v", visited, err)
	}
}

func TestParsePackHeader(t *testing.T) {
	_, _, s := newPack(t)
	with := func(at int, b byte) []byte {
		pack := bytes.Clone(s.bytes[:PackHeaderSize])
		pack[at] = b
		return pack
	}
	for _, c := range []struct {
		name string
		b    []byte
		want protocol.Kind
	}{
		{"nothing", nil, protocol.KindUntrusted},
		{"one byte short", s.bytes[:PackHeaderSize-1], protocol.KindUntrusted},
		{"just the header", s.bytes[:PackHeaderSize], ""},
		{"a later version", with(7, 2), protocol.KindUnsupported},
		{"an earlier version", with(7, 0), protocol.KindUnsupported},
		{"another magic", with(0, 's'), protocol.KindUntrusted},
		{"another magic at its end", with(6, 'X'), protocol.KindUntrusted},
	} {
		h, err := ParsePackHeader(c.b)
		if protocol.KindOf(err) != c.want || (err == nil) != (h != nil) {
			t.Errorf("%s: %v, %v; want %q", c.name, h, err, c.want)
		}
	}
}
