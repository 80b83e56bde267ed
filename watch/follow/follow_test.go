// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package follow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/watch/follow"
	"github.com/solekey/solekey/watch/follow/followtest"
)

var (
	ctx   = context.Background()
	start = protocol.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	hour  = protocol.Time(time.Hour)
)

func open(t *testing.T, path string) *follow.Store {
	t.Helper()
	s, err := follow.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func wantKind(t *testing.T, what string, err error, kind protocol.Kind) {
	t.Helper()
	if protocol.KindOf(err) != kind {
		t.Errorf("%s: %v (%q), want kind %q", what, err, protocol.KindOf(err), kind)
	}
}

// TestFollow follows a log that grows, with new programs over the same file, and
// sees each entry once.
func TestFollow(t *testing.T) {
	l := followtest.New(t, "log.example", start)
	path := filepath.Join(t.TempDir(), "follow.db")
	var seen []uint64
	var names []*followtest.Name
	for round := range 5 {
		for i := range 15 {
			names = append(names, followtest.NewName(t, fmt.Sprintf("%d of %d", i, round)))
		}
		for _, n := range names {
			l.Add(n.Update(l.Key()))
		}
		head := l.Root(start + protocol.Time(round)*hour)
		s, err := follow.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		f := follow.New(l.Key(), l, s, follow.Options{Observe: func(at uint64, _ *directory.Entry) { seen = append(seen, at) }})
		if err := f.Follow(ctx, head); err != nil {
			t.Fatal(err)
		}
		if err := f.Follow(ctx, head); err != nil || f.Replay().Time() != start+protocol.Time(round)*hour {
			t.Fatalf("once more: %v", err)
		}
		if at, err := f.Load(ctx); err != nil || at != head {
			t.Errorf("followed to %+v, %v", at, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, at := range seen {
		if at != uint64(i) {
			t.Fatalf("entry %d is seen as number %d", at, i)
		}
	}
	if uint64(len(seen)) != l.Head().Size {
		t.Errorf("%d entries are seen of %d", len(seen), l.Head().Size)
	}
}

// TestMemo: what the owner remembers goes back to what was kept, after an error too.
func TestMemo(t *testing.T) {
	l := followtest.New(t, "log.example", start)
	good := l.Head()
	count := byte(0)
	s := open(t, filepath.Join(t.TempDir(), "follow.db"))
	options := follow.Options{
		Observe: func(uint64, *directory.Entry) { count++ },
		Memo:    func() []byte { return []byte{count} },
		Recall: func(memo []byte) {
			count = 0
			if memo != nil {
				count = memo[0]
			}
		},
	}
	f := follow.New(l.Key(), l, s, options)
	if err := f.Follow(ctx, good); err != nil || count != 2 {
		t.Fatalf("%d entries counted, %v", count, err)
	}
	l.Add(followtest.NewName(t, "a").Update(l.Key()))
	bad := l.Force(&directory.Entry{Root: &directory.Root{Size: 3, Time: start}})
	if err := f.Follow(ctx, bad); err == nil || f.Replay() != nil {
		t.Fatal("a wrong root is followed")
	}
	if at, err := f.Load(ctx); err != nil || at != good || count != 2 {
		t.Errorf("%d entries are counted at %+v, %v", count, at, err)
	}
	count = 0
	if at, err := follow.New(l.Key(), l, s, options).Load(ctx); err != nil || at != good || count != 2 {
		t.Errorf("a new program counts %d at %+v, %v", count, at, err)
	}
}

// TestBreaches: a rule that is broken, a log with another past, one that ends without
// a root: all proven. Wrong tiles prove nothing.
func TestBreaches(t *testing.T) {
	l := followtest.New(t, "log.example", start)
	s := open(t, filepath.Join(t.TempDir(), "follow.db"))
	f := follow.New(l.Key(), l, s, follow.Options{})
	if err := f.Follow(ctx, l.Head()); err != nil {
		t.Fatal(err)
	}
	before := l.Head()
	name := followtest.NewName(t, "a")
	l.Add(name.Update(l.Key()))
	wantKind(t, "no root at the end", f.Follow(ctx, l.Head()), protocol.KindUntrusted)
	good := l.Root(start + hour)

	wrong := l.Fork()
	wrong.Set(tlog.Tile{Level: tlog.LevelEntries, N: 0, Width: int(good.Size)}, tlog.AppendBundle(nil, []byte("x")))
	wantKind(t, "another bundle", follow.New(l.Key(), wrong, s, follow.Options{}).Follow(ctx, good), protocol.KindUnreachable)
	wrong.Set(tlog.Tile{Level: 0, N: 0, Width: int(good.Size)}, nil)
	wantKind(t, "no tile", follow.New(l.Key(), wrong, s, follow.Options{}).Follow(ctx, good), protocol.KindNotFound)

	other := followtest.New(t, "log.example", start+1)
	head := other.Root(start + hour)
	for range 3 {
		head = other.Root(start + 2*hour)
	}
	err := follow.New(l.Key(), other, s, follow.Options{}).Follow(ctx, head)
	if wantKind(t, "another past", err, protocol.KindUntrusted); !errors.Is(err, tlog.ErrAnotherPast) {
		t.Error(err)
	}
	if err := f.Follow(ctx, good); err != nil {
		t.Fatal(err)
	}
	wantKind(t, "a smaller one", f.Follow(ctx, before), protocol.KindConflict)

	stolen := followtest.NewName(t, "thief").Update(l.Key())
	stolen.Update.Index = name.Update(l.Key()).Update.Index
	bad := l.Force(stolen)
	var breach *directory.Breach
	err = f.Follow(ctx, bad)
	if wantKind(t, "a forged update", err, protocol.KindUntrusted); !errors.As(err, &breach) || breach.Position != bad.Size-1 {
		t.Error(err)
	}
}

// TestManyEntries: progress is kept on the way, and an interruption goes on there.
func TestManyEntries(t *testing.T) {
	l := followtest.New(t, "log.example", start)
	for i := range 10 {
		l.Add(followtest.NewName(t, fmt.Sprint(i)).Update(l.Key()))
		for j := range 1200 { // roots are the cheapest entries
			l.Root(start + protocol.Time(2000*i+j))
		}
	}
	head := l.Head()
	s := open(t, filepath.Join(t.TempDir(), "follow.db"))
	stop, cancel := context.WithCancel(ctx)
	f := follow.New(l.Key(), l, s, follow.Options{Observe: func(at uint64, _ *directory.Entry) {
		if at == 10000 {
			cancel()
		}
	}})
	if err := f.Follow(stop, head); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	at, err := follow.New(l.Key(), l, s, follow.Options{}).Load(ctx)
	if err != nil || at.Size < 8192 || at.Size > 10001 || l.At(t, at.Size).Root != at.Root {
		t.Fatalf("kept at %+v, %v", at, err)
	}
	if err := f.Follow(ctx, head); err != nil {
		t.Fatal(err)
	}
}

// TestDamage: what does not fit together is refused, with what to do.
func TestDamage(t *testing.T) {
	l := followtest.New(t, "log.example", start)
	path := filepath.Join(t.TempDir(), "follow.db")
	s := open(t, path)
	if err := follow.New(l.Key(), l, s, follow.Options{}).Follow(ctx, l.Head()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"UPDATE replays SET frontier = x'00'", "UPDATE replays SET frontier = x'0000000000000000'", "UPDATE replays SET state = x'00'"} {
		follow.TestingOnlyExec(t, s, sql)
		_, err := follow.New(l.Key(), l, s, follow.Options{}).Load(ctx)
		wantKind(t, sql, err, protocol.KindUntrusted)
	}
}

func TestSource(t *testing.T) {
	l := tlogtest.New(t, "log.example")
	for i := range 300 {
		l.Append(t, fmt.Appendf(nil, "entry %d", i))
	}
	l.Set(tlog.Tile{Level: 0, N: 0, Width: 255}, nil)
	long := strings.Repeat("x", tlog.MaxHashTile+1)
	mux := http.NewServeMux()
	mux.HandleFunc("/log/", func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/log/")
		tile, err := tlog.ParseTilePath(path)
		switch {
		case path == "checkpoint":
			_, _ = w.Write(l.Note(t, 0))
		case err != nil:
			http.NotFound(w, r)
		case tile.Level == 5:
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case tile.Level == 6:
			_, _ = w.Write([]byte(long))
		case tile.Level == 7:
			http.Redirect(w, r, "/log/checkpoint", http.StatusFound)
		default:
			data, ok := l.Tile(tile)
			if !ok {
				http.NotFound(w, r)
				return
			}
			_, _ = w.Write(data)
		}
	})
	server := httptest.NewTLSServer(mux) // its certificate is signed by nobody
	defer server.Close()
	s, err := follow.Dial(server.URL + "/log/")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if note, err := s.Checkpoint(ctx); err != nil || string(note) != string(l.Note(t, 0)) {
		t.Errorf("%s, %v", note, err)
	}
	full, err := s.ReadTile(ctx, tlog.Tile{Level: 0, N: 0, Width: 256})
	if err != nil || len(full) != tlog.MaxHashTile {
		t.Fatalf("%d bytes, %v", len(full), err)
	}
	if cut, err := s.ReadTile(ctx, tlog.Tile{Level: 0, N: 0, Width: 255}); err != nil || string(cut) != string(full[:255*32]) {
		t.Errorf("a tile that is gone: %d bytes, %v", len(cut), err)
	}
	for what, c := range map[string]struct {
		tile tlog.Tile
		kind protocol.Kind
	}{
		"none":       {tlog.Tile{Level: 0, N: 9, Width: 256}, protocol.KindNotFound},
		"none, half": {tlog.Tile{Level: 0, N: 9, Width: 7}, protocol.KindNotFound},
		"busy":       {tlog.Tile{Level: 5, N: 0, Width: 256}, protocol.KindUnreachable},
		"too long":   {tlog.Tile{Level: 6, N: 0, Width: 256}, protocol.KindUntrusted},
		"elsewhere":  {tlog.Tile{Level: 7, N: 0, Width: 256}, protocol.KindUnreachable},
	} {
		_, err := s.ReadTile(ctx, c.tile)
		wantKind(t, what, err, c.kind)
	}
	server.Close()
	_, err = s.Checkpoint(ctx)
	wantKind(t, "nobody there", err, protocol.KindUnreachable)
	for _, bad := range []string{"", "log.example", "ftp://x/", "https://", "https://u:p@x/", "https://x/?q", "https://x/#f", "http://[::1"} {
		_, err := follow.Dial(bad)
		wantKind(t, bad, err, protocol.KindUsage)
	}
}
