// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/vaults"
)

func (s *Server) head(w http.ResponseWriter, r *http.Request, c call) error {
	q, err := question(r)
	if err != nil {
		return err
	}
	head, err := s.Vaults.Head(r.Context(), c.device, c.vault, q)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, head)
}

func (s *Server) commitSnapshot(w http.ResponseWriter, r *http.Request, c call) error {
	return takeIn(w, r, c, s.Vaults.Commit)
}

func (s *Server) commitGeneration(w http.ResponseWriter, r *http.Request, c call) error {
	return takeIn(w, r, c, s.Vaults.Prune)
}

// takeIn reads a raw record and answers with the head after it.
func takeIn(w http.ResponseWriter, r *http.Request, c call,
	commit func(context.Context, vaults.Device, protocol.VaultID, []byte) (api.Head, error),
) error {
	raw, err := readAll(w, r, api.MaxRecord)
	if err != nil {
		return err
	}
	head, err := commit(r.Context(), c.device, c.vault, raw)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, head)
}

func (s *Server) snapshots(w http.ResponseWriter, r *http.Request, c call) error {
	return sendPage(w, r, c, s.Vaults.Snapshots)
}

func (s *Server) generations(w http.ResponseWriter, r *http.Request, c call) error {
	return sendPage(w, r, c, s.Vaults.Generations)
}

// sendPage sends the records from the position asked for.
func sendPage(w http.ResponseWriter, r *http.Request, c call,
	visit func(context.Context, vaults.Device, protocol.VaultID, uint64, func([]byte) error) error,
) error {
	from, err := number(r, "from", 1)
	if err != nil {
		return err
	}
	page := &page{w: w}
	return page.end(visit(r.Context(), c.device, c.vault, from, page.add))
}

// page is a body of records. It ends where one more would make it too large;
// the client asks for the rest.
type page struct {
	w    http.ResponseWriter
	size int
}

var errPageFull = errors.New("page is full")

func (p *page) add(record []byte) error {
	if p.size > 0 && p.size+len(record) > api.MaxPageBytes {
		return errPageFull
	}
	p.start()
	p.size += len(record)
	_ = http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(patience + time.Duration(len(record)/leastBps)*time.Second))
	if _, err := p.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(record)))); err != nil {
		return err
	}
	_, err := p.w.Write(record)
	return err
}

func (p *page) start() { p.w.Header().Set("Content-Type", api.TypeRecords) }

func (p *page) end(err error) error {
	if errors.Is(err, errPageFull) {
		return nil
	}
	if err == nil && p.size == 0 {
		p.start()
		p.w.WriteHeader(http.StatusOK)
	}
	return err
}
