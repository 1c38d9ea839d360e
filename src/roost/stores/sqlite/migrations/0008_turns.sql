-- What turns remember from one hook to the next.

-- What a session was told once, and is not to be told again in the same context once that is proved.
CREATE TABLE told (
    project TEXT NOT NULL,
    session TEXT NOT NULL,
    what TEXT NOT NULL,
    message TEXT NOT NULL,              -- the one that it reminds of, or ''
    nonce TEXT NOT NULL,                -- of the injection that says it; '' once it is proved
    told_at INTEGER NOT NULL,
    PRIMARY KEY (project, session, what)
) STRICT, WITHOUT ROWID;

-- The commit that a session's worktree stood at before the session ran git.
CREATE TABLE commit_before (
    project TEXT NOT NULL,
    session TEXT NOT NULL,
    head TEXT NOT NULL,
    PRIMARY KEY (project, session)
) STRICT, WITHOUT ROWID;

-- What a leased file held when its holder's turn last saw it. A lease of its own is a row of its own: what happened to
-- the file between two leases is nobody's fault.
CREATE TABLE leased_file (
    project TEXT NOT NULL,
    token INTEGER NOT NULL,             -- of the lease
    stamp TEXT NOT NULL,                -- size, time and inode: while these stay, the file is not read again
    digest TEXT NOT NULL,
    PRIMARY KEY (project, token)
) STRICT, WITHOUT ROWID;
