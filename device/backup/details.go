// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"encoding/binary"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/snapshot"
)

// details are what a snapshot record says to the account's owners alone; they
// travel boxed under the run key. Exactly one field is set, by the record's act.
//
// Growth: a field is only ever added with a new format version; a reader refuses
// a field it does not know.
type details struct {
	Run  *RunDetails  `cbor:"1,keyasint,omitempty"`
	List *ListDetails `cbor:"2,keyasint,omitempty"`
}

// RunDetails describe one snapshot.
type RunDetails struct {
	Root     protocol.Hash     `cbor:"1,keyasint"`          // the root folder's node
	Namer    protocol.MemberID `cbor:"2,keyasint,omitzero"` // whose secrets name the content: a writer's, or the vault's own
	Began    protocol.Time     `cbor:"3,keyasint"`          // by the device's clock
	Ended    protocol.Time     `cbor:"4,keyasint"`
	Host     string            `cbor:"5,keyasint"`
	User     string            `cbor:"6,keyasint,omitempty"`
	Paths    [][]byte          `cbor:"7,keyasint"` // absolute, as they were named
	Tags     []string          `cbor:"8,keyasint,omitempty"`
	Partial  bool              `cbor:"9,keyasint,omitempty"` // the run was stopped before its end
	Counts   Counts            `cbor:"10,keyasint"`
	Program  string            `cbor:"11,keyasint,omitempty"`
	Excludes []string          `cbor:"12,keyasint,omitempty"`
}

// Counts are what a snapshot holds and what its run stored.
type Counts struct {
	Files    uint64 `cbor:"1,keyasint"`
	Folders  uint64 `cbor:"2,keyasint"`
	Others   uint64 `cbor:"3,keyasint"`
	Bytes    uint64 `cbor:"4,keyasint"` // of all files
	Problems uint64 `cbor:"5,keyasint"` // entries that could not be read whole
	Read     uint64 `cbor:"6,keyasint"` // bytes read by the run
	Stored   uint64 `cbor:"7,keyasint"` // bytes of packs that the run sent
}

// ListDetails are what a list record changes in the words that describe the
// live snapshots; it restates all such changes.
type ListDetails struct {
	Tags []SnapshotTags `cbor:"1,keyasint,omitempty"` // ascending by snapshot
	Time protocol.Time  `cbor:"2,keyasint"`
}

// SnapshotTags replace the tags of one snapshot.
type SnapshotTags struct {
	Snapshot protocol.Hash `cbor:"1,keyasint"` // the hash of its record
	Tags     []string      `cbor:"2,keyasint"`
}

// detailsStep is what the plaintext of details is padded to a multiple of, so
// that the length of paths, host and tags does not show.
const detailsStep = 1024

// encode returns the plaintext of the details: length[4], canonical CBOR, zeros
// up to a multiple of detailsStep.
func (d *details) encode() []byte {
	body := canonical.MustMarshal(d)
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	plain = append(plain, body...)
	return append(plain, make([]byte, (detailsStep-len(plain)%detailsStep)%detailsStep)...)
}

// unpad returns the canonical CBOR in the plaintext of details.
func unpad(plain []byte) ([]byte, error) {
	bad := protocol.Errorf(protocol.KindUntrusted, "the details are not padded as they must be")
	if len(plain) < 4 || len(plain)%detailsStep != 0 {
		return nil, bad
	}
	length := int64(binary.BigEndian.Uint32(plain))
	if length > int64(len(plain)-4) || int64(len(plain))-4-length >= detailsStep {
		return nil, bad
	}
	body, padding := plain[4:4+length], plain[4+length:]
	for _, b := range padding {
		if b != 0 {
			return nil, bad
		}
	}
	return body, nil
}

// parseDetails reads the details of a record of the act.
func parseDetails(plain []byte, act snapshot.Act) (*details, error) {
	body, err := unpad(plain)
	if err != nil {
		return nil, err
	}
	d := new(details)
	if err := canonical.Unmarshal(body, snapshot.MaxDetails, d); err != nil {
		return nil, err
	}
	if (d.Run != nil) != (act == snapshot.ActRun) || (d.List != nil) != (act == snapshot.ActList) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "the details do not fit the record")
	}
	return d, nil
}

// sortTags brings the changes into the order of their snapshots.
func sortTags(list []SnapshotTags) {
	sort.Slice(list, func(i, j int) bool {
		return string(list[i].Snapshot[:]) < string(list[j].Snapshot[:])
	})
}
