// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/solekey/solekey/protocol"
)

// Sizes of packs in bytes.
const (
	// PackTarget is the size a full pack is filled up to.
	PackTarget = 16 << 20
	// MaxPackSize is what a reader accepts; a frame may not split, and padding
	// comes on top.
	MaxPackSize = 24 << 20
	// PackFloor is the smallest pack there is: a small run looks like any other.
	PackFloor = 512 << 10
	// BlockSize is the alignment at which parts of packs are fetched.
	BlockSize = 128 << 10
	// MaxFrames is the largest number of frames in a pack.
	MaxFrames = 1 << 16
	// FrameOverhead is how many bytes a sealed frame is longer.
	FrameOverhead = tagSize
)

// packMagic begins every pack: the name of the format and its version.
const packMagic = "SOLEKEY\x01"

// Offsets of the clear header's fields, and of what follows it.
const (
	offAccount    = 8
	offVault      = offAccount + 32
	offEpoch      = offVault + 16
	offRun        = offEpoch + 8
	offWrap       = offRun + 16
	offSalt       = offWrap + WrapSize
	offCommitment = offSalt + saltSize
	offLead       = offCommitment + commitmentSize
	leadSize      = 8
	// PackHeaderSize is the length of the header and the sealed lead.
	PackHeaderSize = offLead + leadSize + tagSize
)

// Numbers of the nonces of a pack's parts: one counter, never repeated under one
// key. Frames count from nonceFrames.
const (
	nonceLead = iota
	nonceIndex
	noncePadding
	nonceFrames
)

// nonce returns the counter as 96 bits, big-endian.
func nonce(number uint64) []byte {
	n := make([]byte, nonceSize)
	binary.BigEndian.PutUint64(n[nonceSize-8:], number)
	return n
}

// PackHeader is the clear part of a pack. It is not verified: the pack's
// statement says whose it is, and opening it checks every field.
type PackHeader struct {
	Account protocol.AccountID
	Vault   protocol.VaultID
	Epoch   uint64
	Run     protocol.RunID
	Wrap    []byte

	raw []byte // PackHeaderSize bytes
}

// ParsePackHeader reads the first PackHeaderSize bytes of a pack.
func ParsePackHeader(b []byte) (*PackHeader, error) {
	if len(b) < PackHeaderSize {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack: %d bytes are no header", len(b))
	}
	if string(b[:offAccount]) != packMagic {
		if string(b[:offAccount-1]) == packMagic[:offAccount-1] {
			return nil, protocol.Errorf(protocol.KindUnsupported, "parse pack: version %d is not known here", b[offAccount-1])
		}
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse pack: it is no pack")
	}
	raw := append([]byte(nil), b[:PackHeaderSize]...)
	h := &PackHeader{raw: raw, Wrap: raw[offWrap:offSalt], Epoch: binary.BigEndian.Uint64(raw[offEpoch:])}
	copy(h.Account[:], raw[offAccount:])
	copy(h.Vault[:], raw[offVault:])
	copy(h.Run[:], raw[offRun:])
	return h, nil
}

// packContext binds everything in the clear header that is not the key itself.
func packContext(r *Run) Context {
	return Context{Account: r.account, Vault: r.vault, Type: TypePack, ID: RunID32(r.id), Epoch: r.epoch}
}

// PackSize returns the size of a pack whose header, lead, frames and index take
// content bytes: the least padded size that leaves room for a padding part,
// moved up by steps. Padded sizes are Padmé's (Nikitin et al., 2019): the five
// leading bits vary at 16 MiB, so a size tells a few bits and costs a few per cent.
func PackSize(content, steps int) int {
	size := padme(max(content+tagSize, PackFloor))
	for range steps {
		size = padme(size + 1)
	}
	return size
}

// padme rounds up to the next size of the set.
func padme(n int) int {
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))
	mask := 1<<max(e-s, 0) - 1
	return (n + mask) &^ mask
}

// Lead says where the parts of a pack lie. Numbers are in bytes.
type Lead struct {
	ContentEnd  int // end of the last sealed frame
	IndexLength int // of the sealed index, at the end of the pack
}

// Pack opens the parts of one pack.
type Pack struct {
	lead   Lead
	header []byte // PackHeaderSize bytes, as they were opened
	open   func(what string, number uint64, sealed []byte) ([]byte, error)
}

