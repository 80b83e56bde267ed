// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package scripts

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// documents are the pages whose commands are for users.
var documents = []string{"README.md", "docs/backup.md", "docs/recovery.md", "docs/self-hosting.md", "docs/witness.md", "docs/auditing.md", "docs/transparency.md"}

// runnable returns what a page runs, as one script: the blocks that are fenced
// as "sh run", and what stands in comments that begin with "run" and prepares
// what a reader has before.
func runnable(page string) string {
	var script strings.Builder
	inside, end := false, ""
	for line := range strings.Lines(page) {
		trimmed := strings.TrimSpace(line)
		switch {
		case inside && trimmed == end:
			inside = false
		case inside:
			script.WriteString(line)
		case trimmed == "```sh run":
			inside, end = true, "```"
		case trimmed == "<!-- run":
			inside, end = true, "-->"
		}
	}
	return script.String()
}

// here puts what there is in the test in the place of what documents name.
var here = strings.NewReplacer(
	"'https://192.168.1.5:8443/i/ah…'", `"$INVITE"`, "'https://192.168.1.5:8443/i/ae…'", `"$LINK"`,
	"https://192.168.1.5:8443/v1/log", `"$LOGURL"`, "'cloud.example.org+1b2c3d4e+AT…'", `"$LOGKEY"`,
	"/tmp/", "$WORK/tmp/", "/mnt/usb/", "$WORK/usb/", "/srv/solekeyd", "$WORK/srv",
)

// TestDocumentsRun runs the commands of the documents in their order, each page
// on an empty machine with a provider of its own.
func TestDocumentsRun(t *testing.T) {
	t.Parallel()
	for _, name := range documents {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".md"), func(t *testing.T) {
			t.Parallel()
			page, err := os.ReadFile(filepath.Join("..", "..", name))
			if err != nil {
				t.Fatal(err)
			}
			script := here.Replace(runnable(string(page)))
			if !strings.Contains(script, "\nsolekey") {
				t.Fatal("nothing of it runs")
			}
			path := filepath.Join(t.TempDir(), filepath.Base(name)+".sh")
			if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
				t.Fatal(err)
			}
			runScript(t, path)
		})
	}
}

// TestEveryPageWithRunsIsListed keeps pages from marking blocks that nobody runs.
func TestEveryPageWithRunsIsListed(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "spec/*.md"} {
		found, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			page, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, filepath.Join("..", "..")+string(filepath.Separator)))
			if runnable(string(page)) != "" && !slices.Contains(documents, name) {
				t.Errorf("%s has commands to run and is not among the documents that are run", name)
			}
		}
	}
}

func TestRunnableTakesMarkedBlocksOnly(t *testing.T) {
	t.Parallel()
	page := "text\n```sh\nno\n```\n<!-- run\nprepare\n-->\n```sh run\nyes\n```\n<!-- a comment -->\n"
	if got := runnable(page); got != "prepare\nyes\n" {
		t.Errorf("runs %q", got)
	}
}
