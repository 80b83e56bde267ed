// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"sort"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/terminal"
)

func newMan(*app) *cobra.Command {
	pages := &terminal.Pages{
		Program: "solekey", Exit: listExits(),
		OfMachine: []string{"state-dir", "cache-dir", "device-name", "host", "read-concurrency"},
		Environment: [][2]string{
			{"SOLEKEY_OPTION", "the value of the option of that name, in capitals and with _ for -: SOLEKEY_STATE_DIR is that of " +
				"--state-dir. What the command line says counts more. Of an option that can be repeated it is one value."},
			{"XDG_STATE_HOME, XDG_CACHE_HOME, HOME", "where the folders of --state-dir and --cache-dir lie if they are not named."},
			{"USER", "the account's name if there is nobody to ask, and the user that a snapshot names."},
			{"TZ", "the time zone in which times are shown."},
		},
	}
	return pages.Command()
}

// listExits lists what every command ends with, by code.
func listExits() [][2]string {
	codes := make([]int, 0, len(exitWords))
	for code := range exitWords {
		codes = append(codes, code)
	}
	sort.Ints(codes)
	list := make([][2]string, 0, len(codes))
	for _, code := range codes {
		list = append(list, [2]string{fmt.Sprint(code), exitWords[code]})
	}
	return list
}
