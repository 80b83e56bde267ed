// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package directory_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/directory/directorytest"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

func TestStandingFollowsALedger(t *testing.T) {
	p, anna := directorytest.New(t), withVault(t, "anna")
	p.Move("anna", anna.state)
	p.Publish()
	first := mustStand(t, p, nil, "anna", nil, anna.state)
	if first.Account() != anna.state.Account() || first.State() != anna.state || first.Fresh() != nil || first.Closed() {
		t.Errorf("stands as %+v", first)
	}
	if _, ok := first.Notice(); ok {
		t.Error("a notice out of nothing")
	}
	pin := first.Pin()
	again := mustStand(t, p, first.View(), "anna", pin, anna.state) // nothing is newer
	if again.Pin().Version != 1 || again.Pin().Ledger != pin.Ledger || again.Pin().Account != pin.Account {
		t.Errorf("the pin is %+v, was %+v", again.Pin(), pin)
	}
	text, err := json.Marshal(pin)
	if err != nil {
		t.Fatal(err)
	}
	var kept directory.Pin
	if err := json.Unmarshal(text, &kept); err != nil || !reflect.DeepEqual(&kept, pin) {
		t.Fatalf("the pin does not come back: %v", err)
	}
	for range 3 {
		anna.rotate(anna.state.Epoch() + 1)
		p.Move("anna", anna.state)
	}
	p.Publish()
	last := mustStand(t, p, first.View(), "anna", &kept, anna.state)
	if last.Pin().Version != 4 || last.Pin().Ledger != anna.state.Head() {
		t.Errorf("the pin is %+v", last.Pin())
	}
	mustStand(t, p, nil, "anna", nil, anna.state) // and for who has never looked
}

func TestAnAbsentName(t *testing.T) {
	p, anna := directorytest.New(t), newHolder(t, "anna")
	p.Publish()
	_, err := stand(t, p, nil, "anna", nil, anna.state)
	if protocol.KindOf(err) != protocol.KindNotFound {
		t.Error(err)
	}
	p.Move("anna", anna.state)
	p.Publish()
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	p.SetLeaf("anna", nil)
	p.Publish()
	_, err = stand(t, p, s.View(), "anna", s.Pin(), anna.state)
	if a := mustAlarm(t, err, directory.AlarmRegress); !a.Provable() {
		t.Error("it should be a proof")
	}
}

// TestANameThatGoesBack plays what a provider whose log nobody replays can put
// into its directory.
func TestANameThatGoesBack(t *testing.T) { // G30, G31
	for name, c := range map[string]struct {
		change func(p *directorytest.Provider, leaf *directory.Leaf)
		want   directory.AlarmKind
	}{
		"an older version": {func(p *directorytest.Provider, leaf *directory.Leaf) {
			old, err := directory.ParseLeaf(p.LookupAt(1, "anna", 0, 0).Path.Leaf.Value)
			if err != nil {
				t.Fatal(err)
			}
			*leaf = *old
		}, directory.AlarmRegress},
		"another chain":    {func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Chain[0] ^= 1 }, directory.AlarmRegress},
		"another identity": {func(_ *directorytest.Provider, leaf *directory.Leaf) { leaf.Identity = 1 }, directory.AlarmRegress},
		"a notice is nothing": {func(_ *directorytest.Provider, leaf *directory.Leaf) {
			leaf.Notice = &directory.PendingNotice{Position: 9, Next: protocol.Hash{1}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, anna := crowded(t)
			s := mustStand(t, p, nil, "anna", nil, anna.state)
			leaf, _ := p.Leaf("anna")
			c.change(p, &leaf)
			p.SetLeaf("anna", &leaf)
			p.Publish()
			_, err := stand(t, p, s.View(), "anna", s.Pin(), anna.state)
			if c.want == "" && err != nil {
				t.Error(err)
			} else if c.want != "" && !mustAlarm(t, err, c.want).Provable() {
				t.Error("it should be a proof")
			}
		})
	}
}

