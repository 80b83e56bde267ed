// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryManPageIsWhole: each page has the sections that people look for.
func TestEveryManPageIsWhole(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man")
	if code := run(t.Context(), []string{"man", dir}, &streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}); code != exitDone {
		t.Fatalf("solekey man: exit code %d", code)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages: %v", len(pages), err)
	}
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT"} {
			if !strings.Contains(string(page), "\n.SH "+section+"\n") {
				t.Errorf("%s has no section %s", filepath.Base(name), section)
			}
		}
	}
}

// TestExitCodesAreExplained: each code that a command can end with is in every
// manual page.
func TestExitCodesAreExplained(t *testing.T) {
	t.Parallel()
	for kind, code := range exitCodes {
		if exitWords[code] == "" {
			t.Errorf("%s ends with %d, which no page explains", kind, code)
		}
	}
	for code, words := range exitWords {
		if words == "" {
			t.Errorf("%d has no words", code)
		}
	}
}

// TestDocumentedExitCodes: the page for users says of each code what the manual
// says; it may say more.
func TestDocumentedExitCodes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "backup.md"))
	if err != nil {
		t.Fatal(err)
	}
	for code, words := range exitWords {
		row := fmt.Sprintf("| %d | %s", code, words)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/backup.md has no row %q", row)
		}
	}
}
