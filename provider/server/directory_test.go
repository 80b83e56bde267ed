// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

// lookupPath asks for a name.
func lookupPath(name string, since, size uint64, world protocol.Hash) string {
	q := url.Values{api.QueryName: {name}, api.QuerySince: {fmt.Sprint(since)}, api.QuerySize: {fmt.Sprint(size)}}
	if !world.IsZero() {
		q.Set(api.QueryWorld, world.String())
	}
	return api.PathDirectory + "?" + q.Encode()
}

// look asks for a name and verifies the answer as a device does.
func (w *world) look(name, token string, old *directory.View, at *directory.World) (*directory.View, *directory.Found) {
	w.t.Helper()
	var size uint64
	if old != nil {
		size = old.Size()
	}
	a := w.do("GET", lookupPath(name, 0, size, at.Hash()), token, nil)
	if a.status != 200 || a.header.Get("Content-Type") != api.TypeCBOR {
		w.t.Fatalf("look up %s: %d %s", name, a.status, a.body)
	}
	answer, err := directory.ParseAnswer(a.body)
	if err != nil {
		w.t.Fatal(err)
	}
	view, found, err := at.Look(old, name, answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return view, found
}

// TestLookupStory: a name is absent, then there, then moved; seen by devices of two
// worlds, without an account and with one.
func TestLookupStory(t *testing.T) {
	w := newWorld(t)
	w.publish()
	one, two := w.public.Worlds[0], w.public.Worlds[1]
	view, found := w.look("anna", "", nil, one)
	if found.Present() {
		t.Error("a name that nobody has is there")
	}
	h := w.join("Anna")
	w.publish()
	if view, found = w.look("anna", "", view, one); !found.Present() {
		t.Fatal("the new name is not there")
	}
	token := w.signIn(h, h.Owner)
	_, request := h.AddWriter()
	w.grow(h, token, request)
	w.publish()
	_, found = w.look("anna", token, view, one)
	_, other := w.look("anna", token, nil, two)
	for _, f := range []*directory.Found{found, other} {
		leaf, _ := f.Leaf()
		account, head := f.Head(nil)
		if leaf.Version != 2 || account != h.Account() || head != h.State.Head() {
			t.Errorf("version %d of account %s at %+v", leaf.Version, account, head)
		}
	}
}

func TestWorlds(t *testing.T) {
	w := newWorld(t)
	for path, want := range map[string]*directory.World{
		api.PathWorld: w.public.Worlds[0], api.PathWorldOf(w.public.Worlds[0].Hash()): w.public.Worlds[0], api.PathWorldOf(w.public.Worlds[1].Hash()): w.public.Worlds[1],
	} {
		a := w.do("GET", path, "", nil)
		got, err := directory.ParseWorld(a.body)
		if err != nil || got.Hash() != want.Hash() || a.header.Get("Content-Type") != api.TypeCBOR {
			t.Errorf("%s: %d, %v", path, a.status, err)
		}
		if kept := strings.Contains(a.header.Get("Cache-Control"), "immutable"); kept == (path == api.PathWorld) {
			t.Errorf("%s: cache control %q", path, a.header.Get("Cache-Control"))
		}
	}
	w.want("an unknown world", w.do("GET", api.PathWorldOf(protocol.Hash{1}), "", nil), 404, protocol.KindNotFound)
	w.want("a malformed hash", w.do("GET", api.PathWorld+"/x", "", nil), 400, protocol.KindUsage)
}

func TestLookupRefusals(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	w.publish()
	token := w.signIn(h, h.Owner)
	for name, c := range map[string]struct {
		path, token string
		status      int
		kind        protocol.Kind
	}{
		"no name":          {api.PathDirectory, token, 400, protocol.KindUsage},
		"a name of blanks": {lookupPath("a b", 0, 0, protocol.Hash{}), token, 400, protocol.KindUsage},
		"a huge name":      {lookupPath(strings.Repeat("a", 9000), 0, 0, protocol.Hash{}), token, 400, protocol.KindUsage},
		"a wrong since":    {api.PathDirectory + "?name=anna&since=x", token, 400, protocol.KindUsage},
		"a wrong size":     {api.PathDirectory + "?name=anna&size=-1", token, 400, protocol.KindUsage},
		"a wrong world":    {api.PathDirectory + "?name=anna&world=x", token, 400, protocol.KindUsage},
		"an unknown world": {lookupPath("anna", 0, 0, protocol.Hash{1}), token, 404, protocol.KindNotFound},
		"a wrong token":    {lookupPath("anna", 0, 0, protocol.Hash{}), token + "A", 401, protocol.KindDenied},
	} {
		w.want(name, w.do("GET", c.path, c.token, nil), c.status, c.kind)
	}
	for _, size := range []uint64{1, 2, 3, 1 << 40} {
		a := w.do("GET", lookupPath("anna", 1<<40, size, protocol.Hash{}), token, nil)
		answer, err := directory.ParseAnswer(a.body)
		if err != nil || len(answer.Openings) != 0 {
			t.Errorf("from size %d and a version to come: %d, %v", size, a.status, err)
		}
	}
}

// TestStrangersAskSlowly: trying names without an account is slow, whoever has one
// is not held up by it.
func TestStrangersAskSlowly(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	w.publish()
	token := w.signIn(h, h.Owner)
	var last answer
	for i := range 200 {
		if last = w.do("GET", lookupPath(fmt.Sprint("name", i), 0, 0, protocol.Hash{}), "", nil); last.status != 200 {
			break
		}
	}
	w.want("trying names", last, 429, protocol.KindTooMany)
	if last.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.look("anna", token, nil, w.public.Worlds[0])
}

func contactPath(name string) string {
	return api.PathContact + "?" + url.Values{api.QueryName: {name}}.Encode()
}

// TestContacts: a ledger is shown to other accounts' devices, entries only.
func TestContacts(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	token := w.signIn(bert, bert.Owner)
	page := ask[api.LedgerPage](w, "GET", contactPath("ANNA"), token, nil, 200)
	if len(page.Entries) != len(anna.Entries) || len(page.Objects) != 0 || page.More || page.Statement != nil {
		t.Errorf("%d entries, %d objects", len(page.Entries), len(page.Objects))
	}
	for i, raw := range page.Entries {
		if !bytes.Equal(raw, anna.Entries[i]) {
			t.Errorf("entry %d is another one", i)
		}
	}
	rest := ask[api.LedgerPage](w, "GET", contactPath("anna")+"&from=2", token, nil, 200)
	if len(rest.Entries) != len(anna.Entries)-2 || !bytes.Equal(rest.Entries[0], anna.Entries[2]) {
		t.Errorf("from 2: %d entries", len(rest.Entries))
	}
	w.want("an unknown name", w.do("GET", contactPath("nobody"), token, nil), 404, protocol.KindNotFound)
	w.want("no name", w.do("GET", api.PathContact, token, nil), 400, protocol.KindUsage)
	w.want("a wrong place", w.do("GET", contactPath("anna")+"&from=x", token, nil), 400, protocol.KindUsage)
	w.want("without a session", w.do("GET", contactPath("anna"), "", nil), 401, protocol.KindDenied)
}

// anchor is an anchor of a holder for today, in a slot.
func (w *world) anchor(secret *accountstest.Holder, slot uint64, box []byte) (api.Anchor, *directory.Anchor) {
	key := directory.DeriveAnchorKey(secret.Secret(), directory.DayOf(protocol.TimeOf(w.clock())), slot)
	entry := directory.NewAnchor(w.public.key, key, directory.AnchorBoxHash(box))
	return api.Anchor{Entry: (&directory.Entry{Anchor: entry}).Bytes(), Box: box}, entry
}

// lookAnchors asks after anchors and verifies the answer.
func (w *world) lookAnchors(token string, list ...*directory.Anchor) []directory.AnchorFound {
	w.t.Helper()
	at := w.public.Worlds[0]
	wanted := api.AnchorsWanted{World: at.Hash(), Periods: []api.AnchorPeriod{{Period: string(list[0].Period)}}}
	var asked []directory.AnchorQuestion
	for _, one := range list {
		wanted.Periods[0].Indexes = append(wanted.Periods[0].Indexes, one.Index)
		asked = append(asked, directory.AnchorQuestion{Period: one.Period, Index: one.Index})
	}
	a := answerOf(w, "POST", api.PathAnchors, token, wanted)
	answer, err := directory.ParseAnchorsAnswer(a.body)
	if err != nil {
		w.t.Fatalf("%d: %v", a.status, err)
	}
	view, err := at.Advance(nil, &answer.CheckpointPart)
	if err != nil {
		w.t.Fatal(err)
	}
	found, err := at.VerifyAnchors(view, asked, answer)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func TestAnchorsStory(t *testing.T) {
	w := newWorld(t)
	anna, bert := w.join("anna"), w.join("bert")
	token, berts := w.signIn(anna, anna.Owner), w.signIn(bert, bert.Owner)
	left, entry := w.anchor(anna, 0, []byte("heads"))
	_, never := w.anchor(anna, 1, []byte("none"))
	for range 2 { // the same again changes nothing
		w.want("leave", answerOf(w, "POST", api.PathOwnAnchors(anna.Account()), token, api.AnchorsLeft{Anchors: []api.Anchor{left}}), 204, "")
	}
	w.publish()
	found := w.lookAnchors(token, entry, never)
	if !found[0].Present || string(found[0].Box) != "heads" || found[1].Present {
		t.Errorf("%+v", found)
	}
	if found = w.lookAnchors(berts, entry); !found[0].Present || found[0].Box != nil {
		t.Errorf("to another account: %+v", found)
	}
	other, _ := w.anchor(anna, 0, []byte("other heads"))
	w.want("another anchor in its place", answerOf(w, "POST", api.PathOwnAnchors(anna.Account()), token, api.AnchorsLeft{Anchors: []api.Anchor{other}}), 409, protocol.KindExists)
}

func TestAnchorRefusals(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	path := api.PathOwnAnchors(h.Account())
	good, entry := w.anchor(h, 0, []byte("heads"))
	forged := bytes.Clone(good.Entry)
	forged[len(forged)-1] ^= 1
	many := make([]api.Anchor, api.MaxAnchors+1)
	for i := range many {
		many[i] = good
	}
	late := directory.NewAnchor(w.public.key, directory.DeriveAnchorKey(h.Secret(), "2020-01-01", 0), directory.AnchorBoxHash([]byte("heads")))
	for name, c := range map[string]struct {
		anchors []api.Anchor
		status  int
		kind    protocol.Kind
	}{
		"nothing":            {nil, 400, protocol.KindUsage},
		"too many":           {many, 400, protocol.KindUsage},
		"noise":              {[]api.Anchor{{Entry: accountstest.Random(200), Box: good.Box}}, 422, protocol.KindUntrusted},
		"forged":             {[]api.Anchor{{Entry: forged, Box: good.Box}}, 422, protocol.KindUntrusted},
		"another box":        {[]api.Anchor{{Entry: good.Entry, Box: []byte("x")}}, 422, protocol.KindUntrusted},
		"another kind":       {[]api.Anchor{{Entry: (&directory.Entry{Root: &directory.Root{Size: 1}}).Bytes(), Box: good.Box}}, 400, protocol.KindUsage},
		"of a day long past": {[]api.Anchor{{Entry: (&directory.Entry{Anchor: late}).Bytes(), Box: good.Box}}, 400, protocol.KindUsage},
	} {
		w.want(name, answerOf(w, "POST", path, token, api.AnchorsLeft{Anchors: c.anchors}), c.status, c.kind)
	}
	indexes := make([]protocol.Hash, api.MaxAnchorIndexes+1)
	for name, periods := range map[string][]api.AnchorPeriod{
		"nothing asked":  nil,
		"too many":       {{Period: "2026-11", Indexes: indexes}},
		"no such period": {{Period: "yesterday", Indexes: indexes[:1]}},
	} {
		w.want(name, answerOf(w, "POST", api.PathAnchors, token, api.AnchorsWanted{Periods: periods}), 400, protocol.KindUsage)
	}
	w.want("without a session", answerOf(w, "POST", api.PathAnchors, "", api.AnchorsWanted{}), 401, protocol.KindDenied)
	if err := w.people.Suspend(ctx, h.Account(), true); err != nil {
		t.Fatal(err)
	}
	w.want("of a suspended account", answerOf(w, "POST", path, token, api.AnchorsLeft{Anchors: []api.Anchor{good}}), 403, protocol.KindDenied)
	if err := w.people.Suspend(ctx, h.Account(), false); err != nil {
		t.Fatal(err)
	}
	var last answer
	for range 100 {
		if last = answerOf(w, "POST", path, token, api.AnchorsLeft{Anchors: []api.Anchor{good}}); last.status != 204 {
			break
		}
	}
	w.want("very often", last, 429, protocol.KindTooMany)
	w.publish()
	if found := w.lookAnchors(token, entry); !found[0].Present {
		t.Error("the good one is not there")
	}
}

// overHTTP reads the log as any client of tlog-tiles does.
type overHTTP struct{ w *world }

// ReadTile fetches a tile.
func (o overHTTP) ReadTile(_ context.Context, tile tlog.Tile) ([]byte, error) {
	a := o.w.do("GET", api.PathLog+"/"+tile.Path(), "", nil)
	if a.status != 200 {
		return nil, fmt.Errorf("%s: status %d: %s", tile.Path(), a.status, a.body)
	}
	if a.header.Get("Content-Type") != api.TypeBytes || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		o.w.t.Errorf("%s: headers %v", tile.Path(), a.header)
	}
	return a.body, nil
}

// TestLogIsPublic: who knows nothing but the log's key reads all of it.
func TestLogIsPublic(t *testing.T) {
	w := newWorld(t)
	w.want("before anything is published", w.do("GET", api.PathCheckpoint, "", nil), 404, protocol.KindNotFound)
	for i := range 5 {
		w.join(fmt.Sprint("name", i))
	}
	w.publish()
	a := w.do("GET", api.PathCheckpoint, "", nil)
	if a.header.Get("Content-Type") != api.TypeText || strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("headers %v", a.header)
	}
	c, err := w.public.key.Verify(a.body)
	if err != nil {
		t.Fatal(err)
	}
	updates := 0
	err = tlog.Entries(ctx, overHTTP{w}, 0, c, new(tlog.Frontier), func(_ uint64, raw []byte) error {
		entry, err := directory.ParseEntry(raw)
		if err == nil && entry.Update != nil {
			updates++
		}
		return err
	})
	if err != nil || updates != 5 {
		t.Errorf("%d updates, %v", updates, err)
	}
	for _, path := range []string{"", "x", "0", "0/000", "0/x001", "0/000.p/0", "0/000.p/256", "0/000.p/200", "64/000", "-1/000", "entries/999", "entries/000.p/x", "0/00", "0/000/", "entries/../0/000", "names/000"} {
		if a := w.do("GET", api.PathTiles+path, "", nil); a.status < 300 || a.status >= 500 || strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: status %d %v", path, a.status, a.header)
		}
	}
}

