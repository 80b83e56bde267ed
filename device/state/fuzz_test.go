// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// FuzzDocument reads any bytes as a document: it is refused with a kind, or
// writing it again gives one that reads the same.
func FuzzDocument(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed")
	if err := writeDocument(path, "vault marks", vaultMarks{Head: position{Seq: 3, Hash: protocol.Hash{3}}, Cursor: 9}); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"format":"solekey vault marks","version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "document")
		must(t, os.WriteFile(path, data, 0o600))
		var first, second vaultMarks
		err := readDocument(path, "vault marks", &first)
		if err != nil {
			if kind := protocol.KindOf(err); kind != protocol.KindUntrusted && kind != protocol.KindUnsupported {
				t.Fatalf("kind %q: %v", kind, err)
			}
			return
		}
		must(t, writeDocument(path, "vault marks", first))
		must(t, readDocument(path, "vault marks", &second))
		if first != second {
			t.Fatalf("%+v was read, then %+v", first, second)
		}
	})
}

// FuzzLog reads any bytes as a log: whatever the length that counts, the frames
// are within it, and scan and offsets agree.
func FuzzLog(f *testing.F) {
	l := log{filepath.Join(f.TempDir(), "seed"), "records"}
	if _, err := l.append(0, [][]byte{[]byte("one"), nil, bytes.Repeat([]byte("x"), 300)}); err != nil {
		f.Fatal(err)
	}
	seed, err := os.ReadFile(l.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, int64(len(seed)))
	f.Add(seed, int64(len(seed)-1))
	f.Fuzz(func(t *testing.T, data []byte, length int64) {
		l := log{filepath.Join(t.TempDir(), "log"), "records"}
		must(t, os.WriteFile(l.path, data, 0o600))
		var scanned []int64
		err := l.scan(length, func(offset int64, frame []byte) error {
			scanned = append(scanned, offset)
			if offset+frameHead+int64(len(frame)) > length {
				t.Fatalf("a frame at %d of %d bytes reaches beyond %d", offset, len(frame), length)
			}
			return nil
		})
		offsets, err2 := l.offsets(length)
		if (err == nil) && err2 == nil && len(scanned) != len(offsets) {
			t.Fatalf("%d frames, %d offsets", len(scanned), len(offsets))
		}
		if err == nil && err2 != nil {
			t.Fatalf("the frames read and their places do not: %v", err2)
		}
	})
}
