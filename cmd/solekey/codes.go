// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/solekey/solekey/cmd/terminal"
)

// showQR shows a code where stderr is a terminal.
func (a *app) showQR(text string) {
	f, ok := a.Err.(*os.File)
	if ok && term.IsTerminal(int(f.Fd())) && !a.flags.json && !a.flags.quiet {
		terminal.PrintQR(a.Err, text)
	}
}

// grouped writes a long code in groups of six, so that people can read it out.
func grouped(code string) string {
	var groups []string
	for len(code) > 6 {
		groups, code = append(groups, code[:6]), code[6:]
	}
	return strings.Join(append(groups, code), "-")
}
