// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// name writes a file's name or path for stdout: as it is where a program reads,
// and so that it can do nothing to a terminal.
func (a *app) name(raw []byte) string {
	if f, ok := a.Out.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return string(raw)
	}
	return printable(raw)
}

// printable writes bytes that are not printable text as escapes. A terminal acts
// on control bytes, and a right-to-left mark makes one name look like another.
func printable(raw []byte) string {
	if isPrintable(raw) {
		return string(raw)
	}
	quoted := strconv.Quote(string(raw))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

func isPrintable(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	for _, r := range string(raw) {
		if !unicode.IsPrint(r) || r == '\\' {
			return false
		}
	}
	return true
}

// addBase64 adds the exact bytes of a field that JSON cannot hold.
func addBase64(m map[string]any, field string, raw []byte) {
	if !utf8.Valid(raw) {
		m[field+"_base64"] = base64.StdEncoding.EncodeToString(raw)
	}
}
