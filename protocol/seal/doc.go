// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package seal turns plaintext into ciphertext and back. It is the only package
// that opens anything, and no part of the provider can reach it.
//
// A Box seals a small value under a secret. A wrap seals a secret to a
// directory.Recipient, which only a ledger that is proven the newest can give. A Run holds the key of
// one run over a vault, wrapped to the vault; a PackWriter seals frames into a
// pack under keys derived from it, and a Pack opens one. Every one of them binds
// its full context, and every symmetric key comes with a commitment that is
// compared before anything is decrypted.
//
// There is one format and no older one to fall back to. See spec/seal.md and
// spec/pack.md.
package seal
