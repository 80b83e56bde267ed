// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

// alarms names those that stand.
func (c *checkup) alarms() {
	list, err := c.kept.Alarms()
	if c.failed("alarms", err) {
		return
	}
	standing := 0
	for _, alarm := range list {
		if alarm.Noted == 0 {
			standing++
			c.found("alarms", wrong, "alarm %d of %s (%s): %s; see solekey log alarms", alarm.Number, moment(alarm.Time), alarm.Kind, alarm.Text)
		}
	}
	if standing == 0 {
		c.found("alarms", fine, "none stands; %s noted", plural(len(list), "alarm"))
	}
}

// publicLog checks how far what is newest is proven, who watches, and whether the
// proofs of snapshots went in.
func (c *checkup) publicLog() {
	l, err := c.logStanding(c.kept, c.device)
	if c.failed("log", err) {
		return
	}
	switch {
	case l.view == nil:
		c.found("log", warning, "nothing of the server's public log is proven to this device yet")
	case l.old() != "":
		c.found("log", warning, "%s", l.old())
	default:
		c.found("log", fine, "what this device sees is proven the newest as of %s, in a log of %d entries", moment(l.view.AsOf()), l.view.Size())
	}
	missing := lacks(l.world.Policy(), c.device.Server)
	for _, text := range missing {
		c.found("witnesses", warning, "%s", text)
	}
	if len(missing) == 0 {
		c.found("witnesses", fine, "demanded are %s", demandWords(l.world))
	}
	for _, w := range l.watchers {
		if l.view != nil && w.at == 0 {
			c.found("witnesses", warning, "%s has not cosigned what this device saw last; others were enough", w.Name)
		}
	}
	if l.behind > unprovenFor {
		c.found("anchors", wrong, "since %s no proof of the newest snapshots has entered the public log", moment(l.anchors.Behind))
		return
	}
	c.found("anchors", fine, "%s", l.anchorWords())
}
