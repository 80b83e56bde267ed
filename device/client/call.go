// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
)

// signer gives tokens. refused is one that the server no longer takes, "" at
// first.
type signer interface {
	token(ctx context.Context, refused string) (string, error)
}

// call is one request and what its answer is read with. Every request can be
// repeated: writes carry an identifier of the client's choice or are named by
// their hash.
type call struct {
	method string
	path   string
	query  func() url.Values // nil: none; asked before each attempt
	signer signer            // nil: open to everybody
	body   func() [][]byte   // nil: none; asked before each attempt
	kind   string            // content type of the body
	wait   time.Duration     // how much longer than usual the server may think
	limit  int64             // bytes of the answer
	once   bool              // never repeated: what it carries is used up by being sent
	// read takes the answer in. An error of a protocol kind is final; where it
	// reports that it got on, the attempts are counted anew.
	read func(body io.Reader) (progress bool, err error)
}

// do performs the call, again where it was interrupted.
func (c *Client) do(ctx context.Context, k call) error {
	var refused string
	for attempt := 1; ; attempt++ {
		token, err := k.token(ctx, refused)
		if err != nil {
			return err
		}
		progress, err := c.attempt(ctx, k, token)
		if err == nil {
			c.reached.Store(true)
			return nil
		}
		if ctx.Err() != nil {
			return interrupted(ctx)
		}
		var over *sessionOver
		if errors.As(err, &over) && refused == "" && k.signer != nil {
			refused = token
			continue
		}
		if progress {
			attempt = 1
		}
		if err := c.again(ctx, k, err, attempt); err != nil {
			return err
		}
	}
}

func (k *call) token(ctx context.Context, refused string) (string, error) {
	if k.signer == nil {
		return "", nil
	}
	return k.signer.token(ctx, refused)
}

// again waits before the next attempt, or returns the error that ends them.
func (c *Client) again(ctx context.Context, k call, err error, attempt int) error {
	var again *temporary
	if !errors.As(err, &again) {
		return err
	}
	tries := triesUnreached
	if c.reached.Load() {
		tries = triesReached
	}
	if attempt >= tries || k.once {
		return again.err
	}
	return wait(ctx, max(c.pause(attempt), again.after))
}

// attempt sends the request once and reads the answer.
func (c *Client) attempt(ctx context.Context, k call, token string) (progress bool, err error) {
	ctx, w, stop := c.newWatch(ctx, k.wait)
	open := new(gate)
	defer open.shut()
	defer stop()
	req, err := c.request(ctx, k, token, &flow{ctx: ctx, watch: w, limit: c.up, gate: open})
	if err != nil {
		return false, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return false, c.failed(ctx, err)
	}
	w.restart()
	body := &flow{ctx: ctx, r: resp.Body, watch: w, limit: c.down, left: k.limit}
	defer body.Close()
	if resp.StatusCode/100 != 2 {
		body.left = maxErrorBody
		return false, refusal(resp, body, token != "")
	}
	progress, err = k.read(body)
	if err == nil {
		drain(body)
		return progress, nil
	}
	if body.lost != nil {
		return progress, c.failed(ctx, body.lost)
	}
	return progress, err
}

// failed is the error of a request that the network broke off.
func (c *Client) failed(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	err, again := ofTransport(err)
	if !again {
		return err
	}
	return &temporary{err: err}
}

// drain reads the little that may be left, so that the connection serves again.
func drain(body io.Reader) {
	_, _ = io.CopyN(io.Discard, body, 512) // a longer rest costs the connection, no more
}

// request builds the HTTP request.
func (c *Client) request(ctx context.Context, k call, token string, up *flow) (*http.Request, error) {
	u := url.URL{Scheme: "https", Host: c.server.Host, Path: k.path}
	if k.query != nil {
		u.RawQuery = k.query().Encode()
	}
	req, err := http.NewRequestWithContext(ctx, k.method, u.String(), nil)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindUsage, err, "server %q", c.server.Host)
	}
	req.Header.Set("User-Agent", "solekey")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if k.body == nil {
		return req, nil
	}
	parts := k.body()
	req.Header.Set("Content-Type", k.kind)
	for _, part := range parts {
		req.ContentLength += int64(len(part))
	}
	req.GetBody = func() (io.ReadCloser, error) { return up.over(parts), nil }
	req.Body = up.over(parts)
	return req, nil
}

// ask sends a JSON body, nil for none, and decodes a JSON answer of at most
// limit bytes, nil for none. check holds the answer against what was asked.
func (c *Client) ask(ctx context.Context, k call, body, answer any, check func() error) error {
	if err := c.send(&k, body); err != nil {
		return err
	}
	if k.limit == 0 {
		k.limit = api.MaxJSON
	}
	k.read = func(r io.Reader) (bool, error) {
		if answer == nil {
			return true, nil
		}
		if err := decode(r, answer); err != nil {
			return false, err
		}
		if check == nil {
			return true, nil
		}
		return true, check()
	}
	return c.do(ctx, k)
}

// send makes a JSON body the call's; nil is none.
func (c *Client) send(k *call, body any) error {
	if body == nil {
		return nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "encode request")
	}
	k.body = func() [][]byte { return [][]byte{text} }
	k.kind = api.TypeJSON
	return nil
}

// decode reads one JSON value and nothing behind it. Fields that are not known
// are passed over: answers may grow.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	if err := d.Decode(v); err != nil {
		return malformed(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return malformed(errors.New("something follows its end"))
	}
	return nil
}

func malformed(err error) error {
	if protocol.KindOf(err) == protocol.KindUntrusted {
		return err
	}
	return protocol.Errorf(protocol.KindUntrusted, "the server's answer is malformed: %v", err)
}

// unexpected is the error of an answer that is well-formed and not what was
// asked for.
func unexpected(format string, args ...any) error {
	return protocol.Errorf(protocol.KindUntrusted, "the server's answer is not what was asked for: "+format, args...)
}
