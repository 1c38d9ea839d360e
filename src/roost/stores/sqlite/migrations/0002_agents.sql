-- Agents, their other names, their sessions and the ways to reach them.

CREATE TABLE agent (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('agent', 'human', 'service')),
    epoch INTEGER NOT NULL,             -- of its newest session; only grows
    capabilities TEXT NOT NULL,         -- JSON array
    profile TEXT NOT NULL,              -- JSON object
    generated INTEGER NOT NULL,         -- named by Roost, retires by itself
    reserved INTEGER NOT NULL,          -- made by hold=true; the first join by this name adopts it
    key_version INTEGER NOT NULL,       -- of the signing key in use
    key_oldest INTEGER NOT NULL,        -- older versions are revoked
    paused_at INTEGER,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX agent_name ON agent (project, name);

CREATE TABLE alias (
    project TEXT NOT NULL,
    alias TEXT NOT NULL,                -- case-folded
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (project, alias)
) STRICT, WITHOUT ROWID;

CREATE INDEX alias_agent ON alias (project, agent);

CREATE TABLE session (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    agent TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    context INTEGER NOT NULL,
    client TEXT NOT NULL,
    client_session TEXT NOT NULL,
    bell TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    process TEXT,                       -- JSON: host, boot_id, pid, started
    worktree TEXT NOT NULL,
    transcript TEXT NOT NULL,
    transcript_offset INTEGER NOT NULL,
    state TEXT NOT NULL,
    mark TEXT NOT NULL,
    operation TEXT NOT NULL,
    since INTEGER NOT NULL,
    activity_count INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL,
    wakes TEXT NOT NULL,                -- JSON array: when this session was woken in the last hour
    stops INTEGER NOT NULL,             -- how often the running turn was kept going
    started_at INTEGER NOT NULL,
    beat_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT NOT NULL,
    PRIMARY KEY (project, id),
    UNIQUE (project, agent, epoch)
) STRICT, WITHOUT ROWID;

-- One live session per agent, by the database and not by hope.
CREATE UNIQUE INDEX session_live ON session (project, agent) WHERE ended_at IS NULL;
CREATE INDEX session_client ON session (project, client, client_session, started_at);
CREATE INDEX session_process ON session (project, process) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (project, ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE endpoint (
    project TEXT NOT NULL,
    session TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    worked_at INTEGER,
    failed_at INTEGER,
    last_error TEXT NOT NULL,
    PRIMARY KEY (project, session, kind)
) STRICT, WITHOUT ROWID;
