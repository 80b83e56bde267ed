// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package vaults accepts, serves, counts and retires sealed packs, and keeps the
// two chains of every vault: its snapshots and its generations. Service is all
// of it; the small stores it needs are declared here and implemented by
// provider/records.
//
// It opens nothing. It takes in only what carries the signature of a device
// that the account's ledger allows at this moment, what continues its chain,
// and what the account's quota has room for. It deletes only on the signed word
// of an owner device, after the retention by its own clock.
package vaults
