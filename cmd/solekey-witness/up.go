// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/watch/follow"
	"github.com/solekey/solekey/watch/witness"
)

// upFlags are the flags of `up`.
type upFlags struct {
	listen      string
	name        string
	logs        []string
	audit       []string
	metrics     string
	cert, key   string
	logRate     float64
	addressRate float64
	verbose     bool
}

func (p *program) upCommand() *cobra.Command {
	var f upFlags
	limits := witness.DefaultLimits()
	c := &cobra.Command{
		Use: "up", Short: "Start the witness, and make its keys at the first start", Args: terminal.Exactly(0, "no arguments"),
		Long: "up answers logs until it is stopped. At the first start it makes keys and prints them.\n" +
			"A log is named by its key, as solekeyd log status prints it. An audited log needs its\n" +
			"address too, because every entry is read and held to the rules of the directory.\n\n" +
			"The data folder must never be put back to an older state: a witness that forgot could\n" +
			"cosign a fork. If it is lost, begin a new witness.",
		Example: "  solekey-witness up --log 'log.example+4144a247+AU84…=https://cloud.example.org/v1/log' --audit all\n" +
			"  solekey-witness up --name witness.example.org --log 'sum.golang.org+033de0ae+Ac4z…'",
		RunE: func(c *cobra.Command, _ []string) error { return p.up(c.Context(), f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", ":8445", "address to serve on")
	flags.StringVar(&f.name, "name", "", "name of the witness in its keys, chosen at the first start (default: this machine's)")
	flags.StringArrayVar(&f.logs, "log", nil, "KEY or KEY=URL of a log that is cosigned; may be repeated")
	flags.StringArrayVar(&f.audit, "audit", nil, "ORIGIN of a log that is audited, or all; may be repeated")
	flags.StringVar(&f.metrics, "metrics", "127.0.0.1:0", "loopback address of metrics and health, empty for none")
	flags.StringVar(&f.cert, "tls-cert", "", "certificate to serve HTTPS with (default: HTTP)")
	flags.StringVar(&f.key, "tls-key", "", "its key")
	flags.Float64Var(&f.logRate, "log-rate", limits.PerLog.PerSecond, "new checkpoints a second that a log may bring, 0 for any")
	flags.Float64Var(&f.addressRate, "address-rate", limits.PerAddress.PerSecond, "requests a second that an address may make, 0 for any")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	return c
}

// watched is a log that flags name.
type watched struct {
	key   *tlog.LogKey
	url   string
	audit bool
}

// readLogs reads --log and --audit.
func readLogs(f upFlags) ([]watched, error) {
	var list []watched
	for _, text := range f.logs {
		vkey, url, _ := strings.Cut(text, "=")
		key, err := tlog.ParseLogKey(vkey)
		if err != nil {
			return nil, protocol.Wrap(protocol.KindUsage, err, "--log %.80s", text)
		}
		list = append(list, watched{key: key, url: url})
	}
	for _, origin := range f.audit {
		found := false
		for i := range list {
			if origin == "all" || list[i].key.Origin() == origin {
				list[i].audit, found = true, true
			}
		}
		if !found {
			return nil, protocol.Errorf(protocol.KindUsage, "--audit %s: no --log names a log of that origin", origin)
		}
	}
	for _, l := range list {
		if l.audit && l.url == "" {
			return nil, protocol.Errorf(protocol.KindUsage, "to audit %s its address is needed: --log KEY=URL", l.key.Origin())
		}
	}
	return list, nil
}

func (p *program) up(ctx context.Context, f upFlags) error {
	logs, err := readLogs(f)
	if err != nil {
		return err
	}
	if len(logs) == 0 {
		return protocol.Errorf(protocol.KindUsage, "name at least one log: --log KEY[=URL]; solekeyd log status prints it")
	}
	if (f.cert == "") != (f.key == "") {
		return protocol.Errorf(protocol.KindUsage, "--tls-cert and --tls-key go together")
	}
	dir, err := p.folder()
	if err != nil {
		return err
	}
	s, first, err := createSite(ctx, dir, f.name)
	if err != nil {
		return err
	}
	err = p.serve(ctx, s, first, logs, f)
	return errors.Join(err, s.Close())
}

// serve wires the witness and answers until ctx ends.
func (p *program) serve(ctx context.Context, s *site, first bool, logs []watched, f upFlags) error {
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	notes := slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
	if p.json {
		notes = slog.New(slog.NewJSONHandler(p.err, &slog.HandlerOptions{Level: level}))
	}
	config := witness.Config{Memory: s.memory, Clock: clock.Now, Notes: notes, Limits: witness.DefaultLimits()}
	config.Limits.PerLog.PerSecond, config.Limits.PerAddress.PerSecond = f.logRate, f.addressRate
	replays, err := s.wire(ctx, &config, logs)
	if err != nil {
		return err
	}
	if replays != nil {
		defer func() { _ = replays.Close() }()
	}
	w, err := witness.New(config)
	if err != nil {
		return err
	}
	listener, err := listen(f.listen)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	private, err := serveMetrics(f.metrics, w, failed)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	public := &http.Server{
		Handler: w.Handler(), ErrorLog: log.New(discard{}, "", 0), MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 100 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	go func() {
		if f.cert != "" {
			failed <- public.ServeTLS(listener, f.cert, f.key)
			return
		}
		failed <- public.Serve(listener)
	}()
	p.welcome(s, first, logs, listener.Addr().String(), private)
	select {
	case err = <-failed:
	case <-ctx.Done():
		p.say(map[string]any{"message_type": "status", "action": "stopping"}, "Stopping: requests under way are finished.")
	}
	closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if shut := public.Shutdown(closing); shut != nil {
		err = errors.Join(err, public.Close())
	}
	return err
}

// wire gives the configuration its logs, and audited ones what they are audited by.
func (s *site) wire(ctx context.Context, c *witness.Config, logs []watched) (*follow.Store, error) {
	var replays *follow.Store
	if slices.ContainsFunc(logs, func(l watched) bool { return l.audit }) {
		var err error
		if replays, err = follow.Open(ctx, filepath.Join(s.dir, followName)); err != nil {
			return nil, err
		}
	}
	for _, l := range logs {
		one := witness.Log{Key: l.key, Secrets: s.keys.of(l.audit)}
		if l.audit {
			source, err := follow.Dial(l.url)
			if err != nil {
				return nil, errors.Join(err, replays.Close())
			}
			one.Auditor = witness.NewAuditor(l.key, source, replays, s.memory)
		}
		c.Logs = append(c.Logs, one)
	}
	return replays, nil
}

// welcome says what the witness does, and shows its keys at the first start.
func (p *program) welcome(s *site, first bool, logs []watched, address, private string) {
	var origins, audited []string
	for _, l := range logs {
		origins = append(origins, l.key.Origin())
		if l.audit {
			audited = append(audited, l.key.Origin())
		}
	}
	p.say(map[string]any{
		"message_type": "status", "action": "serving", "name": s.keys.name(), "data": s.dir, "listen": address, "metrics": private,
		"logs": origins, "audited": append([]string{}, audited...),
	}, "Witness %s serves on %s; data in %s.\nLogs: %s.\nAudited: %s.", s.keys.name(), address, s.dir, strings.Join(origins, ", "), orNone(audited))
	if private != "" && !p.json {
		p.say(nil, "Metrics and health: %s/metrics, %s/health (this machine only).", private, private)
	}
	if first {
		p.say(map[string]any{"message_type": "status", "action": "keys-made"}, "\nNew keys were made. Those who demand this witness put these lines into their policy\n(again with: %s key):\n", programName)
		p.showKeys(s.keys, "")
	}
	p.say(map[string]any{"message_type": "summary", "action": "up", "ok": true}, "Ready.")
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// listen takes the address to serve on.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, protocol.Wrap(protocol.KindUsage, err, "another program serves on %s already: --listen names another address", address)
	}
	return listener, protocol.Wrap(protocol.KindUsage, err, "serve on %s", address)
}

// discard takes what net/http complains about: its messages hold clients'
// addresses.
type discard struct{}

func (discard) Write(message []byte) (int, error) { return len(message), nil }

// serveMetrics serves metrics and health on a loopback address.
func serveMetrics(address string, w *witness.Witness, failed chan<- error) (string, error) {
	if address == "" {
		return "", nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", protocol.Wrap(protocol.KindUsage, err, "serve metrics on %s", address)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		_ = listener.Close()
		return "", protocol.Errorf(protocol.KindUsage, "--metrics: %s is no loopback address", address)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", w.Metrics())
	mux.HandleFunc("GET /health", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "ok\n") })
	private := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { failed <- fmt.Errorf("metrics: %w", private.Serve(listener)) }()
	return "http://" + listener.Addr().String(), nil
}
