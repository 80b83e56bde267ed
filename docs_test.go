// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package house_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// texts reads every text file of the project that keep wants, by its path.
func texts(t *testing.T, keep func(name string) bool) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", "bin", "man", "dist"}, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || !keep(name) {
			return nil
		}
		data, err := os.ReadFile(name)
		found[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// pages are the documents of the project, by their path.
func pages(t *testing.T) map[string]string {
	return texts(t, func(name string) bool { return strings.HasSuffix(name, ".md") })
}

// block is one fenced piece of a page: what stands behind the fence, and the lines inside.
type block struct {
	info  string
	lines []string
}

// split parts a page into its running text and its fenced blocks.
func split(page string) (prose string, blocks []block) {
	var text strings.Builder
	inside := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if info, fence := strings.CutPrefix(strings.TrimSpace(line), "```"); fence {
			if inside = !inside; inside {
				blocks = append(blocks, block{info: info})
			}
			continue
		}
		if inside {
			last := &blocks[len(blocks)-1]
			last.lines = append(last.lines, line)
			continue
		}
		text.WriteString(line + "\n")
	}
	return text.String(), blocks
}

// commands lists the shell commands of a page that begin with the word: those in its sh blocks, and those in
// running text between backticks.
func commands(page, word string) []string {
	prose, blocks := split(page)
	var lines []string
	for _, b := range blocks {
		if b.info == "sh" || strings.HasPrefix(b.info, "sh ") {
			lines = append(lines, b.lines...)
		}
	}
	for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.ReplaceAll(prose, "\n", " "), -1) {
		lines = append(lines, quoted[1])
	}
	var found []string
	for _, line := range lines {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimPrefix(strings.TrimSpace(line), "sudo ")
		if line == word || strings.HasPrefix(line, word+" ") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	target := regexp.MustCompile(`^[a-z][a-z-]*$`)
	for name, page := range pages(t) {
		for _, command := range commands(page, "make") {
			for _, word := range strings.Fields(command)[1:] {
				if target.MatchString(word) && !regexp.MustCompile(`(?m)^`+word+`:`).Match(makefile) {
					t.Errorf("%s says `%s`, and the Makefile has no target %s", name, command, word)
				}
			}
		}
	}
}

// anchors lists the places in a page that a link can lead to.
func anchors(page string) []string {
	var found []string
	prose, _ := split(page)
	for line := range strings.Lines(prose) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			slug := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			found = append(found, strings.ReplaceAll(slug, " ", "-"))
		}
	}
	return found
}

func TestLinksLeadSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all := pages(t)
	for name, page := range all {
		prose, _ := split(page)
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(match[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", name, match[1])
			} else if other, isPage := all[target]; isPage && anchor != "" && !slices.Contains(anchors(other), anchor) {
				t.Errorf("%s links to %s, and that page has no such heading", name, match[1])
			}
		}
	}
}

// vectorNames lists the vectors that a page names, as patterns below spec/.
func vectorNames(page string) []string {
	return regexp.MustCompile(`vectors/[A-Za-z0-9_*{}-][A-Za-z0-9_.*/{},-]*[A-Za-z0-9_*}]`).FindAllString(page, -1)
}

// TestSpecificationsAndVectorsMeet holds that a vector which a page names exists, and that each vector begins with the
// name of the page it belongs to.
func TestSpecificationsAndVectorsMeet(t *testing.T) {
	vectors := texts(t, func(name string) bool { return strings.HasPrefix(name, "spec/vectors/") })
	named := map[string]bool{}
	for name, page := range pages(t) {
		if !strings.HasPrefix(name, "spec/") {
			continue
		}
		for vector := range vectors {
			if strings.HasPrefix(vector, "spec/vectors/"+strings.TrimSuffix(path.Base(name), ".md")+"-") {
				named[vector] = true
			}
		}
		for _, pattern := range vectorNames(page) {
			found := false
			for vector := range vectors {
				if ok, err := path.Match("spec/"+pattern, vector); ok || strings.HasPrefix(vector, "spec/"+pattern+"/") {
					found = true
				} else if err != nil {
					t.Errorf("%s: pattern %s: %v", name, pattern, err)
				}
			}
			if !found {
				t.Errorf("%s names %s, and there is no such vector", name, pattern)
			}
		}
	}
	for vector := range vectors {
		if !named[vector] && !strings.HasSuffix(vector, ".md") {
			t.Errorf("%s belongs to no page of spec/", vector)
		}
	}
}

func TestPackagesNameTheirSpecification(t *testing.T) {
	page := regexp.MustCompile(`\bspec/[a-z-]+\.md`)
	for name, source := range texts(t, func(name string) bool { return strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") }) {
		for _, named := range page.FindAllString(source, -1) {
			if _, err := os.Stat(named); err != nil {
				t.Errorf("%s names %s, which is not there", name, named)
			}
		}
	}
}

func TestDocumentsNameTestsThatExist(t *testing.T) {
	declared := map[string]bool{}
	for _, source := range texts(t, func(name string) bool {
		return strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "protocol/blob/blobtest/")
	}) {
		for _, match := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`).FindAllStringSubmatch(source, -1) {
			declared[match[1]] = true
		}
	}
	for name, page := range pages(t) {
		for _, test := range regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(page, -1) {
			if !declared[test] {
				t.Errorf("%s names %s, and there is no such test", name, test)
			}
		}
	}
}

func TestDecisionsAreNumberedAndDated(t *testing.T) {
	names, err := filepath.Glob("docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	form := regexp.MustCompile(`^# (\d{4}) [^\n]+\n\n\d{4}-\d{2}-\d{2}\n\n\*\*Question\.\*\* `)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		match := form.FindSubmatch(data)
		if match == nil {
			t.Errorf("%s does not begin with number, title, date and question", name)
		} else if !strings.HasPrefix(path.Base(name), string(match[1])+"-") {
			t.Errorf("%s calls itself %s", name, match[1])
		}
	}
}

func TestChangesAreFragments(t *testing.T) {
	form := regexp.MustCompile(`^(Added|Changed|Fixed|Removed|Security): [^\n]+\n\n`)
	for name, page := range pages(t) {
		if strings.HasPrefix(name, "changelog/unreleased/") && !form.MatchString(page) {
			t.Errorf("%s does not begin with what kind of change it is, and a title", name)
		}
	}
}

// TestNothingNamesSomebodysMachine keeps paths out of the project that exist on one machine only, and words for
// unfinished work.
func TestNothingNamesSomebodysMachine(t *testing.T) {
	foreign := regexp.MustCompile(`(?:^|[\s"'(=:\x60])/(?:work|root|Users|workspace|var/tmp)/[A-Za-z.]`)
	unfinished := regexp.MustCompile(`(?://|#|--|^).*\b(?:T[O]DO|F[I]XME|X[X]X)\b[: ]`)
	for name, text := range texts(t, written) {
		for number, line := range strings.Split(text, "\n") {
			if foreign.MatchString(line) {
				t.Errorf("%s:%d names a path of one machine: %s", name, number+1, strings.TrimSpace(line))
			}
			if unfinished.MatchString(line) {
				t.Errorf("%s:%d is not finished: %s", name, number+1, strings.TrimSpace(line))
			}
		}
	}
}

// written reports whether people write and read the file, by its name.
func written(name string) bool {
	switch path.Ext(name) {
	case ".go", ".md", ".sh", ".sql", ".yaml", ".yml", ".txtar", ".txt", "":
		return !strings.HasPrefix(name, "spec/vectors/")
	}
	return false
}
