// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package accounts opens accounts, signs people and devices in, keeps ledgers
// and carries the enrolment of new devices. Service is all of it; the small
// stores it needs are declared here and implemented by provider/records.
//
// It holds no key that opens anything. A password is checked by OPAQUE, in
// which the server sees no password; a device proves itself by a signature over
// the server's challenge; what a ledger may say is decided by ledger.Fold.
// Every guess at a password is counted, durably, before it is answered.
package accounts
