// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package vrf is a verifiable random function: ECVRF-EDWARDS25519-SHA512-TAI
// of RFC 9381. Its secret's holder alone can compute it, everybody can check
// what it computed, and for one key and input there is one output.
//
// The directory turns names into indexes by it, so that the public log shows no
// name and cannot be searched for one. Prove computes, Verify checks; Check
// refuses keys under which an output would not be the only one. See
// spec/vrf.md.
package vrf
