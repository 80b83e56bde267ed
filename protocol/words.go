// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import (
	"fmt"
	"math"
	"time"
)

// FormatVersion is the version of every signed and sealed format. There is one;
// what carries another is refused.
const FormatVersion = 1

// Time is a moment in nanoseconds since 1970-01-01 UTC; it may be negative.
type Time int64

// TimeOf converts a time of the standard library. What lies outside the years
// 1678 to 2261 becomes the nearest moment that there is.
func TimeOf(t time.Time) Time {
	switch {
	case t.Before(Time(math.MinInt64).Std()):
		return math.MinInt64
	case t.After(Time(math.MaxInt64).Std()):
		return math.MaxInt64
	}
	return Time(t.UnixNano())
}

// Std converts to a time of the standard library, in UTC.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// String returns the moment in RFC 3339 with nanoseconds.
func (t Time) String() string { return t.Std().Format(time.RFC3339Nano) }

// Role says what a device may do.
type Role uint8

const (
	// RoleOwner may read and change everything in the account.
	RoleOwner Role = 1
	// RoleWriter may add to the vaults it was granted and read nothing back.
	RoleWriter Role = 2
)

// String returns the word a person knows the role by.
func (r Role) String() string {
	switch r {
	case RoleOwner:
		return "owner"
	case RoleWriter:
		return "writer"
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// Category says what kind of collection a vault is.
type Category uint8

// CategoryBackups is the category of vaults that hold devices' backups.
const CategoryBackups Category = 1

// String returns the word a person knows the category by.
func (c Category) String() string {
	if c == CategoryBackups {
		return "backups"
	}
	return fmt.Sprintf("category(%d)", uint8(c))
}

// Level says who can help to open a vault.
type Level uint8

// LevelAdvanced keeps keys only on the holder's devices and in the recovery
// methods they hold. It is the only level there is so far.
const LevelAdvanced Level = 1

// String returns the word a person knows the level by.
func (l Level) String() string {
	if l == LevelAdvanced {
		return "advanced"
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}
