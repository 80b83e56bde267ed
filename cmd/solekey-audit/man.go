// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/solekey/solekey/cmd/terminal"

// manPages say what the manual pages hold beside what --help says.
func manPages() *terminal.Pages {
	return &terminal.Pages{
		Program: "solekey-audit", Exit: exitWords,
		Environment: [][2]string{
			{"SOLEKEY_AUDIT_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEY_AUDIT_LOG is that of --log. " +
				"What the command line says counts more."},
			{"XDG_STATE_HOME, HOME", "where the state lies if --state does not name it."},
			{"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the proxy through which the log is read."},
		},
	}
}

// exitWords say what each exit code means, in their order.
var exitWords = [][2]string{
	{"0", "the log holds to its rules; of evidence: it proves what it says"},
	{"1", "failed, for any other reason; the message says which"},
	{"2", "wrong usage"},
	{"10", "there is no such file, state or log"},
	{"20", "something does not hold: a rule, a signature or a proof; of evidence: it proves nothing"},
	{"22", "the log does not answer, or its checkpoint is not cosigned as demanded"},
	{"25", "the log, or its newest cosignature, is older than --max-age"},
	{"130", "interrupted"},
}
