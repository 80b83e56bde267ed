// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Limits of a file. What exceeds them is refused.
const (
	MaxSize     = 32 << 20                         // bytes of the encoded evidence
	MaxText     = MaxSize/3*4 + MaxSize/32 + 8<<10 // bytes of the text around it
	maxPreamble = 4 << 10
	maxWitness  = tlog.MaxWitnesses
)

// file is evidence as it is encoded: the log, and exactly one kind.
//
// Growth: a kind is only ever added under a new number, and a field with a new
// version; a reader refuses what it does not know.
type file struct {
	Version    uint64      `cbor:"1,keyasint"`
	Log        string      `cbor:"2,keyasint"`           // vkey
	Witnesses  []string    `cbor:"3,keyasint,omitempty"` // vkeys of witnesses whose cosignatures may be on the notes
	Fork       *fork       `cbor:"4,keyasint,omitempty"`
	Split      *split      `cbor:"5,keyasint,omitempty"`
	Statements *statements `cbor:"6,keyasint,omitempty"`
	Promise    *promise    `cbor:"7,keyasint,omitempty"`
	Rules      *rules      `cbor:"8,keyasint,omitempty"`
	Order      *order      `cbor:"9,keyasint,omitempty"`
	Leaf       *leafLie    `cbor:"10,keyasint,omitempty"`
	Regress    *regress    `cbor:"11,keyasint,omitempty"`
	Key        *wrongKey   `cbor:"12,keyasint,omitempty"`
	Histories  *histories  `cbor:"13,keyasint,omitempty"`
}

// fork: two logs are signed. Where the sizes differ, Middle is the root that the
// larger one had at the size of the smaller one.
type fork struct {
	A      []byte          `cbor:"1,keyasint"` // a note
	B      []byte          `cbor:"2,keyasint"`
	Middle protocol.Hash   `cbor:"3,keyasint,omitzero"`
	Proof  []protocol.Hash `cbor:"4,keyasint,omitempty"` // from Middle to B
}

// split: at one position two logs that are signed hold two different entries.
type split struct {
	Position uint64    `cbor:"1,keyasint"`
	A        leafShown `cbor:"2,keyasint"`
	B        leafShown `cbor:"3,keyasint"`
}

// leafShown is the hash of an entry, proved under a note.
type leafShown struct {
	Note  []byte          `cbor:"1,keyasint"`
	Leaf  protocol.Hash   `cbor:"2,keyasint"`
	Proof []protocol.Hash `cbor:"3,keyasint,omitempty"`
}

// statements: two signed statements contradict each other. Origin is the log's
// first entry, which names the key.
type statements struct {
	Origin directory.Included `cbor:"1,keyasint"`
	A      []byte             `cbor:"2,keyasint"`
	B      []byte             `cbor:"3,keyasint"`
}

// promise: a receipt, and a later root under which the name has a lower version, or
// the version by another entry.
type promise struct {
	Origin  directory.Included  `cbor:"1,keyasint"`
	Receipt []byte              `cbor:"2,keyasint"`
	Shown   directory.Shown     `cbor:"3,keyasint"`
	Entry   *directory.Included `cbor:"4,keyasint,omitempty"` // at the leaf's position; Note is empty: it is Shown's
}

// rules: entries between two roots of which one breaks a rule of the log.
type rules struct {
	Note        []byte            `cbor:"1,keyasint"`
	Consistency []protocol.Hash   `cbor:"2,keyasint,omitempty"` // from the end of the excerpt
	Excerpt     directory.Excerpt `cbor:"3,keyasint"`
}

// order: the log's time went back, from A to B; or, without A, B does not end with
// a root that covers it.
type order struct {
	A *directory.Shown `cbor:"1,keyasint,omitempty"`
	B directory.Shown  `cbor:"2,keyasint"`
}

// leafLie: a leaf names a position at which the log holds something else.
type leafLie struct {
	Shown directory.Shown `cbor:"1,keyasint"`
	Entry []byte          `cbor:"2,keyasint,omitempty"`
	Proof []protocol.Hash `cbor:"3,keyasint,omitempty"`
}

