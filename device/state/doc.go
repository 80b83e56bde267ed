// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package state is what one device remembers between runs: who it is, its
// secrets at rest, the ledger and the vaults' records that it verified, and the
// high-water marks that only move forward.
//
// Open gives a State over two folders. What is in the state folder must last;
// whatever is in the cache folder may be lost. Every change is durable before
// the call that makes it returns, and a process that dies in between leaves the
// state before or the state after, never a mixture.
//
// Nothing here asks a server. What is appended has been verified by the types
// that it comes in; what contradicts a mark is refused as protocol.KindUntrusted,
// because a server then shows this device another past than it showed before.
// See spec/device-state.md.
package state
