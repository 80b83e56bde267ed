// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"

	"github.com/solekey/solekey/protocol"
)

// PackWriter seals frames into one pack as they come. It is not safe for
// concurrent use.
type PackWriter struct {
	run    *Run
	aead   cipher.AEAD
	buf    []byte
	frames int
}

// NewPack begins a pack in buf, whose contents are lost and whose capacity is
// used; PackTarget and some more is what a full pack needs.
func (r *Run) NewPack(buf []byte) *PackWriter {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // crypto/rand.Read never fails
	return r.newPack(buf, salt)
}

// newPack is NewPack with its randomness as an argument.
func (r *Run) newPack(buf, salt []byte) *PackWriter {
	aead, commitment := derive(r.key, salt, packContext(r))
	buf = append(buf[:0], packMagic...)
	buf = append(buf, r.account[:]...)
	buf = append(buf, r.vault[:]...)
	buf = binary.BigEndian.AppendUint64(buf, r.epoch)
	buf = append(buf, r.id[:]...)
	buf = append(buf, r.wrap...)
	buf = append(buf, salt...)
	buf = append(buf, commitment...)
	buf = append(buf, make([]byte, leadSize+tagSize)...)
	return &PackWriter{run: r, aead: aead, buf: buf}
}

// Append seals the next frame and returns its number, from 0. The sealed frame
// is FrameOverhead bytes longer.
func (w *PackWriter) Append(frame []byte) (int, error) {
	if w.frames >= MaxFrames || len(w.buf)+len(frame)+2*tagSize > MaxPackSize {
		return 0, protocol.Errorf(protocol.KindInternal, "append frame: the pack is full")
	}
	number := w.frames
	w.buf = w.aead.Seal(w.buf, nonce(nonceFrames+uint64(number)), frame, nil)
	w.frames++
	return number, nil
}

// Len returns the bytes so far: header, lead and sealed frames.
func (w *PackWriter) Len() int { return len(w.buf) }

// Finish seals padding, index and lead, and returns the pack, which takes the
// place of the buffer. Steps moves the size up in the set of padded sizes.
func (w *PackWriter) Finish(index []byte, steps int) ([]byte, error) {
	end, sealedIndex := len(w.buf), len(index)+tagSize
	size := PackSize(end+sealedIndex, steps)
	if size > MaxPackSize {
		return nil, protocol.Errorf(protocol.KindInternal, "finish pack: %d bytes, at most %d allowed", size, MaxPackSize)
	}
	w.buf = w.aead.Seal(w.buf, nonce(noncePadding), make([]byte, size-end-sealedIndex-tagSize), nil)
	w.buf = w.aead.Seal(w.buf, nonce(nonceIndex), index, nil)
	lead := binary.BigEndian.AppendUint32(nil, uint32(end))
	lead = binary.BigEndian.AppendUint32(lead, uint32(sealedIndex))
	w.aead.Seal(w.buf[offLead:offLead], nonce(nonceLead), lead, w.buf[:offLead])
	return w.buf, nil
}
