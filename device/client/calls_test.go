// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// memory is a Sessions in memory.
type memory struct {
	mu  sync.Mutex // guards now
	now *api.Session
}

func (m *memory) Session() (*api.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now, nil
}

func (m *memory) SetSession(s *api.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = s
	return nil
}

func TestSessionIsOpenedOnceAndAgain(t *testing.T) {
	var opened, good atomic.Int32
	good.Store(1)
	handler := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case api.PathChallenges:
			say(w, 200, api.Challenge{Nonce: api.Nonce{7}})
		case api.PathSessions:
			req := hear[api.SessionRequest](r)
			claim := api.SessionClaim{Server: api.ServerName("backup.example:8443", makeIdentity().pin), Account: someAccount, Member: someone().ID(), Nonce: api.Nonce{7}}
			public := someone().Signing.Public()
			if claim.Verify(&public, req.Signature) != nil {
				say(w, 422, api.Error{Kind: protocol.KindUntrusted})
				return
			}
			n := opened.Add(1)
			say(w, 201, api.Session{Account: someAccount, Token: "token" + strings.Repeat("x", int(n)), Scope: api.ScopeMember, Expires: 1 << 62})
		default:
			if r.Header.Get("Authorization") != "Bearer token"+strings.Repeat("x", int(good.Load())) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				say(w, 403, api.Error{Kind: protocol.KindDenied, Message: "the session is over"})
				return
			}
			say(w, 200, api.Head{})
		}
	}
	w := newWorld(t, handler)
	cache := new(memory)
	member := w.client.As(someAccount, someone(), cache)
	ask := func(m *Member) {
		t.Helper()
		_, err := m.Vault(someVault).Head(bg)
		must(t, err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { _, _ = member.Vault(someVault).Head(bg) })
	}
	group.Wait()
	if opened.Load() != 1 {
		t.Fatalf("%d sessions were opened by concurrent requests", opened.Load())
	}
	ask(w.client.As(someAccount, someone(), cache)) // the next run takes the cached one
	good.Store(2)                                   // the server forgets it
	ask(member)
	if opened.Load() != 2 || cache.now.Token != "tokenxx" {
		t.Fatalf("%d sessions, cached %q", opened.Load(), cache.now.Token)
	}
	good.Store(9) // and takes none
	_, err := member.Vault(someVault).Head(bg)
	wantKind(t, err, protocol.KindDenied)
	if opened.Load() != 3 {
		t.Fatalf("%d sessions: it signs in once more, not for ever", opened.Load())
	}
}

func TestCachedSessionsAreChecked(t *testing.T) {
	later := protocol.TimeOf(time.Now().Add(time.Hour))
	for name, s := range map[string]*api.Session{
		"none":            nil,
		"another account": {Account: protocol.AccountID{9}, Token: "old", Scope: api.ScopeMember, Expires: later},
		"another scope":   {Account: someAccount, Token: "old", Scope: api.ScopeEnrol, Expires: later},
		"over":            {Account: someAccount, Token: "old", Scope: api.ScopeMember, Expires: 1},
		"a header in it":  {Account: someAccount, Token: "old\r\nX: y", Scope: api.ScopeMember, Expires: later},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer token" {
					t.Errorf("authorization %q", r.Header.Get("Authorization"))
				}
				say(w, 200, api.Head{})
			}))
			_, err := w.client.As(someAccount, someone(), &memory{now: s}).Vault(someVault).Head(bg)
			must(t, err)
		})
	}
}

func TestRemovedIsNotTriedAgain(t *testing.T) {
	var asked atomic.Int32
	w := newWorld(t, signsIn(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("WWW-Authenticate", "Bearer")
		say(w, 403, api.Error{Kind: protocol.KindRemoved})
	}))
	_, err := w.vault().Head(bg)
	wantKind(t, err, protocol.KindRemoved)
	if asked.Load() != 1 {
		t.Fatalf("%d requests", asked.Load())
	}
}

