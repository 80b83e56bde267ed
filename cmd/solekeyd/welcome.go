// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/solekey/solekey/cmd/terminal"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
	"github.com/solekey/solekey/provider/records"
)

// welcome is what the end of a start-up tells about.
type welcome struct {
	host      string
	listening net.Addr
	found     records.Found
	metrics   string
}

// welcome says where the server is, checks it as a device would, and hands out
// the first invite.
func (p *program) welcome(ctx context.Context, s *site, people *accounts.Service, w welcome) error {
	p.say(map[string]any{"message_type": "status", "action": "serving", "data": s.dir, "listen": w.listening.String(), "host": w.host, "metrics": w.metrics},
		"Serving %s on %s; data in %s.", w.host, w.listening, s.dir)
	if w.metrics != "" && !p.json {
		p.say(nil, "Metrics and health: %s/metrics, %s/health (this machine only).", w.metrics, w.metrics)
	}
	if w.found.Any() {
		p.say(map[string]any{"message_type": "status", "action": "reconciled", "found": w.found},
			"The database had fallen behind the blob folder; taken in: %d accounts, %d ledger entries, %d snapshots, %d generations, %d packs.",
			w.found.Accounts, w.found.Entries, w.found.Snapshots, w.found.Generations, w.found.Packs)
	}
	p.witnessed(s, w.host)
	first, err := s.records.Empty(ctx)
	if err != nil {
		return err
	}
	if first {
		invite, err := people.Invite(ctx, w.host, s.keys.pin, s.world())
		if err != nil {
			return err
		}
		p.showInvite(invite)
	}
	return p.selfCheck(ctx, s, w)
}

// selfCheck asks the server what a device would ask, over TLS and by its pin,
// and looks after the folder.
func (p *program) selfCheck(ctx context.Context, s *site, w welcome) error {
	if err := askSelf(ctx, w.listening, s.keys.pin); err != nil {
		return err
	}
	free, err := freeSpace(s.dir)
	if err != nil {
		return err
	}
	problems := append(s.checkPermissions(), checkSpace(free)...)
	p.say(map[string]any{"message_type": "summary", "action": "self-check", "ok": len(problems) == 0, "free": free, "problems": problems},
		"Self-check: answers over TLS 1.3 with the key that invites name; %s free; %s.", printSize(free), inWords(problems))
	return nil
}

func inWords(problems []problem) string {
	if len(problems) == 0 {
		return "all is well"
	}
	var texts []string
	for _, one := range problems {
		texts = append(texts, one.Message)
	}
	return "but " + strings.Join(texts, "; ")
}

func askSelf(ctx context.Context, listening net.Addr, pin api.Pin) error {
	_, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "self-check")
	}
	host := "127.0.0.1"
	if tcp, ok := listening.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		host = tcp.IP.String()
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		// The certificate is self-signed; the pin is what counts, as for devices.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo) != pin {
				return protocol.Errorf(protocol.KindUntrusted, "self-check: another server answers")
			}
			return nil
		},
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(host, port)+api.PathServer, nil)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "self-check")
	}
	answer, err := client.Do(request)
	if err != nil {
		return protocol.Wrap(protocol.KindUnreachable, err, "self-check: the server does not answer itself")
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return protocol.Errorf(protocol.KindUnreachable, "self-check: the server answers %s", answer.Status)
	}
	return nil
}

// showInvite prints an invite as URL and as QR code.
func (p *program) showInvite(invite api.Invite) {
	if p.json {
		p.line(p.out, map[string]any{"message_type": "invite", "url": invite.URL()})
		return
	}
	p.say(nil, "\nInvite, good for one account. On the device that shall join, type:\n\n  solekey join '%s'\n", invite.URL())
	terminal.PrintQR(p.out, invite.URL())
	p.say(nil, "For one more account: solekeyd invite\n")
}
