// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"errors"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// worldFile is the world as it is written.
type worldFile struct {
	Hash  protocol.Hash `json:"hash"`
	World []byte        `json:"world"`
}

// World returns the world that this device joined. The error is KindNotFound
// before SetWorld.
func (s *State) World() (*directory.World, error) {
	var f worldFile
	if err := readDocument(s.path(nameWorld), "world", &f); err != nil {
		return nil, err
	}
	w, err := directory.ParseWorld(f.World)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), errDamaged(s.path(nameWorld), err), "the world that this device joined")
	}
	if w.Hash() != f.Hash {
		return nil, errDamaged(s.path(nameWorld), errors.New("it is another world than its hash says"))
	}
	return w, nil
}

// SetWorld remembers the world that this device joins. It never changes
// afterwards: another one is KindExists.
func (s *State) SetWorld(w *directory.World) error {
	return s.update(func() error {
		old, err := s.World()
		switch {
		case err == nil && old.Hash() == w.Hash():
			return nil
		case err == nil:
			return protocol.Errorf(protocol.KindExists, "this device goes by another log or other witnesses already; nothing was changed")
		case protocol.KindOf(err) != protocol.KindNotFound:
			return err
		}
		return s.writeWorld(w)
	})
}

// ChangeWorld puts other witnesses in the place of those that this device joined
// with. Log and keys stay. It is for an act of the user at this device, never for
// anything that a server says.
func (s *State) ChangeWorld(w *directory.World) error {
	return s.update(func() error {
		old, err := s.World()
		if err != nil {
			return err
		}
		if old.Log().String() != w.Log().String() || old.VRF() != w.VRF() || old.Statements() != w.Statements() {
			return protocol.Errorf(protocol.KindUsage, "that is another log, not the same one with other witnesses: join it as a new device; nothing was changed")
		}
		return s.writeWorld(w)
	})
}

func (s *State) writeWorld(w *directory.World) error {
	return writeDocument(s.path(nameWorld), "world", worldFile{Hash: w.Hash(), World: w.Bytes()})
}

// viewFile is the view as it is written; the size is for people.
type viewFile struct {
	Size uint64 `json:"size"`
	View []byte `json:"view"`
}

// View returns the newest checkpoint of the log that this device verified, nil
// before the first.
func (s *State) View() (*directory.View, error) {
	w, err := s.World()
	if err != nil {
		return nil, err
	}
	return s.view(w)
}

func (s *State) view(w *directory.World) (*directory.View, error) {
	var f viewFile
	err := readDocument(s.path(nameView), "view", &f)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := w.ParseView(f.View)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), errDamaged(s.path(nameView), err), "the newest checkpoint that this device saw")
	}
	return v, nil
}

// AdvanceView puts a view that was advanced from old in its place, durably before
// it returns. Where another process has moved the view meanwhile the error is
// KindConflict, and nothing changes: look again from there.
func (s *State) AdvanceView(old, to *directory.View) error {
	return s.update(func() error {
		w, err := s.World()
		if err != nil {
			return err
		}
		kept, err := s.view(w)
		if err != nil {
			return err
		}
		if !sameView(kept, old) {
			return protocol.Errorf(protocol.KindConflict, "another solekey on this device has looked at the log meanwhile; try again")
		}
		if sameView(kept, to) {
			return nil
		}
		if kept != nil && (to.Size() < kept.Size() || to.Size() == kept.Size() && to.Checkpoint() != kept.Checkpoint()) {
			return protocol.Errorf(protocol.KindUntrusted, "the view of the log does not go back from %d to %d", kept.Size(), to.Size())
		}
		return writeDocument(s.path(nameView), "view", viewFile{Size: to.Size(), View: to.Bytes()})
	})
}

func sameView(a, b *directory.View) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.Bytes(), b.Bytes())
}
