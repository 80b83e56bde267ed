// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
)

// entry is what tests put in a log at an index.
func entry(i int) []byte { return fmt.Appendf(nil, "entry %d", i) }

// grow appends entries up to a size.
func grow(t testing.TB, l *tlogtest.Log, size int) tlog.Checkpoint {
	t.Helper()
	var list [][]byte
	for i := int(l.Head().Size); i < size; i++ {
		list = append(list, entry(i))
	}
	return l.Append(t, list...)
}

// TestEntriesFollow reads a log that grows, step by step, to every end.
func TestEntriesFollow(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	var at tlog.Frontier
	seen := 0
	for _, size := range []int{0, 1, 2, 255, 256, 257, 300, 511, 512, 700, 66_000} {
		c := grow(t, l, size)
		err := tlog.Entries(context.Background(), l, at.Size(), c, &at, func(index uint64, e []byte) error {
			if int(index) != seen || string(e) != string(entry(seen)) {
				return fmt.Errorf("entry %d is %q at %d", seen, e, index)
			}
			seen++
			return nil
		})
		if err != nil || seen != size || at.Root() != c.Root {
			t.Fatalf("size %d: %d entries seen, %v", size, seen, err)
		}
	}
}

// TestEntriesStop goes on behind the entry whose visit failed.
func TestEntriesStop(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	c := grow(t, l, 600)
	var at tlog.Frontier
	for _, stop := range []uint64{0, 17, 300, 599} {
		err := tlog.Entries(context.Background(), l, at.Size(), c, &at, func(index uint64, _ []byte) error {
			if index == stop {
				return protocol.Errorf(protocol.KindInterrupted, "stop")
			}
			return nil
		})
		if protocol.KindOf(err) != protocol.KindInterrupted || at.Size() != stop || at.Root() != l.At(t, stop).Root {
			t.Fatalf("stopped at %d: size %d, %v", stop, at.Size(), err)
		}
	}
}
