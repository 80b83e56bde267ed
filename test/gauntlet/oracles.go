// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/test/search"
	"github.com/solekey/solekey/test/world"
)

// The oracles hold always, whatever the attack:
//
//	I1 no secret and no plaintext in any byte that was sent, in any encoding
//	I2 nothing unverified in a file of the user or on the output
//	I3 marks and pins unmoved by a refused answer, and never moved back
//	I4 what is sent after a failure depends on nothing secret
//	I5 evidence is accepted by the auditor and holds no secret
//	I6 no pair of key and nonce sealed two plaintexts
//	I7 wraps went only to keys that a verified ledger holds
//	I8 the program ends in time, with bounded memory, and names the cause

// Limits of I8.
const (
	longestRun = time.Minute
	mostMemory = 256 << 10 // KiB
)

// looked is what a device was like before it faced a lie.
type looked struct {
	remembered map[string]string
	numbers    map[string]float64
	files      map[string]string
}

// notRemembered are files of the state folder that prove nothing: locks, the
// session with the server, the latest that the local clock showed, and what the
// provider signed, which is kept to be held against it whatever it says. What an
// alarm leaves is looked at by I5.
func notRemembered(path string) bool {
	return strings.HasPrefix(path, "statements") || slices.Contains([]string{".", "lock", "lock.update", "session.json", "clock.json"}, path) || isAlarm(path)
}

func isAlarm(path string) bool {
	first, _, _ := strings.Cut(path, string(filepath.Separator))
	return strings.HasPrefix(first, "alarm") || strings.HasPrefix(first, "evidence")
}

func (s *Scene) look(d *Device) looked {
	s.t.Helper()
	l := looked{remembered: map[string]string{}, numbers: map[string]float64{}, files: s.userFiles(d)}
	if _, err := os.Stat(d.State()); err != nil {
		return l
	}
	l.remembered = world.Contents(s.t, d.State())
	maps.DeleteFunc(l.remembered, func(path, _ string) bool { return notRemembered(path) })
	for path := range l.remembered {
		if strings.HasSuffix(path, ".json") {
			if data, err := os.ReadFile(filepath.Join(d.State(), path)); err == nil {
				var v any
				if json.Unmarshal(data, &v) == nil {
					numbersOf(path, v, l.numbers)
				}
			}
		}
	}
	return l
}

// growing are the names of numbers that only ever grow.
var growing = []string{"seq", "cursor", "size", "version", "position", "time", "log_time", "cosigned"}

func numbersOf(at string, v any, into map[string]float64) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if n, ok := inner.(float64); ok && slices.Contains(growing, name) {
				into[at+"/"+name] = n
				continue
			}
			numbersOf(at+"/"+name, inner, into)
		}
	case []any:
		for i, inner := range v {
			numbersOf(fmt.Sprint(at, "/", i), inner, into)
		}
	}
}

// userFiles are the files of a home that are not the program's own.
func (s *Scene) userFiles(d *Device) map[string]string {
	s.t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(d.Dir)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, entry := range entries {
		if slices.Contains([]string{"state", "cache", "tmp", "key", "password", tapName}, entry.Name()) {
			continue
		}
		for path, what := range world.Contents(s.t, d.Path(entry.Name())) {
			if what != "folder" {
				all[filepath.Join(entry.Name(), path)] = what
			}
		}
	}
	return all
}

// judge asks the oracles that look at one command.
func (s *Scene) judge(d *Device, e Expect, before looked, r Result) {
	s.t.Helper()
	after := s.look(d)
	s.judgeOutput(d, before, after, r)
	s.judgeState(e, before, after)
	s.judgeLife(r)
	s.judgeEvidence(d, e)
}

// judgeOutput is I2.
func (s *Scene) judgeOutput(d *Device, before, after looked, r Result) {
	for path, what := range after.files {
		if before.files[path] == what {
			continue
		}
		content, err := os.ReadFile(d.Path(path))
		if err != nil || !s.truth.holds(path, content) && !mayBeMade(path) {
			s.complain("I2: after solekey %s: %s holds %s, which nobody wrote", strings.Join(r.Args, " "), path, what)
		}
	}
	if r.Args[0] == "dump" && !s.truth.begins(r.Out) {
		s.complain("I2: dump put out %d bytes that begin no file", len(r.Out))
	}
}

// mayBeMade are files that the program makes for the user by itself.
func mayBeMade(path string) bool {
	base := filepath.Base(path)
	return strings.HasPrefix(base, "kit") || strings.HasSuffix(base, ".evidence")
}

