// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
)

// claim is what a record of the chain says of its time, in the chain's order.
type claim struct {
	hash   protocol.Hash
	device protocol.MemberID
	owner  bool
	run    bool
	began  protocol.Time
	ended  protocol.Time
}

// clockSlack is how far an owner's clock may be ahead of this device's.
const clockSlack = protocol.Time(24 * time.Hour)

// boundTimes returns the time that rules go by for each run record. Order comes
// from the chain, which nobody can change; clocks are believed as follows.
//
// Owners' clocks are believed, unless they are ahead of now. A writer's is held
// between the owners' records around it, and behind the writer's own record
// before: so it depends on nothing that came later, other than an owner's word,
// and on no other writer's. A false clock therefore moves neither the past nor
// anybody else's snapshots.
func boundTimes(claims []claim, now protocol.Time) map[protocol.Hash]protocol.Time {
	upper := make([]protocol.Time, len(claims)) // by the next owner's record
	next := now
	for i := len(claims) - 1; i >= 0; i-- {
		if upper[i] = next; claims[i].anchors(now) {
			next = min(claims[i].ended, now)
		}
	}
	times := map[protocol.Hash]protocol.Time{}
	last := map[protocol.MemberID]protocol.Time{}
	var lower protocol.Time // by the owner's record before
	for i, c := range claims {
		at := min(c.began, now)
		if !c.owner {
			at = max(c.began, last[c.device])
			if lower <= upper[i] {
				at = max(at, lower)
			}
			at = min(at, upper[i])
			last[c.device] = at
		}
		if c.run {
			times[c.hash] = at
		}
		if c.anchors(now) {
			lower = c.ended
		}
	}
	return times
}

// anchors reports whether the record bounds the times of those around it.
func (c *claim) anchors(now protocol.Time) bool { return c.owner && c.ended <= now+clockSlack }

// checkClock refuses to apply rules by a clock that is behind what an owner
// last wrote: everything would seem to be of one day.
func checkClock(claims []claim, now protocol.Time) error {
	for i := len(claims) - 1; i >= 0; i-- {
		if !claims[i].owner {
			continue
		}
		if claims[i].anchors(now) {
			return nil
		}
		return protocol.Errorf(protocol.KindUsage, "this device's clock says %s, and an owner device wrote to the vault at %s: set the clock, or name the snapshots to forget; nothing was changed",
			now, claims[i].ended)
	}
	return nil
}

// claims returns what the records of the chain that count say of their times.
// Records that do not open are left out: their times are of no use.
func (v *Vault) claims() ([]claim, error) {
	var list []claim
	void := v.chain.Void()
	for seq := uint64(1); seq <= v.head.Seq; seq++ {
		raw, err := v.kept.Record(seq)
		if err != nil {
			return nil, err
		}
		rec, d, err := v.openRecord(raw)
		if err != nil {
			continue
		}
		counts := v.counts(rec.Device, seq)
		c := claim{hash: snapshot.HashOf(raw), device: rec.Device, owner: v.writer(rec.Device).IsZero() && counts}
		if _, isVoid := void[c.hash]; isVoid || !counts && d.List != nil {
			continue
		}
		if d.Run != nil {
			c.run, c.began, c.ended = true, d.Run.Began, d.Run.Ended
		} else {
			c.began, c.ended = d.List.Time, d.List.Time
		}
		list = append(list, c)
	}
	return list, nil
}
