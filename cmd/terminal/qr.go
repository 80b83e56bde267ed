// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"io"
	"strings"

	"rsc.io/qr"
)

// PrintQR writes a code in half blocks with its quiet zone; light is drawn, as
// terminals are dark. The text is taken in upper case, which makes smaller codes:
// what is shown must mean the same so. A text that does not fit is left out, for
// it always stands beside the code in words.
func PrintQR(out io.Writer, text string) {
	code, err := qr.Encode(strings.ToUpper(text), qr.L)
	if err != nil {
		return
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
