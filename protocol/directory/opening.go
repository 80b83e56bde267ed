// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"crypto/rand"
	"crypto/sha256"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/vrf"
)

// MaxOpeningSize bounds the bytes of an encoded opening.
const MaxOpeningSize = 256

// Opening is what a commitment commits to: the account that has the name, and
// the head of its ledger. It travels with a look-up and is not in the log; Blind
// is random, so that nobody tries ledgers until one fits.
//
// Growth: a field is only ever added together with a new format version of the
// entries that commit to it.
type Opening struct {
	Account protocol.AccountID `cbor:"1,keyasint"`
	Ledger  ledger.Head        `cbor:"2,keyasint"`
	Blind   [32]byte           `cbor:"3,keyasint"`
}

// GenerateOpening returns an opening with a new blind.
func GenerateOpening(account protocol.AccountID, head ledger.Head) Opening {
	o := Opening{Account: account, Ledger: head}
	_, _ = rand.Read(o.Blind[:]) // crypto/rand.Read never fails
	return o
}

// ParseOpening reads an opening; nothing says yet that it opens anything.
func ParseOpening(raw []byte) (Opening, error) {
	var o Opening
	if err := canonical.Unmarshal(raw, MaxOpeningSize, &o); err != nil {
		return Opening{}, protocol.Wrap(protocol.KindUntrusted, err, "parse opening")
	}
	return o, nil
}

// Bytes returns the encoding.
func (o *Opening) Bytes() []byte { return canonical.MustMarshal(o) }

// committed is what a commitment hashes.
type committed struct {
	Index   protocol.Hash `cbor:"1,keyasint"`
	Version uint64        `cbor:"2,keyasint"`
	Opening Opening       `cbor:"3,keyasint"`
}

// Commit returns the commitment to an opening as the version of a name.
func Commit(index protocol.Hash, version uint64, o Opening) protocol.Hash {
	return hash("solekey/v1/directory-commitment", canonical.MustMarshal(committed{index, version, o}))
}

// Chain returns the chain after one more commitment. It is zero before the
// first.
func Chain(chain, commitment protocol.Hash) protocol.Hash {
	return hash("solekey/v1/directory-chain", chain[:], commitment[:])
}

// Index returns the index of a name from the function's output for it.
func Index(out vrf.Output) protocol.Hash { return protocol.Hash(out[:32]) }

// hash is SHA-256 over the label, a zero byte, and the parts; where there are
// several, the lengths of all but the last are fixed.
func hash(label string, parts ...[]byte) protocol.Hash {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	for _, p := range parts {
		h.Write(p)
	}
	return protocol.Hash(h.Sum(nil))
}
