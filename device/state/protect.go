// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/canonical"
	"github.com/solekey/solekey/protocol/keys"
	"github.com/solekey/solekey/protocol/seal"
)

// Method says what keeps the key that opens the device's secrets.
type Method string

// The methods.
const (
	MethodKeyring    Method = "keyring"    // the operating system's keyring
	MethodPassphrase Method = "passphrase" // a passphrase, asked for each time
	MethodFile       Method = "file"       // a file elsewhere, for unattended machines
	MethodTPM        Method = "tpm"        // this machine's TPM
)

// Access is how the key is reached. A method uses its own field only.
type Access struct {
	// Passphrase asks for the passphrase.
	Passphrase func() ([]byte, error)
	// KeyFile is the file of MethodFile; Unlock takes the remembered one where
	// it is empty.
	KeyFile string
	// TPM is the TPM's device or the socket of an emulator; empty for the
	// system's own.
	TPM string
}

// Secrets are what a device must keep to itself. Vaults holds, for a writer
// device, its secret for each vault it was granted.
type Secrets struct {
	Member *keys.MemberSecrets
	Vaults map[protocol.VaultID]*keys.Secret
}

// String returns a placeholder.
func (s *Secrets) String() string { return "(secrets)" }

// Format writes a placeholder whatever the verb.
func (s *Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secrets)")) }

// MarshalJSON fails: secrets leave only sealed.
func (s *Secrets) MarshalJSON() ([]byte, error) {
	return nil, protocol.Errorf(protocol.KindInternal, "secrets do not marshal")
}

// sealedFile is the device's secrets at rest.
type sealedFile struct {
	Method     Method          `json:"method"`
	Parameters json.RawMessage `json:"parameters"` // of the method
	Box        []byte          `json:"box"`
}

// secretsBox is what is in the box.
//
// Growth: a changed shape gets a new version of the file.
type secretsBox struct {
	Signing []byte        `cbor:"1,keyasint"`
	Wrap    []byte        `cbor:"2,keyasint"`
	Vaults  []vaultSecret `cbor:"3,keyasint"` // ascending by vault
}

type vaultSecret struct {
	Vault  protocol.VaultID `cbor:"1,keyasint"`
	Secret []byte           `cbor:"2,keyasint"`
}

// maxSecrets bounds the opened box in bytes.
const maxSecrets = 64 << 10

// keeper keeps one key by one method.
type keeper interface {
	// make returns a new key and the parameters by which recover finds it.
	make(d *Device) (*keys.Secret, any, error)
	// recover returns the key. KindWrongSecret is for what the user can mend by
	// another answer.
	recover(parameters json.RawMessage) (*keys.Secret, error)
	// drop removes what make left outside the state folder.
	drop(parameters json.RawMessage)
}

func (s *State) keeper(m Method, a Access) (keeper, error) {
	switch m {
	case MethodKeyring:
		return keyringKeeper{}, nil
	case MethodPassphrase:
		return passphraseKeeper{ask: a.Passphrase}, nil
	case MethodFile:
		return fileKeeper{path: a.KeyFile, dir: s.dir}, nil
	case MethodTPM:
		return tpmKeeper{path: a.TPM}, nil
	}
	return nil, protocol.Errorf(protocol.KindUsage, "%q is no way to protect a device's secrets: take keyring, passphrase, file or tpm", m)
}

// Protect seals the secrets under a new key that the method keeps, in place of
// what was sealed before. SetDevice comes first: the box is bound to account and
// member, and the secrets must be the member's.
func (s *State) Protect(m Method, a Access, secrets *Secrets) error {
	d, err := s.Device()
	if err != nil {
		return err
	}
	if secrets.Member.ID() != d.Member {
		return protocol.Errorf(protocol.KindInternal, "protect: the secrets are those of another member")
	}
	k, err := s.keeper(m, a)
	if err != nil {
		return err
	}
	key, parameters, err := k.make(d)
	if err != nil {
		return err
	}
	text, err := json.Marshal(parameters)
	if err != nil {
		return protocol.Wrap(protocol.KindInternal, err, "protect")
	}
	sealed := sealedFile{Method: m, Parameters: text}
	sealed.Box = seal.Box(key, sealedContext(d), encodeSecrets(secrets))
	return s.update(func() error { return s.replaceSealed(sealed) })
}

