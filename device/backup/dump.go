// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"io"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

// dumpAhead is how many bytes of a file are fetched at a time while those before
// them are written. Two such parts are held at once.
const dumpAhead = 8 << 20

// Dump writes the content of a file, holes as zeros, in order. Bytes are
// written only after they were verified; an error says that what was written is
// the beginning of the file and nothing else.
func (b *Browser) Dump(ctx context.Context, e *tree.Entry, w io.Writer) error {
	if e.Type != tree.TypeFile {
		return protocol.Errorf(protocol.KindUsage, "%q is a %s, not a file", e.Name, e.Type)
	}
	ctx, cancel := context.WithCancel(ctx)
	d := &dumping{b: b, ctx: ctx, layout: newLayout(e), w: w}
	parts := make(chan *dumpPart)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(parts)
		d.read(e, parts)
	}()
	err := d.write(e, parts)
	cancel()
	<-ended
	return err
}

// dumping is one file on its way out.
type dumping struct {
	b      *Browser
	ctx    context.Context
	layout layout
	w      io.Writer
	at     uint64 // how much of the file was written
}

// dumpPart is a run of pieces with their bytes.
type dumpPart struct {
	wants  []tree.Want
	at     uint64 // in the data
	length uint64
	data   []byte
	err    error
}

// read fetches the file part by part.
func (d *dumping) read(e *tree.Entry, parts chan<- *dumpPart) {
	content := tree.NewContentReader(e.Content, d.b.load)
	for ended := false; !ended; {
		part := &dumpPart{}
		for !ended && part.err == nil && part.length < dumpAhead {
			piece, at, err := content.Next(d.ctx)
			switch {
			case err == io.EOF:
				ended = true
			case err != nil:
				part.err = err
			default:
				if len(part.wants) == 0 {
					part.at = at
				}
				part.wants = append(part.wants, tree.Want{Kind: tree.KindFile, Name: piece.Name, Length: piece.Length})
				part.length += piece.Length
			}
		}
		if part.err == nil {
			part.err = d.fetch(part)
		}
		select {
		case parts <- part:
		case <-d.ctx.Done():
			return
		}
		if part.err != nil {
			return
		}
	}
}

// fetch fetches the bytes of a part.
func (d *dumping) fetch(part *dumpPart) error {
	part.data = make([]byte, part.length)
	places := make([]uint64, len(part.wants))
	for i, at := 0, uint64(0); i < len(places); i++ {
		places[i] = at
		at += part.wants[i].Length
	}
	return d.b.reader.Fetch(d.ctx, part.wants, func(i int, chunk []byte, err error) error {
		if err != nil {
			return err
		}
		copy(part.data[places[i]:], chunk)
		return nil
	})
}

// write writes parts as they come, with zeros for the holes between them.
func (d *dumping) write(e *tree.Entry, parts <-chan *dumpPart) error {
	for part := range parts {
		if part.err != nil && isLoss(part.err) {
			return protocol.Wrap(protocol.KindUnreadable, part.err, "a part of the file is lost or damaged at the server")
		}
		if part.err != nil {
			return part.err
		}
		if part.length == 0 {
			continue
		}
		err := d.layout.each(part.at, part.length, func(from, offset, length uint64) error {
			if err := d.zeros(offset); err != nil {
				return err
			}
			n, err := d.w.Write(part.data[from : from+length])
			d.at += uint64(n)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := d.ctx.Err(); err != nil {
		return err
	}
	return d.zeros(e.Size)
}

var zeroBytes [64 << 10]byte

// zeros writes zeros up to an offset.
func (d *dumping) zeros(to uint64) error {
	for d.at < to {
		n, err := d.w.Write(zeroBytes[:min(to-d.at, uint64(len(zeroBytes)))])
		d.at += uint64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
