// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
	"github.com/solekey/solekey/protocol/blob/blobtest"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/accounts/accountstest"
	"github.com/solekey/solekey/provider/records"
	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/storage/sqlite"
)

var ctx = context.Background()

// world is a log on a real database, a clock, and witnesses.
type world struct {
	*sequencer.Service
	t          testing.TB
	dir        string
	now        time.Time
	log        *tlog.LogSecret
	vrf        *vrf.Secret
	statements *statement.Secret
	witnesses  []*witness
	quorum     string // lines of the policy behind the witnesses
	worlds     []*directory.World
	config     func(*sequencer.Config)
	durable    bool // flushes at every commit, as a provider does
	entries    []*ledger.Entry
	objects    map[protocol.Hash][]byte

	db    *sqlite.DB
	blobs blob.Store
	store *records.Store
}

// newWorld returns a log that is opened, with witnesses of which a quorum is
// demanded by the policy's last lines.
func newWorld(t testing.TB, witnesses int, quorum string) *world {
	t.Helper()
	w := &world{
		t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0), vrf: vrf.Generate(), statements: statement.Generate(),
		blobs: blobtest.NewMemory(), quorum: quorum, config: func(*sequencer.Config) {},
	}
	w.entries, w.objects = newLedger(t)
	var err error
	if w.log, err = tlog.GenerateLogSecret("log.example.org"); err != nil {
		t.Fatal(err)
	}
	for n := range witnesses {
		w.witnesses = append(w.witnesses, newWitness(t, w, fmt.Sprint("w", n)))
	}
	w.worlds = []*directory.World{w.world(quorum)}
	w.open()
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// world returns a world that names all witnesses and ends with these lines.
func (w *world) world(quorum string) *directory.World {
	w.t.Helper()
	text := "log " + w.log.Public().String() + "\n"
	for _, one := range w.witnesses {
		text += "witness " + one.secret.Public().Name() + " " + one.secret.Public().String() + " " + one.url + "\n"
	}
	policy, err := tlog.ParsePolicy([]byte(text + quorum + "\n"))
	if err != nil {
		w.t.Fatal(err)
	}
	made, err := directory.NewWorld(policy, w.vrf.Public(), w.statements.Public())
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// open starts the provider, as at the start of the program.
func (w *world) open() {
	w.t.Helper()
	if err := w.tryOpen(); err != nil {
		w.t.Fatalf("open: %v", err)
	}
}

func (w *world) tryOpen() error {
	var err error
	if w.db, err = sqlite.Open(ctx, filepath.Join(w.dir, "a.db"), records.Schema()); err != nil {
		return err
	}
	if !w.durable {
		if _, err := w.db.Write.ExecContext(ctx, "PRAGMA synchronous = OFF"); err != nil { // tests of faults are in provider/records
			return err
		}
	}
	w.store = records.New(w.db.Write, w.db.Read, w.blobs)
	if _, err := w.store.Reconcile(ctx); err != nil {
		return err
	}
	c := sequencer.DefaultConfig()
	c.Store, c.Key, c.VRF, c.Worlds, c.Clock = w.store, w.log, w.vrf, w.worlds, func() time.Time { return w.now }
	c.Logger, c.Client = slog.New(slog.NewTextHandler(io.Discard, nil)), &http.Client{}
	c.Wait = 0
	w.config(&c)
	w.Service, err = sequencer.Open(ctx, c)
	return err
}

// copyBlobs returns a copy of all blobs.
func (w *world) copyBlobs() blob.Store {
	w.t.Helper()
	kept := blobtest.NewMemory()
	for _, kind := range blob.Kinds() {
		err := w.blobs.List(ctx, nil, kind, func(ref blob.Ref, _ int64) error {
			data, err := blob.ReadAll(ctx, w.blobs, ref)
			if err != nil {
				return err
			}
			return kept.Put(ctx, ref, data)
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return kept
}

func (w *world) restart() {
	w.t.Helper()
	if err := w.db.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

// holder is an account with a name, without what belongs to no log: its ledger is
// a well-formed one that all holders share.
type holder struct {
	name    string
	account protocol.AccountID
	secret  *keys.Secret
	index   protocol.Hash
	version uint64
	head    ledger.Head
}

// begun is how many of the shared ledger's entries an account begins with.
const begun = 4

// newLedger returns a ledger that is long enough for some updates.
func newLedger(t testing.TB) ([]*ledger.Entry, map[protocol.Hash][]byte) {
	t.Helper()
	h := accountstest.NewHolder(t)
	for range 8 {
		h.CreateVault()
	}
	var entries []*ledger.Entry
	for _, raw := range h.Entries {
		entry, err := ledger.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	objects := map[protocol.Hash][]byte{}
	for _, object := range h.Objects {
		objects[blob.Name(object)] = object
	}
	return entries, objects
}

func random[T ~[32]byte]() T {
	var x [32]byte
	_, _ = rand.Read(x[:])
	return T(x)
}

// newHolder returns who will have the name; nothing is stored yet.
func (w *world) newHolder(name string) *holder {
	w.t.Helper()
	index, err := w.Index(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return &holder{name: name, account: random[protocol.AccountID](), secret: keys.GenerateSecret(), index: index}
}

// update returns the next update of a holder and its opening.
func (h *holder) update(log *tlog.LogKey, head ledger.Head) ([]byte, directory.Opening) {
	h.version++
	o := directory.GenerateOpening(h.account, head)
	key := func(version uint64) *directory.UpdateSecret {
		return directory.DeriveUpdateSecret(h.secret, h.account, version)
	}
	u := directory.NewUpdate(log, h.index, h.version, o, key(h.version), key(h.version+1))
	return (&directory.Entry{Update: u}).Bytes(), o
}

// batch returns what a holder appends next: the first entries of the shared
// ledger at first, then one more each time.
func (w *world) batch(h *holder) accounts.Batch {
	entries := w.entries[:begun]
	if h.version > 0 {
		entries = w.entries[begun+h.version-1:][:1]
	}
	last := entries[len(entries)-1]
	b := accounts.Batch{Account: h.account, After: h.head, Entries: entries, At: protocol.TimeOf(w.now), Digest: random[protocol.Hash]()}
	for _, entry := range entries {
		for _, name := range entry.Body().Objects() {
			b.Objects = append(b.Objects, w.objects[name])
		}
	}
	request := random[protocol.Hash]()
	b.Request = protocol.RequestID(request[:16])
	h.head = ledger.Head{Seq: last.Seq(), Hash: last.Hash()}
	b.Update, b.Opening = h.update(w.log.Public(), h.head)
	return b
}

// create opens the holder's account.
func (w *world) create(h *holder) error {
	b := w.batch(h)
	invite := random[protocol.Hash]()
	if err := w.store.AddInvite(ctx, invite, b.At); err != nil {
		return err
	}
	return w.store.CreateAccount(ctx, accounts.NewAccount{Batch: b, Record: accounts.Record{
		Version: 1, Account: h.account, Number: 1, Name: h.name, Password: make([]byte, 192), Created: b.At, Invite: invite,
	}})
}

// join opens an account of the name.
func (w *world) join(name string) *holder {
	w.t.Helper()
	h := w.newHolder(name)
	if err := w.create(h); err != nil {
		w.t.Fatal(err)
	}
	return h
}

// grow appends to a holder's ledger.
func (w *world) grow(h *holder) {
	w.t.Helper()
	if err := w.store.AppendLedger(ctx, w.batch(h)); err != nil {
		w.t.Fatal(err)
	}
}

// integrate integrates all that waits.
func (w *world) integrate() {
	w.t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.Integrate(ctx); err != nil {
			w.t.Fatalf("integrate: %v", err)
		}
	}
}

// look looks a name up in a world, as a device that knows nothing yet.
func (w *world) look(world *directory.World, name string) *directory.Found {
	w.t.Helper()
	answer, err := w.Lookup(ctx, sequencer.Question{World: world.Hash(), Name: name})
	if err != nil {
		w.t.Fatalf("look up %s: %v", name, err)
	}
	_, found, err := world.Look(nil, name, answer)
	if err != nil {
		w.t.Fatalf("look up %s: %v", name, err)
	}
	return found
}

func (w *world) wantKind(what string, err error, kind protocol.Kind) {
	w.t.Helper()
	if got := protocol.KindOf(err); got != kind {
		w.t.Errorf("%s: kind %q (%v), want %q", what, got, err, kind)
	}
}

// witness is a witness by tlog-witness that does what the test says.
type witness struct {
	secret *tlog.WitnessSecret
	url    string
	w      *world

	mu     sync.Mutex // guards what follows
	newest tlog.Checkpoint
	asked  int
	before func()           // called before a request is looked at
	clock  func() time.Time // nil: the world's
	answer http.HandlerFunc
}

func newWitness(t testing.TB, w *world, name string) *witness {
	t.Helper()
	secret, err := tlog.GenerateWitnessSecret(name+".example", tlog.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	one := &witness{secret: secret, w: w, newest: tlog.Checkpoint{Origin: "log.example.org", Root: new(tlog.Frontier).Root()}}
	server := httptest.NewServer(http.HandlerFunc(one.serve))
	t.Cleanup(server.Close)
	one.url = server.URL + "/here/"
	return one
}

func (x *witness) serve(rw http.ResponseWriter, r *http.Request) {
	x.mu.Lock()
	before, answer := x.before, x.answer
	x.asked++
	x.mu.Unlock()
	if before != nil {
		before()
	}
	if answer != nil {
		answer(rw, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/here/add-checkpoint" {
		http.Error(rw, "what?", http.StatusNotFound)
		return
	}
	status, text := x.add(body)
	rw.WriteHeader(status)
	_, _ = rw.Write(text)
}

// add is what a witness does with a checkpoint.
func (x *witness) add(body []byte) (int, []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	request, err := tlog.ParseAddCheckpoint(body)
	if err != nil {
		return http.StatusBadRequest, []byte(err.Error())
	}
	c, err := x.w.log.Public().Verify(request.Note)
	if err != nil {
		return http.StatusForbidden, []byte(err.Error())
	}
	if request.Old != x.newest.Size || c.Size == x.newest.Size && c.Root != x.newest.Root {
		return http.StatusConflict, fmt.Appendf(nil, "%d\n", x.newest.Size)
	}
	if err := tlog.VerifyConsistency(x.newest, c, request.Proof); err != nil {
		return http.StatusUnprocessableEntity, []byte(err.Error())
	}
	x.newest = c
	at := x.w.now
	if x.clock != nil {
		at = x.clock()
	}
	return http.StatusOK, x.secret.Cosign(request.Note, c, protocol.TimeOf(at))
}

func (x *witness) set(change func(*witness)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change(x)
}

// down answers like a proxy whose witness is gone.
func down(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "down", http.StatusBadGateway) }

func stoppable() (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
