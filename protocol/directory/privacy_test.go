// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package directory

import (
	"bytes"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// What anybody can learn from a month of the public log, by an adversary who has all
// of it and is told a good deal more. Everything is drawn from fixed seeds: these
// tests come out the same every time.

// scheme is how anchors get into the log. The zero value is ours; the others are
// wrong in one way, to see that the adversary would notice.
type scheme struct {
	asTheyCome bool // batches in the order of arrival
	oneKey     bool // one key a day for all of an account's anchors, its index with the slot
	atOnce     bool // a root behind each anchor
	days       int
	shuffle    uint64 // not 0: minutes within the hour are drawn anew by this seed
}

// secretHolder is an account, or one of its writer devices, with its habits.
type secretHolder struct {
	account int
	secret  *keys.Secret
	hours   []int
	minute  int
	slots   map[Period]uint64
}

// sighting is an anchor in the log, with what the adversary does not see: whose it
// is, and when it came.
type sighting struct {
	*Anchor
	account int
	arrived protocol.Time
	batch   int
	place   float64  // in its batch, from 0 to 1
	fields  [][]byte // of the anchor
}

// month is what there is to know.
type month struct {
	log       *simLog
	sightings []*sighting
	batches   [][]*sighting
	names     []*simName
}

const (
	monthAccounts = 60
	monthWriters  = 20
)

// holders draws the accounts, the writers and their habits: most back up at one of
// a few hours, some several times a day, all at a minute of their own.
func holders(t *testing.T, r *rand.Rand) []*secretHolder {
	var list []*secretHolder
	for i := range monthAccounts + monthWriters {
		account := i
		if i >= monthAccounts {
			account = r.IntN(monthAccounts)
		}
		h := &secretHolder{account: account, secret: newSimName(t, uint64(5000+i)).secret, minute: r.IntN(60), slots: map[Period]uint64{}}
		first := []int{1, 2, 9, 13, 20}[r.IntN(5)]
		for n := range 1 + r.IntN(2) {
			h.hours = append(h.hours, (first+5*n)%24)
		}
		list = append(list, h)
	}
	return list
}

// simulate plays a month.
func simulate(t *testing.T, s scheme) *month {
	t.Helper()
	r := rand.New(rand.NewPCG(2026, 11))
	minutes := rand.New(rand.NewPCG(s.shuffle, 12))
	m := &month{log: newSimLogOf(t, vectorLog(t))}
	m.log.at = protocol.TimeOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))
	m.log.add(simOriginEntry(t))
	m.log.root()
	people := holders(t, r)
	for i := range monthAccounts {
		m.names = append(m.names, newSimName(t, uint64(i)))
	}
	for hour := range 24 * s.days {
		begin := m.log.at
		var came []*sighting
		for _, h := range people {
			if !slices.Contains(h.hours, hour%24) {
				continue
			}
			minute := h.minute
			if s.shuffle != 0 {
				minute = minutes.IntN(60)
			}
			at := begin + protocol.Time(minute)*simHour/60
			for _, period := range h.due(hour, at) {
				a := h.anchor(m.log, s, period)
				came = append(came, &sighting{Anchor: a, account: h.account, arrived: at, fields: fields(a)})
			}
		}
		m.update(r, begin)
		m.batch(came, s, begin+simHour)
	}
	return m
}

// due returns the periods to anchor in: the day, and the month at its first backup.
func (h *secretHolder) due(hour int, at protocol.Time) []Period {
	if hour < 24 && h.hours[0] == hour {
		return []Period{DayOf(at), MonthOf(at)}
	}
	return []Period{DayOf(at)}
}

// anchor makes the next anchor of a period. Box and commitment are as random as a
// sealed box's hash.
func (h *secretHolder) anchor(l *simLog, s scheme, period Period) *Anchor {
	slot := h.slots[period]
	h.slots[period]++
	commitment := hash("box", h.secret.Expose(), []byte(period), uint64Bytes(slot))
	if !s.oneKey {
		return NewAnchor(l.key, DeriveAnchorKey(h.secret, period, slot), commitment)
	}
	k := DeriveAnchorKey(h.secret, "2026-11", 0)
	a := &Anchor{Period: period, Index: hash("index", []byte(period), h.secret.Expose(), uint64Bytes(slot)), Commitment: commitment, Key: k.Public()}
	a.Signature = sign(k.seed, a.signed(l.key.ID()))
	return a
}

// update moves some names, each with a root at its minute: that much is public.
func (m *month) update(r *rand.Rand, begin protocol.Time) {
	for minute := range 60 {
		if r.IntN(60) > 0 {
			continue
		}
		m.log.take(m.names[r.IntN(len(m.names))].next(m.log.key))
		m.log.at = begin + protocol.Time(minute)*simHour/60
		m.log.root()
	}
}

