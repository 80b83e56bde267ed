// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package tree

import (
	"testing"
)

// TestIndexMemoryIsBounded adds a million chunks, as a first backup does, and looks at what stays in memory.
func TestIndexMemoryIsBounded(t *testing.T) {
	simulateIndex(t, 1_000_000, 16<<20)
}
