// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package accounts

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/bytemare/opaque"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
)

// Limits say how often something may be asked within an hour, and how long
// things are good.
type Limits struct {
	GuessesPerName     int64 // password logins of one name
	GuessesPerAddress  int64 // password logins, registrations and invites of one address
	LookupsPerAddress  int64 // recovery boxes of one address
	EnrolmentsPerHour  int64 // of one account
	EntriesPerDay      int64 // of one ledger; the oldest recovery method has as many for itself
	AnchorsPerHour     int64 // requests of one account that leave anchors
	AnchorBytesPerHour int64 // of one account's boxes, which no quota counts

	LoginFor     time.Duration // between the two messages of a login
	NonceFor     time.Duration
	EnrolFor     time.Duration // an enrolment
	EnrolSession time.Duration // a session of scope enrol
	Session      time.Duration // a session of a member
}

// DefaultLimits are the limits of spec/api.md.
func DefaultLimits() Limits {
	return Limits{
		GuessesPerName: 10, GuessesPerAddress: 60, LookupsPerAddress: 60, EnrolmentsPerHour: 10,
		EntriesPerDay: 500, AnchorsPerHour: 60, AnchorBytesPerHour: 1 << 20,
		LoginFor: 2 * time.Minute, NonceFor: 5 * time.Minute, EnrolFor: 15 * time.Minute,
		EnrolSession: 30 * time.Minute, Session: 24 * time.Hour,
	}
}

// Config says what a Service stands on. Without a Directory nothing is appended to
// a ledger and no account is opened: that is enough for whoever looks after
// accounts beside the server.
type Config struct {
	Stores    Stores
	Directory Directory
	Signer    Signer
	Secret    *ServerSecret
	Server    string // the name that sessions are signed for, api.ServerName
	Quota     int64  // of new accounts, in bytes; 0: none
	Limits    Limits
	Clock     func() time.Time
}

// Service keeps accounts. It is safe for concurrent use.
type Service struct {
	Config
	opaque *opaque.Server
	fake   *opaque.ClientRecord

	mu     sync.Mutex // guards states and waiting
	states map[protocol.AccountID]*ledger.State
	// waiting holds, by account, a channel that is closed at its next change.
	waiting map[protocol.AccountID]chan struct{}
}

// maxStates bounds the cache of folded ledgers.
const maxStates = 512

// New returns a service.
func New(config Config) (*Service, error) {
	server, err := config.Secret.server()
	if err != nil {
		return nil, err
	}
	fake, err := suite().GetFakeRecord([]byte("nobody"))
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "make fake record")
	}
	return &Service{
		Config: config, opaque: server, fake: fake,
		states: map[protocol.AccountID]*ledger.State{}, waiting: map[protocol.AccountID]chan struct{}{},
	}, nil
}

func (s *Service) now() protocol.Time { return protocol.TimeOf(s.Clock()) }

func (s *Service) in(d time.Duration) protocol.Time { return protocol.TimeOf(s.Clock().Add(d)) }

// State returns the folded ledger of an account, as new as the database.
func (s *Service) State(ctx context.Context, account protocol.AccountID) (*ledger.State, error) {
	head, err := s.Stores.Ledgers.LedgerHead(ctx, account)
	if err != nil {
		return nil, err
	}
	state := s.cached(account)
	if state != nil && state.Head() == head {
		return state, nil
	}
	if state, err = s.fold(ctx, account, state); err != nil {
		return nil, err
	}
	s.cache(state)
	return state, nil
}

func (s *Service) cached(account protocol.AccountID) *ledger.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[account]
}

func (s *Service) cache(state *ledger.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.states) >= maxStates {
		clear(s.states)
	}
	s.states[state.Account()] = state
}

// fold reads what the state has not seen yet and folds it.
func (s *Service) fold(ctx context.Context, account protocol.AccountID, state *ledger.State) (*ledger.State, error) {
	var from uint64
	if state != nil {
		from = state.Head().Seq + 1
	}
	encoded, err := s.Stores.Ledgers.Entries(ctx, account, from, ledger.MaxEntries)
	if err != nil {
		return nil, err
	}
	entries, err := parseEntries(encoded)
	if err != nil {
		return nil, protocol.Wrap(protocol.KindInternal, err, "read ledger of account %s", account)
	}
	if state != nil {
		state, err = state.Extend(entries, nil)
	} else {
		state, err = ledger.Fold(entries, nil)
	}
	return state, protocol.Wrap(protocol.KindInternal, err, "read ledger of account %s", account)
}

