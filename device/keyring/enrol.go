// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
)

// maxEnrolPart bounds one part of an enrolment in bytes.
const maxEnrolPart = 16 << 10

// nonce is what each side adds to an enrolment; 32 random bytes.
type nonce [32]byte

// revealPart is what the new device commits to, and shows after the challenge.
//
// Growth: a changed part gets a new version; a reader refuses one it does not
// know.
type revealPart struct {
	Version uint64          `cbor:"1,keyasint"`
	Keys    keys.MemberKeys `cbor:"2,keyasint"`
	Role    protocol.Role   `cbor:"3,keyasint"`
	Nonce   nonce           `cbor:"4,keyasint"`
	Proof   protocol.Hash   `cbor:"5,keyasint,omitzero"` // absent in what the commitment covers
}

// challengePart is the approver's: who it is and what world it stands in.
//
// Growth: as revealPart.
type challengePart struct {
	Version uint64             `cbor:"1,keyasint"`
	Account protocol.AccountID `cbor:"2,keyasint"`
	Ledger  ledger.Head        `cbor:"3,keyasint"`
	Member  protocol.MemberID  `cbor:"4,keyasint"`
	Nonce   nonce              `cbor:"5,keyasint"`
}

// transcript is all that both sides must see alike. Members are named by their
// identifiers, which are hashes of all their keys.
type transcript struct {
	Label      string             `cbor:"1,keyasint"`
	Server     string             `cbor:"2,keyasint"` // its pin or host, see api.ServerName
	Account    protocol.AccountID `cbor:"3,keyasint"`
	Ledger     ledger.Head        `cbor:"4,keyasint"`
	Commitment protocol.Hash      `cbor:"5,keyasint"`
	Approver   protocol.MemberID  `cbor:"6,keyasint"`
	Approved   nonce              `cbor:"7,keyasint"` // the approver's nonce
	Newcomer   protocol.MemberID  `cbor:"8,keyasint"`
	Role       protocol.Role      `cbor:"9,keyasint"`
	New        nonce              `cbor:"10,keyasint"` // the new device's nonce
	World      protocol.Hash      `cbor:"11,keyasint"` // the log, its keys and the quorum that both go by
}

// The labels under which an enrolment's bytes are hashed.
const (
	labelCommitment = "solekey/v1/enrolment/commitment"
	labelTranscript = "solekey/v1/enrolment/transcript"
	labelCode       = "solekey/v1/enrolment/code"
	labelAnswer     = "solekey/v1/enrolment/answer"
	labelProof      = "solekey/v1/enrolment/proof"
	labelConfirm    = "solekey/v1/enrolment/confirmation"
)

// labelled hashes data under a label, which holds no zero byte.
func labelled(label string, data []byte) protocol.Hash {
	return sha256.Sum256(append(append([]byte(label), 0), data...))
}

// mac is HMAC-SHA256 over a label and a transcript.
func mac(secret *keys.Secret, label string, transcript protocol.Hash) protocol.Hash {
	h := hmac.New(sha256.New, secret.Expose())
	h.Write(append([]byte(label), 0))
	h.Write(transcript[:])
	return protocol.Hash(h.Sum(nil))
}

func equal(a, b protocol.Hash) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

func freshNonce() (n nonce) {
	_, _ = rand.Read(n[:]) // crypto/rand.Read never fails
	return n
}

// hash returns the transcript's hash.
func (t transcript) hash() protocol.Hash {
	t.Label = labelTranscript
	return labelled(labelTranscript, canonical.MustMarshal(t))
}

// commitment returns what the new device commits to before it knows anything.
func (r revealPart) commitment() protocol.Hash {
	r.Proof = protocol.Hash{}
	return labelled(labelCommitment, canonical.MustMarshal(r))
}

func errEnrol(why string) error {
	return protocol.Errorf(protocol.KindUntrusted, "enrolment: %s; nothing was added, begin anew", why)
}

// stage keeps the fixed order: each step is taken once, and after a step that
// failed none is.
type stage uint8

// Stages of both sides.
const (
	stageBegun   stage = iota
	stageMet           // both sides' parts are known
	stageChecked       // the other side proved itself
	stageOver
)

// step moves from one stage to the next, or refuses. It is over until the
// caller succeeds and sets the next stage.
func (s *stage) step(from stage) error {
	if *s != from {
		*s = stageOver
		return protocol.Errorf(protocol.KindConflict, "enrolment: this step was taken already, or it is not its turn; begin anew")
	}
	*s = stageOver
	return nil
}

