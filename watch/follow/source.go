// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package follow

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/tlog"
)

// Source reads a log's tiles below a URL, as tlog-tiles has it. It is safe for
// concurrent use.
type Source struct {
	prefix string
	client *http.Client
}

var _ tlog.Source = (*Source)(nil)

// patience bounds one request; a bundle has at most 16 MiB.
const patience = 60 * time.Second

// Dial returns the source below a prefix like https://cloud.example.org/v1/log. It
// connects when it is asked for something.
func Dial(prefix string) (*Source, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, protocol.Errorf(protocol.KindUsage, "%q is no address of a log: want https://HOST[:PORT]/PATH", prefix)
	}
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		// All that is read is public, and verified against a checkpoint that the log
		// signed: who answers does not matter, and a provider's own certificate is
		// signed by nobody else.
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxConnsPerHost:       4,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	client := &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Source{strings.TrimRight(prefix, "/"), client}, nil
}

// Close lets go of idle connections.
func (s *Source) Close() { s.client.CloseIdleConnections() }

// Checkpoint returns the newest note that the log publishes.
func (s *Source) Checkpoint(ctx context.Context) ([]byte, error) {
	return s.read(ctx, "checkpoint", tlog.MaxNote)
}

// ReadTile returns a tile; for one that is not full and gone it asks for the full
// one and cuts it.
func (s *Source) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	limit := tlog.MaxHashTile
	if t.Level == tlog.LevelEntries {
		limit = tlog.MaxBundle
	}
	data, err := s.read(ctx, t.Path(), limit)
	if protocol.KindOf(err) != protocol.KindNotFound || t.Width == tlog.TileWidth {
		return data, err
	}
	if data, err = s.read(ctx, t.Full().Path(), limit); err != nil {
		return nil, err
	}
	return t.Cut(data)
}

func (s *Source) read(ctx context.Context, path string, limit int) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.prefix+"/"+path, nil)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read %s of the log", path)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUnreachable, err, "read %s of the log", path)
	}
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.StatusCode == http.StatusNotFound || response.StatusCode == http.StatusGone:
		return nil, protocol.Errorf(protocol.KindNotFound, "the log has no %s", path)
	case response.StatusCode != http.StatusOK:
		return nil, protocol.Errorf(protocol.KindUnreachable, "read %s of the log: it answers %s", path, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUnreachable, err, "read %s of the log", path)
	}
	if len(data) > limit {
		return nil, protocol.Errorf(protocol.KindUntrusted, "%s of the log has more than %d bytes", path, limit)
	}
	return data, nil
}
