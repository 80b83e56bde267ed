// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"testing"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/seal"
)

func TestRunDigest(t *testing.T) {
	t.Parallel()
	var one, two, three runDigest
	for i := range byte(50) {
		name := NewNames(testSecret(1)).Name(KindFile, []byte{i})
		back := NewNames(testSecret(1)).Name(KindFile, []byte{49 - i})
		one.add(name)
		two.add(back)
		if i > 0 {
			three.add(name)
		}
	}
	if one != two {
		t.Error("the order changes the digest")
	}
	if one == three {
		t.Error("a chunk less does not change the digest")
	}
}

// Each number of steps comes about as often, and another vault's are others.
func TestStepsAreDrawnEvenly(t *testing.T) {
	t.Parallel()
	var counts [maxSteps + 1]int
	same := 0
	const runs = 4000
	for i := range runs {
		var d runDigest
		d.add(protocol.Hash{byte(i), byte(i >> 8)})
		steps := d.steps(testSecret(1))
		if steps != d.steps(testSecret(1)) {
			t.Fatal("one run has two numbers of steps")
		}
		counts[steps]++
		if steps == d.steps(testSecret(2)) {
			same++
		}
	}
	for steps, n := range append(counts[:], same) {
		if n < runs/4-200 || n > runs/4+200 {
			t.Errorf("%d steps %d times in %d", steps, n, runs)
		}
	}
}

func TestStepsReachOneSize(t *testing.T) {
	t.Parallel()
	for content := 3000; content <= seal.PackTarget-sealOverhead; content += 99_991 {
		if size := seal.PackSize(content, fullSteps(content)); size != seal.PackTarget {
			t.Errorf("content of %d bytes in a full pack of %d", content, size)
		}
		for drawn := range maxSteps + 1 {
			size := seal.PackSize(content, lastSteps(content, drawn))
			if size > seal.PackTarget || size < seal.PackTarget && size != seal.PackSize(content, drawn) {
				t.Errorf("content of %d bytes and %d steps in a last pack of %d", content, drawn, size)
			}
		}
	}
}
