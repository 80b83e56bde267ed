// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// lsFlags are the flags of ls.
type lsFlags struct {
	chosen
	long, recursive, human bool
}

func newLs(a *app) *cobra.Command {
	f := &lsFlags{}
	c := &cobra.Command{
		Use:   "ls [flags] SNAPSHOT[:PATH] [DIR...]",
		Short: "List the files in a snapshot",
		Long: "Ls lists everything in a snapshot. With DIRs it lists what is directly in them, and with\n" +
			"--recursive everything below them.",
		Example: "  solekey ls latest\n" +
			"  solekey ls -l latest /home/ann\n" +
			"  solekey ls --json 4be1a2c7:/etc",
		Args: terminal.AtLeast(1, "a snapshot"),
		RunE: func(c *cobra.Command, args []string) error { return a.ls(c.Context(), f, args) },
	}
	fl := c.Flags()
	fl.BoolVarP(&f.long, "long", "l", false, "show mode, owner, size and time")
	fl.BoolVarP(&f.recursive, "recursive", "R", false, "list what is below the folders, too")
	fl.BoolVar(&f.human, "human-readable", false, "with --long, show sizes with a unit")
	f.chosen.add(fl, ", for \"latest\"")
	return c
}

// ls lists a snapshot.
func (a *app) ls(ctx context.Context, f *lsFlags, args []string) error {
	return a.withBrowser(ctx, func(v *backup.Vault, b *backup.Browser) error {
		s, base, err := v.Find(args[0], f.filter())
		if err != nil {
			return err
		}
		l := &lister{a: a, b: b, f: f}
		if a.flags.json {
			a.emit(snapshotObject(v, s, "snapshot"))
		}
		dirs := args[1:]
		if len(dirs) == 0 {
			dirs, l.all = []string{""}, true
		}
		for _, dir := range dirs {
			if err := l.list(ctx, s, pathOf(base, dir)); err != nil {
				return err
			}
		}
		return l.end()
	})
}

// lister writes entries.
type lister struct {
	a    *app
	b    *backup.Browser
	f    *lsFlags
	all  bool
	lost int
}

// list writes one entry that was named, and what is in it.
func (l *lister) list(ctx context.Context, s *backup.Snapshot, at string) error {
	e, err := l.b.Entry(ctx, s, []byte(at))
	if err != nil {
		return err
	}
	if len(e.Name) > 0 {
		l.entry([]byte(at), e)
	}
	if e.Type != tree.TypeFolder {
		return nil
	}
	return l.b.Walk(ctx, []byte(at), e, func(path []byte, e *tree.Entry) error {
		l.entry(path, e)
		if !l.all && !l.f.recursive {
			return backup.ErrSkip
		}
		return nil
	}, l.missing)
}

// missing tells of a folder that could not be read.
func (l *lister) missing(path []byte, err error) {
	l.lost++
	l.a.warn("%s: %v", printable(path), err)
}

// end makes what could not be read the command's outcome.
func (l *lister) end() error {
	if l.lost > 0 {
		return errSilent{protocol.Errorf(protocol.KindUnreadable, "some folders could not be read")}
	}
	return nil
}

func (l *lister) entry(path []byte, e *tree.Entry) {
	switch {
	case l.a.flags.json:
		l.a.emit(nodeObject(path, e, "node"))
	case l.f.long:
		l.a.say("%s", l.a.longLine(path, e, l.f.human))
	default:
		l.a.say("%s", l.a.name(path))
	}
}

// longLine is a line in the manner of ls -l.
func (a *app) longLine(path []byte, e *tree.Entry, human bool) string {
	bytes := fmt.Sprint(e.Size)
	if human {
		bytes = size(int64(e.Size))
	}
	when := "-" // of a folder on the way to what was backed up
	if !e.Timeless() {
		when = localTime(e.Modified)
	}
	line := fmt.Sprintf("%s %5d %5d %10s %19s %s", modeOf(e), e.UID, e.GID, bytes, when, a.name(path))
	if e.Type == tree.TypeLink {
		line += " -> " + a.name(e.Target)
	}
	return line
}

// localTime writes a time for people where they are.
func localTime(t protocol.Time) string { return t.Std().In(time.Local).Format("2006-01-02 15:04:05") }

// modeOf returns type and permissions in the usual ten letters.
func modeOf(e *tree.Entry) string {
	letters := map[tree.Type]byte{
		tree.TypeFile: '-', tree.TypeFolder: 'd', tree.TypeLink: 'l', tree.TypePipe: 'p',
		tree.TypeSocket: 's', tree.TypeCharDev: 'c', tree.TypeBlkDev: 'b',
	}
	text := []byte(fs.FileMode(e.Mode & 0o777).String())
	text[0] = letters[e.Type]
	for _, special := range []struct {
		bit           uint32
		at            int
		with, without byte
	}{{0o4000, 3, 's', 'S'}, {0o2000, 6, 's', 'S'}, {0o1000, 9, 't', 'T'}} {
		if e.Mode&special.bit == 0 {
			continue
		}
		if text[special.at] == 'x' {
			text[special.at] = special.with
		} else {
			text[special.at] = special.without
		}
	}
	return string(text)
}

// nodeTypes are the words that restic has for types.
var nodeTypes = map[tree.Type]string{
	tree.TypeFile: "file", tree.TypeFolder: "dir", tree.TypeLink: "symlink", tree.TypePipe: "fifo",
	tree.TypeSocket: "socket", tree.TypeCharDev: "chardev", tree.TypeBlkDev: "dev",
}

// nodeObject describes an entry for --json.
func nodeObject(path []byte, e *tree.Entry, messageType string) map[string]any {
	m := map[string]any{
		"message_type": messageType, "struct_type": "node", "name": string(e.Name), "type": nodeTypes[e.Type], "path": string(path),
		"uid": e.UID, "gid": e.GID, "mode": e.Mode, "permissions": modeOf(e),
	}
	if !e.Timeless() {
		m["mtime"] = e.Modified.String()
	}
	addBase64(m, "name", e.Name)
	addBase64(m, "path", path)
	if e.Type == tree.TypeFile {
		m["size"] = e.Size
	}
	if e.Type == tree.TypeLink {
		m["linktarget"] = string(e.Target)
		addBase64(m, "linktarget", e.Target)
	}
	if e.User != "" {
		m["user"] = e.User
	}
	if e.Group != "" {
		m["group"] = e.Group
	}
	return m
}
