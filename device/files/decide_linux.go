// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"bytes"

	"github.com/solekey/solekey/device/tree"
)

// Decide says what is to be done about an entry that is no folder, given what
// stands in its place and the policy.
func (t *Target) Decide(e *tree.Entry) (Decision, error) {
	if err := t.refuse(e); err != nil {
		return 0, err
	}
	item, err := t.folder.Lookup(e.Name)
	if CauseOf(err) == Vanished {
		return Write, nil
	}
	if err != nil {
		return 0, err
	}
	if t.keeps(e, &item.Stat) {
		return Keep, nil
	}
	if item.Type != e.Type || item.Links > 1 && !t.sameGroup(e, &item) {
		return Write, nil
	}
	return t.decideContent(e, &item)
}

// sameGroup reports whether a file with several names may stay as it is. It is
// never changed in place, since some of its names may not be ours to change.
func (t *Target) sameGroup(e *tree.Entry, item *Item) bool {
	return e.Links != nil && t.sameProperties(e, item)
}

func (t *Target) decideContent(e *tree.Entry, item *Item) (Decision, error) {
	switch e.Type {
	case tree.TypeFile:
		if item.Size != e.Size {
			return Write, nil
		}
		if t.r.options.Overwrite == IfChanged && item.Modified == e.Modified {
			return Adjust, nil
		}
		return Look, nil
	case tree.TypeLink:
		now, problems := t.folder.Describe(item, nil)
		if len(problems) > 0 || !bytes.Equal(now.Target, e.Target) {
			return Write, nil
		}
	case tree.TypeCharDev, tree.TypeBlkDev:
		if item.Node != e.Device {
			return Write, nil
		}
	}
	return Adjust, nil
}

// Adjust sets the properties of what stands there and whose content is right.
// What has them already is not touched.
func (t *Target) Adjust(e *tree.Entry) []*Problem {
	item, err := t.folder.Lookup(e.Name)
	if err != nil {
		return []*Problem{t.folder.problem(ActStat, e.Name, err)}
	}
	t.r.remember(t, e, &item.Stat)
	if t.sameProperties(e, &item) {
		return nil
	}
	dir, err := t.folder.pin()
	if err != nil {
		return []*Problem{t.folder.problem(ActStat, nil, err)}
	}
	defer t.folder.unpin()
	path := func() []byte { return t.folder.pathOf(e.Name) }
	return t.r.apply(&subject{fd: -1, dir: dir, name: string(e.Name), now: item.Stat, entry: e, path: path})
}

// sameProperties compares all but content and holes.
func (t *Target) sameProperties(e *tree.Entry, item *Item) bool {
	now, problems := t.folder.Describe(item, nil)
	return len(problems) == 0 && t.same(e, now)
}

// same compares what stands there with the entry as it would be restored here.
func (t *Target) same(e, now *tree.Entry) bool {
	wanted := *e
	wanted.UID, wanted.GID = t.r.owner(e)
	for _, what := range differingProperties(&wanted, now) {
		if what != PropertyHoles {
			return false
		}
	}
	return true
}

// Same reports whether what stands there is the entry already: its properties,
// and for a file its content by the caller's comparison.
func (t *Target) Same(e *tree.Entry, content func(*File) (bool, error)) (bool, error) {
	item, err := t.folder.Lookup(e.Name)
	if CauseOf(err) == Vanished {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !t.sameProperties(e, &item) || e.Type != tree.TypeFile {
		return e.Type != tree.TypeFile && t.sameProperties(e, &item), nil
	}
	file, err := t.folder.Open(e.Name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	return content(file)
}
