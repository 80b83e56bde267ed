// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package backup is the engine of a device's backups: it turns folders into
// snapshots of a vault and snapshots into folders, and keeps a vault in order.
//
// Open gives a Vault, synchronised with the provider and verified against the
// ledger. Its methods are the verbs: Backup, Restore, Snapshots, Check, Forget,
// Prune and what belongs to them. What the provider says is believed only where
// a signature, a name or a chain certifies it.
package backup
