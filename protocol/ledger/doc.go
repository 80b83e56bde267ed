// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package ledger is an account's signed, hash-chained history: who its devices
// and recovery methods are, which vaults it has, which keys are in force.
//
// Parse reads one entry and trusts nothing. Fold verifies a whole history from
// entry 0 and gives the State that everything else asks. A Recipient is made by a
// State and by nothing else. It says whose key stands in this history, not that
// the history is the newest: only protocol/directory makes of it what
// protocol/seal wraps a secret to.
//
// Position in the chain orders events; the times inside entries are for people.
// See spec/ledger.md.
package ledger
