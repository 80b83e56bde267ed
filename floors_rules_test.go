// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package house_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// drawing is what the module is held to.
type drawing struct {
	floors        map[string]int
	stage         []string
	walls         []wall
	guests        map[string]guest
	drivers       []string
	driverRooms   []string
	openers       []string
	openRooms     []string
	gates         []gate
	vague         []string
	fileLines     int
	functionLines int
	wiringLines   int
	wiringRooms   []string
}

// wall keeps the packages below `from` away from others: from reaching a room through any number of imports,
// and from importing a package of the standard library or what is below it.
type wall struct {
	because string
	from    []string
	reaches []string
	imports []string
}

// gate says which rooms alone may mention names, such as a constructor that trust begins with.
type gate struct {
	because string
	names   []string
	rooms   []string
}

// guest says who may import a third-party module.
type guest struct {
	rooms []string
	tests bool // every test may
}

// room is one package as the rules see it. Paths are relative to the module; the root is "".
type room struct {
	path        string
	documented  bool
	imports     []string // import paths in its own files, whatever the platform
	testImports []string // import paths in its test files
	files       []file
}

// file is one source file as the rules see it.
type file struct {
	name         string
	test         bool
	generated    bool
	headed       bool // begins with the two SPDX lines
	lines        int
	functions    []function
	undocumented []string // exported names without a comment
	changing     []string // package variables that are assigned to, or made to change
	uses         []string // qualified names it mentions, such as crypto/cipher.NewGCM
	skips        bool     // calls t.Skip, t.Skipf or t.SkipNow
}

// function is one function as the rules see it.
type function struct {
	name  string
	lines int
}

// under reports whether path is one of the roots or lies below one.
func under(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

// helper reports whether path is the test helper of a package: blobtest below blob.
func helper(path string) bool {
	parent, name, found := cutLast(path)
	if !found {
		return false
	}
	_, owner, _ := cutLast(parent)
	return name == owner+"test"
}

func cutLast(path string) (before, after string, found bool) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return "", path, false
	}
	return path[:at], path[at+1:], true
}