// judgeState is I3.
func (s *Scene) judgeState(e Expect, before, after looked) {
	if !e.Moves {
		if differ := world.Differences(before.remembered, after.remembered); len(differ) > 0 {
			s.complain("I3: %s, and what the device remembers moved: %q", e.Verdict, differ)
		}
	}
	for path, n := range before.numbers {
		if now, there := after.numbers[path]; !there || now < n {
			s.complain("I3: %s went from %v back to %v", path, n, now)
		}
	}
}

// mostLooks is how many failures of one command in a scene are looked into.
const mostLooks = 2

// judgeAfterwards is the other half of I3: where a device may take in what was
// verified before the failure, an honest provider must find it well.
func (s *Scene) judgeAfterwards(d *Device, e Expect, r Result) {
	if !e.Moves || r.Code == 0 || s.looked[r.Args[0]] >= mostLooks {
		return
	}
	s.looked[r.Args[0]]++
	if _, err := os.Stat(filepath.Join(d.State(), "device.json")); err != nil {
		return // it has not joined
	}
	s.Honestly(func() {
		if after := s.Twin(d, d.Name+"-afterwards").Run("whoami", "--json"); after.Code != 0 {
			s.complain("I3: after %s, the truth is refused: %s", r, after)
		}
	})
}

// judgeLife is I8.
func (s *Scene) judgeLife(r Result) {
	if r.Took > longestRun {
		s.complain("I8: it took %s: %s", r.Took, r)
	}
	if r.Peak > mostMemory {
		s.complain("I8: it took %d KiB of memory: %s", r.Peak, r)
	}
	if r.Code < 0 || strings.Contains(r.Err, "panic: ") || strings.Contains(r.Err, "internal error") {
		s.complain("I8: it broke: %s", r)
	}
	if r.Code != 0 && len(strings.TrimSpace(r.Out+r.Err)) < 20 {
		s.complain("I8: it names no cause: %s", r)
	}
}

// evidenceBegin heads every file of evidence.
const evidenceBegin = "-----BEGIN SOLEKEY EVIDENCE-----"

// judgeEvidence is I5.
func (s *Scene) judgeEvidence(d *Device, e Expect) {
	found := 0
	_ = filepath.WalkDir(d.State(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // what cannot be read is no evidence
		}
		data, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(data, []byte(evidenceBegin)) {
			return nil
		}
		found++
		if out, err := exec.Command(s.p.Auditor, "evidence", path).CombinedOutput(); err != nil {
			s.complain("I5: the auditor refuses %s: %v: %s", filepath.Base(path), err, out)
		}
		s.noSecret("I5: evidence", data)
		return nil
	})
	if e.Evidence && found == 0 {
		s.complain("I5: %s, and there is no evidence", e.Verdict)
	}
}

// end asks the oracles that look at a whole scene.
func (s *Scene) end() {
	s.needles = nil // there are more secrets by now
	s.judgeWire()
	s.judgeSeals()
}

// judgeWire is I1.
func (s *Scene) judgeWire() {
	var all []byte
	for _, message := range s.Front.received() {
		all = append(append(all, message...), 0)
		for _, inner := range nested(message, 0) {
			all = append(append(all, inner...), 0)
		}
	}
	s.noSecret("I1: all requests", all)
}

// noSecret complains of every canary in the data.
func (s *Scene) noSecret(where string, data []byte) {
	err := s.searcher().Scan(bytes.NewReader(data), func(name string, offset int64) {
		s.complain("%s of %d bytes holds %s at %d", where, len(data), name, offset)
	})
	if err != nil {
		s.complain("%s: %v", where, err)
	}
}

// searcher returns one that looks for all secrets of the stage and for what was
// written since.
func (s *Scene) searcher() *search.Searcher {
	if s.needles != nil {
		return s.needles
	}
	found := search.New()
	s.needles = found
	for name, secret := range s.Stage.secrets {
		found.Add(name, secret)
	}
	for _, d := range s.devices {
		if _, err := os.Stat(filepath.Join(d.State(), "device.sealed")); err != nil {
			continue
		}
		for name, secret := range d.secrets() {
			found.Add(d.Name+"'s "+name, secret)
		}
	}
	for _, body := range s.truth.bodies[len(s.Stage.truth.bodies):] {
		if len(body) >= 24 {
			found.Add("what the scene wrote", body[:24])
		}
	}
	return found
}

