// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/solekey/solekey/protocol"
)

// MaxProof is the number of hashes of the longest proof.
const MaxProof = 63

// AddCheckpoint is what is sent to a witness, by tlog-witness: a note, and the
// proof that it extends the checkpoint of size Old, the last the sender knows that
// the witness cosigned.
//
// Growth: the form is tlog-witness's.
type AddCheckpoint struct {
	Old   uint64
	Proof []protocol.Hash
	Note  []byte
}

// Marshal returns the body of the request.
func (a *AddCheckpoint) Marshal() []byte {
	b := []byte("old " + strconv.FormatUint(a.Old, 10) + "\n")
	return append(appendHashes(b, a.Proof), a.Note...)
}

// appendHashes appends a line a hash and the empty line that ends them.
func appendHashes(b []byte, hashes []protocol.Hash) []byte {
	for _, h := range hashes {
		b = append(b, encodeHash(h)+"\n"...)
	}
	return append(b, '\n')
}

// ParseAddCheckpoint reads the body of a request. The note in it has the form of
// a checkpoint; nothing is verified.
func ParseAddCheckpoint(raw []byte) (*AddCheckpoint, error) {
	first, rest, _ := bytes.Cut(raw, []byte("\n"))
	size, ok := strings.CutPrefix(string(first), "old ")
	if !ok {
		return nil, protocol.Errorf(protocol.KindUntrusted, "request to a witness does not begin with an old size")
	}
	a := new(AddCheckpoint)
	var err error
	if a.Old, err = parseNumber(size, MaxSize); err != nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "old size: %v", err)
	}
	if a.Proof, a.Note, err = cutHashes(rest); err != nil {
		return nil, err
	}
	if _, err := ParseCheckpoint(a.Note); err != nil {
		return nil, err
	}
	return a, nil
}

// cutHashes reads hashes, a line each, up to an empty line, and returns what is
// behind it.
func cutHashes(raw []byte) ([]protocol.Hash, []byte, error) {
	var hashes []protocol.Hash
	for {
		text, rest, ended := bytes.Cut(raw, []byte("\n"))
		if !ended {
			return nil, nil, protocol.Errorf(protocol.KindUntrusted, "no empty line ends the proof")
		}
		raw = rest
		if len(text) == 0 {
			return hashes, bytes.Clone(raw), nil
		}
		if len(hashes) == MaxProof {
			return nil, nil, protocol.Errorf(protocol.KindUntrusted, "proof has more than %d hashes", MaxProof)
		}
		h, err := decodeHash(string(text))
		if err != nil {
			return nil, nil, err
		}
		hashes = append(hashes, h)
	}
}

// ParseLines reads the signature lines that a witness answers with, each with the
// newline that ends it. Nothing is verified: see WitnessKey.Accept.
func ParseLines(raw []byte) ([][]byte, error) {
	if len(raw) > MaxNote || bytes.Count(raw, []byte("\n")) > MaxSignatures {
		return nil, protocol.Errorf(protocol.KindUntrusted, "answer of a witness has %d bytes, or more than %d lines", len(raw), MaxSignatures)
	}
	var lines [][]byte
	for _, text := range bytes.SplitAfter(raw, []byte("\n")) {
		if len(text) == 0 {
			continue
		}
		if _, err := parseLine(text); err != nil {
			return nil, err
		}
		lines = append(lines, bytes.Clone(text))
	}
	if len(lines) == 0 {
		return nil, protocol.Errorf(protocol.KindUntrusted, "answer of a witness has no line")
	}
	return lines, nil
}

// ParseConflict reads the size that a witness answers with when it knows another
// than the sender (status 409, type text/x.tlog.size).
func ParseConflict(raw []byte) (uint64, error) {
	text, ended := strings.CutSuffix(string(raw), "\n")
	if !ended {
		return 0, protocol.Errorf(protocol.KindUntrusted, "answer of a witness is no size")
	}
	return parseNumber(text, MaxSize)
}

// Proof shows offline, by tlog-proof, that a log held an entry and that witnesses
// saw it.
//
// Growth: the form is tlog-proof's.
type Proof struct {
	Extra  []byte // of the application's; nothing vouches for it. nil for none
	Index  uint64
	Hashes []protocol.Hash
	Note   []byte
}

const proofHeader = "c2sp.org/tlog-proof@v1"

// maxExtra is the length of the longest extra data.
const maxExtra = 1 << 20

// Marshal returns the text of the proof.
func (p *Proof) Marshal() []byte {
	b := []byte(proofHeader + "\n")
	if p.Extra != nil {
		b = append(b, "extra "+base64.StdEncoding.EncodeToString(p.Extra)+"\n"...)
	}
	b = append(b, "index "+strconv.FormatUint(p.Index, 10)+"\n"...)
	return append(appendHashes(b, p.Hashes), p.Note...)
}

// ParseProof reads the text of a proof. Nothing is verified.
func ParseProof(raw []byte) (*Proof, error) {
	header, rest, _ := strings.Cut(string(raw), "\n")
	if header != proofHeader {
		return nil, protocol.Errorf(protocol.KindUnsupported, "no proof of the form %s", proofHeader)
	}
	p := new(Proof)
	first, behind, _ := strings.Cut(rest, "\n")
	if encoded, ok := strings.CutPrefix(first, "extra "); ok {
		var err error
		if p.Extra, err = decodeBase64(encoded); err != nil || len(p.Extra) > maxExtra {
			return nil, protocol.Errorf(protocol.KindUntrusted, "extra data of the proof is not in base64 or too long")
		}
		first, behind, _ = strings.Cut(behind, "\n")
	}
	index, ok := strings.CutPrefix(first, "index ")
	if !ok {
		return nil, protocol.Errorf(protocol.KindUntrusted, "proof has no index")
	}
	var err error
	if p.Index, err = parseNumber(index, MaxSize); err != nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "index of the proof: %v", err)
	}
	if p.Hashes, p.Note, err = cutHashes([]byte(behind)); err != nil {
		return nil, err
	}
	if _, err := ParseCheckpoint(p.Note); err != nil {
		return nil, err
	}
	return p, nil
}

// Verify checks that the policy's log held the leaf, in a checkpoint that the
// policy accepts, and returns that.
func (p *Proof) Verify(policy *Policy, leaf protocol.Hash) (Witnessed, error) {
	w, err := policy.Verify(p.Note)
	if err != nil {
		return Witnessed{}, err
	}
	if err := VerifyInclusion(w.Checkpoint, p.Index, leaf, p.Hashes); err != nil {
		return Witnessed{}, err
	}
	return w, nil
}
