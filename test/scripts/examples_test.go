// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package scripts

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// helps is what help was asked for already.
type helps map[string]string

// help asks a program for the help of a command.
func (h helps) help(t *testing.T, program string, words []string) string {
	t.Helper()
	key := strings.Join(append([]string{program}, words...), " ")
	if h[key] == "" {
		h[key] = help(t, program, words)
	}
	return h[key]
}

func help(t *testing.T, program string, words []string) string {
	t.Helper()
	c := exec.Command(filepath.Join(programs.Dir, program), append(slices.Clone(words), "--help")...)
	c.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	text, err := c.Output()
	if err != nil {
		t.Fatalf("%s %q --help: %v", program, words, err)
	}
	return string(text)
}

// section returns the indented lines under a heading of a help text.
func section(text, heading string) []string {
	_, rest, found := strings.Cut(text, heading+":\n")
	if !found {
		return nil
	}
	block, _, _ := strings.Cut(rest, "\n\n")
	var lines []string
	for line := range strings.Lines(block) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// examples returns the examples of a command and of all below it. Every command
// must have one, but for those that cobra makes.
func (h helps) examples(t *testing.T, program string, words []string) []string {
	t.Helper()
	text := h.help(t, program, words)
	found := section(text, "Examples")
	made := len(words) > 0 && (words[0] == "help" || words[0] == "completion")
	if len(found) == 0 && !made && len(words) > 0 {
		t.Errorf("%s %s has no example", program, strings.Join(words, " "))
	}
	if made && program != "solekey" {
		return nil
	}
	for _, line := range section(text, "Available Commands") {
		name, _, _ := strings.Cut(line, " ")
		found = append(found, h.examples(t, program, append(slices.Clone(words), name))...)
	}
	return found
}

// withoutComment strips what an example says about itself.
func withoutComment(example string) string {
	return strings.TrimSpace(regexp.MustCompile(`\s{2,}# .*$`).ReplaceAllString(example, ""))
}

// run is an example as a script says it runs it.
type run struct {
	script string
	line   string // what runs in its place
}

// claimed collects what the scripts say they run: a comment with the example,
// and in the next line the example itself or what stands for it here.
func claimed(t *testing.T) map[string]run {
	t.Helper()
	found := map[string]run{}
	for _, path := range scripts(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			example, is := strings.CutPrefix(line, "#: ")
			if !is {
				continue
			}
			next := i + 1
			for strings.HasPrefix(lines[next], "#: ") {
				next++
			}
			found[example] = run{script: filepath.Base(path), line: lines[next]}
		}
	}
	return found
}

var verbs = regexp.MustCompile(`(solekeyd?)((?: [a-z][a-z-]*)*)`)

// verbOf returns program and command of a line: solekey device list.
func verbOf(line string, known []string) string {
	found := verbs.FindStringSubmatch(line)
	if found == nil {
		return ""
	}
	words := append([]string{found[1]}, strings.Fields(found[2])...)
	for n := len(words); n > 0; n-- {
		if verb := strings.Join(words[:n], " "); slices.Contains(known, verb) {
			return verb
		}
	}
	return words[0]
}

// commandsOf returns the names of a program's commands, the program first.
func (h helps) commandsOf(t *testing.T, program string, words []string) []string {
	t.Helper()
	found := []string{strings.Join(append([]string{program}, words...), " ")}
	for _, line := range section(h.help(t, program, words), "Available Commands") {
		name, _, _ := strings.Cut(line, " ")
		found = append(found, h.commandsOf(t, program, append(slices.Clone(words), name))...)
	}
	return found
}

// TestEveryExampleRuns: each line under Examples of each --help runs in a
// script, or something of the same command that the script says stands for it.
func TestEveryExampleRuns(t *testing.T) {
	t.Parallel()
	runs, h := claimed(t), helps{}
	wanted := map[string]bool{}
	var known []string
	for _, program := range []string{"solekey", "solekeyd", "solekey-audit"} {
		known = append(known, h.commandsOf(t, program, nil)...)
		// man is for packagers and hidden from people.
		known = append(known, program+" man")
		for _, example := range append(h.examples(t, program, nil), h.examples(t, program, []string{"man"})...) {
			wanted[withoutComment(example)] = true
		}
	}
	for _, example := range slices.Sorted(maps.Keys(wanted)) {
		there, ok := runs[example]
		if !ok {
			t.Errorf("no script runs this example: %s", example)
			continue
		}
		if want, got := verbOf(example, known), verbOf(there.line, known); want != got {
			t.Errorf("%s: `%s` runs %q, the example %q is %q", there.script, there.line, got, example, want)
		}
	}
	for example, there := range runs {
		if !wanted[example] {
			t.Errorf("%s: no help has the example %s any more", there.script, example)
		}
	}
}
