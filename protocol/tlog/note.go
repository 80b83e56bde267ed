// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"github.com/solekey/solekey/protocol"
)

// Limits of notes and names. A reader refuses what exceeds them.
const (
	MaxNote       = 256 << 10 // bytes of a note with all its signature lines
	MaxSignatures = 64        // signature lines of a note
	MaxName       = 255       // bytes of an origin or a key name; the ML-DSA message has one byte for its length
)

// The types of signatures, the first byte of a key in a vkey.
const (
	algEd25519     = 0x01
	algCosignature = 0x04
	algMLDSA44     = 0x06
)

// line is one signature line of a note, parsed and not verified.
type line struct {
	name string
	id   uint32
	sig  []byte
}

// parsedNote is a note whose form is right; nothing in it is verified.
type parsedNote struct {
	text  []byte // ends in a newline
	lines []line
}

// parseNote reads the form of a note.
func parseNote(raw []byte) (*parsedNote, error) {
	if len(raw) > MaxNote {
		return nil, protocol.Errorf(protocol.KindUntrusted, "note has %d bytes, more than %d", len(raw), MaxNote)
	}
	_, err := note.Open(raw, note.VerifierList()) // no key is known: what comes back is the parsed note
	var unverified *note.UnverifiedNoteError
	if !errors.As(err, &unverified) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "no signed note: %v", err)
	}
	n := &parsedNote{text: []byte(unverified.Note.Text)}
	if bytes.Count(raw[len(n.text)+1:], []byte("\n")) > MaxSignatures {
		return nil, protocol.Errorf(protocol.KindUntrusted, "note has more than %d signatures", MaxSignatures)
	}
	for _, text := range strings.SplitAfter(string(raw[len(n.text)+1:]), "\n") {
		if text == "" {
			continue
		}
		l, err := parseLine([]byte(text))
		if err != nil {
			return nil, err
		}
		n.lines = append(n.lines, *l)
	}
	return n, nil
}

// by returns the signatures of the key; a verifier passes over all others.
func (n *parsedNote) by(name string, id uint32) [][]byte {
	var sigs [][]byte
	for _, l := range n.lines {
		if l.name == name && l.id == id {
			sigs = append(sigs, l.sig)
		}
	}
	return sigs
}

const linePrefix = "— "

// parseLine reads a signature line with the newline that ends it.
func parseLine(raw []byte) (*line, error) {
	text, ended := strings.CutSuffix(string(raw), "\n")
	text, begun := strings.CutPrefix(text, linePrefix)
	name, encoded, parted := strings.Cut(text, " ")
	sig, err := decodeBase64(encoded)
	if !ended || !begun || !parted || err != nil || len(sig) < 5 || checkName(name) != nil {
		return nil, protocol.Errorf(protocol.KindUntrusted, "a line of the note is no signature")
	}
	return &line{name: name, id: binary.BigEndian.Uint32(sig), sig: sig[4:]}, nil
}

// format returns the line with the newline that ends it.
func (l *line) format() []byte {
	raw := binary.BigEndian.AppendUint32(nil, l.id)
	return []byte(linePrefix + l.name + " " + base64.StdEncoding.EncodeToString(append(raw, l.sig...)) + "\n")
}

// Attach returns the note with the signature lines added. A line takes the place
// of one by the same key. Nothing is verified here: what WitnessKey.Accept returns
// was.
func Attach(raw []byte, lines ...[]byte) ([]byte, error) {
	n, err := parseNote(raw)
	if err != nil {
		return nil, err
	}
	for _, text := range lines {
		l, err := parseLine(text)
		if err != nil {
			return nil, err
		}
		kept := n.lines[:0]
		for _, old := range n.lines {
			if old.name != l.name || old.id != l.id {
				kept = append(kept, old)
			}
		}
		n.lines = append(kept, *l)
	}
	return n.format()
}

func (n *parsedNote) format() ([]byte, error) {
	out := append(bytes.Clone(n.text), '\n')
	for _, l := range n.lines {
		out = append(out, l.format()...)
	}
	if len(out) > MaxNote || len(n.lines) > MaxSignatures {
		return nil, protocol.Errorf(protocol.KindUsage, "a note cannot hold %d signatures in %d bytes", len(n.lines), len(out))
	}
	return out, nil
}

// checkName holds a key's name to the rules of signed-note, and to MaxName.
func checkName(name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) || strings.Contains(name, "+") ||
		strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r < 0x20 }) {
		return protocol.Errorf(protocol.KindUntrusted, "%.64q is no name of a key: 1 to %d bytes without blanks and +", name, MaxName)
	}
	return nil
}

// vkey is the text form of a public key: NAME+ID+KEY.
type vkey struct {
	name string
	alg  byte
	key  []byte
}

// id returns the key's number in signature lines.
func (v vkey) id() uint32 {
	h := sha256.Sum256([]byte(v.name + "\n" + string(v.alg) + string(v.key)))
	return binary.BigEndian.Uint32(h[:])
}

// String returns the text form.
func (v vkey) String() string {
	return v.name + "+" + hex.EncodeToString(binary.BigEndian.AppendUint32(nil, v.id())) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{v.alg}, v.key...))
}

// parseVKey accepts only what String returns.
func parseVKey(text string) (vkey, error) {
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return vkey{}, protocol.Errorf(protocol.KindUntrusted, "%.64q is no key: the form is NAME+ID+KEY", text)
	}
	if err := checkName(parts[0]); err != nil {
		return vkey{}, err
	}
	raw, err := decodeBase64(parts[2])
	if err != nil || len(raw) < 2 {
		return vkey{}, protocol.Errorf(protocol.KindUntrusted, "the key of %s is not in base64", parts[0])
	}
	v := vkey{name: parts[0], alg: raw[0], key: raw[1:]}
	if v.String() != text {
		return vkey{}, protocol.Errorf(protocol.KindUntrusted, "the key of %s does not belong to its name and id", parts[0])
	}
	return v, nil
}

const secretPrefix = "PRIVATE+KEY+"

// parseSecret reads PRIVATE+KEY+NAME+ID+KEY, where ID is that of the public key.
func parseSecret(text string) (name string, alg byte, seed []byte, err error) {
	bad := protocol.Errorf(protocol.KindUntrusted, "no secret key: the form is PRIVATE+KEY+NAME+ID+KEY")
	rest, ok := strings.CutPrefix(text, secretPrefix)
	parts := strings.SplitN(rest, "+", 3)
	if !ok || len(parts) != 3 || checkName(parts[0]) != nil {
		return "", 0, nil, bad
	}
	raw, err := decodeBase64(parts[2])
	if err != nil || len(raw) != 1+seedSize {
		return "", 0, nil, bad
	}
	return parts[0], raw[0], raw[1:], nil
}

// formatSecret is what parseSecret reads.
func formatSecret(public vkey, seed []byte) string {
	return secretPrefix + public.name + "+" + hex.EncodeToString(binary.BigEndian.AppendUint32(nil, public.id())) + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{public.alg}, seed...))
}

// decodeBase64 accepts the one standard text for the bytes.
func decodeBase64(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
		return nil, protocol.Errorf(protocol.KindUntrusted, "no standard base64")
	}
	return raw, nil
}

// decodeHash reads a hash in base64.
func decodeHash(text string) (protocol.Hash, error) {
	raw, err := decodeBase64(text)
	if err != nil || len(raw) != len(protocol.Hash{}) {
		return protocol.Hash{}, protocol.Errorf(protocol.KindUntrusted, "%.64q is no hash in base64", text)
	}
	return protocol.Hash(raw), nil
}

func encodeHash(h protocol.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }
