-- +goose Up

-- Every table that grows with accounts leads with the account, so that it
-- distributes by it. The others are look-ups (names, locators), rows without an
-- account (invites, logins) and counters.

CREATE TABLE accounts (
    account     BLOB    NOT NULL PRIMARY KEY,
    number      BIGINT  NOT NULL,
    name        TEXT    NOT NULL,
    password    BLOB    NOT NULL,
    created     BIGINT  NOT NULL,
    invite      BLOB    NOT NULL,
    quota       BIGINT  NOT NULL,
    suspended   INTEGER NOT NULL,
    used        BIGINT  NOT NULL,
    packs       BIGINT  NOT NULL,
    ledger_seq  BIGINT  NOT NULL,
    ledger_hash BLOB    NOT NULL
);

CREATE TABLE names (
    name    TEXT NOT NULL PRIMARY KEY,
    account BLOB NOT NULL
);

CREATE TABLE locators (
    locator BLOB NOT NULL PRIMARY KEY,
    account BLOB NOT NULL
);

CREATE TABLE boxes (
    account BLOB NOT NULL,
    locator BLOB NOT NULL,
    box     BLOB NOT NULL,
    PRIMARY KEY (account, locator)
);

CREATE TABLE entries (
    account BLOB   NOT NULL,
    seq     BIGINT NOT NULL,
    hash    BLOB   NOT NULL,
    body    BLOB   NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE TABLE objects (
    account BLOB NOT NULL,
    name    BLOB NOT NULL,
    PRIMARY KEY (account, name)
);

CREATE TABLE requests (
    account BLOB NOT NULL,
    request BLOB NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (account, request)
);

-- Blobs of a journal that the other tables account for.
CREATE TABLE journal (
    account BLOB NOT NULL,
    kind    TEXT NOT NULL,
    name    BLOB NOT NULL,
    PRIMARY KEY (account, kind, name)
);

CREATE TABLE vaults (
    account         BLOB   NOT NULL,
    vault           BLOB   NOT NULL,
    seq             BIGINT NOT NULL,
    hash            BLOB   NOT NULL,
    generation      BIGINT NOT NULL,
    generation_hash BLOB   NOT NULL,
    cursor_last     BIGINT NOT NULL,
    PRIMARY KEY (account, vault)
);

-- place names the blob that holds the record.
CREATE TABLE snapshots (
    account    BLOB    NOT NULL,
    vault      BLOB    NOT NULL,
    seq        BIGINT  NOT NULL,
    hash       BLOB    NOT NULL,
    run        INTEGER NOT NULL,
    ledger_seq BIGINT  NOT NULL,
    size       BIGINT  NOT NULL,
    place      BLOB    NOT NULL,
    PRIMARY KEY (account, vault, seq)
);
CREATE INDEX snapshots_hash ON snapshots (account, vault, hash);

CREATE TABLE generations (
    account BLOB   NOT NULL,
    vault   BLOB   NOT NULL,
    number  BIGINT NOT NULL,
    hash    BLOB   NOT NULL,
    size    BIGINT NOT NULL,
    place   BLOB   NOT NULL,
    PRIMARY KEY (account, vault, number)
);

-- state: 1 stored, 2 retired, 3 dropped; gone: the blobs of a dropped pack are deleted.
CREATE TABLE packs (
    account   BLOB    NOT NULL,
    pack      BLOB    NOT NULL,
    vault     BLOB    NOT NULL,
    device    BLOB    NOT NULL,
    size      BIGINT  NOT NULL,
    position  BIGINT  NOT NULL,
    received  BIGINT  NOT NULL,
    state     INTEGER NOT NULL,
    retired   BIGINT  NOT NULL,
    gone      INTEGER NOT NULL,
    place     BLOB    NOT NULL,
    statement BLOB    NOT NULL,
    PRIMARY KEY (account, pack)
);
CREATE INDEX packs_position ON packs (account, vault, position);
CREATE INDEX packs_sweep ON packs (account, pack) WHERE state = 3 AND gone = 0;

CREATE TABLE sessions (
    account BLOB   NOT NULL,
    token   BLOB   NOT NULL,
    scope   TEXT   NOT NULL,
    member  BLOB   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, token)
);

CREATE TABLE nonces (
    account BLOB   NOT NULL,
    nonce   BLOB   NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (account, nonce)
);

CREATE TABLE enrolments (
    account      BLOB   NOT NULL,
    enrolment    BLOB   NOT NULL,
    token        BLOB   NOT NULL,
    state        TEXT   NOT NULL,
    commitment   BLOB   NOT NULL,
    approver     BLOB,
    challenge    BLOB,
    reveal       BLOB,
    confirmation BLOB,
    created      BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    PRIMARY KEY (account, enrolment)
);

CREATE TABLE invites (
    invite  BLOB   NOT NULL PRIMARY KEY,
    created BIGINT NOT NULL,
    account BLOB   NOT NULL
);

CREATE TABLE logins (
    login   BLOB   NOT NULL PRIMARY KEY,
    account BLOB   NOT NULL,
    name    TEXT   NOT NULL,
    mac     BLOB   NOT NULL,
    expires BIGINT NOT NULL
);

CREATE TABLE counters (
    counter BLOB   NOT NULL,
    since   BIGINT NOT NULL,
    uses    BIGINT NOT NULL,
    PRIMARY KEY (counter, since)
);
