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

// Programs are the programs, built for one run of a package's tests.
type Programs struct {
	Dir              string // holds them all
	Device, Provider string // paths of solekey and solekeyd
}

// calm are the modules that the race detector leaves out, as in the Makefile.
var calm = []string{"modernc.org", "github.com/cloudflare/circl", "github.com/klauspost/compress", "github.com/zeebo/blake3", "golang.org/x/crypto"}

// Build builds the programs into a temporary folder: as the Makefile does, or,
// where that is wanted and the tests have it, with the race detector. Remove the
// folder with Close.
func Build(watched bool) (*Programs, error) {
	dir, err := os.MkdirTemp("", "solekey-programs-*")
	if err != nil {
		return nil, err
	}
	p := &Programs{Dir: dir, Device: filepath.Join(dir, "solekey"), Provider: filepath.Join(dir, "solekeyd")}
	flags, cgo := []string{"-trimpath", "-ldflags", "-s -w"}, "CGO_ENABLED=0"
	if watched && raced {
		flags, cgo = []string{"-race"}, "CGO_ENABLED=1"
		for _, module := range calm {
			flags = append(flags, "-gcflags="+module+"/...=-race=false")
		}
	}
	args := append([]string{"build", "-o", dir + string(filepath.Separator)}, flags...)
	build := exec.Command("go", append(args,
		"github.com/solekey/solekey/cmd/solekey", "github.com/solekey/solekey/cmd/solekeyd", "github.com/solekey/solekey/cmd/solekey-witness",
		"github.com/solekey/solekey/cmd/solekey-audit")...)
	build.Env = append(os.Environ(), cgo)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the programs: %w\n%s", err, output)
	}
	return p, nil
}

// Close removes the programs.
func (p *Programs) Close() error { return os.RemoveAll(p.Dir) }

// Main is TestMain for a package whose tests need the programs: it builds them as
// users have them, hands them to with, runs the tests and returns the exit code.
// The stories of this package alone run programs with the race detector, which
// are several times slower; see MainWatched.
func Main(m *testing.M, with func(*Programs)) int { return mainOf(m, with, false) }

// MainWatched is Main with programs that have the race detector where the tests
// have it.
func MainWatched(m *testing.M, with func(*Programs)) int { return mainOf(m, with, true) }

func mainOf(m *testing.M, with func(*Programs), watched bool) int {
	p, err := Build(watched)
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