// TestAnIdentityThatComesBack: the name was given away, and a higher version is of
// the identity before.
func TestAnIdentityThatComesBack(t *testing.T) {
	p, anna := crowded(t)
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	pin := *s.Pin()
	pin.Identity = 1
	anna.rotate(2)
	p.Move("anna", anna.state)
	p.Publish()
	_, err := stand(t, p, s.View(), "anna", &pin, anna.state)
	mustAlarm(t, err, directory.AlarmRegress)
}

// TestAVersionFromBefore: the log holds version 4 before version 3, so it cannot have
// come from it.
func TestAVersionFromBefore(t *testing.T) {
	p, anna := crowded(t)
	index, _ := p.Index("anna")
	secret := directory.DeriveUpdateSecret(keys.GenerateSecret(), protocol.AccountID{}, 4)
	early := directory.NewUpdate(p.World.Log(), index, 4, directory.Opening{}, secret, secret)
	p.Queue(&directory.Entry{Update: early})
	position := p.Publish().Size - 2
	pin := *mustStandUnder(t, p, 3, anna).Pin()
	pin.Position = position + 1 // version 3 stands behind it
	p.SetLeaf("anna", &directory.Leaf{Version: 4, Chain: protocol.Hash{1}, Next: early.Next, Position: position})
	p.Publish()
	_, err := stand(t, p, nil, "anna", &pin, anna.state)
	mustAlarm(t, err, directory.AlarmRegress)
}

