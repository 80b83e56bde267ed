// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/seal"
	"github.com/solekey/solekey/protocol/tlog"
)

// Batch is what a draft made: entries that follow each other, and the wraps and
// boxes that they name. It is appended at the provider whole or not at all,
// together with the update by which the directory comes to name its last entry.
type Batch struct {
	Entries []*ledger.Entry
	Objects [][]byte
	State   *ledger.State // after the last entry

	// Update and Opening are set by Draft.Publish.
	Update  *directory.Update
	Opening directory.Opening
}

// Draft makes ledger entries. Each method folds what it made before it goes on,
// so that every recipient comes out of the ledger as it will be, by a standing
// that proves what was before it. After an error a draft must be dropped; nothing
// has left the device.
type Draft struct {
	batch    Batch
	standing *directory.Standing      // of the ledger as it will be
	objects  map[protocol.Hash][]byte // of the batch
	older    Objects                  // of the ledger before the batch
	self     *keys.MemberSecrets
	secrets  map[uint64]*keys.Secret
	before   uint64 // epoch of the account secret before the batch, 0 for a new account
	at       protocol.Time
}

// Create drafts a new account whose first device is self. Complete it with
// AddRecovery and Rotate, then CreateVault and names, and Publish it.
func Create(self *keys.MemberSecrets, at protocol.Time) (*Draft, error) {
	body := ledger.Body{Genesis: &ledger.Genesis{Device: *self.Public()}}
	_, _ = rand.Read(body.Genesis.Nonce[:]) // crypto/rand.Read never fails
	genesis, err := ledger.Sign(nil, at, body, self)
	if err != nil {
		return nil, err
	}
	state, err := ledger.Fold([]*ledger.Entry{genesis}, nil)
	if err != nil {
		return nil, err
	}
	standing, err := directory.Begin(state, self.ID())
	if err != nil {
		return nil, err
	}
	d := newDraft(standing, self, at)
	d.batch.Entries = append(d.batch.Entries, genesis)
	return d, nil
}

// Edit drafts entries that follow the ring's ledger, signed by the ring's own
// member. On is what proves that ledger; who may be sealed to comes out of it.
func (r *Ring) Edit(on *directory.Standing, at protocol.Time) (*Draft, error) {
	if on.Account() != r.state.Account() || on.State().Head() != r.state.Head() {
		return nil, protocol.Errorf(protocol.KindInternal, "edit: the standing is of another ledger than the ring")
	}
	d := newDraft(on, r.self, at)
	d.older, d.secrets, d.before = r.objects, r.secrets, r.state.Epoch()
	return d, nil
}

func newDraft(on *directory.Standing, self *keys.MemberSecrets, at protocol.Time) *Draft {
	d := &Draft{standing: on, self: self, at: at, objects: map[protocol.Hash][]byte{}, secrets: map[uint64]*keys.Secret{}}
	d.batch.State = on.State()
	d.older = func(name protocol.Hash) ([]byte, error) {
		return nil, protocol.Errorf(protocol.KindUntrusted, "object %s is not there", name)
	}
	return d
}

// Batch returns what was drafted.
func (d *Draft) Batch() *Batch { return &d.batch }

// Standing returns the standing of the ledger as it will be.
func (d *Draft) Standing() *directory.Standing { return d.standing }

// Publish returns the batch with the update that gives the name of the index its
// version: signed with the key that the account secret in force before the batch
// gives for it, for the first version the one after; it names the key of the next
// version, from the secret in force after. Each call draws a new blind.
func (d *Draft) Publish(log *tlog.LogKey, index protocol.Hash, version uint64) (*Batch, error) {
	if len(d.batch.Entries) == 0 || version == 0 || (version == 1) != (d.before == 0) {
		return nil, protocol.Errorf(protocol.KindInternal, "publish: version %d of a name does not go with this batch", version)
	}
	after, err := d.secret()
	if err != nil {
		return nil, err
	}
	before := after
	if d.before > 0 {
		var known bool
		if before, known = d.secrets[d.before]; !known {
			return nil, protocol.Errorf(protocol.KindDenied, "the account secret in force is not known here: this member cannot change the account")
		}
	}
	b := d.batch
	b.Opening = directory.GenerateOpening(d.account(), b.State.Head())
	key := directory.DeriveUpdateSecret(before, d.account(), version)
	next := directory.DeriveUpdateSecret(after, d.account(), version+1)
	b.Update = directory.NewUpdate(log, index, version, b.Opening, key, next)
	return &b, nil
}

// Ring returns a ring over the ledger as it will be.
func (d *Draft) Ring() (*Ring, error) { return Open(d.batch.State, d.object, d.self) }

func (d *Draft) object(name protocol.Hash) ([]byte, error) {
	if object, ok := d.objects[name]; ok {
		return object, nil
	}
	return d.older(name)
}

// keep takes an object in and returns its name.
func (d *Draft) keep(object []byte) protocol.Hash {
	name := protocol.Hash(sha256.Sum256(object))
	d.objects[name] = object
	d.batch.Objects = append(d.batch.Objects, object)
	return name
}

