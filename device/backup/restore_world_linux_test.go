// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/solekey/solekey/device/files"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// restoreWorld is a vault whose packs lie in memory, with one snapshot.
type restoreWorld struct {
	t       testing.TB
	run     *seal.Run
	opens   *keyring.VaultSecrets
	secrets *tree.Secrets
	index   *tree.Index
	browser *Browser
	source  string // what was backed up last
	shot    *Snapshot

	mu     sync.Mutex // guards what follows
	stored map[protocol.PackID][]byte
	before func(tree.Read) error // nil: reads succeed
}

func newRestoreWorld(t testing.TB) *restoreWorld {
	t.Helper()
	d, err := keyring.Create(keys.GenerateMemberSecrets(), 1)
	check(t, err)
	check(t, d.Rotate())
	id, err := d.CreateVault(protocol.CategoryBackups)
	check(t, err)
	ring, err := d.Ring()
	check(t, err)
	w := &restoreWorld{t: t, stored: map[protocol.PackID][]byte{}}
	w.opens, err = ring.Vault(id)
	check(t, err)
	to, err := d.Standing().Vault(id)
	check(t, err)
	w.run, err = seal.NewRun(to)
	check(t, err)
	w.index, err = tree.OpenIndex(t.TempDir())
	check(t, err)
	t.Cleanup(func() { w.index.Close() })
	w.secrets = tree.DeriveSecrets(w.opens.Content().Root, w.opens.Content().Namer)
	w.fresh()
	return w
}

func (w *restoreWorld) sink(_ context.Context, p *tree.Finished) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored[p.ID] = bytes.Clone(p.Bytes)
	return w.index.AddPack(tree.PackInfo{ID: p.ID, Size: int64(len(p.Bytes)), Usable: true}, p.Index)
}

// fresh begins with nothing at hand, as another process would.
func (w *restoreWorld) fresh() {
	names := tree.NewNames(w.secrets.Naming)
	namesOf := func(protocol.MemberID) (*tree.Names, error) { return names, nil }
	w.browser = &Browser{names: namesOf, reader: tree.NewReader(tree.ReaderOptions{
		Index: w.index, Source: w, Open: w.open, Names: namesOf, Workers: browseWorkers,
	})}
}

func (w *restoreWorld) open(h *seal.PackHeader) (*seal.Pack, error) {
	own, err := w.opens.Wrap(h.Epoch)
	if err != nil {
		return nil, err
	}
	run, err := seal.OpenRun(own, h)
	if err != nil {
		return nil, err
	}
	return seal.OpenPack(run, h)
}

// Blocks implements tree.Source.
func (w *restoreWorld) Blocks(_ context.Context, reads []tree.Read, visit func(i int, b []byte) error) error {
	for i, r := range reads {
		b, err := w.block(r)
		if err != nil {
			return err
		}
		if err := visit(i, b); err != nil {
			return err
		}
	}
	return nil
}

func (w *restoreWorld) block(r tree.Read) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.before != nil {
		if err := w.before(r); err != nil {
			return nil, err
		}
	}
	pack, found := w.stored[r.Pack]
	if !found {
		return nil, protocol.Errorf(protocol.KindNotFound, "no pack %s", r.Pack)
	}
	size := int64(len(pack))
	return bytes.Clone(pack[min(size, r.Offset):min(size, r.Offset+r.Length)]), nil
}

// backup makes a snapshot of a folder.
func (w *restoreWorld) backup(dir string) {
	w.t.Helper()
	w.handmake(func(h *handmade) protocol.Hash {
		folder, err := files.OpenFolder(dir)
		check(w.t, err)
		defer folder.Close()
		root := h.stored(folder)
		names := strings.Split(strings.Trim(dir, "/"), "/")
		for i := len(names) - 1; i >= 0; i-- {
			root = h.folder(tree.Entry{Name: []byte(names[i]), Type: tree.TypeFolder, Mode: 0o755, Folder: root})
		}
		return root
	})
	w.source = dir
}

// stored stores a folder of the file system, in the plainest way.
func (h *handmade) stored(folder *files.Folder) protocol.Hash {
	t := h.w.t
	t.Helper()
	items, problems, err := folder.List()
	check(t, err)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	put := func(kind tree.Kind, plaintext []byte) (protocol.Hash, error) { return h.store(kind, plaintext), nil }
	node := tree.NewFolderWriter(tree.NewCutter(h.w.secrets.Chunking), put)
	for i := range items {
		check(t, node.Add(h.entry(folder, &items[i], put)))
	}
	root, err := node.Finish()
	check(t, err)
	return root
}

func (h *handmade) entry(folder *files.Folder, item *files.Item, put tree.Store) *tree.Entry {
	t := h.w.t
	t.Helper()
	if item.Type == tree.TypeFile {
		return h.content(folder, item, put)
	}
	e, problems := folder.Describe(item, nil)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	if item.Type == tree.TypeFolder {
		child, err := folder.Child(item.Name)
		check(t, err)
		defer child.Close()
		e.Folder = h.stored(child)
	}
	return e
}

