// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// metrics counts answers.
type metrics struct {
	mu     *sync.Mutex // guards what follows
	status map[int]int64
	alarms map[string]int64
}

func newMetrics() metrics {
	return metrics{mu: new(sync.Mutex), status: map[int]int64{}, alarms: map[string]int64{}}
}

func (m metrics) answered(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status[status]++
}

func (m metrics) alarm(origin string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarms[origin]++
}

// write writes the text format that Prometheus reads (version 0.0.4).
func (m metrics) write(out io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(out, "# HELP solekey_witness_answers_total Answers to add-checkpoint by status.\n# TYPE solekey_witness_answers_total counter\n")
	for _, s := range slices.Sorted(maps.Keys(m.status)) {
		fmt.Fprintf(out, "solekey_witness_answers_total{status=\"%d\"} %d\n", s, m.status[s])
	}
	fmt.Fprint(out, "# HELP solekey_witness_alarms_total Checkpoints that a log signed and must not have.\n# TYPE solekey_witness_alarms_total counter\n")
	for _, o := range slices.Sorted(maps.Keys(m.alarms)) {
		fmt.Fprintf(out, "solekey_witness_alarms_total{log=%q} %d\n", o, m.alarms[o])
	}
}
