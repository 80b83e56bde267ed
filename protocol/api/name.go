// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"golang.org/x/text/secure/precis"

	"github.com/solekey/solekey/protocol"
)

// CanonicalName returns the one form of an account's name: PRECIS, profile
// UsernameCaseMapped (RFC 8265), at most MaxName bytes.
// Both sides use it, so that no two accounts look alike to one of them only.
func CanonicalName(name string) (string, error) {
	if len(name) > 4*MaxName {
		return "", protocol.Errorf(protocol.KindUsage, "account name: longer than %d bytes", MaxName)
	}
	canonical, err := precis.UsernameCaseMapped.String(name)
	if err != nil || canonical == "" {
		return "", protocol.Errorf(protocol.KindUsage, "account name: letters, digits and punctuation without spaces, please")
	}
	if len(canonical) > MaxName {
		return "", protocol.Errorf(protocol.KindUsage, "account name: longer than %d bytes", MaxName)
	}
	return canonical, nil
}
