// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"context"

	"github.com/solekey/solekey/device/client"
	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/api"
	"github.com/solekey/solekey/protocol/snapshot"
)

// provider is what a vault asks of its provider: a client.Vault, or a world in a
// test. Nothing it answers is believed unverified.
type provider interface {
	packStore
	chainStore
}

// packStore keeps packs; see client.Vault.
type packStore interface {
	ListPacks(ctx context.Context, after uint64, visit func(api.PackRecord, *snapshot.PackStatement) error) error
	StatPacks(ctx context.Context, packs []protocol.PackID) ([]api.PackState, error)
	PutPack(ctx context.Context, id protocol.PackID, statement, pack []byte) error
	Blocks(ctx context.Context, reads []client.Read, visit func(i int, b client.Block) error) error
}

// chainStore keeps the two chains of a vault; see client.Vault.
type chainStore interface {
	Head(ctx context.Context) (api.Head, error)
	Snapshots(ctx context.Context, from uint64, visit func(raw []byte) error) error
	Generations(ctx context.Context, from uint64, visit func(raw []byte) error) error
	CommitSnapshot(ctx context.Context, raw []byte) (api.Head, error)
	CommitGeneration(ctx context.Context, raw []byte) (api.Head, error)
}
