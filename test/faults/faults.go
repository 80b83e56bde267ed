// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package faults is a file system that fails on demand, for tests of whoever
// promises durability: NewDisk returns one that a disk.Store can be opened on.
//
// It works on a real folder and remembers what was flushed. Break arms one
// fault at one step; PowerCut takes everything away that was not flushed, as
// the worst disk that keeps its promises would.
package faults

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/solekey/solekey/storage/disk"
)

// ErrFault is the error of a step that was made to fail.
var ErrFault = errors.New("fault: the step was made to fail")

// Mode says how a step fails.
type Mode int

const (
	// Fail lets one step fail; those after it work.
	Fail Mode = iota
	// Stop lets a step and every later one fail, as if the process died there.
	Stop
	// Torn is Stop, but a write is half done before.
	Torn
	// Full lets every step from there on fail that needs space.
	Full
)

// Modes returns every mode.
func Modes() []Mode { return []Mode{Fail, Stop, Torn, Full} }

// String names the mode.
func (m Mode) String() string { return [...]string{"fail", "stop", "torn", "full"}[m] }

// node is a file or, with entries, a folder; synced is what a power cut leaves.
type node struct {
	dir    bool
	live   []byte
	synced []byte
	names  map[string]*node // entries as they are
	kept   map[string]*node // entries as they were flushed
}

func newDir() *node { return &node{dir: true, names: map[string]*node{}, kept: map[string]*node{}} }

// Disk is a disk.FS over the real folder Root, safe for concurrent use.
type Disk struct {
	Root string

	mu    sync.Mutex // guards what follows
	top   *node
	steps int
	at    int // the step that fails, from 1; 0: none
	mode  Mode
	hit   bool
}

var _ disk.FS = (*Disk)(nil)

// NewDisk returns a file system over the folder root; what is in it counts as
// flushed.
func NewDisk(root string) (*Disk, error) {
	top, err := read(root)
	if err != nil {
		return nil, err
	}
	return &Disk{Root: root, top: top}, nil
}

func read(path string) (*node, error) {
	n := newDir()
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		child := &node{}
		if entry.IsDir() {
			child, err = read(filepath.Join(path, entry.Name()))
		} else {
			child.live, err = os.ReadFile(filepath.Join(path, entry.Name()))
			child.synced = child.live
		}
		if err != nil {
			return nil, err
		}
		n.names[entry.Name()], n.kept[entry.Name()] = child, child
	}
	return n, nil
}

// Break arms a fault at the n-th step from now, from 1; 0 disarms. Steps are
// Mkdir, Create, Write, Sync, Close, Rename, Remove and SyncDir.
func (d *Disk) Break(n int, mode Mode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps, d.at, d.mode, d.hit = 0, n, mode, false
}

// Hit reports whether the armed fault was reached.
func (d *Disk) Hit() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

// Steps returns the number of steps since Break.
func (d *Disk) Steps() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.steps
}

// PowerCut disarms the fault and puts the folder into the state that was
// flushed. Whoever works on it must have stopped.
func (d *Disk) PowerCut() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = 0
	if err := empty(d.Root); err != nil {
		return err
	}
	return d.top.restore(d.Root)
}

func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// restore writes the flushed state of a folder, which becomes its present one.
func (n *node) restore(path string) error {
	n.names = map[string]*node{}
	for name, child := range n.kept {
		n.names[name] = child
		at := filepath.Join(path, name)
		if child.dir {
			if err := os.Mkdir(at, 0o700); err != nil {
				return err
			}
			if err := child.restore(at); err != nil {
				return err
			}
			continue
		}
		child.live = child.synced
		if err := os.WriteFile(at, child.synced, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// step counts a step and returns the error it is to fail with. Callers hold mu.
func (d *Disk) step(needsSpace bool) error {
	d.steps++
	if d.at == 0 || d.steps < d.at {
		return nil
	}
	switch {
	case d.mode == Full && needsSpace:
		d.hit = true
		return syscall.ENOSPC
	case d.mode == Full, d.mode == Fail && d.steps > d.at:
		return nil
	}
	d.hit = true
	return ErrFault
}

// find returns the folder that holds path and the last part of its name.
func (d *Disk) find(path string) (*node, string, bool) {
	rel, err := filepath.Rel(d.Root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, "", false
	}
	n := d.top
	parts := splitPath(rel)
	for _, part := range parts[:len(parts)-1] {
		if n = n.names[part]; n == nil {
			return nil, "", false
		}
	}
	return n, parts[len(parts)-1], true
}

func splitPath(rel string) []string {
	dir, last := filepath.Split(rel)
	if dir == "" {
		return []string{last}
	}
	return append(splitPath(filepath.Clean(dir)), last)
}

// folder returns the node of a folder; the root is one.
func (d *Disk) folder(path string) *node {
	if filepath.Clean(path) == filepath.Clean(d.Root) {
		return d.top
	}
	parent, name, ok := d.find(path)
	if !ok {
		return nil
	}
	return parent.names[name]
}

// Mkdir makes a folder.
func (d *Disk) Mkdir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return err
	}
	if err := (disk.OS{}).Mkdir(path); err != nil {
		return err
	}
	if parent, name, ok := d.find(path); ok {
		parent.names[name] = newDir()
	}
	return nil
}

// Create makes a file.
func (d *Disk) Create(path string) (disk.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(true); err != nil {
		return nil, err
	}
	f, err := disk.OS{}.Create(path)
	if err != nil {
		return nil, err
	}
	n := &node{}
	if parent, name, ok := d.find(path); ok {
		parent.names[name] = n
	}
	return &file{disk: d, node: n, real: f}, nil
}

// Rename moves a file.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	source, old, ok := d.find(from)
	target, name, ok2 := d.find(to)
	if ok && ok2 {
		target.names[name] = source.names[old]
		delete(source.names, old)
	}
	return nil
}

// Remove removes a file.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	if parent, name, ok := d.find(path); ok {
		delete(parent.names, name)
	}
	return nil
}

// SyncDir remembers the entries of a folder.
func (d *Disk) SyncDir(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(false); err != nil {
		return err
	}
	n := d.folder(path)
	if n == nil {
		return (disk.OS{}).SyncDir(path)
	}
	n.kept = map[string]*node{}
	for name, child := range n.names {
		n.kept[name] = child
	}
	return nil
}

// file is a file being written.
type file struct {
	disk *Disk
	node *node
	real disk.File
}

func (f *file) Write(data []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(true); err != nil {
		if f.disk.mode == Torn || f.disk.mode == Full {
			n, _ := f.real.Write(data[:len(data)/2])
			f.node.live = append(f.node.live, data[:n]...)
			return n, err
		}
		return 0, err
	}
	n, err := f.real.Write(data)
	f.node.live = append(f.node.live, data[:n]...)
	return n, err
}

func (f *file) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if err := f.disk.step(false); err != nil {
		return err
	}
	f.node.synced = bytes.Clone(f.node.live)
	return nil
}

// Close closes the file also where the step fails, so that tests leak none.
func (f *file) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	err := f.disk.step(false)
	if closed := f.real.Close(); err == nil {
		err = closed
	}
	return err
}

// IsFault reports whether err comes from a fault that was made.
func IsFault(err error) bool {
	return errors.Is(err, ErrFault) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, fs.ErrClosed)
}
