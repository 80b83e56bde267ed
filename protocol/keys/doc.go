// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package keys holds the types of public and secret keys, and signs and
// verifies under a purpose from a closed list.
//
// Signatures are composite: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204) over
// the same bytes, and both must verify, so that a forgery needs a break of
// both. Public keys to wrap to are MLKEM768-X25519 (draft-ietf-hpke-pq, also
// known as X-Wing). Nothing is opened here: that is for protocol/seal alone.
//
// Secret types hide themselves when printed, refuse to be marshalled, and
// cannot be compared with ==. See spec/keys.md.
package keys
