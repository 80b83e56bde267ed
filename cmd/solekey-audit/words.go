// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/watch/auditor"
)

// instant returns a time as people read it.
func instant(t protocol.Time) string { return t.Std().Format(time.DateTime) + " UTC" }

// quoted returns text that the provider wrote, on one line and with nothing in it
// that a terminal would obey.
func quoted(text string) string { return strconv.QuoteToGraphic(text) }

// event tells of an entry when it is read.
func (p *program) event(e auditor.Event) {
	object := map[string]any{"message_type": "event", "position": e.Position, "kind": e.Entry.Kind()}
	text := ""
	switch entry := e.Entry; {
	case entry.Notice != nil:
		object["index"] = entry.Notice.Index
		text = fmt.Sprintf("it is announced that the name at %s will be given to another identity, not before 30 days from now; its owner's devices can still answer", short(entry.Notice.Index))
	case entry.Reassign != nil:
		object["index"], object["notice"] = entry.Reassign.Index, entry.Reassign.Notice
		text = fmt.Sprintf("the name at %s was given to another identity, as entry %d announced", short(entry.Reassign.Index), entry.Reassign.Notice)
	case entry.Policy != nil:
		object["number"], object["statement"] = entry.Policy.Number, entry.Policy.Statement
		text = fmt.Sprintf("policy statement %d: %s", entry.Policy.Number, quoted(entry.Policy.Statement))
	case entry.Release != nil:
		object["program"], object["version"], object["manifest"] = entry.Release.Program, entry.Release.Version, entry.Release.Manifest
		text = fmt.Sprintf("release %d of %s: version %s, manifest %s", entry.Release.Number, entry.Release.Program, entry.Release.Version, entry.Release.Manifest)
	}
	p.say(object, "entry %d: %s", e.Position, text)
}

// short returns enough of a hash to tell it from others.
func short(h protocol.Hash) string { return h.String()[:16] }

// report writes how the log stands.
func (p *program) report(r *auditor.Report) {
	if p.json {
		p.line(p.out, reportObject{
			Type: "summary", Report: r, Time: r.Time.Std().Format(time.RFC3339Nano), Witnessed: witnessed(r),
		})
		return
	}
	c := r.Counts
	fmt.Fprintf(p.out, "%s: %s hold to every rule, %d of them new\n", r.Log, count(r.Size, "entry", "entries"), r.New)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(p.out, "  %-12s%s\n", name, fmt.Sprintf(format, args...))
	}
	row("log's time", "%s", instant(r.Time))
	if r.Witnessed != 0 {
		row("witnessed", "%s, by %s", instant(r.Witnessed), strings.Join(r.Cosigners, ", "))
	}
	row("names", "%d registered, %d closed, %s, %s, %d given to another identity",
		c.Names, c.Closed, count(c.Updates, "update", "updates"), count(c.Notices, "notice", "notices"), c.Reassigns)
	row("anchors", "%d", c.Anchors)
	row("policy", "%s", count(c.Policies, "statement", "statements"))
	for _, program := range r.Programs {
		row("releases", "%s: %d", program.Program, program.Number)
	}
	for _, custodian := range r.Custodians {
		row("custodian", "%s: %s%s", short(custodian.Custodian), count(custodian.Number, "use", "uses"), months(custodian.Months))
	}
}

// reportObject is a report for programs.
type reportObject struct {
	Type string `json:"message_type"`
	*auditor.Report
	Time      string `json:"log_time"`
	Witnessed string `json:"witnessed,omitempty"`
}

func witnessed(r *auditor.Report) string {
	if r.Witnessed == 0 {
		return ""
	}
	return r.Witnessed.Std().Format(time.RFC3339)
}

func count(n uint64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatUint(n, 10) + " " + more
}

// months lists uses by month.
func months(list []directory.MonthUses) string {
	var parts []string
	for _, m := range list {
		parts = append(parts, fmt.Sprintf("%s: %d", m.Month, m.Uses))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