func TestRetries(t *testing.T) {
	cases := []struct {
		name  string
		fails int32
		first bool // whether the server was never reached before
		kind  protocol.Kind
	}{
		{"once", 1, false, ""},
		{"eleven times", triesReached - 1, false, ""},
		{"too often", 3 * triesReached, false, protocol.KindUnreachable}, // the transport tries some itself
		{"twice at first", triesUnreached - 1, true, ""},
		{"too often at first", 3 * triesUnreached, true, protocol.KindUnreachable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			asked.Store(-1)
			w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
				if n := asked.Add(1); n == 0 && !c.first || n > c.fails || c.first && n == c.fails {
					goodInfo(w, r)
					return
				}
				panic(http.ErrAbortHandler)
			})
			if !c.first {
				_, err := w.client.Info(bg)
				must(t, err)
			}
			_, err := w.client.Info(bg)
			if protocol.KindOf(err) != c.kind {
				t.Fatalf("kind %q, want %q: %v", protocol.KindOf(err), c.kind, err)
			}
		})
	}
}

func TestPausesGrow(t *testing.T) {
	c := new(Client)
	last := time.Duration(0)
	for n := 1; n < 100; n++ {
		p := c.pause(n)
		if p < firstPause || p > longestPause*3/2 || n < 6 && p < last {
			t.Fatalf("pause %v before attempt %d, after %v", p, n+1, last)
		}
		last = p / 2
	}
}

func TestTooManyWaits(t *testing.T) {
	makeIdentity()
	someone()
	for name, after := range map[string]int{"a little": 30, "long": 3600} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked int
				w := newWorld(t, signsIn(func(w http.ResponseWriter, _ *http.Request) {
					if asked++; asked == 1 {
						say(w, 429, api.Error{Kind: protocol.KindTooMany, RetryAfter: after})
						return
					}
					say(w, 200, api.Head{})
				}))
				start := time.Now()
				_, err := w.vault().Head(bg)
				if after == 30 && (err != nil || time.Since(start) != 30*time.Second) {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				if after != 30 && (protocol.KindOf(err) != protocol.KindTooMany || RefusalOf(err).After != time.Hour) {
					t.Errorf("a long wait gave %v", err)
				}
				w.close()
				synctest.Wait()
			})
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	w := newWorld(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })
	_, err := w.client.Info(ctx)
	wantKind(t, err, protocol.KindInterrupted)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v does not say that it was cancelled", err)
	}
}

// TestBlocksGoOn breaks the answer off after every block: each is visited once.
func TestBlocksGoOn(t *testing.T) {
	s := newSample(t)
	var requests atomic.Int32
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		rec := &recorder{header: http.Header{}, status: 200}
		s.blocks(rec, r)
		_, _ = w.Write(rec.body[:min(len(rec.body), api.BlockSize+api.BlockHeadSize+50)])
		_ = http.NewResponseController(w).Flush()
		if len(rec.body) > api.BlockSize+api.BlockHeadSize+50 {
			panic(http.ErrAbortHandler)
		}
	}))
	reads := append(append(s.reads(), s.reads()...), Read{Pack: protocol.PackID{1}, Length: api.BlockSize, Size: 7})
	var seen []int
	var data []byte
	must(t, w.vault().Blocks(bg, reads, func(i int, b Block) error {
		seen = append(seen, i)
		data = append(data, b.Data...)
		if (b.Status == api.BlockAbsent) != (i == 4) || (b.Data == nil) != (i == 4) {
			t.Errorf("read %d has status %d", i, b.Status)
		}
		return nil
	}))
	if len(seen) != 5 || seen[0] != 0 || seen[4] != 4 || !bytes.Equal(data, append(bytes.Clone(s.pack), s.pack...)) {
		t.Fatalf("visited %v, %d bytes", seen, len(data))
	}
	if requests.Load() < 3 {
		t.Fatalf("%d requests", requests.Load())
	}
}

func TestBlocksAreSplit(t *testing.T) {
	var asked []int
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		reads := hear[api.BlocksRequest](r).Reads
		asked = append(asked, len(reads))
		for range reads {
			_, _ = w.Write(api.BlockHead{Status: api.BlockAbsent}.Append(nil))
		}
	}))
	many := make([]Read, api.MaxReads+3)
	for i := range many {
		many[i] = Read{Length: api.BlockSize, Size: 1}
	}
	many = append(many, Read{Length: 32 << 20, Size: 1})
	n := 0
	must(t, w.vault().Blocks(bg, many, func(int, Block) error { n++; return nil }))
	if len(asked) != 2 || asked[0] != api.MaxReads || asked[1] != 4 || n != len(many) {
		t.Fatalf("asked %v, visited %d", asked, n)
	}
	large := []Read{{Length: 32 << 20}, {Length: 32 << 20}}
	for len(large) < 40 {
		large = append(large, large[0])
	}
	if end := batchEnd(large, 0); int64(end)*(32<<20) != api.MaxReadBytes {
		t.Fatalf("a batch of %d reads of 32 MiB", end)
	}
	for _, bad := range []Read{{}, {Length: 5, Size: 5}, {Offset: 7, Length: api.BlockSize, Size: 99}, {Offset: api.BlockSize, Length: api.BlockSize, Size: 5}, {Offset: -api.BlockSize, Length: api.BlockSize, Size: 5}} {
		wantKind(t, w.vault().Blocks(bg, []Read{bad}, nil), protocol.KindInternal)
	}
}

