// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
)

// walked returns the paths that a walk with the rules keeps.
func walked(t *testing.T, path string, rules Rules) []string {
	t.Helper()
	selection, err := rules.Compile()
	must(t, err)
	root := openRoot(t, path)
	items, _, err := root.List()
	must(t, err)
	scope, problems := selection.Enter(root, items)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var kept []string
	walkKept(t, root, items, scope, "", &kept)
	return kept
}

func walkKept(t *testing.T, folder *Folder, items []Item, scope *Scope, path string, kept *[]string) {
	for i := range items {
		if !scope.Keeps(&items[i]) {
			continue
		}
		name := path + string(items[i].Name)
		*kept = append(*kept, name)
		if items[i].Type != tree.TypeFolder {
			continue
		}
		child, err := folder.Child(items[i].Name)
		must(t, err)
		below, _, err := child.List()
		must(t, err)
		inner, problems := scope.Enter(items[i].Name, child, below)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		walkKept(t, child, below, inner, name+"/", kept)
		must(t, child.Close())
	}
}

func TestRules(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"a.txt": "x", "A.TXT": "x", "big": strings.Repeat("x", 100),
		"cache/CACHEDIR.TAG": cacheTagHeader + "\n# more", "cache/data": "x", "cache/sub/data": "x",
		"fake/CACHEDIR.TAG": "Signature: of something else", "fake/data": "x",
		"nobackup/.nobackup": "", "nobackup/data": "x", "both/.nobackup": "", "both/CACHEDIR.TAG": cacheTagHeader, "both/data": "x",
		"src/.solekeyignore": "*.o\n/build/\n!keep.o\n", "src/x.o": "x", "src/keep.o": "x", "src/build/y": "x", "src/lib/build/z": "x",
		"src/lib/.solekeyignore": "!x.o\n", "src/lib/x.o": "x", "src/lib/y.o": "x",
	} {
		put(t, filepath.Join(root, name), content)
	}
	all := walked(t, root, Rules{NoIgnoreFiles: true})
	tests := []struct {
		name  string
		rules Rules
		gone  []string
	}{
		{"none", Rules{NoIgnoreFiles: true}, nil},
		{"ignore files", Rules{}, []string{"src/build", "src/build/y", "src/lib/y.o", "src/x.o"}},
		{"pattern", Rules{NoIgnoreFiles: true, Exclude: []string{"*.txt"}}, []string{"a.txt"}},
		{"any case", Rules{NoIgnoreFiles: true, IExclude: []string{"*.txt"}}, []string{"A.TXT", "a.txt"}},
		{"absolute", Rules{NoIgnoreFiles: true, Exclude: []string{root + "/fake/*", "!**/data"}}, []string{"fake/CACHEDIR.TAG"}},
		{"folder", Rules{NoIgnoreFiles: true, Exclude: []string{"src"}}, []string{
			"src", "src/.solekeyignore", "src/build", "src/build/y", "src/keep.o", "src/lib",
			"src/lib/.solekeyignore", "src/lib/build", "src/lib/build/z", "src/lib/x.o", "src/lib/y.o", "src/x.o",
		}},
		{"caches", Rules{NoIgnoreFiles: true, Caches: true}, []string{"both/.nobackup", "both/data", "cache/data", "cache/sub", "cache/sub/data"}},
		{"if present", Rules{NoIgnoreFiles: true, IfPresent: []string{".nobackup"}}, []string{"both/CACHEDIR.TAG", "both/data", "nobackup/data"}},
		{"if present with header", Rules{NoIgnoreFiles: true, IfPresent: []string{"CACHEDIR.TAG:Signature: of"}}, []string{"fake/data"}},
		{"both tags", Rules{NoIgnoreFiles: true, Caches: true, IfPresent: []string{".nobackup"}}, []string{
			"both/.nobackup", "both/CACHEDIR.TAG", "both/data", "cache/data", "cache/sub", "cache/sub/data", "nobackup/data",
		}},
		{"larger", Rules{NoIgnoreFiles: true, LargerThan: 99}, []string{"big"}},
		{"as large", Rules{NoIgnoreFiles: true, LargerThan: 100}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kept := walked(t, root, tt.rules)
			var gone []string
			for _, name := range all {
				if !slices.Contains(kept, name) {
					gone = append(gone, name)
				}
			}
			if !slices.Equal(gone, tt.gone) {
				t.Errorf("left out %q, want %q", gone, tt.gone)
			}
		})
	}
	if _, err := (Rules{Exclude: []string{"["}}).Compile(); err == nil {
		t.Error("a broken pattern was taken")
	}
}