// own gives the room that an import path names, if it is one of this module.
func own(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// thirdParty reports whether an import path belongs to neither the module nor the standard library.
func thirdParty(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	_, mine := own(path)
	return !mine && strings.Contains(first, ".")
}

// check gives every complaint about the rooms, in order. It reads nothing but its arguments.
func (d drawing) check(rooms []room) []string {
	var complaints []string
	complain := func(format string, values ...any) {
		complaints = append(complaints, fmt.Sprintf(format, values...))
	}
	d.checkDrawn(rooms, complain)
	reach := reachable(rooms)
	for _, r := range rooms {
		d.checkName(r, complain)
		d.checkFloors(r, complain)
		d.checkWalls(r, reach[r.path], complain)
		d.checkGuests(r, complain)
		d.checkOpening(r, complain)
		d.checkGates(r, complain)
		d.checkWords(r, complain)
		d.checkSizes(r, complain)
		d.checkState(r, complain)
	}
	slices.Sort(complaints)
	return slices.Compact(complaints)
}

type complain func(format string, values ...any)

// exempt reports whether a room stands outside the floors.
func (d drawing) exempt(path string) bool {
	return path == "" || helper(path) || under(path, d.stage)
}

// checkDrawn holds the drawing and the tree against each other.
func (d drawing) checkDrawn(rooms []room, complain complain) {
	built := map[string]bool{}
	for _, r := range rooms {
		built[r.path] = true
		if _, drawn := d.floors[r.path]; !drawn && !d.exempt(r.path) {
			complain("%s is not drawn: give it a floor, or sink it into a package that has one", r.path)
		}
	}
	for path := range d.floors {
		if !built[path] {
			complain("%s is drawn but not built", path)
		}
	}
}

func (d drawing) checkName(r room, complain complain) {
	_, name, _ := cutLast(r.path)
	if slices.Contains(d.vague, name) {
		complain("%s is called %s, which says nothing", r.path, name)
	}
}

func (d drawing) checkFloors(r room, complain complain) {
	if _, drawn := d.floors[r.path]; !drawn && !helper(r.path) {
		return
	}
	for _, imported := range r.imports {
		path, mine := own(imported)
		if !mine {
			continue
		}
		switch {
		case d.exempt(path) && !helper(r.path):
			complain("%s imports %s, which only tests may", r.path, path)
		case helper(r.path) || d.floors[path] < d.floors[r.path]:
		case d.floors[path] == d.floors[r.path]:
			complain("%s imports %s beside it on floor %d", r.path, path, d.floors[path])
		default:
			complain("%s on floor %d imports %s above it on floor %d", r.path, d.floors[r.path], path, d.floors[path])
		}
	}
}

func (d drawing) checkWalls(r room, reached []string, complain complain) {
	for _, w := range d.walls {
		if !under(r.path, w.from) || helper(r.path) {
			continue
		}
		for _, path := range reached {
			if under(path, w.reaches) {
				complain("%s reaches %s: %s", r.path, path, w.because)
			}
		}
		for _, imported := range r.imports {
			if under(imported, w.imports) {
				complain("%s imports %s: %s", r.path, imported, w.because)
			}
		}
	}
}

// reachable gives for each room the rooms it reaches through any number of imports.
func reachable(rooms []room) map[string][]string {
	direct := map[string][]string{}
	for _, r := range rooms {
		for _, imported := range r.imports {
			if path, mine := own(imported); mine {
				direct[r.path] = append(direct[r.path], path)
			}
		}
	}
	all := map[string][]string{}
	for _, r := range rooms {
		seen := map[string]bool{}
		for next := slices.Clone(direct[r.path]); len(next) > 0; {
			path := next[0]
			next = next[1:]
			if !seen[path] {
				seen[path] = true
				next = append(next, direct[path]...)
			}
		}
		all[r.path] = slices.Sorted(maps.Keys(seen))
	}
	return all
}

// admits finds the entry of the guests' table for an import path.
func (d drawing) admits(imported string) (string, guest, bool) {
	for name, g := range d.guests {
		if under(imported, []string{name}) {
			return name, g, true
		}
	}
	return "", guest{}, false
}

func (d drawing) checkGuests(r room, complain complain) {
	check := func(imported string, test bool) {
		if !thirdParty(imported) {
			return
		}
		if under(imported, d.drivers) && !test && !under(r.path, d.driverRooms) {
			complain("%s imports the database driver %s; only %s may", r.path, imported, strings.Join(d.driverRooms, ", "))
		}
		name, g, known := d.admits(imported)
		switch {
		case !known:
			complain("%s imports %s, which is not in the table of guests", r.path, imported)
		case test && g.tests, under(r.path, g.rooms), g.tests && d.exempt(r.path):
		default:
			complain("%s imports %s, a guest of other rooms (%s)", r.path, imported, name)
		}
	}
	for _, imported := range r.imports {
		check(imported, false)
	}
	for _, imported := range r.testImports {
		check(imported, true)
	}
}

func (d drawing) checkOpening(r room, complain complain) {
	if under(r.path, d.openRooms) || d.exempt(r.path) {
		return
	}
	for _, f := range r.files {
		for _, name := range f.uses {
			if !f.test && slices.Contains(d.openers, name) {
				complain("%s/%s opens ciphertext (%s); only %s may", r.path, f.name, name, strings.Join(d.openRooms, ", "))
			}
		}
	}
}

func (d drawing) checkGates(r room, complain complain) {
	if d.exempt(r.path) {
		return
	}
	for _, g := range d.gates {
		for _, f := range r.files {
			for _, name := range f.uses {
				if !f.test && slices.Contains(g.names, name) && !under(r.path, g.rooms) {
					complain("%s/%s mentions %s, which only %s may: %s", r.path, f.name, name, strings.Join(g.rooms, ", "), g.because)
				}
			}
		}
	}
}

func (d drawing) checkWords(r room, complain complain) {
	if !r.documented {
		complain("%s has no package comment", r.path)
	}
	for _, f := range r.files {
		if !f.headed && !f.generated {
			complain("%s/%s does not begin with the two SPDX lines", r.path, f.name)
		}
		for _, name := range f.undocumented {
			complain("%s/%s: %s has no comment", r.path, f.name, name)
		}
	}
}

func (d drawing) checkSizes(r room, complain complain) {
	limit := d.functionLines
	if under(r.path, d.wiringRooms) {
		limit = d.wiringLines
	}
	for _, f := range r.files {
		if f.generated {
			continue
		}
		if f.lines > d.fileLines {
			complain("%s/%s has %d lines, more than %d", r.path, f.name, f.lines, d.fileLines)
		}
		for _, fn := range f.functions {
			if !f.test && fn.lines > limit {
				complain("%s/%s: %s has %d lines, more than %d", r.path, f.name, fn.name, fn.lines, limit)
			}
		}
	}
}

func (d drawing) checkState(r room, complain complain) {
	for _, f := range r.files {
		if f.skips {
			complain("%s/%s skips a test", r.path, f.name)
		}
		if f.test {
			continue
		}
		for _, fn := range f.functions {
			if fn.name == "init" {
				complain("%s/%s has an init function: wiring is written out in cmd/", r.path, f.name)
			}
		}
		for _, name := range f.changing {
			complain("%s/%s: the package variable %s changes: pass what is needed", r.path, f.name, name)
		}
	}
}
