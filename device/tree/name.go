// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"strconv"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Kind says what the bytes of a chunk are. It is part of the chunk's name.
type Kind byte

// The kinds of chunks.
const (
	KindFile Kind = 1 // a piece of a file's content
	KindNode Kind = 2 // a folder or a part of one
	KindList Kind = 3 // names of the chunks of a long file
)

const lastKind = KindList

// String returns the word that stands for the kind in derivations and messages.
func (k Kind) String() string {
	switch k {
	case KindFile:
		return "file"
	case KindNode:
		return "node"
	case KindList:
		return "list"
	}
	return "kind-" + strconv.Itoa(int(k))
}

// valid reports whether k is a kind that this version knows.
func (k Kind) valid() bool { return k >= KindFile && k <= lastKind }

// Names gives chunks their names. It is safe for concurrent use.
type Names struct {
	// A hasher has 9 KiB of state; most chunks are smaller than that, so
	// hashers are kept and reset, never made anew.
	hashers [lastKind + 1]sync.Pool
}

// NewNames returns the names under a naming secret. Each kind of chunk is
// named under a key of its own: bytes of a file that look like a folder get
// another name than the folder, so neither can ever be taken for the other.
func NewNames(naming *keys.Secret) *Names {
	n := new(Names)
	for kind := KindFile; kind <= lastKind; kind++ {
		key := naming.Derive("tree/name", []byte(kind.String())).Expose()
		n.hashers[kind].New = func() any {
			h, err := blake3.NewKeyed(key)
			if err != nil {
				panic("solekey: internal error: chunk names: " + err.Error())
			}
			return h
		}
	}
	return n
}

// Name returns the name of a chunk: BLAKE3 of its plaintext, keyed for kind.
// Kind must be one of the constants.
func (n *Names) Name(kind Kind, plaintext []byte) protocol.Hash {
	if !kind.valid() {
		panic("solekey: internal error: name of a chunk of " + kind.String())
	}
	pool := &n.hashers[kind]
	h := pool.Get().(*blake3.Hasher)
	h.Reset()
	_, _ = h.Write(plaintext) // never fails
	var name protocol.Hash
	h.Sum(name[:0])
	pool.Put(h)
	return name
}