// regress: a name's leaf under a later root is not one that can follow the leaf
// under an earlier one.
type regress struct {
	A directory.Shown `cbor:"1,keyasint"`
	B directory.Shown `cbor:"2,keyasint"`
}

// wrongKey: the version after A's was made with another key than A's leaf names.
type wrongKey struct {
	A     directory.Shown `cbor:"1,keyasint"`
	B     directory.Shown `cbor:"2,keyasint"`
	Entry []byte          `cbor:"3,keyasint"` // at the position that B's leaf names
	Proof []protocol.Hash `cbor:"4,keyasint,omitempty"`
}

// histories: the provider claimed two heads of one account's ledger that no one
// ledger holds. Entries lead from the higher one down to the number after the lower
// one's, and there name another one.
type histories struct {
	Origin  *directory.Included `cbor:"1,keyasint,omitempty"` // where a claim is a statement
	A       claim               `cbor:"2,keyasint"`           // the lower one
	B       claim               `cbor:"3,keyasint"`
	Entries [][]byte            `cbor:"4,keyasint,omitempty"` // ascending, up to B's
}

// claim is what a provider claimed to be a head: by a statement, or by an update
// that it took into the log together with the ledger entries that it opens to.
type claim struct {
	Statement []byte              `cbor:"1,keyasint,omitempty"`
	Update    *directory.Included `cbor:"2,keyasint,omitempty"`
	Opening   []byte              `cbor:"3,keyasint,omitempty"`
}

// The lines around the encoding.
const (
	beginLine = "-----BEGIN SOLEKEY EVIDENCE-----"
	endLine   = "-----END SOLEKEY EVIDENCE-----"
	lineWidth = 64
)

// format returns the text of a file whose verdict is known.
func (f *file) format(v *Verdict) []byte {
	var b strings.Builder
	b.WriteString("Evidence of what the provider of a Solekey log did. The words above the line are for\n" +
		"people and prove nothing; what proves it is below, and a program checks that.\n\n")
	b.WriteString(v.What + "\n\nLog: " + f.Log + "\n\n" + beginLine + "\n")
	text := base64.StdEncoding.EncodeToString(canonical.MustMarshal(f))
	for len(text) > 0 {
		n := min(lineWidth, len(text))
		b.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	b.WriteString(endLine + "\n")
	return []byte(b.String())
}

// parse reads a text. What is above the first line counts for nothing, and there is
// one form for what is below.
func parse(raw []byte) (*file, error) {
	bad := func(why string) (*file, error) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse evidence: %s", why)
	}
	if len(raw) > MaxText {
		return bad("it is too large")
	}
	at := bytes.Index(raw, []byte(beginLine+"\n"))
	if at < 0 || at > maxPreamble || at > 0 && raw[at-1] != '\n' {
		return bad("there is no line that begins it")
	}
	text, ok := bytes.CutSuffix(raw[at+len(beginLine)+1:], []byte(endLine+"\n"))
	if !ok {
		return bad("it does not end with its last line")
	}
	var body []byte
	for len(text) > 0 {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok || len(line) == 0 || len(line) > lineWidth || len(rest) > 0 && len(line) < lineWidth {
			return bad("its lines are not in the one form")
		}
		body, text = append(body, line...), rest
	}
	data, err := base64.StdEncoding.Strict().DecodeString(string(body))
	if err != nil {
		return bad("it is not in base64")
	}
	return decode(data)
}

// decode reads the encoding.
func decode(data []byte) (*file, error) {
	if v, ok := canonical.Version(data); ok && v != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "parse evidence: version %d is not known here", v)
	}
	var f file
	if err := canonical.Unmarshal(data, MaxSize, &f); err != nil {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "parse evidence")
	}
	if len(f.Witnesses) > maxWitness {
		return nil, protocol.Errorf(protocol.KindUntrusted, "parse evidence: it names %d witnesses", len(f.Witnesses))
	}
	return &f, nil
}