// Newcomer is the new device's side of an enrolment. It is good for one attempt
// and not safe for concurrent use.
//
// The order is Commitment, Challenged, and then either CheckAnswer, for people
// who compare codes, or CheckConfirmation, where the long code was scanned. Only
// after one of the two is the account the one that the approver meant.
type Newcomer struct {
	server string
	joins  protocol.Hash // the hash of the world
	part   revealPart
	scan   *keys.Secret // of the long code
	stage  stage
	self   protocol.MemberID
	world  challengePart // the account that the approver named
	seen   protocol.Hash // of the transcript
	// confirm is the hash of the confirmation that the approver will make.
	confirm protocol.Hash
}

// NewNewcomer begins an enrolment of the device whose keys are given, in the
// role, at the server of the name (api.ServerName) and in the world of the hash.
// The world may be what the server says: the codes match only where the approver
// goes by the same.
func NewNewcomer(self *keys.MemberKeys, role protocol.Role, server string, world protocol.Hash) *Newcomer {
	part := revealPart{Version: protocol.FormatVersion, Keys: *self, Role: role, Nonce: freshNonce()}
	return &Newcomer{server: server, joins: world, self: self.ID(), part: part, scan: keys.GenerateSecret()}
}

// Commitment is sent first; it binds keys and nonce and shows neither.
func (n *Newcomer) Commitment() []byte {
	c := n.part.commitment()
	return c[:]
}

// LongCode is shown as a QR code; it is secret and never sent. Who scans it
// needs no codes compared.
func (n *Newcomer) LongCode() string { return longCode(n.scan) }

// Challenged takes the approver's part in, against the ledger that the server
// gave this device: the approver must be an owner device of it, at the head that
// it names. It returns what is revealed to the approver.
func (n *Newcomer) Challenged(challenge []byte, state *ledger.State) (reveal []byte, err error) {
	if err := n.stage.step(stageBegun); err != nil {
		return nil, err
	}
	var c challengePart
	if err := canonical.Unmarshal(challenge, maxEnrolPart, &c); err != nil {
		return nil, err
	}
	if c.Version != protocol.FormatVersion {
		return nil, protocol.Errorf(protocol.KindUnsupported, "enrolment: version %d is not known here", c.Version)
	}
	if err := checkApprover(&c, state); err != nil {
		return nil, err
	}
	n.seen = transcript{
		Server: n.server, Account: c.Account, Ledger: c.Ledger, Commitment: n.part.commitment(),
		Approver: c.Member, Approved: c.Nonce,
		Newcomer: n.part.Keys.ID(), Role: n.part.Role, New: n.part.Nonce, World: n.joins,
	}.hash()
	n.world = c
	n.part.Proof = mac(n.scan, labelProof, n.seen)
	n.confirm = keptConfirmation(mac(n.scan, labelConfirm, n.seen))
	n.stage = stageMet
	return canonical.MustMarshal(n.part), nil
}

func checkApprover(c *challengePart, state *ledger.State) error {
	if c.Account != state.Account() || !state.Holds(c.Ledger) {
		return errEnrol("the approving device sees another account than the server showed this one")
	}
	m, err := state.Member(c.Member)
	if err != nil || !m.Owner() {
		return errEnrol("who approves is no owner device of the account")
	}
	return nil
}

// ShortCode is shown to the user, who types it into the approving device. It is
// "" before Challenged.
func (n *Newcomer) ShortCode() string {
	if n.stage != stageMet {
		return ""
	}
	return shortCode(labelCode, n.seen)
}

// CheckAnswer takes the code that the approving device showed when it had
// approved; one attempt. It keeps the server from putting this device into an
// account of its own making, whose codes would differ.
func (n *Newcomer) CheckAnswer(typed string) error {
	if err := n.stage.step(stageMet); err != nil {
		return err
	}
	if !sameCode(typed, shortCode(labelAnswer, n.seen)) {
		return protocol.Errorf(protocol.KindWrongSecret, "the code is not the one that the approving device must show")
	}
	n.stage = stageChecked
	return nil
}

// CheckConfirmation takes the approver's confirmation, where the long code was
// scanned; one attempt.
func (n *Newcomer) CheckConfirmation(confirmation []byte) error {
	if err := n.stage.step(stageMet); err != nil {
		return err
	}
	if len(confirmation) != len(protocol.Hash{}) || !equal(keptConfirmation(protocol.Hash(confirmation)), n.confirm) {
		return errEnrol("the confirmation was not made by whoever scanned the code of this device")
	}
	n.stage = stageChecked
	return nil
}

// CheckAdded verifies, last, that the ledger that the server now serves has this
// device in the role it asked for, in the account and after the head that the
// approver named.
func (n *Newcomer) CheckAdded(state *ledger.State) error {
	if err := n.stage.step(stageChecked); err != nil {
		return err
	}
	if n.world.Account != state.Account() || !state.Holds(n.world.Ledger) {
		return errEnrol("the server serves another ledger than the approving device named")
	}
	m, err := state.Member(n.self)
	if err != nil || !m.Present() || m.Kind != ledger.KindDevice || m.Role != n.part.Role {
		return errEnrol("the ledger does not have this device as it asked to be added")
	}
	return nil
}

