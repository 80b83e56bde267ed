// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package statement

import "fmt"

// Contradict reports whether the two statements, in whichever order, cannot both
// be what an honest provider says, and why, in words. They contradict each other
// only if one key signed both and they are about one subject, and then if
//
//   - they name one number with two hashes, whatever the times; or
//   - the provider began to look for the one after it had finished looking for the
//     other, and it names a lower number.
//
// Where the times overlap, two numbers say nothing: something was added meanwhile.
// Receipts contradict each other if they promise one version of a name twice, with
// two updates; when they were given does not matter, since whoever repeats a
// request is given the same receipt again.
func Contradict(a, b *Signed) (why string, yes bool) {
	if a.key != b.key || a.s.Subject() != b.s.Subject() {
		return "", false
	}
	if a.s.Kind == KindReceipt {
		return contradictReceipts(&a.s, &b.s)
	}
	if why, yes := contradictChain(a, b, "entry", func(s *Statement) link { return link{s.Seq, s.Hash} }); yes {
		return why, true
	}
	if a.s.Kind != KindVault {
		return "", false
	}
	return contradictChain(a, b, "generation", func(s *Statement) link { return link{s.Generation, s.GenerationHash} })
}

// link is a place in a chain that only grows.
type link struct {
	number uint64
	hash   [32]byte
}

func contradictChain(a, b *Signed, word string, of func(*Statement) link) (string, bool) {
	if a.s.Kind == KindVault && word == "entry" {
		word = "record"
	}
	if b.s.Time < a.s.Since {
		a, b = b, a
	}
	x, y := of(&a.s), of(&b.s)
	switch {
	case x.number == y.number && x.hash != y.hash:
		return fmt.Sprintf("the provider named two different hashes, %x and %x, for %s %d of one %s", x.hash, y.hash, word, x.number, a.s.Kind), true
	case a.s.Time < b.s.Since && y.number < x.number:
		return fmt.Sprintf("the provider said at %s that %s %d of a %s was the newest, and at %s that %s %d was",
			a.s.Time, word, x.number, a.s.Kind, b.s.Time, word, y.number), true
	}
	return "", false
}

func contradictReceipts(a, b *Statement) (string, bool) {
	if a.Hash == b.Hash {
		return "", false
	}
	return fmt.Sprintf("the provider promised version %d of one name twice, with two different updates, %s and %s", a.NameVersion, a.Hash, b.Hash), true
}
