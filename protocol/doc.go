// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package protocol holds the words every party shares: identifiers, times,
// roles, levels and kinds of error. It knows no format and no key; everything
// else in Solekey is written in these words.
//
// Every identifier is a fixed-size array with one text form, lower-case
// hexadecimal, so that no two parties can print the same thing differently.
package protocol