// say signs the next entry and folds it.
func (d *Draft) say(body ledger.Body) error {
	entry, err := ledger.Sign(d.batch.State, d.at, body, d.self)
	if err != nil {
		return err
	}
	standing, err := d.standing.Extend(d.self.ID(), []*ledger.Entry{entry})
	if err != nil {
		return err
	}
	d.standing, d.batch.State = standing, standing.State()
	d.batch.Entries = append(d.batch.Entries, entry)
	return nil
}

func (d *Draft) account() protocol.AccountID { return d.batch.State.Account() }

// secret returns the account secret in force.
func (d *Draft) secret() (*keys.Secret, error) {
	s, ok := d.secrets[d.batch.State.Epoch()]
	if !ok {
		return nil, protocol.Errorf(protocol.KindDenied, "the account secret in force is not known here")
	}
	return s, nil
}

// AddRecovery adds a recovery key. Where an account secret is in force already
// it is granted to it; otherwise the first Rotate does.
func (d *Draft) AddRecovery(k *keys.MemberKeys) error {
	if err := d.say(ledger.Body{AddRecovery: &ledger.AddRecovery{Keys: *k}}); err != nil {
		return err
	}
	if d.batch.State.Epoch() == 0 {
		return nil
	}
	return d.grantSecret(k.ID())
}

// AddOwner adds an owner device and grants it the account secret.
func (d *Draft) AddOwner(k *keys.MemberKeys) error {
	body := ledger.Body{AddDevice: &ledger.AddDevice{Device: *k, Role: protocol.RoleOwner}}
	if err := d.say(body); err != nil {
		return err
	}
	return d.grantSecret(k.ID())
}

// AddWriter adds a writer device and grants it each of the vaults, whose
// secrets the caller opened.
func (d *Draft) AddWriter(k *keys.MemberKeys, vaults []*VaultSecrets) error {
	body := ledger.Body{AddDevice: &ledger.AddDevice{Device: *k, Role: protocol.RoleWriter}}
	if err := d.say(body); err != nil {
		return err
	}
	for _, v := range vaults {
		if err := d.grantVault(k.ID(), v); err != nil {
			return err
		}
	}
	return nil
}

func (d *Draft) grantSecret(member protocol.MemberID) error {
	secret, err := d.secret()
	if err != nil {
		return err
	}
	to, err := d.standing.Member(member)
	if err != nil {
		return err
	}
	epoch := d.batch.State.Epoch()
	wrap, err := seal.Wrap(to, secretContext(d.account(), member, epoch), secret)
	if err != nil {
		return err
	}
	return d.say(ledger.Body{Grant: &ledger.Grant{Member: member, Epoch: epoch, Wrap: d.keep(wrap)}})
}

func (d *Draft) grantVault(member protocol.MemberID, v *VaultSecrets) error {
	to, err := d.standing.Member(member)
	if err != nil {
		return err
	}
	wrap, err := seal.Wrap(to, writerContext(d.account(), v.ID, member), v.Writer(member).Root)
	if err != nil {
		return err
	}
	return d.say(ledger.Body{Grant: &ledger.Grant{Member: member, Vault: v.ID, Wrap: d.keep(wrap)}})
}

// Rotate puts a new account secret in force, wrapped to exactly the present
// holders.
func (d *Draft) Rotate() error {
	epoch, secret := d.batch.State.Epoch()+1, keys.GenerateSecret()
	body := &ledger.Rotate{Epoch: epoch}
	holders, err := d.standing.Holders()
	if err != nil {
		return err
	}
	for _, to := range holders {
		wrap, err := seal.Wrap(to, secretContext(d.account(), to.Member(), epoch), secret)
		if err != nil {
			return err
		}
		body.Wraps = append(body.Wraps, ledger.MemberWrap{Member: to.Member(), Wrap: d.keep(wrap)})
	}
	if epoch > 1 {
		older, err := d.secret()
		if err != nil {
			return err
		}
		body.Link = d.keep(seal.Box(secret, linkContext(d.account(), epoch), older.Expose()))
	}
	d.secrets = withSecret(d.secrets, epoch, secret)
	return d.say(ledger.Body{Rotate: body})
}

// withSecret returns a copy of the map that holds the secret, too; a ring's own
// map stays as it is.
func withSecret(m map[uint64]*keys.Secret, epoch uint64, secret *keys.Secret) map[uint64]*keys.Secret {
	c := make(map[uint64]*keys.Secret, len(m)+1)
	for e, s := range m {
		c[e] = s
	}
	c[epoch] = secret
	return c
}

// CreateVault opens a vault of the category and returns its identifier.
func (d *Draft) CreateVault(category protocol.Category) (protocol.VaultID, error) {
	var id protocol.VaultID
	_, _ = rand.Read(id[:]) // crypto/rand.Read never fails
	public, sealed, err := d.vaultEpoch(id, 1, keys.GenerateSecret())
	if err != nil {
		return id, err
	}
	body := &ledger.CreateVault{Vault: id, Category: category, Key: public, Secrets: sealed}
	return id, d.say(ledger.Body{CreateVault: body})
}

