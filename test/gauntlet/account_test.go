// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/seal"
)

// accountAttacks are those on an account's keys and on signing in.
var accountAttacks = []Attack{
	{ID: "G16", Name: "answers a new login with keys of its own", How: "another account's box and ledger for a recovery key; its own challenge and reveal between two devices that enrol", Play: ownKeys},
	{ID: "G17", Name: "names weak and absurd costs for the password", How: "every answer of registration and login names parameters; all are passed over, for the client's are fixed", Play: namesCosts},
	{ID: "G18", Name: "announces older and unknown formats", How: "version bytes of packs, records and ledger entries", Play: versions},
	{ID: "G19", Name: "sends mutated wrapped keys and watches the answers", How: "24 of 600: a wrap is known by its hash in a signed entry, so none is ever opened", Play: mutatesWraps},
	{ID: "G20", Name: "kills connections at every write, forces retries; the machine is put back to an older image", Play: killsUploads},
	{ID: "G21", Name: "signs in wrongly: another server, a replayed or forged answer, another user's", Play: forgesLogin},
	{ID: "G22", Name: "keeps serving the wrapped keys of before a change", How: "no password wraps anything here; the ledger and wraps of before a removal", Play: oldBundle},
	{ID: "G23", Name: "puts a wrap of one purpose, or of an old epoch, in another's place", How: "objects of the ledger, run keys of packs and records, boxes of two kits", Play: swapsWraps},
	{ID: "G34", Name: "asks in the name of a known device", How: "there are no shares: requests to join that nobody made, beside a real one", Play: spoofsNames},
}

// below is a lie about everything whose path begins so.
func below(prefix string, lie Lie) Lie {
	return func(x *Exchange) *Answer {
		if !strings.HasPrefix(x.Path, prefix) {
			return nil
		}
		return lie(x)
	}
}

// captured returns what honest answers below a path were while do ran.
func (s *Scene) captured(prefix string, do func()) (bodies [][]byte) {
	s.t.Helper()
	var mu sync.Mutex
	s.Front.tell([]Lie{below(prefix, func(x *Exchange) *Answer {
		if a := x.Honest(); a.Good() {
			mu.Lock()
			defer mu.Unlock()
			bodies = append(bodies, a.Body)
		}
		return nil
	})})
	do()
	s.Front.tell(s.told)
	mu.Lock() // what was written before is seen behind it
	defer mu.Unlock()
	return bodies
}

// comesBack is a device that joins by the laptop's kit.
func (s *Scene) comesBack(e Expect) Result {
	s.t.Helper()
	return s.Face(s.NewDevice("back"), e.Moving(), "join", "--recovery-kit", s.Device("laptop").Path("kit.txt"), "--device-name", "back")
}

func ownKeys(s *Scene) {
	laptop, bert := s.Device("laptop"), s.Device("bert")
	kit := bert.Path("kit.txt")
	own := s.captured("/v1/", func() { s.NewDevice("evil").Must("join", "--recovery-kit", kit, "--device-name", "evil") })
	var box, page []byte
	for _, body := range own {
		if bytes.Contains(body, []byte(`"entries"`)) && page == nil {
			page = body
		}
		if len(body) > 0 && body[0] != '{' && box == nil {
			box = body
		}
	}
	s.Demand(box != nil && page != nil, "no box or ledger of bert's was seen")
	s.Lie(below(api.PathRecovery+"/", Bytes(func([]byte) []byte { return box })))
	s.comesBack(Reject("not made with this recovery key"))
	s.Lie(On(http.MethodGet, "/ledger", Bytes(func([]byte) []byte { return page })))
	s.comesBack(Reject())
	// Between two devices: a challenge and a reveal of its own. The codes differ.
	other := s.NewDevice("other")
	other.put("password", []byte("canary-of-bert-"+password+"\n"))
	own = s.captured(api.PathEnrolments, func() {
		if join, approve := bert.Add(other, "bert"); s.Evil && join.Code+approve.Code != 0 {
			s.complain("%s\n%s", join, approve)
		}
	})
	var challenge, reveal []byte
	for _, body := range own {
		var e api.Enrolment
		if json.Unmarshal(body, &e) == nil && e.Challenge != nil {
			challenge = e.Challenge
			if e.Reveal != nil {
				reveal = e.Reveal
			}
		}
	}
	s.Demand(len(challenge) > 0 && len(reveal) > 0, "no challenge or reveal of bert's was seen: %d answers", len(own))
	s.enrolLied(laptop, JSON(func(e *api.Enrolment) {
		if e.Challenge != nil {
			e.Challenge = challenge
		}
	}))
	s.enrolLied(laptop, JSON(func(e *api.Enrolment) {
		if e.Reveal != nil {
			e.Reveal = reveal
		}
	}))
}

