// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package trust is what this device believes of its provider's word: which ledger
// is the newest, its own account's and a contact's, and which heads of vaults are
// not the newest.
//
// New gives a Trust over what the device remembers and over whom it asks. Sync
// brings the account's ledger up to date and proves it by the public directory:
// every version of the account's name since the last look must be one that the
// account's devices made. What comes out is a directory.Standing, by which alone
// anything is sealed to anybody. Contact does the same for others. Append signs
// the directory's update with each change of the ledger. Anchor commits the vaults'
// heads to the log, and Freshness finds them again with no memory but a key.
//
// What an honest provider would not say is an alarm: it is remembered with its
// evidence, holds every write until the user took note of it, and nothing that
// came with it is believed. What may still come right holds new recipients back,
// and nothing else. See spec/trust.md.
package trust
