// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/protocol"
)

// streams are where a command reads and writes.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app is what the commands share: streams, global flags and how to say things.
type app struct {
	*streams
	flags globals

	interrupted chan struct{} // closed by the first interrupt
	mu          sync.Mutex    // serialises output
	shown       int           // width of the progress line on the terminal
	lines       *bufio.Reader // of In, once a line was read
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, s *streams) int {
	a := &app{streams: s, interrupted: make(chan struct{})}
	ctx, stop := a.watchSignals(ctx)
	defer stop()
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	a.clearProgress()
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && a.wasInterrupted() {
		err = protocol.Wrap(protocol.KindInterrupted, err, "interrupted")
	}
	code := exitCode(err)
	a.complain(err, code)
	return code
}

// watchSignals closes a.interrupted at the first interrupt, so that a backup can
// end in order, and cancels the context at the second. One after that ends the
// program by itself, should a file system not answer.
func (a *app) watchSignals(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		select {
		case <-signals:
			close(a.interrupted)
		case <-ctx.Done():
			return
		}
		if !a.finishes(ctx) {
			cancel()
			return
		}
		a.warn("interrupted: the run ends in order, with what was read so far; interrupt again to stop at once")
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

// finishes reports whether the running command ends in order by itself after an
// interrupt.
func (a *app) finishes(context.Context) bool { return a.flags.orderly.Load() }

func (a *app) wasInterrupted() bool {
	select {
	case <-a.interrupted:
		return true
	default:
		return false
	}
}

// emit writes one object on a line of its own, for --json.
func (a *app) emit(v any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, err := json.Marshal(v)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	fmt.Fprintf(a.Out, "%s\n", line)
}

// say writes a line for people to stdout.
func (a *app) say(format string, args ...any) {
	a.clearProgress()
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.Out, format+"\n", args...)
}

// show writes a line for people to stderr: what they need while a command runs.
func (a *app) show(format string, args ...any) {
	if a.flags.json {
		return
	}
	a.clearProgress()
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.Err, format+"\n", args...)
}

// warn writes a line to stderr, as an object where --json was asked for.
func (a *app) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.clearProgress()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flags.json {
		line, _ := json.Marshal(map[string]string{"message_type": "error", "message": text})
		fmt.Fprintf(a.Err, "%s\n", line)
		return
	}
	fmt.Fprintf(a.Err, "solekey: %s\n", text)
}

// complain says why a command failed.
func (a *app) complain(err error, code int) {
	var silent errSilent
	if errors.As(err, &silent) {
		return
	}
	text := err.Error()
	if protocol.KindOf(err) == protocol.KindUnsupported && !strings.Contains(text, "update") {
		text += "; if there is a newer one, update this program: nothing of what it does not know was used"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flags.json {
		line, _ := json.Marshal(map[string]any{"message_type": "exit_error", "code": code, "message": text})
		fmt.Fprintf(a.Err, "%s\n", line)
		return
	}
	fmt.Fprintf(a.Err, "solekey: %s\n", text)
}

// errSilent is an exit code whose reason was said already.
type errSilent struct{ error }

// Unwrap returns the error that was said.
func (e errSilent) Unwrap() error { return e.error }

// onTerminal reports whether stderr is a terminal, where progress may be shown.
func (a *app) onTerminal() bool {
	f, ok := a.Err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !a.flags.json && !a.flags.quiet
}

// asksOnTerminal reports whether there is somebody to ask.
func (a *app) asksOnTerminal() bool {
	f, ok := a.In.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// progress shows a line on the terminal in the place of the one before.
func (a *app) progress(line string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.Err, "\r%-*s", a.shown, line)
	a.shown = len(line)
}

func (a *app) clearProgress() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shown > 0 {
		fmt.Fprintf(a.Err, "\r%*s\r", a.shown, "")
		a.shown = 0
	}
}

// tick calls show a few times a second until the returned function is called;
// with --json once a second, and not at all where nobody looks.
func (a *app) tick(show func()) (stop func()) {
	every := 200 * time.Millisecond
	switch {
	case a.flags.json:
		every = time.Second
	case !a.onTerminal():
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	ticker := time.NewTicker(every)
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticker.C:
				show()
			case <-done:
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done); <-ended }
}

// now is the device's clock.
func (a *app) now() protocol.Time { return protocol.TimeOf(clock.Now()) }
