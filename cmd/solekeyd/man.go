// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/solekey/solekey/cmd/terminal"

// manPages say what the manual pages hold beside what --help says.
func manPages() *terminal.Pages {
	return &terminal.Pages{
		Program: "solekeyd", Exit: exitWords, OfMachine: []string{"data"},
		Environment: [][2]string{
			{"SOLEKEYD_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEYD_DATA is that of --data. " +
				"What the command line says counts more. Of an option that can be repeated it is a list with commas between."},
			{"XDG_DATA_HOME, HOME", "where the data folder lies if --data does not name it and the user is not root."},
		},
	}
}

// exitWords say what each exit code means, in their order.
var exitWords = [][2]string{
	{"0", "done; of doctor: all is well"},
	{"1", "failed, for any other reason; the message says which"},
	{"2", "wrong usage"},
	{"10", "there is no such server, account or key"},
	{"11", "a server runs on the data folder"},
	{"12", "wrong secret"},
	{"20", "something stored is missing or damaged, or another server answers"},
	{"21", "a quota is used up"},
	{"22", "the server does not answer"},
	{"130", "interrupted"},
}
