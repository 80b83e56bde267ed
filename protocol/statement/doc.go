// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package statement holds what a provider signs about the newest state: which
// entry is the last of a ledger, which record is the head of a vault, and that an
// accepted update of a name will be in the public log by a certain time.
//
// A client takes no head without a statement that answers its own question
// (Signed.Answers). It keeps the newest of each subject. Two statements that
// cannot both be true (Contradict) are evidence against the provider whose log
// names the key, for whoever sees them, without access to the account.
//
// See spec/statement.md.
package statement
