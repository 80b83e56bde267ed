// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// pageHead begins docs/gauntlet.md.
const pageHead = `# The malicious provider

The table below is written by ${BT}go test ./test/gauntlet -update${BT}, and the same test without the flag fails where it is not
what the run found, but for the words in the column *It says*, which are examples. A server with all secrets of the provider stands before a real one and lies; the real client program answers.
Each attack is played three times: once without the lie, which must succeed; once with it; and once with it in a world that
differs in its secrets alone. Eight oracles hold always: I1 no secret and no plaintext leaves the device · I2 nothing unverified
reaches a file or the output · I3 what the device remembers does not move on a refusal, and never back · I4 what is sent after a failure
depends on nothing secret · I5 evidence is accepted by the auditor and holds no secret · I6 no pair of key and nonce seals two
plaintexts · I7 wraps go only to keys that a verified ledger holds · I8 the program ends in time, in bounded memory, and names the cause.

REJECT: a typed error, nothing was used. ALARM: the same, and the user is told that the provider lies. HOLD: nothing new is
written or believed. ISOLATE: the work goes on, and what the lie touches is marked or left out. IGNORE: the lie changes nothing.

`

// table prints outcomes, one row each.
func table(list []Outcome) string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Outcome) int { return strings.Compare(a.ID, b.ID) })
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(pageHead, "${BT}", "`"))
	b.WriteString("| Id | The provider | Commands | Client | Exit | It says | I1–I8 |\n|---|---|--:|---|---|---|---|\n")
	for _, o := range list {
		what := o.Name
		if o.How != "" {
			what += ". *" + o.How + "*"
		}
		var verdicts, codes []string
		for _, v := range o.Verdicts {
			verdicts = append(verdicts, string(v))
		}
		for _, c := range o.Codes {
			codes = append(codes, fmt.Sprint(c))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | hold |\n", o.ID, what, o.Faces, strings.Join(verdicts, " "), strings.Join(codes, " "), strings.Join(o.Says, "<br>"))
	}
	return b.String()
}

// settled is the page without what may differ from one run to the next: what the
// client says depends on which byte was hit.
func settled(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| G") && len(cells) == 7 {
			cells[5] = ""
			line = strings.Join(cells, " | ")
		}
		b.WriteString(line)
	}
	return b.String()
}

var (
	wordsOfIdentifiers = regexp.MustCompile(`\b[0-9a-f]{8,64}\b`)
	wordsOfPaths       = regexp.MustCompile(`("?)/[^ :",;]*`)
	wordsOfNumbers     = regexp.MustCompile(`\b[0-9]+\b`)
	wordsOfServers     = regexp.MustCompile("it says: .*")
)

// said is the first line of what the client says, without what differs from one
// run to the next.
func said(r Result, s *Scene) string {
	line := strings.TrimSpace(r.Err)
	if line == "" {
		line = strings.TrimSpace(r.Out)
	}
	line, _, _ = strings.Cut(line, "\n")
	var object struct{ Message string }
	if json.Unmarshal([]byte(line), &object) == nil && object.Message != "" {
		line = object.Message
	}
	if r.Code == 0 && r.Err == "" {
		return ""
	}
	line = strings.TrimPrefix(line, "solekey: ")
	line = strings.ReplaceAll(line, s.Dir, "")
	line = wordsOfServers.ReplaceAllString(line, "it says: …")
	line = wordsOfPaths.ReplaceAllString(line, "$1…")
	line = wordsOfIdentifiers.ReplaceAllString(line, "…")
	line = wordsOfNumbers.ReplaceAllString(line, "N")
	line = strings.ReplaceAll(line, "|", "\\|")
	if runes := []rune(line); len(runes) > 220 {
		line = string(runes[:220]) + " …"
	}
	return line
}
