// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// Stories tell histories of a ledger, one line an act:
//
//	A: add-device B owner             A signs an entry, and it is taken in
//	! B: remove A | may not do this   B signs one, and it is refused with these words
//	? holders A B                     what the state then says
//
// Members and vaults are named by words; their keys and identifiers follow from
// the words. Behind an act may stand, as key=value:
//
//	as=c       calls the entry c, for veto and complete
//	at=8d      the public log first held the entry on day 8
//	keys=X     the keys of another member, or the key of X for a vault
//	epoch=2    another epoch than the one that would follow
//	to=A,B     other recipients than the holders; to=A,R:none leaves R's wrap out
//	link=none  no link; link=some: one where there is none to be
//	head=docs@5,mail@2   the last heads that count; of other vaults nothing does
//	without=mail         a removal that says nothing of a vault

// story is a ledger that is being told.
type story struct {
	t       testing.TB
	state   *State
	entries []*Entry
	times   Times
	named   map[string]protocol.Hash
	last    *Entry // the newest that was signed, taken in or not
}

// tell starts a ledger by A's genesis and plays the lines.
func tell(t testing.TB, lines string) *story {
	t.Helper()
	s := &story{t: t, times: Times{}, named: map[string]protocol.Hash{}}
	genesis, err := Sign(nil, 0, Body{Genesis: &Genesis{Device: *member("A").Public()}}, member("A"))
	if err != nil {
		t.Fatal(err)
	}
	if s.state, err = Fold([]*Entry{genesis}, nil); err != nil {
		t.Fatal(err)
	}
	s.entries = []*Entry{genesis}
	s.play(lines)
	s.foldsAlike()
	return s
}

func (s *story) play(lines string) {
	s.t.Helper()
	for _, line := range strings.Split(lines, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "--"):
		case strings.HasPrefix(line, "? "):
			s.ask(strings.Fields(line[2:]))
		case strings.HasPrefix(line, "! "):
			act, words, _ := strings.Cut(line[2:], " | ")
			if err := s.act(act); err == nil {
				s.t.Fatalf("%q was taken in", line)
			} else if kind := protocol.KindOf(err); kind != protocol.KindUntrusted || words == "" || !strings.Contains(err.Error(), words) {
				s.t.Fatalf("%q was refused as %s: %v", line, kind, err)
			}
		default:
			if err := s.act(line); err != nil {
				s.t.Fatalf("%q was refused: %v", line, err)
			}
		}
	}
}

// foldsAlike holds the state that grew entry by entry to the one that a new
// device folds from the bytes.
func (s *story) foldsAlike() {
	s.t.Helper()
	state, err := Fold(parseAll(s.t, s.entries), s.times)
	if err != nil {
		s.t.Fatalf("fold the whole story: %v", err)
	}
	if !reflect.DeepEqual(state.clone(), s.state.clone()) {
		s.t.Fatalf("folding the whole gives another state:\n%+v\n%+v", state, s.state)
	}
}

func parseAll(t testing.TB, entries []*Entry) []*Entry {
	t.Helper()
	var parsed []*Entry
	for _, e := range entries {
		p, err := Parse(e.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, p)
	}
	return parsed
}

// act signs what the line says and lets the state take it in.
func (s *story) act(line string) error {
	s.t.Helper()
	who, what, ok := strings.Cut(line, ": ")
	words := strings.Fields(what)
	if !ok || len(words) == 0 {
		s.t.Fatalf("%q is no act", line)
	}
	a := act{s: s, options: map[string]string{}}
	for _, word := range words {
		if key, value, is := strings.Cut(word, "="); is {
			a.options[key] = value
		} else {
			a.words = append(a.words, word)
		}
	}
	return s.take(who, a.body(), a.options)
}

func (s *story) take(who string, body Body, options map[string]string) error {
	s.t.Helper()
	e, err := Sign(s.state, protocol.Time(len(s.entries)), body, member(who))
	if err != nil {
		return err
	}
	return s.takeEntry(e, options)
}

func (s *story) takeEntry(e *Entry, options map[string]string) error {
	if at, ok := options["at"]; ok {
		s.times[e.Hash()] = day(s.t, at)
	}
	before := s.state
	s.last = e
	head, count := before.Head(), len(before.AllMembers())
	next, err := before.Extend([]*Entry{e}, s.times)
	if before.Head() != head || len(before.AllMembers()) != count {
		s.t.Fatal("extending a state changed it")
	}
	if err != nil {
		if next != nil {
			s.t.Fatal("a refused entry gave a state")
		}
		return err
	}
	if as, ok := options["as"]; ok {
		s.named[as] = e.Hash()
	}
	s.state, s.entries = next, append(s.entries, e)
	return nil
}

func day(t testing.TB, text string) protocol.Time {
	t.Helper()
	d, err := time.ParseDuration(strings.TrimSuffix(text, "d") + "h")
	if err != nil {
		t.Fatal(err)
	}
	return protocol.Time(24 * d)
}

// act is one line that is being turned into a body.
type act struct {
	s       *story
	words   []string
	options map[string]string
}

func (a *act) word(i int) string {
	if i >= len(a.words) {
		return ""
	}
	return a.words[i]
}

