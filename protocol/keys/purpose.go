// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keys

// Purpose says what a signature is for. The list is closed: only this package
// can make one, and the purpose heads the signed bytes, so that nothing signed
// for one purpose verifies for another.
type Purpose struct{ name string }

// The purposes.
var (
	PurposeLedgerEntry = Purpose{"solekey/v1/ledger-entry"}
	PurposePack        = Purpose{"solekey/v1/pack"}
	PurposeSnapshot    = Purpose{"solekey/v1/snapshot"}
	PurposeGeneration  = Purpose{"solekey/v1/generation"}
	PurposeSession     = Purpose{"solekey/v1/session"}
)

// String returns the text that heads the signed bytes.
func (p Purpose) String() string { return p.name }
