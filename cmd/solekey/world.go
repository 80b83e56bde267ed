// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/device/state"
	"github.com/solekey/solekey/device/trust"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// demand makes a client take nothing as the newest that the provider of the world
// did not sign. What it signed is remembered in kept, nil for nowhere yet.
func demand(c *client.Client, w *directory.World, kept *state.State) error {
	s := client.Signer{Log: w.Log().ID(), Key: w.Statements()}
	if kept == nil {
		c.Demand(s)
		return nil
	}
	s.Said = kept
	view, err := kept.View()
	if err != nil {
		return err
	}
	if view != nil {
		s.Floor = max(view.Time()-directory.ClockSkew, 0)
	}
	c.Demand(s)
	return nil
}

// demandOwn is demand by the world that this device joined.
func demandOwn(c *client.Client, kept *state.State) error {
	w, err := kept.World()
	if err != nil {
		return protocol.Wrap(protocol.KindOf(err), err, "the log that this device goes by")
	}
	return demand(c, w, kept)
}

// world fetches the world that a link names, and demands it of the client. A link
// that names none takes the server's word for now: whoever approves, or the
// recovery key's box, says whether it is the right one.
func (j *joining) world(ctx context.Context, c *client.Client, named protocol.Hash) (*directory.World, error) {
	w, err := c.World(ctx, named)
	if kind := protocol.KindOf(err); !named.IsZero() && (kind == protocol.KindNotFound || kind == protocol.KindUntrusted) {
		return nil, protocol.Wrap(protocol.KindUntrusted, err, "this server does not keep the public log that the invite names: it is another server under "+
			"that address, or the invite is damaged. Nothing was created. Ask who invited you for a new invite, on another way than through this server")
	}
	if err != nil {
		return nil, protocol.Wrap(protocol.KindOf(err), err, "learn which log the server keeps; nothing was changed")
	}
	return w, demand(c, w, nil)
}

// beliefs returns what a device believes of its provider, as the member self.
func (a *app) beliefs(kept *state.State, source trust.Source, self protocol.MemberID) (*trust.Trust, error) {
	device, err := kept.Device()
	if err != nil {
		return nil, err
	}
	return trust.New(trust.Options{
		State: kept, Source: source, Name: device.Name, Self: self, Now: a.now, Warn: func(err error) { a.warn("%v", err) },
	})
}
