// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package vectors reads, checks and writes the test vectors of spec/vectors:
// one case a file, a text header, and the bytes as hexadecimal lines.
//
// A package's test calls Run with its prefix, a generator and one check for
// each format; every file of the prefix is then read and held to its check,
// and what no generator or check knows fails. With the flag -update the files
// are written anew. The form of a file is told in spec/vectors/README.md.
package vectors

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// lineBytes is how many bytes stand on one hexadecimal line.
const lineBytes = 32

// Valid is the value of the expect line of a case that is to be accepted; any
// other value is the protocol.Kind of the error that is to be given.
const Valid = "valid"

// Field is one line of a header.
type Field struct{ Key, Value string }

// Vector is one case.
type Vector struct {
	Name   string   // of the file, without folder and ".txt"
	Header []Field  // in the order of the file; keys are unique
	Parts  [][]byte // the byte strings, none of them empty

	read map[string]bool // keys that a check asked for
}

// New returns a case. The name begins with its package's prefix; the case is
// one sentence on what it shows; the format chooses the check.
func New(name, says, format, expect string, parts ...[]byte) *Vector {
	v := &Vector{Name: name, Parts: parts}
	return v.With("case", says).With("format", format).With("expect", expect)
}

// With adds a header line and returns v.
func (v *Vector) With(key, value string) *Vector {
	v.Header = append(v.Header, Field{key, value})
	return v
}

// WithHex adds a header line whose value is hexadecimal and returns v.
func (v *Vector) WithHex(key string, value []byte) *Vector {
	return v.With(key, hex.EncodeToString(value))
}

// Lookup returns the value of a header line and whether it is there.
func (v *Vector) Lookup(key string) (string, bool) {
	for _, f := range v.Header {
		if f.Key == key {
			if v.read == nil {
				v.read = map[string]bool{}
			}
			v.read[key] = true
			return f.Value, true
		}
	}
	return "", false
}

// Randomised reports whether the bytes were drawn at random once, so that a
// generator cannot make them again.
func (v *Vector) Randomised() bool {
	value, _ := v.Lookup("randomised")
	return value == "yes"
}

// unread returns the header lines that nothing asked for.
func (v *Vector) unread() []string {
	var keys []string
	for _, f := range v.Header {
		if !v.read[f.Key] {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// Format returns the file's text. It refuses what Parse would not read back.
func (v *Vector) Format() ([]byte, error) {
	var b bytes.Buffer
	for _, f := range v.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Key, f.Value)
	}
	for _, part := range v.Parts {
		b.WriteByte('\n')
		for len(part) > 0 {
			n := min(lineBytes, len(part))
			fmt.Fprintf(&b, "%x\n", part[:n])
			part = part[n:]
		}
	}
	again, err := Parse(v.Name, b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format vector: %w", err)
	}
	if len(again.Parts) != len(v.Parts) {
		return nil, fmt.Errorf("format vector %s: an empty part has no form", v.Name)
	}
	return b.Bytes(), nil
}

// Parse reads a file's text, strictly: there is one text for one vector.
func Parse(name string, text []byte) (*Vector, error) {
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, fmt.Errorf("parse vector %s: it does not end with a line", name)
	}
	paragraphs := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n\n")
	v := &Vector{Name: name}
	for _, line := range strings.Split(paragraphs[0], "\n") {
		if err := v.parseHeader(line); err != nil {
			return nil, fmt.Errorf("parse vector %s: %w", name, err)
		}
	}
	for _, paragraph := range paragraphs[1:] {
		part, err := parsePart(paragraph)
		if err != nil {
			return nil, fmt.Errorf("parse vector %s: part %d: %w", name, len(v.Parts), err)
		}
		v.Parts = append(v.Parts, part)
	}
	return v, nil
}

func (v *Vector) parseHeader(line string) error {
	key, value, ok := strings.Cut(line, ": ")
	if !ok || key == "" || strings.ContainsAny(key, " \t:") || value != strings.TrimSpace(value) || value == "" {
		return fmt.Errorf("header line %q is not \"key: value\"", line)
	}
	for _, f := range v.Header {
		if f.Key == key {
			return fmt.Errorf("header line %q stands there twice", key)
		}
	}
	v.Header = append(v.Header, Field{key, value})
	return nil
}

func parsePart(paragraph string) ([]byte, error) {
	var part []byte
	lines := strings.Split(paragraph, "\n")
	for i, line := range lines {
		b, err := hex.DecodeString(line)
		if err != nil {
			return nil, err
		}
		full := len(b) == lineBytes || i == len(lines)-1 && len(b) > 0 && len(b) < lineBytes
		if !full || line != strings.ToLower(line) {
			return nil, fmt.Errorf("hexadecimal line %d is not as it is written", i)
		}
		part = append(part, b...)
	}
	return part, nil
}
