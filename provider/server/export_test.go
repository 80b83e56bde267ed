// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

// TestingOnlyPatterns returns the pattern of every route.
func TestingOnlyPatterns() []string {
	var list []string
	for _, r := range (&Server{}).routes() {
		list = append(list, r.pattern)
	}
	return list
}
