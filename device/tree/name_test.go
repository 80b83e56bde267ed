// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"sync"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/solekey/solekey/protocol"
)

func TestNames(t *testing.T) {
	t.Parallel()
	one, two := NewNames(testSecret(1)), NewNames(testSecret(2))
	seen := make(map[protocol.Hash]string)
	for what, name := range map[string]protocol.Hash{
		"file":             one.Name(KindFile, []byte("content")),
		"node":             one.Name(KindNode, []byte("content")),
		"list":             one.Name(KindList, []byte("content")),
		"other content":    one.Name(KindFile, []byte("content!")),
		"nothing":          one.Name(KindFile, nil),
		"other secret":     two.Name(KindFile, []byte("content")),
		"the secret alone": blake3.Sum256([]byte("content")),
	} {
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s have one name", what, other)
		}
		seen[name] = what
	}
}

// The rule of spec/tree.md, step by step, on lengths around the hasher's own.
func TestNamesKeepToTheRule(t *testing.T) {
	t.Parallel()
	names := NewNames(testSecret(1))
	for _, n := range []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 8191, 8192, 8193, 100_000} {
		content := testRandom(1, n)
		for kind, word := range map[Kind]string{KindFile: "file", KindNode: "node", KindList: "list"} {
			h, err := blake3.NewKeyed(testSecret(1).Derive("tree/name", []byte(word)).Expose())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = h.Write(content)
			for range 2 { // a hasher that is used again gives the same
				if got := names.Name(kind, content); got != protocol.Hash(h.Sum(nil)) {
					t.Errorf("%v of %d bytes: %v", kind, n, got)
				}
			}
		}
	}
}

func TestNamesConcurrently(t *testing.T) {
	t.Parallel()
	names := NewNames(testSecret(1))
	want := names.Name(KindFile, []byte("x"))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				names.Name(KindFile, testRandom(uint64(i), 3000))
				if names.Name(KindFile, []byte("x")) != want {
					t.Error("another name")
				}
			}
		})
	}
	group.Wait()
}

func TestNameOfUnknownKindPanics(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{0, lastKind + 1, 255} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v has a name", kind)
				}
			}()
			NewNames(testSecret(1)).Name(kind, nil)
		}()
	}
}

func TestNamesAllocateNothing(t *testing.T) {
	names, small, large := NewNames(testSecret(1)), testRandom(1, 100), testRandom(1, 100_000)
	if n := testing.AllocsPerRun(100, func() {
		names.Name(KindFile, small)
		names.Name(KindNode, large)
	}); n >= 1 { // the collector may empty the pool now and then
		t.Errorf("%v allocations", n)
	}
}

func TestDeriveSecrets(t *testing.T) {
	t.Parallel()
	vault := DeriveSecrets(testSecret(1), protocol.MemberID{})
	again := DeriveSecrets(testSecret(1), protocol.MemberID{})
	writer := DeriveSecrets(testSecret(1), protocol.MemberID{7})
	if !vault.Naming.Equal(again.Naming) || !vault.Chunking.Equal(again.Chunking) || !vault.Padding.Equal(again.Padding) {
		t.Error("one root gives two sets of secrets")
	}
	if vault.Naming.Equal(vault.Chunking) || vault.Naming.Equal(vault.Padding) || vault.Chunking.Equal(vault.Padding) {
		t.Error("two secrets of a set are equal")
	}
	if vault.Naming.Equal(writer.Naming) || vault.Chunking.Equal(writer.Chunking) || vault.Padding.Equal(writer.Padding) {
		t.Error("a writer has a secret of the vault")
	}
	if writer.Namer != (protocol.MemberID{7}) || !vault.Namer.IsZero() {
		t.Error("the namer is not the one asked for")
	}
}

func BenchmarkName(b *testing.B) {
	names := NewNames(testSecret(1))
	for what, n := range map[string]int{"1 KiB": 1 << 10, "1 MiB": 1 << 20} {
		b.Run(what, func(b *testing.B) {
			content := testRandom(1, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				names.Name(KindFile, content)
			}
		})
	}
}
