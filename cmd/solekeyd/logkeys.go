// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"path/filepath"
	"strings"

	"github.com/solekey/solekey/protocol/statement"
	"github.com/solekey/solekey/protocol/tlog"
	"github.com/solekey/solekey/protocol/vrf"
)

// The files of the key folder that belong to the public log. Every device holds
// on to the public halves of all three.
const (
	logKeyName       = "log.key"
	vrfKeyName       = "vrf.key"
	statementKeyName = "statement.key"
)

// logKeys are the secrets of the public log.
type logKeys struct {
	log       *tlog.LogSecret
	vrf       *vrf.Secret
	statement *statement.Secret
}

// openLogKeys reads the log's keys; with create it makes what is missing. Origin
// is the new log's name.
func openLogKeys(dir string, create bool, origin string) (*logKeys, error) {
	generateLog := func() ([]byte, error) {
		secret, err := tlog.GenerateLogSecret(origin)
		if err != nil {
			return nil, err
		}
		return []byte(secret.Expose()), nil
	}
	parseLog := func(data []byte) (*tlog.LogSecret, error) { return tlog.ParseLogSecret(string(data)) }
	log, err := openKey(filepath.Join(dir, logKeyName), create, generateLog, parseLog)
	if err != nil {
		return nil, err
	}
	generateVRF := func() ([]byte, error) { return vrf.Generate().Expose(), nil }
	function, err := openKey(filepath.Join(dir, vrfKeyName), create, generateVRF, vrf.Parse)
	if err != nil {
		return nil, err
	}
	generateStatement := func() ([]byte, error) { return statement.Generate().Expose(), nil }
	statements, err := openKey(filepath.Join(dir, statementKeyName), create, generateStatement, statement.ParseSecret)
	return &logKeys{log: log, vrf: function, statement: statements}, err
}

// newOrigin returns the name of a new log. Witnesses know a log by it, so that no
// two may have one: it ends with something random, since many servers may stand
// under one private address. It stays when the host changes.
func newOrigin(host string) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never fails
	name := "solekey/" + hex.EncodeToString(random[:])
	if bare, _, err := net.SplitHostPort(host); err == nil {
		host = bare
	}
	if net.ParseIP(strings.Trim(host, "[]")) != nil || !strings.Contains(host, ".") {
		return name // an address within a network says nothing outside
	}
	return host + "/" + name
}
