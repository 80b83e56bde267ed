// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// filledAtOnce is how many names are put into the queue in one step.
const filledAtOnce = 4000

// fill registers n names of nobody: rows in the queue, and the log integrates
// them. It leaves out the accounts, whose rows cost more than the log's.
func fill(b *testing.B, w *world, n int) {
	b.Helper()
	began := time.Now()
	for done := 0; done < n; done += filledAtOnce {
		raws := make([][]byte, min(filledAtOnce, n-done))
		var wg sync.WaitGroup
		for part := range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := part; i < len(raws); i += runtime.GOMAXPROCS(0) {
					raws[i] = nobody(w.log.Public(), uint64(done+i))
				}
			})
		}
		wg.Wait()
		queue(b, w, raws)
		for more := true; more; {
			var err error
			if more, err = w.Integrate(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	if n > 0 {
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "filled/s")
	}
}

// nobody is the first version of a name that has no account.
func nobody(log *tlog.LogKey, number uint64) []byte {
	draw := func(label byte) [32]byte {
		return sha256.Sum256(binary.BigEndian.AppendUint64([]byte{'n', label}, number))
	}
	seed, index := draw(0), draw(1)
	key := ed25519.NewKeyFromSeed(seed[:])
	u := &directory.Update{Index: index, Version: 1, Commitment: draw(2), Key: directory.Key(key.Public().(ed25519.PublicKey)), Next: draw(3)}
	message := canonical.MustMarshal(struct {
		Log        protocol.Hash `cbor:"1,keyasint"`
		Index      protocol.Hash `cbor:"2,keyasint"`
		Version    uint64        `cbor:"3,keyasint"`
		Commitment protocol.Hash `cbor:"4,keyasint"`
		Key        directory.Key `cbor:"5,keyasint"`
		Next       protocol.Hash `cbor:"6,keyasint"`
	}{log.ID(), u.Index, u.Version, u.Commitment, u.Key, u.Next})
	u.Signature = directory.Signature(ed25519.Sign(key, append([]byte("solekey/v1/directory-update\x00"), message...)))
	return (&directory.Entry{Update: u}).Bytes()
}

// queue writes the rows that an accepted append writes for the log.
func queue(b *testing.B, w *world, raws [][]byte) {
	b.Helper()
	tx, err := w.db.Write.BeginTx(ctx, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i, raw := range raws {
		e, err := directory.ParseEntry(raw)
		if err != nil {
			b.Fatal(err)
		}
		leaf, u := tlog.LeafHash(raw), e.Update
		if _, err := tx.ExecContext(ctx, `INSERT INTO versions (name_index, version, leaf, position, next, entry) VALUES ($1, 1, $2, -1, $3, $4)`,
			u.Index[:], leaf[:], u.Next[:], raw); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO log_queue (leaf, place, sorted, received, entry) VALUES ($1, $2, x'', $3, $4)`,
			leaf[:], i+1, int64(protocol.TimeOf(time.Now())), raw); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}
