// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package witness

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// backwards is how far a clock may be behind the last cosignature and count as
// standing still; further behind, it was set back, and nothing is cosigned.
const backwards = time.Minute

// Memory is what a Witness remembers; *Store is one. Its contract is that of
// Store's methods.
type Memory interface {
	Latest(ctx context.Context, origin string) (Latest, error)
	Advance(ctx context.Context, origin string, from, to Latest) error
	Smallest(ctx context.Context, origin string, after protocol.Time) (uint64, bool, error)
	Raise(ctx context.Context, a Alarm) error
}

// Auditor holds a log's entries to its rules, up to a checkpoint that the log
// signed. It is called for one checkpoint at a time. Where it finds that the log
// broke a rule, its error is of KindUntrusted; a *Refusal goes to the log as it is.
type Auditor interface {
	Audit(ctx context.Context, c tlog.Checkpoint, now protocol.Time) error
}

// Log is a log that is cosigned.
type Log struct {
	Key     *tlog.LogKey
	Secrets []*tlog.WitnessSecret // who cosigns it; all lines are answered
	Auditor Auditor               // nil for a log that is not audited
}

// Config is what a Witness works with.
type Config struct {
	Logs   []Log
	Memory Memory
	Clock  func() time.Time
	Notes  *slog.Logger
	Limits Limits
}

// Witness cosigns checkpoints. It is safe for concurrent use.
type Witness struct {
	memory  Memory
	clock   func() time.Time
	notes   *slog.Logger
	logs    map[string]*watched
	byAddr  *limiter
	byLog   *limiter
	metrics metrics
}

// watched is one log. Requests for it are answered one after the other: who holds
// turn may read, decide and remember.
type watched struct {
	Log
	turn chan struct{}
}

// New returns a witness for the logs of the configuration.
func New(c Config) (*Witness, error) {
	w := &Witness{memory: c.Memory, clock: c.Clock, notes: c.Notes, logs: map[string]*watched{}, metrics: newMetrics()}
	w.byAddr, w.byLog = newLimiter(c.Limits.PerAddress, c.Clock), newLimiter(c.Limits.PerLog, c.Clock)
	for _, l := range c.Logs {
		origin := l.Key.Origin()
		if w.logs[origin] != nil {
			return nil, protocol.Errorf(protocol.KindUsage, "the log %s is named twice", origin)
		}
		if len(l.Secrets) == 0 {
			return nil, protocol.Errorf(protocol.KindUsage, "nobody would cosign the log %s", origin)
		}
		w.logs[origin] = &watched{Log: l, turn: make(chan struct{}, 1)}
	}
	return w, nil
}

// Refusal is an answer without a cosignature, by the statuses of tlog-witness.
type Refusal struct {
	Status int
	Text   string
	Size   uint64 // with IsSize: the size that the log is to start from
	IsSize bool   // the answer is the size, of type text/x.tlog.size
	Retry  bool   // the same may succeed later
}

// Error returns the text.
func (r *Refusal) Error() string { return fmt.Sprintf("%s (status %d)", r.Text, r.Status) }

func refuse(status int, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Text: fmt.Sprintf(format, args...)}
}

func later(format string, args ...any) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Text: fmt.Sprintf(format, args...), Retry: true}
}

// AddCheckpoint answers the body of a request with signature lines. Its error is a
// *Refusal where the request is at fault or is to be repeated, else a fault of the
// witness's own. Checkpoint and time are kept durably before it returns lines.
func (w *Witness) AddCheckpoint(ctx context.Context, body []byte) ([]byte, error) {
	request, err := tlog.ParseAddCheckpoint(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	claimed, err := tlog.ParseCheckpoint(request.Note)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	l, ok := w.logs[claimed.Origin]
	if !ok {
		return nil, refuse(http.StatusNotFound, "this witness does not know the log %.100q", claimed.Origin)
	}
	c, err := l.Key.Verify(request.Note)
	if err != nil {
		return nil, refuse(http.StatusForbidden, "%v", err)
	}
	if request.Old > c.Size {
		return nil, refuse(http.StatusBadRequest, "the old size %d is above the checkpoint's %d", request.Old, c.Size)
	}
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, later("other requests for the log %s are not through yet", c.Origin)
	}
	return w.add(ctx, l, request, c)
}

