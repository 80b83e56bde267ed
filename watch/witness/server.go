// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/solekey/solekey/protocol/tlog"
)

// Bounds of what a witness takes in at once, and so of its memory.
const (
	maxBody  = 8<<10 + tlog.MaxNote // an old size, 63 hashes, a note
	atOnce   = 64                   // requests that are read or worked on
	ofOne    = 8                    // of these, from one address
	retrySec = 5
)

// Where a witness answers, and what it says of itself.
const (
	PathAddCheckpoint = "/add-checkpoint"
	PathVKeys         = "/vkeys"

	auditingMark  = "# mode: auditing"
	extensionMark = "# mode: extension"
)

// Handler serves the witness's public paths: add-checkpoint of tlog-witness, and
// its keys.
func (w *Witness) Handler() http.Handler {
	s := &slots{by: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+PathAddCheckpoint, func(rw http.ResponseWriter, r *http.Request) {
		address := addressOf(r)
		if !s.take(address) {
			w.answer(rw, nil, later("too many requests at once"))
			return
		}
		defer s.leave(address)
		lines, err := w.serve(rw, r, address)
		w.answer(rw, lines, err)
	})
	mux.HandleFunc("GET "+PathVKeys, w.vkeys)
	return mux
}

// slots are the requests under way.
type slots struct {
	mu    sync.Mutex // guards what follows
	total int
	by    map[string]int
}

// take reports whether the address may have one more.
func (s *slots) take(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total == atOnce || s.by[address] == ofOne {
		return false
	}
	s.total++
	s.by[address]++
	return true
}

func (s *slots) leave(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.by[address]--; s.by[address] == 0 {
		delete(s.by, address)
	}
}

func (w *Witness) serve(rw http.ResponseWriter, r *http.Request, address string) ([]byte, error) {
	if !w.byAddr.allow(address) {
		return nil, tooMany("this address asks too often")
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the request has more than %d bytes", maxBody)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the request is cut off")
	}
	return w.AddCheckpoint(r.Context(), body)
}

// answer writes what AddCheckpoint returned, and counts it.
func (w *Witness) answer(rw http.ResponseWriter, lines []byte, err error) {
	status := http.StatusOK
	var refusal *Refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(lines)
	case errors.As(err, &refusal):
		status = refusal.Status
		if refusal.Retry {
			rw.Header().Set("Retry-After", strconv.Itoa(retrySec))
		}
		if refusal.IsSize {
			rw.Header().Set("Content-Type", "text/x.tlog.size")
			rw.WriteHeader(status)
			fmt.Fprintf(rw, "%d\n", refusal.Size)
			break
		}
		http.Error(rw, refusal.Text, status)
	default:
		status = http.StatusInternalServerError
		w.notes.Error("a request failed; nothing was cosigned for it", "error", err)
		http.Error(rw, "a fault of the witness", status)
	}
	w.metrics.answered(status)
}

// addressOf is the client's address, of IPv6 the network that one customer has.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		if network, err := ip.Prefix(64); err == nil {
			return network.String()
		}
	}
	return ip.String()
}

// vkeys shows the keys that cosign a log, and whether it is audited. Without a
// log's name all must be treated alike.
func (w *Witness) vkeys(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	origins := slices.Sorted(maps.Keys(w.logs))
	if asked := r.URL.Query().Get("origin"); asked != "" {
		if w.logs[asked] == nil {
			http.Error(rw, "this witness does not know that log", http.StatusNotFound)
			return
		}
		origins = []string{asked}
	}
	if len(origins) == 0 {
		http.Error(rw, "this witness knows no log yet", http.StatusNotFound)
		return
	}
	text := w.vkeysOf(origins[0])
	for _, origin := range origins[1:] {
		if w.vkeysOf(origin) != text {
			http.Error(rw, "this witness has other keys for other logs: ask with ?origin=ORIGIN", http.StatusBadRequest)
			return
		}
	}
	fmt.Fprint(rw, text)
}

func (w *Witness) vkeysOf(origin string) string {
	l := w.logs[origin]
	text := extensionMark + "\n"
	if l.Auditor != nil {
		text = auditingMark + "\n"
	}
	for _, s := range l.Secrets {
		text += s.Public().String() + "\n"
	}
	return text
}

// Metrics serves counts for whoever runs the witness, and the sizes that were
// cosigned; it belongs on a loopback address.
func (w *Witness) Metrics() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.metrics.write(rw)
		w.sizes(r.Context(), rw)
	})
}

func (w *Witness) sizes(ctx context.Context, out io.Writer) {
	fmt.Fprint(out, "# HELP solekey_witness_size Entries of the newest checkpoint that was cosigned.\n# TYPE solekey_witness_size gauge\n"+
		"# HELP solekey_witness_cosigned_seconds When that was, in seconds since 1970.\n# TYPE solekey_witness_cosigned_seconds gauge\n")
	for _, origin := range slices.Sorted(maps.Keys(w.logs)) {
		l, err := w.memory.Latest(ctx, origin)
		if err != nil {
			w.notes.Error("read what was cosigned", "error", err)
			return
		}
		fmt.Fprintf(out, "solekey_witness_size{log=%q} %d\nsolekey_witness_cosigned_seconds{log=%q} %d\n", origin, l.Size, origin, l.Time/1e9)
	}
}
