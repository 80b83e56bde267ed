// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package evidence holds files that prove a provider's misbehaviour to somebody
// who believes neither the provider nor the one who hands out the file.
//
// A file names a log by its key and holds things that the log's provider signed
// and that no honest provider signs together. Verify decides with nothing but the
// file, and says in words what was broken and by whom; it says nothing about who
// is behind a key. The functions that make files verify what they made.
//
// A file holds no secret: no key, no content, no name. It does show account and
// vault identifiers, and openings that tie an index of the log to an account.
//
// See spec/evidence.md.
package evidence
