// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Attack is one lie of a provider and how a client must answer it.
type Attack struct {
	ID   string // in the catalogue: G01
	Name string // what the provider does, in a few words
	How  string // how it is told here, where that differs from the catalogue
	Play func(s *Scene)
}

// Gauntlet runs attacks. New makes one for a test.
type Gauntlet struct {
	programs *Programs
	stages   [2]*Stage // alike but for everything that is secret

	mu      sync.Mutex // guards results
	results []Outcome
}

// Outcome is a row of the table.
type Outcome struct {
	ID, Name, How string
	Verdicts      []Verdict
	Codes         []int
	Says          []string // what the client says, one line a command
	Faces         int      // how many commands faced the lie
	Evidence      int      // of these, how many left evidence
}

// New builds the programs and makes the stages. All of it ends with the test.
func New(t testing.TB) *Gauntlet {
	t.Helper()
	p, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &Gauntlet{programs: p}
	dir := t.TempDir()
	var both sync.WaitGroup
	for i, name := range []string{"one", "two"} {
		both.Go(func() { g.stages[i] = NewStage(t, p, filepath.Join(dir, name), byte(40+50*i)) })
	}
	both.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return g
}

// Run plays the control, the attack, and the attack once more in a world that
// differs in its secrets alone.
func (g *Gauntlet) Run(t *testing.T, a Attack) {
	t.Helper()
	var control, one, two *Scene
	t.Run("control", func(t *testing.T) { control = g.play(t, a, g.stages[0], false) })
	t.Run("attack1", func(t *testing.T) { one = g.play(t, a, g.stages[0], true) })
	t.Run("attack2", func(t *testing.T) { two = g.play(t, a, g.stages[1], true) })
	if t.Failed() {
		return
	}
	for _, complaint := range judgeUniform(control, one, two) {
		t.Error(complaint)
	}
	if !t.Failed() {
		g.note(a, one)
	}
}

func (g *Gauntlet) play(t *testing.T, a Attack, on *Stage, evil bool) *Scene {
	t.Helper()
	s := newScene(t, g.programs, on, evil)
	a.Play(s)
	s.Front.tell(nil)
	s.end()
	if evil && len(s.faces) == 0 {
		s.complain("nothing faced the lie")
	}
	for _, complaint := range s.wrong {
		t.Error(complaint)
	}
	if t.Failed() {
		t.Logf("the provider said at last:\n%s", s.site.Log())
	}
	return s
}

// mostSaid is how many examples of what the client says a row has.
const mostSaid = 3

// note adds a row to the table.
func (g *Gauntlet) note(a Attack, s *Scene) {
	o := Outcome{ID: a.ID, Name: a.Name, How: a.How, Faces: len(s.faces)}
	for _, f := range s.faces {
		if !slices.Contains(o.Verdicts, f.expect.Verdict) {
			o.Verdicts = append(o.Verdicts, f.expect.Verdict)
		}
		if !slices.Contains(o.Codes, f.result.Code) {
			o.Codes = append(o.Codes, f.result.Code)
		}
		if line := said(f.result, s); line != "" && !slices.Contains(o.Says, line) && len(o.Says) < mostSaid {
			o.Says = append(o.Says, line)
		}
		if f.expect.Evidence {
			o.Evidence++
		}
	}
	slices.Sort(o.Codes)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.results = append(g.results, o)
}

// Table is all outcomes so far, as a page in Markdown.
func (g *Gauntlet) Table() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return table(g.results)
}

// Check compares a page with the table. Where write is set it writes the page
// instead.
func (g *Gauntlet) Check(t testing.TB, page string, write bool) {
	t.Helper()
	now := g.Table()
	if write {
		if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if settled(string(kept)) != settled(now) {
		t.Errorf("%s is not what this run found; go test ./test/gauntlet -update writes it. Now:\n%s", page, firstDifference(settled(string(kept)), settled(now)))
	}
}

func firstDifference(old, now string) string {
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("line %d, kept: %s\nline %d, now:  %s", i+1, x, i+1, y)
		}
	}
	return ""
}
