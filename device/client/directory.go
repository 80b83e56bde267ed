// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/tlog"
)

// whole reads an answer's bytes into to.
func whole(to *[]byte) func(io.Reader) (bool, error) {
	return func(r io.Reader) (bool, error) {
		var err error
		*to, err = io.ReadAll(r)
		return false, err
	}
}

// World fetches the world of a hash, which came by a way that the server does not
// control. With the zero hash it fetches the newest, which is the server's word
// alone: good for nothing until something else confirms it.
func (c *Client) World(ctx context.Context, hash protocol.Hash) (*directory.World, error) {
	path := api.PathWorld
	if !hash.IsZero() {
		path = api.PathWorldOf(hash)
	}
	var raw []byte
	err := c.do(ctx, call{method: http.MethodGet, path: path, limit: directory.MaxWorldSize, read: whole(&raw)})
	if err != nil {
		return nil, err
	}
	w, err := directory.ParseWorld(raw)
	if err != nil {
		return nil, err
	}
	if !hash.IsZero() && w.Hash() != hash {
		return nil, unexpected("another log, or other witnesses, than this device was told of")
	}
	return w, nil
}

// Question is a look-up: of a name in its canonical form, after the version and
// the size of the log that the asker holds, under a checkpoint that satisfies the
// asker's world.
type Question struct {
	World protocol.Hash
	Name  string
	Since uint64
	Size  uint64
}

// Lookup asks for a name. Nothing in the answer is verified: that is for
// directory.World.
func (c *Client) Lookup(ctx context.Context, q Question) (*directory.Answer, error) {
	return c.lookup(ctx, nil, q)
}

// Lookup is Client.Lookup under the member's or newcomer's session.
func (a *account) Lookup(ctx context.Context, q Question) (*directory.Answer, error) {
	return a.c.lookup(ctx, a.signer, q)
}

func (c *Client) lookup(ctx context.Context, by signer, q Question) (*directory.Answer, error) {
	var raw []byte
	ask := func(world protocol.Hash) error {
		return c.do(ctx, call{
			method: http.MethodGet, path: api.PathDirectory, signer: by, limit: directory.MaxAnswerSize, read: whole(&raw),
			query: func() url.Values {
				v := url.Values{
					api.QueryName: {q.Name}, api.QuerySince: {strconv.FormatUint(q.Since, 10)}, api.QuerySize: {strconv.FormatUint(q.Size, 10)},
				}
				if !world.IsZero() {
					v.Set(api.QueryWorld, world.String())
				}
				return v
			},
		})
	}
	err := inWorld(q.World, ask)
	if err != nil {
		return nil, err
	}
	return directory.ParseAnswer(raw)
}

// inWorld asks as a device of a world. A device whose user demands other witnesses
// than its server hands out is of a world that the server does not know: it is
// shown what all are shown, and judges that by its own quorum.
func inWorld(world protocol.Hash, ask func(protocol.Hash) error) error {
	err := ask(world)
	if protocol.KindOf(err) == protocol.KindNotFound && !world.IsZero() {
		return ask(protocol.Hash{})
	}
	return err
}

// ContactLedger returns the ledger of a name from an entry on, without the objects
// that only its members need. Entries follow each other in number; nothing else is
// verified.
func (a *account) ContactLedger(ctx context.Context, name string, from uint64) ([]*ledger.Entry, error) {
	var entries []*ledger.Entry
	size := 0
	for more := true; more; {
		var page api.LedgerPage
		at := from + uint64(len(entries))
		k := call{
			method: http.MethodGet, path: api.PathContact, signer: a.signer, limit: maxListJSON,
			query: func() url.Values {
				return url.Values{api.QueryName: {name}, api.QueryFrom: {strconv.FormatUint(at, 10)}}
			},
		}
		var got []*ledger.Entry
		err := a.c.ask(ctx, k, nil, &page, func() (err error) {
			got, err = checkLedgerPage(&page, at)
			return err
		})
		if err != nil {
			return nil, err
		}
		entries, more = append(entries, got...), page.More
		if size += sizeOf(&page); len(entries) > ledger.MaxEntries || size > a.c.most {
			return nil, unexpected("a ledger of more than %d entries or %d bytes", ledger.MaxEntries, a.c.most)
		}
	}
	return entries, nil
}

// AddAnchors leaves anchors; they enter the public log within the hour. The same
// ones again are no error.
func (m *Member) AddAnchors(ctx context.Context, anchors []api.Anchor) error {
	body := api.AnchorsLeft{Anchors: anchors}
	if err := body.Check(); err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "leave anchors")
	}
	return m.c.ask(ctx, call{method: http.MethodPost, path: api.PathOwnAnchors(m.id), signer: m.signer}, body, nil, nil)
}

// Anchors asks for anchors by their indexes, at most directory.MaxAnchorIndexes at
// once. Nothing in the answer is verified: that is for directory.World.
func (m *Member) Anchors(ctx context.Context, world protocol.Hash, size uint64, asked []directory.AnchorQuestion) (*directory.AnchorsAnswer, error) {
	body := api.AnchorsWanted{World: world, Size: size}
	at := map[directory.Period]int{}
	for _, q := range asked {
		if _, known := at[q.Period]; !known {
			at[q.Period] = len(body.Periods)
			body.Periods = append(body.Periods, api.AnchorPeriod{Period: string(q.Period)})
		}
		p := &body.Periods[at[q.Period]]
		p.Indexes = append(p.Indexes, q.Index)
	}
	if err := body.Check(); err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "look anchors up")
	}
	var raw []byte
	err := inWorld(world, func(world protocol.Hash) error {
		body.World = world
		k := call{method: http.MethodPost, path: api.PathAnchors, signer: m.signer}
		if err := m.c.send(&k, body); err != nil {
			return err
		}
		k.limit, k.read = directory.MaxAnchorsAnswerSize, whole(&raw)
		return m.c.do(ctx, k)
	})
	if err != nil {
		return nil, err
	}
	return directory.ParseAnchorsAnswer(raw)
}

// ReadTile fetches a tile of the public log. It is not verified.
func (c *Client) ReadTile(ctx context.Context, t tlog.Tile) ([]byte, error) {
	var raw []byte
	err := c.do(ctx, call{
		method: http.MethodGet, path: api.PathLog + "/" + t.Path(), limit: maxTile, read: whole(&raw),
	})
	return raw, err
}

// maxTile bounds one tile: as many of the largest entries as a bundle holds.
const maxTile = tlog.TileWidth * (tlog.MaxEntrySize + 2)
