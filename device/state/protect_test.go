// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/keys"
)

// answering is an Access whose passphrase is the text.
func answering(passphrase string) Access {
	return Access{Passphrase: func() ([]byte, error) { return []byte(passphrase), nil }}
}

func (w *world) secrets() *Secrets {
	return &Secrets{Member: w.self, Vaults: map[protocol.VaultID]*keys.Secret{
		w.vault: keys.GenerateSecret(), {1}: keys.GenerateSecret(), {2}: keys.GenerateSecret(),
	}}
}

func wantSecrets(t *testing.T, got, want *Secrets) {
	t.Helper()
	if got.Member.ID() != want.Member.ID() || len(got.Vaults) != len(want.Vaults) {
		t.Fatal("other secrets came out than went in")
	}
	for id, secret := range want.Vaults {
		if got.Vaults[id] == nil || !got.Vaults[id].Equal(secret) {
			t.Fatalf("the secret of vault %s differs", id)
		}
	}
}

func TestProtectAndUnlock(t *testing.T) {
	keyring.MockInit()
	file := filepath.Join(t.TempDir(), "key")
	cases := []struct {
		method Method
		with   Access
	}{
		{MethodPassphrase, answering("correct horse")},
		{MethodKeyring, Access{}},
		{MethodFile, Access{KeyFile: file}},
		{MethodTPM, Access{TPM: startTPM(t)}},
	}
	for _, c := range cases {
		t.Run(string(c.method), func(t *testing.T) {
			w := newWorld(t)
			s := w.joined()
			_, err := s.Unlock(c.with)
			wantKind(t, err, protocol.KindNotFound)
			secrets := w.secrets()
			must(t, s.Protect(c.method, c.with, secrets))
			got, err := w.again().Unlock(c.with)
			must(t, err)
			wantSecrets(t, got, secrets)
			if m, err := s.Method(); m != c.method || err != nil {
				t.Fatalf("method %s, %v", m, err)
			}
			noSecretInFolder(t, w.dir, secrets)
			must(t, s.Forget())
		})
	}
}

// noSecretInFolder looks for the secrets in every file of the folder.
func noSecretInFolder(t *testing.T, dir string, s *Secrets) {
	t.Helper()
	must(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, s.Member.Signing.Expose()) || bytes.Contains(data, s.Member.Wrap.Expose()) {
			t.Errorf("%s holds a secret in the clear", path)
		}
		return err
	}))
}

func TestProtectAnew(t *testing.T) {
	keyring.MockInit()
	w := newWorld(t)
	s := w.joined()
	secrets := w.secrets()
	must(t, s.Protect(MethodKeyring, Access{}, secrets))
	old, err := s.sealed()
	must(t, err)
	must(t, s.Protect(MethodPassphrase, answering("new"), secrets))
	_, err = keyringKeeper{}.recover(old.Parameters)
	wantKind(t, err, protocol.KindWrongSecret) // the old key is gone from the keyring
	_, err = s.Unlock(answering("old"))
	wantKind(t, err, protocol.KindWrongSecret)
	got, err := s.Unlock(answering("new"))
	must(t, err)
	wantSecrets(t, got, secrets)
	must(t, s.Protect(MethodKeyring, Access{}, secrets))
	must(t, s.Protect(MethodKeyring, Access{}, secrets)) // by the same method again
	got, err = s.Unlock(Access{})
	must(t, err)
	wantSecrets(t, got, secrets)
}

func TestProtectRefuses(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	open := filepath.Join(t.TempDir(), "open")
	must(t, os.WriteFile(open, bytes.Repeat([]byte("0"), 64), 0o644))
	short := filepath.Join(t.TempDir(), "short")
	must(t, os.WriteFile(short, []byte("00\n"), 0o600))
	broken := errors.New("the terminal is gone")
	cases := []struct {
		name   string
		method Method
		with   Access
		kind   protocol.Kind
	}{
		{"unknown method", "stone", Access{}, protocol.KindUsage},
		{"nobody to ask", MethodPassphrase, Access{}, protocol.KindUsage},
		{"empty passphrase", MethodPassphrase, answering(""), protocol.KindWrongSecret},
		{"no answer", MethodPassphrase, Access{Passphrase: func() ([]byte, error) { return nil, broken }}, protocol.KindInternal},
		{"no file named", MethodFile, Access{}, protocol.KindUsage},
		{"file beside the state", MethodFile, Access{KeyFile: filepath.Join(w.dir, "key")}, protocol.KindUsage},
		{"file below the state", MethodFile, Access{KeyFile: filepath.Join(w.dir, "a", "..", "b", "key")}, protocol.KindUsage},
		{"file open to others", MethodFile, Access{KeyFile: open}, protocol.KindDenied},
		{"file with something else", MethodFile, Access{KeyFile: short}, protocol.KindWrongSecret},
		{"no TPM", MethodTPM, Access{TPM: filepath.Join(w.dir, "none")}, protocol.KindNotFound},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantKind(t, s.Protect(c.method, c.with, w.secrets()), c.kind)
			_, err := s.Unlock(c.with)
			wantKind(t, err, protocol.KindNotFound) // nothing was written
		})
	}
	wantKind(t, s.Protect(MethodPassphrase, answering("x"), newWorld(t).secrets()), protocol.KindInternal)
}

