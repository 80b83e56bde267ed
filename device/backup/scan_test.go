// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// testVault is a vault of an account that only the test knows.
type testVault struct {
	run     *seal.Run
	secrets *tree.Secrets
	index   *tree.Index
	ahead   protocol.Time // of its clock

	mu    sync.Mutex
	bytes int64
	packs int
}

func newTestVault(t testing.TB) *testVault {
	t.Helper()
	self := keys.GenerateMemberSecrets()
	d, err := keyring.Create(self, 1)
	check(t, err)
	check(t, d.Rotate())
	id, err := d.CreateVault(protocol.CategoryBackups)
	check(t, err)
	ring, err := d.Ring()
	check(t, err)
	v, err := ring.Vault(id)
	check(t, err)
	to, err := d.Standing().Vault(id)
	check(t, err)
	run, err := seal.NewRun(to)
	check(t, err)
	index, err := tree.OpenIndex(t.TempDir())
	check(t, err)
	t.Cleanup(func() { index.Close() })
	content := v.Content()
	return &testVault{run: run, secrets: tree.DeriveSecrets(content.Root, content.Namer), index: index}
}

func (v *testVault) sink(_ context.Context, p *tree.Finished) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes += int64(len(p.Bytes))
	v.packs++
	return v.index.AddPack(tree.PackInfo{ID: p.ID, Size: int64(len(p.Bytes)), Usable: true}, p.Index)
}

// scan runs one scan of the paths with the last run's file at the place.
func (v *testVault) scan(t testing.TB, last string, paths ...string) (protocol.Hash, Progress) {
	t.Helper()
	ctx := context.Background()
	packer := tree.NewPacker(ctx, tree.PackerOptions{Run: v.run, Secrets: v.secrets, Sink: v.sink})
	defer packer.Close()
	selection, err := files.Rules{}.Compile()
	check(t, err)
	s := &scan{
		ctx: ctx, stop: make(chan struct{}), selection: selection, trusted: true,
		chunks:  &chunks{names: tree.NewNames(v.secrets.Naming), index: v.index, packer: packer},
		chunker: tree.NewChunker(v.secrets.Chunking), cutter: tree.NewCutter(v.secrets.Chunking),
		last: openLastRun(last), next: newLastRunWriter(last), report: &reporter{},
		now: func() protocol.Time { return protocol.TimeOf(time.Now()) + v.ahead },
	}
	defer s.last.close()
	sources, err := newSources(paths)
	check(t, err)
	top, err := s.run(sources, 2)
	check(t, err)
	check(t, packer.Flush(ctx))
	check(t, s.next.finish(top.at, lastRunEnd{}))
	return top.node, s.report.progress()
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestScanTakesUnchangedFromLastRun(t *testing.T) {
	v := newTestVault(t)
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	for _, name := range []string{"a/1", "a/b/2", "a/b/c/3", "z"} {
		check(t, os.WriteFile(filepath.Join(dir, name), []byte("content of "+name), 0o644))
	}
	last := filepath.Join(t.TempDir(), "last")
	v.ahead = 2 * unsureAfter
	root1, p1 := v.scan(t, last, dir)
	check(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "beside"), nil, 0o644)) // moves the time of a folder on the way
	root2, p2 := v.scan(t, last, dir)
	if root1 != root2 || p2.Unchanged != 4 || p2.Read != 0 {
		t.Fatalf("unchanged: roots %s %s, %+v, %+v", root1, root2, p1, p2)
	}
	check(t, os.WriteFile(filepath.Join(dir, "a/b/2"), []byte("other content"), 0o644))
	root3, p3 := v.scan(t, last, dir)
	if root3 == root2 || p3.Unchanged != 3 || p3.Read != int64(len("other content")) {
		t.Fatalf("one changed: %+v", p3)
	}
}

func BenchmarkScan(b *testing.B) {
	dir := os.Getenv("SOLEKEY_BENCH_DIR")
	if dir == "" {
		b.Fatal("SOLEKEY_BENCH_DIR names no folder")
	}
	v := newTestVault(b)
	last := filepath.Join(b.TempDir(), "last")
	for i := 0; b.Loop(); i++ {
		begin := time.Now()
		_, p := v.scan(b, last, dir)
		b.Logf("%d: %v %+v packs %d bytes %d", i, time.Since(begin), p, v.packs, v.bytes)
	}
}
