// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import "testing"

// withThief is an account in which B was stolen: the thief added a recovery
// method T, which is younger than R.
const withThief = begin + `
	B: add-recovery T
	B: grant T
`

// ageStories are about who may remove whom among recovery methods, and when.
var ageStories = map[string]string{
	"an older one removes a younger one at once": withThief + `
		R: remove-recovery T
		? pending
		? removed T
		? due true
		? vault docs epoch 1 due true
		! T: add-device X owner | was removed
		! T: rotate | was removed
		R: rotate
		R: rotate-vault docs
		? holders A B R
		? epoch 2
		! R: remove-recovery T | is not in the account
		! B: add-recovery T | is or was in the ledger already
		! B: add-device T owner | is or was in the ledger already
	`,
	"a younger one removes neither an older one nor itself": withThief + `
		! T: remove-recovery R | may not do this
		! T: remove-recovery T | may not do this
		! R: remove-recovery R | may not do this
		A: add-recovery U
		! T: remove-recovery R | may not do this
		T: remove-recovery U
		R: rotate
		R: remove-recovery T
		? removed T U
	`,
	"an owner device asks and waits, however old it is": withThief + `
		A: remove-recovery T as=t at=0d
		? pending t
		? holders A B R T
		T: veto t
		? pending
		B: remove-recovery R as=r at=0d
		! B: complete r at=6d | waited for its delay
		R: veto r
		? holders A B R T
	`,
	"what works at once cannot be vetoed": withThief + `
		R: remove-recovery T as=t at=0d
		! T: veto t | was removed
		! B: veto t | is not pending
		B: rotate
		! B: complete t at=8d | is not pending
	`,
	"a writer and a stranger ask for nothing": withThief + `
		A: add-device W writer
		! W: remove-recovery T | may not do this
		! X: remove-recovery T | is not in the ledger
	`,
	"the thief's method goes together with the thief's device": withThief + `
		B: remove A
		B: rotate
		B: remove-recovery R as=r at=0d
		T: add-device Y owner
		T: grant Y
		-- the thief has everything but R; from here on R acts alone
		R: remove B head=docs@7
		R: remove-recovery T
		R: remove Y head=docs@7
		? due true
		? pending
		R: rotate
		R: rotate-vault docs
		R: add-device N owner
		R: grant N
		? holders N R
		? present N R
		! B: add-recovery U | was removed
		! T: remove N | was removed
		! Y: remove N | was removed
	`,
	"it does not wait for a rotation, and others do": withThief + `
		A: add-recovery U
		A: remove B
		? due true
		! A: remove-recovery T | rotation of the account secret is due
		! T: remove-recovery R | rotation of the account secret is due
		! R: remove-recovery R | rotation of the account secret is due
		R: remove-recovery T
		R: remove-recovery U
		? due true
		R: rotate
		? due false
		? holders A R
	`,
	"it makes a rotation due again": withThief + `
		R: remove B
		R: rotate
		R: rotate-vault docs
		? due false
		? vault docs epoch 2 due false
		R: remove-recovery T
		? due true
		? vault docs epoch 2 due true
		! R: add-device N owner | rotation of the account secret is due
		R: rotate
		R: rotate-vault docs
		? holders A R
	`,
	"it answers what was asked about the same method, and nothing else": withThief + `
		A: add-recovery U
		A: remove-recovery T as=t at=0d
		A: remove-recovery U as=u at=0d
		A: close as=c at=0d
		? pending c t u
		R: remove-recovery T
		? pending c u
		R: rotate
		! A: complete t at=8d | is not pending
		! R: veto t | is not pending
		R: remove-recovery U
		? pending c
		R: rotate
		A: complete c at=8d
		? closed true
	`,
	"before there is a secret no rotation is due": `
		A: add-recovery R
		A: add-recovery T
		R: remove-recovery T
		? due false
		A: rotate
		? holders A R
	`,
	"somebody who can open stays, here too": `
		A: rotate
		A: add-recovery R
		A: add-recovery T
		A: grant T
		T: remove A
		-- R is the older one but was given nothing
		! R: remove-recovery T | nobody could open
		T: rotate
		R: remove-recovery T
		R: rotate
		? holders R
	`,
	"a removed one outranks nothing": withThief + `
		A: add-recovery U
		A: grant U
		A: remove-recovery R as=r at=0d
		A: complete r at=7d
		A: rotate
		! R: remove-recovery T | was removed
		T: remove-recovery U
		A: rotate
		? holders A B T
	`,
	"nothing after the end": withThief + `
		A: close as=c at=0d
		A: complete c at=7d
		! R: remove-recovery T | the account is closed
	`,
}

func TestAgeStories(t *testing.T) {
	for name, lines := range ageStories {
		t.Run(name, func(t *testing.T) { tell(t, lines) })
	}
}

// TestAgeIsPosition has the thief write any time he likes into the entry that
// adds his method: only its place in the chain counts.
func TestAgeIsPosition(t *testing.T) {
	s := tell(t, begin)
	early, err := Sign(s.state, -1<<62, Body{AddRecovery: &AddRecovery{Keys: *member("T").Public()}}, member("B"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.takeEntry(early, nil); err != nil {
		t.Fatal(err)
	}
	s.play(`
		! T: remove-recovery R | may not do this
		R: remove-recovery T
		? removed T
	`)
	s.foldsAlike()
}

// TestHeadsOfARemoval reads back what a removal named, vault by vault.
func TestHeadsOfARemoval(t *testing.T) {
	s := tell(t, begin+"A: create-vault mail\nA: remove B head=mail@4\nA: rotate\nA: create-vault more\n")
	m, err := s.state.Member(id("B"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Heads) != 2 || m.Heads[vault("mail")] != head(t, "mail@4") || m.Heads[vault("docs")] != head(t, "docs@0") {
		t.Errorf("the removal names %+v", m.Heads)
	}
	if list := s.state.LastHeads(vault("mail")); len(list) != 1 || list[0] != head(t, "mail@4") {
		t.Errorf("of mail, what counts ends at %+v", list)
	}
	for _, empty := range []string{"docs", "more"} {
		if list := s.state.LastHeads(vault(empty)); len(list) != 0 {
			t.Errorf("the chain of %s must pass through %+v", empty, list)
		}
	}
}