// enrolLied enrols a device while the provider changes what one is told of the
// other; nobody is added.
func (s *Scene) enrolLied(laptop *Device, lie Lie) {
	s.t.Helper()
	s.Lie(below(api.PathEnrolments+"/", lie))
	refused := Reject("nothing was added").Exits(12, 20, 24)
	laptop.patience = "3s" // it is not told that the newcomer gave up
	if !s.Evil {
		laptop.patience = ""
	}
	s.FaceAdd(laptop, s.NewDevice("newcomer"), "anna", refused.Moving(), refused.Moving())
	if s.Evil {
		s.Honestly(func() {
			s.Demand(strings.Count(laptop.Must("device", "list", "--json"), `"role":"owner"`) == 2, "there is another device")
		})
	}
}

func namesCosts(s *Scene) {
	names := func(cost map[string]any) Lie {
		return func(x *Exchange) *Answer {
			if x.Path != api.PathRegistrations && !strings.HasPrefix(x.Path, api.PathLogins) && x.Path != api.PathServer {
				return nil
			}
			return JSON(func(v *map[string]any) {
				for name, value := range cost {
					(*v)[name] = value
				}
			})(x)
		}
	}
	n := 0
	Variants(s, []map[string]any{
		{"kdf": "argon2id", "memory": 8, "time": 1, "ksf": map[string]any{"name": "identity"}},
		{"kdf": "pbkdf2", "iterations": 1, "suite": "none", "kdfIterations": 1},
		{"kdf": "scrypt", "n": 2, "memory": 1 << 40, "time": 1 << 30, "parallelism": 255},
	}, func(cost map[string]any) {
		n++
		s.Lie(names(cost))
		d := s.NewDevice("clara")
		s.Face(d, Ignore(), "join", "--name", "clara"+itoa(n), "--recovery-out", d.Path("kit.txt"), s.site.Invite())
		// What was registered against the lie is what an honest login needs, and the
		// other way round.
		s.Honestly(func() {
			if join, approve := d.Add(s.NewDevice("second"), "clara"+itoa(n)); join.Code+approve.Code != 0 {
				s.complain("what was registered is another thing: %s\n%s", join, approve)
			}
		})
		if n == 1 {
			s.FaceAdd(d, s.NewDevice("third"), "clara1", Ignore(), Ignore())
		}
	})
}

func versions(s *Scene) {
	d := s.Device("laptop")
	first := d.snapshots()[0]
	big, _ := s.big()
	t := s.Twin(d, "reader")
	t.Lose("state/vaults")
	t.Lose("cache")
	version := func(v byte) func([]byte) []byte { // the value of key 1 in a canonical map
		return func(raw []byte) []byte {
			if len(raw) > 2 && raw[1] == 1 {
				raw = bytes.Clone(raw)
				raw[2] = v
			}
			return raw
		}
	}
	Variants(s, []byte{0, 2}, func(v byte) {
		s.Lie(Snapshots(each(version(v))))
		s.Face(s.Twin(t, "old"), Hold("update this program").Exits(1).Moving(), "snapshots")
		s.Lie(On(http.MethodGet, api.BelowPacks, Records(each(func(raw []byte) []byte {
			r, err := api.ParsePackRecord(raw)
			if err != nil {
				return raw
			}
			r.Statement = version(v)(r.Statement)
			return r.Marshal()
		}))))
		s.Face(s.Twin(t, "old"), Hold("update this program").Exits(1).Moving(), "check")
		s.Lie(only(big, func(p []byte) []byte { p[7] = v; return p }))
		s.Face(s.Twin(t, "old"), Reject("is not known here").Exits(3).Moving(), "restore", first, "--target", t.Path("out"))
		s.Lie(Ledgers(func(p *api.LedgerPage) { p.Entries = each(version(v))(p.Entries) }))
		s.comesBack(Hold("update this program").Exits(1))
	})
}

func mutatesWraps(s *Scene) {
	var replies []string
	var places []int
	for i := range 24 {
		places = append(places, i*(seal.WrapSize/24)+i%7)
	}
	Variants(s, places, func(k int) {
		s.Lie(Ledgers(func(p *api.LedgerPage) {
			for i, o := range p.Objects {
				if len(o) == seal.WrapSize {
					p.Objects[i] = Flip(o, k)
				}
			}
		}))
		r := s.comesBack(Reject("which no entry names"))
		replies = append(replies, said(r, s))
	})
	for _, reply := range replies {
		s.Demand(reply == replies[0], "two answers to mutated wraps: %q and %q", replies[0], reply)
	}
}

