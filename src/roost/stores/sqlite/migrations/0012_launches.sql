-- Clients that Roost started: the hash of the key by which their hooks come in over HTTP, good while the process lives.

CREATE TABLE launch (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    client TEXT NOT NULL,
    process TEXT NOT NULL,              -- JSON: host, boot_id, pid, started
    environ TEXT NOT NULL,              -- JSON object: the few variables that say something about the session
    key_hash BLOB NOT NULL,             -- SHA-256 of the key, which is random enough to need no salt
    began_at INTEGER NOT NULL,          -- store clock, ms
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;
