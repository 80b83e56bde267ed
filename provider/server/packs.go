// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/vaults"
)

// putPack takes in a pack: its statement first, which is verified before the
// bytes are read; then exactly as many bytes as the statement says.
func (s *Server) putPack(w http.ResponseWriter, r *http.Request, c call) error {
	var pack protocol.PackID
	if err := pathID(r, "pack", &pack); err != nil {
		return err
	}
	body := http.MaxBytesReader(w, r.Body, 4+api.MaxStatement+api.MaxPack)
	statement, err := api.ReadRecord(body, api.MaxStatement)
	if err != nil {
		return malformed(err)
	}
	offer, err := s.Vaults.Offer(r.Context(), c.device, c.vault, pack, statement)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !offer.Stored() {
		created, err := s.takePack(w, r, body, offer)
		if err != nil {
			return err
		}
		if created {
			status = http.StatusCreated
		}
	}
	return reply(w, status, struct{}{})
}

// takePack reads a pack into one buffer, which it needs a turn for, and stores it.
func (s *Server) takePack(w http.ResponseWriter, r *http.Request, body io.Reader, offer *vaults.Offer) (bool, error) {
	select {
	case s.uploads <- struct{}{}:
	case <-r.Context().Done():
		return false, r.Context().Err()
	}
	defer func() { <-s.uploads }()
	extend(w, offer.Size())
	buffer := takeBuffer(offer.Size())
	defer buffers.Put(buffer)
	data := (*buffer)[:offer.Size()]
	if _, err := io.ReadFull(body, data); err != nil {
		return false, malformed(err)
	}
	if n, err := body.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		return false, protocol.Errorf(protocol.KindUsage, "the body is longer than the statement says")
	}
	// What arrived whole is kept, also for a device that no longer waits for the
	// answer: it asks after the pack when it comes back.
	return s.Vaults.Put(context.WithoutCancel(r.Context()), offer, data)
}

// buffers are kept for packs, so that a backup's packs cost one allocation.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func takeBuffer(size int64) *[]byte {
	buffer := buffers.Get().(*[]byte)
	if int64(cap(*buffer)) < size {
		*buffer = make([]byte, size)
	}
	return buffer
}

func (s *Server) packs(w http.ResponseWriter, r *http.Request, c call) error {
	after, err := number(r, "after", 0)
	if err != nil {
		return err
	}
	limit, err := number(r, "limit", api.MaxPage)
	if err != nil {
		return err
	}
	page := &page{w: w}
	return page.end(s.Vaults.List(r.Context(), c.device, c.vault, after, int(min(limit, api.MaxPage)), func(p api.PackRecord) error {
		return page.add(p.Marshal())
	}))
}

func (s *Server) statPacks(w http.ResponseWriter, r *http.Request, c call) error {
	var body api.StatRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	states, err := s.Vaults.Stat(r.Context(), c.device, c.vault, body.Packs)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, api.StatResponse{States: states})
}

// blocks streams the ranges asked for, in order, from the files.
func (s *Server) blocks(w http.ResponseWriter, r *http.Request, c call) error {
	var body api.BlocksRequest
	if err := decode(w, r, api.MaxJSON, &body); err != nil {
		return err
	}
	if err := s.Vaults.CheckReads(r.Context(), c.device, c.vault, body.Reads); err != nil {
		return err
	}
	w.Header().Set("Content-Type", api.TypeBlocks)
	w.WriteHeader(http.StatusOK)
	copied := takeBuffer(copySize)
	defer buffers.Put(copied)
	for _, read := range body.Reads {
		if err := s.sendBlocks(w, r, c, read, (*copied)[:copySize]); err != nil {
			return err
		}
	}
	return nil
}

const copySize = 256 << 10

func (s *Server) sendBlocks(w http.ResponseWriter, r *http.Request, c call, read api.Read, through []byte) error {
	blocks, err := s.Vaults.Read(r.Context(), c.place(), read)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience + time.Duration(blocks.Head.Length/leastBps)*time.Second))
	if _, err := w.Write(blocks.Head.Append(nil)); err != nil || blocks.Data == nil {
		return err
	}
	defer func() { _ = blocks.Data.Close() }()
	section := io.NewSectionReader(blocks.Data, blocks.Offset, blocks.Head.Length)
	n, err := io.CopyBuffer(writerOnly{w}, readerOnly{section}, through)
	if err == nil && n != blocks.Head.Length {
		return protocol.Errorf(protocol.KindInternal, "pack %s ended while it was read", read.Pack)
	}
	return err
}

// writerOnly and readerOnly hide what would copy without the buffer.
type (
	writerOnly struct{ io.Writer }
	readerOnly struct{ io.Reader }
)
