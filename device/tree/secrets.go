// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Secrets are what content is cut, named and padded by. Each vault has its
// own, and each writer device has one set of its own in a vault, so that what
// a writer knows tells it nothing about the content of others. They live as
// long as the vault: with new ones nothing stored before would be found again.
type Secrets struct {
	Namer    protocol.MemberID // whose they are; zero: the vault's own
	Naming   *keys.Secret      // keys the names of chunks
	Chunking *keys.Secret      // decides where files are cut
	Padding  *keys.Secret      // draws the extra padding of a run's last pack
}

// DeriveSecrets returns the secrets that a root, one for each vault and namer,
// gives. Namer is bound, so that one root never serves two of them alike.
func DeriveSecrets(root *keys.Secret, namer protocol.MemberID) *Secrets {
	return &Secrets{
		Namer:    namer,
		Naming:   root.Derive("tree/naming", namer[:]),
		Chunking: root.Derive("tree/chunking", namer[:]),
		Padding:  root.Derive("tree/padding", namer[:]),
	}
}
