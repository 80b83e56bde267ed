// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package house_test

import (
	"slices"
	"strings"
	"testing"
)

// model is a small house with the rules of the real one, so that the breaks below stay the same while it grows.
func model() drawing {
	d := house
	d.floors = map[string]int{
		"protocol": 1, "protocol/keys": 2, "protocol/ledger": 3, "storage/disk": 3, "protocol/seal": 5, "protocol/api": 5,
		"device/tree": 6, "device/client": 7, "watch/witness": 7, "custody/custodian": 7, "provider/vaults": 7, "provider/accounts": 7,
		"provider/server": 10, "cmd/solekey": 11, "cmd/solekeyd": 11,
	}
	d.guests = map[string]guest{
		"example.org/codec":  {rooms: []string{"protocol/keys"}},
		"example.org/prover": {tests: true},
		"modernc.org/sqlite": {rooms: []string{"storage/disk", "device/client"}},
	}
	return d
}

// sound gives a description of the model's rooms that breaks nothing.
func sound() []room {
	var rooms []room
	for path := range model().floors {
		rooms = append(rooms, room{path: path, documented: true})
	}
	return rooms
}

// with gives the sound rooms with one of them changed, or added.
func with(path string, change func(*room)) []room {
	rooms := sound()
	at := slices.IndexFunc(rooms, func(r room) bool { return r.path == path })
	if at < 0 {
		rooms = append(rooms, room{path: path, documented: true})
		at = len(rooms) - 1
	}
	change(&rooms[at])
	return rooms
}

func imports(paths ...string) func(*room) {
	return func(r *room) {
		for _, path := range paths {
			if _, inside := model().floors[path]; inside || strings.HasPrefix(path, "test/") || helper(path) {
				path = module + "/" + path
			}
			r.imports = append(r.imports, path)
		}
	}
}

func testImports(path string) func(*room) {
	return func(r *room) { r.testImports = append(r.testImports, path) }
}

// holds gives the room one file, sound but for what the change does to it.
func holds(name string, change func(*file)) func(*room) {
	return func(r *room) {
		f := file{name: name, test: strings.HasSuffix(name, "_test.go"), headed: true, lines: 10}
		change(&f)
		r.files = append(r.files, f)
	}
}

const (
	cannotOpen = "the provider must be unable to open what it keeps"
	meetOnly   = "devices, provider, custodians and watchers meet in the protocol only"
)

