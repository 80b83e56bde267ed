// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package gauntlet

import (
	"encoding/pem"
	"os"
	"path/filepath"

	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// Whoever has the provider has all that it signs with.

// secret reads one of the site's keys.
func (s *Site) secret(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir, "keys", name))
	if err != nil {
		s.t.Fatal(err)
	}
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return data
}

// LogSecret is what the site signs checkpoints with.
func (s *Site) LogSecret() *tlog.LogSecret {
	s.t.Helper()
	secret, err := tlog.ParseLogSecret(string(s.secret("log.key")))
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// VRFSecret is what the site finds names with.
func (s *Site) VRFSecret() *vrf.Secret {
	s.t.Helper()
	secret, err := vrf.Parse(s.secret("vrf.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// StatementSecret is what the site signs statements with.
func (s *Site) StatementSecret() *statement.Secret {
	s.t.Helper()
	secret, err := statement.ParseSecret(s.secret("statement.key"))
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// Resign changes a statement and signs it anew. What is no statement stays as it is.
func (s *Site) Resign(raw []byte, change func(*statement.Statement)) []byte {
	s.t.Helper()
	secret := s.StatementSecret()
	signed, err := secret.Public().Verify(raw)
	if err != nil {
		return raw
	}
	st := signed.Statement()
	change(&st)
	forged, err := secret.Sign(st)
	if err != nil {
		s.t.Fatal(err)
	}
	return forged.Bytes()
}
