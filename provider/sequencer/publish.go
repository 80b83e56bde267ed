// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// crowd is all witnesses of all worlds.
type crowd struct {
	s         *Service
	witnesses []*witness

	proving sync.Mutex    // held while what witnesses know is asked; guards proven
	tried   chan struct{} // closed when they were asked for the first time
	once    sync.Once
	proven  bool // enough witnesses said that they know no more of this log than it does

	offering sync.Mutex // held while a note is published, so that none with fewer lines comes after

	mu      sync.Mutex // guards what follows
	heard   map[string]bool
	current Note // what cosignatures are gathered for, with those that came
}

func newCrowd(s *Service) *crowd {
	client := *s.Client // a witness is where the policy says
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &crowd{s: s, heard: map[string]bool{}, tried: make(chan struct{})}
	known := map[string]bool{}
	for n, w := range s.worlds {
		for _, p := range w.policy.Witnesses() {
			if p.URL == "" || known[p.Key.String()] {
				continue
			}
			known[p.Key.String()] = true
			one := &witness{key: p.Key, url: p.URL, client: &client}
			one.status = WitnessStatus{Name: p.Key.Name(), URL: p.URL}
			one.former = n > 0
			c.witnesses = append(c.witnesses, one)
		}
	}
	return c
}

// needed reports whether any world demands witnesses.
func (c *crowd) needed() bool {
	for _, w := range c.s.worlds {
		if w.policy.NeedsWitness() {
			return true
		}
	}
	return false
}

// prove makes sure, once in the life of a process and before it integrates or
// signs anything, that the log is not an older copy of itself: it shows witnesses
// the checkpoint that was signed last, which says nothing new, and goes on when as
// many have answered as make a quorum of some world. Any quorum that cosigned
// something later shares a member with them, where quorums are majorities. What a
// process before this one refused is reconsidered then.
func (c *crowd) prove(ctx context.Context) error {
	c.proving.Lock()
	defer c.proving.Unlock()
	if c.proven {
		return nil
	}
	if c.needed() {
		err := c.askAll(ctx)
		c.once.Do(func() { close(c.tried) })
		if err != nil {
			return err
		}
	}
	if err := c.s.Store.Reconsider(ctx); err != nil {
		return err
	}
	c.proven = true
	return nil
}

// askAll asks all witnesses what they know of the log.
func (c *crowd) askAll(ctx context.Context) error {
	note, first, err := c.lastSigned(ctx)
	if err != nil {
		return err
	}
	head, err := c.s.Store.LogHead(ctx, c.s.key.ID())
	if err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, c.s.Patience)
	defer cancel()
	var refused, failed error
	var wg sync.WaitGroup
	for _, w := range c.witnesses {
		wg.Go(func() {
			_, said := w.cosign(asking, note.Note, note.Size, c.s.consistency(note.Size))
			if said == nil {
				said = c.ahead(w)
			}
			err := c.answered(w, said, head.Size, first)
			c.mu.Lock()
			defer c.mu.Unlock()
			refused, failed = errors.Join(refused, err), errors.Join(failed, said)
		})
	}
	wg.Wait()
	if refused != nil {
		return c.s.refuse(context.WithoutCancel(ctx), "%v", refused)
	}
	if !c.s.worlds[0].policy.NeedsWitness() {
		return nil // whoever runs the server said that it has no witness any more
	}
	for _, w := range c.s.worlds {
		if w.policy.NeedsWitness() && w.policy.Satisfied(func(p tlog.PolicyWitness) bool { return c.heard[p.Key.String()] }) {
			return nil
		}
	}
	if failed == nil {
		failed = errors.New("there are too few")
	}
	return protocol.Wrap(protocol.KindUnreachable, failed, "the log waits until enough witnesses have said whether they know a later copy of it")
}

