// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Programs are the two programs, built for one run of a package's tests.
type Programs struct {
	Dir              string // holds both
	Device, Provider string // paths of solekey and solekeyd
}

// Build builds both programs into a temporary folder, with the race detector
// where the tests have it. Remove the folder with Close.
func Build() (*Programs, error) {
	dir, err := os.MkdirTemp("", "solekey-programs-*")
	if err != nil {
		return nil, err
	}
	p := &Programs{Dir: dir, Device: filepath.Join(dir, "solekey"), Provider: filepath.Join(dir, "solekeyd")}
	args, cgo := []string{"build", "-o", dir + string(filepath.Separator)}, "CGO_ENABLED=0"
	if raced {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.Command("go", append(args, "github.com/solekey/solekey/cmd/solekey", "github.com/solekey/solekey/cmd/solekeyd")...)
	build.Env = append(os.Environ(), cgo)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the programs: %w\n%s", err, output)
	}
	return p, nil
}

// Close removes the programs.
func (p *Programs) Close() error { return os.RemoveAll(p.Dir) }

// Main is TestMain for a package whose tests need the programs: it builds them,
// hands them to with, runs the tests and returns the exit code.
func Main(m *testing.M, with func(*Programs)) int {
	p, err := Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	with(p)
	code := m.Run()
	if err := p.Close(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