// TestStatements: what is newest is signed for who asks, and only so.
func TestStatements(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	q := api.Question{Nonce: [16]byte{5}, After: protocol.TimeOf(w.clock()) - 1}
	verify := func(raw []byte) *statement.Signed {
		t.Helper()
		signed, err := w.public.Worlds[0].Statements().Verify(raw)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	answers := func(signed *statement.Signed, kind statement.Kind, vault protocol.VaultID) {
		t.Helper()
		if err := signed.Answers(statement.Question{Log: w.public.key.ID(), Kind: kind, Account: h.Account(), Vault: vault, Nonce: q.Nonce, After: q.After}); err != nil {
			t.Error(err)
		}
	}
	page := ask[api.LedgerPage](w, "GET", api.PathLedger(h.Account())+"?from=1&"+q.Query(), token, nil, 200)
	signed := verify(page.Statement)
	answers(signed, statement.KindLedger, protocol.VaultID{})
	if said := signed.Statement(); (ledger.Head{Seq: said.Seq, Hash: said.Hash}) != h.State.Head() || len(page.Entries) != len(h.Entries)-1 {
		t.Errorf("%+v", said)
	}
	empty := verify(ask[api.HeadAnswer](w, "GET", vaultPath(h, api.BelowHead)+"?"+q.Query(), token, nil, 200).Statement)
	answers(empty, statement.KindVault, h.Vault)
	readHead(t, w.do("POST", vaultPath(h, api.BelowSnapshots), token, h.Run(h.Owner, api.Head{})))
	w.pass(time.Second)
	head := ask[api.HeadAnswer](w, "GET", vaultPath(h, api.BelowHead)+"?"+q.Query(), token, nil, 200)
	full := verify(head.Statement)
	answers(full, statement.KindVault, h.Vault)
	if said := full.Statement(); said.Seq != 1 || said.Hash != head.Hash || empty.Statement().Seq != 0 {
		t.Errorf("%+v", said)
	}
	if why, yes := statement.Contradict(empty, full); yes {
		t.Error(why)
	}
	if unasked := ask[api.HeadAnswer](w, "GET", vaultPath(h, api.BelowHead), token, nil, 200); unasked.Statement != nil {
		t.Error("a statement that nobody asked for")
	}
	future := api.Question{Nonce: q.Nonce, After: protocol.TimeOf(w.clock().Add(time.Hour))}
	w.want("an asker from the future", w.do("GET", vaultPath(h, api.BelowHead)+"?"+future.Query(), token, nil), 503, protocol.KindBusy)
	for _, query := range []string{"?nonce=x", "?after=1", "?nonce=" + strings.Repeat("0", 32), "?nonce=" + strings.Repeat("a", 32) + "&after=x"} {
		w.want(query, w.do("GET", vaultPath(h, api.BelowHead)+query, token, nil), 400, protocol.KindUsage)
		w.want(query, w.do("GET", api.PathLedger(h.Account())+query, token, nil), 400, protocol.KindUsage)
	}
}

// TestReceipts: an append is answered with the promise that the log keeps.
func TestReceipts(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	_, request := h.AddWriter()
	appended := ask[api.Appended](w, "POST", api.PathLedger(h.Account()), token, request, 200)
	signed, err := w.public.Worlds[0].Statements().Verify(appended.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	said := signed.Statement()
	if said.Kind != statement.KindReceipt || said.Hash != tlog.LeafHash(request.Update) || said.NameVersion != 2 || said.By <= protocol.TimeOf(w.clock()) {
		t.Errorf("%+v", said)
	}
	request.Update = nil
	request.RequestID = accountstest.RequestID()
	w.want("without an update", answerOf(w, "POST", api.PathLedger(h.Account()), token, request), 422, protocol.KindUntrusted)
}

// TestAnchorBoxesAreNoStorage: what no quota counts is bounded by the hour.
func TestAnchorBoxesAreNoStorage(t *testing.T) {
	w := newWorld(t)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	taken := 0
	for slot := range uint64(3) {
		var list []api.Anchor
		for n := range uint64(api.MaxAnchors) {
			one, _ := w.anchor(h, slot*api.MaxAnchors+n, make([]byte, directory.MaxAnchorBoxSize))
			list = append(list, one)
		}
		if status := answerOf(w, "POST", api.PathOwnAnchors(h.Account()), token, api.AnchorsLeft{Anchors: list}).status; status == 204 {
			taken++
		} else if status != 429 {
			t.Errorf("status %d", status)
		}
	}
	if taken != 1 {
		t.Errorf("%d MiB taken in an hour, want 1", taken)
	}
}
