// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package follow reads somebody's log as witnesses and auditors do: Source fetches
// its tiles over HTTP, and Follower replays its directory entry by entry, up to a
// checkpoint, keeping what it needs to go on in a database.
//
// Nothing that a log serves is believed: no entry reaches the rules that the
// checkpoint does not hold (tlog.Entries), and no directory root passes that the
// entries do not give (directory.Replay). Where Follow returns nil, all of the log
// up to the checkpoint has been held to every rule; see spec/directory.md.
//
// The database is a cache: lost, it is made again by reading the log from its
// start.
package follow