// answered notes that a witness spoke, and returns an error where it knows more
// than the log.
func (c *crowd) answered(w *witness, err error, size uint64, first bool) error {
	var dispute *disputeError
	var other *refusedError
	switch {
	case errors.As(err, &dispute) && (dispute.forked || dispute.theirs > size):
		dispute.ours = size
		return c.stops(w, dispute)
	case err == nil, dispute != nil:
	case errors.As(err, &other) && (other.heard() || first && other.final()):
		// Or it does not cosign an empty log.
	default:
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[w.key.String()] = true
	return nil
}

// stops returns what a witness says against the log, if that is to stop it: for
// what a witness says nobody has a proof, so that one which new devices do not
// demand any more could stop it for ever.
func (c *crowd) stops(w *witness, e *disputeError) error {
	if !w.former {
		return e
	}
	c.s.Logger.Error("a witness that only older worlds demand does not cosign any more", "error", e)
	return nil
}

// maxAhead is how far the clock may be ahead of a witness's at the start of a
// process.
const maxAhead = 10 * time.Minute

// ahead returns an error where the clock is ahead of that of a witness which has
// just cosigned. A root that is dated in the future can never be taken back, and no
// witness would cosign anything until then.
func (c *crowd) ahead(w *witness) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	ahead := c.s.now() - w.status.Cosigned
	if ahead <= protocol.Time(maxAhead) {
		return nil
	}
	err := protocol.Errorf(protocol.KindUnreachable, "witness %s cosigned at %s, and the clock here is %s ahead: one of the two is wrong",
		w.key.Name(), w.status.Cosigned, time.Duration(ahead).Round(time.Second))
	w.status.Error = err.Error()
	return err
}

// lastSigned returns the checkpoint that was signed last. Where none was, it is
// the one of the empty log, which every log has.
func (c *crowd) lastSigned(ctx context.Context) (Note, bool, error) {
	note, err := c.s.Store.Note(ctx, protocol.Hash{})
	if err == nil && note.Size == 0 {
		empty := tlog.Checkpoint{Root: new(tlog.Frontier).Root()}
		return Note{Note: c.s.Key.Sign(empty)}, true, nil
	}
	return note, false, err
}

// consistency returns the prover for a size.
func (s *Service) consistency(size uint64) prover {
	return func(ctx context.Context, old uint64) ([]protocol.Hash, error) {
		return tlog.ProveConsistency(ctx, s.tiles, old, size)
	}
}

// retry is how soon cosignatures are asked for again where too few came.
const retry = 5 * time.Second

// publishing publishes whenever the log has grown, and tries again where it could
// not.
func (s *Service) publishing(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	var told complaint
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.signal:
		case <-wait.C:
		}
		switch err := s.Publish(ctx); {
		case err == nil:
			told = complaint{}
		case ctx.Err() == nil && told.due():
			s.Logger.Warn("the newest checkpoint is not published for every world", "error", err)
		}
		wait.Reset(retry)
	}
}

// Publish signs a checkpoint over all that is integrated, asks the witnesses, and
// publishes it for every world whose quorum cosigned. It returns as soon as all
// worlds are served, or when all witnesses have answered; what comes later is
// added to the published checkpoint.
func (s *Service) Publish(ctx context.Context) error {
	err := s.publish(ctx)
	s.failing.Store(err != nil)
	return err
}

func (s *Service) publish(ctx context.Context) error {
	if err := s.crowd.prove(ctx); err != nil {
		return err
	}
	if err := s.Refusal(ctx); err != nil {
		return err
	}
	head, err := s.Store.LogHead(ctx, s.key.ID())
	if err != nil || head.Size == 0 {
		return err
	}
	if done, err := s.served(ctx, head.Size); done || err != nil {
		s.newest.forget() // another process may have served them
		return err
	}
	root, err := s.entry(ctx, head.Size-1, head.Size)
	if err != nil {
		return err
	}
	// All of it is durable, and this is the only root this log ever has at this size.
	note := Note{Size: head.Size, Note: s.Key.Sign(tlog.Checkpoint{Size: head.Size, Root: head.Root}), Root: root}
	if err := s.Store.PutNote(ctx, protocol.Hash{}, note); err != nil {
		return err
	}
	return s.crowd.gather(ctx, note)
}

// served reports whether every world has a checkpoint of the size.
func (s *Service) served(ctx context.Context, size uint64) (bool, error) {
	for _, w := range s.worlds {
		note, err := s.Store.Note(ctx, w.hash)
		if err != nil || note.Size < size {
			return false, err
		}
	}
	return true, nil
}

