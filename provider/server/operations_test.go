// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package server_test

import "github.com/solekey/solekey/protocol/api"

// raw is a body of another type than JSON.
type raw string

// operation is what the document says of one route. A body is a value of the
// contract's type, or raw.
type operation struct {
	says     string
	session  string // who has one: of spec/api.md; empty: nobody needs one
	request  any
	status   int
	response any
	also     int      // another success, with the same body
	query    []string // names; their meaning is in parameters
}

// parameters say what stands in paths and queries.
func parameters() map[string]string {
	return map[string]string{
		"code": "the last part of an invite", "login": "the login's identifier", "locator": "the locator of a recovery box", "id": "the enrolment's identifier",
		"account": "the account's identifier, that of the session", "vault": "the vault's identifier", "pack": "the SHA-256 of the pack",
		"world": "the hash of a world", "tile": "the rest of a path of C2SP tlog-tiles",
		api.QueryFrom: "the first entry or record wanted", api.QueryNonce: "16 random bytes in hexadecimal: ask for a statement", api.QueryAfter: "nanoseconds since 1970: the newest time that the asker knows",
		api.QueryName: "the name of an account", api.QuerySince: "the version of the name that the asker knows", api.QuerySize: "the size of the log that the asker has seen",
		"wait": "seconds, at most 55", "seen": "the state that the asker knows", "limit": "how many, at most 4096", "cursor": "the cursor of the last record that the asker has",
	}
}

// operations says of every route what the document says.
func operations() map[string]operation {
	const account, vault = "/v1/accounts/{account}", "/v1/accounts/{account}/vaults/{vault}"
	list := map[string]operation{
		"GET /v1/server":                    {says: "what this server is", status: 200, response: api.Server{}},
		"GET /i/{code}":                     {says: "what a person types who was invited; the page runs nothing", status: 200, response: raw("text/html; charset=utf-8")},
		"POST /v1/registrations":            {says: "begin the registration of a password", request: api.RegistrationRequest{}, status: 200, response: api.RegistrationResponse{}},
		"POST /v1/accounts":                 {says: "open an account, and use the invite up", request: api.CreateAccount{}, status: 201, response: api.Created{}},
		"POST /v1/logins":                   {says: "begin a password login", request: api.LoginRequest{}, status: 200, response: api.LoginResponse{}},
		"POST /v1/logins/{login}":           {says: "prove the password", request: api.LoginFinish{}, status: 200, response: api.Session{}},
		"POST /v1/challenges":               {says: "ask for what a member signs to open a session", request: api.ChallengeRequest{}, status: 200, response: api.Challenge{}},
		"POST /v1/sessions":                 {says: "open a session of a member", request: api.SessionRequest{}, status: 200, response: api.Session{}},
		"DELETE /v1/sessions/current":       {says: "end the session", session: "E O R W", status: 204},
		"GET /v1/recovery/{locator}":        {says: "a recovery box", status: 200, response: raw(api.TypeBytes)},
		"GET /v1/world":                     {says: "the world that new devices join, canonical CBOR", status: 200, response: raw(api.TypeCBOR)},
		"GET /v1/world/{world}":             {says: "a world that devices joined some time, canonical CBOR", status: 200, response: raw(api.TypeCBOR)},
		"GET /v1/directory":                 {says: "what the directory says of a name, canonical CBOR; without a session it is counted by the address", session: "none, or E O R W", status: 200, response: raw(api.TypeCBOR), query: []string{api.QueryName, api.QuerySince, api.QuerySize, api.QueryWorld}},
		"GET /v1/directory/ledger":          {says: "a page of the ledger of a name, without objects", session: "O R W", status: 200, response: api.LedgerPage{}, query: []string{api.QueryName, api.QueryFrom}},
		"POST /v1/directory/anchors":        {says: "what the log says of anchors, canonical CBOR", session: "E O R W", request: api.AnchorsWanted{}, status: 200, response: raw(api.TypeCBOR)},
		"GET /v1/log/checkpoint":            {says: "the newest published checkpoint of the public log, a signed note", status: 200, response: raw(api.TypeText)},
		"GET /v1/log/tile/{tile...}":        {says: "a tile of the public log, as C2SP tlog-tiles has it", status: 200, response: raw(api.TypeBytes)},
		"POST /v1/enrolments":               {says: "ask to be enrolled", session: "E", request: api.EnrolmentRequest{}, status: 201, response: api.Enrolment{}},
		"GET /v1/enrolments":                {says: "the enrolments that are open", session: "O R", status: 200, response: []api.Enrolment{}},
		"GET /v1/enrolments/{id}":           {says: "an enrolment, when its state is not the one seen", session: "E O R", status: 200, response: api.Enrolment{}, query: []string{"wait", "seen"}},
		"PUT /v1/enrolments/{id}/challenge": {says: "challenge a new device", session: "O R", request: api.EnrolmentChallenge{}, status: 204},
		"PUT /v1/enrolments/{id}/reveal":    {says: "answer the challenge", session: "E", request: api.EnrolmentReveal{}, status: 204},
		"PUT /v1/enrolments/{id}/outcome":   {says: "approve or deny", session: "O R", request: api.EnrolmentOutcome{}, status: 204},
		"GET " + account:                    {says: "the account", session: "O R W", status: 200, response: api.Account{}},
		"GET " + account + "/ledger":        {says: "a page of the ledger", session: "E O R W", status: 200, response: api.LedgerPage{}, query: []string{api.QueryFrom, api.QueryNonce, api.QueryAfter}},
		"POST " + account + "/ledger":       {says: "extend the ledger, and the name in the directory with it", session: "O R", request: api.LedgerAppend{}, status: 200, response: api.Appended{}},
		"POST " + account + "/anchors":      {says: "leave anchors", session: "O R W", request: api.AnchorsLeft{}, status: 204},
		"GET " + vault + "/head":            {says: "where the vault stands", session: "O W", status: 200, response: api.HeadAnswer{}, query: []string{api.QueryNonce, api.QueryAfter}},
		"GET " + vault + "/snapshots":       {says: "snapshot records", session: "O", status: 200, response: raw(api.TypeRecords), query: []string{api.QueryFrom}},
		"POST " + vault + "/snapshots":      {says: "commit a snapshot record", session: "O W", request: raw(api.TypeBytes), status: 200, response: api.Head{}},
		"GET " + vault + "/generations":     {says: "generation records", session: "O", status: 200, response: raw(api.TypeRecords), query: []string{api.QueryFrom}},
		"POST " + vault + "/generations":    {says: "retire, revive or drop packs", session: "O", request: raw(api.TypeBytes), status: 200, response: api.Head{}},
		"GET " + vault + "/packs":           {says: "the packs of the vault, as records", session: "O W", status: 200, response: raw(api.TypeRecords), query: []string{api.QueryAfter, "limit"}},
		"PUT " + vault + "/packs/{pack}":    {says: "store a pack: its statement as a record, then its bytes", session: "O W", request: raw(api.TypeBytes), status: 201, also: 200, response: struct{}{}},
		"POST " + vault + "/packs/stat":     {says: "what is held of packs", session: "O W", request: api.StatRequest{}, status: 200, response: api.StatResponse{}},
		"POST " + vault + "/blocks":         {says: "read ranges of packs", session: "O", request: api.BlocksRequest{}, status: 200, response: raw(api.TypeBlocks)},
	}
	return list
}
