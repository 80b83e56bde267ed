// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol/canonical"
)

// assemble completes folders in the order in which the walk left them, children
// before parents, until there are no more. After an error it goes on only to
// let go of what was opened.
func (s *scan) assemble() {
	for of := range s.folders {
		for i := range of.slots {
			if job := of.slots[i].job; job != nil {
				<-job.done
			}
		}
		if s.failed() == nil {
			if err := s.complete(of); err != nil {
				s.fail(err)
			}
		}
		of.folder.Close()
		of.slots, of.prev = nil, nil
	}
}

// complete writes a folder's node, or takes the last run's where nothing in the
// folder changed, and remembers it for the next run.
func (s *scan) complete(of *openFolder) error {
	if s.trusted && of.unchanged() {
		of.node, of.same = of.prev.node, true
		for i := range of.slots {
			if child := of.slots[i].child; child != nil {
				of.prev.items[i].child = child.at
			}
		}
		of.at = s.next.folder(of.prev)
		return nil
	}
	return s.write(of)
}

// unchanged reports whether every entry is the last run's, and none is gone.
func (of *openFolder) unchanged() bool {
	if of.prev == nil || len(of.slots) != len(of.prev.items) {
		return false
	}
	for i := range of.slots {
		sl := &of.slots[i]
		if sl.known == nil || sl.child != nil && !sl.child.same {
			return false
		}
	}
	return true
}

// write writes a folder's node from its entries.
func (s *scan) write(of *openFolder) error {
	node := tree.NewFolderWriter(s.cutter, s.store)
	record := &lastFolder{items: make([]lastItem, 0, len(of.slots))}
	for i := range of.slots {
		sl := &of.slots[i]
		entry := sl.take()
		if entry == nil {
			if sl.job == nil {
				s.report.unstorable(of.folder, sl.name, errForgotten)
			}
			continue
		}
		if err := entry.Check(); err != nil {
			s.report.unstorable(of.folder, entry.Name, err)
			continue
		}
		if err := node.Add(entry); err != nil {
			return err
		}
		item := lastItem{name: sl.name, unsure: sl.unsure, identity: sl.identity, entry: canonical.MustMarshal(entry)}
		if sl.child != nil {
			item.child = sl.child.at
		}
		record.items = append(record.items, item)
	}
	var err error
	if of.node, err = node.Finish(); err != nil {
		return err
	}
	record.node = of.node
	of.at = s.next.folder(record)
	return nil
}

// errForgotten is said of an entry that was taken from the last run, and whose
// description there is damaged.
var errForgotten = errors.New("what was remembered of it is damaged; a run with --force reads it again")

// take returns the slot's entry, complete, or nil where it could not be read.
func (sl *slot) take() *tree.Entry {
	entry := sl.entry
	switch {
	case sl.job != nil:
		entry = sl.job.entry
	case entry == nil && sl.known != nil:
		entry = decodeEntry(sl.known.entry)
	}
	if entry != nil && sl.child != nil {
		entry.Folder = sl.child.node
	}
	return entry
}
