// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package world

// raced says that the tests run under the race detector.
const raced = false
