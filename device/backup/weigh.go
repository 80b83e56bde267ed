// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// weighPacks makes the index say what the two chains say of packs now: what is
// retired, or was stored by a device that is removed since, is not relied on by
// anything new, and neither is what a check found broken; what was revived is
// again; what was dropped is unknown.
func (v *Vault) weighPacks() error {
	gone := make(map[protocol.PackID]bool, len(v.gone))
	for _, id := range v.gone {
		gone[id] = true
	}
	broken, err := v.brokenPacks()
	if err != nil {
		return err
	}
	var usable, unusable, removed []protocol.PackID
	for p, err := range v.index.Packs() {
		if err != nil {
			return err
		}
		_, retired := v.prunes.Retired()[p.ID]
		stands := !retired && !broken[p.ID] && v.present(p.Signer)
		switch {
		case gone[p.ID]:
			removed = append(removed, p.ID)
		case stands && !p.Usable:
			usable = append(usable, p.ID)
		case !stands && p.Usable:
			unusable = append(unusable, p.ID)
		}
	}
	return v.setPacks(usable, unusable, removed)
}

// setPacks changes what the index says of packs, durably.
func (v *Vault) setPacks(usable, unusable, removed []protocol.PackID) error {
	if v.frozen || len(usable)+len(unusable)+len(removed) == 0 {
		return nil
	}
	return errors.Join(
		v.index.SetUsable(usable, true), v.index.SetUsable(unusable, false), v.index.RemovePacks(removed), v.index.Flush())
}

// brokenPacks returns the packs that the last check found missing or damaged.
// They are listed in the index's folder, and so forgotten together with it.
func (v *Vault) brokenPacks() (map[protocol.PackID]bool, error) {
	path, err := v.brokenPath()
	if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read the cache")
	}
	broken := map[protocol.PackID]bool{}
	for ; len(list) >= len(protocol.PackID{}); list = list[len(protocol.PackID{}):] {
		broken[protocol.PackID(list[:len(protocol.PackID{})])] = true
	}
	return broken, nil
}

// setBroken replaces the list of broken packs.
func (v *Vault) setBroken(broken map[protocol.PackID]bool) error {
	path, err := v.brokenPath()
	if err != nil {
		return err
	}
	var list []byte
	for id := range broken {
		list = append(list, id[:]...)
	}
	if err := os.WriteFile(path+".new", list, 0o600); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write the cache")
	}
	return os.Rename(path+".new", path)
}

func (v *Vault) brokenPath() (string, error) {
	dir, err := v.kept.CachePath(state.CacheIndex)
	return filepath.Join(dir, "broken"), err
}

// present reports whether a member is in the account.
func (v *Vault) present(id protocol.MemberID) bool {
	m, err := v.ledger.Member(id)
	return err == nil && m.Present()
}

// weighOwnPacks is weighPacks for a writer, who cannot read the prune chain: where
// that has moved, it asks what became of the packs it stored. A provider that
// lies here can make it send again, or make a snapshot whose packs are retired,
// which the owners' prune sees and revives.
func (v *Vault) weighOwnPacks(ctx context.Context) error {
	dir, err := v.kept.CachePath(state.CacheIndex)
	if err != nil {
		return err
	}
	mark := filepath.Join(dir, "generation")
	if weighed, err := readNumber(mark); err != nil || weighed == v.step {
		return err
	}
	var ids []protocol.PackID
	for p, err := range v.index.Packs() {
		if err != nil {
			return err
		}
		ids = append(ids, p.ID)
	}
	states, err := v.remote.StatPacks(ctx, ids)
	if err != nil {
		return err
	}
	var usable, unusable, removed []protocol.PackID
	for i, id := range ids {
		switch states[i] {
		case api.PackStored:
			usable = append(usable, id)
		case api.PackRetired:
			unusable = append(unusable, id)
		default:
			removed = append(removed, id)
		}
	}
	if err := v.setPacks(usable, unusable, removed); err != nil {
		return err
	}
	return writeNumber(mark, v.step)
}

// readNumber returns the number in a file of the cache, 0 where there is none.
func readNumber(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) != 8 {
		return 0, nil
	}
	if err != nil {
		return 0, protocol.Wrap(protocol.KindInternal, err, "read the cache")
	}
	return binary.BigEndian.Uint64(b), nil
}

// writeNumber replaces the number in a file of the cache. A crash may lose the
// change, never make another number of it.
func writeNumber(path string, n uint64) error {
	next := path + ".new"
	if err := os.WriteFile(next, binary.BigEndian.AppendUint64(nil, n), 0o600); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "write the cache")
	}
	return os.Rename(next, path)
}
