// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/solekey/solekey/protocol"

// Exit codes, the same for every command.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreadable  = 3
	exitNotFound    = 10
	exitBusy        = 11
	exitWrongSecret = 12
	exitUntrusted   = 20
	exitQuota       = 21
	exitUnreachable = 22
	exitRemoved     = 23
	exitWaiting     = 24
	exitTooOld      = 25
	exitInterrupted = 130
)

var exitCodes = map[protocol.Kind]int{
	protocol.KindUsage:       exitUsage,
	protocol.KindUnreadable:  exitUnreadable,
	protocol.KindNotFound:    exitNotFound,
	protocol.KindBusy:        exitBusy,
	protocol.KindWrongSecret: exitWrongSecret,
	protocol.KindUntrusted:   exitUntrusted,
	protocol.KindQuota:       exitQuota,
	protocol.KindUnreachable: exitUnreachable,
	protocol.KindRemoved:     exitRemoved,
	protocol.KindWaiting:     exitWaiting,
	protocol.KindTooOld:      exitTooOld,
	protocol.KindInterrupted: exitInterrupted,
}

// exitCode returns the code that says what kind of error it was.
func exitCode(err error) int {
	if code, ok := exitCodes[protocol.KindOf(err)]; ok {
		return code
	}
	return exitFailed
}
