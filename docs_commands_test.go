// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// program is one of ours, built for the test, with the help it has given so far.
type program struct {
	path string
	help map[string]string
}

func buildPrograms(t *testing.T) map[string]*program {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, output)
	}
	built := map[string]*program{}
	for _, name := range []string{"solekey", "solekeyd", "solekey-witness", "solekey-audit"} {
		built[name] = &program{path: filepath.Join(dir, name), help: map[string]string{}}
	}
	return built
}

// ask gives the help of a command.
func (p *program) ask(t *testing.T, words []string) string {
	t.Helper()
	key := strings.Join(words, " ")
	if text, known := p.help[key]; known {
		return text
	}
	ask := exec.Command(p.path, append(slices.Clone(words), "--help")...)
	ask.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	output, err := ask.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s --help: %v\n%s", filepath.Base(p.path), key, err, output)
	}
	p.help[key] = string(output)
	return p.help[key]
}

// verbs gives the words of a command line that may name a command: those before the first flag, link or path.
func verbs(line string) []string {
	plain := regexp.MustCompile(`^[a-z][a-z-]*$`)
	var words []string
	for _, word := range strings.Fields(line)[1:] {
		if !plain.MatchString(word) {
			break
		}
		words = append(words, word)
	}
	return words
}

// missing says what in a command line the program's help does not know: a command, or a flag.
func missing(name, line, help string) []string {
	usage := regexp.MustCompile(`(?m)^Usage:\n\s+` + name + `((?: [a-z][a-z-]*)*)`).FindStringSubmatch(help)
	if usage == nil {
		return []string{"a usage line"}
	}
	var unknown []string
	known := strings.Fields(usage[1])
	words := verbs(line)
	switch group := strings.Contains(help, "Available Commands:"); {
	case !startsWith(words, known):
		unknown = append(unknown, "the command "+strings.Join(words, " "))
	case group && len(words) > len(known):
		unknown = append(unknown, "the command "+words[len(known)])
	}
	for _, flag := range regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`).FindAllStringSubmatch(line, -1) {
		if !strings.Contains(help, flag[1]) {
			unknown = append(unknown, "the flag "+flag[1])
		}
	}
	return unknown
}

func startsWith(words, head []string) bool {
	return len(words) >= len(head) && slices.Equal(words[:len(head)], head)
}

func TestMissingSeesUnknownCommandsAndFlags(t *testing.T) {
	const group = "tool device keeps devices.\n\nUsage:\n  tool device [command]\n\nAvailable Commands:\n  list\n"
	const leaf = "Usage:\n  tool device list [flags]\n\nFlags:\n      --json\n"
	cases := []struct {
		line, help string
		want       []string
	}{
		{"tool device list", leaf, nil},
		{"tool device list --json 'x'", leaf, nil},
		{"tool device list latest", leaf, nil},
		{"tool device list --xml", leaf, []string{"the flag --xml"}},
		{"tool device", group, nil},
		{"tool device frob", group, []string{"the command frob"}},
		{"tool frob", leaf, []string{"the command frob"}},
		{"tool frob", "what?", []string{"a usage line"}},
	}
	for _, c := range cases {
		if got := missing("tool", c.line, c.help); !slices.Equal(got, c.want) {
			t.Errorf("%s: missing %q, want %q", c.line, got, c.want)
		}
	}
}

// TestDocumentedCommandsExist holds every command line in the documents to the help of the program it calls.
func TestDocumentedCommandsExist(t *testing.T) {
	programs := buildPrograms(t)
	for name, page := range pages(t) {
		for tool, built := range programs {
			for _, line := range commands(page, tool) {
				for _, unknown := range missing(tool, line, built.ask(t, verbs(line))) {
					t.Errorf("%s says `%s`, and %s has no such thing: %s", name, line, tool, unknown)
				}
			}
		}
	}
}
