-- What left the store for an archive. (What left the log is in `seal`.)

-- 1: the events of this part count as gone; their rows go in pieces, so some may still be there.
ALTER TABLE seal ADD COLUMN cut INTEGER NOT NULL DEFAULT 0 CHECK (cut IN (0, 1));

CREATE TABLE archived (
    project TEXT NOT NULL,
    n INTEGER NOT NULL,                 -- counts the archives of rows
    kind TEXT NOT NULL,
    archive TEXT NOT NULL,              -- file name
    archive_hash TEXT NOT NULL,         -- SHA-256 of the file, hex
    lines INTEGER NOT NULL,
    PRIMARY KEY (project, n)
) STRICT, WITHOUT ROWID;

-- What lies in an archive and is still to be deleted.
CREATE TABLE leaving (
    project TEXT NOT NULL,
    n INTEGER NOT NULL,                 -- of the archive
    key TEXT NOT NULL,
    PRIMARY KEY (project, n, key)
) STRICT, WITHOUT ROWID;
