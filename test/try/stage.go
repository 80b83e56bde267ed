// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/solekey/solekey/device/files"
)

// stage holds what the story plays with.
type stage struct {
	ctx      context.Context
	dir      string // what is backed up
	tmp      string // everything the story makes
	password string
	provider *exec.Cmd
	invite   string
	secrets  []needle // of the devices, gathered before they are lost
}

// newStage makes a place for the story and builds the two programs.
func newStage(ctx context.Context, dir string) (*stage, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".solekey-try-")
	if err != nil {
		if tmp, err = os.MkdirTemp("", "solekey-try-"); err != nil {
			return nil, err
		}
	}
	words := make([]byte, 12)
	_, _ = rand.Read(words) // crypto/rand.Read never fails
	s := &stage{ctx: ctx, dir: dir, tmp: tmp, password: "try-" + hex.EncodeToString(words)}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", tmp+"/", "./cmd/solekey", "./cmd/solekeyd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		s.clear()
		return nil, fmt.Errorf("build the programs: %w", err)
	}
	return s, os.WriteFile(s.path("password"), []byte(s.password+"\n"), 0o600)
}

func (s *stage) path(name string) string { return filepath.Join(s.tmp, name) }

// clear ends the provider and removes what the story made.
func (s *stage) clear() {
	if s.provider != nil {
		_ = s.provider.Process.Kill()
		_ = s.provider.Wait()
	}
	makeRemovable(s.tmp)
	_ = os.RemoveAll(s.tmp)
}

// makeRemovable gives back the right to delete below restored folders that are
// not writable.
func makeRemovable(root string) {
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
}

// startProvider starts solekeyd and reads the invite that it prints.
func (s *stage) startProvider() error {
	s.provider = exec.CommandContext(s.ctx, s.path("solekeyd"), "up", "--data", s.path("provider"), "--listen", "127.0.0.1:0", "--metrics", "")
	out, err := s.provider.StdoutPipe()
	if err != nil {
		return err
	}
	s.provider.Stderr = os.Stderr
	if err := s.provider.Start(); err != nil {
		return err
	}
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := inviteURL.FindString(lines.Text()); m != "" {
				found <- m
			}
		}
		close(found)
	}()
	select {
	case url, ok := <-found:
		if !ok {
			return errors.New("the provider ended without printing an invite")
		}
		s.invite = url
		fmt.Printf("   solekeyd up   → %s\n", url)
		return nil
	case <-time.After(time.Minute):
		return errors.New("the provider prints no invite")
	}
}

var (
	inviteURL = regexp.MustCompile(`https://[^/ ]+/i/[a-z2-7]+`)
	longCode  = regexp.MustCompile(`\b(?:[A-Z2-7]{6}-){9}[A-Z2-7]{6}\b`)
)

// solekey prepares the client program as one device.
func (s *stage) solekey(device string, args ...string) *exec.Cmd {
	c := exec.CommandContext(s.ctx, s.path("solekey"), args...)
	c.Env = append(os.Environ(),
		"SOLEKEY_STATE_DIR="+s.path(device+"/state"), "SOLEKEY_CACHE_DIR="+s.path(device+"/cache"),
		"SOLEKEY_KEY_FILE="+s.path(device+".key"), "SOLEKEY_PASSWORD_FILE="+s.path("password"))
	return c
}

// do runs the client program and shows what it says.
func (s *stage) do(device string, args ...string) error {
	fmt.Printf("   %s$ solekey %s\n", device, strings.Join(args, " "))
	c := s.solekey(device, args...)
	var said bytes.Buffer
	c.Stdout = io.MultiWriter(&said, indented{os.Stdout})
	c.Stderr = indented{os.Stderr}
	return c.Run()
}

// indented writes lines with some space before each.
type indented struct{ w io.Writer }

// Write implements io.Writer.
func (i indented) Write(p []byte) (int, error) {
	for _, line := range bytes.SplitAfter(p, []byte("\n")) {
		if len(line) > 0 {
			fmt.Fprintf(i.w, "      %s", line)
		}
	}
	return len(p), nil
}

func (s *stage) join() error {
	return s.do("laptop", "join", s.invite, "--name", "try", "--device-name", "laptop-of-try", "--recovery-out", s.path("kit"))
}

func (s *stage) backup() error { return s.do("laptop", "backup", "--tag", "tag-of-try", s.dir) }

// addDevice lets a second device ask, and the first approve it by its code.
func (s *stage) addDevice() error {
	link, err := s.solekey("laptop", "device", "link").Output()
	if err != nil {
		return fmt.Errorf("device link: %w", err)
	}
	url := inviteURL.FindString(string(link))
	fmt.Printf("   phone$ solekey join %s --name try\n", url)
	c := s.solekey("phone", "join", url, "--name", "try", "--device-name", "phone-of-try")
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	c.Stderr = c.Stdout
	if err := c.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	approved := false
	for lines.Scan() {
		fmt.Printf("      %s\n", lines.Text())
		if code := longCode.FindString(lines.Text()); code != "" && !approved {
			approved = true
			if err := s.do("laptop", "device", "approve", code); err != nil {
				return err
			}
		}
	}
	if err := c.Wait(); err != nil {
		return err
	}
	if !approved {
		return errors.New("the new device showed no code")
	}
	return s.do("phone", "snapshots")
}

// loseDevices gathers the devices' secrets, to search for them later, and
// deletes the devices.
func (s *stage) loseDevices() error {
	for _, device := range []string{"laptop", "phone"} {
		if err := s.gatherSecrets(device); err != nil {
			return err
		}
		for _, name := range []string{device, device + ".key"} {
			if err := os.RemoveAll(s.path(name)); err != nil {
				return err
			}
		}
		fmt.Printf("   %s is gone\n", device)
	}
	return nil
}

func (s *stage) recover() error {
	kit, err := os.ReadFile(s.path("kit"))
	if err != nil {
		return err
	}
	_, _ = indented{os.Stdout}.Write(kit)
	return s.do("empty", "join", "--recovery-kit", s.path("kit"), "--device-name", "found-again")
}

func (s *stage) restore() error {
	return s.do("empty", "restore", "latest", "--target", s.path("restored"))
}

// compare holds what was restored against what was backed up.
func (s *stage) compare() error {
	result, err := files.Compare(s.dir, filepath.Join(s.path("restored"), s.dir), files.CompareOptions{})
	if err != nil {
		return err
	}
	for i, d := range result.Differences {
		if i == 20 {
			fmt.Printf("   … and %d more\n", len(result.Differences)-i)
			break
		}
		fmt.Printf("   differs: %v\n", d)
	}
	if n := len(result.Differences); n > 0 {
		return fmt.Errorf("%d properties differ", n)
	}
	fmt.Printf("   all %d entries (%d bytes of content) are identical: content, type, mode, owners,\n", result.Entries, result.Bytes)
	fmt.Println("   times, link targets, hard links, attributes, holes")
	return nil
}