// batch puts what came into the log.
func (m *month) batch(came []*sighting, s scheme, at protocol.Time) {
	slices.SortStableFunc(came, func(a, b *sighting) int {
		if s.asTheyCome || s.atOnce {
			return int(a.arrived - b.arrived)
		}
		return bytes.Compare(a.Index[:], b.Index[:])
	})
	m.log.at = at
	for i, a := range came {
		a.batch, a.place = len(m.batches), float64(i)/float64(len(came))
		if !s.oneKey {
			m.log.take(&Entry{Anchor: a.Anchor})
		}
		if s.atOnce {
			m.log.root()
		}
	}
	m.sightings = append(m.sightings, came...)
	m.batches = append(m.batches, came)
	m.log.root()
}

// take adds an entry that must be accepted.
func (l *simLog) take(e *Entry) {
	l.t.Helper()
	raw := e.Bytes()
	if err := l.replay.Entry(l.t.Context(), raw); err != nil {
		l.t.Fatal(err)
	}
	l.raws = append(l.raws, raw)
}

// fields are all bytes of an anchor that differ from one to the other.
func fields(a *Anchor) [][]byte {
	return [][]byte{a.Index[:], a.Key[:], a.Commitment[:], a.Signature[:32], a.Signature[32:]}
}

// distance is how many bits two fields differ in.
func distance(a, b []byte) int {
	n := 0
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

// strategy says how much a candidate looks like one of those that are known to be
// of an account; the highest is taken.
type strategy func(candidate *sighting, known []*sighting) float64

// strategies are what the adversary tries.
func strategies() map[string]strategy {
	list := map[string]strategy{
		"the place in the batch": func(c *sighting, known []*sighting) float64 {
			sum := 0.0
			for _, k := range known {
				sum += k.place
			}
			return -math.Abs(c.place - sum/float64(len(known)))
		},
		"an index close to a known one": func(c *sighting, known []*sighting) float64 {
			best := 0
			for _, k := range known {
				best = max(best, shared(c.Index, k.Index))
			}
			return float64(best)
		},
		"the same words": func(c *sighting, known []*sighting) float64 {
			n := 0
			for _, k := range known {
				for i, f := range c.fields {
					for at := 0; at < len(f); at += 4 {
						if bytes.Equal(f[at:at+4], k.fields[i][at:at+4]) {
							n++
						}
					}
				}
			}
			return float64(n)
		},
	}
	for i, name := range []string{"indexes", "keys", "commitments", "first halves of signatures", "second halves of signatures"} {
		list["bits of "+name] = func(c *sighting, known []*sighting) float64 {
			best := 256
			for _, k := range known {
				best = min(best, distance(c.fields[i], k.fields[i]))
			}
			return float64(-best)
		}
	}
	return list
}

// attack plays one game for each anchor that is the only one of its account in its
// batch: the adversary is told all others of the account, and that one of the batch
// is too, and names it. It returns by how many standard deviations it does better
// than who guesses.
func (m *month) attack(s strategy) (score float64, games int) {
	byAccount := map[int][]*sighting{}
	for _, a := range m.sightings {
		byAccount[a.account] = append(byAccount[a.account], a)
	}
	won, expected, variance := 0.0, 0.0, 0.0
	for _, target := range m.sightings {
		batch := m.batches[target.batch]
		var known []*sighting
		alone := len(batch) > 1
		for _, a := range byAccount[target.account] {
			alone = alone && (a == target || a.batch != target.batch)
			if a.batch != target.batch {
				known = append(known, a)
			}
		}
		if !alone || len(known) == 0 {
			continue
		}
		chance := 1 / float64(len(batch))
		games, expected, variance = games+1, expected+chance, variance+chance*(1-chance)
		won += share(s, batch, target, known)
	}
	return (won - expected) / math.Sqrt(variance), games
}

// share returns 1 where the target looks most like the known ones, a part of it
// where others look as much like them.
func share(s strategy, batch []*sighting, target *sighting, known []*sighting) float64 {
	best, equal, hit := math.Inf(-1), 0.0, 0.0
	for _, c := range batch {
		score := s(c, known)
		if score > best {
			best, equal, hit = score, 0, 0
		}
		if score == best {
			equal++
			if c == target {
				hit = 1
			}
		}
	}
	return hit / equal
}

// noticed is how much better than a guess is no luck any more.
const noticed = 4

func TestPrivateMonth(t *testing.T) {
	m := simulate(t, scheme{days: 30})
	t.Run("anchors do not belong together", m.anchorsDoNotBelongTogether)
	t.Run("anchors are not names", m.anchorsAreNotNames)
	t.Run("fields look random", m.fieldsLookRandom)
}

// anchorsDoNotBelongTogether: told all but one of an account's anchors, nobody
// finds the last one in its batch.
func (m *month) anchorsDoNotBelongTogether(t *testing.T) {
	for name, s := range strategies() {
		score, games := m.attack(s)
		if score > noticed || games < 1000 {
			t.Errorf("by %s the adversary does better than by chance: %.1f standard deviations in %d games", name, score, games)
		}
	}
}

// TestAdversaryIsNoFool: where batches are in the order of arrival, or keys come
// twice, it finds what belongs together.
func TestAdversaryIsNoFool(t *testing.T) {
	for name, s := range map[string]scheme{"the place in the batch": {asTheyCome: true, days: 6}, "bits of keys": {oneKey: true, days: 3}, "the same words": {oneKey: true, days: 3}} {
		score, games := simulate(t, s).attack(strategies()[name])
		if score < 3*noticed {
			t.Errorf("by %s it finds nothing: %.1f standard deviations in %d games", name, score, games)
		}
	}
}

// TestNothingFinerThanABatch: two months that differ in the minutes at which anchors
// came are the same log, byte for byte. Where each anchor has a root, they are not.
func TestNothingFinerThanABatch(t *testing.T) {
	logOf := func(s scheme) []byte { return bytes.Join(simulate(t, s).log.raws, nil) }
	if !bytes.Equal(logOf(scheme{days: 2}), logOf(scheme{days: 2, shuffle: 1})) {
		t.Error("the log shows at which minute an anchor came")
	}
	if bytes.Equal(logOf(scheme{days: 1, atOnce: true}), logOf(scheme{days: 1, atOnce: true, shuffle: 1})) {
		t.Error("a log that shows the minute looks the same: this test shows nothing")
	}
}

// anchorsAreNotNames: nothing of an anchor stands in what the log says of names,
// and the names' entries say nothing of accounts.
func (m *month) anchorsAreNotNames(t *testing.T) {
	words := map[[8]byte]string{}
	note := func(what string, parts ...[]byte) {
		for _, p := range parts {
			for at := 0; at+8 <= len(p); at++ {
				words[[8]byte(p[at:])] = what
			}
		}
	}
	for i, n := range m.names {
		secret := n.secret.Expose()
		note(fmt.Sprint("the account of name ", i), n.account[:])
		note(fmt.Sprint("the secret of name ", i), secret)
		for v := range n.version {
			o := n.opening(v + 1)
			note(fmt.Sprint("an opening of name ", i), o.Blind[:], o.Ledger.Hash[:])
		}
	}
	updates := 0
	for position, raw := range m.log.raws {
		e, err := ParseEntry(raw)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at+8 <= len(raw); at++ {
			if what, ok := words[[8]byte(raw[at:])]; ok {
				t.Fatalf("entry %d, a %s, shows %s", position, e.Kind(), what)
			}
		}
		if u := e.Update; u != nil {
			updates++
		}
	}
	// What the log says of names, and then of anchors.
	clear(words)
	for _, raw := range m.log.raws {
		if e, _ := ParseEntry(raw); e.Update != nil {
			u, again := e.Update, KeyHash(e.Update.Key)
			note("an update", u.Index[:], u.Commitment[:], u.Key[:], u.Next[:], u.Signature[:], again[:])
		}
	}
	for _, a := range m.sightings {
		for _, f := range a.fields {
			for at := 0; at+8 <= len(f); at++ {
				if what, ok := words[[8]byte(f[at:])]; ok {
					t.Fatalf("an anchor shares bytes with %s", what)
				}
			}
		}
	}
	if updates < 300 || len(m.sightings) < 3000 {
		t.Errorf("the month has %d updates and %d anchors: too little to show anything", updates, len(m.sightings))
	}
}

// fieldsLookRandom: an anchor's bytes are spread as those of random ones, so
// that whoever knows nothing cannot even tell them from made-up ones.
func (m *month) fieldsLookRandom(t *testing.T) {
	for field, name := range []string{"index", "key", "commitment", "first half of the signature"} {
		var seen [256]float64
		n := 0.0
		for _, a := range m.sightings {
			for _, b := range a.fields[field][:31] { // the last byte of a point has fewer values
				seen[b]++
				n++
			}
		}
		chi := 0.0
		for _, s := range seen {
			chi += (s - n/256) * (s - n/256) / (n / 256)
		}
		// 255 degrees of freedom: mean 255, standard deviation 22.6.
		if math.Abs(chi-255) > noticed*22.6 {
			t.Errorf("the bytes of the %s are not spread evenly: chi square %.0f", name, chi)
		}
	}
}
