// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package auditor

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// measured is what metrics tell.
type measured struct {
	mu      sync.Mutex // guards what follows
	report  *Report    // of the last step that returned one
	checked time.Time  // when that was
	steps   uint64
	failed  uint64
	broken  bool
}

func newMeasured() *measured { return new(measured) }

// stepped notes how a step ended.
func (m *measured) stepped(r *Report, err error, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps++
	if err == nil {
		m.report, m.checked, m.broken = r, at, false
		return
	}
	m.failed++
	var f *Finding
	m.broken = m.broken || errors.As(err, &f)
}

// Metrics serves how the log stands, for whoever runs the auditor; it belongs on a
// loopback address. It is safe for concurrent use.
func (a *Auditor) Metrics() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		a.measured.write(rw)
	})
}

// write writes the text format that Prometheus reads (version 0.0.4).
func (m *measured) write(out io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	broken := 0
	if m.broken {
		broken = 1
	}
	number := func(name, kind, help string, value any) {
		fmt.Fprintf(out, "# HELP solekey_audit_%s %s\n# TYPE solekey_audit_%s %s\nsolekey_audit_%s %v\n", name, help, name, kind, name, value)
	}
	number("steps_total", "counter", "Times the log was asked for its newest checkpoint.", m.steps)
	number("failed_total", "counter", "Of these, the ones that did not end with a report.", m.failed)
	number("broken", "gauge", "1 if something did not hold since the last report.", broken)
	if m.report == nil {
		return
	}
	r := m.report
	number("checked_seconds", "gauge", "When the last report was made, in seconds since 1970.", m.checked.Unix())
	number("size", "gauge", "Entries that were held to the rules.", r.Size)
	number("log_seconds", "gauge", "The time of the newest root, in seconds since 1970.", r.Time.Std().Unix())
	number("witnessed_seconds", "gauge", "As of when the demanded witnesses knew of nothing newer, in seconds since 1970; 0 without a policy.", int64(r.Witnessed)/1e9)
	fmt.Fprint(out, "# HELP solekey_audit_entries Entries by kind.\n# TYPE solekey_audit_entries gauge\n")
	for _, kind := range []struct {
		name  string
		count uint64
	}{
		{"update", r.Counts.Updates},
		{"notice", r.Counts.Notices},
		{"reassignment", r.Counts.Reassigns},
		{"anchor", r.Counts.Anchors},
		{"root", r.Counts.Roots},
		{"policy", r.Counts.Policies},
		{"custodian", r.Counts.Uses},
		{"release", r.Counts.Releases},
	} {
		fmt.Fprintf(out, "solekey_audit_entries{kind=%q} %d\n", kind.name, kind.count)
	}
	number("names", "gauge", "Names that were ever registered.", r.Counts.Names)
}
