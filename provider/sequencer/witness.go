// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// witness asks one witness by tlog-witness. One request is under way at a time.
type witness struct {
	key    *tlog.WitnessKey
	url    string
	client *http.Client
	former bool // no new device demands it

	busy sync.Mutex // held while a request is under way; guards what follows

	size uint64 // of the last checkpoint that it cosigned, as far as is known
	mine bool   // it cosigned that for this process, and did not only say so

	mu     sync.Mutex // guards status
	status WitnessStatus
}

// WitnessStatus says what a witness answered last.
type WitnessStatus struct {
	Name     string
	URL      string
	Size     uint64        // of the last checkpoint that it cosigned for this process; 0: none yet
	Cosigned protocol.Time // when, by its clock
	Error    string        // of the last request; empty where it went well
}

// disputeError says that a witness has seen more of the log than there is, or
// another root at the same size. Either says that what is here is an older copy, or
// that two servers write one log.
type disputeError struct {
	name   string
	theirs uint64
	ours   uint64
	forked bool
	text   string // what it says, where it says something
}

// Error says what the witness has seen.
func (e *disputeError) Error() string {
	if e.text != "" {
		return fmt.Sprintf("witness %s does not accept that this log extends what it saw of it, %d entries: %s; this is an older copy that went on, or two servers write one log", e.name, e.theirs, e.text)
	}
	if e.forked {
		return fmt.Sprintf("witness %s has seen this log with another past than the one here: this is an older copy that went on, or two servers write one log", e.name)
	}
	return fmt.Sprintf("witness %s has seen this log with %d entries, and here it has %d: this is an older copy", e.name, e.theirs, e.ours)
}

// refusedError is an answer that is neither a cosignature nor another size.
type refusedError struct {
	name   string
	status int
	text   string
	size   bool // it said before which size it knows, and that is no more than there is
}

// Error says what the witness answered.
func (e *refusedError) Error() string {
	return fmt.Sprintf("witness %s refuses: %s (status %d)", e.name, e.text, e.status)
}

// final reports whether the same question would get the same answer.
func (e *refusedError) final() bool {
	return e.status != http.StatusTooManyRequests && e.status < http.StatusInternalServerError
}

// heard reports whether the witness has said that it knows no more of the log than
// there is: by its size, or because it does not know the log at all. That it cannot
// cosign at the moment, or does not like the time of the newest root, is another
// thing.
func (e *refusedError) heard() bool {
	return e.status == http.StatusNotFound || e.size && !e.final()
}

// prover proves that a checkpoint extends an older size.
type prover func(ctx context.Context, old uint64) ([]protocol.Hash, error)

// cosign asks for a cosignature of a note of this size and returns its line. A
// witness that says it is at another size is asked once more from there; where
// that is more than there is, or it knows another past, the error is a *disputeError.
func (w *witness) cosign(ctx context.Context, note []byte, size uint64, prove prover) ([]byte, error) {
	if !w.busy.TryLock() {
		return nil, protocol.Errorf(protocol.KindBusy, "witness %s has not answered the question before", w.key.Name())
	}
	defer w.busy.Unlock()
	line, at, err := w.ask(ctx, note, size, prove)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status.Error = ""
	if err != nil {
		w.status.Error = err.Error()
		return nil, err
	}
	w.status.Size, w.status.Cosigned = size, at
	return line, nil
}

func (w *witness) ask(ctx context.Context, note []byte, size uint64, prove prover) ([]byte, protocol.Time, error) {
	old := min(w.size, size)
	for again := false; ; again = true {
		proof, err := prove(ctx, old)
		if err != nil {
			return nil, 0, err
		}
		request := tlog.AddCheckpoint{Old: old, Proof: proof, Note: note}
		status, answer, err := w.post(ctx, request.Marshal())
		if err != nil {
			return nil, 0, protocol.Wrap(protocol.KindUnreachable, err, "ask witness %s", w.key.Name())
		}
		if status == http.StatusOK {
			line, at, err := w.key.Accept(note, answer)
			if err == nil {
				w.size, w.mine = size, true
			}
			return line, at, err
		}
		theirs, err := w.theirs(status, answer, old, size, again)
		if err != nil {
			return nil, 0, err
		}
		old, w.size, w.mine = theirs, theirs, false
	}
}

// theirs returns the size that a witness wants to be asked from, or what else its
// answer says.
func (w *witness) theirs(status int, answer []byte, old, size uint64, again bool) (uint64, error) {
	refused := &refusedError{w.key.Name(), status, firstLine(answer), old > 0}
	switch {
	case status == http.StatusUnprocessableEntity && old > 0 && !w.mine:
		// The proof was from the size that it said. Of a size that it cosigned for
		// this process it must be something else that it does not like.
		return 0, &disputeError{name: w.key.Name(), theirs: old, ours: size, forked: true, text: refused.text}
	case status != http.StatusConflict:
		return 0, refused
	}
	theirs, err := tlog.ParseConflict(answer)
	switch {
	case old == size && (err != nil || theirs == size): // it knows another root at this size
		return 0, &disputeError{name: w.key.Name(), theirs: size, ours: size, forked: true}
	case err == nil && theirs > size:
		return 0, &disputeError{name: w.key.Name(), theirs: theirs, ours: size}
	case err != nil || again || theirs == old:
		refused.size = false
		return 0, refused
	}
	return theirs, nil
}

// maxAnswer bounds what is read of a witness's answer.
const maxAnswer = 64 << 10

func (w *witness) post(ctx context.Context, body []byte) (int, []byte, error) {
	url := strings.TrimSuffix(w.url, "/") + "/add-checkpoint"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := w.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, answer, err
}

// firstLine returns what a person needs of an answer.
func firstLine(answer []byte) string {
	line, _, _ := bytes.Cut(answer, []byte("\n"))
	return fmt.Sprintf("%.100q", line)
}
