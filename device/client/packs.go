// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

// PutPack stores a pack with its device's statement; nil says that the server
// acknowledged it as durable. The bytes are read where they are and must not
// change meanwhile. A retired pack is KindConflict.
func (v *Vault) PutPack(ctx context.Context, id protocol.PackID, statement, pack []byte) error {
	if len(pack) > api.MaxPack || len(statement) > api.MaxStatement {
		return protocol.Errorf(protocol.KindInternal, "put pack: %d and %d bytes are more than is taken", len(statement), len(pack))
	}
	head := append(binary.BigEndian.AppendUint32(nil, uint32(len(statement))), statement...)
	k := v.call(http.MethodPut, api.BelowPacks+"/"+id.String())
	k.kind, k.limit = api.TypeBytes, api.MaxJSON
	k.body = func() [][]byte { return [][]byte{head, pack} }
	// A pack counts as stored only by the answer that says so, not by any answer.
	k.read = func(r io.Reader) (bool, error) { return true, decode(r, new(struct{})) }
	return v.m.c.do(ctx, k)
}

// StatPacks asks what the server holds of packs, in the same order. It is a
// claim: a pack that counts is read back.
func (v *Vault) StatPacks(ctx context.Context, packs []protocol.PackID) ([]api.PackState, error) {
	var all []api.PackState
	for len(packs) > 0 {
		batch := packs[:min(len(packs), api.MaxStat)]
		packs = packs[len(batch):]
		var answer api.StatResponse
		err := v.m.c.ask(ctx, v.call(http.MethodPost, api.BelowStat), api.StatRequest{Packs: batch}, &answer, func() error {
			return checkStates(answer.States, len(batch))
		})
		if err != nil {
			return nil, err
		}
		all = append(all, answer.States...)
	}
	return all, nil
}

func checkStates(states []api.PackState, want int) error {
	if len(states) != want {
		return unexpected("%d states of %d packs", len(states), want)
	}
	for _, s := range states {
		switch s {
		case api.PackAbsent, api.PackStored, api.PackRetired, api.PackDropped:
		default:
			return unexpected("a pack in a state that is not known here")
		}
	}
	return nil
}

// ListPacks visits the vault's packs behind a cursor in the order of receipt.
// The statements are parsed, and of this account and vault; verify them against
// the ledger before anything relies on them. An error of visit ends it and is
// returned as it is.
func (v *Vault) ListPacks(ctx context.Context, after uint64, visit func(api.PackRecord, *snapshot.PackStatement) error) error {
	return v.pages(ctx, api.BelowPacks, api.MaxPackRecord, pager{
		query: func() url.Values { return url.Values{"after": {strconv.FormatUint(after, 10)}} },
		visit: func(raw []byte) error {
			record, statement, err := v.checkPack(raw, after)
			if err != nil {
				return err
			}
			after = record.Cursor
			return visit(record, statement)
		},
	})
}

func (v *Vault) checkPack(raw []byte, after uint64) (api.PackRecord, *snapshot.PackStatement, error) {
	record, err := api.ParsePackRecord(raw)
	if err != nil {
		return record, nil, err
	}
	if record.Cursor <= after {
		return record, nil, unexpected("packs out of order")
	}
	statement, err := snapshot.ParsePackStatement(record.Statement)
	if err != nil {
		return record, nil, err
	}
	if statement.Account != v.m.id || statement.Vault != v.id || statement.Size > api.MaxPack {
		return record, nil, unexpected("pack %s of another vault, or too large", statement.Pack)
	}
	return record, statement, nil
}

// Read asks for a range of a pack: whole blocks of api.BlockSize. Size is the
// pack's size by its verified statement.
type Read struct {
	Pack   protocol.PackID
	Offset int64
	Length int64 // may reach beyond the pack's end
	Size   int64
}

// Block is the answer to one read.
type Block struct {
	Status api.BlockStatus
	Data   []byte // valid until the visitor returns; nil where the pack is absent
}

