// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package ledger

import "testing"

// begin is an account with two owners, a recovery key and a vault.
const begin = `
	A: add-recovery R
	A: add-device B owner
	A: rotate
	A: create-vault docs
`

// withWriter adds a writer device that has no vault yet.
const withWriter = begin + `
	A: add-device W writer
`

var stories = map[string]string{
	"an account as it begins": begin + `
		? present A B R
		? holders A B R
		? epoch 1
		? due false
		? vault docs epoch 1 due false
		? may-add B docs yes
		? may-manage B yes
		? may-add R docs denied
		? may-manage R denied
		? may-add X docs denied
		? may-manage X denied
		? may-add A mail denied
	`,
	"a second genesis is refused": begin + `
		! A: genesis B | a genesis stands only at the start
	`,
	"a stranger says nothing": begin + `
		! X: add-device X owner | is not in the ledger
		! X: rotate | is not in the ledger
	`,
	"a writer says nothing": withWriter + `
		A: grant W docs
		A: close as=c
		! W: add-device X writer | may not do this
		! W: add-device X owner | may not do this
		! W: add-recovery X | may not do this
		! W: remove A | may not do this
		! W: remove W | may not do this
		! W: grant B | was not given the account secret
		! W: rotate | was not given the account secret
		! W: create-vault mail | was not given the account secret
		! W: rotate-vault docs | was not given the account secret
		! W: set-protection | may not do this
		! W: remove-recovery R | may not do this
		! W: close | may not do this
		! W: veto c | may not do this
		! W: complete c | may not do this
		! W: name-member A | was not given the account secret
	`,
	"a writer may nothing before there is a secret either": `
		A: add-device W writer
		! W: rotate | may not do this
		! W: add-device X owner | may not do this
	`,
	"what a recovery key may do": begin + `
		R: add-device C owner
		R: grant C
		A: close as=c
		R: veto c
		R: rotate
		R: rotate-vault docs
		R: name-member C
		R: remove A
		R: rotate
		? present B C R
	`,
	"what a recovery key may not do": begin + `
		! R: add-recovery S | may not do this
		! R: remove-recovery R | may not do this
		! R: remove-recovery A | may not do this
		! R: remove-recovery B | may not do this
		! R: remove-recovery X | may not do this
		! R: create-vault mail | may not do this
		! R: set-protection | may not do this
		! R: close | may not do this
		A: close as=c at=0d
		! R: complete c at=8d | may not do this
	`,
	"a thief is thrown out by the recovery key": begin + `
		B: remove A
		B: rotate
		B: remove-recovery R as=r at=0d
		? holders B R
		R: add-device N owner
		R: grant N
		R: remove B head=docs@7
		? due true
		-- what the thief asked for went with it
		? pending
		N: rotate
		N: rotate-vault docs
		? holders N R
		! B: veto r | was removed
	`,
	"what was removed stays removed": withWriter + `
		A: remove B
		A: rotate
		! B: add-device C owner | was removed
		! A: add-device B owner | is or was in the ledger already
		! A: add-device B writer | is or was in the ledger already
		! A: add-recovery B | is or was in the ledger already
		! A: add-device X owner keys=B/X | is or was in the ledger already
		! A: add-device X owner keys=X/B | is or was in the ledger already
		! A: remove B | is not in the account
		! A: grant B | is not in the account
		! A: rotate to=A,B,R | recipients
		? removed B
		? may-add B docs removed
		? may-manage B removed
	`,
	"no key stands there twice": begin + `
		! A: add-device A owner | is or was in the ledger already
		! A: add-device B writer | is or was in the ledger already
		! A: add-recovery R | is or was in the ledger already
		! A: add-device R owner | is or was in the ledger already
		! A: add-device X owner keys=A/X | is or was in the ledger already
		! A: add-device X owner keys=X/A | is or was in the ledger already
		! A: add-device X owner keys=X/vault:docs | is or was in the ledger already
		! A: create-vault mail keys=docs | is or was in the ledger already
		! A: create-vault mail keys=member:A | is or was in the ledger already
		! A: rotate-vault docs keys=docs | is or was in the ledger already
	`,
	"keys that are none": begin + `
		! A: add-device X owner keys=X/bad | wrap key
		! A: add-recovery X keys=X/bad | wrap key
		! A: create-vault mail keys=bad | wrap key
		! A: rotate-vault docs keys=bad | wrap key
	`,
	"roles that are none": begin + `
		! A: add-device X king | role 3 is not known
		! A: add-device X nobody | role 0 is not known
	`,
	"removing an owner makes rotations due": withWriter + `
		A: create-vault mail
		A: remove B
		? due true
		? vault docs epoch 1 due true
		? vault mail epoch 1 due true
		! A: add-device X writer | rotation of the account secret is due
		! A: add-recovery S | rotation of the account secret is due
		! A: grant W docs | rotation of the account secret is due
		! A: create-vault more | rotation of the account secret is due
		! A: rotate-vault docs | rotation of the account secret is due
		! A: set-protection | rotation of the account secret is due
		! A: remove-recovery R | rotation of the account secret is due
		! A: close | rotation of the account secret is due
		! A: name-member A | rotation of the account secret is due
		-- what throws more people out does not wait
		A: remove W
		A: rotate
		? due false
		? epoch 2
		? vault docs epoch 1 due true
		A: rotate-vault docs
		? vault docs epoch 2 due false
		? vault mail epoch 1 due true
	`,
	"a veto does not wait for a rotation": begin + `
		B: close as=c
		A: add-device C owner
		A: remove C
		? due true
		R: veto c
		? pending
	`,
	"a completion waits for a rotation": begin + `
		A: close as=c at=0d
		A: remove B
		! A: complete c at=8d | rotation of the account secret is due
	`,
	"removing a writer makes none due": withWriter + `
		A: grant W docs
		A: remove W head=docs@3
		? due false
		? vault docs epoch 1 due false
		? may-add W docs removed
	`,
	"no rotation is due where there is no secret": `
		A: add-device B owner
		A: remove B
		? due false
		A: add-recovery R
		A: rotate
		? epoch 1
	`,
	"a rotation names exactly the holders": withWriter + `
		! A: rotate to=A,B | it names 2 recipients, the account has 3 holders
		! A: rotate to=A,B,R,W | it names 4 recipients
		! A: rotate to=A,B,W | recipients are not the account's holders
		! A: rotate to=A,B,X | recipients are not the account's holders
		! A: rotate to=A,B,R,X | it names 4 recipients
		! A: rotate to=A,A,B | ascending
		A: rotate to=A,B,R
	`,
	"a rotation follows the one before": begin + `
		! A: rotate epoch=1 | epoch 1 does not follow 1
		! A: rotate epoch=3 | epoch 3 does not follow 1
		! A: rotate link=none | wrong link
		A: rotate
		? epoch 2
	`,
	"the first rotation has no link": `
		! A: rotate link=some | wrong link
		! A: rotate epoch=0 | does not follow
		A: rotate
	`,
	"who was not given the secret makes nothing that needs it": begin + `
		A: add-device C owner
		! C: rotate | was not given the account secret
		! C: create-vault mail | was not given the account secret
		! C: rotate-vault docs | was not given the account secret
		! C: name-member C | was not given the account secret
		! C: grant C | was not given the account secret
		A: grant C
		C: rotate
	`,
	"somebody who can open stays": begin + `
		A: add-device C owner
		A: remove B
		-- C is a holder by role but was given nothing; R was
		A: rotate
		A: remove C
		A: rotate
		A: remove A
		? holders R
		! R: remove A | is not in the account
		R: rotate
		R: add-device N owner
		! R: remove R | is not in the account
	`,
	"a device that was given nothing does not count as somebody who can open": `
		A: rotate
		A: add-device B owner
		! A: remove A | nobody could open
		A: grant B
		A: remove A
	`,
	"nobody removes the last one": `
		! A: remove A | nobody could open
		A: add-device W writer
		! A: remove A | nobody could open
	`,
	"removing what is not there": begin + `
		! A: remove X | is not in the account
		! A: remove R | is not in the account
		! A: remove-recovery A | is not in the account
		! A: remove-recovery X | is not in the account
		! A: remove B head=mail@1 | is not in the ledger
	`,
	"a removal names every vault": begin + `
		A: create-vault mail
		! A: remove B without=mail | it names heads of 1 vaults, the ledger has 2
		! A: remove B head=docs@3 without=mail | it names heads of 1 vaults
		! A: remove B head=mail@3 without=docs | it names heads of 1 vaults
		! A: remove B head=more@3 without=mail | is not in the ledger
		! A: remove B head=more@3 | is not in the ledger
		! R: remove B without=docs | it names heads of 1 vaults
		A: remove B head=mail@3
		A: rotate
		-- what came later is named by the next removal
		A: create-vault more
		A: add-device C owner
		! A: remove C without=more | it names heads of 2 vaults, the ledger has 3
		A: remove C
	`,
	"grants to holders": withWriter + `
		! A: grant B | has its grant already
		! A: grant X | is not in the account
		A: add-device C owner
		! A: grant C epoch=2 | epoch in force
		! A: grant C epoch=0 | epoch in force
		! A: grant C docs | epoch in force
		! A: grant C docs epoch=1 | epoch in force
		A: grant C
		A: add-recovery S
		A: grant S
		! A: grant S | has its grant already
	`,
	"no grant before there is a secret": `
		A: add-device B owner
		! A: grant B | epoch in force
	`,
	"grants to writers": withWriter + `
		? may-add W docs denied
		! A: grant W | a writer is granted vaults
		! A: grant W mail | a writer is granted vaults
		! A: grant W docs epoch=1 | a writer is granted vaults
		A: grant W docs
		! A: grant W docs | has vault
		? may-add W docs yes
		? may-manage W denied
		A: create-vault mail
		? may-add W mail denied
	`,
	"vaults": `
		! A: create-vault docs | no account secret yet
		A: rotate
		! A: create-vault docs category=2 | category 2 is not known
		A: create-vault docs
		! A: create-vault docs | is there already
		! A: rotate-vault mail | is not in the ledger
		! A: rotate-vault docs epoch=1 | epoch 1 does not follow 1
		! A: rotate-vault docs epoch=3 | epoch 3 does not follow 1
		A: rotate-vault docs
		? vault docs epoch 2 due false
	`,
	"protection": begin + `
		! A: set-protection level=2 | is not known
		! A: set-protection level=0 | is not known
		! A: set-protection category=2 | is not known
		A: set-protection
	`,
	"names": begin + `
		A: name-member B
		A: name-vault docs
		! A: name-member X | names nothing
		! A: name-vault mail | names nothing
		! A: name-both A docs | names nothing
		! A: name-nothing | names nothing
		! A: name-member B epoch=2 | epoch 1
		! A: name-member B epoch=0 | epoch 1
		A: remove B
		A: rotate
		-- what was removed can still be called something
		A: name-member B
	`,
	"no name before there is a secret": `
		! A: name-member A | in force, epoch 0
	`,
}

