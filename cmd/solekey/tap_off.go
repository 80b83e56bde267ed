// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !tap

package main

// startTap does nothing: nothing listens in this program.
func startTap() (stop func()) { return func() {} }
