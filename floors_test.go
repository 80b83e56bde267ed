// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

// Package house_test holds the module to its drawing: rooms, floors, walls, guests and words.
//
// This file is the policy. It is read by people first: a package that is not drawn here does not enter the
// module, and a rule is changed here, in the open, or not at all. floors_rules_test.go holds the rules, pure
// functions over a description of the packages; floors_read_test.go makes that description from the source;
// floors_breaks_test.go breaks every kind of rule once on purpose.
package house_test

import "testing"

// module is the import path that all rooms begin with.
const module = "github.com/solekey/solekey"

// house is the drawing that this module is held to.
var house = drawing{
	// Who may import whom: only what stands on a lower number, never what stands on the same one.
	floors: map[string]int{
		// words
		"protocol": 1,
		// primitives
		"protocol/canonical": 2, "protocol/keys": 2, "protocol/blob": 2, "protocol/vrf": 2,
		// formats
		"protocol/ledger": 3, "protocol/tlog": 3, "protocol/statement": 3, "storage/disk": 3, "storage/sqlite": 3,
		// proofs
		"protocol/snapshot": 4, "protocol/directory": 4,
		// sealing
		"protocol/seal": 5, "protocol/api": 5, "protocol/evidence": 5,
		// sealed
		"device/keyring": 6, "device/tree": 6,
		// watchers read logs
		"watch/follow": 6,
		// services
		"device/state": 7, "device/client": 7, "device/files": 7,
		"provider/accounts": 7, "provider/vaults": 7, "provider/statements": 7, "provider/sequencer": 7,
		"watch/witness": 7, "watch/auditor": 7,
		// beliefs
		"device/trust": 8,
		// features
		"device/backup": 9,
		// assembly
		"provider/records": 10,
		// doors
		"provider/server": 11, "cmd/terminal": 11, "cmd/clock": 11,
		// programs
		"cmd/solekey": 12, "cmd/solekeyd": 12, "cmd/solekey-witness": 12, "cmd/solekey-audit": 12,
	},

	// Rooms below these paths are exempt from floors and walls, and nobody but they and tests imports them:
	// what stands a whole world of devices and providers up has to know all of them.
	stage: []string{"test", "bench"},

	walls: []wall{
		{
			because: "the provider must be unable to open what it keeps",
			from:    []string{"provider", "cmd/solekeyd"},
			reaches: []string{"protocol/seal", "device"},
		},
		{
			because: "the provider must be unable to open what it keeps",
			from:    []string{"provider"},
			imports: []string{"crypto/aes", "crypto/cipher", "crypto/hpke", "crypto/mlkem"},
		},
		{
			because: "a watcher must not trust what it watches",
			from:    []string{"watch", "cmd/solekey-witness"},
			reaches: []string{"provider", "device", "custody", "protocol/seal"},
		},
		{
			because: "devices, provider, custodians and watchers meet in the protocol only",
			from:    []string{"device", "cmd/solekey"},
			reaches: []string{"provider", "custody", "watch"},
		},
		{
			because: "devices, provider, custodians and watchers meet in the protocol only",
			from:    []string{"provider"},
			reaches: []string{"device", "custody", "watch"},
		},
		{
			because: "devices, provider, custodians and watchers meet in the protocol only",
			from:    []string{"custody"},
			reaches: []string{"device", "provider", "watch"},
		},
		{
			because: "formats know no clock, disk or network: they take the time and return the bytes",
			from:    []string{"protocol"},
			imports: []string{"net", "os", "log", "database/sql"},
		},
		{
			because: "storage keeps bytes without meaning",
			from:    []string{"storage"},
			reaches: []string{"device", "provider", "custody", "watch", "protocol/seal", "protocol/ledger", "protocol/snapshot"},
		},
	},

	// Third-party modules and who may import them. Tests everywhere may also import the ones marked so.
	guests: map[string]guest{
		"filippo.io/mldsa":                {tests: true},
		"github.com/rogpeppe/go-internal": {tests: true},
		"pgregory.net/rapid":              {tests: true},
		"github.com/fxamacker/cbor/v2":    {rooms: []string{"protocol/canonical"}},
		"github.com/cloudflare/circl":     {rooms: []string{"protocol/keys", "protocol/tlog"}},
		"github.com/zeebo/blake3":         {rooms: []string{"device/tree", "bench"}},
		"github.com/klauspost/compress":   {rooms: []string{"device/tree", "bench"}},
		"github.com/google/go-tpm":        {rooms: []string{"device/state"}},
		"github.com/zalando/go-keyring":   {rooms: []string{"device/state"}},
		"golang.org/x/crypto":             {rooms: []string{"device/state"}},
		"golang.org/x/time":               {rooms: []string{"device/client", "provider/server"}},
		"github.com/spf13/cobra":          {rooms: []string{"cmd"}},
		"github.com/spf13/pflag":          {rooms: []string{"cmd"}},
		"golang.org/x/term":               {rooms: []string{"cmd"}},
		"rsc.io/qr":                       {rooms: []string{"cmd"}},
		"golang.org/x/mod":                {rooms: []string{"protocol/tlog"}, tests: true},
		"filippo.io/edwards25519":         {rooms: []string{"protocol/vrf"}},
		"github.com/transparency-dev":     {tests: true},
		"modernc.org/sqlite":              {rooms: []string{"storage/sqlite"}},
		"github.com/pressly/goose/v3":     {rooms: []string{"storage/sqlite"}},
		"golang.org/x/sys":                {rooms: []string{"storage", "device/files", "device/tree", "device/state", "device/backup"}},
		"github.com/bytemare/opaque":      {rooms: []string{"provider/accounts", "device/client"}},
		"github.com/bytemare/ksf":         {rooms: []string{"provider/accounts", "device/client"}},
		"golang.org/x/text":               {rooms: []string{"protocol/api"}},
	},

	// Modules that talk to a database: only bytes-keepers and programs may know one.
	drivers:     []string{"modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx", "github.com/lib/pq"},
	driverRooms: []string{"storage", "cmd"},

	// What turns ciphertext into plaintext, and the one room that may call it.
	openers: []string{
		"crypto/hpke.Open", "crypto/hpke.NewRecipient",
		"crypto/cipher.NewGCM", "crypto/cipher.NewGCMWithRandomNonce", "crypto/cipher.NewGCMWithNonceSize", "crypto/cipher.NewGCMWithTagSize",
		"crypto/cipher.NewCTR", "crypto/cipher.NewCBCDecrypter", "crypto/cipher.NewOFB", "crypto/cipher.NewCFBDecrypter",
		"golang.org/x/crypto/chacha20poly1305.New", "golang.org/x/crypto/chacha20poly1305.NewX",
	},
	openRooms: []string{"protocol/seal"},

	// What leads to a secret being sealed to somebody, and the rooms that may mention it. The way is one: a ledger's
	// recipient becomes one to seal to only in protocol/directory, by a Standing.
	gates: []gate{
		{
			because: "nothing is sealed to a key that no directory proved",
			names:   []string{"crypto/hpke.Seal", "crypto/hpke.NewSender"},
			rooms:   []string{"protocol/seal"},
		},
		{
			because: "a ledger alone does not prove that it is the newest",
			names:   []string{module + "/protocol/ledger.Recipient"},
			rooms:   []string{"protocol/directory"},
		},
		{
			because: "a standing without a proof is for an account that begins, and for one that goes on without its provider",
			names:   []string{module + "/protocol/directory.Begin", module + "/protocol/directory.Hold"},
			rooms:   []string{"device/keyring", "device/trust"},
		},
	},

	// Names that say nothing.
	vague: []string{"util", "utils", "common", "helper", "helpers", "base", "core", "types", "manager", "managers", "model", "models", "misc", "shared"},

	fileLines:     500,
	functionLines: 80,
	wiringLines:   120,
	wiringRooms:   []string{"cmd"},
}

// TestHouseStandsAsDrawn holds every package of the module to the drawing.
func TestHouseStandsAsDrawn(t *testing.T) {
	rooms, err := readRooms(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range house.check(rooms) {
		t.Error(complaint)
	}
}
