// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
)

// world shows the world that new devices join. What is true of a world is said by
// its hash alone, which a device has from somewhere else.
func (s *Server) world(w http.ResponseWriter, _ *http.Request) error {
	return sendWorld(w, s.Worlds[0])
}

// worldOf shows a world that devices joined some time.
func (s *Server) worldOf(w http.ResponseWriter, r *http.Request) error {
	var hash protocol.Hash
	if err := pathID(r, "world", &hash); err != nil {
		return err
	}
	for _, one := range s.Worlds {
		if one.Hash() == hash {
			w.Header().Set("Cache-Control", forEver)
			return sendWorld(w, one)
		}
	}
	return protocol.Errorf(protocol.KindNotFound, "this server never had the world %s", hash)
}

func sendWorld(w http.ResponseWriter, world *directory.World) error {
	return sendBytes(w, api.TypeCBOR, world.Bytes())
}
