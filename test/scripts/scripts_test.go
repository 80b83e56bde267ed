// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package scripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/solekey/solekey/test/world"
)

// programs is set before any test runs and then read only.
var programs *world.Programs

func TestMain(m *testing.M) {
	os.Exit(world.Main(m, func(p *world.Programs) { programs = p }))
}

// scripts returns the paths of all scripts.
func scripts(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.sh")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return paths
}

// TestScripts runs every script. What a script writes to a file that ends in
// .json must be a JSON object a line.
func TestScripts(t *testing.T) {
	t.Parallel()
	for _, path := range scripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".sh"), func(t *testing.T) {
			t.Parallel()
			runScript(t, path)
		})
	}
}

func runScript(t *testing.T, path string) {
	t.Helper()
	w := world.New(t, programs)
	script, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	prelude, err := filepath.Abs("testdata/prelude.bash")
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(w.Dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("bash", "-euo", "pipefail", "-c", `source "$0"; source "$1"`, prelude, script)
	c.Dir = work
	c.Env = []string{
		"PATH=" + programs.Dir + string(os.PathListSeparator) + os.Getenv("PATH"), "WORK=" + work, "TMPDIR=" + os.TempDir(),
		"LC_ALL=C.UTF-8", "TZ=UTC", "USER=tester", "INVITE=" + w.Provider.Invite(), "SOLEKEYD_DATA=" + w.Provider.Data,
		"DOMAIN=" + w.Net.Address(),
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Errorf("%s: %v\n%s", path, err, last(out.String(), 60))
	}
	checkJSON(t, work)
}

// last returns the last n lines.
func last(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

// checkJSON parses what a script left in files that end in .json.
func checkJSON(t *testing.T, work string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(work, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range world.Lines(t, string(text)) {
			if kind, ok := line["message_type"].(string); !ok || kind == "" {
				t.Errorf("%s: %v has no message_type", filepath.Base(path), line)
			}
		}
	}
}
