// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package client speaks protocol/api to one provider and believes nothing it
// has not verified.
//
// Dial gives a Client, which may ask what is open to everybody. Login gives a
// Newcomer, a device that a password signed in and nothing else; As gives a
// Member, a device or recovery method that signs in by its own key, by itself
// and again whenever that is needed. Member.Vault is one vault.
//
// Every answer is held to its limits before it is read and to what was asked
// for after. What a device must still do is hold it against its ledger and its
// marks: answers here are well-formed, not true. Every method may be called
// concurrently, repeats what was interrupted, and returns a protocol.Error.
// See spec/api.md.
package client
