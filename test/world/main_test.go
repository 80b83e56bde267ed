// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package world

import (
	"os"
	"testing"
)

// programs is set before any test runs and then read only.
var programs *Programs

func TestMain(m *testing.M) { os.Exit(MainWatched(m, func(p *Programs) { programs = p })) }
