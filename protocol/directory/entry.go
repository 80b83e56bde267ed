// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/vrf"
)

// Limits of an entry. What exceeds them is refused.
const (
	MaxEntrySize     = 20 << 10 // bytes of one encoded entry
	MaxStatementSize = 16 << 10 // bytes of a policy statement
	MaxWordSize      = 64       // bytes of a program's name or version
)

// kindCount is how many kinds of entry there are; they are numbered from 1.
const kindCount = 9

// Key is the Ed25519 public key that an entry is signed with. Each is used once.
type Key [32]byte

// Signature is an Ed25519 signature.
type Signature [64]byte

// Entry is one entry of the log: exactly one of its fields is set.
//
// Growth: a kind is only ever added under a new number, and a field only with a
// new format version; a reader refuses what it does not know, as
// protocol.KindUnsupported, because a root that covers an entry it cannot
// understand is one that it cannot check.
type Entry struct {
	Origin    *Origin    `cbor:"1,keyasint,omitempty"`
	Update    *Update    `cbor:"2,keyasint,omitempty"`
	Notice    *Notice    `cbor:"3,keyasint,omitempty"`
	Reassign  *Reassign  `cbor:"4,keyasint,omitempty"`
	Anchor    *Anchor    `cbor:"5,keyasint,omitempty"`
	Root      *Root      `cbor:"6,keyasint,omitempty"`
	Policy    *Policy    `cbor:"7,keyasint,omitempty"`
	Custodian *Custodian `cbor:"8,keyasint,omitempty"`
	Release   *Release   `cbor:"9,keyasint,omitempty"`
}

// Origin opens a log: it names the keys that stay with it for ever. It is entry
// 0 and no other.
type Origin struct {
	VRF       vrf.Key `cbor:"1,keyasint"`
	Statement Key     `cbor:"2,keyasint"` // verifies what the provider states about newest heads
}

// Update moves a name to its next version. Next is the KeyHash of the key that
// the version after it will be signed with; zero closes the name for ever.
type Update struct {
	Index      protocol.Hash `cbor:"1,keyasint"`
	Version    uint64        `cbor:"2,keyasint"` // from 1
	Commitment protocol.Hash `cbor:"3,keyasint"`
	Key        Key           `cbor:"4,keyasint"`
	Next       protocol.Hash `cbor:"5,keyasint,omitzero"`
	Signature  Signature     `cbor:"6,keyasint"`
}

// Notice announces that a lost name is to be given to a new identity. It changes
// nothing but that it stands in the name's leaf, for everybody to see, until an
// Update clears it, another Notice takes its place or a Reassign carries it out.
type Notice struct {
	Index      protocol.Hash `cbor:"1,keyasint"`
	Version    uint64        `cbor:"2,keyasint"` // of the leaf as it is
	Commitment protocol.Hash `cbor:"3,keyasint"` // to the new identity's opening, of version+1
	Key        Key           `cbor:"4,keyasint"` // of the new identity
	Next       protocol.Hash `cbor:"5,keyasint"`
	Signature  Signature     `cbor:"6,keyasint"` // by Key
}

// Reassign carries out a Notice that nobody answered for ReassignDelay.
type Reassign struct {
	Index  protocol.Hash `cbor:"1,keyasint"`
	Notice uint64        `cbor:"2,keyasint"` // its position in the log
}

// Anchor commits to something, in practice to the heads of an account's vaults,
// under an index that shows nobody whose it is.
type Anchor struct {
	Period     Period        `cbor:"1,keyasint"`
	Index      protocol.Hash `cbor:"2,keyasint"`
	Commitment protocol.Hash `cbor:"3,keyasint"`
	Key        Key           `cbor:"4,keyasint"`
	Signature  Signature     `cbor:"5,keyasint"`
}

// Root states what all entries before it amount to, and when. The last entry of
// every published checkpoint is one.
type Root struct {
	Size    uint64        `cbor:"1,keyasint"` // entries covered: its own position
	Names   protocol.Hash `cbor:"2,keyasint,omitzero"`
	Anchors protocol.Hash `cbor:"3,keyasint,omitzero"`
	Time    protocol.Time `cbor:"4,keyasint"`
}

