// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/solekey/solekey/protocol"
)

// PackWriter seals frames into one pack as they come. It is not safe for
// concurrent use.
type PackWriter struct {
	aead     cipher.AEAD
	buf      []byte
	frames   int
	finished bool // every nonce is used up: nothing more is sealed under this key
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
	return &PackWriter{aead: aead, buf: buf}
}

// Append seals the next frame and returns its number, from 0. The sealed frame
// is FrameOverhead bytes longer. The error, on which nothing has changed, is
// protocol.KindInternal: the pack is full, or finished.
func (w *PackWriter) Append(frame []byte) (int, error) {
	if w.finished {
		return 0, protocol.Errorf(protocol.KindInternal, "append frame: the pack is finished")
	}
	if w.frames >= MaxFrames || len(w.buf)+len(frame)+3*tagSize > MaxPackSize {
		return 0, protocol.Errorf(protocol.KindInternal, "append frame: the pack is full")
	}
	number := w.frames
	w.frames++
	w.buf = w.seal(nonceFrames+uint64(number), w.buf, frame, nil)
	return number, nil
}

// Len returns the bytes so far: header, lead and sealed frames.
func (w *PackWriter) Len() int { return len(w.buf) }

// Finish seals padding, index and lead, and returns the pack, which takes the
// place of the buffer. Steps moves the size up in the set of padded sizes.
// Nothing can be sealed afterwards. A pack that would be too large is an error,
// protocol.KindInternal, on which nothing has changed.
func (w *PackWriter) Finish(index []byte, steps int) ([]byte, error) {
	if w.finished {
		return nil, protocol.Errorf(protocol.KindInternal, "finish pack: it is finished already")
	}
	end, sealedIndex := len(w.buf), len(index)+tagSize
	size := PackSize(end+sealedIndex, steps)
	if size > MaxPackSize {
		return nil, protocol.Errorf(protocol.KindInternal, "finish pack: %d bytes, at most %d allowed", size, MaxPackSize)
	}
	w.finished = true
	w.buf = slices.Grow(w.buf, size-end)
	zeros := w.buf[end : size-sealedIndex-tagSize] // sealed where they lie
	clear(zeros)
	w.buf = w.seal(noncePadding, w.buf, zeros, nil)
	w.buf = w.seal(nonceIndex, w.buf, index, nil)
	lead := binary.BigEndian.AppendUint32(make([]byte, 0, leadSize), uint32(end))
	lead = binary.BigEndian.AppendUint32(lead, uint32(sealedIndex))
	w.seal(nonceLead, w.buf[offLead:offLead], lead, w.buf[:offLead])
	return w.buf, nil
}

// seal is the one place where a pack's key encrypts.
func (w *PackWriter) seal(number uint64, dst, plaintext, data []byte) []byte {
	if testingOnlySeal != nil {
		testingOnlySeal(w, number)
	}
	return w.aead.Seal(dst, nonce(number), plaintext, data)
}

// testingOnlySeal lets a test see the number of every nonce that is used.
var testingOnlySeal func(w *PackWriter, number uint64)