// OpenPack opens a pack's header and lead with its run. The commitment is
// compared before anything else.
func OpenPack(run *Run, h *PackHeader) (*Pack, error) {
	if len(h.raw) != PackHeaderSize || h.Account != run.account || h.Vault != run.vault || h.Epoch != run.epoch || h.Run != run.id {
		return nil, errOpen("pack")
	}
	aead, commitment := derive(run.key, h.raw[offSalt:offCommitment], packContext(run))
	if !committed(h.raw[offCommitment:offLead], commitment) {
		return nil, errOpen("pack")
	}
	lead, err := open(aead, nonceLead, h.raw[offLead:PackHeaderSize], h.raw[:offLead])
	if err != nil {
		return nil, errOpen("pack")
	}
	p := &Pack{header: h.raw}
	if p.lead, err = parseLead(lead); err != nil {
		return nil, err
	}
	p.open = func(what string, number uint64, sealed []byte) ([]byte, error) {
		plaintext, err := open(aead, number, sealed, nil)
		if err != nil {
			return nil, errOpen(what)
		}
		return plaintext, nil
	}
	return p, nil
}

// parseLead reads an opened lead. Whoever made the pack could say anything
// here, so that it is held to the limits before a reader cuts by it.
func parseLead(b []byte) (Lead, error) {
	end, index := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	const most = MaxPackSize - tagSize // room for the padding's tag
	if end < PackHeaderSize || end > most || index < tagSize || index > most-end {
		return Lead{}, protocol.Errorf(protocol.KindUntrusted, "open pack: its lead points outside of it")
	}
	return Lead{ContentEnd: int(end), IndexLength: int(index)}, nil
}

// Lead returns where the parts lie. They lie within MaxPackSize bytes; whether
// within the pack at hand is for VerifyLayout, or for opening them.
func (p *Pack) Lead() Lead { return p.lead }

// VerifyLayout demands that a pack of size bytes has a padded size, and that
// the header, sealed frames of these lengths, the padding and the index lie
// side by side and leave no byte over.
func (p *Pack) VerifyLayout(size int64, frames []int) error {
	bad := func(why string) error { return protocol.Errorf(protocol.KindUntrusted, "pack layout: %s", why) }
	if size < PackFloor || size > MaxPackSize || int64(padme(int(size))) != size {
		return bad("its size is not a padded one")
	}
	if len(frames) > MaxFrames {
		return bad("it has too many frames")
	}
	end := PackHeaderSize
	for _, length := range frames {
		if length < tagSize || length > MaxPackSize-end {
			return bad("a frame has an impossible length")
		}
		end += length
	}
	if end != p.lead.ContentEnd || int64(p.lead.ContentEnd+tagSize+p.lead.IndexLength) > size {
		return bad("its parts do not fill it")
	}
	return nil
}

// Verify opens every part of a whole pack whose index says that its sealed
// frames have these lengths: a change of any byte is an error. Each opened
// frame is given to visit, which may be nil and must not keep it.
func (p *Pack) Verify(pack []byte, frames []int, visit func(number int, frame []byte) error) error {
	if err := p.VerifyLayout(int64(len(pack)), frames); err != nil {
		return err
	}
	if !bytes.Equal(pack[:PackHeaderSize], p.header) {
		return errOpen("pack")
	}
	padding := len(pack) - p.lead.IndexLength
	if _, err := p.OpenIndex(pack[padding:]); err != nil {
		return err
	}
	if err := p.OpenPadding(pack[p.lead.ContentEnd:padding]); err != nil {
		return err
	}
	return p.verifyFrames(pack, frames, visit)
}

func (p *Pack) verifyFrames(pack []byte, frames []int, visit func(int, []byte) error) error {
	end := PackHeaderSize
	for number, length := range frames {
		frame, err := p.OpenFrame(number, pack[end:end+length])
		if err != nil {
			return err
		}
		if visit != nil {
			if err := visit(number, frame); err != nil {
				return err
			}
		}
		end += length
	}
	return nil
}

// OpenIndex opens the sealed index: the last Lead.IndexLength bytes.
func (p *Pack) OpenIndex(sealed []byte) ([]byte, error) {
	return p.open("pack index", nonceIndex, sealed)
}

// OpenFrame opens the frame of the number, from 0.
func (p *Pack) OpenFrame(number int, sealed []byte) ([]byte, error) {
	if number < 0 || number >= MaxFrames {
		return nil, errOpen("frame") // its nonce would be another part's
	}
	return p.open("frame", nonceFrames+uint64(number), sealed)
}

// OpenPadding opens the padding of a pack of size bytes and demands that it is
// nothing but zeros; a check of all stored bytes uses it.
func (p *Pack) OpenPadding(sealed []byte) error {
	plaintext, err := p.open("padding", noncePadding, sealed)
	if err != nil {
		return err
	}
	for _, b := range plaintext {
		if b != 0 {
			return protocol.Errorf(protocol.KindUntrusted, "open padding: it is not empty")
		}
	}
	return nil
}
