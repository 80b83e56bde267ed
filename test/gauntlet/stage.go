// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/test/world"
)

// Stage is the world that every attack begins with: a provider, accounts with
// devices, and what they stored. It is made once and copied for each scene.
//
// Account anna has the owner devices laptop and phone and the writer web; bert
// is somebody else. The laptop's folder "files" was backed up with a large file,
// two of one size, and letters; after it a diary, 29 pages in five days. Devices
// demand the cosignatures of two of three witnesses.
type Stage struct {
	Dir       string
	Site      *Site // stopped
	Yesterday *Site // the provider one day before the end, stopped
	Days      int   // how many snapshots of the laptop there are

	Witnesses map[string]*Witness

	truth   *truth
	devices []string
	secrets map[string][]byte // that no byte of a request may hold
	honest  map[string]bool   // hashes of the public keys that may be wrapped to
}

// How many snapshots the laptop of a stage has, and how many a day.
const (
	days      = 30
	pagesADay = 6
)

// truth is what was ever written by the devices: by name, and by content.
type truth struct {
	mu     sync.Mutex // guards both
	files  map[string]map[[sha256.Size]byte]bool
	bodies [][]byte
}

func newTruth() *truth { return &truth{files: map[string]map[[sha256.Size]byte]bool{}} }

func (k *truth) add(name string, content []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		k.name(path.Base(dir))
	}
	k.name(path.Base(name))[sha256.Sum256(content)] = true
	k.bodies = append(k.bodies, content)
}

func (k *truth) name(base string) map[[sha256.Size]byte]bool {
	if k.files[base] == nil {
		k.files[base] = map[[sha256.Size]byte]bool{}
	}
	return k.files[base]
}

// holds reports whether a file of this name had this content.
func (k *truth) holds(name string, content []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.files[path.Base(name)][sha256.Sum256(content)]
}

// begins reports whether a file began so.
func (k *truth) begins(content string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, body := range k.bodies {
		if strings.HasPrefix(string(body), content) {
			return true
		}
	}
	return false
}

// copy returns a truth that grows by itself.
func (k *truth) copy() *truth {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := newTruth()
	for name, sums := range k.files {
		for sum := range sums {
			c.name(name)[sum] = true
		}
		c.name(name)
	}
	c.bodies = append(c.bodies, k.bodies...)
	return c
}

// NewStage makes a stage in a folder. Two stages of different seeds differ in
// their keys and in every byte of content, and in nothing else.
func NewStage(t testing.TB, p *Programs, dir string, seed byte) *Stage {
	t.Helper()
	g := &Stage{Dir: dir, Days: days, truth: newTruth()}
	off := -days/pagesADay*24*time.Hour - 2*time.Hour // so that it ends now
	clock := filepath.Join(dir, "clock")
	later := func(d time.Duration) {
		t.Helper()
		off += d
		setClock(t, clock, off)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	later(0)
	g.Site = &Site{Dir: filepath.Join(dir, "site"), t: t, programs: p, clock: clock}
	f := g.begin(t, clock)
	device := func(name string) *Device {
		g.devices = append(g.devices, name)
		return newDevice(t, p, f, dir, name, clock, g.truth)
	}
	laptop, phone, web, bert := device("laptop"), device("phone"), device("web"), device("bert")
	bert.put("password", []byte("canary-of-bert-"+password+"\n"))
	for d, account := range map[*Device]string{laptop: "anna", bert: "bert"} {
		d.Must("join", "--name", account, "--device-name", d.Name+"-canary-device", "--recovery-out", d.Path("kit.txt"), g.Site.Invite())
	}
	for newcomer, flags := range map[*Device][]string{phone: nil, web: {"--writer"}} {
		if join, approve := laptop.Add(newcomer, "anna", flags...); join.Code != 0 || approve.Code != 0 {
			t.Fatalf("%s\n%s", join, approve)
		}
	}
	g.fill(laptop, seed)
	later(time.Hour)
	g.Site.Grow(g.Site.Size())
	for _, d := range []*Device{phone, web, bert} {
		d.Write("files/canary-of-"+d.Name, text(seed, d.Name, 3000))
		d.Must("backup", "--host", d.Name, d.Path("files"))
	}
	for page := 2; page <= days; page++ {
		if page == days {
			g.Yesterday = g.yesterday()
		}
		if page%pagesADay == 0 {
			later(24 * time.Hour)
			g.Site.Grow(g.Site.Size())
		}
		laptop.Write("diary/canary-page.txt", text(seed, fmt.Sprint("page ", page), 500))
		laptop.Must("backup", "--host", "laptop", laptop.Path("diary"))
	}
	later(time.Hour)
	g.Site.Grow(g.Site.Size())
	for _, d := range []*Device{laptop, phone, bert} {
		d.Must("snapshots")
	}
	laptop.Lose("files") // it is stored, and too large to be copied for each scene
	g.Site.Stop()
	for _, w := range g.Witnesses {
		w.close()
	}
	g.secrets, g.honest = g.learn(t)
	return g
}

// begin starts the provider twice: once to learn its log's key, which the witnesses
// need, and once with the witnesses.
func (g *Stage) begin(t testing.TB, clock string) *Front {
	t.Helper()
	t.Cleanup(g.Site.kill)
	g.Site.Start()
	key, err := g.Site.key()
	if err != nil {
		t.Fatal(err)
	}
	log, err := tlog.ParseLogKey(g.Site.log)
	if err != nil {
		t.Fatal(err)
	}
	g.Site.Stop()
	g.Witnesses = newWitnesses(t, log, g.Dir, clock)
	file := filepath.Join(g.Dir, "policy")
	if err := os.WriteFile(file, []byte(policy(g.Witnesses)), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFront(t, key)
	f.route("", g.Site)
	f.watch("site", g.Witnesses)
	g.Site.proxy = f.proxy("site")
	g.Site.flags = []string{"--witness-policy", file}
	g.Site.Start()
	g.Site.flags = nil // it remembers
	g.Site.Grow(0)
	return f
}

// fill writes what the laptop backs up first.
func (g *Stage) fill(d *Device, seed byte) {
	d.t.Helper()
	for i := range 12 {
		d.Write(fmt.Sprintf("files/canary-letters/letter-%02d.txt", i), text(seed, fmt.Sprint("letter ", i), 400))
	}
	d.Write("files/big.bin", world.Noise(seed, 10<<20))
	d.Write("files/twin-a.bin", world.Noise(seed+1, 200_000))
	d.Write("files/twin-b.bin", world.Noise(seed+2, 200_000))
	d.Must("backup", "--host", "laptop", "--tag", "canary-tag", d.Path("files"))
}

// text returns words of a length that tell which stage and which file they are of.
func text(seed byte, what string, length int) []byte {
	var b strings.Builder
	for b.Len() < length {
		fmt.Fprintf(&b, "canary %s %x\n", what, world.Noise(seed^byte(b.Len()), 12))
	}
	return []byte(b.String()[:length])
}

// yesterday is a copy of the provider as it is now.
func (g *Stage) yesterday() *Site {
	g.Site.Stop()
	old := g.Site.on(filepath.Join(g.Dir, "yesterday"))
	g.Site.copyTo(old.Dir)
	g.Site.Start()
	return old
}

// setClock sets how far the clock of all programs is from the machine's.
func setClock(t testing.TB, file string, off time.Duration) {
	t.Helper()
	err := os.WriteFile(file+".new", []byte(off.String()), 0o600)
	if err == nil {
		err = os.Rename(file+".new", file) // whoever reads it sees the old one or the new one
	}
	if err != nil {
		t.Fatal(err)
	}
}