// Approval is an owner device's side of an enrolment. It is good for one attempt
// and not safe for concurrent use.
//
// The order is Challenge, Revealed, and then either ConfirmShort or ConfirmLong.
// Only after one of the two may the new device enter the ledger.
type Approval struct {
	server     string
	world      protocol.Hash // the hash of the world
	commitment protocol.Hash
	part       challengePart
	stage      stage
	reveal     revealPart
	seen       protocol.Hash // of the transcript
}

// NewApproval begins to approve the enrolment of a commitment. self must be an
// owner device of the ledger, which must be as new as can be had; the world is
// that of this device.
func NewApproval(self protocol.MemberID, state *ledger.State, server string, world protocol.Hash, commitment []byte) (*Approval, error) {
	if len(commitment) != len(protocol.Hash{}) {
		return nil, errEnrol("the commitment has the wrong size")
	}
	part := challengePart{
		Version: protocol.FormatVersion, Account: state.Account(), Ledger: state.Head(), Member: self, Nonce: freshNonce(),
	}
	if err := checkApprover(&part, state); err != nil {
		return nil, protocol.Wrap(protocol.KindDenied, err, "this device cannot approve")
	}
	return &Approval{server: server, world: world, commitment: protocol.Hash(commitment), part: part}, nil
}

// Challenge is sent second.
func (a *Approval) Challenge() []byte { return canonical.MustMarshal(a.part) }

// Revealed takes in what the new device revealed: it must be what it committed
// to before it saw the challenge.
func (a *Approval) Revealed(reveal []byte) error {
	if err := a.stage.step(stageBegun); err != nil {
		return err
	}
	var r revealPart
	if err := canonical.Unmarshal(reveal, maxEnrolPart, &r); err != nil {
		return err
	}
	if r.Version != protocol.FormatVersion {
		return protocol.Errorf(protocol.KindUnsupported, "enrolment: version %d is not known here", r.Version)
	}
	if !equal(r.commitment(), a.commitment) {
		return errEnrol("the new device shows other keys than it committed to")
	}
	if err := r.Keys.Check(); err != nil {
		return err
	}
	if r.Role != protocol.RoleOwner && r.Role != protocol.RoleWriter {
		return errEnrol("the new device asks for a role that is not known here")
	}
	a.reveal = r
	a.seen = transcript{
		Server: a.server, Account: a.part.Account, Ledger: a.part.Ledger, Commitment: a.commitment,
		Approver: a.part.Member, Approved: a.part.Nonce,
		Newcomer: r.Keys.ID(), Role: r.Role, New: r.Nonce, World: a.world,
	}.hash()
	a.stage = stageMet
	return nil
}

// Role returns the role that the new device asks for; ask the user whether it
// is meant. It is 0 before Revealed.
func (a *Approval) Role() protocol.Role { return a.reveal.Role }

// ConfirmShort takes the short code that the user read on the new device and
// typed here; one attempt. It returns the answer, which this device then shows
// and the user types into the new one.
func (a *Approval) ConfirmShort(typed string) (answer string, err error) {
	if err := a.stage.step(stageMet); err != nil {
		return "", err
	}
	if !sameCode(typed, shortCode(labelCode, a.seen)) {
		return "", protocol.Errorf(protocol.KindWrongSecret, "the code is not the one that the new device must show: it was not added; begin anew")
	}
	a.stage = stageChecked
	return shortCode(labelAnswer, a.seen), nil
}

// ConfirmLong takes the long code scanned from the new device; one attempt. It
// returns the confirmation, by which the new device knows that this world is the
// one that the user meant.
func (a *Approval) ConfirmLong(code string) (confirmation []byte, err error) {
	if err := a.stage.step(stageMet); err != nil {
		return nil, err
	}
	scan, err := parseLongCode(code)
	if err != nil {
		return nil, err
	}
	if !equal(a.reveal.Proof, mac(scan, labelProof, a.seen)) {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "the scanned code belongs to another device than the one that asks: it was not added; begin anew")
	}
	a.stage = stageChecked
	c := mac(scan, labelConfirm, a.seen)
	return c[:], nil
}

// Newcomer returns the keys to add to the ledger. Before the new device proved
// itself by one of the codes the error is KindConflict.
func (a *Approval) Newcomer() (*keys.MemberKeys, error) {
	if a.stage != stageChecked {
		return nil, protocol.Errorf(protocol.KindConflict, "enrolment: the new device has not proven itself")
	}
	k := a.reveal.Keys
	return &k, nil
}
