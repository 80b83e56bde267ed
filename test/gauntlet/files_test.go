// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"net/http"
	"slices"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/snapshot"
)

// filesAttacks are those on files and records.
var filesAttacks = []Attack{
	{ID: "G01", Name: "flips one bit in every region of a pack and of every kind of record", Play: flipsBits},
	{ID: "G02", Name: "permutes and duplicates the chunks of a file", How: "the sealed frames of a pack", Play: permutesChunks},
	{ID: "G03", Name: "swaps chunks, or whole ciphertexts, of files of one size", How: "frames of one length; packs of one size", Play: swapsCiphertexts},
	{ID: "G04", Name: "truncates at each chunk's end and within; appends chunks of another file", Play: truncates},
	{ID: "G05", Name: "swaps sealed names, puts a node below another parent", How: "packs of tree nodes and snapshot records served for one another", Play: swapsNodes},
	{ID: "G06", Name: "edits sizes, times, types and authors that the server sees", How: "receipt times, account data and statements of packs", Play: editsMetadata},
	{ID: "G07", Name: "injects nodes: random, sealed to the user's key, replayed from another vault", How: "packs and snapshot records, into a full and into an empty vault", Play: injects},
	{ID: "G08", Name: "presents a share that mounts itself", How: "there are no shares: a vault's entry and a grant that nobody signed, in the ledger", Play: mounts},
	{ID: "G09", Name: "omits an item from a listing; brings a removed one back", How: "snapshot records, packs, and the record that forgets one", Play: omits},
}

func flipsBits(s *Scene) {
	d := s.Device("laptop")
	first := d.snapshots()[0]
	id, pack := s.big()
	fresh := s.Twin(d, "fresh")
	fresh.Lose("cache")
	Variants(s, regions(pack, d.Insider().Layout(pack)), func(r region) {
		s.Lie(only(id, func(p []byte) []byte { return Flip(p, r.at) }))
		t := s.Twin(fresh, "reader")
		s.Face(t, Reject().Exits(3), "restore", first, "--target", t.Path("out"))
	})
	whole := d.Insider().Layout(pack)
	s.Lie(only(id, func(p []byte) []byte { return Flip(p, whole.Lead.ContentEnd+100) })) // the padding, which nobody else reads
	s.Face(d, Reject("other bytes"), "check", "--read-data")
	flipsRecords(s, d)
	flipsLedger(s)
}

// flipsRecords flips bits in what is listed.
func flipsRecords(s *Scene, d *Device) {
	s.Honestly(func() { d.Must("forget", "--host", "laptop", "--keep-last", "2", "--prune") })
	forgetful := s.Twin(d, "forgetful")
	forgetful.Lose("state/vaults")
	forgetful.Lose("cache")
	Variants(s, []int{3, 100, 700, 3000}, func(k int) {
		s.Lie(Snapshots(each(func(r []byte) []byte { return Flip(r, k) })))
		s.Face(s.Twin(forgetful, "reader"), Reject().Moving(), "snapshots")
		s.Lie(On(http.MethodGet, api.BelowGenerations, Records(each(func(r []byte) []byte { return Flip(r, k) }))))
		s.Face(s.Twin(forgetful, "reader"), Reject().Moving(), "check")
	})
	Variants(s, []int{1, 60, 2000}, func(k int) {
		s.Lie(On(http.MethodGet, api.BelowPacks, Records(at(-1, func(r []byte) []byte { return Flip(r, k) }))))
		s.Face(s.Twin(forgetful, "reader"), Reject().Exits(1, 20).Moving(), "check")
	})
	s.Lie(On(http.MethodGet, api.BelowHead, JSON(func(h *api.Head) { h.Hash[7] ^= 1 })))
	s.Face(d, Reject(), "status", "--online")
}

