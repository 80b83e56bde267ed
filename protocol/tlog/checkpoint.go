// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"strconv"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// MaxSize bounds the number of entries of a log, far beyond any that there will
// be, so that no sum of sizes overflows.
const MaxSize = 1 << 62

// Checkpoint is the head of a log: how many entries it has and the root of the
// Merkle tree over them. One that a Verify function returned is signed.
//
// Growth: the text form is tlog-checkpoint's and gets no lines of ours. Extension
// lines of others are covered by their signatures and otherwise passed over.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   protocol.Hash
}

// Body returns the text that is signed: origin, size and root, a line each.
func (c Checkpoint) Body() []byte {
	return []byte(c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + encodeHash(c.Root) + "\n")
}

// ParseCheckpoint reads the checkpoint in a note without verifying anything: it
// is for finding out whose it claims to be.
func ParseCheckpoint(raw []byte) (Checkpoint, error) {
	n, err := parseNote(raw)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseBody(n.text)
}

// parseBody reads a note's text, which ends in a newline.
func parseBody(text []byte) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) < 3 {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "checkpoint has %d lines, want 3", len(lines))
	}
	for _, l := range lines {
		if l == "" {
			return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "checkpoint has an empty line")
		}
	}
	c := Checkpoint{Origin: lines[0]}
	if len(c.Origin) > MaxName {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "origin has %d bytes, more than %d", len(c.Origin), MaxName)
	}
	var err error
	if c.Size, err = parseNumber(lines[1], MaxSize); err != nil {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "size of the checkpoint: %v", err)
	}
	if c.Root, err = decodeHash(lines[2]); err != nil {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "root of the checkpoint: %v", err)
	}
	if c.Size == 0 && c.Root != emptyRoot {
		return Checkpoint{}, protocol.Errorf(protocol.KindUntrusted, "checkpoint of no entries has another root than the empty tree's")
	}
	return c, nil
}

// parseNumber reads a decimal number that has no other form.
func parseNumber(text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != text || n > limit {
		return 0, protocol.Errorf(protocol.KindUntrusted, "%.32q is no number from 0 to %d", text, limit)
	}
	return n, nil
}
