// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/test/vectors"
)

// anchorVectors are anchors' keys and boxes, of an account and of a writer.
func anchorVectors(t *testing.T) []*vectors.Vector {
	account := protocol.AccountID{31}
	what := &Anchored{
		Time: 1795307581261176313, Ledger: ledger.Head{Seq: 9, Hash: protocol.Hash{9}},
		Heads: []ledger.VaultHead{{Vault: protocol.VaultID{1}, Seq: 31, Hash: protocol.Hash{31}}, {Vault: protocol.VaultID{2}, Seq: 55, Hash: protocol.Hash{55}}},
	}
	writer := ContentSecret{Namer: protocol.MemberID{8}, Root: mustSecret(t, 42)}
	var list []*vectors.Vector
	add := func(name, says, expect string, from *keys.Secret, a *Anchorage, period directory.Period, slot uint64, box []byte) {
		key := a.Key(period, slot)
		index, public := key.Index(), key.Public()
		v := vectors.New("keyring-anchor-"+name, says, "keyring-anchor", expect, box).With("randomised", "yes").
			WithHex("from", from.Expose()).WithHex("account", a.account[:]).With("epoch", strconv.FormatUint(a.Epoch, 10)).
			WithHex("writer", a.Writer[:]).WithHex("vault", a.Vault[:]).WithHex("secret", a.secret.Expose()).
			With("period", string(period)).With("slot", strconv.FormatUint(slot, 10)).WithHex("key", public[:]).WithHex("index", index[:])
		if expect == vectors.Valid {
			v.With("heads", strconv.Itoa(len(what.Heads)))
		}
		list = append(list, v)
	}
	secret := mustSecret(t, 41)
	own := &Anchorage{Epoch: 2, account: account, secret: secret.Derive("anchor/account")}
	its := writer.Anchorage(account, protocol.VaultID{1})
	const day, month = directory.Period("2026-11-24"), directory.Period("2026-11")
	add("day", "the third anchor of a day", vectors.Valid, secret, own, day, 2, own.Seal(own.Key(day, 2).Index(), what))
	add("month", "a month's anchor", vectors.Valid, secret, own, month, 0, own.Seal(own.Key(month, 0).Index(), what))
	add("writer", "a writer's anchor", vectors.Valid, writer.Root, its, day, 0, its.Seal(its.Key(day, 0).Index(), what))
	add("bad-slot", "the box of another slot", "untrusted", secret, own, day, 1, own.Seal(own.Key(day, 2).Index(), what))
	add("bad-writer", "the box of a writer in an owner's place", "untrusted", secret, own, day, 0, its.Seal(own.Key(day, 0).Index(), what))
	return list
}

func checkAnchorVector(t *testing.T, v *vectors.Vector) {
	from, err := keys.NewSecret(v.Hex(t, "from"))
	must(t, err)
	epoch, err := strconv.ParseUint(v.Text(t, "epoch"), 10, 64)
	must(t, err)
	slot, err := strconv.ParseUint(v.Text(t, "slot"), 10, 64)
	must(t, err)
	account, writer, vault := protocol.AccountID(v.Hex(t, "account")), protocol.MemberID(v.Hex(t, "writer")), protocol.VaultID(v.Hex(t, "vault"))
	a := ContentSecret{Namer: writer, Root: from}.Anchorage(account, vault)
	if writer.IsZero() {
		a = &Anchorage{Epoch: epoch, account: account, secret: from.Derive("anchor/account")}
	}
	period, err := directory.ParsePeriod(v.Text(t, "period"))
	must(t, err)
	key := a.Key(period, slot)
	index, public := key.Index(), key.Public()
	for name, got := range map[string][]byte{"secret": a.secret.Expose(), "key": public[:], "index": index[:]} {
		if !bytes.Equal(got, v.Hex(t, name)) {
			t.Errorf("%s is %x", name, got)
		}
	}
	what, err := a.Open(index, v.Body(t))
	if v.Expect(t, err) && strconv.Itoa(len(what.Heads)) != v.Text(t, "heads") {
		t.Errorf("%d heads", len(what.Heads))
	}
}
