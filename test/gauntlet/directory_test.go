// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
)

// directoryAttacks are those on the public log, its directory and its witnesses.
// There are no shares: whoever looks a contact up and compares codes is as who
// would share.
var directoryAttacks = []Attack{
	{ID: "G24", Name: "answers for a contact without a proof, with another name's, with a bad VRF proof", How: "every part of an answer left out, flipped, or of another name", Play: badProofs},
	{ID: "G25", Name: "logs another identity for a contact, with valid proofs", How: "the one thing about a name that the rules let it log: a stranger asks for it, and gets it after 30 days", Play: logsFake},
	{ID: "G26", Name: "shows two clients two checkpoints of one size", How: "a fork with a quorum of one, then with bribed witnesses; two devices compare", Play: splitsView},
	{ID: "G27", Name: "serves a smaller checkpoint, and a larger one with a bad consistency proof", Play: breaksConsistency},
	{ID: "G28", Name: "adds a third device: without, and with a forged certificate; names it in what it signs", How: "entries in the ledger that nobody in the account signed, and a signed statement for them", Play: addsDevice},
	{ID: "G29", Name: "adds a ghost to a roster, to whom a new key would go", How: "the account's members while a removal makes new keys", Play: addsGhost},
	{ID: "G30", Name: "serves a contact's older key with a perfectly valid proof", How: "a second real server that stopped before the contact changed", Play: servesOlder},
	{ID: "G31", Name: "replays the list of devices of before a removal", How: "the ledger of before under the directory of now", Play: replaysDevices},
	{ID: "G32", Name: "lets the log stop and serves one correctly cosigned checkpoint for weeks", How: "no witness is asked any more", Play: stopsLog},
}

// looksUp is a look-up of a name.
func looksUp(name string, lie Lie) Lie {
	return On(http.MethodGet, api.PathDirectory, func(x *Exchange) *Answer {
		if x.Query.Get("name") != name {
			return nil
		}
		return lie(x)
	})
}

func badProofs(s *Scene) {
	d := s.Device("laptop")
	changed := func(change func(*directory.Answer)) Lie { return looksUp("bert", CBOR(change)) }
	other := looksUp("bert", func(x *Exchange) *Answer {
		y := *x
		y.Query = map[string][]string{}
		for name, values := range x.Query {
			y.Query[name] = values
		}
		y.Query.Set("name", "anna")
		return y.From(x.Site)
	})
	ledger := On(http.MethodGet, api.PathContact, func(x *Exchange) *Answer {
		y := *x
		y.Query = map[string][]string{"name": {"anna"}}
		return y.From(x.Site)
	})
	Variants(s, []Lie{
		other, ledger,
		changed(func(a *directory.Answer) { a.VRF[40] ^= 1 }),
		changed(func(a *directory.Answer) { a.Path = &directory.PathProof{} }),
		changed(func(a *directory.Answer) { a.Update, a.UpdateProof = nil, nil }),
		changed(func(a *directory.Answer) { a.Update = Flip(a.Update, 60) }),
		changed(func(a *directory.Answer) { a.UpdateProof = nil }),
		changed(func(a *directory.Answer) { a.Openings = nil }),
		changed(func(a *directory.Answer) { a.Openings[0].Account[3] ^= 1 }),
		changed(func(a *directory.Answer) { a.Openings[0].Ledger.Hash[3] ^= 1 }),
		changed(func(a *directory.Answer) { a.Root = Flip(a.Root, 30) }),
		changed(func(a *directory.Answer) { a.RootProof = nil }),
		changed(func(a *directory.Answer) { a.Note = Flip(a.Note, 60) }),
	}, func(lie Lie) {
		s.Lie(lie)
		s.Face(s.Twin(d, "sharer"), Reject().Moving(), "key", "fingerprint", "bert")
	})
}

func logsFake(s *Scene) {
	laptop, bert := s.Device("laptop"), s.Device("bert")
	s.Honestly(func() { laptop.Must("key", "fingerprint", "bert") })
	s.Lie(logged)
	if s.Evil {
		s.Site().AskForName("bert", clockOf(s.clock))
	}
	s.Face(bert, Alarm("ALARM", "notice").Moving(), "backup", "--host", "bert", bert.Path("files"))
	s.Face(laptop, Ignore(), "key", "fingerprint", "bert")
	// Nobody answers for 30 days: the name is the stranger's, and who knew it is told.
	if s.Evil {
		size := s.Site().Size()
		s.Later(31 * 24 * time.Hour)
		s.Site().Grow(size)
		s.Site().GiveName("bert", clockOf(s.clock))
	}
	s.Face(laptop, Alarm("ALARM").Moving(), "key", "fingerprint", "bert")
}

// logged is a lie that stands in the log itself: every answer tells it.
func logged(x *Exchange) *Answer { return x.Honest() }

