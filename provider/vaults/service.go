// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package vaults

import (
	"context"
	"errors"
	"time"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/ledger"
	"github.com/solekey/solekey/protocol/statement"
)

// Config says what a Service stands on.
type Config struct {
	Ledgers   Ledgers
	Chains    ChainStore
	Index     Index
	Packs     PackStore
	Signer    Signer
	Retention time.Duration // how long a retired pack is kept
	Clock     func() time.Time
}

// Service keeps vaults. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a service.
func New(config Config) *Service { return &Service{config} }

func (s *Service) now() protocol.Time { return protocol.TimeOf(s.Clock()) }

// ConflictError says that a vault moved meanwhile, and where it stands now. It
// unwraps to protocol.KindConflict.
type ConflictError struct {
	Head    api.Head
	Message string
}

// Error says it in words.
func (e *ConflictError) Error() string { return e.Message }

// Unwrap gives the error its kind.
func (e *ConflictError) Unwrap() error {
	return protocol.Errorf(protocol.KindConflict, "%s", e.Message)
}

// Device is who asks: a present member, by its session.
type Device struct {
	Account protocol.AccountID
	Member  protocol.MemberID
}

// mayAdd returns the ledger where the device may add to the vault now.
func (s *Service) mayAdd(ctx context.Context, device Device, vault protocol.VaultID) (*ledger.State, error) {
	state, err := s.known(ctx, device, vault)
	if err != nil {
		return nil, err
	}
	return state, state.MayAdd(device.Member, vault)
}

// mayManage returns the ledger where the device may read and retire.
func (s *Service) mayManage(ctx context.Context, device Device, vault protocol.VaultID) (*ledger.State, error) {
	state, err := s.known(ctx, device, vault)
	if err != nil {
		return nil, err
	}
	return state, state.MayManage(device.Member)
}

func (s *Service) known(ctx context.Context, device Device, vault protocol.VaultID) (*ledger.State, error) {
	state, err := s.Ledgers.State(ctx, device.Account)
	if err != nil {
		return nil, err
	}
	_, err = state.Vault(vault)
	return state, err
}

// Head returns where the vault stands, and signs it where the question asks for it.
func (s *Service) Head(ctx context.Context, device Device, vault protocol.VaultID, q api.Question) (api.HeadAnswer, error) {
	var answer api.HeadAnswer
	if _, err := s.mayAdd(ctx, device, vault); err != nil {
		return answer, err
	}
	look := func(ctx context.Context) (statement.Statement, error) {
		var err error
		answer.Head, err = s.Chains.Head(ctx, Place{device.Account, vault})
		return statement.Statement{
			Kind: statement.KindVault, Account: device.Account, Vault: vault, Nonce: q.Nonce,
			Seq: answer.Seq, Hash: answer.Hash, Generation: answer.Generation, GenerationHash: answer.GenerationHash,
		}, err
	}
	var err error
	if q.Asks() {
		answer.Statement, err = s.Signer.Sign(ctx, q.After, look)
	} else {
		_, err = look(ctx)
	}
	return answer, err
}

// orConflict gives a lost compare-and-swap the present head.
func (s *Service) orConflict(ctx context.Context, place Place, err error) error {
	var already *ConflictError
	if !isKind(err, protocol.KindConflict) || errors.As(err, &already) {
		return err
	}
	return s.conflict(ctx, place, err.Error())
}

func (s *Service) conflict(ctx context.Context, place Place, message string) error {
	head, err := s.Chains.Head(ctx, place)
	if err != nil {
		return err
	}
	return &ConflictError{Head: head, Message: message}
}

func isKind(err error, kind protocol.Kind) bool {
	var e *protocol.Error
	return errors.As(err, &e) && e.Kind == kind
}
