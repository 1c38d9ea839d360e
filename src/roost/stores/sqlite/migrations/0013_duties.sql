-- Duties that failed for a reason nobody foresaw; a row goes when its duty works again.

CREATE TABLE failing_duty (
    project TEXT NOT NULL,
    duty TEXT NOT NULL,                 -- in words
    error TEXT NOT NULL,                -- the last one
    since INTEGER NOT NULL,             -- store clock, ms, of the first failure in a row
    count INTEGER NOT NULL,             -- failures in a row
    again_at INTEGER NOT NULL,          -- store clock, ms: not tried before
    PRIMARY KEY (project, duty)
) STRICT, WITHOUT ROWID;
