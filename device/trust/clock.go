// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"time"

	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// clockSlack is how far a clock may be set back without a word: who keeps time
// over a network does so all the while.
const clockSlack = protocol.Time(10 * time.Minute)

// now returns this device's best clock: no earlier than its own clock ever was,
// and no earlier than what witnesses attested.
func (t *Trust) now(attested protocol.Time) (protocol.Time, error) {
	local := t.o.Now()
	c, err := t.o.State.ChangeClock(func(c *state.Clock) { tick(c, local, attested) })
	return max(local, c.High, attested), err
}

// tick takes in what the local clock shows, beside the newest time that witnesses
// attested.
//
// A clock that is behind where it was is not believed: either it was set back, so
// that an old checkpoint would look fresh, or it had been too far ahead. Nobody
// can tell which, until the witnesses attest that as much time has passed as a
// checkpoint may be old: by then whatever the device holds is from after the
// jump, and the clock is believed again.
func tick(c *state.Clock, local, attested protocol.Time) {
	switch {
	case local+clockSlack >= c.High:
		c.High, c.Back = max(c.High, local), 0
	case c.Back == 0:
		c.Back = max(attested, 1)
	case attested >= c.Back+protocol.Time(directory.HardAge):
		c.High, c.Back = local, 0
	}
}
