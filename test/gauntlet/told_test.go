// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/test/world"
)

// snapshots returns the identifiers of the laptop's snapshots, the first of which
// holds "files", as the device lists them.
func (d *Device) snapshots() []string {
	d.t.Helper()
	var ids []string
	for _, line := range world.Lines(d.t, d.Must("snapshots", "--json", "--host", "laptop")) {
		if id, ok := line["id"].(string); ok {
			ids = append(ids, id)
		}
	}
	if len(ids) < days {
		d.t.Fatalf("%d snapshots: %q", len(ids), ids)
	}
	return ids
}

// big returns the largest pack of the site: that of "files".
func (s *Scene) big() (id protocol.PackID, pack []byte) {
	s.t.Helper()
	for _, one := range s.packs() {
		if p := s.site.Pack(one); len(p) > len(pack) {
			id, pack = one, p
		}
	}
	return id, pack
}

// packs returns the packs of anna's vault in the order of receipt: that of "files"
// first, then those of the other devices, then those of the diary.
func (s *Scene) packs() []protocol.PackID {
	s.t.Helper()
	in := s.Device("laptop").Insider()
	var found []protocol.PackID
	for _, raw := range s.listing("packs") {
		record, err := api.ParsePackRecord(raw)
		if err != nil {
			s.t.Fatal(err)
		}
		statement, err := snapshot.ParsePackStatement(record.Statement)
		if err != nil {
			s.t.Fatal(err)
		}
		if statement.Account == in.Ledger.Account() {
			found = append(found, statement.Pack)
		}
	}
	return found
}

// listing returns the records that a listing of the laptop's vault has, as the
// laptop's last answer to it had them.
func (s *Scene) listing(below string) [][]byte {
	s.t.Helper()
	if s.listings == nil {
		s.listings = map[string][][]byte{}
		d := s.Twin(s.Device("laptop"), "lister")
		d.Lose("state/vaults")
		d.Lose("cache")
		var mu sync.Mutex // listings are asked for side by side
		keep := func(name string) Lie {
			return On(http.MethodGet, "/"+name, Records(func(l [][]byte) [][]byte {
				mu.Lock()
				defer mu.Unlock()
				s.listings[name] = append(s.listings[name], l...)
				return l
			}))
		}
		s.Front.tell([]Lie{keep("packs"), keep("snapshots"), keep("generations")})
		d.Must("check")
		s.Front.tell(s.told)
		mu.Lock() // what was written before is seen behind it
		defer mu.Unlock()
	}
	return s.listings[below]
}

// swapped serves each of two packs under the other's name.
func swapped(s *Scene, a, b protocol.PackID) Lie {
	one, two := s.site.Pack(a), s.site.Pack(b)
	return Packs(func(id protocol.PackID, pack []byte) []byte {
		switch id {
		case a:
			return two
		case b:
			return one
		}
		return pack
	})
}

// only changes one pack.
func only(id protocol.PackID, change func([]byte) []byte) Lie {
	return Packs(func(asked protocol.PackID, pack []byte) []byte {
		if asked != id {
			return pack
		}
		return change(pack)
	})
}

// region is a place in a pack.
type region struct {
	name string
	at   int
}

// regions returns a place in each part of a pack.
func regions(pack []byte, l *Layout) []region {
	const wrap = 8 + 32 + 16 + 8 + 16
	list := []region{
		{"magic", 2},
		{"version", 7},
		{"account", 9},
		{"vault", 41},
		{"epoch", 63},
		{"run", 66},
		{"wrap", wrap + 40},
		{"wrap's secret", wrap + seal.WrapSize - 20},
		{"salt", wrap + seal.WrapSize + 3},
		{"commitment", wrap + seal.WrapSize + 40},
		{"lead", seal.PackHeaderSize - 20},
		{"lead's tag", seal.PackHeaderSize - 3},
		{"index", len(pack) - l.Lead.IndexLength + 5},
		{"index's tag", len(pack) - 2},
	}
	for i, f := range l.Frames {
		if i < 2 || i == len(l.Frames)/2 || i == len(l.Frames)-1 {
			list = append(list, region{"frame", (f[0] + f[1]) / 2}, region{"frame's tag", f[1] - 3})
		}
	}
	return list
}

// each changes every record of a list.
func each(change func([]byte) []byte) func([][]byte) [][]byte {
	return func(l [][]byte) [][]byte {
		for i := range l {
			l[i] = change(l[i])
		}
		return l
	}
}

// at changes the record of a place, counted from the end where it is negative.
func at(i int, change func([]byte) []byte) func([][]byte) [][]byte {
	return func(l [][]byte) [][]byte {
		k := i
		if k < 0 {
			k += len(l)
		}
		if k >= 0 && k < len(l) {
			l[k] = change(l[k])
		}
		return l
	}
}

// without leaves a record out.
func without(i int) func([][]byte) [][]byte {
	return func(l [][]byte) [][]byte {
		k := i
		if k < 0 {
			k += len(l)
		}
		if k < 0 || k >= len(l) {
			return l
		}
		return slices.Delete(slices.Clone(l), k, k+1)
	}
}

// packsNow is packs as the site lists them now.
func (s *Scene) packsNow() []protocol.PackID {
	s.t.Helper()
	s.listings = nil
	return s.packs()
}

func itoa(n int) string { return strconv.Itoa(n) }
