// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/snapshot"
)

func someDetails(path string) *details {
	return &details{Run: &RunDetails{
		Root: protocol.Hash{1}, Began: 5, Ended: 9, Host: "host", User: "user",
		Paths: [][]byte{[]byte(path)}, Tags: []string{"a", "b"}, Counts: Counts{Files: 3, Bytes: 70},
	}}
}

func TestDetailsRoundTrip(t *testing.T) {
	for _, d := range []*details{
		someDetails("/home/me"),
		someDetails("/not utf-8 \xff\x00"),
		{List: &ListDetails{Tags: []SnapshotTags{{Snapshot: protocol.Hash{7}, Tags: []string{"kept"}}}, Time: 4}},
	} {
		act := snapshot.ActRun
		if d.List != nil {
			act = snapshot.ActList
		}
		got, err := parseDetails(d.encode(), act)
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("got %+v, %v; want %+v", got, err, d)
		}
		if _, err := parseDetails(d.encode(), snapshot.ActRun+snapshot.ActList-act); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("details of another act: %v", err)
		}
	}
}

func TestDetailsHideLengths(t *testing.T) {
	short, long := someDetails("/a").encode(), someDetails("/"+strings.Repeat("a", 600)).encode()
	if len(short) != len(long) || len(short)%detailsStep != 0 {
		t.Errorf("plaintexts of %d and %d bytes", len(short), len(long))
	}
}

func TestDetailsRefuseOtherPadding(t *testing.T) {
	good := someDetails("/a").encode()
	last := append([]byte(nil), good...)
	last[len(last)-1] = 1
	for name, plain := range map[string][]byte{
		"empty":         nil,
		"cut":           good[:len(good)-1],
		"a step more":   append(append([]byte(nil), good...), make([]byte, detailsStep)...),
		"not zero":      last,
		"longer inside": append([]byte{0xff, 0xff, 0xff, 0xff}, good[4:]...),
		"shorter":       append([]byte{0, 0, 0, 1}, good[4:]...),
	} {
		if _, err := parseDetails(plain, snapshot.ActRun); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDetails(f *testing.F) {
	f.Add(someDetails("/a").encode())
	f.Fuzz(func(t *testing.T, plain []byte) {
		d, err := parseDetails(plain, snapshot.ActRun)
		if err == nil && !bytes.Equal(d.encode(), plain) {
			t.Error("what was parsed prints other bytes")
		}
	})
}
