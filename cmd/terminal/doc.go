// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package terminal is what the programs share of how they speak to people: manual
// pages from the same source as --help (Pages), codes to scan (PrintQR), flags
// from the environment (FromEnvironment), and what a wrong command line is
// answered with (AsUsage).
//
// It knows no account, key or server; what a program does stays in the program.
package terminal