func TestEachKindOfRuleBreaks(t *testing.T) {
	cases := []struct {
		name  string
		rooms []room
		want  []string
	}{
		{"a sound house", sound(), nil},
		{"lower floors may be imported", with("device/tree", imports("protocol", "protocol/seal")), nil},
		{
			"an undrawn room", with("device/gadgets", func(*room) {}),
			[]string{"device/gadgets is not drawn: give it a floor, or sink it into a package that has one"},
		},
		{
			"a room drawn but not built", slices.DeleteFunc(sound(), func(r room) bool { return r.path == "device/tree" }),
			[]string{"device/tree is drawn but not built"},
		},
		{
			"a floor above", with("protocol/keys", imports("protocol/ledger")),
			[]string{"protocol/keys on floor 2 imports protocol/ledger above it on floor 3"},
		},
		{
			"a room beside", with("protocol/api", imports("protocol/seal")),
			[]string{"protocol/api imports protocol/seal beside it on floor 5"},
		},
		{
			"a test helper in a program", with("cmd/solekey", imports("protocol/keys/keystest")),
			[]string{"cmd/solekey imports protocol/keys/keystest, which only tests may"},
		},
		{
			"the stage in a program", with("cmd/solekey", imports("test/world")),
			[]string{"cmd/solekey imports test/world, which only tests may"},
		},
		{"a helper may import its package", with("protocol/keys/keystest", imports("protocol/keys")), nil},
		{"the stage may import everything", with("test/world", imports("cmd/solekey", "provider/server", "device/tree")), nil},
		{
			"the provider reaches plaintext through others",
			chain("provider/server", "provider/vaults", "protocol/seal"),
			[]string{
				"provider/server reaches protocol/seal: " + cannotOpen,
				"provider/vaults reaches protocol/seal: " + cannotOpen,
			},
		},
		{
			"the provider's program reaches plaintext", with("cmd/solekeyd", imports("protocol/seal")),
			[]string{"cmd/solekeyd reaches protocol/seal: " + cannotOpen},
		},
		{
			"the provider's program reaches a device", with("cmd/solekeyd", imports("device/tree")),
			[]string{"cmd/solekeyd reaches device/tree: " + cannotOpen},
		},
		{
			"the provider holds a cipher", with("provider/vaults", imports("crypto/cipher")),
			[]string{"provider/vaults imports crypto/cipher: " + cannotOpen},
		},
		{
			"a device reaches the provider", with("device/client", func(r *room) { imports("provider/server")(r) }),
			[]string{
				"device/client on floor 7 imports provider/server above it on floor 10",
				"device/client reaches provider/server: " + meetOnly,
			},
		},
		{
			"the device's program reaches the provider", with("cmd/solekey", imports("provider/server")),
			[]string{"cmd/solekey reaches provider/server: " + meetOnly},
		},
		{
			"a watcher reaches what it watches", with("watch/witness", imports("device/tree")),
			[]string{"watch/witness reaches device/tree: a watcher must not trust what it watches"},
		},
		{
			"a custodian reaches a device", with("custody/custodian", imports("device/tree")),
			[]string{"custody/custodian reaches device/tree: " + meetOnly},
		},
		{
			"a format asks the disk", with("protocol/ledger", imports("os")),
			[]string{"protocol/ledger imports os: formats know no clock, disk or network: they take the time and return the bytes"},
		},
		{
			"a format asks a package below net", with("protocol/api", imports("net/http")),
			[]string{"protocol/api imports net/http: formats know no clock, disk or network: they take the time and return the bytes"},
		},
		{
			"storage knows what it keeps", with("storage/disk", imports("protocol/seal")),
			[]string{
				"storage/disk on floor 3 imports protocol/seal above it on floor 5",
				"storage/disk reaches protocol/seal: storage keeps bytes without meaning",
			},
		},
		{
			"a guest nobody let in", with("device/tree", imports("example.org/stranger")),
			[]string{"device/tree imports example.org/stranger, which is not in the table of guests"},
		},
		{
			"a guest in a foreign room", with("device/tree", imports("example.org/codec/v2/part")),
			[]string{"device/tree imports example.org/codec/v2/part, a guest of other rooms (example.org/codec)"},
		},
		{"a guest of tests in a test", with("device/tree", testImports("example.org/prover")), nil},
		{
			"a guest of tests outside tests", with("device/tree", imports("example.org/prover")),
			[]string{"device/tree imports example.org/prover, a guest of other rooms (example.org/prover)"},
		},
		{
			"an unknown guest in a test", with("device/tree", testImports("example.org/asserter")),
			[]string{"device/tree imports example.org/asserter, which is not in the table of guests"},
		},
		{
			"a database driver outside storage", with("device/client", imports("modernc.org/sqlite")),
			[]string{"device/client imports the database driver modernc.org/sqlite; only storage, cmd may"},
		},
		{
			"a second place that opens", with("device/tree", holds("open.go", func(f *file) { f.uses = []string{"crypto/cipher.NewGCM"} })),
			[]string{"device/tree/open.go opens ciphertext (crypto/cipher.NewGCM); only protocol/seal may"},
		},
		{
			"a second place that seals", with("device/tree", holds("wrap.go", func(f *file) { f.uses = []string{"crypto/hpke.Seal"} })),
			[]string{"device/tree/wrap.go mentions crypto/hpke.Seal, which only protocol/seal may: nothing is sealed to a key that no directory proved"},
		},
		{
			"a standing out of nothing", with("device/client", holds("x.go", func(f *file) { f.uses = []string{module + "/protocol/directory.Hold"} })),
			[]string{"device/client/x.go mentions " + module + "/protocol/directory.Hold, which only device/keyring, device/trust may: " +
				"a standing without a proof is for an account that begins, and for one that goes on without its provider"},
		},
		{"the one place that opens", with("protocol/seal", holds("open.go", func(f *file) { f.uses = []string{"crypto/hpke.Open"} })), nil},
		{
			"a name that says nothing", with("device/helpers", func(*room) {}),
			[]string{
				"device/helpers is called helpers, which says nothing",
				"device/helpers is not drawn: give it a floor, or sink it into a package that has one",
			},
		},
		{
			"a package without a comment", with("device/tree", func(r *room) { r.documented = false }),
			[]string{"device/tree has no package comment"},
		},
		{
			"an exported name without a comment", with("device/tree", holds("tree.go", func(f *file) { f.undocumented = []string{"Leaf"} })),
			[]string{"device/tree/tree.go: Leaf has no comment"},
		},
		{
			"a file without its head", with("device/tree", holds("tree.go", func(f *file) { f.headed = false })),
			[]string{"device/tree/tree.go does not begin with the two SPDX lines"},
		},
		{
			"a long file", with("device/tree", holds("tree.go", func(f *file) { f.lines = 501 })),
			[]string{"device/tree/tree.go has 501 lines, more than 500"},
		},
		{
			"a long function", with("device/tree", holds("tree.go", func(f *file) { f.functions = []function{{"grow", 81}} })),
			[]string{"device/tree/tree.go: grow has 81 lines, more than 80"},
		},
		{"a function that wires", with("cmd/solekey", holds("main.go", func(f *file) { f.functions = []function{{"main", 120}} })), nil},
		{"a long test", with("device/tree", holds("tree_test.go", func(f *file) { f.functions = []function{{"TestGrow", 200}} })), nil},
		{
			"an init function", with("device/tree", holds("tree.go", func(f *file) { f.functions = []function{{"init", 3}} })),
			[]string{"device/tree/tree.go has an init function: wiring is written out in cmd/"},
		},
		{
			"a variable that changes", with("device/tree", holds("tree.go", func(f *file) { f.changing = []string{"current"} })),
			[]string{"device/tree/tree.go: the package variable current changes: pass what is needed"},
		},
		{
			"a test that may be skipped", with("device/tree", holds("tree_test.go", func(f *file) { f.skips = true })),
			[]string{"device/tree/tree_test.go skips a test"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := model().check(c.rooms); !slices.Equal(got, c.want) {
				t.Errorf("complaints:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// chain gives the sound rooms with each of the named ones importing the next.
func chain(paths ...string) []room {
	rooms := sound()
	for i, path := range paths[:len(paths)-1] {
		at := slices.IndexFunc(rooms, func(r room) bool { return r.path == path })
		imports(paths[i+1])(&rooms[at])
	}
	return rooms
}

// TestDescriptionSeesBreaks holds the reader to source text that breaks what the rules ask about.
func TestDescriptionSeesBreaks(t *testing.T) {
	const source = `package tree

import (
	"crypto/cipher"
	keys "crypto/hpke"
	"sync"
)

var count, limit int
var lock sync.Mutex
var table = map[string]int{}

func init() {}

func Grow(name string) {
	count++
	limit := 3
	limit = 4
	table[name] = limit
	cipher.NewGCM(nil)
	keys.Open(nil)
}

// Leaf is documented.
type Leaf struct{}

func (Leaf) Bare() {}
func (*hidden) Inner() {}
`
	const tests = head + "\npackage tree\n\nimport \"testing\"\n\nfunc BenchmarkLeaf(b *testing.B) { b.SkipNow() }\n"
	r, err := describe("device/tree", map[string][]byte{"tree.go": []byte(source), "tree_test.go": []byte(tests)})
	if err != nil {
		t.Fatal(err)
	}
	got, test := r.files[0], r.files[1]
	if r.documented || got.headed || !test.headed || got.skips || !test.skips || got.test || !test.test {
		t.Errorf("marks of the files: %+v", r)
	}
	if want := []string{"crypto/cipher", "crypto/hpke", "sync"}; !slices.Equal(r.imports, want) {
		t.Errorf("imports %q, want %q", r.imports, want)
	}
	if want := []string{"count", "lock", "table"}; !slices.Equal(got.changing, want) {
		t.Errorf("changing variables %q, want %q", got.changing, want)
	}
	if want := []string{"Grow", "Bare"}; !slices.Equal(got.undocumented, want) {
		t.Errorf("undocumented names %q, want %q", got.undocumented, want)
	}
	if want := []string{"crypto/cipher.NewGCM", "crypto/hpke.Open", "sync.Mutex"}; !slices.Equal(got.uses, want) {
		t.Errorf("names used %q, want %q", got.uses, want)
	}
	if want := []function{{"init", 1}, {"Grow", 8}, {"Leaf.Bare", 1}, {"hidden.Inner", 1}}; !slices.Equal(got.functions, want) {
		t.Errorf("functions %v, want %v", got.functions, want)
	}
}