// fork is a second real server with the same keys, whose log goes on by itself,
// cosigned by those whom it bribed.
func (s *Scene) fork(bribed ...string) *Site {
	s.t.Helper()
	other := s.Copy(s.site)
	list := map[string]*Witness{}
	for _, name := range bribed {
		list[name] = s.Witnesses[name].Bribed(s.t.TempDir())
		list[name].t = s.t
	}
	s.Bribe(other, list)
	return other
}

func splitsView(s *Scene) {
	laptop, phone := s.Device("laptop"), s.Device("phone")
	other := s.site
	if s.Evil {
		other = s.fork("witness-1", "witness-2")
	}
	// Both logs go on, and differ from here.
	before := s.site.Size()
	s.Later(2 * time.Hour)
	s.site.Grow(before)
	if s.Evil {
		other.Grow(before)
	}
	s.Lie(logged)
	s.Front.route("laptop", s.site)
	s.Honestly(func() { laptop.Must("log", "status", "--online") })
	// With one cosignature of two that are demanded.
	minority := func(x *Exchange) *Answer {
		y := *x
		a := y.From(other)
		if !a.Good() || x.Path != api.PathDirectory {
			return a
		}
		z := Exchange{Site: other, honest: a}
		return CBOR(func(v *directory.Answer) { v.Note = lines(v.Note, 1) })(&z)
	}
	s.Lie(minority)
	s.Face(s.Twin(laptop, "victim"), Alarm("ALARM", "fork").Exits(20), "backup", "--host", "laptop", laptop.Path("diary"))
	fresh := s.Twin(phone, "fresh") // has not seen what comes after
	s.Face(fresh, Hold().Exits(0, 1, 20, 22, 25).Moving(), "key", "fingerprint", "bert")
	// With a quorum that was bribed: the one who saw the other log notices.
	s.Lie(Ask(other))
	s.Face(s.Twin(laptop, "victim"), Alarm("ALARM", "fork").Proven(), "backup", "--host", "laptop", laptop.Path("diary"))
	// The phone is kept in the fork for good, until the two compare.
	s.Front.route("phone", other)
	s.Lie(To("laptop", logged), To("phone", Ask(other)))
	shown := phone.put("phone.view", []byte(phone.Must("log", "status", "--export")))
	s.Face(laptop, Alarm("ALARM").Proven().Moving().Otherwise(), "log", "compare", shown)
}

// lines keeps the text of a note and so many signatures after the log's.
func lines(note []byte, cosignatures int) []byte {
	text, signatures, found := bytes.Cut(note, []byte("\n\n"))
	if !found {
		return note
	}
	kept := bytes.SplitAfter(signatures, []byte("\n"))
	return append(append(text, "\n\n"...), bytes.Join(kept[:min(len(kept), 1+cosignatures)], nil)...)
}

func breaksConsistency(s *Scene) {
	d := s.Device("laptop")
	s.Lie(Ask(s.Yesterday()))
	s.Face(s.Twin(d, "victim"), Alarm("ALARM", "rollback"), "backup", "--host", "laptop", d.Path("diary"))
	before := s.site.Size()
	s.Later(2 * time.Hour)
	s.site.Grow(before)
	Variants(s, []func(*directory.Answer){
		func(a *directory.Answer) { a.Consistency = nil },
		func(a *directory.Answer) { a.Consistency[0][5] ^= 1 },
		func(a *directory.Answer) { a.Consistency = append(a.Consistency, protocol.Hash{1}) },
	}, func(change func(*directory.Answer)) {
		s.Lie(On(http.MethodGet, api.PathDirectory, CBOR(change)))
		s.Face(s.Twin(d, "victim"), Alarm("log"), "backup", "--host", "laptop", d.Path("diary"))
	})
	// A larger log that does not hold the smaller one, well cosigned.
	if s.Evil {
		other := s.fork("witness-1", "witness-2")
		s.Honestly(func() { d.Must("log", "status", "--online") })
		size := other.Size()
		s.Later(2 * time.Hour)
		other.Grow(size)
		s.site.Grow(size)
		s.Honestly(func() { d.Must("log", "status", "--online") })
		s.Later(2 * time.Hour)
		other.Grow(size + 1)
		s.Lie(Ask(other))
		s.Face(s.Twin(d, "victim"), Alarm("ALARM").Moving(), "backup", "--host", "laptop", d.Path("diary"))
	}
}

func addsDevice(s *Scene) {
	laptop, phone := s.Device("laptop"), s.Device("phone")
	ghost := keys.GenerateMemberSecrets()
	Variants(s, grafts(s, laptop, ghost), func(entry []byte) {
		s.Lie(Ledgers(func(p *api.LedgerPage) {
			p.Entries = append(p.Entries, entry)
			// It signs that this is the newest.
			p.Statement = s.site.Resign(p.Statement, func(st *statement.Statement) {
				st.Seq, st.Hash = st.Seq+1, tlog.LeafHash(entry)
			})
		}))
		for d, folder := range map[*Device]string{laptop: "diary", phone: "files"} {
			s.Face(s.Twin(d, "victim"), Reject().Moving(), "backup", "--host", d.Name, d.Path(folder))
		}
	})
}

