// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/solekey/solekey/protocol"
)

// log is an append-only file: a line that names its format and version, then
// frames of a length (u32, big-endian) and as many bytes. It certifies nothing
// by itself. A mark beside it holds how many bytes of it count; what lies beyond
// is the torn tail of a process that died, and the next append cuts it off.
type log struct {
	path   string
	format string
}

// maxFrame bounds one frame in bytes.
const maxFrame = 16 << 20

// frameHead is the length of a frame's length.
const frameHead = 4

func (l log) header(version int) []byte {
	return fmt.Appendf(nil, "solekey %s %d\n", l.format, version)
}

// open opens the file for reading and holds its header and size against what
// counts. An error of KindNotFound or KindUntrusted says that the file is lost.
func (l log) open(length int64) (*os.File, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return nil, osError(err, "open %s", l.path)
	}
	err = l.checkHeader(f, length)
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

func (l log) checkHeader(f *os.File, length int64) error {
	want := l.header(version)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(f, got); err != nil {
		return errDamaged(l.path, err)
	}
	if !bytes.Equal(got, want) {
		var newer int
		_, err := fmt.Sscanf(string(got), "solekey "+l.format+" %d", &newer)
		if err == nil && newer > version {
			return protocol.Errorf(protocol.KindUnsupported, "%s was written by a newer version of solekey: update this program; nothing was changed", l.path)
		}
		return errDamaged(l.path, fmt.Errorf("it is no %s file", l.format))
	}
	info, err := f.Stat()
	if err != nil {
		return osError(err, "read %s", l.path)
	}
	if info.Size() < length {
		return errDamaged(l.path, fmt.Errorf("it has %d bytes, %d were written", info.Size(), length))
	}
	return nil
}

// scan visits every frame up to length, whose offset it says. The frame is the
// visitor's to keep.
func (l log) scan(length int64, visit func(offset int64, frame []byte) error) error {
	f, err := l.open(length)
	if err != nil {
		return err
	}
	defer f.Close()
	at := int64(len(l.header(version)))
	r := bufio.NewReaderSize(io.LimitReader(f, length-at), 1<<20)
	for at < length {
		frame, err := readFrame(r)
		if err != nil {
			return errDamaged(l.path, err)
		}
		if err := visit(at, frame); err != nil {
			return err
		}
		at += frameHead + int64(len(frame))
	}
	return nil
}

// offsets returns where each frame up to length begins; it reads no more than
// their lengths.
func (l log) offsets(length int64) ([]int64, error) {
	f, err := l.open(length)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []int64
	at := int64(len(l.header(version)))
	for at < length {
		var head [frameHead]byte
		if _, err := f.ReadAt(head[:], at); err != nil {
			return nil, errDamaged(l.path, err)
		}
		list = append(list, at)
		at += frameHead + int64(binary.BigEndian.Uint32(head[:]))
	}
	if at != length {
		return nil, errDamaged(l.path, errors.New("a frame reaches beyond what counts"))
	}
	return list, nil
}

// frame reads the frame that begins at the offset.
func (l log) frame(offset int64) ([]byte, error) {
	f, err := l.open(offset)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	frame, err := readFrame(io.NewSectionReader(f, offset, frameHead+maxFrame))
	if err != nil {
		return nil, errDamaged(l.path, err)
	}
	return frame, nil
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("a frame's length is torn: %v", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, fmt.Errorf("a frame has %d bytes, at most %d are written", size, maxFrame)
	}
	frame := make([]byte, size)
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, fmt.Errorf("a frame is torn: %v", err)
	}
	return frame, nil
}

// append cuts off what lies beyond length, adds the frames, and flushes. It
// returns the new length, which counts once the caller's mark says so; until
// then, and after an error, the file counts as before.
func (l log) append(length int64, frames [][]byte) (int64, error) {
	f, length, err := l.openEnd(length)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<18)
	for _, frame := range frames {
		_, _ = w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(frame)))) // the error stays in w
		_, _ = w.Write(frame)
		length += frameHead + int64(len(frame))
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return 0, osError(err, "write %s", l.path)
	}
	return length, syncDir(filepath.Dir(l.path))
}

// openEnd opens the file for writing behind what counts. Length 0 begins it anew.
func (l log) openEnd(length int64) (*os.File, int64, error) {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return nil, 0, osError(err, "make folder %s", filepath.Dir(l.path))
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, 0, osError(err, "open %s", l.path)
	}
	if length == 0 {
		header := l.header(version)
		length = int64(len(header))
		_, err = f.WriteAt(header, 0)
		err = osError(err, "write %s", l.path)
	} else {
		err = l.checkHeader(f, length)
	}
	if err == nil {
		err = osError(errors.Join(f.Truncate(length), seekTo(f, length)), "write %s", l.path)
	}
	if err != nil {
		_ = f.Close() // what was written does not count
		return nil, 0, err
	}
	return f, length, nil
}

func seekTo(f *os.File, offset int64) error {
	_, err := f.Seek(offset, io.SeekStart)
	return err
}

// lost reports whether an error of a log says that its file cannot be relied
// on, so that what it held is to be fetched again.
func lost(err error) bool {
	kind := protocol.KindOf(err)
	return kind == protocol.KindNotFound || kind == protocol.KindUntrusted
}

// setAside renames a damaged file, for people to look at.
func (l log) setAside() {
	_ = os.Rename(l.path, l.path+".damaged") // it is written anew in any case
}
