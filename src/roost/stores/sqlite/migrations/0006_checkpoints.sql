-- What agents were doing when they wrote it down, or when their context was about to be lost.

CREATE TABLE checkpoint (
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    n INTEGER NOT NULL,                 -- counts the checkpoints of this agent
    session TEXT NOT NULL,
    at INTEGER NOT NULL,                -- store clock, ms
    kind TEXT NOT NULL,
    note TEXT NOT NULL,
    branch TEXT NOT NULL,
    files TEXT NOT NULL,                -- JSON array
    PRIMARY KEY (project, agent, n)
) STRICT, WITHOUT ROWID;