// replaceSealed writes the box first and drops the key of the old one after
// it: a crash between leaves a key too many, never a box without its key.
func (s *State) replaceSealed(sealed sealedFile) error {
	old, err := s.sealed()
	if err := writeDocument(s.path(nameSealed), "secrets", sealed); err != nil {
		return err
	}
	if err == nil && (old.Method != MethodFile || !bytes.Equal(old.Parameters, sealed.Parameters)) {
		s.dropOf(old)
	}
	return nil
}

// Unlock opens the device's secrets by the method that protects them. The error
// is KindWrongSecret where passphrase, key file or keyring hold another key.
func (s *State) Unlock(a Access) (*Secrets, error) {
	d, err := s.Device()
	if err != nil {
		return nil, err
	}
	sealed, err := s.sealed()
	if err != nil {
		return nil, err
	}
	k, err := s.keeper(sealed.Method, a)
	if err != nil {
		return nil, errDamaged(s.path(nameSealed), err)
	}
	key, err := k.recover(sealed.Parameters)
	if err != nil {
		return nil, err
	}
	plain, err := seal.OpenBox(key, sealedContext(d), sealed.Box)
	if err != nil {
		return nil, protocol.Errorf(protocol.KindWrongSecret, "unlock this device: %s", wrongWords(sealed.Method))
	}
	return s.decodeSecrets(d, plain)
}

// wrongWords says what did not fit. The file's check sum held, so it is not the
// file.
func wrongWords(m Method) string {
	switch m {
	case MethodPassphrase:
		return "wrong passphrase"
	case MethodFile:
		return "the key file is not the one that its secrets were sealed with"
	}
	return "the key that the " + string(m) + " holds is not the one that its secrets were sealed with"
}

// Method returns what protects the device's secrets.
func (s *State) Method() (Method, error) {
	sealed, err := s.sealed()
	return sealed.Method, err
}

func (s *State) sealed() (sealedFile, error) {
	var f sealedFile
	err := readDocument(s.path(nameSealed), "secrets", &f)
	if protocol.KindOf(err) == protocol.KindNotFound {
		return f, errNoDevice(s.dir, err)
	}
	return f, err
}

// dropKey removes the key that protects the present secrets, as far as it can.
func (s *State) dropKey() {
	if sealed, err := s.sealed(); err == nil {
		s.dropOf(sealed)
	}
}

func (s *State) dropOf(sealed sealedFile) {
	if k, err := s.keeper(sealed.Method, Access{}); err == nil {
		k.drop(sealed.Parameters)
	}
}

func sealedContext(d *Device) seal.Context {
	return seal.Context{Account: d.Account, Type: seal.TypeDevice, ID: protocol.Hash(d.Member)}
}

func encodeSecrets(s *Secrets) []byte {
	box := secretsBox{Signing: s.Member.Signing.Expose(), Wrap: s.Member.Wrap.Expose()}
	for id, secret := range s.Vaults {
		box.Vaults = append(box.Vaults, vaultSecret{id, secret.Expose()})
	}
	sort.Slice(box.Vaults, func(i, j int) bool {
		return bytes.Compare(box.Vaults[i].Vault[:], box.Vaults[j].Vault[:]) < 0
	})
	return canonical.MustMarshal(box)
}

func (s *State) decodeSecrets(d *Device, plain []byte) (*Secrets, error) {
	var box secretsBox
	if err := canonical.Unmarshal(plain, maxSecrets, &box); err != nil {
		return nil, errDamaged(s.path(nameSealed), err)
	}
	signing, err := keys.NewSigningSecret(box.Signing)
	if err != nil {
		return nil, errDamaged(s.path(nameSealed), err)
	}
	wrap, err := keys.NewWrapSecret(box.Wrap)
	if err != nil {
		return nil, errDamaged(s.path(nameSealed), err)
	}
	out := &Secrets{Member: &keys.MemberSecrets{Signing: signing, Wrap: wrap}, Vaults: map[protocol.VaultID]*keys.Secret{}}
	for _, v := range box.Vaults {
		if out.Vaults[v.Vault], err = keys.NewSecret(v.Secret); err != nil {
			return nil, errDamaged(s.path(nameSealed), err)
		}
	}
	if out.Member.ID() != d.Member {
		return nil, errDamaged(s.path(nameSealed), protocol.Errorf(protocol.KindUntrusted, "it holds the secrets of another member"))
	}
	return out, nil
}

// decodeParameters decodes a method's parameters; the check sum of the file
// held, so what does not fit was written by something else.
func decodeParameters(text json.RawMessage, v any) error {
	err := decodeStrict(text, v)
	return protocol.Wrap(protocol.KindUntrusted, err, "unlock this device: the parameters of its protection are not readable")
}
