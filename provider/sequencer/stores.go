// SPDX-FileCopyrightText: The Solekey authors
// SPDX-License-Identifier: Apache-2.0

package sequencer

import (
	"context"

	"github.com/solekey/solekey/protocol"
	"github.com/solekey/solekey/protocol/directory"
	"github.com/solekey/solekey/protocol/tlog"
)

// Head is where the log stands: what is below Size is integrated and durable.
type Head struct {
	Size  uint64
	Root  protocol.Hash // of the Merkle tree
	Batch protocol.Hash // the newest batch's name; zero where there is none
	State []byte        // of the replay, after the newest batch
}

// Waiting is an entry that was acknowledged and has no place in the log yet.
type Waiting struct {
	Leaf     protocol.Hash // its leaf hash, by which it is known
	Entry    []byte
	Received protocol.Time
}

// Placed is an entry in its place.
type Placed struct {
	Position uint64
	Leaf     protocol.Hash
	Raw      []byte
	Entry    *directory.Entry
}

// Tile is a tile of the log and its content.
type Tile struct {
	tlog.Tile
	Data []byte
}

// Integration is one batch and all that follows from it.
type Integration struct {
	After  Head // what it continues
	Head   Head // what it leads to
	Batch  []byte
	Placed []Placed
	Tiles  []Tile           // of hashes, new or changed, and full bundles
	Change directory.Change // of the directory's tiles
	Time   protocol.Time    // of the Root that it ends with
}

// BatchStore keeps the log. It is safe for concurrent use, also by several
// processes: at every position at most one batch is ever claimed.
type BatchStore interface {
	// LogHead returns where the log stands; its Size is 0 where there is none yet.
	// From then on the store is bound to the log of this identifier, and it is
	// protocol.KindDenied where it belongs to another.
	LogHead(ctx context.Context, log protocol.Hash) (Head, error)
	// NextBatch returns the batch that comes after the head because it was
	// claimed, or because Reconcile found it in the blob store; nil where there
	// is none.
	NextBatch(ctx context.Context, after Head) ([]byte, error)
	// ClaimBatch decides durably that the batch comes next. protocol.KindConflict
	// where the log stands elsewhere or another batch is claimed.
	ClaimBatch(ctx context.Context, after Head, batch []byte) error
	// CommitBatch makes the batch and every full tile durable as blobs, and then the
	// rows in one step. protocol.KindConflict where the log stands elsewhere.
	CommitBatch(ctx context.Context, i Integration) error
}

// QueueStore keeps what waits.
type QueueStore interface {
	// Waiting returns up to limit entries that wait, anchors excepted, oldest first.
	Waiting(ctx context.Context, limit int) ([]Waiting, error)
	// WaitingAnchors is Waiting of anchors received up to the moment, by index.
	WaitingAnchors(ctx context.Context, until protocol.Time, limit int) ([]Waiting, error)
	// Reject takes an entry that breaks the log's rules after the head out of the
	// queue. protocol.KindConflict where the log stands elsewhere.
	Reject(ctx context.Context, after Head, w Waiting, reason string) error
	// AddAnchors puts anchors durably into the queue and keeps their boxes. The
	// same again is nil; protocol.KindExists where an index is taken.
	AddAnchors(ctx context.Context, account protocol.AccountID, anchors []Anchor, at protocol.Time) error
	// Submit puts an entry that comes with no append durably into the queue.
	// Opening is what the commitment of a Notice opens to, else nil.
	Submit(ctx context.Context, entry, opening []byte, at protocol.Time) error
	// QueueLength counts what waits and what was rejected.
	QueueLength(ctx context.Context) (waiting, anchors, rejected int64, err error)
}

// TileStore reads what was committed.
type TileStore interface {
	// ReadTile returns a tile, whole or of the width asked for;
	// protocol.KindNotFound where the log is not that long.
	ReadTile(ctx context.Context, tile tlog.Tile) ([]byte, error)
	// DirectoryTile returns a tile of the directory's trees by its name.
	DirectoryTile(ctx context.Context, name protocol.Hash) ([]byte, error)
	// PruneTiles forgets up to limit tiles of the directory whose place was taken
	// before the moment, in the log below the size, and returns how many it forgot.
	PruneTiles(ctx context.Context, before protocol.Time, size uint64, limit int) (int64, error)
	// JoinBatches lets one volume take the place of the oldest batches that are in
	// none yet, and reports whether there were enough of them.
	JoinBatches(ctx context.Context) (bool, error)
}

// Version is one version of a name.
type Version struct {
	Number   uint64
	Position int64  // in the log; -1 while it waits
	Entry    []byte // the Update, or the Reassign
	Opening  []byte // empty where the name's holder never gave it here
}

// NameStore reads what belongs to names and to indexes of anchors.
type NameStore interface {
	// Versions returns the versions of a name from one number up to another.
	Versions(ctx context.Context, index protocol.Hash, from, to uint64) ([]Version, error)
	// Newest returns the number of a name's newest version, what waits included; 0
	// where there is none.
	Newest(ctx context.Context, index protocol.Hash) (uint64, error)
	// AnchorBox returns the box that the account left with an anchor, nil where
	// there is none or it is another account's.
	AnchorBox(ctx context.Context, account protocol.AccountID, period directory.Period, index protocol.Hash) ([]byte, error)
}

// Note is a checkpoint with its signatures, and the Root entry that it ends with.
type Note struct {
	Size uint64
	Note []byte
	Root []byte
}

// NoteStore keeps checkpoints.
type NoteStore interface {
	// Note returns what was kept last for a world; for the zero world the
	// checkpoint that was signed last. Its Size is 0 where there is none.
	Note(ctx context.Context, world protocol.Hash) (Note, error)
	// PutNote keeps a note, unless one of a greater size is kept.
	PutNote(ctx context.Context, world protocol.Hash, note Note) error
	// Refusal returns why the log must not go on, empty where it may.
	Refusal(ctx context.Context) (string, error)
	// Refuse keeps the first reason why the log must not go on. Appends are
	// refused from then on, in all processes.
	Refuse(ctx context.Context, reason string) error
	// Reconsider forgets why the log must not go on.
	Reconsider(ctx context.Context) error
}

// Store is all that a Service needs; provider/records implements it.
type Store interface {
	BatchStore
	QueueStore
	TileStore
	NameStore
	NoteStore
}