func addsGhost(s *Scene) {
	laptop := s.Device("laptop")
	ghost := keys.GenerateMemberSecrets()
	Variants(s, grafts(s, laptop, ghost), func(entry []byte) {
		s.Lie(Ledgers(func(p *api.LedgerPage) { p.Entries = append(p.Entries, entry) }))
		s.Face(s.Twin(laptop, "remover"), Reject().Moving(), "device", "revoke", "web")
	})
	// The true roster gets the new keys, and nobody else (I7).
	s.Lie()
	if s.Evil {
		laptop.Must("device", "revoke", "web")
		s.Demand(!strings.Contains(laptop.Must("device", "list", "--json"), ghost.ID().String()), "the ghost is listed")
	}
}

func servesOlder(s *Scene) {
	laptop, bert := s.Device("laptop"), s.Device("bert")
	s.Honestly(func() { laptop.Must("key", "fingerprint", "bert") })
	before := s.Copy(s.site)
	s.Bribe(before, nil) // it stands still
	size := s.site.Size()
	s.Honestly(func() { bert.Must("recovery", "kit", "--out", bert.Path("kit-two.txt")) })
	s.site.Grow(size)
	old := s.Twin(laptop, "old") // has not seen the change
	s.Honestly(func() { laptop.Must("key", "fingerprint", "bert") })
	// Everything is of before, and valid.
	s.Lie(Ask(before))
	s.Face(s.Twin(laptop, "sharer"), Alarm("ALARM", "rollback"), "key", "fingerprint", "bert")
	// The checkpoint is of now, and the name's part of before.
	s.Lie(looksUp("bert", func(x *Exchange) *Answer {
		now, then := x.Honest(), x.From(before)
		var n, o directory.Answer
		CBOR(func(a *directory.Answer) { n = *a })(&Exchange{Site: x.Site, honest: now})
		CBOR(func(a *directory.Answer) { o = *a })(&Exchange{Site: x.Site, honest: then})
		o.CheckpointPart = n.CheckpointPart
		now.Body = o.Bytes()
		return now
	}))
	s.Face(s.Twin(old, "sharer"), Reject().Moving(), "key", "fingerprint", "bert")
}

func replaysDevices(s *Scene) {
	laptop, bert := s.Device("laptop"), s.Device("bert")
	other := s.NewDevice("other")
	other.put("password", []byte("canary-of-bert-"+password+"\n"))
	size := s.site.Size()
	if join, approve := bert.Add(other, "bert"); join.Code+approve.Code != 0 {
		s.t.Fatalf("%s\n%s", join, approve)
	}
	s.site.Grow(size)
	size = s.site.Size()
	bert.Must("device", "revoke", "other")
	s.site.Grow(size)
	Variants(s, []int{1, 2, 3}, func(n int) {
		s.Lie(On(http.MethodGet, api.PathContact, JSON(func(p *api.LedgerPage) { p.Entries = p.Entries[:max(1, len(p.Entries)-n)] })))
		s.Face(s.Twin(laptop, "sharer"), Reject().Moving(), "key", "fingerprint", "bert")
	})
}

func stopsLog(s *Scene) {
	d := s.Device("laptop")
	s.Honestly(func() { d.Must("key", "fingerprint", "bert") })
	s.Lie(logged)
	if s.Evil {
		s.Bribe(s.site, nil)
	}
	step := func(hours int) {
		size := s.site.Size()
		s.Later(time.Duration(hours) * time.Hour)
		if !s.Evil {
			s.site.Grow(size)
		}
	}
	step(26)
	soft := Isolate("proven as of").Exits(0).Moving()
	s.Face(d, soft, "backup", "--host", "laptop", d.Path("diary"))
	step(50)
	s.Face(s.Twin(d, "sharer"), Hold().Exits(1, 20, 22, 25).Moving(), "key", "fingerprint", "bert")
	// Own backups go on, under the keys that are known, and say so.
	s.Face(d, Isolate("own backups go on").Exits(0, 25).Moving(), "backup", "--host", "laptop", d.Path("diary"))
	s.Face(d, Isolate().Exits(0).Moving(), "restore", "latest", "--host", "laptop", "--target", d.Path("out"))
	// Out goes who is to go, at once; keys for those who stay wait for a proof.
	s.Face(d, Isolate("nobody new is let in").Exits(0).Moving(), "device", "revoke", "web")
	late := Hold().Exits(1, 12, 20, 22, 24, 25).Moving()
	newcomer := s.NewDevice("newcomer")
	if s.Evil {
		d.patience, newcomer.patience = "2s", "4s"
	}
	s.FaceAdd(d, newcomer, "anna", late, late)
}