// buffers holds what blocks are read into.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Blocks fetches ranges of packs and visits the answers in the order of the
// reads, each once. The data has exactly the length asked for, cut at the pack's
// end, and is otherwise unverified: opening it says whether it is the right one.
// An error of visit ends it and is returned as it is.
func (v *Vault) Blocks(ctx context.Context, reads []Read, visit func(i int, b Block) error) error {
	for _, r := range reads {
		asked := api.Read{Pack: r.Pack, Offset: r.Offset, Length: r.Length}
		if err := asked.Check(); err != nil || r.Offset >= r.Size {
			return protocol.Errorf(protocol.KindInternal, "read blocks: %d+%d of %d bytes is no range of whole blocks", r.Offset, r.Length, r.Size)
		}
	}
	for done := 0; done < len(reads); {
		end := batchEnd(reads, done)
		if err := v.blocks(ctx, reads[:end], &done, visit); err != nil {
			return err
		}
	}
	return nil
}

// batchEnd returns how far one request reaches that begins at done.
func batchEnd(reads []Read, done int) int {
	end, size := done, int64(0)
	for end < len(reads) && end-done < api.MaxReads && (end == done || size+reads[end].Length <= api.MaxReadBytes) {
		size += reads[end].Length
		end++
	}
	return end
}

// blocks fetches what lies behind done and moves it. An attempt that breaks off
// goes on behind the last answer visited.
func (v *Vault) blocks(ctx context.Context, reads []Read, done *int, visit func(i int, b Block) error) error {
	k := v.call(http.MethodPost, api.BelowBlocks)
	k.kind, k.limit = api.TypeJSON, api.MaxReadBytes+api.MaxPack+api.MaxReads*api.BlockHeadSize
	k.body = func() [][]byte { return [][]byte{encodeReads(reads[*done:])} }
	k.read = func(r io.Reader) (bool, error) {
		before := *done
		for *done < len(reads) {
			if err := readBlock(r, *done, reads[*done], visit); err != nil {
				return *done > before, err
			}
			*done++
		}
		return true, atEnd(r)
	}
	return unwrapVisit(v.m.c.do(ctx, k))
}

// encodeReads returns the request for reads.
func encodeReads(reads []Read) []byte {
	body := api.BlocksRequest{Reads: make([]api.Read, 0, len(reads))}
	for _, r := range reads {
		body.Reads = append(body.Reads, api.Read{Pack: r.Pack, Offset: r.Offset, Length: r.Length})
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic("solekey: internal error: encode reads: " + err.Error())
	}
	return text
}

func atEnd(r io.Reader) error {
	if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || err != io.EOF {
		return unexpected("more than was asked for")
	}
	return nil
}

// readBlock reads the answer to one read into a pooled buffer.
func readBlock(r io.Reader, i int, read Read, visit func(i int, b Block) error) error {
	head, err := api.ReadBlockHead(r)
	if err == io.EOF {
		return unexpected("%s", "fewer blocks than were asked for")
	}
	if err != nil {
		return err
	}
	if head.Status == api.BlockAbsent {
		if head.Length != 0 {
			return unexpected("bytes of an absent pack")
		}
		return visitBlock(visit, i, Block{Status: head.Status})
	}
	if want := min(read.Length, read.Size-read.Offset); head.Length != want {
		return unexpected("%d bytes of pack %s, not %d", head.Length, read.Pack, want)
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	if int64(cap(*buffer)) < head.Length {
		*buffer = make([]byte, head.Length)
	}
	data := (*buffer)[:head.Length]
	if _, err := io.ReadFull(r, data); err != nil {
		return malformed(err)
	}
	return visitBlock(visit, i, Block{Status: head.Status, Data: data})
}

func visitBlock(visit func(i int, b Block) error, i int, b Block) error {
	if err := visit(i, b); err != nil {
		return &visitError{err}
	}
	return nil
}
