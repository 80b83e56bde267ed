// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package follow

import "testing"

// TestingOnlyExec damages the file.
func TestingOnlyExec(t *testing.T, s *Store, sql string) {
	t.Helper()
	if _, err := s.db.Write.Exec(sql); err != nil {
		t.Fatal(err)
	}
}
