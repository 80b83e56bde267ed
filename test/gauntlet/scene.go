// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/test/search"
	"github.com/solekey/solekey/test/world"
)

// Verdict is how a client answers a lie, in the words of the catalogue.
type Verdict string

// The verdicts.
const (
	REJECT  Verdict = "REJECT"  // a typed error; nothing was used
	ALARM   Verdict = "ALARM"   // the same, and the user is told of a lie, with evidence where there can be any
	HOLD    Verdict = "HOLD"    // nothing new is written or believed; what is verified stays readable
	ISOLATE Verdict = "ISOLATE" // the work goes on, and the lie is marked or left out
	IGNORE  Verdict = "IGNORE"  // the lie changes nothing that the client does
)

// Expect is what a client must answer.
type Expect struct {
	Verdict  Verdict
	Says     []string // words that name the cause; all must be there
	Codes    []int    // of exit; one of them
	Control  int      // the exit code where nobody lies
	Moves    bool     // whether what the device remembers may move forward
	Evidence bool     // whether a file of evidence must be there afterwards
	Silent   bool     // whether the device asks nothing, since it knows already
	Told     bool     // whether the lie comes to the device by another way than the network
}

// Reject expects exit code 20 and these words.
func Reject(says ...string) Expect { return Expect{Verdict: REJECT, Says: says, Codes: []int{20}} }

// Alarm is Reject for what proves that the provider lies.
func Alarm(says ...string) Expect { return Expect{Verdict: ALARM, Says: says, Codes: []int{20}} }

// Hold expects that the client does nothing new, and says why.
func Hold(says ...string) Expect { return Expect{Verdict: HOLD, Says: says, Codes: []int{20}} }

// Isolate expects success but for what the lie touches.
func Isolate(says ...string) Expect {
	return Expect{Verdict: ISOLATE, Says: says, Codes: []int{0, 3}, Moves: true}
}

// Ignore expects that nothing is different.
func Ignore() Expect { return Expect{Verdict: IGNORE, Codes: []int{0}, Moves: true} }

// Exits expects one of these exit codes instead.
func (e Expect) Exits(codes ...int) Expect {
	e.Codes = codes
	return e
}

// Moving allows that what the device remembers moves forward.
func (e Expect) Moving() Expect {
	e.Moves = true
	return e
}

// Silently expects that the provider is not asked anything: the device knows
// already that it is lied to.
func (e Expect) Silently() Expect {
	e.Silent = true
	return e
}

// Otherwise says that the lie comes by another way than the network.
func (e Expect) Otherwise() Expect {
	e.Told = true
	return e
}

// Proven demands a file of evidence that the auditor accepts.
func (e Expect) Proven() Expect {
	e.Evidence = true
	return e
}

// Scene is one run of an attack: the control, in which no lie is told, or the
// attack itself. All of it is a copy of a stage.
type Scene struct {
	Evil  bool // whether lies are told
	Dir   string
	Stage *Stage
	Front *Front
	// Witnesses are the honest ones, who all sites of the scene reach at first.
	Witnesses map[string]*Witness

	t        testing.TB
	p        *Programs
	clock    string
	off      time.Duration // of the clock, from the machine's
	site     *Site
	copies   int
	truth    *truth
	devices  map[string]*Device
	faces    []face
	wrong    []string // what oracles complain of
	told     []Lie
	looked   map[string]int // how often I3 looked into the failure of a command
	needles  *search.Searcher
	listings map[string][][]byte // what the site lists, by the end of the path
}

// face is one command that faced the lie.
type face struct {
	expect Expect
	result Result
	seen   []Seen // what it sent
}

func newScene(t testing.TB, p *Programs, g *Stage, evil bool) *Scene {
	t.Helper()
	dir := t.TempDir()
	s := &Scene{
		Evil: evil, Dir: dir, Stage: g, t: t, p: p, clock: filepath.Join(dir, "clock"),
		truth: g.truth.copy(), devices: map[string]*Device{}, looked: map[string]int{},
	}
	s.Later(0)
	key, err := g.Site.key()
	if err != nil {
		t.Fatal(err)
	}
	s.Front = newFront(t, key)
	s.Witnesses = map[string]*Witness{}
	for name, w := range g.Witnesses {
		s.Witnesses[name] = w.in(t, dir, s.clock)
	}
	s.site = s.Copy(g.Site)
	s.Front.route("", s.site)
	return s
}

// T returns the test, for what must not go wrong.
func (s *Scene) T() testing.TB { return s.t }

// Site returns the provider as everybody but the lied-to sees it.
func (s *Scene) Site() *Site { return s.site }

// Copy starts a second real provider on a copy of a site's folder, with the same
// keys: what it says is as well signed as what the first one says. Site may be the
// scene's own, or one of the stage.
func (s *Scene) Copy(of *Site) *Site {
	s.t.Helper()
	s.copies++
	name := fmt.Sprintf("site-%d", s.copies)
	to := of.on(filepath.Join(s.Dir, name))
	to.t, to.clock, to.proxy = s.t, s.clock, s.Front.proxy(name)
	s.Front.watch(name, s.Witnesses)
	running := of.process != nil
	if running {
		of.Stop()
	}
	of.copyTo(to.Dir)
	if running {
		of.Start()
	}
	to.Start()
	s.t.Cleanup(to.kill)
	return to
}

