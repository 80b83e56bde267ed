// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
)

// openIndex opens the local index, an empty one where it was lost or damaged.
func (v *Vault) openIndex() error {
	dir, err := v.kept.CachePath(state.CacheIndex)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "make the local index")
	}
	v.index, err = tree.OpenIndex(dir)
	if errors.Is(err, tree.ErrIndexDamaged) {
		v.o.Warn(protocol.Errorf(protocol.KindUntrusted, "the local index is damaged; it is built anew"))
		if err := v.resetIndex(dir); err != nil {
			return err
		}
		v.index, err = tree.OpenIndex(dir)
	}
	if v.o.Beside && protocol.KindOf(err) == protocol.KindBusy {
		v.index, err = tree.ReadIndex(dir)
		v.frozen = true
	}
	return err
}

// resetIndex empties the local index, which must be closed.
func (v *Vault) resetIndex(dir string) error {
	for _, path := range []string{cursorPath(dir), filepath.Join(dir, "broken")} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return tree.RemoveIndex(dir)
}

// rebuildIndex makes the local index anew from the indexes inside the packs. A
// writer, who cannot read these, begins with nothing and sends again.
func (v *Vault) rebuildIndex(ctx context.Context) error {
	dir, err := v.kept.CachePath(state.CacheIndex)
	if err != nil {
		return err
	}
	if err := v.index.Close(); err != nil {
		v.o.Warn(err) // it may be as damaged as this assumes
	}
	v.index = nil
	if err := v.resetIndex(dir); err != nil {
		return err
	}
	if err := v.openIndex(); err != nil {
		return err
	}
	return v.sync(ctx)
}

// The cursor says up to which receipt the packs are in the index. It lies in the
// index's folder, so that it is lost together with the index.
func cursorPath(dir string) string { return filepath.Join(dir, "received") }

func readCursor(dir string) uint64 {
	b, err := os.ReadFile(cursorPath(dir))
	if err != nil || len(b) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

// receivedCursor returns the newest receipt that the index has seen.
func (v *Vault) receivedCursor() (uint64, error) {
	dir, err := v.kept.CachePath(state.CacheIndex)
	if err != nil {
		return 0, err
	}
	return readCursor(dir), nil
}

func writeCursor(dir string, cursor uint64) error {
	next := cursorPath(dir) + ".new"
	if err := os.WriteFile(next, binary.BigEndian.AppendUint64(nil, cursor), 0o600); err != nil {
		return err
	}
	return os.Rename(next, cursorPath(dir))
}

// packsAtOnce is how many packs' indexes are fetched with one request.
const packsAtOnce = 64

// receipt is a pack of the provider's listing that the index does not know.
type receipt struct {
	statement *snapshot.PackStatement
	cursor    uint64
	usable    bool
}

// syncPacks takes the packs that are new into the index, each by its own sealed
// index. A pack that does not hold is left out and said, and the cursor stays
// before it: the provider may have lied just now, and the next run asks again.
func (v *Vault) syncPacks(ctx context.Context) error {
	if v.frozen {
		return nil
	}
	dir, err := v.kept.CachePath(state.CacheIndex)
	if err != nil {
		return err
	}
	before := readCursor(dir)
	cursor := before
	v.leftOut = math.MaxUint64
	var fresh []receipt
	err = v.remote.ListPacks(ctx, before, func(rec api.PackRecord, st *snapshot.PackStatement) error {
		cursor = max(cursor, rec.Cursor)
		r, err := v.receive(&rec, st)
		if err != nil || r == nil {
			return err
		}
		if fresh = append(fresh, *r); len(fresh) < packsAtOnce {
			return nil
		}
		err = v.learn(ctx, fresh)
		fresh = fresh[:0]
		return err
	})
	if err == nil {
		err = v.learn(ctx, fresh)
	}
	if err != nil || cursor == before {
		return err
	}
	if err := v.index.Flush(); err != nil {
		return err
	}
	return writeCursor(dir, min(cursor, v.leftOut-1))
}

// leave warns of a pack that is left out for now.
func (v *Vault) leave(cursor uint64, why error) {
	v.leftOut = min(v.leftOut, cursor)
	v.o.Warn(why)
}

// receive verifies one line of the listing; nil says that there is nothing to
// learn from it.
func (v *Vault) receive(rec *api.PackRecord, st *snapshot.PackStatement) (*receipt, error) {
	origin, err := st.Verify(v.ledger)
	if err != nil {
		v.leave(rec.Cursor, protocol.Wrap(protocol.KindUntrusted, err, "the server lists a pack that nobody in this account signed for; it is not used"))
		return nil, nil
	}
	_, known, err := v.index.Pack(st.Pack)
	if known || err != nil {
		return nil, err
	}
	return &receipt{statement: st, cursor: rec.Cursor, usable: origin == snapshot.OriginPresent}, nil
}

// learn fetches the indexes of packs and adds them.
func (v *Vault) learn(ctx context.Context, packs []receipt) error {
	if len(packs) == 0 {
		return nil
	}
	var reads []client.Read
	for _, p := range packs {
		reads = append(reads, headAndTail(p.statement)...)
	}
	parts := make([][]byte, len(reads))
	err := v.fetch(ctx, reads, func(i int, b []byte) error {
		parts[i] = append([]byte(nil), b...)
		return nil
	})
	if protocol.KindOf(err) == protocol.KindNotFound {
		return v.learnEach(ctx, packs)
	}
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "learn what new packs hold")
	}
	for i := range packs {
		if err := v.learnOne(ctx, &packs[i], parts[2*i], parts[2*i+1]); err != nil {
			return err
		}
	}
	return nil
}