func TestAbsentKeyringIsFound(t *testing.T) {
	defer keyring.MockInit()
	keyring.MockInitWithError(errors.New("no bus"))
	wantKind(t, KeyringAvailable(), protocol.KindNotFound)
	w := newWorld(t)
	wantKind(t, w.joined().Protect(MethodKeyring, Access{}, w.secrets()), protocol.KindNotFound)
	keyring.MockInit()
	must(t, KeyringAvailable())
}

func TestLostKeys(t *testing.T) {
	keyring.MockInit()
	w := newWorld(t)
	s := w.joined()
	path := filepath.Join(t.TempDir(), "key")
	must(t, s.Protect(MethodFile, Access{KeyFile: path}, w.secrets()))
	_, err := s.Unlock(Access{}) // the path is remembered
	must(t, err)
	must(t, os.Remove(path))
	_, err = s.Unlock(Access{})
	wantKind(t, err, protocol.KindWrongSecret)
	must(t, os.WriteFile(path, bytes.Repeat([]byte("0"), 64), 0o600))
	_, err = s.Unlock(Access{})
	wantKind(t, err, protocol.KindWrongSecret)

	must(t, s.Protect(MethodKeyring, Access{}, w.secrets()))
	sealed, err := s.sealed()
	must(t, err)
	var p keyringParameters
	must(t, json.Unmarshal(sealed.Parameters, &p))
	must(t, keyring.Set(keyringService, p.Entry, "changed"))
	_, err = s.Unlock(Access{})
	wantKind(t, err, protocol.KindWrongSecret)
	must(t, keyring.Delete(keyringService, p.Entry))
	_, err = s.Unlock(Access{})
	wantKind(t, err, protocol.KindWrongSecret)
}

// TestPassphraseParameters holds the stored parameters to floor and ceiling
// before the passphrase is used.
func TestPassphraseParameters(t *testing.T) {
	good := argonParameters{KDF: argonName, Memory: argonMemory, Time: argonTime, Lanes: 1, Salt: make([]byte, 16)}
	cases := map[string]func(*argonParameters){
		"another function": func(p *argonParameters) { p.KDF = "scrypt" },
		"little memory":    func(p *argonParameters) { p.Memory-- },
		"much memory":      func(p *argonParameters) { p.Memory = 1<<20 + 1 },
		"one pass":         func(p *argonParameters) { p.Time = 1 },
		"many passes":      func(p *argonParameters) { p.Time = 1000 },
		"no lane":          func(p *argonParameters) { p.Lanes = 0 },
		"many lanes":       func(p *argonParameters) { p.Lanes = 255 },
		"short salt":       func(p *argonParameters) { p.Salt = p.Salt[:8] },
		"long salt":        func(p *argonParameters) { p.Salt = make([]byte, 1000) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			p := good
			change(&p)
			text, err := json.Marshal(p)
			must(t, err)
			_, err = passphraseKeeper{ask: func() ([]byte, error) {
				t.Error("the passphrase was asked for")
				return nil, nil
			}}.recover(text)
			wantKind(t, err, protocol.KindUntrusted)
		})
	}
	_, err := passphraseKeeper{}.recover([]byte(`{"kdf":1}`))
	wantKind(t, err, protocol.KindUntrusted)
}

func TestSecretsOfAnotherDeviceDoNotOpen(t *testing.T) {
	keyring.MockInit()
	w, other := newWorld(t), newWorld(t)
	s, o := w.joined(), other.joined()
	path := filepath.Join(t.TempDir(), "key")
	must(t, s.Protect(MethodFile, Access{KeyFile: path}, w.secrets()))
	must(t, o.Protect(MethodFile, Access{KeyFile: path}, other.secrets()))
	data, err := os.ReadFile(filepath.Join(w.dir, nameSealed))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(other.dir, nameSealed), data, 0o600))
	_, err = o.Unlock(Access{})
	wantKind(t, err, protocol.KindWrongSecret)
	spoil(t, filepath.Join(w.dir, nameSealed), func(b []byte) []byte { return b[:len(b)-3] })
	_, err = s.Unlock(Access{})
	wantKind(t, err, protocol.KindUntrusted)
}

func TestSecretsHide(t *testing.T) {
	w := newWorld(t)
	s := w.secrets()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, s); got != "(secrets)" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	if s.String() != "(secrets)" {
		t.Error("String shows something")
	}
	if text, err := json.Marshal(s); err == nil {
		t.Errorf("secrets marshal to %s", text)
	}
}

// startTPM starts an emulated TPM and returns its socket.
func startTPM(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm") // sockets need short paths
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "socket")
	c := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+socket, "--flags", "not-need-init,startup-clear")
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatalf("start swtpm (Debian package swtpm): %v", err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for range 500 {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		if exec.Command("sleep", "0.01").Run() != nil {
			break
		}
	}
	t.Fatalf("swtpm gave no socket: %s", said.String())
	return ""
}

func TestSecretsStayWithTheirTPM(t *testing.T) {
	w := newWorld(t)
	s := w.joined()
	first, second := startTPM(t), startTPM(t)
	must(t, TPMAvailable(first))
	wantKind(t, TPMAvailable(filepath.Join(w.dir, "none")), protocol.KindNotFound)
	must(t, s.Protect(MethodTPM, Access{TPM: first}, w.secrets()))
	_, err := s.Unlock(Access{TPM: second})
	wantKind(t, err, protocol.KindWrongSecret)
	for range 4 { // nothing is left in the TPM's few slots
		_, err = s.Unlock(Access{TPM: first})
		must(t, err)
	}
}
