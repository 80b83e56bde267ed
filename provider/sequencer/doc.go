// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package sequencer keeps a provider's public log and the directory that follows
// from it: Open brings the log to where its journal is, Run carries it on, and
// Lookup answers for a name at the newest checkpoint that its witnesses cosigned.
//
// Entries are acknowledged by whoever queues them, in one database transaction
// with the account's rows. Run takes what waits, decides on a batch, makes it
// durable, and only then signs a checkpoint over it. At every position at most one
// batch is ever decided on, so nothing that happens between two steps makes the
// log sign two pasts; and what was acknowledged is in the journal, so nothing of it
// is lost. Where a witness has seen more than the log knows of itself, the log is an
// old copy: it stops and says so. The argument is in spec/sequencer.md, step by step.
//
// What is kept is declared here as small stores, which provider/records implements.
package sequencer
