// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package api

import "github.com/solekey/solekey/protocol"

// Server answers GET /v1/server.
type Server struct {
	Program            string `json:"program"`
	API                []int  `json:"api"`
	Name               string `json:"name"`
	OpaqueServerPublic []byte `json:"opaque_server_public"`
	RetentionDays      int    `json:"retention_days"`
	MaxPack            int64  `json:"max_pack"`
}

// RegistrationRequest begins the registration of a password; Invite is the code
// or the whole URL. It does not use the invite up.
type RegistrationRequest struct {
	Invite  string `json:"invite"`
	Name    string `json:"name"`
	Request []byte `json:"request"`
}

// RegistrationResponse answers it.
type RegistrationResponse struct {
	Response []byte `json:"response"`
}

// RecoveryBox is a box that whoever knows the locator may fetch.
type RecoveryBox struct {
	Locator protocol.Hash `json:"locator"`
	Box     []byte        `json:"box"`
}

// CreateAccount opens an account and uses the invite up. Entries are the ledger
// from its genesis on, Objects exactly what they name, Record the OPAQUE record.
// Update is the entry of the public log that gives the name its first version,
// Opening the canonical bytes that its commitment is made of.
type CreateAccount struct {
	RequestID protocol.RequestID `json:"request_id"`
	Invite    string             `json:"invite"`
	Name      string             `json:"name"`
	Record    []byte             `json:"record"`
	Entries   [][]byte           `json:"entries"`
	Objects   [][]byte           `json:"objects"`
	Recovery  []RecoveryBox      `json:"recovery"`
	Update    []byte             `json:"update"`
	Opening   []byte             `json:"opening"`
}

// Created answers CreateAccount. Receipt is the server's signed promise that the
// public log will hold the update; see spec/directory.md.
type Created struct {
	Account protocol.AccountID `json:"account"`
	Receipt []byte             `json:"receipt,omitempty"`
}

// Account answers GET /v1/accounts/{account}. A quota of 0 is none.
type Account struct {
	Account   protocol.AccountID `json:"account"`
	Name      string             `json:"name"`
	Quota     int64              `json:"quota"`
	Used      int64              `json:"used"`
	Packs     int64              `json:"packs"`
	Created   protocol.Time      `json:"created"`
	Suspended bool               `json:"suspended"`
}

// LedgerHead is the last entry of a ledger.
type LedgerHead struct {
	Seq  uint64        `json:"seq"`
	Hash protocol.Hash `json:"hash"`
}

// LedgerPage answers GET …/ledger: entries from the number asked for, and the
// objects that they name. More says that there are further entries. Statement is
// what the server signs of the ledger's head, where the request asked for it; the
// page, and those that follow where there are More, reach at least to it.
type LedgerPage struct {
	Entries   [][]byte `json:"entries"`
	Objects   [][]byte `json:"objects"`
	More      bool     `json:"more"`
	Statement []byte   `json:"statement,omitempty"`
}

// LedgerAppend extends a ledger whose last entry is Seq, Prev. Update and Opening
// are as in CreateAccount, for the ledger's head after the entries.
type LedgerAppend struct {
	RequestID protocol.RequestID `json:"request_id"`
	Seq       uint64             `json:"seq"`
	Prev      protocol.Hash      `json:"prev"`
	Entries   [][]byte           `json:"entries"`
	Objects   [][]byte           `json:"objects"`
	Recovery  []RecoveryBox      `json:"recovery"`
	Update    []byte             `json:"update"`
	Opening   []byte             `json:"opening"`
}

// Appended answers LedgerAppend: the head after it, and the receipt of its update.
type Appended struct {
	LedgerHead
	Receipt []byte `json:"receipt,omitempty"`
}
