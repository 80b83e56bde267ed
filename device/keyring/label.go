// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"unicode/utf8"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
)

// MaxLabel is the length of the longest name of a device or vault in bytes.
const MaxLabel = labelSize - 1

// labelSize is what every label has inside its box: a ledger is read by the
// provider, and a box that is as long as its label would tell names apart.
const labelSize = 256

// padLabel returns the length of the label in one byte, the label, and zeros.
func padLabel(label string) ([]byte, error) {
	if len(label) > MaxLabel || !utf8.ValidString(label) {
		return nil, protocol.Errorf(protocol.KindUsage, "a name is UTF-8 and has at most %d bytes", MaxLabel)
	}
	padded := make([]byte, labelSize)
	padded[0] = byte(len(label))
	copy(padded[1:], label)
	return padded, nil
}

// unpadLabel is its reverse. A label has one padded form.
func unpadLabel(padded []byte) (string, error) {
	if len(padded) != labelSize {
		return "", protocol.Errorf(protocol.KindUntrusted, "open label: it has %d bytes, not %d", len(padded), labelSize)
	}
	end := 1 + int(padded[0])
	for _, b := range padded[end:] {
		if b != 0 {
			return "", protocol.Errorf(protocol.KindUntrusted, "open label: something stands behind it")
		}
	}
	if !utf8.Valid(padded[1:end]) {
		return "", protocol.Errorf(protocol.KindUntrusted, "open label: it is not UTF-8")
	}
	return string(padded[1:end]), nil
}

// label boxes a label for the next entry.
func (d *Draft) label(subject protocol.Hash, label string) ([]byte, uint64, error) {
	secret, err := d.secret()
	if err != nil {
		return nil, 0, err
	}
	padded, err := padLabel(label)
	if err != nil {
		return nil, 0, err
	}
	state := d.batch.State
	box := seal.Box(secret, labelContext(state.Account(), subject, state.Epoch(), state.Head().Hash), padded)
	return box, state.Epoch(), nil
}

// Label returns the word people know a member by, "" where it has none.
func (r *Ring) Label(member protocol.MemberID) (string, error) {
	ref, ok := r.state.MemberName(member)
	if !ok {
		return "", nil
	}
	return r.openLabel(protocol.Hash(member), ref)
}

// VaultLabel returns the word people know a vault by, "" where it has none.
func (r *Ring) VaultLabel(vault protocol.VaultID) (string, error) {
	ref, ok := r.state.VaultName(vault)
	if !ok {
		return "", nil
	}
	return r.openLabel(vaultSubject(vault), ref)
}

func (r *Ring) openLabel(subject protocol.Hash, ref ledger.NameRef) (string, error) {
	secret, err := r.secret(ref.Epoch)
	if err != nil {
		return "", err
	}
	padded, err := seal.OpenBox(secret, labelContext(r.state.Account(), subject, ref.Epoch, ref.Prev), ref.Box)
	if err != nil {
		return "", err
	}
	return unpadLabel(padded)
}

func labelContext(account protocol.AccountID, subject protocol.Hash, epoch uint64, prev protocol.Hash) seal.Context {
	return seal.Context{Account: account, Type: seal.TypeLabel, ID: subject, Epoch: epoch, Parent: prev}
}

// vaultSubject returns a vault's identifier in the width of a context's ID.
func vaultSubject(vault protocol.VaultID) (wide protocol.Hash) {
	copy(wide[:], vault[:])
	return wide
}
