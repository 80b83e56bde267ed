// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/json"
	"errors"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// tpmKeeper seals the key to this machine's TPM, under the storage root key
// that every TPM derives anew from its own seed: a disk taken elsewhere opens
// nothing. It keeps nobody out who runs as this user on this machine.
type tpmKeeper struct {
	path string
}

// tpmParameters hold the sealed object as the TPM gave it out.
type tpmParameters struct {
	Public  []byte `json:"public"`
	Private []byte `json:"private"`
}

// TPMAvailable reports whether the TPM at the path, empty for the system's own,
// can be opened; the error says why not.
func TPMAvailable(path string) error {
	t, err := tpmKeeper{path: path}.open()
	if err != nil {
		return err
	}
	return errTPM(t.Close(), "close")
}

func errTPM(err error, doing string) error {
	return protocol.Wrap(protocol.KindInternal, err, "TPM: %s", doing)
}

func (k tpmKeeper) open() (transport.TPMCloser, error) {
	t, err := openTPM(k.path)
	return t, protocol.Wrap(protocol.KindNotFound, err, "this machine has no TPM that this user may open")
}

// root is the storage root key, loaded.
type root struct {
	tpm    transport.TPM
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

// withRoot runs do with the storage root key of a TPM that it opens.
func (k tpmKeeper) withRoot(do func(*root) error) error {
	t, err := k.open()
	if err != nil {
		return err
	}
	defer t.Close() // the TPM holds nothing of ours by then
	primary, err := tpm2.CreatePrimary{
		PrimaryHandle: tpm2.TPMRHOwner,
		InPublic:      tpm2.New2B(tpm2.ECCSRKTemplate),
	}.Execute(t)
	if err != nil {
		return errTPM(err, "derive the storage root key")
	}
	public, err := primary.OutPublic.Contents()
	if err == nil {
		err = do(&root{tpm: t, handle: primary.ObjectHandle, name: primary.Name, public: *public})
	}
	return errors.Join(err, flush(t, primary.ObjectHandle))
}

func flush(t transport.TPM, handle tpm2.TPMHandle) error {
	_, err := tpm2.FlushContext{FlushHandle: handle}.Execute(t)
	return errTPM(err, "flush")
}

// session encrypts what crosses the wires between processor and TPM.
func (r *root) session(encryption tpm2.AuthOption) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, encryption, tpm2.Salted(r.handle, r.public))
}

func (k tpmKeeper) make(*Device) (*keys.Secret, any, error) {
	key := keys.GenerateSecret()
	var p tpmParameters
	err := k.withRoot(func(r *root) error {
		created, err := tpm2.Create{
			ParentHandle: tpm2.AuthHandle{Handle: r.handle, Name: r.name, Auth: r.session(tpm2.AESEncryption(128, tpm2.EncryptIn))},
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: key.Expose()}),
			}},
			InPublic: tpm2.New2B(sealedTemplate()),
		}.Execute(r.tpm)
		if err != nil {
			return errTPM(err, "seal the key")
		}
		p = tpmParameters{Public: created.OutPublic.Bytes(), Private: created.OutPrivate.Buffer}
		return nil
	})
	return key, p, err
}

// sealedTemplate is a sealed object that never leaves its TPM.
func sealedTemplate() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgKeyedHash,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true,
		},
	}
}

func (k tpmKeeper) recover(parameters json.RawMessage) (*keys.Secret, error) {
	var p tpmParameters
	if err := decodeParameters(parameters, &p); err != nil {
		return nil, err
	}
	var key *keys.Secret
	err := k.withRoot(func(r *root) error {
		loaded, err := tpm2.Load{
			ParentHandle: tpm2.AuthHandle{Handle: r.handle, Name: r.name, Auth: r.session(tpm2.AESEncryption(128, tpm2.EncryptIn))},
			InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](p.Public),
			InPrivate:    tpm2.TPM2BPrivate{Buffer: p.Private},
		}.Execute(r.tpm)
		if err != nil {
			return protocol.Wrap(protocol.KindWrongSecret, err, "unlock this device: its key was sealed to another TPM, or this one was cleared")
		}
		key, err = r.unseal(loaded)
		return errors.Join(err, flush(r.tpm, loaded.ObjectHandle))
	})
	return key, err
}

func (r *root) unseal(loaded *tpm2.LoadResponse) (*keys.Secret, error) {
	opened, err := tpm2.Unseal{
		ItemHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: loaded.Name, Auth: r.session(tpm2.AESEncryption(128, tpm2.EncryptOut))},
	}.Execute(r.tpm)
	if err != nil {
		return nil, errTPM(err, "open the key")
	}
	return keys.NewSecret(opened.OutData.Buffer)
}

func (tpmKeeper) drop(json.RawMessage) {}
