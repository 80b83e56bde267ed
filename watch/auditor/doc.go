// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package auditor checks a provider's log without asking the provider: it follows
// the log from its first entry, recomputes every root of the directory, and holds
// every entry to the rules and every checkpoint to the ones it saw before.
//
// Step takes the newest checkpoint. What it returns is a Report, or, where something
// did not hold, a *Finding that says in words what was broken and by whom, with
// evidence that others can check offline wherever the log itself signed to it. Memory
// is bounded whatever the log's size; where a step ends, the next one goes on, also
// in another process.
package auditor
