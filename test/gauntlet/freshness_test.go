// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/test/world"
)

// freshnessAttacks are those on what is newest, and on one past for all.
var freshnessAttacks = []Attack{
	{ID: "G10", Name: "serves yesterday's complete, self-consistent account", How: "a second real server on yesterday's copy", Play: rollsBack},
	{ID: "G11", Name: "serves an old version's objects with the new manifest, and the old manifest", How: "packs of day 29 for day 30; the record of day 29 as the head", Play: mixesVersions},
	{ID: "G12", Name: "forks the histories of two devices and lets them meet", How: "a second real server for the phone; then both at one", Play: forks},
	{ID: "G13", Name: "hides snapshot 17 of 30; hides the newest", Play: hides},
	{ID: "G14", Name: "serves one machine's snapshot for another's", How: "records and packs of the phone, and of another account, for the laptop's", Play: crosses},
	{ID: "G15", Name: "acknowledges uploads that it never stores", How: "a pack is dropped and acknowledged, or forgotten after the backup", Play: forgets},
}

func rollsBack(s *Scene) {
	d := s.Device("laptop")
	d.Write("diary/canary-page.txt", text(1, "today", 500))
	s.Lie(Ask(s.Yesterday()))
	for _, args := range [][]string{
		{"snapshots"},
		{"restore", "latest", "--target", d.Path("out")},
		{"forget", "--keep-last", "1", "--prune"},
		{"status", "--online"},
		{"backup", "--host", "laptop", d.Path("diary")},
	} {
		s.Face(s.Twin(d, "victim"), Alarm("ALARM", "rollback"), args...)
	}
	// From then on it holds, also when the provider tells the truth again; what it
	// knows by itself it still says.
	victim := s.devices["victim"]
	s.Lie()
	if s.Evil {
		s.Face(victim, Hold("ALARM", "rollback").Silently(), "backup", "--host", "laptop", victim.Path("diary"))
		victim.Must("whoami")
	}
}