// nested returns what lies within a message: strings of JSON that are base64,
// and what is compressed.
func nested(message []byte, depth int) [][]byte {
	if depth > 3 || len(message) == 0 {
		return nil
	}
	var found [][]byte
	add := func(data []byte) { found = append(append(found, data), nested(data, depth+1)...) }
	var v any
	if (message[0] == '{' || message[0] == '[') && json.Unmarshal(message, &v) == nil {
		for _, text := range stringsOf(v) {
			if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) > 16 {
				add(raw)
			}
		}
	}
	if raw, ok := inflated(message); ok {
		add(raw)
	}
	return found
}

func stringsOf(v any) (found []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, inner := range v {
			found = append(found, stringsOf(inner)...)
		}
	case map[string]any:
		for name, inner := range v {
			found = append(append(found, name), stringsOf(inner)...)
		}
	}
	return found
}

// inflated returns the message decompressed, if it is compressed.
func inflated(message []byte) ([]byte, bool) {
	readers := []func() (io.Reader, error){
		func() (io.Reader, error) { return gzip.NewReader(bytes.NewReader(message)) },
		func() (io.Reader, error) { return zlib.NewReader(bytes.NewReader(message)) },
		func() (io.Reader, error) { return flate.NewReader(bytes.NewReader(message)), nil },
	}
	for _, open := range readers {
		r, err := open()
		if err != nil {
			continue
		}
		if raw, err := io.ReadAll(io.LimitReader(r, 64<<20)); err == nil && len(raw) > 16 {
			return raw, true
		}
	}
	return nil, false
}

// judgeSeals is I6 and I7.
func (s *Scene) judgeSeals() {
	proven := maps.Clone(s.Stage.honest)
	for _, d := range s.devices {
		maps.Copy(proven, d.recipients())
	}
	sealed := map[string]string{}
	for _, name := range sorted(slices.Collect(maps.Keys(s.devices))) {
		s.judgeTap(s.devices[name].tapped(0), sealed, proven)
	}
}

func (s *Scene) judgeTap(lines []string, sealed map[string]string, proven map[string]bool) {
	for _, line := range lines {
		words := strings.Fields(line)
		switch {
		case len(words) == 4 && words[0] == "seal":
			at := words[1] + " " + words[2]
			if old, there := sealed[at]; there && old != words[3] {
				s.complain("I6: a key sealed two plaintexts under one nonce: %s", at)
			}
			sealed[at] = words[3]
		case len(words) == 2 && words[0] == "wrap" && !proven[words[1]]:
			s.complain("I7: something was wrapped to a key that no ledger holds: %s", words[1])
		}
	}
}

// kinds counts what was sent: method, shape and size, or one kind of all sizes
// for what reads or writes packs, since the provider knows the sizes of packs.
func (f *face) kinds() map[string]int {
	found := map[string]int{}
	for _, one := range f.seen {
		what := one.Method + " " + one.Shape
		if !strings.Contains(one.Shape, api.BelowPacks) && !strings.HasSuffix(one.Shape, api.BelowBlocks) {
			what += fmt.Sprintf(" %d", one.Size)
		}
		found[what]++
	}
	return found
}

// writes are the kinds that change something at the provider.
func (f *face) writes() map[string]int {
	found := f.kinds()
	maps.DeleteFunc(found, func(what string, _ int) bool {
		return strings.HasPrefix(what, "GET ") || strings.Contains(what, api.BelowBlocks) || strings.Contains(what, api.BelowStat)
	})
	return found
}

// judgeUniform is I4. Requests go out side by side, and a failure stops those
// that were not sent yet: so two runs need not send the same reads, but neither
// sends anything that neither the other one nor an honest run sends, and both
// write the same.
func judgeUniform(control, one, two *Scene) (wrong []string) {
	honest := map[string]bool{}
	for _, f := range control.faces {
		for what := range f.kinds() {
			honest[what] = true
		}
	}
	for i := range min(len(one.faces), len(two.faces)) {
		a, b := one.faces[i].kinds(), two.faces[i].kinds()
		for _, pair := range [][2]map[string]int{{a, b}, {b, a}} {
			for what := range pair[0] {
				if pair[1][what] == 0 && !honest[what] {
					wrong = append(wrong, fmt.Sprintf("I4: %q is sent in one of two worlds with other secrets: %s", what, one.faces[i].result))
				}
			}
		}
		if !maps.Equal(one.faces[i].writes(), two.faces[i].writes()) {
			wrong = append(wrong, fmt.Sprintf("I4: two worlds with other secrets write %v and %v: %s", one.faces[i].writes(), two.faces[i].writes(), one.faces[i].result))
		}
	}
	if len(one.faces) != len(two.faces) {
		wrong = append(wrong, fmt.Sprintf("I4: %d commands in one world, %d in the other", len(one.faces), len(two.faces)))
	}
	return wrong
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
