// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestTakenAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := command("up", "--data", filepath.Join(t.TempDir(), "data"), "--listen", taken.Addr().String())
	if r.code != 2 || !strings.Contains(r.err, "--listen") {
		t.Errorf("code %d: %s", r.code, r.err)
	}
}

func TestNoAccountsYet(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, data)
	defer s.end()
	if said := must(t, "account", "list", "--data", data); !strings.Contains(said, "solekeyd invite") {
		t.Errorf("said %q", said)
	}
	if said := must(t, "account", "list", "--data", data, "--json"); said != "" {
		t.Errorf("said %q to a program", said)
	}
}