// flipsLedger flips bits in what a device that comes back is served.
func flipsLedger(s *Scene) {
	kit := s.Device("laptop").Path("kit.txt")
	join := func() {
		back := s.NewDevice("back")
		s.Face(back, Reject().Exits(1, 20).Moving(), "join", "--recovery-kit", kit, "--device-name", "back")
	}
	Variants(s, []int{2, 50, -30}, func(k int) {
		s.Lie(Ledgers(func(p *api.LedgerPage) {
			p.Entries = each(func(e []byte) []byte { return Flip(e, k+len(e)) })(p.Entries)
		}))
		join()
		s.Lie(Ledgers(func(p *api.LedgerPage) {
			p.Objects = each(func(o []byte) []byte { return Flip(o, k+len(o)) })(p.Objects)
		}))
		join()
		s.Lie(On(http.MethodGet, "", func(x *Exchange) *Answer {
			if !bytes.HasPrefix([]byte(x.Path), []byte(api.PathRecovery+"/")) {
				return nil
			}
			return Bytes(func(b []byte) []byte { return Flip(b, k+len(b)) })(x)
		}))
		join()
	})
}

func permutesChunks(s *Scene) {
	d := s.Device("laptop")
	first := d.snapshots()[0]
	id, pack := s.big()
	frames := d.Insider().Layout(pack).Frames
	s.Demand(len(frames) >= 6, "only %d frames", len(frames))
	// The two orders keep all lengths where they are equal, and shift what lies
	// between where they are not.
	swap := func(a, b [2]int) func([]byte) []byte {
		return func(p []byte) []byte {
			return slices.Concat(p[:a[0]], p[b[0]:b[1]], p[a[1]:b[0]], p[a[0]:a[1]], p[b[1]:])
		}
	}
	double := func(a, b [2]int) func([]byte) []byte {
		return func(p []byte) []byte {
			c := bytes.Clone(p)
			copy(c[b[0]:b[1]], p[a[0]:a[1]])
			return c
		}
	}
	last := len(frames) - 1
	Variants(s, []func([]byte) []byte{
		swap(frames[1], frames[2]), swap(frames[1], frames[last-1]), double(frames[1], frames[2]), double(frames[3], frames[1]),
	}, func(change func([]byte) []byte) {
		s.Lie(only(id, change))
		t := s.Twin(d, "reader")
		s.Face(t, Reject().Exits(3), "restore", first, "--target", t.Path("out"))
	})
	s.Face(d, Reject("other bytes"), "check", "--read-data")
}