// add decides on a checkpoint that the log signed. The caller has the log's turn.
func (w *Witness) add(ctx context.Context, l *watched, request *tlog.AddCheckpoint, c tlog.Checkpoint) ([]byte, error) {
	last, err := w.memory.Latest(ctx, c.Origin)
	if err != nil {
		return nil, err
	}
	if request.Old != last.Size {
		return nil, &Refusal{Status: http.StatusConflict, Text: fmt.Sprintf("the last checkpoint had size %d", last.Size), Size: last.Size, IsSize: true}
	}
	if err := w.extends(ctx, last, request, c); err != nil {
		return nil, err
	}
	again := last.Time > 0 && c.Size == last.Size
	// Only the log can ask for something new. Its old notes are public, and whoever
	// repeats them must not use up what is its own.
	if !again && !w.byLog.allow(c.Origin) {
		return nil, tooMany("the log %s asks too often", c.Origin)
	}
	// What was cosigned before was audited then, and says nothing new of the time.
	if l.Auditor != nil && !again {
		if err := w.audit(ctx, l, request.Note, c); err != nil {
			return nil, err
		}
	}
	at, err := w.now(last)
	if err != nil {
		return nil, err
	}
	if !again || at != last.Time { // else nothing is new, and repeating it costs no write
		next := Latest{Size: c.Size, Root: c.Root, Time: at, Note: bare(l.Key, request.Note)}
		// From here on it must not matter whether the client is still there.
		if err := w.memory.Advance(context.WithoutCancel(ctx), c.Origin, last, next); err != nil {
			if protocol.KindOf(err) == protocol.KindConflict {
				return nil, later("%v", err)
			}
			return nil, err
		}
	}
	var lines []byte
	for _, s := range l.Secrets {
		lines = append(lines, s.Cosign(request.Note, c, at)...)
	}
	return lines, nil
}

// bare returns the note as it is kept.
func bare(key *tlog.LogKey, note []byte) []byte {
	out, err := key.Bare(note)
	if err != nil {
		panic("solekey: internal error: a note does not verify for the second time: " + err.Error())
	}
	return out
}

// extends holds the checkpoint to the one before.
func (w *Witness) extends(ctx context.Context, last Latest, request *tlog.AddCheckpoint, c tlog.Checkpoint) error {
	older := tlog.Checkpoint{Origin: c.Origin, Size: last.Size, Root: last.Root}
	if last.Time == 0 { // none was cosigned
		older.Root = new(tlog.Frontier).Root()
	}
	if older.Size == c.Size && older.Root != c.Root {
		w.alarm(ctx, c.Origin, request.Note, fmt.Sprintf("the log signed a second root at size %d: %s, before it was %s", c.Size, c.Root, older.Root))
		return refuse(http.StatusConflict, "another root was cosigned at size %d", c.Size)
	}
	if err := tlog.VerifyConsistency(older, c, request.Proof); err != nil {
		// A wrong proof alone says nothing about the log: anybody can send one.
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	return nil
}

// audit has the entries held to the rules.
func (w *Witness) audit(ctx context.Context, l *watched, note []byte, c tlog.Checkpoint) error {
	// What was read is kept even if the client hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTime)
	defer cancel()
	err := l.Auditor.Audit(ctx, c, protocol.TimeOf(w.clock()))
	var refusal *Refusal
	switch {
	case err == nil:
		return nil
	case asRefusal(err, &refusal):
		return refusal
	case protocol.KindOf(err) == protocol.KindUntrusted || protocol.KindOf(err) == protocol.KindUnsupported:
		w.alarm(ctx, c.Origin, note, err.Error())
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	case protocol.KindOf(err) == protocol.KindConflict:
		return refuse(http.StatusUnprocessableEntity, "%v", err)
	}
	w.notes.Warn("a log cannot be audited at present", "log", c.Origin, "error", err)
	if kind := protocol.KindOf(err); kind == protocol.KindNotFound || kind == protocol.KindUnreachable {
		return later("the log cannot be read at present: %v", err)
	}
	return later("the log cannot be audited at present") // the fault is ours
}

// auditTime bounds the reading within one request; progress is kept beyond it.
const auditTime = 60 * time.Second

// alarm says loudly that a log did what it must not, and keeps the proof.
func (w *Witness) alarm(ctx context.Context, origin string, note []byte, text string) {
	w.metrics.alarm(origin)
	w.notes.Error("ALARM: a log is not what it must be; nothing was cosigned", "log", origin, "what", text)
	a := Alarm{Origin: origin, Time: protocol.TimeOf(w.clock()), Text: text, Note: bare(w.logs[origin].Key, note)}
	if err := w.memory.Raise(context.WithoutCancel(ctx), a); err != nil {
		w.notes.Error("keep an alarm", "log", origin, "error", err)
	}
}

// now returns the time to cosign with, in whole seconds, never below the last.
func (w *Witness) now(last Latest) (protocol.Time, error) {
	at := protocol.TimeOf(w.clock().Truncate(time.Second))
	switch {
	case at <= 0:
		return 0, later("the clock of the witness is not set")
	case at >= last.Time:
		return at, nil
	case last.Time-at <= protocol.Time(backwards):
		return last.Time, nil
	}
	w.notes.Error("the clock is behind the last cosignature: nothing is cosigned until it has caught up", "clock", at, "last", last.Time)
	return 0, later("the clock of the witness was set back")
}