func killsUploads(s *Scene) {
	d := s.Device("laptop")
	image := s.Twin(d, "image")
	kill := func(nth int, after bool) Lie { // the nth write breaks, once, before or after it was done
		var mu sync.Mutex
		n := 0
		return func(x *Exchange) *Answer {
			if x.Method == http.MethodGet || x.Below(api.BelowBlocks) || strings.HasPrefix(x.Path, api.PathSessions) || strings.HasPrefix(x.Path, api.PathChallenges) {
				return nil
			}
			mu.Lock()
			n++
			now := n == nth
			mu.Unlock()
			if !now {
				return nil
			}
			if after {
				x.Honest()
			}
			return &Answer{Cut: true}
		}
	}
	for nth := 1; nth <= 2; nth++ {
		for _, after := range []bool{false, true} {
			d.Write("diary/canary-page.txt", text(byte(nth), "again "+itoa(nth), 3000))
			s.Lie(kill(nth, after))
			s.Face(d, Ignore(), "backup", "--host", "laptop", d.Path("diary"))
			if !s.Evil {
				return
			}
		}
	}
	// The machine is put back to an image of before, and goes on.
	image.Write("diary/canary-page.txt", text(9, "other", 3000))
	s.Lie(kill(1, true))
	s.Face(image, Ignore(), "backup", "--host", "laptop", image.Path("diary"))
	s.Lie()
	d.Must("check", "--read-data")
}

func forgesLogin(s *Scene) {
	laptop := s.Device("laptop")
	link := strings.TrimSpace(laptop.Must("device", "link"))
	login := func(e Expect, lies ...Lie) {
		s.t.Helper()
		s.Lie(lies...)
		s.Face(s.NewDevice("newcomer"), e.Moving(), "join", "--name", "anna", "--device-name", "newcomer", "--timeout", "1s", link)
	}
	old := s.captured(api.PathLogins, func() {
		s.NewDevice("earlier").Run("join", "--name", "anna", "--timeout", "1s", link)
	})
	var before api.LoginResponse
	if err := json.Unmarshal(old[0], &before); err != nil {
		s.t.Fatal(err)
	}
	wrong := Reject("the name or the password is wrong").Exits(12)
	wrong.Control = 24 // it waits for an approval
	renamed := func(name string) Lie {
		return On(http.MethodPost, api.PathLogins, func(x *Exchange) *Answer {
			var asked api.LoginRequest
			if json.Unmarshal(x.Body, &asked) != nil {
				return nil
			}
			asked.Name = name
			y := *x
			y.Body, _ = json.Marshal(asked)
			return y.From(x.Site)
		})
	}
	answers := func(change func(*api.LoginResponse)) Lie { return On(http.MethodPost, api.PathLogins, JSON(change)) }
	Variants(s, []Lie{
		answers(func(r *api.LoginResponse) { r.KE2 = before.KE2 }), // replayed
		answers(func(r *api.LoginResponse) { r.KE2 = Flip(r.KE2, 40) }),
		answers(func(r *api.LoginResponse) { r.KE2 = Flip(r.KE2, len(r.KE2)-5) }),
		renamed("bert"),   // another user's record
		renamed("nobody"), // a fake record
		Ask(s.stranger()), // another server's keys
	}, func(lie Lie) { login(wrong, lie) })
	// A session that no login gave is worth nothing: it opens no door.
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.Evil {
		s.Front.present(stranger)
		s.told = nil // there is nobody to tell: nothing is sent
		r := s.Face(s.NewDevice("newcomer"), Reject("different server").Moving(), "join", "--name", "anna", "--timeout", "1s", link)
		s.Demand(len(s.faces[len(s.faces)-1].seen) == 0, "a stranger was sent something: %s", r)
	}
}

// stranger is a real provider with other keys.
func (s *Scene) stranger() *Site {
	s.t.Helper()
	site := &Site{Dir: s.Dir + "/stranger", t: s.t, programs: s.p, clock: s.clock}
	site.Start()
	s.t.Cleanup(site.kill)
	return site
}

func oldBundle(s *Scene) {
	laptop, phone := s.Device("laptop"), s.Device("phone")
	before := s.Copy(s.site)
	laptop.Must("device", "revoke", "web")
	phone.Must("snapshots")
	s.Lie(Ask(before))
	for _, d := range []*Device{phone, laptop} {
		for _, args := range [][]string{{"backup", "--host", d.Name, d.Path("diary")}, {"snapshots"}, {"device", "list"}} {
			d.Write("diary/canary-page.txt", text(3, d.Name, 400))
			s.Face(s.Twin(d, "victim"), Alarm("rollback"), args...)
		}
	}
	// The wraps of before under the entries of now.
	var mu sync.Mutex
	old := map[string][]byte{}
	s.Lie(Ledgers(func(p *api.LedgerPage) {
		mu.Lock()
		defer mu.Unlock()
		for i, o := range p.Objects {
			key := itoa(len(o))
			if old[key] == nil {
				old[key] = o
			}
			p.Objects[i] = old[key]
		}
	}))
	s.comesBack(Reject("which no entry names"))
}

