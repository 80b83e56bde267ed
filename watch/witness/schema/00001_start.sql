-- SPDX-FileCopyrightText: The Solekey authors
-- SPDX-License-Identifier: Apache-2.0

-- +goose Up

-- The newest checkpoint of each log that was cosigned.
CREATE TABLE logs (
    origin TEXT NOT NULL PRIMARY KEY,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL,
    time   INTEGER NOT NULL, -- of the cosignature, in nanoseconds
    note   BLOB NOT NULL
);

-- What was cosigned first in each hour: what was known of a log, and when.
CREATE TABLE hours (
    origin TEXT NOT NULL,
    hour   INTEGER NOT NULL, -- since 1970
    size   INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    PRIMARY KEY (origin, hour)
) WITHOUT ROWID;

-- What a log signed and must not have.
CREATE TABLE alarms (
    number INTEGER PRIMARY KEY,
    origin TEXT NOT NULL,
    time   INTEGER NOT NULL,
    text   TEXT NOT NULL,
    note   BLOB NOT NULL
);

CREATE INDEX alarms_of_logs ON alarms (origin, number);
