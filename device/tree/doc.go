// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package tree holds the plaintext formats of a vault and what turns files
// into packs and back: chunks, their names, folders, pack indexes.
//
// Storing: a Chunker cuts a file's content, Names gives each chunk its keyed
// name, and a Packer, for what the Index does not know yet, compresses it,
// seals it into packs and hands the packs to a Sink. Reading back: the Index
// tells where a chunk lies, a Reader fetches, opens and checks it.
//
// Three promises hold throughout. Equal content under equal secrets gives
// equal chunks, names, frames and pack sizes, whatever the machine. Nothing
// read back is believed before its keyed name was computed again. And memory
// is bounded: by the number of packs in flight and of processors, never by the
// number or the size of files.
//
// The formats are written down in spec/tree.md.
package tree
