// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package trust

import (
	"testing"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
)

// TestVerify goes over everything again, on a device that knows it and on one that
// looks for the first time.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	w.open("bert")
	for _, label := range []string{"desk", "laptop", "desk again"} {
		d.rename(label)
	}
	for name, who := range map[string]*device{"the one that made them": d, "a new one": d.add()} {
		own, err := who.Verify(bg, nil, nil)
		must(t, err)
		if own.Versions != 5 || own.Ledger < 5 || own.Replayed != 0 || own.Log.Size == 0 {
			t.Errorf("%s, its own: %+v", name, own)
		}
		var last uint64
		whole, err := who.Verify(bg, w.p, func(done, all uint64) {
			if done <= last || done > all {
				t.Errorf("%s: %d of %d entries, after %d", name, done, all, last)
			}
			last = done
		})
		must(t, err)
		if whole.Replayed != whole.Log.Size || last != whole.Log.Size || whole.Roots < 6 {
			t.Errorf("%s, the whole log: %+v", name, whole)
		}
	}
}

// TestVerifyFindsWhatNobodyAskedFor: a root that gives another name what its account
// did not say is seen by whoever computes it again.
func TestVerifyFindsWhatNobodyAskedFor(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	w.open("bert")
	d.synced()
	leaf, _ := w.p.Leaf("bert")
	leaf.Next[0] ^= 1
	w.p.SetLeaf("bert", &leaf)
	w.p.Publish()
	if _, err := d.Verify(bg, nil, nil); err != nil {
		t.Fatalf("its own name: %v", err)
	}
	_, err := d.Verify(bg, w.p, nil)
	if h := HeldBy(err); h == nil || h.Alarm.Kind != "rules" {
		t.Fatalf("a root of its own making: %v", err)
	}
	if _, err := d.Sync(bg); HeldBy(err) == nil {
		t.Errorf("it holds nothing: %v", err)
	}
}

// TestVerifyNeedsAllVersions: an answer that leaves versions out, or opens them to
// another past, is not taken.
func TestVerifyNeedsAllVersions(t *testing.T) {
	w := newWorld(t)
	d := w.open("anna")
	d.rename("desk")
	d.rename("laptop")
	d.synced()
	for name, lie := range map[string]func(*directory.Answer){
		"without the first": func(a *directory.Answer) { a.Openings = a.Openings[1:] },
		"another first":     func(a *directory.Answer) { a.Openings[0].Blind[0] ^= 1 },
		"none":              func(a *directory.Answer) { a.Openings = nil },
	} {
		w.lookup = func(q client.Question) *directory.Answer {
			a := w.p.Lookup(q.Name, q.Since, q.Size)
			if q.Since == 0 {
				lie(a)
			}
			return a
		}
		if _, err := d.Verify(bg, nil, nil); protocol.KindOf(err) != protocol.KindUntrusted {
			t.Errorf("%s: %v", name, err)
		}
	}
}
