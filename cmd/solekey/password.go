// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/term"

	"github.com/solekey/solekey/protocol"
)

// password returns the password from where the flags say, or asks for it.
func (a *app) password() ([]byte, error) {
	switch {
	case a.flags.passwordFile != "":
		data, err := os.ReadFile(a.flags.passwordFile)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "read --password-file")
		}
		return firstLine(data)
	case a.flags.passwordCommand != "":
		command := exec.Command("sh", "-c", a.flags.passwordCommand)
		command.Stderr = a.Err
		data, err := command.Output()
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "run --password-command")
		}
		return firstLine(data)
	}
	return a.ask("Password: ")
}

// firstLine returns the first line, which must not be empty.
func firstLine(data []byte) ([]byte, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return nil, protocol.Errorf(protocol.KindUsage, "the password is empty")
	}
	return line, nil
}

// ask asks on the terminal without showing what is typed.
func (a *app) ask(prompt string) ([]byte, error) {
	if !a.asksOnTerminal() {
		return nil, protocol.Errorf(protocol.KindUsage, "there is no terminal to ask for the password: use --password-file, --password-command or --key-file")
	}
	fmt.Fprint(a.Err, prompt)
	line, err := term.ReadPassword(int(a.In.(*os.File).Fd()))
	fmt.Fprintln(a.Err)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "read the password")
	}
	return firstLine(line)
}

// readSecretLine reads a line that is not shown on a terminal; piped, as it is.
func (a *app) readSecretLine(prompt string) (string, error) {
	if !a.asksOnTerminal() {
		return a.readLine("")
	}
	line, err := a.ask(prompt)
	return string(line), err
}

// newPassword is password for one that is chosen now: on the terminal it is
// asked for twice.
func (a *app) newPassword() ([]byte, error) {
	first, err := a.password()
	if err != nil || a.flags.passwordFile != "" || a.flags.passwordCommand != "" {
		return first, err
	}
	again, err := a.ask("Password again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, protocol.Errorf(protocol.KindUsage, "the two passwords differ")
	}
	return first, nil
}

// readLine reads a line of input, shown or piped.
func (a *app) readLine(prompt string) (string, error) {
	if prompt != "" && !a.flags.json {
		fmt.Fprint(a.Err, prompt)
	}
	if a.lines == nil {
		a.lines = bufio.NewReader(a.In)
	}
	line, err := a.lines.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	if err != nil {
		return "", protocol.Wrap(protocol.KindUsage, err, "read an answer")
	}
	return string(bytes.TrimRight([]byte(line), "\r\n")), nil
}
