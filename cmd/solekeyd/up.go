// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/solekey/solekey/cmd/clock"
	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/server"
	"github.com/solekey/solekey/provider/vaults"
)

// upFlags are the flags of `up`.
type upFlags struct {
	listen    string
	url       string
	name      string
	retention int
	quota     string
	metrics   string
	backups   bool
	verbose   bool
	witnessFlags
}

func (p *program) upCommand() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use: "up", Short: "Start the server, and make what it needs at the first start", Args: terminal.AtMost(0, "no arguments"),
		Long: "up serves the data folder until it is stopped. At the first start it makes keys,\n" +
			"database and blob folder there and prints a single-use invite as URL and QR code. The\n" +
			"hash of the server's TLS key is inside the invite: no domain and no certificate\n" +
			"authority are needed.",
		Example: "  solekeyd up\n  solekeyd up --url https://cloud.example.org:8443 --quota 500GB\n  SOLEKEYD_LISTEN=127.0.0.1:9000 solekeyd up --data /srv/solekeyd",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.up(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", ":8443", "address to serve on")
	flags.StringVar(&f.url, "url", "", "what invites name, https://HOST:PORT (default: this machine's address)")
	flags.StringVar(&f.name, "name", "Solekey", "the server's name as people see it")
	flags.IntVar(&f.retention, "retention-days", 30, "how long retired packs are kept")
	flags.StringVar(&f.quota, "quota", "", "quota of new accounts, like 500GB (default: none)")
	flags.StringVar(&f.metrics, "metrics", "127.0.0.1:0", "loopback address of metrics and health, empty for none")
	flags.BoolVar(&f.backups, "nightly-backup", true, "copy database and keys into the data folder every night")
	flags.StringSliceVar(&f.witnesses, "witness", nil, "URL of a witness that devices which join shall demand, or its keys and URL with blanks between; none for none")
	flags.StringSliceVar(&f.auditing, "witness-auditing", nil, "as --witness, for one that recomputes the directory and does not say so itself")
	flags.StringVar(&f.policy, "witness-policy", "", "file with the whole policy of witnesses, as C2SP tlog-policy has it")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log every request: route, status, size, time")
	return cmd
}

// up wires the parts, serves, and takes them down in the other order.
func (p *program) up(ctx context.Context, f upFlags) (err error) {
	quota, err := parseSize(f.quota)
	if err != nil {
		return err
	}
	if f.retention < 0 {
		return protocol.Errorf(protocol.KindUsage, "--retention-days: not negative, please")
	}
	dir, err := p.folder()
	if err != nil {
		return err
	}
	listener, err := listen(f.listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	host, err := inviteHost(f.url, listener.Addr())
	if err != nil {
		return err
	}
	s, err := createSite(ctx, dir, host)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := p.witness(ctx, s, f.witnessFlags); err != nil {
		return err
	}
	found, err := s.records.Reconcile(ctx)
	if err != nil {
		return err
	}
	if err := s.saveSettings(settings{Host: host}); err != nil {
		return err
	}
	level := slog.LevelInfo
	if f.verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
	public, err := s.openLog(ctx, logger)
	if err != nil {
		return err
	}
	people, err := s.accounts(accounts.Config{
		Directory: public, Signer: public, Server: s.serverName(host), Quota: quota, Clock: clock.Now,
	})
	if err != nil {
		return err
	}
	r := s.records
	packs := vaults.New(vaults.Config{
		Ledgers: people, Chains: r, Index: r, Packs: r, Signer: public,
		Retention: time.Duration(f.retention) * 24 * time.Hour, Clock: clock.Now,
	})
	measured := server.NewMetrics(r.Totals, public.Status)
	stop, stopped := context.WithCancel(context.Background())
	var tending sync.WaitGroup
	defer tending.Wait()
	defer stopped()
	handler := server.New(stop, server.Config{
		Accounts: people, Vaults: packs, Log: logger, Metrics: measured,
		Directory: public.Service, Worlds: s.worlds.parsed,
		Info: api.Server{
			Program: "solekeyd", API: []int{api.Version}, Name: f.name, OpaqueServerPublic: s.keys.login.Public(),
			RetentionDays: f.retention, MaxPack: api.MaxPack,
		},
	})
	certificate, err := s.keys.certificate(host, clock.Now())
	if err != nil {
		return err
	}
	door := &http.Server{
		Handler: handler, TLSConfig: tlsConfig(certificate),
		ErrorLog: log.New(discardAddresses{logger}, "", 0),
	}
	server.Harden(door)
	defer func() { _ = door.Close() }()
	failed := make(chan error, 2)
	go func() { failed <- door.ServeTLS(listener, "", "") }()
	private, err := p.serveMetrics(f.metrics, measured, failed)
	if err != nil {
		return err
	}
	tending.Go(func() { public.Run(stop) })
	tending.Go(func() { s.tend(stop, people, logger, f.backups) })
	if err := p.welcome(ctx, s, people, welcome{host: host, listening: listener.Addr(), found: found, metrics: private}); err != nil {
		return err
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		p.say(map[string]any{"message_type": "status", "action": "stopping"}, "Stopping: requests under way are finished.")
	}
	stopped()
	closing, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if shut := door.Shutdown(closing); shut != nil {
		err = errors.Join(err, door.Close())
	}
	return err
}

// listen takes the address to serve on.
func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, protocol.Wrap(protocol.KindUsage, err, "another program serves on %s already: --listen names another address", address)
	}
	return listener, protocol.Wrap(protocol.KindUsage, err, "serve on %s", address)
}

// discardAddresses logs what net/http complains about without what it quotes:
// its messages hold clients' addresses.
type discardAddresses struct{ log *slog.Logger }

func (d discardAddresses) Write(message []byte) (int, error) {
	d.log.Debug("a connection failed before a request")
	return len(message), nil
}

// serveMetrics serves metrics and health on a loopback address.
func (p *program) serveMetrics(address string, m *server.Metrics, failed chan<- error) (string, error) {
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
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	private := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { failed <- private.Serve(listener) }()
	return "http://" + listener.Addr().String(), nil
}

// tend forgets what expired, and makes the nightly copy.
func (s *site) tend(ctx context.Context, people *accounts.Service, logger *slog.Logger, backups bool) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if err := people.Purge(ctx); err != nil && ctx.Err() == nil {
			logger.Error("forget what expired", "error", err)
		}
		if backups {
			if err := s.nightly(ctx, time.Now()); err != nil && ctx.Err() == nil {
				logger.Error("nightly backup", "error", err)
			}
		}
		select {
		case <-hourly.C:
		case <-ctx.Done():
			return
		}
	}
}
