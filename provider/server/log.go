// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"strconv"

	"github.com/solekey/solekey/protocol/api"
)

// How long whoever stands between may keep an answer. Tiles never change, also
// those of the right edge: a longer one has another name.
const (
	forEver = "public, max-age=31536000, immutable"
	shortly = "public, max-age=2"
)

// checkpoint shows the newest published checkpoint, as tlog-tiles has it.
func (s *Server) checkpoint(w http.ResponseWriter, r *http.Request) error {
	note, err := s.Directory.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", shortly)
	return sendBytes(w, api.TypeText, note)
}

// tile shows a tile of hashes or a bundle of entries.
func (s *Server) tile(w http.ResponseWriter, r *http.Request) error {
	data, err := s.Directory.Tile(r.Context(), "tile/"+r.PathValue("tile"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", forEver)
	return sendBytes(w, api.TypeBytes, data)
}

// sendBytes writes a raw answer.
func sendBytes(w http.ResponseWriter, kind string, data []byte) error {
	extend(w, int64(len(data)))
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(data) // a client that went away hears nothing anyway
	return nil
}
