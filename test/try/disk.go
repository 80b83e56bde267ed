// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/test/search"
)

// needle is something that the provider's disk must not hold.
type needle struct {
	name  string
	bytes []byte
}

// gatherSecrets opens a device as its owner can and notes every secret in it.
func (s *stage) gatherSecrets(device string) error {
	kept, err := state.OpenReader(s.path(device+"/state"), s.path(device+"/cache"))
	if err != nil {
		return err
	}
	defer kept.Close()
	secrets, err := kept.Unlock(state.Access{KeyFile: s.path(device + ".key")})
	if err != nil {
		return err
	}
	key, err := os.ReadFile(s.path(device + ".key"))
	if err != nil {
		return err
	}
	signing := secrets.Member.Signing.Expose()
	s.secrets = append(s.secrets,
		needle{device + "'s signing seed (Ed25519)", signing[:32]},
		needle{device + "'s signing seed (ML-DSA)", signing[32:]},
		needle{device + "'s wrap seed", secrets.Member.Wrap.Expose()},
		needle{device + "'s key file", []byte(strings.TrimSpace(string(key)))},
	)
	return s.gatherVault(kept, secrets)
}

// gatherVault notes the secrets of the account's vaults.
func (s *stage) gatherVault(kept *state.State, secrets *state.Secrets) error {
	ledger, err := kept.Ledger()
	if err != nil {
		return err
	}
	ring, err := keyring.Open(ledger, kept.Object, secrets.Member)
	if err != nil {
		return err
	}
	for _, v := range ledger.Vaults() {
		opened, err := ring.Vault(v.ID)
		if err != nil {
			return err
		}
		wrap, err := opened.Wrap(v.Epoch())
		if err != nil {
			return err
		}
		s.secrets = append(s.secrets,
			needle{"the vault's content secret", opened.Content().Root.Expose()},
			needle{"the vault's wrap seed", wrap.Expose()})
	}
	return nil
}

// Limits of what is looked for, so that the search ends within a minute.
const (
	maxNames    = 20000
	maxContents = 20000
	windowSize  = 24
)

// searchDisk searches everything that the provider stored.
func (s *stage) searchDisk() error {
	look := search.New()
	names, contents, err := s.addPlaintext(look)
	if err != nil {
		return err
	}
	for _, n := range s.secrets {
		look.Add(n.name, n.bytes)
	}
	if err := s.addWords(look); err != nil {
		return err
	}
	if err := s.showDisk(); err != nil {
		return err
	}
	finds, size, err := look.ScanTree(s.path("provider"))
	if err != nil {
		return err
	}
	for _, f := range finds {
		fmt.Printf("   FOUND %s in %s at %d\n", f.Needle, strings.TrimPrefix(f.Path, s.tmp), f.Offset)
	}
	if len(finds) > 0 {
		return fmt.Errorf("the provider's disk holds what it must not know")
	}
	fmt.Printf("   searched %d MiB for %d names, %d pieces of content, %d keys, and words of yours,\n", size>>20, names, contents, len(s.secrets))
	fmt.Printf("   as they are and in hex, base64, base32 and UTF-16 (%d byte strings): none is there\n", look.Needles())
	return nil
}

// addWords adds the words and the recovery key that only devices and paper know.
func (s *stage) addWords(look *search.Searcher) error {
	for _, word := range []string{"laptop-of-try", "phone-of-try", "tag-of-try", s.password} {
		look.Add("the word "+word, []byte(word))
	}
	host, err := os.Hostname()
	if err == nil {
		look.Add("the host's name", []byte(host))
	}
	kit, err := os.ReadFile(s.path("kit"))
	if err != nil {
		return err
	}
	written := regexp.MustCompile(`(?:[A-Z2-7]{4}-){8}[A-Z2-7]{4}`).FindString(string(kit))
	look.Add("the recovery key", []byte(written))
	look.Add("the recovery key", []byte(strings.ReplaceAll(written, "-", "")))
	return nil
}

// addPlaintext adds names and pieces of content of what was backed up, spread
// over all of it.
func (s *stage) addPlaintext(look *search.Searcher) (names, contents int, err error) {
	var paths []string
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != s.dir {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	step := max(1, len(paths)/maxNames)
	for i := 0; i < len(paths); i += step {
		if name := filepath.Base(paths[i]); len(name) >= 12 && look.Add("the name "+name, []byte(name)) {
			names++
		}
	}
	step = max(1, len(paths)/maxContents)
	for i := 0; i < len(paths); i += step {
		if window := pieceOf(paths[i]); window != nil && look.Add("content of "+paths[i], window) {
			contents++
		}
	}
	return names, contents, nil
}

// pieceOf returns some bytes from the middle of a file, nil where they would say
// nothing: a run of one byte stands in every file.
func pieceOf(path string) []byte {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() < 4*windowSize {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	window := make([]byte, windowSize)
	if _, err := f.ReadAt(window, info.Size()/2); err != nil {
		return nil
	}
	distinct := map[byte]bool{}
	for _, b := range window {
		distinct[b] = true
	}
	if len(distinct) < 8 {
		return nil
	}
	return window
}

// showDisk says what kinds of things the provider stored.
func (s *stage) showDisk() error {
	type sum struct {
		files int
		bytes int64
	}
	kinds, order := map[string]*sum{}, []string{}
	root := s.path("provider")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		kind := kindOf(rel)
		if kinds[kind] == nil {
			kinds[kind] = &sum{}
			order = append(order, kind)
		}
		kinds[kind].files++
		kinds[kind].bytes += info.Size()
		return nil
	})
	fmt.Println("   the provider's disk holds:")
	for _, kind := range order {
		fmt.Printf("      %-40s %7d files %12d bytes\n", kind, kinds[kind].files, kinds[kind].bytes)
	}
	return err
}

// identifier is a path element that is only an identifier.
var identifier = regexp.MustCompile(`^[0-9a-f]{2}$|^[0-9a-f]{32,}$`)

// kindOf returns the path without the identifiers in it.
func kindOf(rel string) string {
	var parts []string
	for _, part := range strings.Split(rel, string(filepath.Separator)) {
		if identifier.MatchString(part) {
			part = "*"
		}
		if n := len(parts); part != "*" || n == 0 || parts[n-1] != "*" {
			parts = append(parts, part)
		}
	}
	return filepath.Join(parts...)
}
