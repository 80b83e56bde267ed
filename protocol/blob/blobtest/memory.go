// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/blob"
)

// Memory is a blob.Store in memory, for tests. It forgets when it is dropped.
type Memory struct {
	mu    sync.RWMutex // guards blobs
	blobs map[blob.Ref][]byte
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{blobs: map[blob.Ref][]byte{}} }

// Put keeps a copy of data.
func (m *Memory) Put(ctx context.Context, ref blob.Ref, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ref.Check(data); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[ref] = bytes.Clone(data)
	return nil
}

// Get returns a copy of the range.
func (m *Memory) Get(ctx context.Context, ref blob.Ref, offset, length int64) ([]byte, error) {
	data, err := m.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < -1 {
		return nil, fmt.Errorf("read %s: range %d+%d", ref, offset, length)
	}
	start := min(offset, int64(len(data)))
	end := int64(len(data))
	if length >= 0 && length < end-start {
		end = start + length
	}
	return bytes.Clone(data[start:end]), nil
}

func (m *Memory) find(ctx context.Context, ref blob.Ref) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	data, ok := m.blobs[ref]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", ref, blob.ErrNotFound)
	}
	return data, nil
}

type memoryReader struct{ *bytes.Reader }

func (memoryReader) Close() error { return nil }

// Open returns a reader over the blob.
func (m *Memory) Open(ctx context.Context, ref blob.Ref) (blob.Reader, int64, error) {
	data, err := m.find(ctx, ref)
	if err != nil {
		return nil, 0, err
	}
	return memoryReader{bytes.NewReader(data)}, int64(len(data)), nil
}

// Stat returns the size.
func (m *Memory) Stat(ctx context.Context, ref blob.Ref) (int64, error) {
	data, err := m.find(ctx, ref)
	return int64(len(data)), err
}

// Delete removes the blob.
func (m *Memory) Delete(ctx context.Context, ref blob.Ref) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, ref)
	return nil
}

// List visits a sorted copy of the references.
func (m *Memory) List(ctx context.Context, account *protocol.AccountID, kind blob.Kind, visit func(blob.Ref, int64) error) error {
	for _, ref := range m.refs(account, kind) {
		size, err := m.Stat(ctx, ref)
		if err != nil {
			continue // deleted meanwhile
		}
		if err := visit(ref, size); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *Memory) refs(account *protocol.AccountID, kind blob.Kind) []blob.Ref {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var refs []blob.Ref
	for ref := range m.blobs {
		if ref.Kind == kind && (account == nil || ref.Account == *account) {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, compare)
	return refs
}