func (a *act) body() Body {
	switch a.word(0) {
	case "genesis":
		return Body{Genesis: &Genesis{Device: *member(a.word(1)).Public()}}
	case "add-device":
		role := map[string]protocol.Role{"owner": protocol.RoleOwner, "writer": protocol.RoleWriter, "king": 3, "nobody": 0}[a.word(2)]
		return Body{AddDevice: &AddDevice{Device: a.keys(), Role: role}}
	case "add-recovery":
		return Body{AddRecovery: &AddRecovery{Keys: a.keys()}}
	case "remove":
		return Body{RemoveDevice: &RemoveDevice{Device: id(a.word(1)), Heads: a.heads()}}
	case "grant":
		return Body{Grant: a.grant()}
	case "rotate":
		return Body{Rotate: a.rotate()}
	case "create-vault":
		return Body{CreateVault: &CreateVault{Vault: vault(a.word(1)), Category: protocol.Category(a.number("category", 1)), Key: a.vaultKey(1), Secrets: object(a.word(1))}}
	case "rotate-vault":
		epoch := a.number("epoch", a.s.vaultEpoch(a.word(1))+1)
		return Body{RotateVault: &RotateVault{Vault: vault(a.word(1)), Epoch: epoch, Key: a.vaultKey(epoch), Secrets: object(a.word(1), "secrets")}}
	}
	return a.lateBody()
}

func (a *act) lateBody() Body {
	switch a.word(0) {
	case "set-protection":
		return Body{SetProtection: &SetProtection{Category: protocol.Category(a.number("category", 1)), Level: protocol.Level(a.number("level", 1))}}
	case "remove-recovery":
		return Body{RemoveRecovery: &RemoveRecovery{Member: id(a.word(1))}}
	case "close":
		return Body{Close: &Close{}}
	case "veto":
		return Body{Veto: &Veto{Entry: a.s.named[a.word(1)]}}
	case "complete":
		return Body{Complete: &Complete{Entry: a.s.named[a.word(1)]}}
	case "name-member":
		return Body{Name: &Name{Member: id(a.word(1)), Epoch: a.number("epoch", a.s.state.Epoch()), Box: []byte("box")}}
	case "name-vault":
		return Body{Name: &Name{Vault: vault(a.word(1)), Epoch: a.number("epoch", a.s.state.Epoch()), Box: []byte("box")}}
	case "name-both":
		return Body{Name: &Name{Member: id(a.word(1)), Vault: vault(a.word(2)), Epoch: a.s.state.Epoch(), Box: []byte("box")}}
	case "name-nothing":
		return Body{Name: &Name{Epoch: a.s.state.Epoch(), Box: []byte("box")}}
	}
	a.s.t.Fatalf("%q is no act", a.words)
	return Body{}
}

func (a *act) number(key string, otherwise uint64) uint64 {
	text, ok := a.options[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		a.s.t.Fatal(err)
	}
	return n
}

// keys returns a member's keys; keys=X/Y takes the verify key of X and the wrap
// key of Y, and "bad" stands for a wrap key that is none.
func (a *act) keys() keys.MemberKeys {
	text, ok := a.options["keys"]
	if !ok {
		return *member(a.word(1)).Public()
	}
	verify, wrap, _ := strings.Cut(text, "/")
	k := keys.MemberKeys{Verify: member(verify).Public().Verify}
	switch {
	case wrap == "bad":
		k.Wrap = badWrapKey()
	case strings.HasPrefix(wrap, "vault:"):
		k.Wrap = vaultSecret(strings.TrimPrefix(wrap, "vault:"), 1).Public()
	default:
		k.Wrap = member(wrap).Public().Wrap
	}
	return k
}

func (a *act) vaultKey(epoch uint64) keys.WrapKey {
	switch of := a.options["keys"]; {
	case of == "bad":
		return badWrapKey()
	case strings.HasPrefix(of, "member:"):
		return member(strings.TrimPrefix(of, "member:")).Public().Wrap
	case of != "":
		return vaultSecret(of, 1).Public()
	}
	return vaultSecret(a.word(1), epoch).Public()
}

func (a *act) grant() *Grant {
	g := &Grant{Member: id(a.word(1)), Wrap: object("grant", a.word(1), a.word(2))}
	if v := a.word(2); v != "" {
		g.Vault, g.Epoch = vault(v), a.number("epoch", 0)
	} else {
		g.Epoch = a.number("epoch", a.s.state.Epoch())
	}
	return g
}

func (a *act) rotate() *Rotate {
	r := &Rotate{Epoch: a.number("epoch", a.s.state.Epoch()+1)}
	if link := a.options["link"]; link == "some" || link == "" && r.Epoch > 1 {
		r.Link = object("link")
	}
	var to []protocol.MemberID
	if text, ok := a.options["to"]; ok {
		for _, name := range strings.Split(text, ",") {
			to = append(to, id(name))
		}
	} else {
		for _, recipient := range a.s.state.Holders() {
			to = append(to, recipient.Member())
		}
	}
	slices.SortFunc(to, func(x, y protocol.MemberID) int { return slices.Compare(x[:], y[:]) })
	for _, m := range to {
		r.Wraps = append(r.Wraps, MemberWrap{Member: m, Wrap: object("wrap", m.String(), strconv.FormatUint(r.Epoch, 10))})
	}
	return r
}