func parseEntries(encoded [][]byte) ([]*ledger.Entry, error) {
	entries := make([]*ledger.Entry, 0, len(encoded))
	for _, raw := range encoded {
		entry, err := ledger.Parse(raw)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// changed wakes who waits for a change of an account.
func (s *Service) changed(account protocol.AccountID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.waiting[account]; ok {
		close(c)
		delete(s.waiting, account)
	}
}

// change returns a channel that is closed at the account's next change.
func (s *Service) change(account protocol.AccountID) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.waiting[account]
	if !ok {
		c = make(chan struct{})
		s.waiting[account] = c
	}
	return c
}

// TooManyError says that something was asked too often, and when to ask again.
type TooManyError struct {
	What  string // "too many attempts" where it is empty
	After time.Duration
}

func (e *TooManyError) what() string {
	if e.What == "" {
		return "too many attempts"
	}
	return e.What
}

// Error says it in words.
func (e *TooManyError) Error() string {
	return e.what() + "; wait " + e.After.Round(time.Second).String()
}

// Unwrap gives the error its kind.
func (e *TooManyError) Unwrap() error {
	return protocol.Errorf(protocol.KindTooMany, "%s", e.what())
}

const window = time.Hour

// limit counts one use of a key before it is answered, durably, and refuses
// what exceeds the limit. A key is kept as a keyed hash: a stolen database
// tells no address.
func (s *Service) limit(ctx context.Context, what, key string, most int64) error {
	return s.limitUses(ctx, what, key, 1, most)
}

// limitUses counts several uses.
func (s *Service) limitUses(ctx context.Context, what, key string, uses, most int64) error {
	now := s.Clock()
	start := now.Truncate(window)
	count, err := s.Stores.Logins.Count(ctx, s.counter(what, key), protocol.TimeOf(start), uses)
	if err != nil {
		return err
	}
	if count > most {
		return &TooManyError{After: start.Add(window).Sub(now)}
	}
	return nil
}

// unlimit takes one use back.
func (s *Service) unlimit(ctx context.Context, what, key string) error {
	start := s.Clock().Truncate(window)
	_, err := s.Stores.Logins.Count(ctx, s.counter(what, key), protocol.TimeOf(start), -1)
	return err
}

func (s *Service) counter(what, key string) protocol.Hash {
	return s.mac("solekey/v1/counter", what, key)
}

// mac is HMAC-SHA-256 under a secret of the server, over parts that each end in
// a zero byte; none of ours holds one.
func (s *Service) mac(parts ...string) protocol.Hash {
	h := hmac.New(sha256.New, s.Secret.mac)
	for _, part := range parts {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return protocol.Hash(h.Sum(nil))
}

// Purge forgets what expired. It is called now and then.
func (s *Service) Purge(ctx context.Context) error {
	return s.Stores.Logins.Purge(ctx, s.now(), protocol.TimeOf(s.Clock().Add(-2*day)))
}

// isKind reports whether err is of the kind.
func isKind(err error, kind protocol.Kind) bool {
	var e *protocol.Error
	return errors.As(err, &e) && e.Kind == kind
}

// writable refuses a suspended account, which may be read and not changed.
func writable(info Info) error {
	if info.Suspended {
		return protocol.Errorf(protocol.KindDenied, "the provider suspended this account: it can be read, not changed")
	}
	return nil
}

// Account returns an account as its holder sees it.
func (s *Service) Account(ctx context.Context, id protocol.AccountID) (api.Account, error) {
	info, err := s.Stores.Accounts.Account(ctx, id)
	if err != nil {
		return api.Account{}, err
	}
	return info.API(), nil
}

// API returns the account as it travels.
func (i Info) API() api.Account {
	return api.Account{
		Account: i.Account, Name: i.Name, Quota: i.Quota, Used: i.Used, Packs: i.Packs,
		Created: i.Created, Suspended: i.Suspended,
	}
}
