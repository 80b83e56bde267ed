// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// archive takes entries in.
type archive interface {
	// add takes an entry under a path without a leading slash; content writes a
	// file's bytes.
	add(path string, e *tree.Entry, content func(io.Writer) error) error
	Close() error
}

// Archive writes all that is below a folder as a tar or zip archive. Hard links
// are links in a tar archive. What the format cannot hold, such as a socket, is
// told to left and left out.
func (b *Browser) Archive(ctx context.Context, folder *tree.Entry, format string, w io.Writer, left func(path []byte)) error {
	var to archive
	switch format {
	case "tar":
		to = &tarArchive{w: tar.NewWriter(w), links: map[tree.LinkGroup]string{}}
	case "zip":
		to = &zipArchive{w: zip.NewWriter(w)}
	default:
		return protocol.Errorf(protocol.KindUsage, "--archive %q: it is tar or zip", format)
	}
	err := b.Walk(ctx, nil, folder, func(path []byte, e *tree.Entry) error {
		if e.Type == tree.TypeSocket {
			left(path)
			return nil
		}
		content := func(w io.Writer) error { return b.Dump(ctx, e, w) }
		if err := to.add(string(path[1:]), e, content); err != nil {
			return protocol.Wrap(protocol.KindOf(err), err, "archive %q", path)
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	return to.Close()
}

// fileMode returns the mode as Go's packages for archives want it.
func fileMode(e *tree.Entry) fs.FileMode {
	mode := fs.FileMode(e.Mode & 0o777)
	for bit, flag := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if e.Mode&bit != 0 {
			mode |= flag
		}
	}
	switch e.Type {
	case tree.TypeFolder:
		mode |= fs.ModeDir
	case tree.TypeLink:
		mode |= fs.ModeSymlink
	case tree.TypePipe:
		mode |= fs.ModeNamedPipe
	case tree.TypeSocket:
		mode |= fs.ModeSocket
	case tree.TypeCharDev:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case tree.TypeBlkDev:
		mode |= fs.ModeDevice
	}
	return mode
}

type tarArchive struct {
	w     *tar.Writer
	links map[tree.LinkGroup]string
}

var tarTypes = map[tree.Type]byte{
	tree.TypeFile: tar.TypeReg, tree.TypeFolder: tar.TypeDir, tree.TypeLink: tar.TypeSymlink,
	tree.TypePipe: tar.TypeFifo, tree.TypeCharDev: tar.TypeChar, tree.TypeBlkDev: tar.TypeBlock,
}

func (t *tarArchive) Close() error { return t.w.Close() }

func (t *tarArchive) add(path string, e *tree.Entry, content func(io.Writer) error) error {
	h := &tar.Header{
		Typeflag: tarTypes[e.Type], Name: path, Linkname: string(e.Target), Size: int64(e.Size), Mode: int64(e.Mode),
		Uid: int(e.UID), Gid: int(e.GID), Uname: e.User, Gname: e.Group, ModTime: e.Modified.Std(), Format: tar.FormatPAX,
		Devmajor: deviceMajor(e.Device), Devminor: deviceMinor(e.Device),
	}
	if e.Type == tree.TypeFolder {
		h.Name += "/"
	}
	t.addXattrs(h, e)
	if first := t.linked(path, e); first != "" {
		h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
	}
	if !encodable(h) {
		h.Format = tar.FormatGNU // its names are bytes
		h.PAXRecords = nil
	}
	if err := t.w.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	return content(t.w)
}

// linked returns under which path the file was taken in before, if it was.
func (t *tarArchive) linked(path string, e *tree.Entry) string {
	if e.Links == nil || e.Type != tree.TypeFile {
		return ""
	}
	first, ok := t.links[*e.Links]
	if !ok {
		t.links[*e.Links] = path
	}
	return first
}

// addXattrs adds extended attributes as other archivers read them.
func (t *tarArchive) addXattrs(h *tar.Header, e *tree.Entry) {
	for _, x := range e.Xattrs {
		if bytes.ContainsAny(x.Name, "=") {
			continue
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+string(x.Name)] = string(x.Value)
	}
}

// encodable reports whether a header's strings may stand in a PAX record.
func encodable(h *tar.Header) bool {
	for _, s := range []string{h.Name, h.Linkname, h.Uname, h.Gname} {
		if !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

func deviceMajor(n uint64) int64 { return int64(n>>8&0xfff | n>>32&^0xfff) }

func deviceMinor(n uint64) int64 { return int64(n&0xff | n>>12&0xffffff00) }

type zipArchive struct{ w *zip.Writer }

func (z *zipArchive) Close() error { return z.w.Close() }

func (z *zipArchive) add(path string, e *tree.Entry, content func(io.Writer) error) error {
	h := &zip.FileHeader{Name: path, Method: zip.Deflate, Modified: e.Modified.Std()}
	h.SetMode(fileMode(e))
	if e.Type == tree.TypeFolder {
		h.Name += "/"
		h.Method = zip.Store
	}
	w, err := z.w.CreateHeader(h)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	switch e.Type {
	case tree.TypeFile:
		return content(w)
	case tree.TypeLink:
		_, err = w.Write(e.Target)
	}
	return err
}
