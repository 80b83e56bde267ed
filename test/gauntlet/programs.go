// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are the real programs, built with the clock that a test holds and
// with the tap that tells what is sealed: nothing else differs from those that
// are handed out.
type Programs struct {
	Dir                                string
	Device, Provider, Witness, Auditor string // paths of solekey, solekeyd, solekey-witness, solekey-audit
}

// Build builds all programs into a temporary folder. Remove it with Close.
func Build() (*Programs, error) {
	dir, err := os.MkdirTemp("", "solekey-gauntlet-programs-*")
	if err != nil {
		return nil, err
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "testclock,tap", "-o", dir+string(filepath.Separator), "github.com/solekey/solekey/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build the programs: %w\n%s", err, output), os.RemoveAll(dir))
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return &Programs{dir, at("solekey"), at("solekeyd"), at("solekey-witness"), at("solekey-audit")}, nil
}

// Close removes the programs.
func (p *Programs) Close() error { return os.RemoveAll(p.Dir) }
