// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/solekey/solekey/provider/sequencer"
)

// Metrics counts requests, for whoever runs the server. Its nil counts nothing.
// Handler writes them in the text format that Prometheus reads (version 0.0.4).
type Metrics struct {
	totals Totals
	log    LogStatus

	mu     sync.Mutex // guards routes
	routes map[string]*routeCount
}

// Totals gives the figures of the store, when somebody looks.
type Totals func(context.Context) (accounts, packs, bytes int64, err error)

// LogStatus says how the public log is, when somebody looks.
type LogStatus func(context.Context) (sequencer.Status, error)

// routeCount counts the answers of one route.
type routeCount struct {
	statuses map[int]int64
	buckets  []int64 // one more than bounds
	seconds  float64
	total    int64
}

// bounds are the upper bounds of the buckets of time, in seconds.
func bounds() []float64 { return []float64{.005, .025, .1, .5, 2, 10, 60} }

// NewMetrics returns metrics that ask totals for the figures of the store and log
// for those of the public log.
func NewMetrics(totals Totals, log LogStatus) *Metrics {
	return &Metrics{totals: totals, log: log, routes: map[string]*routeCount{}}
}

func (m *Metrics) observe(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.routes[route]
	if !ok {
		c = &routeCount{statuses: map[int]int64{}, buckets: make([]int64, len(bounds()))}
		m.routes[route] = c
	}
	c.statuses[status]++
	c.total++
	c.seconds += took.Seconds()
	for i, bound := range bounds() {
		if took.Seconds() <= bound {
			c.buckets[i]++
		}
	}
}

// Handler serves the metrics; it belongs on a loopback address.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accounts, packs, bytes, err := m.totals(r.Context())
		if err != nil {
			http.Error(w, "the figures cannot be read", http.StatusInternalServerError)
			return
		}
		status, err := m.log(r.Context())
		if err != nil {
			http.Error(w, "the figures of the public log cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		gauge(w, "solekeyd_accounts", "Accounts.", accounts)
		gauge(w, "solekeyd_packs", "Packs stored.", packs)
		gauge(w, "solekeyd_stored_bytes", "Bytes that count towards quotas.", bytes)
		writeLog(w, status)
		m.write(w)
	})
}

func writeLog(w io.Writer, s sequencer.Status) {
	gauge(w, "solekeyd_log_entries", "Entries of the public log.", int64(s.Size))
	gauge(w, "solekeyd_log_waiting", "Entries that wait for the public log.", s.Waiting)
	gauge(w, "solekeyd_log_anchors_waiting", "Anchors that wait for the public log.", s.Anchors)
	gauge(w, "solekeyd_log_rejected", "Entries that the rules of the log refused after they were acknowledged.", s.Rejected)
	stands := int64(0)
	if s.Refusal != "" {
		stands = 1
	}
	gauge(w, "solekeyd_log_refused", "1 where the public log must not go on.", stands)
	fmt.Fprint(w, "# HELP solekeyd_log_published_entries Entries that devices of a world are shown.\n# TYPE solekeyd_log_published_entries gauge\n")
	published := map[string]uint64{}
	for world, size := range s.Published {
		published[fmt.Sprintf("{world=\"%.16s\"}", world)] = size
	}
	writeSizes(w, "solekeyd_log_published_entries", published)
	fmt.Fprint(w, "# HELP solekeyd_witness_entries Entries of the last checkpoint that a witness cosigned.\n# TYPE solekeyd_witness_entries gauge\n")
	cosigned := map[string]uint64{} // by witness: several keys of one count as one
	for _, one := range s.Witnesses {
		labels := fmt.Sprintf("{witness=%q,url=%q}", one.Name, one.URL)
		cosigned[labels] = max(cosigned[labels], one.Size)
	}
	writeSizes(w, "solekeyd_witness_entries", cosigned)
}

func writeSizes(w io.Writer, name string, sizes map[string]uint64) {
	for _, labels := range slices.Sorted(maps.Keys(sizes)) {
		fmt.Fprintf(w, "%s%s %d\n", name, labels, sizes[labels])
	}
}

func gauge(w io.Writer, name, help string, value int64) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s %d\n", name, help, name, name, value)
}

func (m *Metrics) write(w io.Writer) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	gauge(w, "go_goroutines", "Goroutines.", int64(runtime.NumGoroutine()))
	gauge(w, "go_memstats_sys_bytes", "Memory obtained from the system.", int64(memory.Sys))
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Sorted(maps.Keys(m.routes))
	fmt.Fprint(w, "# HELP solekeyd_requests_total Requests answered.\n# TYPE solekeyd_requests_total counter\n")
	for _, name := range names {
		for _, status := range slices.Sorted(maps.Keys(m.routes[name].statuses)) {
			fmt.Fprintf(w, "solekeyd_requests_total{route=%q,status=\"%d\"} %d\n", name, status, m.routes[name].statuses[status])
		}
	}
	fmt.Fprint(w, "# HELP solekeyd_request_seconds Time to answer.\n# TYPE solekeyd_request_seconds histogram\n")
	for _, name := range names {
		m.routes[name].write(w, name)
	}
}

func (c *routeCount) write(w io.Writer, name string) {
	for i, bound := range bounds() {
		fmt.Fprintf(w, "solekeyd_request_seconds_bucket{route=%q,le=\"%g\"} %d\n", name, bound, c.buckets[i])
	}
	fmt.Fprintf(w, "solekeyd_request_seconds_bucket{route=%q,le=\"+Inf\"} %d\n", name, c.total)
	fmt.Fprintf(w, "solekeyd_request_seconds_sum{route=%q} %g\n", name, c.seconds)
	fmt.Fprintf(w, "solekeyd_request_seconds_count{route=%q} %d\n", name, c.total)
}