func mixesVersions(s *Scene) {
	d := s.Device("laptop")
	ids := s.packs()
	last, before := s.site.Pack(ids[len(ids)-1]), s.site.Pack(ids[len(ids)-2])
	s.Lie(only(ids[len(ids)-1], func([]byte) []byte {
		return append(before[:min(len(before), len(last))], make([]byte, max(0, len(last)-len(before)))...)
	}))
	s.Face(d, Reject("list folder").Exits(3), "restore", "latest", "--host", "laptop", "--target", d.Path("out"))
	own := s.listing("snapshots")
	old := own[len(own)-2]
	t := s.Twin(d, "reader")
	t.Lose("state/vaults")
	s.Lie(Snapshots(func(l [][]byte) [][]byte {
		if len(l) == 0 {
			return l
		}
		return append(l[:len(l)-1], old) // the old one in the new one's place
	}))
	s.Face(t, Reject("does not follow").Moving(), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
	// The old head: unsigned, as signed before, and signed anew by the provider's own
	// key, which proves the lie.
	earlier := snapshot.HashOf(old)
	s.Lie(On(http.MethodGet, api.BelowHead, JSON(func(h *api.HeadAnswer) { h.Seq, h.Hash, h.Statement = h.Seq-1, earlier, nil })))
	s.Face(s.Twin(d, "told"), Reject("no signed statement"), "status", "--online")
	s.Lie(On(http.MethodGet, api.BelowHead, JSON(func(h *api.HeadAnswer) { h.Seq, h.Hash = h.Seq-1, earlier })))
	s.Face(s.Twin(d, "told"), Reject("another head than the one it signed"), "status", "--online")
	s.Lie(On(http.MethodGet, api.BelowHead, JSON(func(h *api.HeadAnswer) {
		h.Seq, h.Hash = h.Seq-1, earlier
		h.Statement = s.site.Resign(h.Statement, func(st *statement.Statement) { st.Seq, st.Hash = h.Seq, h.Hash })
	})))
	s.Face(s.Twin(d, "told"), Alarm("ALARM", "statements").Proven(), "status", "--online")
	s.Face(s.Twin(d, "told"), Alarm("ALARM", "statements").Proven(), "backup", "--host", "laptop", d.Path("diary"))
}

func forks(s *Scene) {
	laptop, phone := s.Device("laptop"), s.Device("phone")
	other := s.site
	if s.Evil {
		other = s.Copy(s.site)
	}
	s.Front.route("phone", other)
	for _, d := range []*Device{laptop, phone} {
		d.Write("diary/canary-page.txt", text(2, d.Name+"'s page", 500))
		d.Must("backup", "--host", d.Name, d.Path("diary"))
	}
	// They meet: the phone is shown what the laptop is.
	s.Lie(To("phone-met", Ask(s.site)), To("laptop-met", Ask(other)))
	for _, d := range []*Device{phone, laptop} {
		for _, args := range [][]string{{"snapshots"}, {"backup", "--host", d.Name, d.Path("diary")}} {
			s.Face(s.Twin(d, d.Name+"-met"), Alarm("ALARM", "fork").Proven(), args...)
		}
	}
}

func hides(s *Scene) {
	d := s.Device("laptop")
	ids := d.snapshots()
	t := s.Twin(d, "reader")
	t.Lose("state/vaults")
	t.Lose("cache")
	all := s.listing("snapshots")
	place := slices.IndexFunc(all, func(raw []byte) bool { return protocol.Hash(snapshot.HashOf(raw)).String() == ids[16] })
	s.Demand(place > 0, "snapshot 17 is not listed")
	s.Lie(Snapshots(func(l [][]byte) [][]byte {
		return slices.DeleteFunc(l, func(raw []byte) bool { return bytes.Equal(raw, all[place]) })
	}))
	fresh := s.Twin(t, "restorer")
	s.Face(t, Alarm("does not follow").Moving(), "snapshots")
	s.Face(fresh, Alarm("record "+itoa(place+2)+" does not follow").Moving(), "restore", ids[16], "--target", fresh.Path("out"))
	// The newest: a device that knows it is not fooled by a server without it.
	s.Lie(Ask(s.Yesterday()))
	s.Face(d, Alarm("ALARM", "rollback"), "restore", "latest", "--target", d.Path("out"))
}

func crosses(s *Scene) {
	d, bert := s.Device("laptop"), s.Device("bert")
	account := func(of *Device) string { return of.Insider().Ledger.Account().String() }
	vault := func(of *Device) string { return of.Insider().Ledger.Vaults()[0].ID.String() }
	from := strings.NewReplacer(account(d), account(bert), vault(d), vault(bert))
	token := s.token(bert)
	t := s.Twin(d, "reader")
	t.Lose("state/vaults")
	t.Lose("cache")
	s.Lie(func(x *Exchange) *Answer { // all of another account's vault
		if !strings.Contains(x.Path, "/vaults/") {
			return nil
		}
		y := *x
		y.Path, y.Header = from.Replace(x.Path), http.Header{"Authorization": {token}, "Content-Type": x.Header["Content-Type"]}
		return y.From(x.Site)
	})
	s.Face(t, Reject().Moving(), "restore", "latest", "--target", t.Path("out"))
	// Within the account: the phone's record and pack in the place of the laptop's.
	own := s.listing("snapshots")
	s.Lie(Snapshots(func(l [][]byte) [][]byte {
		if len(l) < 4 {
			return l
		}
		l[3] = own[1]
		return l
	}))
	t.Lose("state/vaults")
	s.Face(t, Reject("does not follow").Moving(), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
	ids := s.packs()
	s.Lie(swapped(s, ids[1], ids[len(ids)-1]))
	s.Face(d, Reject("list folder").Exits(3), "restore", "latest", "--host", "laptop", "--target", d.Path("out"))
}

// token returns what a device's session is good with.
func (s *Scene) token(d *Device) string {
	s.t.Helper()
	tokens := make(chan string, 100)
	s.Front.tell([]Lie{To(d.Name, func(x *Exchange) *Answer {
		if token := x.Header.Get("Authorization"); token != "" {
			select {
			case tokens <- token:
			default: // there are enough
			}
		}
		return nil
	})})
	d.Must("snapshots")
	s.Front.tell(s.told)
	close(tokens)
	var last string
	for token := range tokens {
		last = token
	}
	return last
}

func forgets(s *Scene) {
	d := s.Device("laptop")
	d.Write("diary/canary-page.txt", world.Noise(77, 3000))
	trash := s.site
	if s.Evil {
		trash = s.Copy(s.site)
	}
	s.Lie(func(x *Exchange) *Answer { // it says that it stored it, as well as a server can
		if x.Method != http.MethodPut || !strings.Contains(x.Path, api.BelowPacks+"/") {
			return nil
		}
		return x.From(trash)
	})
	s.Face(d, Ignore(), "backup", "--host", "laptop", d.Path("diary"))
	if s.Evil {
		s.Front.tell(nil)
		r := d.Run("check")
		s.Demand(r.Code == 1 && strings.Contains(r.Out+r.Err, "missing"), "a check does not see what was never stored: %s", r)
	}
	// Or it stores the pack, acknowledges the record, and forgets the pack.
	s.Lie()
	d.Must("backup", "--host", "laptop", d.Path("diary"))
	ids := s.packsNow()
	gone := ids[len(ids)-1]
	s.Lie(Packs(func(id protocol.PackID, pack []byte) []byte {
		if id == gone {
			return nil
		}
		return pack
	}))
	s.Face(d, Reject(gone.String()[:8]).Exits(1), "check", "--read-data")
	s.Lie(On(http.MethodPost, api.BelowStat, JSON(func(r *api.StatResponse) {
		for i := range r.States {
			r.States[i] = api.PackAbsent
		}
	})))
	s.Face(d, Reject("missing").Exits(1), "check")
	// Sampling finds it within as many days as the part says.
	s.Lie(Packs(func(id protocol.PackID, pack []byte) []byte {
		if id == gone {
			return bytes.Repeat([]byte{0}, len(pack))
		}
		return pack
	}))
	s.sample(d, 7)
}

// sample reads another part each day, and demands that one of them tells.
func (s *Scene) sample(d *Device, parts int) {
	if !s.Evil {
		return
	}
	found := 0
	for part := 1; part <= parts; part++ {
		if d.Run("check", "--read-data-subset", itoa(part)+"/"+itoa(parts)).Code == 20 {
			found++
		}
	}
	s.Demand(found == 1, "%d of %d parts tell", found, parts)
}
