// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import (
	"crypto/sha256"
	"fmt"
	"math"
	"testing"

	"github.com/solekey/solekey/protocol"
)

// crowd fills a state with members, as many entries would, without signing them.
func crowd(s *State, kind Kind, n int) []*Member {
	var list []*Member
	for i := range n {
		m := &Member{Kind: kind, Role: protocol.RoleOwner, Added: uint64(i + 1)}
		m.ID = sha256.Sum256(fmt.Appendf(nil, "%d/%d", kind, i))
		s.members[m.ID] = m
		list = append(list, m)
	}
	return list
}

func TestMostDevices(t *testing.T) {
	s := tell(t, begin)
	some := crowd(s.state, KindDevice, MaxDevices-2)
	s.play("! A: add-device X writer | at most 256")
	some[0].Removed = 7
	if err := s.act("A: add-device X writer"); err != nil {
		t.Errorf("a place that became free is not free: %v", err)
	}
	s.play("! A: add-device Y writer | at most 256")
	s.play("A: add-recovery S")
}

func TestMostRecoveryMethods(t *testing.T) {
	s := tell(t, begin)
	some := crowd(s.state, KindRecovery, MaxRecovery-1)
	s.play("! A: add-recovery S | at most 32")
	some[0].Removed = 7
	s.play("A: add-recovery S")
	s.play("! A: add-recovery T | at most 32")
	s.play("A: add-device X writer")
}

func TestMostVaults(t *testing.T) {
	s := tell(t, begin)
	for i := range MaxVaults - 2 {
		name := vault(fmt.Sprint(i))
		s.state.vaults[name] = &Vault{ID: name, Epochs: make([]VaultEpoch, 1)}
	}
	s.play("A: create-vault mail")
	s.play("! A: create-vault more | at most 256 vaults")
}

func TestMostEntries(t *testing.T) {
	s := tell(t, begin)
	s.state.head.Seq = MaxEntries - 2
	s.play("A: add-device X writer")
	s.play("! A: add-device Y writer | at most 65536 entries")
}

func TestVaultWithoutIdentifier(t *testing.T) {
	s := tell(t, begin)
	err := s.take("A", Body{CreateVault: &CreateVault{Category: 1, Key: vaultSecret("x", 1).Public(), Secrets: object("x")}}, nil)
	holdTo(t, "zero", err, "is there already")
}

// TestLargestEntries shows that what the limits allow fits an entry: every
// holder in a rotation, every vault in a removal.
func TestLargestEntries(t *testing.T) {
	rotate, remove := &Rotate{Epoch: math.MaxUint64, Link: object("l")}, &RemoveDevice{}
	for i := range MaxDevices + MaxRecovery {
		rotate.Wraps = append(rotate.Wraps, MemberWrap{protocol.MemberID{1, byte(i >> 8), byte(i)}, object("w")})
	}
	for i := range MaxVaults {
		remove.Heads = append(remove.Heads, VaultHead{protocol.VaultID{1, byte(i >> 8), byte(i)}, math.MaxUint64, object("h")})
	}
	for _, body := range []Body{{Rotate: rotate}, {RemoveDevice: remove}} {
		e, err := Sign(nil, math.MaxInt64, body, member("A"))
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Bytes()) > MaxEntrySize/2 {
			t.Errorf("%s takes %d bytes: the limit is near", body.Kind(), len(e.Bytes()))
		}
	}
}

// TestWaited holds the delay at its ends, also where a difference overflows.
func TestWaited(t *testing.T) {
	for _, c := range []struct {
		asked, now protocol.Time
		want       bool
	}{
		{0, PendingDelay, true},
		{0, PendingDelay - 1, false},
		{0, 0, false},
		{PendingDelay, 0, false},
		{1, math.MinInt64, false},
		{math.MaxInt64, math.MinInt64, false},
		{math.MinInt64, math.MaxInt64, true},
		{math.MaxInt64 - 1, math.MaxInt64, false},
		{-PendingDelay, 0, true},
	} {
		if got := waited(c.asked, c.now); got != c.want {
			t.Errorf("from %d to %d: %t", c.asked, c.now, got)
		}
	}
}

func TestDelayIsSevenDays(t *testing.T) {
	if PendingDelay != 7*24*3600*1e9 {
		t.Errorf("the delay is %d", PendingDelay)
	}
}
