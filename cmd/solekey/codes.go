// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
	"rsc.io/qr"
)

// showQR shows a code where stderr is a terminal.
func (a *app) showQR(text string) {
	f, ok := a.Err.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && !a.flags.json && !a.flags.quiet {
		printQR(a.Err, text)
	}
}

// printQR writes a code in half blocks with its quiet zone; light is drawn, as
// terminals are dark. Upper case makes smaller codes.
func printQR(out io.Writer, text string) {
	code, err := qr.Encode(strings.ToUpper(text), qr.L)
	if err != nil {
		return // it does not fit; the text is there in words
	}
	const quiet = 2
	for y := -quiet; y < code.Size+quiet; y += 2 {
		var line strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			line.WriteString(half(code.Black(x, y), code.Black(x, y+1)))
		}
		fmt.Fprintln(out, "  "+line.String())
	}
}

// half draws two modules, one above the other.
func half(top, bottom bool) string {
	switch {
	case top && bottom:
		return " "
	case top:
		return "▄"
	case bottom:
		return "▀"
	}
	return "█"
}

// grouped writes a long code in groups of six, so that people can read it out.
func grouped(code string) string {
	var groups []string
	for len(code) > 6 {
		groups, code = append(groups, code[:6]), code[6:]
	}
	return strings.Join(append(groups, code), "-")
}
