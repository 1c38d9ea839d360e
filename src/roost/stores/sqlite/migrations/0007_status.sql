-- Up to which event each agent or person has seen the status.

CREATE TABLE looked (
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (project, agent)
) STRICT, WITHOUT ROWID;
