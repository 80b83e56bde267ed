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

// exitWords says what each code means.
var exitWords = map[int]string{
	exitDone:        "done",
	exitFailed:      "failed",
	exitUsage:       "wrong usage",
	exitUnreadable:  "done, but some source could not be read, or some entry not restored",
	exitNotFound:    "there is no such account, vault, device or snapshot",
	exitBusy:        "another solekey is at work on this device",
	exitWrongSecret: "wrong password, key or code",
	exitUntrusted:   "a proof or signature did not hold, or an alarm stands; nothing was used",
	exitQuota:       "the quota is used up",
	exitUnreachable: "the server could not be reached",
	exitRemoved:     "this device was removed from the account",
	exitWaiting:     "waits for approval",
	exitTooOld:      "the last good backup, or a proof of what is newest, is older than it may be",
	exitInterrupted: "interrupted",
}
