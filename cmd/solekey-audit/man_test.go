// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
)

func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	want(t, 0, "man", dir)
	for _, name := range []string{"solekey-audit", "solekey-audit-follow", "solekey-audit-evidence", "solekey-audit-status"} {
		if _, err := os.Stat(filepath.Join(dir, name+".1")); err != nil {
			t.Error(err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pages {
		page, err := os.ReadFile(name)
		if err != nil || !bytes.HasPrefix(page, []byte(".TH ")) {
			t.Errorf("%s is no page: %v", filepath.Base(name), err)
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT"} {
			if !bytes.Contains(page, []byte("\n.SH "+section+"\n")) {
				t.Errorf("%s has no section %s", filepath.Base(name), section)
			}
		}
	}
}

// TestManPagesNameTheExitCodes: what a page says about exit codes is what the
// program ends with.
func TestManPagesNameTheExitCodes(t *testing.T) {
	named := map[string]bool{}
	for _, item := range exitWords {
		named[item[0]] = true
	}
	for _, kind := range []protocol.Kind{
		protocol.KindInternal, protocol.KindUsage, protocol.KindNotFound,
		protocol.KindUntrusted, protocol.KindUnreachable, protocol.KindInterrupted, protocol.KindTooOld, protocol.KindUnsupported,
	} {
		if code := strconv.Itoa(exitCode(protocol.Errorf(kind, "it failed"))); !named[code] {
			t.Errorf("%s ends with %s, which no page explains", kind, code)
		}
	}
}
