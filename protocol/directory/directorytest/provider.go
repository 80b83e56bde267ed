// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package directorytest is a provider's log and directory in memory, for tests of
// whatever looks names up: entries are queued and published, look-ups are answered
// with real proofs under checkpoints that real witnesses cosigned.
//
// It does what the test says, honest or not: it publishes updates that nobody
// signed, answers as of any checkpoint, forks itself. What it serves is built
// straight from the formats, not by the rules that a Replay holds a log to.
//
// Standing is for tests that only need to seal something to somebody.
package directorytest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/tlog/tlogtest"
	"github.com/solekey/solekey/protocol/vrf"
)

// Start is what the clock of a new provider shows.
var Start = protocol.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))

// Provider is a log with its directory. Its methods are safe for concurrent use;
// its fields are the test's to change while nothing else runs.
type Provider struct {
	Log        *tlogtest.Log
	VRF        *vrf.Secret
	Statements *statement.Secret
	Witnesses  []*tlog.WitnessSecret // who cosigns
	World      *directory.World

	t       testing.TB
	mu      sync.Mutex // guards what follows
	now     protocol.Time
	tiles   tiles
	leaves  map[protocol.Hash]directory.Leaf // newest, published or not
	opens   map[version]directory.Opening
	secrets map[string]*keys.Secret // of the names that Move moves
	boxes   map[protocol.Hash][]byte
	queue   []*directory.Entry
	entries [][]byte
	heads   []Head
}

// version is one version of one name.
type version struct {
	index  protocol.Hash
	number uint64
}

// Head is one published checkpoint.
type Head struct {
	tlog.Checkpoint
	Note []byte // cosigned
	Root directory.Root
}

// New returns a provider with a published directory that holds no name, and one
// witness, which its world demands.
func New(t testing.TB) *Provider {
	t.Helper()
	return WithWitnesses(t, 1, 1)
}

// WithWitnesses is New with so many witnesses, of which the world demands some.
func WithWitnesses(t testing.TB, demanded, count int) *Provider {
	t.Helper()
	p := &Provider{
		Log: tlogtest.New(t, "log.example"), VRF: vrf.Generate(), Statements: statement.Generate(), t: t, now: Start,
		tiles: tiles{}, leaves: map[protocol.Hash]directory.Leaf{}, opens: map[version]directory.Opening{},
		secrets: map[string]*keys.Secret{}, boxes: map[protocol.Hash][]byte{},
	}
	policy := "log " + p.Log.Secret.Public().String() + "\n"
	var names []string
	for i := range count {
		w, err := tlog.GenerateWitnessSecret(fmt.Sprintf("witness%d.example", i), tlog.Ed25519)
		check(t, err)
		p.Witnesses = append(p.Witnesses, w)
		names = append(names, fmt.Sprintf("w%d", i))
		policy += "witness " + names[i] + " " + w.Public().String() + "\n"
	}
	if demanded == 0 {
		policy += "quorum none\n"
	} else {
		policy += fmt.Sprintf("group all %d %s\nquorum all\n", demanded, strings.Join(names, " "))
	}
	parsed, err := tlog.ParsePolicy([]byte(policy))
	check(t, err)
	p.World, err = directory.NewWorld(parsed, p.VRF.Public(), p.Statements.Public())
	check(t, err)
	p.append(&directory.Entry{Origin: &directory.Origin{VRF: p.VRF.Public(), Statement: directory.Key(p.Statements.Public())}})
	p.Publish()
	return p
}

// Fork returns a provider with the same keys and past, which goes its own way.
func (p *Provider) Fork() *Provider {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Provider{
		Log: p.Log.Fork(), VRF: p.VRF, Statements: p.Statements, Witnesses: p.Witnesses, World: p.World,
		t: p.t, now: p.now, tiles: maps.Clone(p.tiles), leaves: maps.Clone(p.leaves), opens: maps.Clone(p.opens),
		secrets: maps.Clone(p.secrets), boxes: maps.Clone(p.boxes),
		queue: slices.Clone(p.queue), entries: slices.Clone(p.entries), heads: slices.Clone(p.heads),
	}
}

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Now returns what the provider's clock shows.
func (p *Provider) Now() protocol.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Pass lets time pass.
func (p *Provider) Pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now += protocol.Time(d)
}