// Policy is a statement of the provider that counts because it is logged for all
// the same.
type Policy struct {
	Number    uint64        `cbor:"1,keyasint"`          // from 1
	Prev      protocol.Hash `cbor:"2,keyasint,omitzero"` // the leaf hash of the statement before
	Statement string        `cbor:"3,keyasint"`
}

// Custodian is a commitment that a custodian demands before it uses its key.
type Custodian struct {
	Custodian  protocol.Hash `cbor:"1,keyasint"` // the hash of its key
	Number     uint64        `cbor:"2,keyasint"` // from 1, for each custodian
	Commitment protocol.Hash `cbor:"3,keyasint"`
}

// Release names a program that was handed out.
type Release struct {
	Program  string        `cbor:"1,keyasint"`
	Version  string        `cbor:"2,keyasint"`
	Manifest protocol.Hash `cbor:"3,keyasint"`
	Number   uint64        `cbor:"4,keyasint"` // from 1, for each program
}

// envelope is an entry as it travels.
type envelope struct {
	Version uint64 `cbor:"1,keyasint"`
	Body    Entry  `cbor:"2,keyasint"`
}

// ParseEntry reads one entry: syntax and limits only. What it returns is not
// verified: only a Replay says that it may stand where it stands.
func ParseEntry(raw []byte) (*Entry, error) {
	if err := known(raw); err != nil {
		return nil, err
	}
	var e envelope
	if err := canonical.Unmarshal(raw, MaxEntrySize, &e); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse log entry")
	}
	if err := e.Body.check(); err != nil {
		return nil, err
	}
	return &e.Body, nil
}

// known refuses, as protocol.KindUnsupported, a version or a kind of entry that
// this program has not heard of: that is a reason to update, where everything
// else that does not parse is a reason to distrust.
func known(raw []byte) error {
	version, ok := canonical.Version(raw)
	if !ok {
		return nil
	}
	if version != protocol.FormatVersion {
		return protocol.Errorf(protocol.KindUnsupported, "parse log entry: version %d is not known here", version)
	}
	if len(raw) < 6 || raw[0] != 0xa2 || raw[3] != 0x02 || raw[4] != 0xa1 {
		return nil
	}
	// The body is a map of one pair, whose key is again what Version reads after
	// a map's head and the key 1.
	kind, ok := canonical.Version(append([]byte{0xa1, 0x01}, raw[5:min(len(raw), 14)]...))
	if ok && (kind < 1 || kind > kindCount) {
		return protocol.Errorf(protocol.KindUnsupported, "parse log entry: kind %d is not known here", kind)
	}
	return nil
}

// LooksLikeRoot reports whether an entry is a Root, if it is an entry at all. It
// costs nothing; nothing has been checked.
func LooksLikeRoot(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte{0xa2, 1, protocol.FormatVersion, 2, 0xa1, 6})
}

// Bytes returns the encoding.
func (e *Entry) Bytes() []byte {
	return canonical.MustMarshal(envelope{Version: protocol.FormatVersion, Body: *e})
}

// Kind returns what the entry is in a word or two, "nothing" where it is not
// exactly one thing.
func (e *Entry) Kind() string {
	if n := e.set(); n != 1 {
		return "nothing"
	}
	switch {
	case e.Origin != nil:
		return "origin"
	case e.Update != nil:
		return "update"
	case e.Notice != nil:
		return "notice"
	case e.Reassign != nil:
		return "reassignment"
	case e.Anchor != nil:
		return "anchor"
	case e.Root != nil:
		return "root"
	case e.Policy != nil:
		return "policy statement"
	case e.Custodian != nil:
		return "custodian use"
	}
	return "release"
}

// set counts the fields that are set.
func (e *Entry) set() int {
	n := 0
	for _, is := range [kindCount]bool{
		e.Origin != nil, e.Update != nil, e.Notice != nil, e.Reassign != nil, e.Anchor != nil,
		e.Root != nil, e.Policy != nil, e.Custodian != nil, e.Release != nil,
	} {
		if is {
			n++
		}
	}
	return n
}
