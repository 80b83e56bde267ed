// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package snapshot holds the signed envelopes of a vault's state: what the
// provider and an auditor may check without opening it.
//
// A vault is a chain of Records. A run record adds one snapshot; a list record
// states which snapshots are live. The newest record is the vault's head. Beside
// it runs the prune chain of Generations, which retire, revive and drop packs.
// A Chain takes records in, one after the other, and knows what is live; Prunes
// does the same for generations. Both hold what they take in against a folded
// ledger, and Chain.Check says whether the whole chain agrees with it.
//
// A record is committed by compare-and-swap on the head and the generation.
// Every pack carries a PackStatement, its device's signature, because anyone
// may know a vault's public key and encryption proves no origin.
//
// Parse reads syntax and trusts nothing; the Verify methods hold an envelope
// against a folded ledger. See spec/snapshot.md.
package snapshot
