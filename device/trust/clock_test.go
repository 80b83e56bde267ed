// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"testing"
	"time"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
)

func hours(n int) protocol.Time { return protocol.Time(time.Duration(n) * time.Hour) }

// TestClockTicks plays clocks that are set about. Times are hours.
func TestClockTicks(t *testing.T) {
	type look struct{ local, attested, want int }
	for name, looks := range map[string][]look{
		"a clock that goes":       {{1000, 999, 1000}, {1001, 1000, 1001}, {1200, 1199, 1200}},
		"witnesses are ahead":     {{1000, 1005, 1005}, {1001, 1005, 1005}},
		"set back":                {{1000, 1000, 1000}, {100, 1000, 1000}, {200, 1000, 1000}, {999, 1000, 1000}, {1100, 1000, 1100}},
		"set back, log withheld":  {{1000, 1000, 1000}, {1080, 1000, 1080}, {1001, 1000, 1080}, {1050, 1000, 1080}, {1090, 1000, 1090}},
		"far ahead once":          {{1000, 1000, 1000}, {90000, 1000, 90000}, {1001, 1001, 90000}, {1072, 1072, 90000}, {1073, 1073, 1073}, {1074, 1073, 1074}},
		"no clock of its own":     {{5, 1000, 1000}, {5, 1100, 1100}, {6, 1300, 1300}},
		"back, and an old log":    {{1000, 700, 1000}, {701, 701, 1000}, {771, 771, 1000}, {775, 774, 775}},
		"ahead, back, and ahead":  {{1000, 1000, 1000}, {5000, 1000, 5000}, {1010, 1010, 5000}, {6000, 1010, 6000}, {1020, 1020, 6000}, {1092, 1092, 1092}},
		"minutes are not counted": {{1000, 1000, 1000}},
	} {
		var c state.Clock
		for i, l := range looks {
			tick(&c, hours(l.local), hours(l.attested))
			if got := max(hours(l.local), c.High, hours(l.attested)); got != hours(l.want) {
				t.Errorf("%s, look %d: it is %s, want %s", name, i, got, hours(l.want))
			}
		}
	}
	c := state.Clock{High: hours(1000)}
	tick(&c, hours(1000)-clockSlack, hours(999))
	if c != (state.Clock{High: hours(1000)}) {
		t.Errorf("ten minutes back: %+v", c)
	}
}

// TestClockSetBack: an old proof is no fresher for a clock that was set back, also
// after a restart; a clock that was far ahead once holds nobody for ever.
func TestClockSetBack(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.add()
	d.synced()
	d.now = hours(80)
	d.wantStatus("three days later", StatusHeld)
	d.now = hours(1)
	d.restart()
	d.wantStatus("the clock was set back", StatusHeld)
	for range 3 {
		w.p.Pass(30 * time.Hour)
		w.p.Publish()
		d.restart()
		if out := d.synced(); out.Status == StatusFresh {
			return
		}
	}
	t.Error("the device is held for ever")
}