// Index returns the index of a name and what proves it.
func (p *Provider) Index(name string) (protocol.Hash, vrf.Proof) {
	proof, out := p.VRF.Prove([]byte(name))
	return directory.Index(out), proof
}

// Queue lets entries wait for the next Publish, whatever they are.
func (p *Provider) Queue(entries ...*directory.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, entries...)
}

// Update queues the update of a name with its opening.
func (p *Provider) Update(u *directory.Update, o directory.Opening) {
	p.mu.Lock()
	p.opens[version{u.Index, u.Version}] = o
	p.mu.Unlock()
	p.Queue(&directory.Entry{Update: u})
}

// Reopen makes look-ups show another opening, or none, for a version.
func (p *Provider) Reopen(name string, number uint64, o *directory.Opening) {
	index, _ := p.Index(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if o == nil {
		delete(p.opens, version{index, number})
		return
	}
	p.opens[version{index, number}] = *o
}

// LeaveAnchor queues an anchor; its box is served to whoever asks.
func (p *Provider) LeaveAnchor(a *directory.Anchor, box []byte) {
	p.mu.Lock()
	p.boxes[a.Index] = box
	p.mu.Unlock()
	p.Queue(&directory.Entry{Anchor: a})
}

// DropBox makes look-ups show an anchor without what it commits to.
func (p *Provider) DropBox(index protocol.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.boxes, index)
}

// Waiting returns how many entries are queued.
func (p *Provider) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)
}

// SetLeaf puts a leaf at a name's index from the next Publish on, without any
// entry that would make it; nil takes the name out.
func (p *Provider) SetLeaf(name string, leaf *directory.Leaf) {
	index, _ := p.Index(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if leaf == nil {
		delete(p.leaves, index)
		return
	}
	p.leaves[index] = *leaf
}

// Leaf returns the newest leaf of a name, published or not.
func (p *Provider) Leaf(name string) (directory.Leaf, bool) {
	index, _ := p.Index(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	leaf, ok := p.leaves[index]
	return leaf, ok
}

// append adds an entry to the log. p.mu is held, or nobody else has p yet.
func (p *Provider) append(e *directory.Entry) uint64 {
	p.t.Helper()
	raw := e.Bytes()
	p.entries = append(p.entries, raw)
	return p.Log.Append(p.t, raw).Size - 1
}

// Publish takes the queue into the log, ends it with a root at the present time,
// and has it cosigned.
func (p *Provider) Publish() Head {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	root := directory.Root{Time: p.now}
	var found []*directory.Anchor
	for _, e := range p.queue {
		at := p.append(e)
		p.apply(e, at)
		if e.Anchor != nil {
			found = append(found, e.Anchor)
		}
	}
	p.queue = nil
	if len(p.heads) > 0 {
		root.Anchors = p.heads[len(p.heads)-1].Root.Anchors
	}
	root.Names, root.Anchors = p.namesRoot(), p.anchorsRoot(root.Anchors, found)
	root.Size = uint64(len(p.entries))
	p.append(&directory.Entry{Root: &root})
	p.heads = append(p.heads, Head{Checkpoint: p.Log.Head(), Root: root})
	p.cosign()
	return p.heads[len(p.heads)-1]
}

// Cosign has the newest checkpoint cosigned once more, at the present time.
func (p *Provider) Cosign() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cosign()
}

func (p *Provider) cosign() {
	p.t.Helper()
	h := &p.heads[len(p.heads)-1]
	h.Note = p.Log.NoteOf(p.t, h.Checkpoint, p.now, p.Witnesses...)
}

// Heads returns every published checkpoint, oldest first.
func (p *Provider) Heads() []Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heads)
}

// ReadTile returns a tile of the log.
func (p *Provider) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	return p.Log.ReadTile(ctx, t)
}

// Set sets the clock.
func (p *Provider) Set(at protocol.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = at
}

// Drop forgets what is queued.
func (p *Provider) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = nil
}

// SwapBox makes look-ups show another box for an anchor.
func (p *Provider) SwapBox(index protocol.Hash, box []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.boxes[index] = box
}
