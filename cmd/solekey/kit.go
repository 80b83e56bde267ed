// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"github.com/solekey/solekey/device/keyring"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// recoveryKit is the page that brings an account back when every device is lost.
type recoveryKit struct {
	key   *keyring.RecoveryKey
	place *keyring.Place
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
`, k.place.Name, kitServer, server.URL(), kitKey, k.key.Written())
}

// handOverKit gives the kit to the user: into a file, or on the screen with a
// part typed back.
func (a *app) handOverKit(f *joinFlags, kit *recoveryKit) error {
	if f.recoveryOut != "" {
		return writeNewFile(f.recoveryOut, []byte(kit.text()))
	}
	if !a.asksOnTerminal() {
		return protocol.Errorf(protocol.KindUsage, "there is no terminal to show the recovery kit on: use --recovery-out FILE")
	}
	fmt.Fprintf(a.Err, "\n%s\n", kit.text())
	groups := strings.Split(kit.key.Written(), "-")
	for {
		answer, err := a.readLine("Type the third and the seventh group of the recovery key: ")
		if err != nil {
			return err
		}
		if strings.EqualFold(strings.Join(strings.Fields(answer), ""), groups[2]+groups[6]) {
			return nil
		}
		fmt.Fprintln(a.Err, "That is not what the kit says.")
	}
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
	return err
}

func newRequestID() (id protocol.RequestID) {
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	return id
}
