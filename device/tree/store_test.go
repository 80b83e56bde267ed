// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"bytes"
	"context"
	"fmt"

	"github.com/solekey/solekey/protocol"
)

// memoryStore keeps chunks in a map; it is a Store and a Load.
type memoryStore struct {
	names  *Names
	chunks map[protocol.Hash][]byte
	loads  int // chunks loaded
}

func newMemoryStore() *memoryStore {
	return &memoryStore{names: NewNames(testSecrets(1).Naming), chunks: map[protocol.Hash][]byte{}}
}

func (s *memoryStore) store(kind Kind, plaintext []byte) (protocol.Hash, error) {
	name := s.names.Name(kind, plaintext)
	s.chunks[name] = bytes.Clone(plaintext)
	return name, nil
}

func (s *memoryStore) load(_ context.Context, kind Kind, name protocol.Hash) ([]byte, error) {
	plaintext, found := s.chunks[name]
	if !found || s.names.Name(kind, plaintext) != name {
		return nil, fmt.Errorf("no chunk %v of kind %v", name, kind)
	}
	s.loads++
	return plaintext, nil
}
