// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package statements signs what the provider says is newest, with the key that
// its log names. Signer is all of it.
//
// A statement says: at some moment from Since to Time, this was the newest. So
// that an honest provider never contradicts itself, Signer takes both times from
// one clock that never goes back: not when the machine's clock does, and not over
// a restart, by a floor that is stored before a time above it is signed. See
// spec/statement.md.
package statements
