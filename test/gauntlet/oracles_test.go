// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// An oracle that never speaks proves nothing: each is made to speak here.

// bare is a scene with a device and nothing else.
func bare(t *testing.T) (*Scene, *Device) {
	t.Helper()
	known := newTruth()
	s := &Scene{
		Evil: true, Dir: t.TempDir(), t: t, p: &Programs{Auditor: "true"}, truth: known, Front: &Front{},
		Stage:   &Stage{truth: newTruth(), secrets: map[string][]byte{"a secret": []byte("canary-of-the-scene")}, honest: map[string]bool{}},
		devices: map[string]*Device{}, looked: map[string]int{},
	}
	d := &Device{Name: "laptop", Dir: s.Dir, t: t, truth: known}
	s.devices["laptop"] = d
	return s, d
}

// speaks demands that exactly the complaints with a prefix were made.
func speaks(t *testing.T, s *Scene, what, prefix string) {
	t.Helper()
	if prefix == "" && len(s.wrong) > 0 || prefix != "" && (len(s.wrong) == 0 || !strings.HasPrefix(s.wrong[0], prefix)) {
		t.Errorf("%s: complaints %q, want %q", what, s.wrong, prefix)
	}
	s.wrong = nil
}

func TestEgressIsSeen(t *testing.T) {
	t.Parallel()
	word := []byte("canary-of-the-scene")
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(append([]byte("something before "), word...))
	_ = w.Close()
	inJSON := func(v any) []byte {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, message := range map[string][]byte{
		"as it is":     append([]byte("GET /"), word...),
		"hex":          []byte(hex.EncodeToString(word)),
		"base64":       []byte(base64.URLEncoding.EncodeToString(append([]byte("xy"), word...))),
		"gzip":         packed.Bytes(),
		"in JSON":      inJSON(map[string]any{"part": []any{word}}),
		"gzip in JSON": inJSON(map[string]any{"part": packed.Bytes()}),
		"JSON in JSON": inJSON(map[string]any{"part": inJSON([]any{packed.Bytes()})}),
		"nothing":      nil,
	} {
		s, _ := bare(t)
		s.Front.wire = [][]byte{[]byte("nothing"), message}
		s.judgeWire()
		want := "I1"
		if message == nil {
			want = ""
		}
		speaks(t, s, name, want)
	}
}

func TestOutputIsSeen(t *testing.T) {
	t.Parallel()
	s, d := bare(t)
	d.Write("files/true", []byte("true"))
	before := s.look(d)
	d.put("out/files/true", []byte("true"))
	s.judgeOutput(d, before, s.look(d), Result{Args: []string{"restore"}})
	speaks(t, s, "a true file", "")
	d.put("out/files/true", []byte("forged"))
	s.judgeOutput(d, before, s.look(d), Result{Args: []string{"restore"}})
	speaks(t, s, "another content", "I2")
	d.Lose("out")
	d.put("out/other", []byte("true"))
	s.judgeOutput(d, before, s.look(d), Result{Args: []string{"restore"}})
	speaks(t, s, "another name", "I2")
	d.Lose("out")
	for out, want := range map[string]string{"tr": "", "false": "I2"} {
		s.judgeOutput(d, before, s.look(d), Result{Args: []string{"dump"}, Out: out})
		speaks(t, s, "dump of "+out, want)
	}
}

func TestStateIsSeen(t *testing.T) {
	t.Parallel()
	s, d := bare(t)
	d.put("state/marks.json", []byte(`{"body":{"head":{"seq":7}}}`))
	d.put("state/session.json", []byte("1"))
	before := s.look(d)
	d.put("state/session.json", []byte("2"))
	d.put("state/alarms/0001.json", []byte("{}"))
	s.judgeState(Reject(), before, s.look(d))
	speaks(t, s, "a session and an alarm", "")
	for text, want := range map[string][2]string{
		`{"body":{"head":{"seq":8}}}`: {"I3", ""},
		`{"body":{"head":{"seq":6}}}`: {"I3", "I3"},
		`{}`:                          {"I3", "I3"},
	} {
		d.put("state/marks.json", []byte(text))
		s.judgeState(Reject(), before, s.look(d))
		speaks(t, s, "refused: "+text, want[0])
		s.judgeState(Reject().Moving(), before, s.look(d))
		speaks(t, s, "moving: "+text, want[1])
	}
}

func TestDifferenceIsSeen(t *testing.T) {
	t.Parallel()
	scene := func(seen ...Seen) *Scene { return &Scene{faces: []face{{seen: seen}}} }
	get := Seen{Method: "GET", Shape: "/v1/a", Size: 0}
	post := Seen{Method: "POST", Shape: "/v1/b", Size: 10}
	other := Seen{Method: "POST", Shape: "/v1/b", Size: 11}
	pack := Seen{Method: "PUT", Shape: "/v1/vaults/#/packs/#", Size: 5}
	larger := Seen{Method: "PUT", Shape: "/v1/vaults/#/packs/#", Size: 6}
	for name, c := range map[string]struct {
		control, one, two *Scene
		wrong             bool
	}{
		"alike":                     {scene(), scene(get, post), scene(post, get), false},
		"a read that was stopped":   {scene(get, post), scene(get, post), scene(post), false},
		"a read of one world":       {scene(post), scene(get, post), scene(post), true},
		"another size":              {scene(), scene(post), scene(other), true},
		"another size, both honest": {scene(post, other), scene(post), scene(other), true},
		"written twice":             {scene(post), scene(post, post), scene(post), true},
		"packs of other sizes":      {scene(), scene(pack), scene(larger), false},
		"fewer commands":            {scene(), scene(), &Scene{}, true},
	} {
		if wrong := judgeUniform(c.control, c.one, c.two); (len(wrong) > 0) != c.wrong {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

func TestEvidenceIsSeen(t *testing.T) {
	t.Parallel()
	s, d := bare(t)
	d.put("state/nothing", nil)
	s.judgeEvidence(d, Alarm())
	speaks(t, s, "none, and none wanted", "")
	s.judgeEvidence(d, Alarm().Proven())
	speaks(t, s, "none", "I5: ALARM, and there is no evidence")
	d.put("state/alarms/0001.evidence", []byte(evidenceBegin))
	s.judgeEvidence(d, Alarm().Proven())
	speaks(t, s, "good", "")
	s.p.Auditor = "false"
	s.judgeEvidence(d, Alarm())
	speaks(t, s, "refused", "I5: the auditor refuses")
	s.p.Auditor = "true"
	d.put("state/alarms/0001.evidence", []byte(evidenceBegin+" canary-of-the-scene"))
	s.judgeEvidence(d, Alarm())
	speaks(t, s, "with a secret", "I5: evidence")
}

func TestSealsAreSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"one nonce, one plaintext":  {[]string{"seal k 01 p", "seal k 01 p", "seal k 02 q", "seal l 01 q", "peak 7"}, ""},
		"one nonce, two plaintexts": {[]string{"seal k 01 p", "seal k 02 p", "seal k 01 q"}, "I6"},
		"to a proven key":           {[]string{"wrap known"}, ""},
		"to another":                {[]string{"wrap known", "wrap unknown"}, "I7"},
	} {
		s, _ := bare(t)
		s.judgeTap(c.lines, map[string]string{}, map[string]bool{"known": true})
		speaks(t, s, name, c.want)
	}
}

func TestLifeIsSeen(t *testing.T) {
	t.Parallel()
	good := Result{Args: []string{"ls"}, Code: 20, Err: "solekey: this and that did not hold", Took: time.Second, Peak: 1000}
	for name, c := range map[string]struct {
		change func(*Result)
		want   string
	}{
		"good":     {func(*Result) {}, ""},
		"slow":     {func(r *Result) { r.Took = 2 * longestRun }, "I8: it took"},
		"large":    {func(r *Result) { r.Peak = 2 * mostMemory }, "I8: it took"},
		"wordless": {func(r *Result) { r.Err = "no" }, "I8: it names no cause"},
		"broken":   {func(r *Result) { r.Err = "panic: something that went wrong" }, "I8: it broke"},
		"killed":   {func(r *Result) { r.Code = -1 }, "I8: it broke"},
	} {
		s, _ := bare(t)
		r := good
		c.change(&r)
		s.judgeLife(r)
		speaks(t, s, name, c.want)
	}
}

func TestLieThatIsNotToldIsSeen(t *testing.T) {
	t.Parallel()
	s, d := bare(t)
	s.told = []Lie{Cut}
	if err := os.MkdirAll(d.State(), 0o700); err != nil {
		t.Fatal(err)
	}
	r := Result{Args: []string{"ls"}, Code: 20, Err: "solekey: this and that did not hold"}
	s.faced(d, Reject(), s.look(d), r, []Seen{{Method: "GET"}})
	speaks(t, s, "nothing lied", "the lie was not told")
	s.faced(d, Reject(), s.look(d), r, []Seen{{Method: "GET", Lied: true}})
	speaks(t, s, "lied", "")
	s.faced(d, Reject("something else"), s.look(d), r, []Seen{{Lied: true}})
	speaks(t, s, "other words", "REJECT: it does not say")
	s.faced(d, Isolate(), s.look(d), r, []Seen{{Lied: true}})
	speaks(t, s, "another code", "ISOLATE: want exit code")
	s.faced(d, Hold().Silently(), s.look(d), r, []Seen{{Lied: true}})
	speaks(t, s, "asked all the same", "HOLD: it asked")
}