func (h *handmade) content(folder *files.Folder, item *files.Item, put tree.Store) *tree.Entry {
	t := h.w.t
	t.Helper()
	file, err := folder.Open(item.Name)
	check(t, err)
	defer file.Close()
	e, problems := file.Describe(nil)
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	chunker, content := h.chunker, tree.NewContentWriter(put)
	chunker.Reset(&dataReader{file: file, holes: e.Holes})
	for {
		chunk, err := chunker.Next()
		if err == io.EOF {
			break
		}
		check(t, err)
		check(t, content.Add(h.store(tree.KindFile, chunk), len(chunk)))
	}
	e.Content, err = content.Finish()
	check(t, err)
	return e
}

// restored is the outcome of a restore.
type restored struct {
	RestoreProgress
	problems []error
	items    []RestoredItem
	err      error
}

// restore restores the snapshot's folder into the target.
func (w *restoreWorld) restore(target string, change ...func(*RestoreOptions)) *restored {
	w.t.Helper()
	got := &restored{}
	o := RestoreOptions{
		Snapshot: w.shot, Path: []byte(w.source), Target: target, Overwrite: files.IfChanged,
		OnProblem: func(err error) { got.problems = append(got.problems, err) },
		OnItem:    func(it RestoredItem) { it.Path = bytes.Clone(it.Path); got.items = append(got.items, it) },
	}
	for _, c := range change {
		c(&o)
	}
	got.RestoreProgress, got.err = w.browser.NewRestore(o).Do(w.t.Context())
	return got
}

// mustRestore demands that everything is restored.
func (w *restoreWorld) mustRestore(target string, change ...func(*RestoreOptions)) *restored {
	w.t.Helper()
	got := w.restore(target, change...)
	if got.err != nil || got.Lost != 0 || got.Warnings != 0 {
		w.t.Fatalf("restore: %v, %d lost, %d warnings: %v", got.err, got.Lost, got.Warnings, got.problems)
	}
	return got
}

// wantSame demands that two trees are the same in everything.
func wantSame(t testing.TB, a, b string, ignore ...files.Property) {
	t.Helper()
	c, err := files.Compare(a, b, files.CompareOptions{IgnoreRoot: true, Ignore: ignore})
	check(t, err)
	if len(c.Differences) > 0 {
		t.Fatalf("%d differences, the first: %v", len(c.Differences), c.Differences[0])
	}
}

// newTarget returns the path of a folder that is not there yet.
func newTarget(t testing.TB) string { return filepath.Join(t.TempDir(), "target") }

// put writes a file below a folder, which is made.
func put(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, content, 0o644))
	return path
}

// noise returns bytes that do not shrink, the same for the same seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	c := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = c.Read(b)
	return b
}

// exists reports whether something stands at a path.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// namesIn returns the names in a folder.
func namesIn(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	check(t, err)
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// handmade stores chunks that no backup would make.
type handmade struct {
	w       *restoreWorld
	packer  *tree.Packer
	names   *tree.Names
	chunker *tree.Chunker
}

func (w *restoreWorld) handmake(make func(h *handmade) protocol.Hash) {
	w.t.Helper()
	h := &handmade{w: w, names: tree.NewNames(w.secrets.Naming), chunker: tree.NewChunker(w.secrets.Chunking)}
	h.packer = tree.NewPacker(w.t.Context(), tree.PackerOptions{Run: w.run, Secrets: w.secrets, Sink: w.sink})
	defer h.packer.Close()
	root := make(h)
	check(w.t, h.packer.Flush(w.t.Context()))
	w.source, w.shot = "", &Snapshot{RunDetails: RunDetails{Root: root}}
	w.fresh()
}

func (h *handmade) store(kind tree.Kind, plaintext []byte) protocol.Hash {
	h.w.t.Helper()
	name := h.names.Name(kind, plaintext)
	if h.packer.Has(name) {
		return name
	}
	check(h.w.t, h.packer.Add(h.w.t.Context(), kind, name, plaintext))
	return name
}

// handNode is a folder's node as it is encoded, unchecked.
type handNode struct {
	Version uint8        `cbor:"1,keyasint"`
	Entries []tree.Entry `cbor:"3,keyasint,omitempty"`
}

// folder stores a node with the entries as they are.
func (h *handmade) folder(entries ...tree.Entry) protocol.Hash {
	return h.store(tree.KindNode, canonical.MustMarshal(&handNode{Version: 1, Entries: entries}))
}

// file returns an entry of a file with the content.
func (h *handmade) file(name, content string) tree.Entry {
	piece := tree.Piece{Name: h.store(tree.KindFile, []byte(content)), Length: uint64(len(content))}
	return tree.Entry{
		Name: []byte(name), Type: tree.TypeFile, Mode: 0o644, Size: piece.Length, Content: tree.Content{Pieces: []tree.Piece{piece}},
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
	}
}

// dir returns an entry of a folder.
func (h *handmade) dir(name string, entries ...tree.Entry) tree.Entry {
	return tree.Entry{
		Name: []byte(name), Type: tree.TypeFolder, Mode: 0o755, Folder: h.folder(entries...),
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid()),
	}
}
