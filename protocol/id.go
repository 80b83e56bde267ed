// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package protocol

import "encoding/hex"

// Hash is a SHA-256 of 32 bytes, or a keyed name of the same length.
type Hash [32]byte

// AccountID names an account: the hash of entry 0 of its ledger, so that a
// ledger certifies the identifier it is known by.
type AccountID [32]byte

// MemberID names a member of an account, a device or a recovery method: the
// hash of its public keys.
type MemberID [32]byte

// VaultID names a vault within its account; 16 random bytes.
type VaultID [16]byte

// RunID names one run of a device over one vault; 16 random bytes.
type RunID [16]byte

// PackID names a pack: the SHA-256 of its bytes.
type PackID [32]byte

// RequestID is chosen by a client to make a write idempotent; 16 random bytes.
type RequestID [16]byte

// String returns the lower-case hexadecimal form.
func (x Hash) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x Hash) IsZero() bool { return x == Hash{} }

// MarshalText returns the lower-case hexadecimal form.
func (x Hash) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *Hash) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseHash returns the identifier whose text form is s.
func ParseHash(s string) (Hash, error) {
	var x Hash
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x AccountID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x AccountID) IsZero() bool { return x == AccountID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x AccountID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *AccountID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseAccountID returns the identifier whose text form is s.
func ParseAccountID(s string) (AccountID, error) {
	var x AccountID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x MemberID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x MemberID) IsZero() bool { return x == MemberID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x MemberID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *MemberID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseMemberID returns the identifier whose text form is s.
func ParseMemberID(s string) (MemberID, error) {
	var x MemberID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x VaultID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x VaultID) IsZero() bool { return x == VaultID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x VaultID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *VaultID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseVaultID returns the identifier whose text form is s.
func ParseVaultID(s string) (VaultID, error) {
	var x VaultID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x RunID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x RunID) IsZero() bool { return x == RunID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x RunID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *RunID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseRunID returns the identifier whose text form is s.
func ParseRunID(s string) (RunID, error) {
	var x RunID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x PackID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x PackID) IsZero() bool { return x == PackID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x PackID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *PackID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParsePackID returns the identifier whose text form is s.
func ParsePackID(s string) (PackID, error) {
	var x PackID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// String returns the lower-case hexadecimal form.
func (x RequestID) String() string { return hex.EncodeToString(x[:]) }

// IsZero reports whether every byte is zero, which names nothing.
func (x RequestID) IsZero() bool { return x == RequestID{} }

// MarshalText returns the lower-case hexadecimal form.
func (x RequestID) MarshalText() ([]byte, error) { return []byte(x.String()), nil }

// UnmarshalText accepts only the form that MarshalText returns.
func (x *RequestID) UnmarshalText(text []byte) error { return parseHex(x[:], text) }

// ParseRequestID returns the identifier whose text form is s.
func ParseRequestID(s string) (RequestID, error) {
	var x RequestID
	err := parseHex(x[:], []byte(s))
	return x, err
}

// parseHex fills dst from exactly its lower-case hexadecimal form; after an
// error dst is as it was.
func parseHex(dst, text []byte) error {
	if len(text) != hex.EncodedLen(len(dst)) {
		return Errorf(KindUntrusted, "identifier has %d characters, want %d", len(text), hex.EncodedLen(len(dst)))
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Errorf(KindUntrusted, "identifier is not in lower-case hexadecimal")
		}
	}
	_, err := hex.Decode(dst, text)
	return err
}
