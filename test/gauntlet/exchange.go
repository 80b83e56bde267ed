// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/canonical"
)

// Exchange is one request of a client, as the provider sees it.
type Exchange struct {
	Device string // whose program asks, by the name that the scene gave it
	Method string
	Path   string
	Query  url.Values
	Header http.Header
	Body   []byte
	Site   *Site // who would answer it honestly

	front  *Front
	ctx    context.Context
	honest *Answer
}

// Answer is what a client is sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Cut    bool // the connection breaks instead
}

// Lie answers a request in the provider's place, or returns nil to leave it to
// the next lie and, in the end, to the truth. It may be asked by many
// connections at once.
type Lie func(x *Exchange) *Answer

// Honest returns what the site says. It is asked once for each request.
func (x *Exchange) Honest() *Answer {
	if x.honest == nil {
		x.honest = x.From(x.Site)
	}
	return x.honest.clone()
}

// From passes the request on to a site.
func (x *Exchange) From(site *Site) *Answer {
	a, err := x.front.ask(x, site)
	if err != nil {
		return &Answer{Cut: true}
	}
	return a
}

// Below reports whether the path ends so.
func (x *Exchange) Below(suffix string) bool { return strings.HasSuffix(x.Path, suffix) }

// Good reports whether the answer says that the request succeeded.
func (a *Answer) Good() bool { return !a.Cut && a.Status/100 == 2 }

func (a *Answer) clone() *Answer {
	return &Answer{Status: a.Status, Header: a.Header.Clone(), Body: bytes.Clone(a.Body), Cut: a.Cut}
}

func (a *Answer) send(w http.ResponseWriter) {
	for name, values := range a.Header {
		if name != "Content-Length" && name != "Transfer-Encoding" && name != "Connection" && name != "Date" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body) // a device that went away is no matter here
}

// On tells a lie about requests of a method whose path ends so; "" is any.
func On(method, below string, lie Lie) Lie {
	return func(x *Exchange) *Answer {
		if method != "" && x.Method != method || !x.Below(below) {
			return nil
		}
		return lie(x)
	}
}

// To tells a lie to one device only.
func To(device string, lie Lie) Lie {
	return func(x *Exchange) *Answer {
		if x.Device != device {
			return nil
		}
		return lie(x)
	}
}

// Ask lets another site answer: another world, yesterday's, a stranger's.
func Ask(site *Site) Lie { return func(x *Exchange) *Answer { return x.From(site) } }

// Say answers with a JSON body.
func Say(status int, v any) Lie {
	return func(*Exchange) *Answer { return NewJSON(status, v) }
}

// Cut breaks the connection.
func Cut(*Exchange) *Answer { return &Answer{Cut: true} }

// NewJSON returns an answer with a JSON body.
func NewJSON(status int, v any) *Answer {
	text, err := json.Marshal(v)
	if err != nil {
		panic("solekey: internal error: " + err.Error())
	}
	return &Answer{Status: status, Header: http.Header{"Content-Type": {api.TypeJSON}}, Body: text}
}

// Bytes changes the body of honest answers that succeeded.
func Bytes(change func([]byte) []byte) Lie {
	return func(x *Exchange) *Answer {
		a := x.Honest()
		if !a.Good() {
			return nil
		}
		if a.Body = change(a.Body); bytes.Equal(a.Body, x.honest.Body) {
			return nil
		}
		return a
	}
}

// JSON changes the JSON body of honest answers that succeeded. Fields that T
// does not have are lost; use a map for T to keep them.
func JSON[T any](change func(*T)) Lie {
	return Bytes(func(body []byte) []byte {
		var v T
		if json.Unmarshal(body, &v) != nil {
			return body
		}
		change(&v)
		text, err := json.Marshal(v)
		if err != nil {
			panic("solekey: internal error: " + err.Error())
		}
		return text
	})
}

// CBOR is JSON for bodies in canonical CBOR.
func CBOR[T any](change func(*T)) Lie {
	return Bytes(func(body []byte) []byte {
		var v T
		if canonical.Unmarshal(body, len(body)+1, &v) != nil {
			return body
		}
		change(&v)
		return canonical.MustMarshal(v)
	})
}

// Records changes the records of an honest answer: snapshots, generations, the
// listing of packs.
func Records(change func([][]byte) [][]byte) Lie {
	return Bytes(func(body []byte) []byte {
		var list [][]byte
		for in := bytes.NewReader(body); ; {
			one, err := api.ReadRecord(in, 1<<24)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return body
			}
			list = append(list, one)
		}
		var out []byte
		for _, one := range change(list) {
			out = api.AppendRecord(out, one)
		}
		return out
	})
}

// Snapshots changes the records of vaults, Ledgers the entries of ledgers.
func Snapshots(change func([][]byte) [][]byte) Lie {
	return On(http.MethodGet, api.BelowSnapshots, Records(change))
}

// Ledgers changes pages of ledgers.
func Ledgers(change func(*api.LedgerPage)) Lie {
	return On(http.MethodGet, "/ledger", JSON(change))
}

// Packs changes the bytes of stored packs; nil for one that is not there. Change is
// asked once for each pack.
func Packs(change func(id protocol.PackID, pack []byte) []byte) Lie {
	var mu sync.Mutex // guards changed
	changed := map[protocol.PackID][]byte{}
	served := func(site *Site, id protocol.PackID) []byte {
		mu.Lock()
		defer mu.Unlock()
		pack, known := changed[id]
		if !known {
			if pack = site.Pack(id); pack != nil {
				pack = change(id, pack)
			}
			changed[id] = pack
		}
		return pack
	}
	return On(http.MethodPost, api.BelowBlocks, func(x *Exchange) *Answer {
		var asked api.BlocksRequest
		honest := x.Honest()
		if !honest.Good() || json.Unmarshal(x.Body, &asked) != nil {
			return nil
		}
		a := &Answer{Status: honest.Status, Header: honest.Header}
		for _, read := range asked.Reads {
			pack := served(x.Site, read.Pack)
			if pack == nil {
				a.Body = api.BlockHead{Status: api.BlockAbsent}.Append(a.Body)
				continue
			}
			end := min(read.Offset+read.Length, int64(len(pack)))
			part := pack[min(read.Offset, end):end]
			a.Body = api.BlockHead{Status: api.BlockOK, Length: int64(len(part))}.Append(a.Body)
			a.Body = append(a.Body, part...)
		}
		if bytes.Equal(a.Body, honest.Body) {
			return nil
		}
		return a
	})
}

// Flip returns the bytes with one bit flipped.
func Flip(b []byte, at int) []byte {
	if len(b) == 0 {
		return b
	}
	c := bytes.Clone(b)
	c[at%len(c)] ^= 0x10
	return c
}

var identifiers = regexp.MustCompile("[0-9a-f]{16,}")

// shape is a path and the names of its parameters, without identifiers.
func shape(u *url.URL) string {
	s := identifiers.ReplaceAllString(u.Path, "#")
	var names []string
	for name := range u.Query() {
		names = append(names, name)
	}
	if len(names) > 0 {
		s += "?" + strings.Join(sorted(names), "&")
	}
	return s
}
