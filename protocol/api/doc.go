// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package api is the HTTP contract between a device and its provider: paths,
// bodies, statuses, limits and the invite. It holds types and their exact text
// and byte forms, no client and no server. See spec/api.md.
//
// Control bodies are JSON; content is raw. Byte strings in JSON are standard
// base64, identifiers lower-case hexadecimal. A server refuses fields that it
// does not know; a client ignores them, so that answers may grow.
package api

// Version is the version of the contract; every path but the invite page
// begins with Prefix.
const (
	Version = 1
	Prefix  = "/v1"
)

// Limits, in bytes unless said otherwise. A server refuses what exceeds them
// before it reads it; spec/api.md lists them.
const (
	MaxJSON           = 1 << 20  // a JSON request that has no limit of its own
	MaxLedgerJSON     = 16 << 20 // a JSON request that carries ledger entries
	MaxEntries        = 256      // entries of one append, a count
	MaxEntry          = 1 << 20  // one ledger entry
	MaxObjects        = 4096     // objects of one append, a count
	MaxObject         = 64 << 10 // one object
	MaxRecoveryBoxes  = 16       // recovery boxes of one append, a count
	MaxRecoveryBox    = 64 << 10 // one recovery box
	MaxName           = 64       // an account's name after canonicalisation
	MaxMessage        = 4 << 10  // one OPAQUE message
	MaxEnrolmentPart  = 64 << 10 // one part of an enrolment
	MaxRecord         = 8 << 20  // one snapshot or generation record
	MaxStatement      = 16 << 10 // one pack statement
	MaxPack           = 32 << 20 // one pack
	MaxStat           = 8192     // packs asked after at once, a count
	MaxReads          = 1024     // reads of one blocks request, a count
	MaxReadBytes      = 1 << 30  // bytes of one blocks request
	MaxLedgerPage     = 128      // entries of one page of a ledger, a count
	MaxLedgerPageSize = 8 << 20  // bytes of one page of a ledger, unless one entry exceeds it
	MaxPage           = 4096     // records of one page, a count
	MaxPageBytes      = 32 << 20 // bytes of one page of records, unless one record exceeds it
	MaxWait           = 55       // seconds an enrolment is waited for at once
	MaxUpdate         = 4 << 10  // the entry of the public log that comes with an append
	MaxOpening        = 256      // what its commitment opens to
	MaxWorld          = 56 << 10 // a world, which has to fit into a recovery box
	MaxAnswer         = 10 << 20 // the answer to a look-up
	MaxAnchors        = 16       // anchors left at once, a count
	MaxAnchorBox      = 64 << 10 // the sealed box of one anchor
	MaxAnchorJSON     = 2 << 20  // a JSON request that carries anchors
	MaxAnchorIndexes  = 64       // anchors asked after at once, a count
	BlockSize         = 128 << 10
)

// LoginContext and LoginServer are the context and the server's identity of the
// password login (OPAQUE, RFC 9807); there is no client identity, so the client's
// public key stands for it. The suite is fixed: ristretto255-SHA512 for OPRF and key
// exchange, HKDF, HMAC and hash over SHA-512, Argon2id with the default
// parameters of RFC 9106's second choice (t=3, m=64 MiB, p=4), no salt.
const (
	LoginContext = "solekey/v1/login"
	LoginServer  = "solekey"
)

// Content types of bodies.
const (
	TypeJSON    = "application/json"
	TypeRecords = "application/vnd.solekey.records"
	TypeBlocks  = "application/vnd.solekey.blocks"
	TypeBytes   = "application/octet-stream"
	TypeCBOR    = "application/cbor"
	TypeText    = "text/plain; charset=utf-8" // a checkpoint, as tlog-tiles has it
)
