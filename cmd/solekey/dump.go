// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/backup"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// dumpFlags are the flags of dump.
type dumpFlags struct {
	chosen
	archive, target string
}

func newDump(a *app) *cobra.Command {
	f := &dumpFlags{}
	c := &cobra.Command{
		Use:   "dump [flags] SNAPSHOT[:PATH] FILE",
		Short: "Write a file of a snapshot to standard output",
		Long: "Dump writes the content of a file to standard output, and a folder as an archive. Nothing is\n" +
			"written that was not verified; exit code 0 says that all of it was.",
		Example: "  solekey dump latest /srv/shop.sql | psql shop\n" +
			"  solekey dump latest /home/ann --archive zip --target ann.zip",
		Args: terminal.Exactly(2, "a snapshot and a path in it"),
		RunE: func(c *cobra.Command, args []string) error { return a.dump(c.Context(), f, args[0], args[1]) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.archive, "archive", "a", "tar", "how to write a folder: tar or zip")
	fl.StringVarP(&f.target, "target", "t", "", "write to this file instead")
	f.chosen.add(fl, ", for \"latest\"")
	return c
}

// dump writes a file or folder.
func (a *app) dump(ctx context.Context, f *dumpFlags, id, file string) error {
	if f.archive != "tar" && f.archive != "zip" {
		return protocol.Errorf(protocol.KindUsage, "--archive %q: it is tar or zip", f.archive)
	}
	return a.withBrowser(ctx, func(v *backup.Vault, b *backup.Browser) error {
		s, base, err := v.Find(id, f.filter())
		if err != nil {
			return err
		}
		e, err := b.Entry(ctx, s, []byte(pathOf(base, file)))
		if err != nil {
			return err
		}
		return a.dumpTo(f.target, e, func(w io.Writer) error {
			if e.Type != tree.TypeFolder {
				return b.Dump(ctx, e, w)
			}
			return b.Archive(ctx, e, f.archive, w, func(path []byte) {
				a.warn("%s is a socket and not in the archive", printable(path))
			})
		})
	})
}

// pathOf is a path below another, in clean form.
func pathOf(base, below string) string { return path.Clean("/" + base + "/" + below) }

// dumpTo writes to a new file, which goes again if not all of it could be
// written, or to standard output.
func (a *app) dumpTo(target string, e *tree.Entry, write func(io.Writer) error) error {
	if target == "" {
		if f, ok := a.Out.(*os.File); ok && e.Type == tree.TypeFolder && term.IsTerminal(int(f.Fd())) {
			return protocol.Errorf(protocol.KindUsage, "an archive is nothing for a terminal: redirect it, or say --target")
		}
		return buffered(a.Out, write)
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "--target")
	}
	err = buffered(file, write)
	if err == nil {
		err = file.Sync()
	}
	if e := file.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(target)
	}
	return err
}

func buffered(w io.Writer, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(w, 256<<10)
	if err := write(out); err != nil {
		// What was written is right, and the end is missing: the exit code says so.
		_ = out.Flush()
		return err
	}
	return out.Flush()
}
