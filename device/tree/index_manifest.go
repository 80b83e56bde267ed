// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
)

// The manifest says which files the index consists of. Replacing it is the one step by which the index changes: what
// it does not name does not exist, so a process may be killed anywhere. It is a checksum (4) and the canonical CBOR
// of this structure.
type manifest struct {
	Version uint8      `cbor:"1,keyasint"`
	Next    uint64     `cbor:"2,keyasint,omitempty"` // number of the next index file
	Files   []fileMark `cbor:"3,keyasint,omitempty"` // oldest first
	Flags   []byte     `cbor:"4,keyasint,omitempty"` // one byte for each pack in the table
	Dead    uint64     `cbor:"5,keyasint,omitempty"` // records of removed packs, at most
}

type fileMark struct {
	_       struct{} `cbor:",toarray"`
	Number  uint64
	Records uint64
}

const (
	manifestVersion = 1
	manifestName    = "manifest"
	packsName       = "packs"
	lockName        = "lock"
	manifestLimit   = 64 << 20
	maxIndexFiles   = 4096
)

// Flags of a pack.
const (
	flagUsable  = 1 << 0
	flagRemoved = 1 << 1
)

func indexFilePath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("chunks-%010d", number))
}

// readManifest returns the manifest of a folder, an empty one where there is none.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &manifest{Version: manifestVersion}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseManifest(b, path)
}

func parseManifest(b []byte, path string) (*manifest, error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != checksum(b[4:]) {
		return nil, damaged(path, "its checksum does not hold")
	}
	m := &manifest{}
	if err := canonical.Unmarshal(b[4:], manifestLimit, m); err != nil {
		return nil, damaged(path, "%v", err)
	}
	if m.Version != manifestVersion || len(m.Files) > maxIndexFiles {
		return nil, damaged(path, "it is of another version")
	}
	return m, nil
}

func (m *manifest) print() ([]byte, error) {
	body, err := canonical.Marshal(m)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), checksum(body))
	return append(b, body...), nil
}

// store makes the manifest the one of the folder; the files it names must be on the medium already.
func (m *manifest) store(d disk, dir string) error {
	b, err := m.print()
	if err != nil {
		return err
	}
	return d.replace(filepath.Join(dir, manifestName), func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// openFiles opens the index files that the manifest names.
func (m *manifest) openFiles(dir string) ([]*indexFile, error) {
	var files []*indexFile
	for _, mark := range m.Files {
		f, err := openIndexFile(indexFilePath(dir, mark.Number), mark.Number, mark.Records)
		if err != nil {
			releaseAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func releaseAll(files []*indexFile) {
	for _, f := range files {
		f.release()
	}
}

// sweep removes what a killed process left behind: every file of ours that the manifest does not name.
func (m *manifest) sweep(d disk, dir string) error {
	keep := map[string]bool{}
	for _, mark := range m.Files {
		keep[filepath.Base(indexFilePath(dir, mark.Number))] = true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := strings.HasPrefix(e.Name(), "chunks-") || strings.HasSuffix(e.Name(), ".new")
		if !ours || keep[e.Name()] {
			continue
		}
		if err := d.remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// RemoveIndex deletes the index in a folder, so that an empty one is opened next. It is how a damaged one is
// rebuilt. It fails with protocol.KindBusy while a process writes to it.
func RemoveIndex(dir string) error {
	lock, err := lockFolder(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Without its manifest an index is empty, whatever other files there are: that one goes first.
	for _, name := range []string{manifestName, packsName} {
		if err := (disk{}).remove(filepath.Join(dir, name)); err != nil {
			return protocol.Wrap(protocol.KindInternal, err, "remove the index")
		}
	}
	if err := (&manifest{}).sweep(disk{}, dir); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "remove the index")
	}
	return nil
}
