-- Answers of the daemon that a caller may not have got yet: one row for all of one transaction, kept for 10 minutes.

CREATE TABLE answers (
    n INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    at INTEGER NOT NULL,                -- store clock, ms
    answers BLOB NOT NULL               -- msgpack: [[caller, request, body], ...]
) STRICT;