func TestVisitorsErrorsComeBack(t *testing.T) {
	s := newSample(t)
	mine := errors.New("mine")
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		if under(r, api.BelowBlocks) {
			s.blocks(w, r)
			return
		}
		_, _ = w.Write(api.AppendRecord(nil, s.record))
	}))
	for name, err := range map[string]error{
		"blocks":    w.vault().Blocks(bg, s.reads(), func(int, Block) error { return mine }),
		"snapshots": w.vault().Snapshots(bg, 1, func([]byte) error { return mine }),
	} {
		if err != mine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPagesGoOn breaks pages off: each record is visited once, in order.
func TestPagesGoOn(t *testing.T) {
	records := make([][]byte, 7)
	for i := range records {
		records[i] = bytes.Repeat([]byte{byte(i)}, 3000)
	}
	var requests atomic.Int32
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		from := int(r.URL.Query().Get("from")[0] - '0')
		var body []byte
		for _, record := range records[min(len(records), from-1):min(len(records), from+2)] {
			body = api.AppendRecord(body, record)
		}
		if requests.Add(1)%2 == 1 && len(body) > 0 {
			_, _ = w.Write(body[:len(body)-1])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(body)
	}))
	var seen [][]byte
	must(t, w.vault().Snapshots(bg, 1, func(raw []byte) error { seen = append(seen, raw); return nil }))
	if !bytes.Equal(bytes.Join(seen, nil), bytes.Join(records, nil)) {
		t.Fatalf("%d records were visited", len(seen))
	}
}

// TestUploadLeavesTheBytesAlone answers before it has read, and changes the
// bytes as soon as the call is over, as a caller with pooled buffers does.
func TestUploadLeavesTheBytesAlone(t *testing.T) {
	s := newSample(t)
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 10))
		say(w, 409, api.Error{Kind: protocol.KindConflict, Message: "retired"})
	}))
	pack := make([]byte, 8<<20)
	for range 5 {
		err := w.vault().PutPack(bg, s.packID, s.statement, pack)
		if kind := protocol.KindOf(err); kind != protocol.KindConflict && kind != protocol.KindUnreachable {
			t.Fatalf("kind %q: %v", kind, err)
		}
		clear(pack) // the race detector sees a transport that still reads
	}
}

func TestUploadArrivesWhole(t *testing.T) {
	s := newSample(t)
	w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
		statement, err := api.ReadRecord(r.Body, api.MaxStatement)
		pack, err2 := io.ReadAll(r.Body)
		if errors.Join(err, err2) != nil || !bytes.Equal(statement, s.statement) || !bytes.Equal(pack, s.pack) || r.ContentLength != int64(4+len(statement)+len(pack)) {
			say(w, 400, api.Error{Kind: protocol.KindUsage})
			return
		}
		say(w, 201, struct{}{})
	}))
	must(t, w.vault().PutPack(bg, s.packID, s.statement, s.pack))
	wantKind(t, w.vault().PutPack(bg, s.packID, s.statement, make([]byte, api.MaxPack+1)), protocol.KindInternal)
}

func TestBandwidth(t *testing.T) {
	someone()
	makeIdentity()
	s := newSample(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, signsIn(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			say(w, 201, struct{}{})
		}), func(_ *Server, o *Options) { o.Upload = 64 << 10 })
		start := time.Now()
		if err := w.vault().PutPack(bg, s.packID, s.statement, make([]byte, 640<<10)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 9*time.Second || took > 11*time.Second {
			t.Errorf("640 KiB at 64 KiB/s took %v", took)
		}
		w.close()
		synctest.Wait()
	})
}
