// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package files

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// benchTree makes 20 folders of 500 empty files.
func benchTree(b *testing.B) string {
	root := b.TempDir()
	for i := range 20 {
		dir := filepath.Join(root, "folder-"+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range 500 {
			if err := os.WriteFile(filepath.Join(dir, "some-file-name-"+strconv.Itoa(j*7919%500)), nil, 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	return root
}

// BenchmarkList is what an unchanged run does; hold it against BenchmarkBare.
func BenchmarkList(b *testing.B) {
	path := benchTree(b)
	b.ReportAllocs()
	for b.Loop() {
		root, err := OpenFolder(path)
		if err != nil {
			b.Fatal(err)
		}
		items, _, _ := root.List()
		for i := range items {
			child, err := root.Child(items[i].Name)
			if err != nil {
				b.Fatal(err)
			}
			if _, _, err := child.List(); err != nil {
				b.Fatal(err)
			}
			child.Close()
		}
		root.Close()
	}
}

// BenchmarkBare is the least the system asks for: getdents and fstatat.
func BenchmarkBare(b *testing.B) {
	path := benchTree(b)
	buf := make([]byte, 64<<10)
	for b.Loop() {
		for i := range 20 {
			fd, err := unix.Open(filepath.Join(path, "folder-"+strconv.Itoa(i)), openFolderFlags, 0)
			if err != nil {
				b.Fatal(err)
			}
			bareList(fd, buf)
			unix.Close(fd)
		}
	}
}

func bareList(fd int, buf []byte) {
	var raw unix.Stat_t
	for {
		n, _ := unix.Getdents(fd, buf)
		if n <= 0 {
			return
		}
		for block := buf[:n]; len(block) > 0; {
			size := int(block[16]) | int(block[17])<<8
			_ = statEntry(fd, block[19:size], &raw)
			block = block[size:]
		}
	}
}
