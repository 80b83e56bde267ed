// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package files

import (
	"math"
	"strings"
	"testing"

	"github.com/solekey/solekey/device/tree"
	"github.com/solekey/solekey/protocol"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"": false, ".": false, "..": false, "/": false, "a/b": false, "a/": false, "\x00": false, "a\x00": false,
		"...": true, "..a": true, ".a": true, "a": true, " ": true, "\n": true, "\xff": true, "a.": true, "-": true,
		strings.Repeat("n", 1000): true,
	} {
		if got := ValidName([]byte(name)); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// TestNamesAreTheFormats holds our rule to that of the sealed format.
func TestNamesAreTheFormats(t *testing.T) {
	for _, name := range []string{"", ".", "..", "...", "a/b", "a", "\x00", "\xff\n", "a\x00b", "/"} {
		if got, want := ValidName([]byte(name)), tree.CheckName([]byte(name)) == nil; got != want {
			t.Errorf("%q: %v here, %v in the format", name, got, want)
		}
	}
}

func TestTemporaryNames(t *testing.T) {
	seen := map[string]bool{}
	r := &Restorer{run: randomDigits()}
	for range 100 {
		name := r.temporaryName()
		if !isTemporary(name) || seen[name] || !ValidName([]byte(name)) || len(name) > 64 {
			t.Errorf("%q", name)
		}
		seen[name] = true
	}
	for _, name := range []string{
		"", "file", temporaryPrefix, temporaryPrefix + "0123456789abcde", temporaryPrefix + "0123456789abcdef0",
		temporaryPrefix + "0123456789abcdeg", temporaryPrefix + "0123456789ABCDEF", "x" + temporaryPrefix + "0123456789abcdef",
	} {
		if isTemporary(name) {
			t.Errorf("%q would be cleaned away", name)
		}
	}
}

func TestTimeOf(t *testing.T) {
	tests := []struct {
		seconds, nanos int64
		want           protocol.Time
	}{
		{0, 0, 0},
		{0, 1, 1},
		{-1, 999_999_999, -1},
		{1, 5, 1_000_000_005},
		{-2, 0, -2_000_000_000},
		{1 << 40, 0, math.MaxInt64},
		{-1 << 40, 0, math.MinInt64},
		{math.MaxInt64, 999_999_999, math.MaxInt64},
		{math.MinInt64, 0, math.MinInt64},
	}
	for _, tt := range tests {
		if got := timeOf(tt.seconds, tt.nanos); got != tt.want {
			t.Errorf("%d s %d ns: %d, want %d", tt.seconds, tt.nanos, got, tt.want)
		}
	}
}

func TestAccounts(t *testing.T) {
	var a accounts
	for range 2 { // asked, then remembered
		if a.user(0) != "root" || a.userID("root", 7) != 0 || a.groupID("root", 7) != 0 {
			t.Error("root is not known")
		}
		if got := a.user(3_999_999_999); got != "" {
			t.Errorf("an unknown user is called %q", got)
		}
		if got := a.group(3_999_999_999); got != "" {
			t.Errorf("an unknown group is called %q", got)
		}
		if a.userID("no such user", 7) != 7 || a.groupID("no such group", 8) != 8 || a.userID("", 9) != 9 {
			t.Error("an unknown name has a number")
		}
	}
	if storable("\xff") || storable(strings.Repeat("x", tree.MaxOwner+1)) || !storable("é") {
		t.Error("what an entry cannot hold is taken")
	}
}

func TestDifferingProperties(t *testing.T) {
	base := func() *tree.Entry {
		return &tree.Entry{Type: tree.TypeFile, Mode: 0o644, Xattrs: []tree.Xattr{{Name: []byte("user.a"), Value: []byte("1")}}}
	}
	tests := []struct {
		change func(e *tree.Entry)
		want   Property
	}{
		{func(e *tree.Entry) { e.Type = tree.TypePipe }, PropertyType},
		{func(e *tree.Entry) { e.Size = 1 }, PropertySize},
		{func(e *tree.Entry) { e.Mode = 0o4644 }, PropertyMode},
		{func(e *tree.Entry) { e.UID = 1 }, PropertyOwner},
		{func(e *tree.Entry) { e.GID = 1 }, PropertyOwner},
		{func(e *tree.Entry) { e.Modified = -1 }, PropertyTime},
		{func(e *tree.Entry) { e.Target = []byte("x") }, PropertyTarget},
		{func(e *tree.Entry) { e.Device = 1 }, PropertyDevice},
		{func(e *tree.Entry) { e.Xattrs[0].Value = nil }, PropertyXattrs},
		{func(e *tree.Entry) { e.Xattrs = nil }, PropertyXattrs},
		{func(e *tree.Entry) { e.Holes = []tree.Extent{{Length: 1}} }, PropertyHoles},
	}
	for _, tt := range tests {
		changed := base()
		tt.change(changed)
		got := differingProperties(base(), changed)
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("differs in %q, want %q", got, tt.want)
		}
		if describeProperty(changed, tt.want) == describeProperty(base(), tt.want) {
			t.Errorf("%s: both are described as %s", tt.want, describeProperty(changed, tt.want))
		}
	}
	named := base()
	named.User, named.Name, named.Xattrs[0].Value = "someone", []byte("x"), []byte("1")
	if got := differingProperties(base(), named); len(got) != 0 {
		t.Errorf("names make a difference: %q", got)
	}
}