func TestStories(t *testing.T) {
	for name, lines := range stories {
		t.Run(name, func(t *testing.T) { tell(t, lines) })
	}
}

var pendingStories = map[string]string{
	"removing a recovery method waits": begin + `
		A: remove-recovery R as=r at=10d
		? pending r
		? holders A B R
		! A: complete r at=16.9d | waited for its delay
		! A: complete r at=9d | waited for its delay
		! A: complete r | waited for its delay
		A: complete r at=17d
		? pending
		? removed R
		? due true
		? vault docs epoch 1 due true
		! R: add-device X owner | was removed
		A: rotate
		? holders A B
		! A: complete r at=20d | not pending
		! A: remove-recovery R | is not in the account
		! A: add-recovery R | is or was in the ledger already
	`,
	"what the log never held does not complete": begin + `
		A: remove-recovery R as=r
		! A: complete r at=100d | waited for its delay
		! A: complete r | waited for its delay
	`,
	"closing waits": begin + `
		A: close as=c at=0d
		? closed false
		! A: complete c at=6d | waited for its delay
		A: complete c at=7d
		? closed true
		? may-add A docs denied
		? may-manage A yes
		! A: add-device X owner | the account is closed
		! A: rotate | the account is closed
		! R: remove A | the account is closed
	`,
	"a veto ends it": begin + `
		B: close as=c at=0d
		B: remove-recovery R as=r at=0d
		? pending c r
		R: veto r
		? pending c
		A: veto c
		! A: complete c at=8d | not pending
		! A: complete r at=8d | not pending
		! A: veto c | not pending
		! A: veto unknown | not pending
		-- and it may be asked for again, with a new delay
		B: remove-recovery R as=r2 at=9d
		! B: complete r2 at=15d | waited for its delay
		B: complete r2 at=16d
	`,
	"one takes one's own request back": begin + `
		A: close as=c
		A: veto c
		? pending
	`,
	"nothing is asked for twice": begin + `
		A: add-recovery S
		A: grant S
		A: close as=c at=0d
		! B: close | pending already
		A: remove-recovery R as=r at=0d
		! B: remove-recovery R | pending already
		B: remove-recovery S as=s at=0d
		? pending c r s
		A: complete r at=8d
		A: rotate
		? pending c s
		A: complete s at=8d
		? removed R S
	`,
	"a request goes with its signer": begin + `
		B: close as=c at=0d
		A: remove-recovery R as=r at=0d
		A: remove B
		? pending r
		A: rotate
		! A: complete c at=8d | not pending
		A: complete r at=8d
	`,
	"a completion is not a request": begin + `
		A: close as=c at=0d
		A: name-member A as=n at=0d
		! A: complete n at=8d | not pending
		! A: veto n | not pending
	`,
	"the last one who can open is not removed by waiting": `
		A: add-recovery R
		A: rotate
		A: remove-recovery R as=r at=0d
		A: add-device B owner
		A: remove A
		R: rotate
		R: remove B
		R: rotate
		R: add-device C owner
		? pending
		C: remove-recovery R as=q at=9d
		! C: complete q at=17d | nobody could open
		R: grant C
		C: complete q at=18d
		? holders C
	`,
}

func TestPendingStories(t *testing.T) {
	for name, lines := range pendingStories {
		t.Run(name, func(t *testing.T) { tell(t, lines) })
	}
}