func swapsCiphertexts(s *Scene) {
	d := s.Device("laptop")
	ids := s.packs()
	a := ids[len(ids)-1]
	b := ids[slices.IndexFunc(ids, func(id protocol.PackID) bool { return len(s.site.Pack(id)) == len(s.site.Pack(a)) })]
	s.Demand(a != b, "there are no two packs of one size")
	one, two := s.site.Pack(a), s.site.Pack(b)
	s.Lie(swapped(s, a, b))
	s.Face(d, Reject().Exits(3), "restore", "latest", "--host", "laptop", "--target", d.Path("out"))
	s.Face(d, Reject("other bytes"), "check", "--read-data")
	in := d.Insider()
	x, y := in.Layout(one).Frames, in.Layout(two).Frames
	s.Lie(only(a, func(p []byte) []byte { // the frames of the one in the other, where they have room
		for i := range min(len(x), len(y)) {
			copy(p[x[i][0]:x[i][1]], two[y[i][0]:y[i][1]])
		}
		return p
	}))
	t := s.Twin(d, "reader")
	t.Lose("cache")
	s.Face(t, Reject().Exits(3), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
}

func truncates(s *Scene) {
	d := s.Device("laptop")
	first := d.snapshots()[0]
	id, pack := s.big()
	frames := d.Insider().Layout(pack).Frames
	other := s.site.Pack(s.packs()[3])
	var list []func([]byte) []byte
	for i := range 4 { // of as many in every world
		f := frames[i*(len(frames)-1)/4]
		list = append(list,
			func(p []byte) []byte { return p[:f[1]] },                    // shorter
			func(p []byte) []byte { clear(p[(f[0]+f[1])/2:]); return p }, // of the same length, from within a chunk
		)
	}
	last := frames[len(frames)-1]
	list = append(list, func(p []byte) []byte { return p[:last[1]-1] })
	Variants(s, list, func(change func([]byte) []byte) {
		s.Lie(only(id, change))
		s.Face(d, Reject().Exits(3), "restore", first, "--target", d.Path("out"))
		d.Lose("out")
	})
	s.Lie(On(http.MethodPost, api.BelowBlocks, Bytes(func(b []byte) []byte { return append(b, other...) }))) // more than was asked for
	s.Face(d, Reject().Exits(3), "restore", first, "--target", d.Path("out"))
	s.Lie(only(id, func(p []byte) []byte { // in the place of the padding
		copy(p[last[1]:len(p)-100_000], other[frames[0][0]:])
		return p
	}))
	s.Face(d, Reject("other bytes"), "check", "--read-data")
	s.Lie(only(id, func(p []byte) []byte { clear(p[last[1]:]); return p }))
	s.Face(d, Reject("other bytes"), "check", "--read-data")
}

func swapsNodes(s *Scene) {
	d := s.Device("laptop")
	ids := s.packs()
	t := s.Twin(d, "reader")
	t.Lose("cache") // no node is known
	s.Lie(swapped(s, ids[len(ids)-1], ids[0]))
	s.Face(t, Reject().Moving(), "ls", "latest", "--host", "laptop")
	t.Lose("state/vaults")
	Variants(s, []func([][]byte) [][]byte{
		func(l [][]byte) [][]byte { return swap(l, 6, 7) },
		func(l [][]byte) [][]byte { l[7] = l[6]; return l },
		func(l [][]byte) [][]byte { return slices.Concat(l[:6], [][]byte{details(l[6], l[7])}, l[7:]) },
	}, func(change func([][]byte) [][]byte) {
		s.Lie(Snapshots(func(l [][]byte) [][]byte {
			if len(l) < 8 {
				return l
			}
			return change(slices.Clone(l))
		}))
		s.Face(s.Twin(t, "listing"), Reject("record").Moving(), "ls", "latest", "--host", "laptop")
	})
}

func swap(l [][]byte, i, j int) [][]byte {
	l[i], l[j] = l[j], l[i]
	return l
}

// details returns a record with what another says to its owners.
func details(of, from []byte) []byte {
	a, errA := snapshot.Parse(of)
	b, errB := snapshot.Parse(from)
	if errA != nil || errB != nil || len(a.Details) != len(b.Details) {
		return Flip(of, len(of)/2)
	}
	return bytes.Replace(of, a.Details, b.Details, 1)
}

func editsMetadata(s *Scene) {
	d := s.Device("laptop")
	honest := d.Must("snapshots", "--json")
	s.Lie(On(http.MethodGet, api.BelowPacks, Records(each(func(raw []byte) []byte {
		r, err := api.ParsePackRecord(raw)
		if err != nil {
			return raw
		}
		r.Received = 12345
		return r.Marshal()
	}))), On(http.MethodGet, d.Insider().Ledger.Account().String(), JSON(func(a *api.Account) { a.Used, a.Packs = 1<<50, 7 })))
	t := s.Twin(d, "reader")
	t.Lose("cache")
	t.Lose("state/vaults")
	r := s.Face(t, Ignore(), "snapshots", "--json")
	s.Demand(r.Out == honest, "the list is another one:\n%s\n%s", honest, r.Out)
	t.Lose("cache")
	t.Lose("state/vaults")
	s.Face(t, Ignore(), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
	Variants(s, []int{90, 110, 130, 150}, func(k int) { // author, size, hash in the statement
		s.Lie(On(http.MethodGet, api.BelowPacks, Records(each(func(raw []byte) []byte {
			r, err := api.ParsePackRecord(raw)
			if err != nil {
				return raw
			}
			r.Statement = Flip(r.Statement, k)
			return r.Marshal()
		}))))
		t.Lose("cache")
		t.Lose("state/vaults")
		s.Face(t, Reject("nobody in this account signed for").Exits(1).Moving(), "check")
	})
}

func injects(s *Scene) {
	d := s.Device("laptop")
	bert := s.Device("bert")
	ghost := keys.GenerateMemberSecrets()
	own := s.listing("snapshots")
	packs := s.listing("packs")
	forged := func(raw []byte) []byte { // what decrypts for the user, in the name of a stranger
		r, err := api.ParsePackRecord(raw)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Cursor += 1000
		r.Statement = resigned(s, r.Statement, ghost)
		return r.Marshal()
	}
	t := s.Twin(d, "reader")
	t.Lose("cache")
	t.Lose("state/vaults")
	Variants(s, []Lie{
		Snapshots(func(l [][]byte) [][]byte { return append(l, bytes.Repeat([]byte{0x5a}, 900)) }),
		Snapshots(func(l [][]byte) [][]byte { return append(l, own[3]) }),
		On(http.MethodGet, api.BelowPacks, Records(func(l [][]byte) [][]byte { return append(l, bytes.Repeat([]byte{0xa5}, 400)) })),
		On(http.MethodGet, api.BelowPacks, Records(func(l [][]byte) [][]byte { return append(l, forged(packs[1])) })),
	}, func(lie Lie) {
		s.Lie(once(lie))
		u := s.Twin(t, "injected")
		s.Face(u, Reject().Moving(), "check")
	})
	// An empty vault: that of bert, as it was before he stored anything, is shown
	// what anna stored.
	empty := s.NewDevice("empty")
	s.Honestly(func() {
		empty.Must("join", "--name", "clara", "--recovery-out", empty.Path("kit.txt"), s.site.Invite())
	})
	Variants(s, []Lie{
		Snapshots(func(l [][]byte) [][]byte { return append(l, own[0]) }),
		On(http.MethodGet, api.BelowPacks, Records(func(l [][]byte) [][]byte { return append(l, packs[0]) })),
	}, func(lie Lie) {
		for _, victim := range []*Device{bert, empty} {
			s.Lie(once(lie))
			s.Face(s.Twin(victim, "injected"), Reject().Moving(), "check")
		}
	})
}

// once tells a lie the first time that it applies, to end a listing of pages.
func once(lie Lie) Lie {
	told := make(chan struct{}, 1)
	told <- struct{}{}
	return func(x *Exchange) *Answer {
		select {
		case <-told:
			if a := lie(x); a != nil {
				return a
			}
			told <- struct{}{}
		default:
		}
		return nil
	}
}

func mounts(s *Scene) {
	d := s.Device("laptop")
	ghost := keys.GenerateMemberSecrets()
	Variants(s, grafts(s, d, ghost), func(entry []byte) {
		s.Lie(Ledgers(func(p *api.LedgerPage) { p.Entries = append(p.Entries, entry) }))
		for _, args := range [][]string{{"snapshots"}, {"device", "list"}, {"backup", d.Path("diary")}} {
			s.Face(d, Reject("is not in the ledger"), args...)
		}
	})
	s.Lie()
	s.Demand(!bytes.Contains([]byte(d.Must("device", "list", "--json")), []byte(ghost.ID().String())), "the ghost is listed")
}

func omits(s *Scene) {
	d := s.Device("laptop")
	t := s.Twin(d, "reader")
	t.Lose("cache")
	t.Lose("state/vaults")
	Variants(s, []int{0, 5, -2}, func(i int) {
		s.Lie(Snapshots(func(l [][]byte) [][]byte {
			if len(l) < 6 {
				return l
			}
			return without(i)(l)
		}))
		s.Face(s.Twin(t, "hidden"), Alarm("does not follow").Moving(), "snapshots")
	})
	s.Lie(On(http.MethodGet, api.BelowPacks, Records(without(0))))
	s.Face(s.Twin(t, "poor"), Isolate("missing").Exits(1), "check")
	ids := d.snapshots()
	before := s.Copy(s.site)
	s.Honestly(func() { d.Must("forget", ids[4]) })
	s.Lie(Ask(before))
	s.Face(d, Alarm("rollback"), "snapshots")
}
