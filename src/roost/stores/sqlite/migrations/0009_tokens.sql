-- Tokens (their hashes), and how often an address showed a wrong one.

CREATE TABLE token (
    project TEXT NOT NULL,
    id TEXT NOT NULL,                   -- first digits of the hash, so that a key is looked up without being compared
    hash BLOB NOT NULL,                 -- SHA-256 of the key, which is random enough to need no salt
    agent TEXT NOT NULL,
    scopes TEXT NOT NULL,               -- JSON array
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,        -- these are wall clock, ms
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER,                 -- from then on; may lie ahead, where a rotation left an overlap
    replaced_by TEXT NOT NULL,
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX token_agent ON token (project, agent);

CREATE TABLE refusal (
    project TEXT NOT NULL,
    address TEXT NOT NULL,
    since INTEGER NOT NULL,             -- store clock, ms: begin of the minute that is counted
    count INTEGER NOT NULL,
    PRIMARY KEY (project, address)
) STRICT, WITHOUT ROWID;
