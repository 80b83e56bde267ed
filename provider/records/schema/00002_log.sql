-- +goose Up

-- The public log: one row says where it stands. claimed is the batch that was
-- decided to come next and is not integrated yet; refusal, where it is not
-- empty, says why this log must not go on.
CREATE TABLE log (
    log     INTEGER NOT NULL PRIMARY KEY,
    name    BLOB    NOT NULL,
    size    BIGINT  NOT NULL,
    root    BLOB    NOT NULL,
    batch   BLOB    NOT NULL,
    state   BLOB    NOT NULL,
    claimed BLOB,
    refusal TEXT    NOT NULL
);

-- Entries that were acknowledged and wait for their place. place orders them;
-- sorted is the index that an anchor is sorted by, and empty for all others.
CREATE TABLE log_queue (
    leaf     BLOB   NOT NULL PRIMARY KEY,
    place    BIGINT NOT NULL,
    sorted   BLOB   NOT NULL,
    received BIGINT NOT NULL,
    entry    BLOB   NOT NULL
);
CREATE INDEX log_queue_place ON log_queue (place) WHERE sorted = x'';
CREATE INDEX log_queue_sorted ON log_queue (sorted) WHERE sorted <> x'';

-- What was acknowledged and broke a rule of the log all the same: a fault here.
CREATE TABLE log_rejected (
    leaf     BLOB   NOT NULL PRIMARY KEY,
    received BIGINT NOT NULL,
    entry    BLOB   NOT NULL,
    reason   TEXT   NOT NULL
);

-- Entries after the last full bundle.
CREATE TABLE log_entries (
    position BIGINT NOT NULL PRIMARY KEY,
    entry    BLOB   NOT NULL
);

-- Tiles of hashes, and full bundles (level -1). A full one is in the blob that
-- place names, one at the right edge in data.
CREATE TABLE log_tiles (
    level INTEGER NOT NULL,
    n     BIGINT  NOT NULL,
    width INTEGER NOT NULL,
    place BLOB,
    data  BLOB,
    PRIMARY KEY (level, n)
);
CREATE INDEX log_tiles_place ON log_tiles (place) WHERE place IS NOT NULL;

-- Where the blob of each batch is, or of the volume that stands for several.
CREATE TABLE log_batches (
    start  BIGINT  NOT NULL PRIMARY KEY,
    ends   BIGINT  NOT NULL,
    place  BLOB    NOT NULL,
    volume INTEGER NOT NULL
);
CREATE INDEX log_batches_single ON log_batches (start) WHERE volume = 0;

-- Batches that Reconcile found in the blob store and that the log has not taken
-- in yet.
CREATE TABLE log_found (
    start BIGINT NOT NULL PRIMARY KEY,
    ends  BIGINT NOT NULL,
    place BLOB   NOT NULL
);

-- The newest checkpoint that satisfies each world, and (world zero) the one that
-- was signed last. root is the log's last entry under it.
CREATE TABLE log_notes (
    world BLOB   NOT NULL PRIMARY KEY,
    size  BIGINT NOT NULL,
    note  BLOB   NOT NULL,
    root  BLOB   NOT NULL
);

-- Versions of names, by the name's index in the directory, which says nothing of
-- the account and spreads as evenly. position is -1 while the entry waits; next
-- is the hash of the key that may sign the next version, zero where none may.
CREATE TABLE versions (
    name_index BLOB   NOT NULL,
    version    BIGINT NOT NULL,
    leaf       BLOB   NOT NULL,
    position   BIGINT NOT NULL,
    next       BLOB   NOT NULL,
    entry      BLOB   NOT NULL,
    account    BLOB,
    opening    BLOB,
    PRIMARY KEY (name_index, version)
);
CREATE INDEX versions_waiting ON versions (leaf) WHERE position < 0;

-- Tiles of the directory's trees, by the hash of their top node. gone is the
-- log's size when a root took their place and gone_at its time; 0: they count.
-- period is the one whose tree a tile belongs to, empty for other trees.
CREATE TABLE directory_tiles (
    name    BLOB   NOT NULL PRIMARY KEY,
    data    BLOB   NOT NULL,
    period  TEXT   NOT NULL,
    gone    BIGINT NOT NULL,
    gone_at BIGINT NOT NULL
);
CREATE INDEX directory_tiles_gone ON directory_tiles (gone_at) WHERE gone > 0;
CREATE INDEX directory_tiles_period ON directory_tiles (period) WHERE period <> '';

-- Periods that left the directory; gone and gone_at as in directory_tiles.
CREATE TABLE periods_left (
    period  TEXT   NOT NULL PRIMARY KEY,
    gone    BIGINT NOT NULL,
    gone_at BIGINT NOT NULL
);

-- Anchors and their boxes; position as in versions.
CREATE TABLE anchors (
    period       TEXT   NOT NULL,
    anchor_index BLOB   NOT NULL,
    leaf         BLOB   NOT NULL,
    position     BIGINT NOT NULL,
    account      BLOB,
    box          BLOB,
    PRIMARY KEY (period, anchor_index)
);

-- Other entries that came without an append.
CREATE TABLE submissions (
    leaf     BLOB   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL,
    entry    BLOB   NOT NULL,
    box      BLOB
);
CREATE INDEX submissions_position ON submissions (position);