// mustStandUnder is mustStand under the checkpoint of a number.
func mustStandUnder(t *testing.T, p *directorytest.Provider, number int, h *holder) *directory.Standing {
	t.Helper()
	_, found, err := p.World.Look(nil, "anna", p.LookupAt(number, "anna", 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	s, err := found.Standing(nil, h.state, p.Now())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestANameIsMovedOnWithoutItsKey(t *testing.T) {
	p, anna := crowded(t)
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	anna.rotate(2)
	mallory := directory.DeriveUpdateSecret(keys.GenerateSecret(), protocol.AccountID{}, 1)
	o := directory.GenerateOpening(anna.state.Account(), anna.state.Head())
	p.Update(directory.NewUpdate(p.World.Log(), s.Pin().Index, 4, o, mallory, mallory), o)
	p.Publish()
	_, err := stand(t, p, s.View(), "anna", s.Pin(), anna.state)
	if a := mustAlarm(t, err, directory.AlarmUpdate); !a.Provable() || len(a.Entry) == 0 {
		t.Error("it should be a proof")
	}
}

func TestAClosedName(t *testing.T) {
	p, anna := directorytest.New(t), withVault(t, "anna")
	index, _ := p.Index("anna")
	key := func(version uint64) *directory.UpdateSecret {
		s, err := keys.NewSecret(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		return directory.DeriveUpdateSecret(s, anna.state.Account(), version)
	}
	o := directory.GenerateOpening(anna.state.Account(), anna.state.Head())
	p.Update(directory.NewUpdate(p.World.Log(), index, 1, o, key(1), nil), o)
	p.Publish()
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	_, errMember := s.Member(anna.a.ID())
	_, errVault := s.Vault(anna.vault)
	_, errHolders := s.Holders()
	for _, err := range []error{errMember, errVault, errHolders} {
		if !s.Closed() || protocol.KindOf(err) != protocol.KindDenied {
			t.Errorf("a closed name gives a recipient: %v", err)
		}
	}
	anna.rotate(2)
	o = directory.GenerateOpening(anna.state.Account(), anna.state.Head())
	p.Update(directory.NewUpdate(p.World.Log(), index, 2, o, key(2), key(3)), o)
	p.Publish()
	_, err := stand(t, p, s.View(), "anna", s.Pin(), anna.state)
	mustAlarm(t, err, directory.AlarmRegress)
}

// noticed announces that anna's name is to be bert's.
func noticed(t *testing.T, p *directorytest.Provider, bert *holder) {
	t.Helper()
	index, _ := p.Index("anna")
	leaf, _ := p.Leaf("anna")
	secret := directory.DeriveUpdateSecret(keys.GenerateSecret(), protocol.AccountID{}, leaf.Version+1)
	o := directory.GenerateOpening(bert.state.Account(), bert.state.Head())
	p.Queue(&directory.Entry{Notice: directory.NewNotice(p.World.Log(), index, leaf.Version, o, secret, secret)})
	p.Publish()
	p.Reopen("anna", leaf.Version+1, &o)
}

func TestANameChangesHands(t *testing.T) {
	p, anna := crowded(t)
	bert := newHolder(t, "bert")
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	noticed(t, p, bert)
	waits := mustStand(t, p, s.View(), "anna", s.Pin(), anna.state)
	if n, ok := waits.Notice(); !ok || n.Position == 0 || waits.Pin().Version != 3 {
		t.Errorf("the notice shows as %+v", n)
	}
	if _, err := waits.Member(anna.a.ID()); err != nil {
		t.Errorf("a notice alone shuts somebody out: %v", err)
	}
	leaf, _ := p.Leaf("anna")
	p.Pass(31 * 24 * time.Hour)
	p.Queue(&directory.Entry{Reassign: &directory.Reassign{Index: s.Pin().Index, Notice: leaf.Notice.Position}})
	p.Publish()
	_, err := stand(t, p, waits.View(), "anna", waits.Pin(), bert.state)
	mustAlarm(t, err, directory.AlarmIdentity)
	// Who never knew anna meets bert, by the openings of his identity alone.
	_, found, err := p.World.Look(nil, "anna", p.Lookup("anna", 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	met, err := found.Standing(nil, bert.state, p.Now())
	if err != nil || met.Pin().Identity != 1 || met.Pin().Version != 4 {
		t.Fatalf("bert stands as %+v: %v", met, err)
	}
	_, found, err = p.World.Look(nil, "anna", p.Lookup("anna", 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = found.Standing(nil, bert.state, p.Now()) // anna's openings are not his
	if err == nil {
		t.Error("another identity's openings are taken")
	}
}

// TestOpenings plays what a server can do with what is not in the log.
func TestOpenings(t *testing.T) {
	p, anna := crowded(t)
	stranger := newHolder(t, "stranger")
	for name, c := range map[string]struct {
		change func(a *directory.Answer)
		want   directory.AlarmKind // "" for what proves nothing
	}{
		"none":                    {func(a *directory.Answer) { a.Openings = nil }, ""},
		"one is left out":         {func(a *directory.Answer) { a.Openings = a.Openings[:2] }, ""},
		"the first is left out":   {func(a *directory.Answer) { a.Openings = a.Openings[1:] }, ""},
		"one too many":            {func(a *directory.Answer) { a.Openings = append(a.Openings, a.Openings[0]) }, ""},
		"two have changed places": {func(a *directory.Answer) { a.Openings[0], a.Openings[1] = a.Openings[1], a.Openings[0] }, directory.AlarmChain},
		"another blind":           {func(a *directory.Answer) { a.Openings[0].Blind[0] ^= 1 }, directory.AlarmChain},
		"another head":            {func(a *directory.Answer) { a.Openings[2].Ledger.Seq++ }, directory.AlarmChain},
		"another account": {func(a *directory.Answer) {
			for i := range a.Openings {
				a.Openings[i].Account = stranger.state.Account()
			}
		}, directory.AlarmChain},
		"another account in between": {func(a *directory.Answer) { a.Openings[1].Account[0] ^= 1 }, directory.AlarmAccount},
	} {
		t.Run(name, func(t *testing.T) {
			a := p.Lookup("anna", 0, 0)
			c.change(a)
			_, found, err := p.World.Look(nil, "anna", a)
			if err != nil {
				t.Fatal(err)
			}
			_, err = found.Standing(nil, anna.state, p.Now())
			if c.want == "" {
				mustNothing(t, err)
				return
			}
			if mustAlarm(t, err, c.want).Provable() {
				t.Error("what is not signed is no proof")
			}
		})
	}
}

// TestLedgersAndHeads holds ledgers against versions that name other heads.
func TestLedgersAndHeads(t *testing.T) {
	anna := withVault(t, "anna")
	anna.addB()
	forked := &holder{t: t, a: anna.a, b: anna.b, vault: anna.vault, entries: anna.entries[:3:3], state: anna.at(2)}
	forked.rotate(2)
	for name, c := range map[string]struct {
		opens  []ledger.Head // of the versions
		ledger *ledger.State
		want   directory.AlarmKind
	}{
		"a ghost device that no version has": {heads(anna, 1, 2), forked.state, "ledger"},
		"a ledger that was cut":              {heads(anna, 1, 3), anna.at(2), directory.AlarmBehind},
		"a version that no device made":      {append(heads(anna, 1), forked.state.Head()), anna.state, directory.AlarmForeign},
		"a ledger that was rewritten":        {heads(anna, 1, 3), forked.state, directory.AlarmForeign},
		"a version between that nobody made": {[]ledger.Head{{Seq: 1, Hash: protocol.Hash{9}}, anna.state.Head()}, anna.state, directory.AlarmForeign},
		"versions that go back":              {heads(anna, 1, 2, 1), anna.at(1), directory.AlarmBehind},
		"a version that goes back and on":    {heads(anna, 2, 1, 3), anna.state, directory.AlarmForeign},
		"a version twice":                    {heads(anna, 1, 3, 3), anna.state, directory.AlarmForeign},
		"the directory is behind":            {heads(anna, 1, 2), anna.state, "ledger"},
		"all is well":                        {heads(anna, 0, 2, 3), anna.state, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := directorytest.New(t)
			for _, h := range c.opens {
				p.MoveTo("anna", directory.GenerateOpening(anna.state.Account(), h))
			}
			p.Publish()
			_, err := stand(t, p, nil, "anna", nil, c.ledger)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "ledger":
				mustUnproven(t, err, directory.UnprovenLedger)
			case c.want != "":
				mustAlarm(t, err, c.want)
			}
		})
	}
	p := directorytest.New(t)
	p.Move("anna", anna.state)
	p.Publish()
	_, err := stand(t, p, nil, "anna", nil, newHolder(t, "bert").state) // a ledger of another account
	mustAlarm(t, err, directory.AlarmAccount)
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	_, err = stand(t, p, s.View(), "anna", s.Pin(), newHolder(t, "bert").state)
	mustAlarm(t, err, directory.AlarmAccount)
	_, err = stand(t, p, s.View(), "anna", s.Pin(), forked.state) // nothing is new, but the ledger is another
	mustAlarm(t, err, directory.AlarmForeign)
}

func heads(h *holder, at ...int) []ledger.Head {
	var list []ledger.Head
	for _, seq := range at {
		list = append(list, ledger.Head{Seq: uint64(seq), Hash: h.entries[seq].Hash()})
	}
	return list
}

func TestAPinIsOfOneNameInOneLog(t *testing.T) {
	p, anna := crowded(t)
	s := mustStand(t, p, nil, "anna", nil, anna.state)
	for name, change := range map[string]func(pin *directory.Pin){
		"another name":  func(pin *directory.Pin) { pin.Name = "bert" },
		"another log":   func(pin *directory.Pin) { pin.Log[0] ^= 1 },
		"another index": func(pin *directory.Pin) { pin.Index[0] ^= 1 },
	} {
		pin := *s.Pin()
		change(&pin)
		if _, err := stand(t, p, s.View(), "anna", &pin, anna.state); protocol.KindOf(err) != protocol.KindInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A view from before the pin: the device lost it, and the server shows an old log.
	old, err := p.World.Advance(nil, part(p, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	found, err := p.World.VerifyName(old, "anna", p.LookupAt(1, "anna", 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	_, err = found.Standing(s.Pin(), anna.state, p.Now())
	mustAlarm(t, err, directory.AlarmRollback)
}
