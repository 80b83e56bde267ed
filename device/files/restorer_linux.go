// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/solekey/solekey/device/tree"
)

// Restorer writes entries below one folder of a real file system and never
// outside of it. What was there is replaced only by complete entries: whatever
// the moment a restore is killed at, it leaves complete entries, unfinished
// folders and temporary names, which the next restore of that folder removes.
// It may be used concurrently.
type Restorer struct {
	options RestoreOptions
	root    *Folder
	user    uint32
	run     string // in the temporary names of this restore

	mu    sync.Mutex // guards links
	links map[tree.LinkGroup]linked
}

// linked is where the first name of a group of hard links stands.
type linked struct {
	folder        *Folder
	name          string
	device, inode uint64
}

// NewRestorer opens the folder at a path of the user's, which is made if it is
// missing. Who opened it closes it.
func NewRestorer(path string, options RestoreOptions) (*Restorer, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, &Problem{ActCreate, portableCause(err), []byte(path), err}
	}
	root, err := OpenFolder(path)
	if err != nil {
		return nil, err
	}
	r := &Restorer{
		options: options, root: root, user: uint32(os.Geteuid()), run: randomDigits(),
		links: map[tree.LinkGroup]linked{},
	}
	r.Root().clean()
	return r, nil
}

// Root returns the folder that everything is restored into.
func (r *Restorer) Root() *Target { return &Target{r: r, folder: r.root, was: r.root.Stat()} }

// Sync returns when everything written so far is durable.
func (r *Restorer) Sync() error {
	fd, err := r.root.pin()
	if err != nil {
		return r.root.problem(ActWrite, nil, err)
	}
	defer r.root.unpin()
	if err := unix.Syncfs(fd); err != nil {
		return r.root.problem(ActWrite, nil, err)
	}
	return nil
}

// Close ends the restore; no target of it may be used any more.
func (r *Restorer) Close() error { return r.root.Close() }

// Target is a folder that is being restored into. Its methods may be called
// concurrently; Finish and Close come last.
type Target struct {
	r      *Restorer
	folder *Folder
	was    Stat // before anything was restored into it
	fresh  bool // this restore made it
}

// Path returns the folder's path.
func (t *Target) Path() []byte { return t.folder.Path() }

// Existing returns the folder as it is, to read what stands in it.
func (t *Target) Existing() *Folder { return t.folder }

// Close lets go of the folder.
func (t *Target) Close() error {
	if t.folder == t.r.root {
		return nil
	}
	return t.folder.Close()
}

// refuse holds the entry's name to what may be written.
func (t *Target) refuse(e *tree.Entry) error {
	if !ValidName(e.Name) {
		return &Problem{ActCreate, Refused, t.folder.pathOf(e.Name), nil}
	}
	return nil
}

// Folder makes or enters the folder of that entry. A file or a symlink that
// stands in its place is replaced, or in the way if the policy is Never; it is
// never followed. The folder's properties are set by Finish.
func (t *Target) Folder(e *tree.Entry) (*Target, error) {
	if err := t.refuse(e); err != nil {
		return nil, err
	}
	dir, err := t.folder.pin()
	if err != nil {
		return nil, t.folder.problem(ActCreate, nil, err)
	}
	defer t.folder.unpin()
	name := string(e.Name)
	var was *Stat
	err = makeFolder(dir, name)
	if err == unix.EEXIST {
		was, err = t.enter(dir, name)
	}
	if err != nil {
		return nil, t.folder.problem(ActCreate, e.Name, err)
	}
	folder, err := t.folder.Child(e.Name)
	if err != nil {
		return nil, err
	}
	if was == nil {
		return &Target{r: t.r, folder: folder, fresh: true}, nil
	}
	child := &Target{r: t.r, folder: folder, was: *was}
	child.clean()
	return child, nil
}

func makeFolder(dir int, name string) error {
	return again(func() error { return unix.Mkdirat(dir, name, 0o700) })
}

// enter prepares what stands at a folder's place and returns the folder that
// was there, if it was one.
func (t *Target) enter(dir int, name string) (was *Stat, err error) {
	stat, err := statNamed(dir, name)
	if err != nil {
		return nil, err
	}
	if stat.Type == tree.TypeFolder {
		return &stat, t.r.unlock(dir, name, &stat)
	}
	if t.r.options.Overwrite == Never {
		return nil, unix.EEXIST
	}
	if err := unix.Unlinkat(dir, name, 0); err != nil {
		return nil, err
	}
	return nil, makeFolder(dir, name)
}

// unlock gives the owner of a folder the right to work in it, for as long as
// the restore does.
func (r *Restorer) unlock(dir int, name string, stat *Stat) error {
	if r.user == 0 || stat.UID != r.user || stat.Mode&0o700 == 0o700 {
		return nil
	}
	return chmodNamed(dir, name, stat.Mode|0o700)
}

// Finish sets the properties of the folder, after its content and its child
// folders are finished. A folder that was there before keeps its own where the
// policy says so.
func (t *Target) Finish(e *tree.Entry) []*Problem {
	fd, err := t.folder.pin()
	if err != nil {
		return []*Problem{t.folder.problem(ActSetMode, nil, err)}
	}
	defer t.folder.unpin()
	now, err := statOf(fd)
	if err != nil {
		return []*Problem{t.folder.problem(ActStat, nil, err)}
	}
	s := &subject{fd: fd, now: now, entry: e, path: t.folder.Path}
	if t.fresh || !t.keeps(e, &t.was) {
		return t.r.apply(s)
	}
	if now.Mode != t.was.Mode {
		s.warn(ActSetMode, s.chmod(t.was.Mode))
	}
	return s.problems
}

// keeps reports whether the policy leaves what stands there as it is.
func (t *Target) keeps(e *tree.Entry, stat *Stat) bool {
	switch t.r.options.Overwrite {
	case Never:
		return true
	case IfNewer:
		return stat.Modified >= e.Modified
	}
	return false
}