// learnEach is learn, one by one, because one of them is not there: it was
// dropped since it was listed, or the provider lost it, which a check tells.
func (v *Vault) learnEach(ctx context.Context, packs []receipt) error {
	if len(packs) == 1 {
		v.leave(packs[0].cursor, protocol.Errorf(protocol.KindNotFound, "the server lists pack %s and does not have it", packs[0].statement.Pack))
		return nil
	}
	for i := range packs {
		if err := v.learn(ctx, packs[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// headAndTail returns the reads of a pack's first and last block.
func headAndTail(st *snapshot.PackStatement) []client.Read {
	last := (int64(st.Size) - 1) / seal.BlockSize * seal.BlockSize
	return []client.Read{
		{Pack: st.Pack, Offset: 0, Length: seal.BlockSize, Size: int64(st.Size)},
		{Pack: st.Pack, Offset: last, Length: seal.BlockSize, Size: int64(st.Size)},
	}
}

// learnOne opens a pack's index, of which the tail may hold the end only. A pack
// that does not open is left out and said: what it would have held is missing,
// and a check tells which snapshot misses it.
func (v *Vault) learnOne(ctx context.Context, p *receipt, head, tail []byte) error {
	index, err := v.openPackIndex(ctx, p.statement, head, tail)
	if protocol.KindOf(err) == protocol.KindUntrusted {
		v.leave(p.cursor, protocol.Wrap(protocol.KindUntrusted, err, "pack %s is damaged", p.statement.Pack))
		return nil
	}
	if err != nil {
		return err
	}
	if !v.namerFits(p.statement.Device, index.Namer) {
		v.o.Warn(protocol.Errorf(protocol.KindUntrusted, "pack %s claims content that its device may not name; it is not used", p.statement.Pack))
		return nil
	}
	info := tree.PackInfo{
		ID: p.statement.Pack, Signer: p.statement.Device, Cursor: p.cursor,
		Size: int64(p.statement.Size), Usable: p.usable,
	}
	return v.index.AddPack(info, index)
}

// namerFits demands that a writer's packs hold what is named by its own secret:
// an owner never deduplicates against what a writer says it stored.
func (v *Vault) namerFits(signer, namer protocol.MemberID) bool {
	m, err := v.ledger.Member(signer)
	if err != nil {
		return false
	}
	return m.Kind == ledger.KindDevice && (m.Role == protocol.RoleOwner || namer == signer)
}

// openPackIndex opens the sealed index at the end of a pack.
func (v *Vault) openPackIndex(ctx context.Context, st *snapshot.PackStatement, head, tail []byte) (*tree.PackIndex, error) {
	h, err := seal.ParsePackHeader(head)
	if protocol.KindOf(err) == protocol.KindUnsupported {
		// Nothing vouches for this byte yet: one that was changed must not keep all other packs from being read.
		return nil, protocol.Errorf(protocol.KindUntrusted, "%v, or a newer program made it: then update", err)
	}
	if err != nil {
		return nil, err
	}
	if h.Epoch != st.Epoch || h.Run != st.Run {
		return nil, protocol.Errorf(protocol.KindUntrusted, "its header is not what its device signed for")
	}
	pack, err := v.openPack(h)
	if err != nil {
		return nil, err
	}
	length := pack.Lead().IndexLength
	if length > int(st.Size) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "its index is longer than the pack")
	}
	if length > len(tail) {
		if tail, err = v.fetchTail(ctx, st, length); err != nil {
			return nil, err
		}
	}
	if length > len(tail) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the server sent less of it than it has")
	}
	plain, err := pack.OpenIndex(tail[len(tail)-length:])
	if err != nil {
		return nil, err
	}
	return tree.ParsePackIndex(plain)
}

// fetchTail fetches the last bytes of a pack, in whole blocks.
func (v *Vault) fetchTail(ctx context.Context, st *snapshot.PackStatement, length int) ([]byte, error) {
	from := (int64(st.Size) - int64(length)) / seal.BlockSize * seal.BlockSize
	blocks := (int64(st.Size) - from + seal.BlockSize - 1) / seal.BlockSize
	var tail []byte
	read := []client.Read{{Pack: st.Pack, Offset: from, Length: blocks * seal.BlockSize, Size: int64(st.Size)}}
	err := v.fetch(ctx, read, func(_ int, b []byte) error {
		tail = append([]byte(nil), b...)
		return nil
	})
	return tail, err
}

// source serves parts of packs from the provider.
func (v *Vault) source() tree.Source { return remote{v} }

type remote struct{ v *Vault }

// Blocks implements tree.Source. How long a pack is says its verified statement,
// which the index keeps.
func (s remote) Blocks(ctx context.Context, reads []tree.Read, visit func(i int, b []byte) error) error {
	asked := make([]client.Read, len(reads))
	for i, r := range reads {
		info, found, err := s.v.index.Pack(r.Pack)
		if err != nil {
			return err
		}
		if !found {
			return protocol.Errorf(protocol.KindNotFound, "pack %s is not known here", r.Pack)
		}
		asked[i] = client.Read{Pack: r.Pack, Offset: r.Offset, Length: r.Length, Size: info.Size}
	}
	return s.v.fetch(ctx, asked, visit)
}

// fetch reads parts of packs. A pack that the provider does not have is
// protocol.KindNotFound.
func (v *Vault) fetch(ctx context.Context, reads []client.Read, visit func(i int, b []byte) error) error {
	return v.remote.Blocks(ctx, reads, func(i int, b client.Block) error {
		if b.Status == api.BlockAbsent {
			return protocol.Errorf(protocol.KindNotFound, "the server does not have pack %s", reads[i].Pack)
		}
		return visit(i, b.Data)
	})
}
