// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/provider/accounts"
)

// The files of the key folder.
const (
	tlsKeyName   = "tls.key"
	loginKeyName = "login.key"
)

// keyFiles are all files of the key folder.
func keyFiles() []string {
	return []string{tlsKeyName, loginKeyName, logKeyName, vrfKeyName, statementKeyName, worldsName}
}

// siteKeys are the server's secrets. They are in files of their own, not in the
// database; none of them opens what users stored.
type siteKeys struct {
	tls   *ecdsa.PrivateKey
	pin   api.Pin
	login *accounts.ServerSecret
	log   *logKeys
}

// openKeys reads the key folder; with create it makes what is missing. Where a
// database is there already, a missing key is an error: new ones would lock
// everybody out. Origin is the name of a new log.
func openKeys(dir string, create bool, origin string) (*siteKeys, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make key folder: %w", err)
		}
	}
	key, err := openKey(filepath.Join(dir, tlsKeyName), create, generateTLS, parseTLS)
	if err != nil {
		return nil, err
	}
	login, err := openKey(filepath.Join(dir, loginKeyName), create, generateLogin, accounts.ParseServerSecret)
	if err != nil {
		return nil, err
	}
	log, err := openLogKeys(dir, create, origin)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("read TLS key: %w", err)
	}
	return &siteKeys{tls: key, pin: sha256.Sum256(public), login: login, log: log}, nil
}

// openKey reads one PEM file, or makes it.
func openKey[K any](path string, create bool, generate func() ([]byte, error), parse func([]byte) (K, error)) (K, error) {
	var none K
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		der, err := generate()
		if err != nil {
			return none, fmt.Errorf("make key %s: %w", path, err)
		}
		data = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := writeFile(path, data); err != nil {
			return none, err
		}
	} else if errors.Is(err, fs.ErrNotExist) {
		return none, protocol.Errorf(protocol.KindNotFound, "key %s is missing; restore it from a backup, new keys would lock everybody out", path)
	} else if err != nil {
		return none, fmt.Errorf("read key: %w", err)
	}
	block, rest := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" || len(rest) != 0 {
		return none, protocol.Errorf(protocol.KindUntrusted, "key %s is damaged; restore it from a backup", path)
	}
	key, err := parse(block.Bytes)
	if err != nil {
		return none, protocol.Errorf(protocol.KindUntrusted, "key %s is damaged; restore it from a backup", path)
	}
	return key, nil
}

func generateLogin() ([]byte, error) {
	secret, err := accounts.GenerateServerSecret()
	if err != nil {
		return nil, err
	}
	return secret.Expose(), nil
}

func generateTLS() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func parseTLS(der []byte) (*ecdsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("no P-256 key")
	}
	return key, nil
}

// certificate makes a self-signed certificate. It is new at every start: what
// devices hold on to is the key, by its hash in the invite.
func (k *siteKeys) certificate(host string, now time.Time) (tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "solekeyd"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.AddDate(20, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	name(template, host)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.tls.PublicKey, k.tls)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k.tls}, nil
}

// tlsConfig allows TLS 1.3 only.
func tlsConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}}
}
