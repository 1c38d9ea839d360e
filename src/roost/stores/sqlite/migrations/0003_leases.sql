-- Leases, and the queue of those who wait for one.

CREATE TABLE lease (
    project TEXT NOT NULL,
    token INTEGER NOT NULL,             -- fencing token: store epoch << 40 | n
    kind TEXT NOT NULL CHECK (kind IN ('path', 'resource', 'role', 'endpoint', 'task')),
    key TEXT NOT NULL,
    head TEXT NOT NULL,                 -- of a path: the leading folders without wildcard; else the key
    mode TEXT NOT NULL CHECK (mode IN ('exclusive', 'shared')),
    implicit INTEGER NOT NULL,          -- comes from an edit, counts in its worktree only
    worktree TEXT NOT NULL,             -- '' for explicit ones
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    reason TEXT NOT NULL,
    ttl_ms INTEGER NOT NULL,
    held INTEGER NOT NULL,              -- nested acquires
    granted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,        -- store clock, ms; over from then on, whether or not a sweep says so
    ended_at INTEGER,
    "end" TEXT NOT NULL,
    PRIMARY KEY (project, token)
) STRICT, WITHOUT ROWID;

-- One live holder per key, by the database and not by hope. (That globs do not overlap is checked in the transaction.)
CREATE UNIQUE INDEX lease_holder ON lease (project, kind, key, implicit, worktree)
    WHERE ended_at IS NULL AND mode = 'exclusive';
CREATE UNIQUE INDEX lease_reader ON lease (project, kind, key, implicit, worktree, session)
    WHERE ended_at IS NULL AND mode = 'shared';
CREATE INDEX lease_head ON lease (project, kind, head) WHERE ended_at IS NULL;
CREATE INDEX lease_session ON lease (project, session) WHERE ended_at IS NULL;
CREATE INDEX lease_expires ON lease (project, expires_at) WHERE ended_at IS NULL;
CREATE INDEX lease_ended ON lease (project, ended_at) WHERE ended_at IS NOT NULL;

-- How many tokens and tickets each project gave out; it only grows, whatever becomes of the rows.
CREATE TABLE lease_count (
    project TEXT PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease_wait (
    project TEXT NOT NULL,
    ticket INTEGER NOT NULL,            -- drawn from lease_count: order of asking
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    wishes TEXT NOT NULL,               -- JSON array; granted together or not at all
    patience_ms INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,        -- lapses then, unless its owner looks before
    PRIMARY KEY (project, ticket)
) STRICT, WITHOUT ROWID;

CREATE INDEX lease_wait_session ON lease_wait (project, session);