func swapsWraps(s *Scene) {
	d := s.Device("laptop")
	s.Honestly(func() { d.Must("recovery", "kit", "--out", d.Path("kit-two.txt")) })
	// A box of another kit of the same account.
	boxes := s.captured(api.PathRecovery+"/", func() {
		s.NewDevice("evil").Must("join", "--recovery-kit", d.Path("kit-two.txt"), "--device-name", "evil")
	})
	s.Lie(below(api.PathRecovery+"/", Bytes(func([]byte) []byte { return boxes[0] })))
	s.comesBack(Reject("not made with this recovery key"))
	// Objects of the ledger, each in the place of another of its length.
	s.Lie(Ledgers(func(p *api.LedgerPage) {
		for i := 1; i < len(p.Objects); i++ {
			if len(p.Objects[i]) == len(p.Objects[0]) {
				p.Objects[0] = p.Objects[i]
			}
		}
	}))
	s.comesBack(Reject("which no entry names"))
	// The run key of one pack in another's header.
	ids := s.packs()
	const wrap = 8 + 32 + 16 + 8 + 16
	from := s.site.Pack(ids[len(ids)-2])
	s.Honestly(func() { d.Must("snapshots") }) // it sees the device that came back
	t := s.Twin(d, "reader")
	t.Lose("cache")
	s.Lie(only(ids[len(ids)-1], func(p []byte) []byte { copy(p[wrap:], from[wrap:wrap+seal.WrapSize]); return p }))
	s.Face(t, Reject("open wrap").Exits(3), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
	t = s.Twin(d, "reader")
	t.Lose("cache")
	s.Lie(only(ids[len(ids)-1], func(p []byte) []byte { copy(p[:seal.PackHeaderSize], from[:seal.PackHeaderSize]); return p }))
	s.Face(t, Reject("header is not what its device signed for").Exits(3), "restore", "latest", "--host", "laptop", "--target", t.Path("out"))
}

func spoofsNames(s *Scene) {
	laptop := s.Device("laptop")
	ghost := func(created int64) map[string]any {
		return map[string]any{
			"enrolment": protocol.RequestID{7, byte(created)}.String(), "state": "waiting", "commitment": bytes.Repeat([]byte{byte(created)}, 32),
			"created": created, "expires": s.Now().UnixNano() + 1e12,
		}
	}
	listed := func(created int64) Lie {
		return On(http.MethodGet, api.PathEnrolments, JSON(func(list *[]map[string]any) { *list = append(*list, ghost(created), ghost(created+1)) }))
	}
	s.Lie(listed(1)) // beside a real one
	s.FaceAdd(laptop, s.NewDevice("newcomer"), "anna", Isolate(), Isolate())
	// Alone, and it goes on to challenge and reveal.
	code := s.someCode(laptop)
	played := below(api.PathEnrolments+"/", func(x *Exchange) *Answer { // whatever it is asked, it has seen a reveal
		if x.Method != http.MethodGet {
			return &Answer{Status: http.StatusNoContent, Header: http.Header{}}
		}
		e := ghost(3)
		e["enrolment"] = strings.TrimPrefix(x.Path, api.PathEnrolments+"/")
		e["state"], e["challenge"], e["reveal"] = "revealed", []byte("of nobody"), bytes.Repeat([]byte{9}, 700)
		return NewJSON(http.StatusOK, e)
	})
	s.Lie(listed(3), played)
	e := Reject("nothing was added").Exits(1, 12, 20)
	e.Control = 24 // who asked does not answer any more
	s.Face(laptop, e.Moving(), "device", "approve", "--timeout", "1s", code)
	s.Lie()
	s.Demand(strings.Count(laptop.Must("device", "list", "--json"), `"role":"owner"`) == 3, "another device than the one that asked was added")
}

// someCode is a long code of a device that asked and is gone.
func (s *Scene) someCode(owner *Device) string {
	s.t.Helper()
	link := strings.TrimSpace(owner.Must("device", "link"))
	var code string
	s.Honestly(func() {
		out := s.NewDevice("gone").Run("join", "--json", "--name", "anna", "--timeout", "1ms", link).Out
		code = longCode(strings.NewReader(out))
	})
	s.Demand(code != "", "no code")
	return code
}
