// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package clock is the clock of the programs: every time that one acts on comes
// from here, so that a test can hold it.
package clock
