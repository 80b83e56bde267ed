// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"golang.org/x/text/secure/precis"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// CanonicalName returns the one form of an account's name: PRECIS, profile
// UsernameCaseMapped (RFC 8265), at most api.MaxName bytes.
func CanonicalName(name string) (string, error) {
	if len(name) > 4*api.MaxName {
		return "", protocol.Errorf(protocol.KindUsage, "account name: longer than %d bytes", api.MaxName)
	}
	canonical, err := precis.UsernameCaseMapped.String(name)
	if err != nil || canonical == "" {
		return "", protocol.Errorf(protocol.KindUsage, "account name: letters, digits and punctuation without spaces, please")
	}
	if len(canonical) > api.MaxName {
		return "", protocol.Errorf(protocol.KindUsage, "account name: longer than %d bytes", api.MaxName)
	}
	return canonical, nil
}
