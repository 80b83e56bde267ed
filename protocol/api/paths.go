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
	PathWorld          = Prefix + "/world"
	PathDirectory      = Prefix + "/directory"
	PathContact        = PathDirectory + "/ledger"
	PathAnchors        = PathDirectory + "/anchors"
	PathLog            = Prefix + "/log" // a log of C2SP tlog-tiles: checkpoint and tile/… are below it
	PathCheckpoint     = PathLog + "/checkpoint"
	PathTiles          = PathLog + "/tile/"
)

// Queries of requests that ask for a statement, and of look-ups.
const (
	QueryNonce = "nonce" // the asker's, hexadecimal: ask for a statement
	QueryAfter = "after" // the time of the newest statement that the asker holds
	QueryFrom  = "from"  // the first entry or record wanted
	QueryName  = "name"
	QuerySince = "since" // the name's version that the asker holds
	QuerySize  = "size"  // the log's size that the asker holds
	QueryWorld = "world" // the hash of the world that the asker joined
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

// PathOwnAnchors is where an account leaves its anchors.
func PathOwnAnchors(account protocol.AccountID) string { return PathAccount(account) + "/anchors" }

// PathWorldOf is a world by its hash; PathWorld is the newest.
func PathWorldOf(world protocol.Hash) string { return PathWorld + "/" + world.String() }

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