// RotateVault puts a new key pair of the vault in force.
func (d *Draft) RotateVault(v *VaultSecrets) error {
	epoch := uint64(len(v.wraps) + 1)
	public, sealed, err := d.vaultEpoch(v.ID, epoch, v.content)
	if err != nil {
		return err
	}
	body := &ledger.RotateVault{Vault: v.ID, Epoch: epoch, Key: public, Secrets: sealed}
	return d.say(ledger.Body{RotateVault: body})
}

// vaultEpoch makes an epoch's key pair and boxes its secrets.
func (d *Draft) vaultEpoch(id protocol.VaultID, epoch uint64, content *keys.Secret) (keys.WrapKey, protocol.Hash, error) {
	secret, err := d.secret()
	if err != nil {
		return keys.WrapKey{}, protocol.Hash{}, err
	}
	wrap := keys.GenerateWrapSecret()
	var box vaultBox
	copy(box.Content[:], content.Expose())
	copy(box.Wrap[:], wrap.Expose())
	sealed := seal.Box(secret, vaultContext(d.account(), id, epoch), canonical.MustMarshal(&box))
	return wrap.Public(), d.keep(sealed), nil
}

// RemoveDevice removes a device at once. Heads are, of every vault of the
// account, the last head that still counts; it is protocol.KindUsage where one
// is missing. Where the device held the account secret, account and vaults get
// new keys in the same batch; vaults are all vaults of the account.
func (d *Draft) RemoveDevice(id protocol.MemberID, heads []ledger.VaultHead, vaults []*VaultSecrets) error {
	return d.RemoveDevices([]protocol.MemberID{id}, heads, vaults)
}

// RemoveDevices is RemoveDevice for several at once, with one set of new keys.
func (d *Draft) RemoveDevices(ids []protocol.MemberID, heads []ledger.VaultHead, vaults []*VaultSecrets) error {
	if err := d.namesEveryVault(heads); err != nil {
		return err
	}
	heads = append([]ledger.VaultHead(nil), heads...)
	sort.Slice(heads, func(i, j int) bool { return bytes.Compare(heads[i].Vault[:], heads[j].Vault[:]) < 0 })
	for _, id := range ids {
		body := &ledger.RemoveDevice{Device: id, Heads: heads}
		if err := d.say(ledger.Body{RemoveDevice: body}); err != nil {
			return err
		}
	}
	if !d.batch.State.RotationDue() {
		return nil
	}
	return d.Renew(vaults)
}

// namesEveryVault refuses heads that leave a vault out: by that, all that the
// device ever signed in it would be void.
func (d *Draft) namesEveryVault(heads []ledger.VaultHead) error {
	for _, v := range d.batch.State.Vaults() {
		if !slices.ContainsFunc(heads, func(h ledger.VaultHead) bool { return h.Vault == v.ID }) {
			return protocol.Errorf(protocol.KindUsage, "remove device: the head of vault %s is missing; name the last one that counts, or 0 for nothing", v.ID)
		}
	}
	return nil
}

// Renew puts a new account secret and new vault keys in force; vaults are all
// vaults of the account.
func (d *Draft) Renew(vaults []*VaultSecrets) error {
	if err := d.Rotate(); err != nil {
		return err
	}
	for _, v := range vaults {
		if err := d.RotateVault(v); err != nil {
			return err
		}
	}
	return nil
}

// RemoveRecovery asks for a recovery method to be removed; it stays until its
// delay is over. Where the draft's own member is an older recovery method, the
// removal works at once, and account and vaults get new keys in the same batch;
// vaults are then all vaults of the account.
func (d *Draft) RemoveRecovery(id protocol.MemberID, vaults []*VaultSecrets) error {
	if err := d.say(ledger.Body{RemoveRecovery: &ledger.RemoveRecovery{Member: id}}); err != nil {
		return err
	}
	if !d.batch.State.RotationDue() {
		return nil
	}
	return d.Renew(vaults)
}

// Veto ends a pending entry without effect.
func (d *Draft) Veto(entry protocol.Hash) error {
	return d.say(ledger.Body{Veto: &ledger.Veto{Entry: entry}})
}

// NameMember gives a member the word people know it by.
func (d *Draft) NameMember(id protocol.MemberID, label string) error {
	box, epoch, err := d.label(protocol.Hash(id), label)
	if err != nil {
		return err
	}
	return d.say(ledger.Body{Name: &ledger.Name{Member: id, Epoch: epoch, Box: box}})
}

// NameVault gives a vault the word people know it by.
func (d *Draft) NameVault(id protocol.VaultID, label string) error {
	box, epoch, err := d.label(vaultSubject(id), label)
	if err != nil {
		return err
	}
	return d.say(ledger.Body{Name: &ledger.Name{Vault: id, Epoch: epoch, Box: box}})
}
