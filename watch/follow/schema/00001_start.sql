-- SPDX-FileCopyrightText: The Solekey authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- How far each log was replayed: to the root that is the last of size entries.
CREATE TABLE replays (
    log      BLOB NOT NULL PRIMARY KEY, -- the log's id
    state    BLOB NOT NULL,             -- what the rules remember
    frontier BLOB NOT NULL,             -- of the Merkle tree at that size
    memo     BLOB NOT NULL              -- what the follower's owner remembers
);

-- The tiles of the directory's trees that the rules may ask for.
CREATE TABLE tiles (
    log    BLOB NOT NULL,
    name   BLOB NOT NULL,
    period TEXT NOT NULL, -- the period of anchors that it belongs to, or ''
    data   BLOB NOT NULL,
    PRIMARY KEY (log, name)
) WITHOUT ROWID;

CREATE INDEX tiles_of_periods ON tiles (log, period) WHERE period <> '';