// gather asks the witnesses about a note, and returns when it is published for
// every world or all have answered. Its requests outlive it by Patience at most.
func (c *crowd) gather(ctx context.Context, note Note) error {
	c.mu.Lock()
	if c.current.Size != note.Size { // else what was gathered before counts
		c.current = note
	}
	c.mu.Unlock()
	answers := make(chan error, len(c.witnesses)+1)
	answers <- c.offer(ctx) // there may be worlds that need no witness
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.s.Patience)
	var wg sync.WaitGroup
	for _, w := range c.witnesses {
		wg.Go(func() { answers <- c.ask(asking, w, note) })
	}
	go func() { wg.Wait(); cancel() }()
	var failed error
	for range cap(answers) {
		select {
		case err := <-answers:
			failed = errors.Join(failed, err)
		case <-ctx.Done():
			return ctx.Err()
		}
		if served, err := c.s.served(ctx, note.Size); served || err != nil {
			return err
		}
	}
	if err := c.s.Refusal(ctx); err != nil {
		return err
	}
	if failed == nil {
		failed = errors.New("the worlds demand more than there are")
	}
	return protocol.Wrap(protocol.KindUnreachable, failed, "too few witnesses cosigned the checkpoint of size %d", note.Size)
}

// ask asks one witness, adds its line to the note, if that is still the one that
// cosignatures are gathered for, and publishes what that is enough for.
func (c *crowd) ask(ctx context.Context, w *witness, note Note) error {
	line, err := w.cosign(ctx, note.Note, note.Size, c.s.consistency(note.Size))
	var dispute *disputeError
	if errors.As(err, &dispute) {
		return c.settle(ctx, w, dispute)
	}
	if err != nil {
		return err
	}
	if err := c.add(note.Size, line); err != nil {
		return err
	}
	return c.offer(ctx)
}

func (c *crowd) add(size uint64, line []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current.Size != size {
		return nil
	}
	with, err := tlog.Attach(c.current.Note, line)
	if err == nil {
		c.current.Note = with
	}
	return err
}

// settle looks whether the log has grown meanwhile, in another process; where that
// does not explain what a witness says, the log stops.
func (c *crowd) settle(ctx context.Context, w *witness, e *disputeError) error {
	head, err := c.s.Store.LogHead(ctx, c.s.key.ID())
	if err != nil {
		return err
	}
	if !e.forked && e.theirs <= head.Size {
		return nil
	}
	e.ours = head.Size
	if c.stops(w, e) == nil {
		return e
	}
	return c.s.refuse(ctx, "%v", e)
}

// offer publishes the note for every world that it satisfies.
func (c *crowd) offer(ctx context.Context) error {
	c.offering.Lock()
	defer c.offering.Unlock()
	c.mu.Lock()
	note := c.current
	c.mu.Unlock()
	defer c.s.newest.forget()
	for _, w := range c.s.worlds {
		_, err := w.policy.Verify(note.Note)
		var quorum *tlog.QuorumError
		if errors.As(err, &quorum) {
			continue
		}
		if err != nil {
			return err
		}
		if err := c.s.Store.PutNote(ctx, w.hash, note); err != nil {
			return err
		}
	}
	return nil
}

// Status says how the log is.
type Status struct {
	Size      uint64
	Batches   int64                    // since this process began
	Published map[protocol.Hash]uint64 // sizes, by world
	Waiting   int64
	Anchors   int64 // that wait
	Rejected  int64
	Witnesses []WitnessStatus
	Refusal   string
}

// Status returns how the log is.
func (s *Service) Status(ctx context.Context) (Status, error) {
	st := Status{Published: map[protocol.Hash]uint64{}}
	head, err := s.Store.LogHead(ctx, s.key.ID())
	if err != nil {
		return st, err
	}
	st.Size = head.Size
	for _, w := range s.worlds {
		note, err := s.Store.Note(ctx, w.hash)
		if err != nil {
			return st, err
		}
		st.Published[w.hash] = note.Size
	}
	if st.Waiting, st.Anchors, st.Rejected, err = s.Store.QueueLength(ctx); err != nil {
		return st, err
	}
	for _, w := range s.crowd.witnesses {
		w.mu.Lock()
		st.Witnesses = append(st.Witnesses, w.status)
		w.mu.Unlock()
	}
	s.mu.Lock()
	st.Batches = s.batches
	s.mu.Unlock()
	st.Refusal, err = s.Store.Refusal(ctx)
	return st, err
}
