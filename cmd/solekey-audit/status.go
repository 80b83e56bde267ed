// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/watch/auditor"
	"github.com/solekey/solekey/watch/follow"
)

func (p *program) statusCommand() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use: "status", Short: "Show how the log stood when it was followed last, without asking it", Args: terminal.AtMost(0, "no arguments"),
		Example: "  solekey-audit status --log 'cloud.example.org+1b2c…' --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.status(cmd.Context(), f) },
	}
	f.add(cmd)
	return cmd
}

func (p *program) status(ctx context.Context, f logFlags) (err error) {
	key, _, err := f.read()
	if err != nil {
		return err
	}
	path, err := f.file(key)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return protocol.Errorf(protocol.KindNotFound, "the log %s was not followed yet", key.Origin())
	}
	store, err := follow.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	report, err := auditor.New(auditor.Config{Log: key, Store: store, Clock: clock.Now}).State(ctx)
	if err != nil {
		return err
	}
	if report == nil {
		return protocol.Errorf(protocol.KindNotFound, "the log %s was not followed yet", key.Origin())
	}
	p.report(report)
	return nil
}

// serveMetrics serves metrics on a loopback address until it is stopped; an empty
// address serves nothing.
func (p *program) serveMetrics(address string, handler http.Handler) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "--metrics")
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, protocol.Errorf(protocol.KindUsage, "--metrics %s: metrics are for this machine alone, as on 127.0.0.1", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "--metrics")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(p.err, "solekey-audit: ", 0)}
	go func() { _ = server.Serve(listener) }()
	p.say(map[string]any{"message_type": "verbose_status", "metrics": listener.Addr().String()}, "Metrics are at http://%s/metrics", listener.Addr())
	return func() { _ = server.Close() }, nil
}
