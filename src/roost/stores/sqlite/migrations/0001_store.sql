-- The store itself (one row), its projects, and the log.

CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,             -- grows with every restore
    oldest_reader INTEGER NOT NULL,     -- oldest schema number that may read
    oldest_writer INTEGER NOT NULL,     -- oldest schema number that may write
    boot_id TEXT NOT NULL,
    clock_offset INTEGER NOT NULL,      -- store clock = offset + CLOCK_MONOTONIC, ms
    clock_last INTEGER NOT NULL,
    wall_last INTEGER NOT NULL,
    duties_at INTEGER NOT NULL          -- store clock of the next look at what is due
) STRICT;

CREATE TABLE project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    root TEXT NOT NULL,
    seq INTEGER NOT NULL,               -- the last event's sequence number
    head BLOB NOT NULL,                 -- the last event's hash
    messages INTEGER NOT NULL,          -- the last message's short number
    paused_at INTEGER,
    paused_by TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    project TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,                -- store clock, ms
    wall INTEGER NOT NULL,              -- wall clock, ms, for people
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,                -- agent id, or '' for Roost itself
    session TEXT NOT NULL,
    object TEXT NOT NULL,
    data TEXT NOT NULL,                 -- JSON; ids and hashes, never bodies
    hash BLOB NOT NULL,
    PRIMARY KEY (project, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_object ON event (project, object, seq);
-- Of the rare ones only: half of all events say that a message was sent, nobody asks for those by their kind, and each
-- index that a send writes is pages to log and sync.
CREATE INDEX event_kind ON event (project, kind, seq) WHERE kind <> 'message.sent';

-- Parts of the log that were copied to an archive and may have been cut.
CREATE TABLE seal (
    project TEXT NOT NULL,
    last INTEGER NOT NULL,
    first INTEGER NOT NULL,
    head BLOB NOT NULL,                 -- hash of the last event of the part
    archive TEXT NOT NULL,              -- file name
    archive_hash TEXT NOT NULL,         -- SHA-256 of the file, hex
    state TEXT NOT NULL,                -- JSON: what the log had come to at `last`
    PRIMARY KEY (project, last)
) STRICT, WITHOUT ROWID;
