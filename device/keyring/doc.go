// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package keyring knows which key opens which: from a member's own secrets and
// the folded ledger to the account secret of every epoch, and from there to the
// secrets of every vault. It also makes the ledger entries that change any of
// this, each with the wraps and boxes that it names.
//
// Open gives a Ring, which reads. A Draft makes entries; what it collected is a
// Batch, to be appended at the provider in one piece, with the directory's update.
// Nothing is sealed here to a key that a directory.Standing does not prove. See
// spec/keyring.md.
package keyring
