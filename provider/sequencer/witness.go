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

	busy sync.Mutex // held while a request is under way; guards size

	size uint64 // of the last checkpoint that it is known to have cosigned

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
// another past of it. Either says that what is here is an older copy, or that two
// servers write one log.
type disputeError struct {
	name   string
	theirs uint64
	ours   uint64
	forked bool
}

// Error says what the witness has seen.
func (e *disputeError) Error() string {
	if e.forked {
		return fmt.Sprintf("witness %s has seen this log with another past than the one here: this is an older copy that went on, or two servers write one log", e.name)
	}
	return fmt.Sprintf("witness %s has seen this log with %d entries, and here it has %d: this is an older copy", e.name, e.theirs, e.ours)
}

// refusedError is an answer that is neither a cosignature nor another size.
type refusedError struct {
	status int
	text   string
}

// Error says what the witness answered.
func (e *refusedError) Error() string {
	return fmt.Sprintf("it answered with status %d: %s", e.status, e.text)
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
		switch {
		case err != nil:
			return nil, 0, protocol.Wrap(protocol.KindUnreachable, err, "ask witness %s", w.key.Name())
		case status == http.StatusOK:
			line, at, err := w.key.Accept(note, answer)
			if err == nil {
				w.size = size
			}
			return line, at, err
		case status == http.StatusUnprocessableEntity:
			return nil, 0, &disputeError{name: w.key.Name(), theirs: old, ours: size, forked: true}
		case status != http.StatusConflict:
			return nil, 0, &refusedError{status, firstLine(answer)}
		}
		theirs, err := tlog.ParseConflict(answer)
		if err != nil {
			return nil, 0, &refusedError{status, firstLine(answer)}
		}
		switch {
		case theirs > size:
			return nil, 0, &disputeError{name: w.key.Name(), theirs: theirs, ours: size}
		case theirs == old && old == size: // its root differs
			return nil, 0, &disputeError{name: w.key.Name(), theirs: theirs, ours: size, forked: true}
		case again || theirs == old:
			return nil, 0, &refusedError{status, "it says that it is at another size, and then not"}
		}
		old, w.size = theirs, theirs
	}
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
