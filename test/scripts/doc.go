// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package scripts runs the commands of both programs as a user types them: each
// file in testdata is a shell script with a provider, an invite and an empty
// machine of its own. TestScripts runs them all; TestEveryExampleRuns demands
// that every example of every --help stands in one of them.
package scripts