// Bribe lets a site reach other witnesses than the honest ones: what is nil in the
// list cannot be reached.
func (s *Scene) Bribe(of *Site, list map[string]*Witness) {
	s.Front.watch(filepath.Base(of.Dir), list)
}

// Yesterday is a real provider as it was one day ago, before the laptop's last
// snapshot.
func (s *Scene) Yesterday() *Site { return s.Copy(s.Stage.Yesterday) }

// Device returns a device of the stage, as it is at its end.
func (s *Scene) Device(name string) *Device {
	s.t.Helper()
	if d := s.devices[name]; d != nil {
		return d
	}
	if !slices.Contains(s.Stage.devices, name) {
		s.t.Fatalf("the stage has no device %q", name)
	}
	copyHome(s.t, filepath.Join(s.Stage.Dir, name), filepath.Join(s.Dir, name))
	return s.attach(name)
}

// Twin returns a copy of a device as it is now, as a restored image of its disk is.
func (s *Scene) Twin(d *Device, name string) *Device {
	s.t.Helper()
	copyHome(s.t, d.Dir, filepath.Join(s.Dir, name))
	return s.attach(name)
}

// NewDevice returns a machine that has joined nothing. One that had the name
// before is gone.
func (s *Scene) NewDevice(name string) *Device {
	s.t.Helper()
	empty(s.t, filepath.Join(s.Dir, name))
	return s.attach(name)
}

func empty(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

func (s *Scene) attach(name string) *Device {
	s.t.Helper()
	s.devices[name] = newDevice(s.t, s.p, s.Front, s.Dir, name, s.clock, s.truth)
	return s.devices[name]
}

func copyHome(t testing.TB, from, to string) {
	t.Helper()
	empty(t, to)
	world.CopyTree(t, from, to)
	for _, name := range []string{tapName, "tmp"} {
		if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// Later moves the one clock that all programs of the scene have. It runs on from
// there.
func (s *Scene) Later(d time.Duration) {
	s.t.Helper()
	s.off += d
	setClock(s.t, s.clock, s.off)
}

// Now returns what the clock shows.
func (s *Scene) Now() time.Time { return time.Now().Add(s.off) }

// Lie tells lies from now on, in the place of those before; none tells the
// truth. In the control it changes nothing.
func (s *Scene) Lie(lies ...Lie) {
	if s.Evil {
		s.told = lies
		s.Front.tell(lies)
	}
}

// Honestly does something while nobody lies.
func (s *Scene) Honestly(do func()) {
	s.Front.tell(nil)
	do()
	s.Front.tell(s.told)
}

// Face lets a device run a command against the lie, and holds what it does to
// what is expected and to the oracles. In the control the command must succeed.
func (s *Scene) Face(d *Device, e Expect, args ...string) Result {
	s.t.Helper()
	before := s.look(d)
	s.Front.taken()
	r := d.Run(args...)
	s.faced(d, e, before, r, s.Front.taken())
	return r
}

// FaceAdd is Face for two devices: owner takes newcomer into its account, and both
// may meet the lie.
func (s *Scene) FaceAdd(owner, newcomer *Device, account string, join, approve Expect) {
	s.t.Helper()
	before := [2]looked{s.look(newcomer), s.look(owner)}
	s.Front.taken()
	joined, approved := owner.Add(newcomer, account)
	seen := s.Front.taken()
	s.faced(newcomer, join, before[0], joined, seen)
	s.faced(owner, approve, before[1], approved, seen)
}

// faced holds what a command did to what is expected.
func (s *Scene) faced(d *Device, e Expect, before looked, r Result, seen []Seen) {
	s.t.Helper()
	s.t.Logf("%s %.60s: %s, %d KiB, exit code %d, %d requests: %.300s", d.Name, strings.Join(r.Args, " "), r.Took.Round(time.Millisecond), r.Peak, r.Code, len(seen), said(r, s))
	s.faces = append(s.faces, face{expect: e, result: r, seen: seen})
	if !s.Evil {
		if r.Code != e.Control {
			s.complain("control: want exit code %d: %s", e.Control, r)
		}
		return
	}
	if e.Silent {
		s.Demand(len(seen) == 0, "%s: it asked all the same, %d requests: %s", e.Verdict, len(seen), r)
	} else if len(s.told) > 0 && !e.Told && !slices.ContainsFunc(seen, func(one Seen) bool { return one.Lied }) {
		s.complain("the lie was not told: %s", r)
	}
	if !slices.Contains(e.Codes, r.Code) {
		s.complain("%s: want exit code %v: %s", e.Verdict, e.Codes, r)
	}
	for _, word := range e.Says {
		if !strings.Contains(r.Out+r.Err, word) {
			s.complain("%s: it does not say %q: %s", e.Verdict, word, r)
		}
	}
	s.judge(d, e, before, r)
	s.judgeAfterwards(d, e, r)
}

// complain notes that something is not as it must be.
func (s *Scene) complain(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// Demand complains where a condition does not hold.
func (s *Scene) Demand(ok bool, format string, args ...any) {
	if !ok {
		s.complain(format, args...)
	}
}

// Variants faces each variant of a lie, and in the control the first one only.
func Variants[T any](s *Scene, list []T, play func(T)) {
	for _, one := range list {
		play(one)
		if !s.Evil {
			return
		}
	}
}
