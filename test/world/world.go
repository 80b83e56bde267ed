// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package world stands a whole world up for tests: New starts a real provider,
// a network in between that lies and breaks on demand, and as many devices as a
// story needs, all as the programs that users run.
//
// Everything is below one temporary folder and ends with the test.
package world

import (
	"path/filepath"
	"testing"
)

// World is a provider, the network before it, and devices.
type World struct {
	T        testing.TB
	Dir      string // everything is below it
	Programs *Programs
	Provider *Provider
	Net      *Net

	devices int
}

// New starts a provider with flags for solekeyd up. Devices reach it through Net
// alone, which passes everything on at first.
func New(t testing.TB, p *Programs, flags ...string) *World {
	t.Helper()
	return NewAt(t, p, filepath.Join(t.TempDir(), "provider"), flags...)
}

// NewAt is New with the provider's data folder elsewhere.
func NewAt(t testing.TB, p *Programs, data string, flags ...string) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), Programs: p}
	w.Net = newNet(t)
	w.Provider = &Provider{w: w, Data: data, flags: flags}
	t.Cleanup(w.Provider.clean)
	w.Provider.Start()
	w.Net.serve(w.Provider.key())
	return w
}

// Joined returns a new device that opened an account of that name.
func (w *World) Joined(account string) *Device {
	w.T.Helper()
	d := w.Device(account)
	d.Join(account, w.Provider.Invite())
	return d
}
