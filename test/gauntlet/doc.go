// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package gauntlet plays the malicious provider: New stands a world up, Run plays
// one Attack against the real client program and holds what the client does to
// what is expected and to eight oracles that are always on.
//
// The provider that lies has everything that the real one has: its TLS key, its
// login key, the keys that it signs with, and the data folder. It stands before
// one or more real servers, sees each request in the clear under the name of the
// device that sent it, and passes on, changes, drops, replays or makes up the
// answer. Second worlds are made honestly: by a real server on a copy of the
// folder.
//
// An attack is a story, told three times: as the control, where Lie does nothing
// and every command must succeed; with the lie; and with the lie in a world that
// differs in its secrets alone. A new one takes ten lines:
//
//	gauntlet.Attack{
//		ID: "G06", Name: "swaps the records of two snapshots",
//		Play: func(s *gauntlet.Scene) {
//			d := s.Device("laptop")  // a copy of the stage's device, with all it remembers
//			d.Lose("state/vaults")   // it has to fetch all records again
//			s.Lie(gauntlet.Snapshots(func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l }))
//			s.Face(d, gauntlet.Reject("record"), "snapshots")
//		},
//	}
//
// Face says which command meets the lie and what the client must answer: exit
// code, words, and whether what it remembers may move. See Stage for what there
// is to attack, and exchange.go for the kinds of lie.
package gauntlet
