// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
)

// recoveryKit is the page that brings an account back when every device is lost.
type recoveryKit struct {
	key   *keyring.RecoveryKey
	place *keyring.Place
}

// newKit returns the kit of a recovery key for the account that a device is in, in
// the world that it joined.
func newKit(key *keyring.RecoveryKey, d *state.Device, w *directory.World) *recoveryKit {
	place := &keyring.Place{Account: d.Account, Server: d.Server, Pin: protocol.Hash(d.Pin), Name: d.Name, World: w.Bytes()}
	return &recoveryKit{key: key, place: place}
}

// box returns what the provider keeps for whoever comes back with the key.
func (k *recoveryKit) box() api.RecoveryBox {
	return api.RecoveryBox{Locator: k.key.Locator(), Box: k.key.SealPlace(k.place)}
}

// Lines of the kit that are read back by a program.
const (
	kitServer = "Server:"
	kitKey    = "Recovery key:"
)

// text returns the page.
func (k *recoveryKit) text() string {
	server := api.Invite{Host: k.place.Server, Pin: api.Pin(k.place.Pin)}
	return fmt.Sprintf(`SOLEKEY RECOVERY KIT

Whoever holds this page can open the account. Print it, keep it where you keep
what must not be lost, and delete the file.

Account:      %s
%s       %s
%s %s

To come back on an empty machine:

    solekey join --recovery-kit FILE-WITH-THIS-PAGE

or without the file, with the server as above, typing the key:

    solekey join --recover SERVER
`, k.place.Name, kitServer, server.URL(), kitKey, k.key.Written())
}

// parsedKit is what a page says: where to ask, and the key.
type parsedKit struct {
	server api.Invite
	key    *keyring.RecoveryKey
}

// maxKit bounds a kit's file in bytes.
const maxKit = 64 << 10

// parseKit reads a page, however it was copied, as long as the two lines stand.
func parseKit(data []byte) (*parsedKit, error) {
	kit := new(parsedKit)
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxKit)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		var err error
		if text, ok := strings.CutPrefix(line, kitServer); ok {
			kit.server, err = parseLink(text)
		} else if text, ok := strings.CutPrefix(line, kitKey); ok {
			kit.key, err = keyring.ParseRecoveryKey(text)
		}
		if err != nil {
			return nil, protocol.Wrap(protocol.KindOf(err), err, "read recovery kit")
		}
	}
	if kit.key == nil || kit.server.Host == "" {
		return nil, protocol.Errorf(protocol.KindUsage, "this is no recovery kit: it needs a line %q and a line %q", kitServer, kitKey)
	}
	return kit, nil
}

// readKit reads a kit from a file; - is standard input.
func (a *app) readKit(path string) (*parsedKit, error) {
	in := a.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "read --recovery-kit")
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxKit+1))
	if err == nil && len(data) > maxKit {
		err = errors.New("it is too long for a recovery kit")
	}
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "read --recovery-kit")
	}
	return parseKit(data)
}

// askRecoveryKey asks for the key: on a terminal without showing it, until it is
// typed right; else one line of standard input.
func (a *app) askRecoveryKey() (*keyring.RecoveryKey, error) {
	for {
		text, err := a.readSecretLine("Recovery key: ")
		if err != nil {
			return nil, err
		}
		key, err := keyring.ParseRecoveryKey(text)
		if err == nil || !a.asksOnTerminal() {
			return key, err
		}
		a.warn("%v", err)
	}
}

// kitHasPlace refuses, before anything is made, where the kit could not be handed
// over.
func (a *app) kitHasPlace(path string) error {
	if path == "" {
		if a.asksOnTerminal() {
			return nil
		}
		return protocol.Errorf(protocol.KindUsage, "there is no terminal to show the recovery kit on: name a file for it (--recovery-out for join, --out for recovery kit)")
	}
	if _, err := os.Lstat(path); err == nil {
		return protocol.Errorf(protocol.KindUsage, "the file %s for the recovery kit exists already: name a new one; nothing was changed", path)
	}
	return nil
}

// handOverKit gives the kit to the user: into a file, or on the screen with a
// part typed back.
func (a *app) handOverKit(path string, kit *recoveryKit) error {
	if path != "" {
		return writeNewFile(path, []byte(kit.text()))
	}
	fmt.Fprintf(a.Err, "\n%s\n", kit.text())
	terminal.PrintQR(a.Err, kit.key.Written())
	groups := strings.Split(kit.key.Written(), "-")
	for {
		answer, err := a.readLine("Type the third and the seventh group of the recovery key: ")
		if err != nil {
			return err
		}
		answer = strings.NewReplacer("-", "", " ", "").Replace(answer)
		if strings.EqualFold(answer, groups[2]+groups[6]) {
			return nil
		}
		fmt.Fprintln(a.Err, "That is not what the kit says.")
	}
}

// remove removes the file of a kit that opens nothing, if it is still that kit.
func (w *writtenKit) remove() error {
	data, err := os.ReadFile(w.Path)
	if err != nil {
		return nil // it was never written, or is gone
	}
	kit, err := parseKit(data)
	if err != nil || kit.key.Member().ID() != w.Member {
		return nil
	}
	return os.Remove(w.Path)
}

// absolute returns the path from the root, or as it is where there is no working
// folder.
func absolute(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return full
}

// writeNewFile writes a file that did not exist, for its owner only, and makes
// it durable.
func writeNewFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return protocol.Wrap(protocol.KindUsage, err, "write the recovery kit")
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	return protocol.Wrap(protocol.KindInternal, err, "write the recovery kit")
}

// syncFolder makes new names in a folder durable.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func newRequestID() (id protocol.RequestID) {
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	return id
}
