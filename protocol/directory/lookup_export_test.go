// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory

// TestingOnlyOpened is Standing without a ledger: it follows the openings.
func (f *Found) TestingOnlyOpened(pin *Pin) (*Pin, error) {
	if err := f.follows(pin); err != nil {
		return nil, err
	}
	return f.opens(pin)
}
