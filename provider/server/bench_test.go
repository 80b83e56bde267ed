// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts/accountstest"
)

const benchPack = 16 << 20

// BenchmarkHash is the least that a pack costs.
func BenchmarkHash(b *testing.B) {
	data := accountstest.Random(benchPack)
	b.SetBytes(benchPack)
	for b.Loop() {
		sha256.Sum256(data)
	}
}

// BenchmarkPutPack puts packs over TLS on loopback; client and server share the machine.
func BenchmarkPutPack(b *testing.B) {
	w := newWorld(b)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	data := accountstest.Random(benchPack)
	b.SetBytes(benchPack)
	b.ReportAllocs()
	n := uint64(0)
	for b.Loop() {
		n++
		binary.BigEndian.PutUint64(data, n)
		_, a := w.put(h, h.Owner, token, data)
		w.want("put", a, 201, "")
	}
}

// BenchmarkReadPack reads a whole pack.
func BenchmarkReadPack(b *testing.B) {
	w := newWorld(b)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	id := w.mustPut(h, token, accountstest.Random(benchPack))
	body := mustJSON(b, api.BlocksRequest{Reads: []api.Read{{Pack: id, Length: benchPack}}})
	b.SetBytes(benchPack)
	b.ReportAllocs()
	for b.Loop() {
		request, err := http.NewRequestWithContext(ctx, "POST", w.http.URL+vaultPath(h, api.BelowBlocks), bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := w.http.Client().Do(request)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, answer.Body); err != nil || n != benchPack+api.BlockHeadSize {
			b.Fatalf("%d bytes, %v", n, err)
		}
		_ = answer.Body.Close()
	}
}

// BenchmarkStat asks after packs.
func BenchmarkStat(b *testing.B) {
	w := newWorld(b)
	h := w.join("anna")
	token := w.signIn(h, h.Owner)
	body := mustJSON(b, api.StatRequest{Packs: make([]protocol.PackID, 1000)})
	for b.Loop() {
		w.want("stat", w.do("POST", vaultPath(h, api.BelowStat), token, body), 200, "")
	}
}
