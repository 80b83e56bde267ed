// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import "github.com/solekey/solekey/protocol"

// Paths that hold no identifier.
const (
	PathServer         = Prefix + "/server"
	PathRegistrations  = Prefix + "/registrations"
	PathAccounts       = Prefix + "/accounts"
	PathLogins         = Prefix + "/logins"
	PathChallenges     = Prefix + "/challenges"
	PathSessions       = Prefix + "/sessions"
	PathCurrentSession = PathSessions + "/current"
	PathEnrolments     = Prefix + "/enrolments"
	PathRecovery       = Prefix + "/recovery"
)

// PathLogin is where a login is finished.
func PathLogin(login string) string { return PathLogins + "/" + login }

// PathRecoveryBox is where a recovery box is fetched.
func PathRecoveryBox(locator protocol.Hash) string { return PathRecovery + "/" + locator.String() }

// PathEnrolment is one enrolment.
func PathEnrolment(id protocol.RequestID) string { return PathEnrolments + "/" + id.String() }

// PathAccount is one account.
func PathAccount(account protocol.AccountID) string { return PathAccounts + "/" + account.String() }

// PathLedger is an account's ledger.
func PathLedger(account protocol.AccountID) string { return PathAccount(account) + "/ledger" }

// PathVault is one vault; Head, Snapshots, Generations, Packs and Blocks are below it.
func PathVault(account protocol.AccountID, vault protocol.VaultID) string {
	return PathAccount(account) + "/vaults/" + vault.String()
}

// What is below a vault's path.
const (
	BelowHead        = "/head"
	BelowSnapshots   = "/snapshots"
	BelowGenerations = "/generations"
	BelowPacks       = "/packs"
	BelowStat        = "/packs/stat"
	BelowBlocks      = "/blocks"
)

// PathPack is where one pack is put.
func PathPack(account protocol.AccountID, vault protocol.VaultID, pack protocol.PackID) string {
	return PathVault(account, vault) + BelowPacks + "/" + pack.String()
}
