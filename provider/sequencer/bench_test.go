// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/solekey/solekey/provider/sequencer"
	"github.com/solekey/solekey/storage/disk"
)

// BenchmarkLog measures a log of as many names as SOLEKEY_BENCH_NAMES says, on a
// database and a folder, beside one that runs as it does in a provider:
//
//	SOLEKEY_BENCH_NAMES=100000 go test ./provider/sequencer -run ^$ -bench Log -benchtime 1x -timeout 2h
//
// SOLEKEY_BENCH_FILLED says how many names without an account the log holds before
// that: 1000000 accounts take long to make, and the log does not know them.
// It says how many accounts and how many updates a second are acknowledged by
// many at a time, how long one waits for it, how long it takes until an update
// is visible, how long a look-up takes here, what the log takes on disk, and what
// the process takes in memory.
func BenchmarkLog(b *testing.B) {
	names, err := strconv.Atoi(os.Getenv("SOLEKEY_BENCH_NAMES"))
	if err != nil {
		names = 500
	}
	w := newWorld(b, 0, "quorum none")
	if w.blobs, err = disk.Open(w.dir + "/blobs"); err != nil {
		b.Fatal(err)
	}
	w.now, w.durable = time.Now(), true
	w.config = func(c *sequencer.Config) { c.Clock = time.Now }
	if err := os.Remove(w.dir + "/a.db"); err != nil {
		b.Fatal(err)
	}
	w.restart()
	filled, _ := strconv.Atoi(os.Getenv("SOLEKEY_BENCH_FILLED"))
	fill(b, w, filled)
	b.ResetTimer()
	for range b.N {
		measure(b, w, names)
	}
}

func measure(b *testing.B, w *world, names int) {
	running, stop := stoppable()
	go w.Run(running)
	defer stop()
	holders := make([]*holder, names)
	took, _ := many(b, names, func(i int) error {
		holders[i] = w.newHolder(fmt.Sprint("name-", i))
		return w.create(holders[i])
	})
	b.ReportMetric(float64(names)/took.Seconds(), "accounts/s")
	b.ReportMetric(w.visible(b, holders[names-1]).Seconds(), "s-last-account-visible")
	updates := min(names, 20000)
	spent := processor(b)
	took, waits := many(b, updates, func(i int) error { return w.store.AppendLedger(ctx, w.batch(holders[i*7919%names])) })
	b.ReportMetric(float64(updates)/took.Seconds(), "updates/s")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "ms-update-median")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "ms-update-p99")
	b.ReportMetric(w.visible(b, holders[(updates-1)*7919%names]).Seconds(), "s-last-update-visible")
	b.ReportMetric(float64((processor(b)-spent).Microseconds())/float64(updates), "µs-processor-update")
	lookups(b, w, holders)
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.HeapAlloc)/1e6, "MB-heap")
	info, err := os.Stat(w.dir + "/a.db")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/1e6, "MB-database")
}

// processor returns the processor time that was used so far; it tells more than
// the clock where others use the machine.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// many does something n times, 64 at a time, and returns how long all and each took.
func many(b *testing.B, n int, do func(int) error) (time.Duration, []time.Duration) {
	b.Helper()
	waits := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range 64 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				waits[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	slices.Sort(waits)
	return took, waits
}

// visible waits until the newest version of a holder's name is published.
func (w *world) visible(b *testing.B, h *holder) time.Duration {
	b.Helper()
	start := time.Now()
	for time.Since(start) < 10*time.Minute {
		answer, err := w.Lookup(ctx, sequencer.Question{Name: h.name, Since: h.version - 1})
		if err == nil && len(answer.Openings) == 1 {
			return time.Since(start)
		}
		time.Sleep(5 * time.Millisecond)
	}
	b.Fatal("it is never visible")
	return 0
}

// lookups measures look-ups of names that nobody asked for lately, of names that
// are asked for again, and of absent ones.
func lookups(b *testing.B, w *world, holders []*holder) {
	b.Helper()
	kinds := map[string]func(int) string{
		"first":  func(i int) string { return holders[i*104729%len(holders)].name },
		"again":  func(i int) string { return holders[i%100].name },
		"absent": func(i int) string { return fmt.Sprint("absent-", i) },
	}
	for kind, name := range kinds {
		const n = 2000
		size := 0
		start, spent := time.Now(), processor(b)
		for i := range n {
			answer, err := w.Lookup(ctx, sequencer.Question{Name: name(i), Size: 2})
			if err != nil {
				b.Fatal(err)
			}
			size += len(answer.Bytes())
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/n, "µs-lookup-"+kind)
		b.ReportMetric(float64((processor(b)-spent).Microseconds())/n, "µs-processor-lookup-"+kind)
		b.ReportMetric(float64(size)/n, "B-answer-"+kind)
	}
}