// heads names every vault of the ledger, but for those left out.
func (a *act) heads() []VaultHead {
	var heads []VaultHead
	if text, ok := a.options["head"]; ok {
		for _, part := range strings.Split(text, ",") {
			heads = append(heads, head(a.s.t, part))
		}
	}
	for _, v := range a.s.state.Vaults() {
		named := slices.ContainsFunc(heads, func(h VaultHead) bool { return h.Vault == v.ID })
		if !named && v.ID != vault(a.options["without"]) {
			heads = append(heads, VaultHead{Vault: v.ID})
		}
	}
	slices.SortFunc(heads, func(x, y VaultHead) int { return slices.Compare(x.Vault[:], y.Vault[:]) })
	return heads
}

// head reads docs@5: record 5 of the vault docs.
func head(t testing.TB, text string) VaultHead {
	t.Helper()
	name, seq, _ := strings.Cut(text, "@")
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	h := VaultHead{Vault: vault(name), Seq: n}
	if n > 0 {
		h.Hash = object("record", name, seq)
	}
	return h
}

func (s *story) vaultEpoch(name string) uint64 {
	v, err := s.state.Vault(vault(name))
	if err != nil {
		return 0
	}
	return v.Epoch()
}

// ask holds the state to a line of the story.
func (s *story) ask(words []string) {
	s.t.Helper()
	want := strings.Join(words[1:], " ")
	got, ok := s.answer(words[0], words[1:])
	if !ok {
		s.t.Fatalf("%q is no question", words)
	}
	if got != want {
		s.t.Fatalf("after entry %d: %s is %q, want %q", s.state.Head().Seq, words[0], got, want)
	}
}

func (s *story) answer(what string, words []string) (string, bool) {
	switch what {
	case "present", "removed":
		return s.names(s.state.AllMembers(), func(m *Member) bool { return m.Present() == (what == "present") }), true
	case "holders":
		return s.names(s.state.holders(), func(*Member) bool { return true }), true
	case "epoch":
		return strconv.FormatUint(s.state.Epoch(), 10), true
	case "due":
		return fmt.Sprint(s.state.RotationDue()), true
	case "closed":
		return fmt.Sprint(s.state.Closed()), true
	case "pending":
		return s.pendingNames(), true
	case "vault":
		v, err := s.state.Vault(vault(words[0]))
		if err != nil {
			return err.Error(), true
		}
		return fmt.Sprintf("%s epoch %d due %t", words[0], v.Epoch(), v.RotationDue()), true
	case "may-add":
		return fmt.Sprintf("%s %s %s", words[0], words[1], outcome(s.state.MayAdd(id(words[0]), vault(words[1])))), true
	case "may-manage":
		return fmt.Sprintf("%s %s", words[0], outcome(s.state.MayManage(id(words[0])))), true
	}
	return "", false
}

func outcome(err error) string {
	if err == nil {
		return "yes"
	}
	return string(protocol.KindOf(err))
}

func (s *story) names(list []*Member, keep func(*Member) bool) string {
	var names []string
	for _, m := range list {
		if keep(m) {
			names = append(names, nameOf(m.ID))
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (s *story) pendingNames() string {
	var names []string
	for _, p := range s.state.Pending() {
		for name, hash := range s.named {
			if hash == p.Entry {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// The cast. Keys follow from names and are made once.
var (
	castLock sync.Mutex // guards cast and castNames
	cast     = map[string]*keys.MemberSecrets{}
	castName = map[protocol.MemberID]string{}
)

func member(name string) *keys.MemberSecrets {
	castLock.Lock()
	defer castLock.Unlock()
	if m, ok := cast[name]; ok {
		return m
	}
	seed := sha256.Sum256([]byte("member " + name))
	secret, err := keys.NewSecret(seed[:])
	if err != nil {
		panic(err)
	}
	m := keys.NewMemberSecrets(secret, "cast")
	cast[name], castName[m.ID()] = m, name
	return m
}

func id(name string) protocol.MemberID { return member(name).ID() }

func nameOf(id protocol.MemberID) string {
	castLock.Lock()
	defer castLock.Unlock()
	return castName[id]
}

func vault(name string) protocol.VaultID {
	h := sha256.Sum256([]byte("vault " + name))
	return protocol.VaultID(h[:16])
}

func vaultSecret(name string, epoch uint64) *keys.WrapSecret {
	seed := sha256.Sum256([]byte("vault key " + name + strconv.FormatUint(epoch, 10)))
	secret, err := keys.NewWrapSecret(seed[:])
	if err != nil {
		panic(err)
	}
	return secret
}

// badWrapKey has an ML-KEM half whose coefficients are out of range.
func badWrapKey() (k keys.WrapKey) {
	for i := range k {
		k[i] = 0xff
	}
	return k
}

func object(words ...string) protocol.Hash {
	return sha256.Sum256([]byte("object " + strings.Join(words, "/")))
}
