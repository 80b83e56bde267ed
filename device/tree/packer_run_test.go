// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// testVault is a vault in a ledger of one device.
type testVault struct {
	recipient directory.Recipient
	own       *keys.WrapSecret
}

// newTestVault makes an account with one vault. It is the same for all tests:
// what differs between vaults of tests are the secrets.
var newTestVault = sync.OnceValue(func() testVault {
	device, own := keys.GenerateMemberSecrets(), keys.GenerateWrapSecret()
	var state *ledger.State
	var standing *directory.Standing
	vault, named := protocol.VaultID{1}, protocol.Hash{2}
	for _, body := range []ledger.Body{
		{Genesis: &ledger.Genesis{Device: *device.Public()}},
		{Rotate: &ledger.Rotate{Epoch: 1, Wraps: []ledger.MemberWrap{{Member: device.ID(), Wrap: named}}}},
		{CreateVault: &ledger.CreateVault{Vault: vault, Category: protocol.CategoryBackups, Key: own.Public(), Secrets: named}},
	} {
		entry, err := ledger.Sign(state, 1, body, device)
		if err != nil {
			panic(err)
		}
		if state == nil {
			if state, err = ledger.Fold([]*ledger.Entry{entry}, nil); err == nil {
				standing, err = directory.Begin(state, device.ID())
			}
		} else {
			standing, err = standing.Extend(device.ID(), []*ledger.Entry{entry})
		}
		if err != nil {
			panic(err)
		}
		state = standing.State()
	}
	recipient, err := standing.Vault(vault)
	if err != nil {
		panic(err)
	}
	return testVault{recipient, own}
})

// testRun begins a run over the vault of tests.
func testRun(t testing.TB) *seal.Run {
	t.Helper()
	run, err := seal.NewRun(newTestVault().recipient)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// testSecrets returns the content secrets that a seed determines.
func testSecrets(seed byte) *Secrets { return DeriveSecrets(testSecret(seed), protocol.MemberID{}) }

// testStore is a sink that keeps the packs.
type testStore struct {
	mu    sync.Mutex
	packs []*Finished
	known map[protocol.Hash]bool
}

func (s *testStore) sink(_ context.Context, p *Finished) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.ID != protocol.PackID(sha256.Sum256(p.Bytes)) {
		return errors.New("the pack has another name")
	}
	kept := *p
	kept.Bytes = append([]byte(nil), p.Bytes...)
	s.packs = append(s.packs, &kept)
	if s.known == nil {
		s.known = make(map[protocol.Hash]bool)
	}
	for _, f := range p.Index.Frames {
		for _, c := range f.Chunks {
			s.known[c.Name] = true
		}
	}
	return nil
}

// content opens all packs of the store with the vault's secret alone, checks
// each name, and returns the chunks.
func (s *testStore) content(t testing.TB, secrets *Secrets) map[protocol.Hash][]byte {
	t.Helper()
	all := make(map[protocol.Hash][]byte)
	for _, p := range s.packs {
		openTestPack(t, p.Bytes, secrets, all)
	}
	return all
}

// has reports whether the sink got a chunk.
func (s *testStore) has(name protocol.Hash) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[name]
}

func openTestPack(t testing.TB, b []byte, secrets *Secrets, all map[protocol.Hash][]byte) *PackIndex {
	t.Helper()
	header, err := seal.ParsePackHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	run, err := seal.OpenRun(newTestVault().own, header)
	if err != nil {
		t.Fatal(err)
	}
	pack, err := seal.OpenPack(run, header)
	if err != nil {
		t.Fatal(err)
	}
	printed, err := pack.OpenIndex(b[len(b)-pack.Lead().IndexLength:])
	if err != nil {
		t.Fatal(err)
	}
	index, err := ParsePackIndex(printed)
	if err != nil {
		t.Fatal(err)
	}
	names, d, at := NewNames(secrets.Naming), NewDecompressor(), seal.PackHeaderSize
	for i, f := range index.Frames {
		frame, err := pack.OpenFrame(i, b[at:at+f.Sealed])
		if err != nil {
			t.Fatal(err)
		}
		raw, err := d.Decompress(nil, f.Compression, frame, f.Raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Chunks {
			if names.Name(f.Kind, raw[:c.Length]) != c.Name {
				t.Fatalf("frame %d: chunk %s is not what its name says", i, c.Name)
			}
			all[c.Name], raw = raw[:c.Length], raw[c.Length:]
		}
		at += f.Sealed
	}
	if at != pack.Lead().ContentEnd {
		t.Fatalf("frames end at %d, content at %d", at, pack.Lead().ContentEnd)
	}
	return index
}
