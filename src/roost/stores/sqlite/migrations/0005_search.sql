-- Full-text search over messages, indexed behind the commit: what has no row here yet is not in the index yet.

CREATE TABLE search_document (
    id INTEGER PRIMARY KEY,             -- row of the index; of no meaning outside of it
    project TEXT NOT NULL,
    number INTEGER NOT NULL,            -- the message
    UNIQUE (project, number)
) STRICT;

CREATE VIEW search_text AS
SELECT d.id AS id, m.subject AS subject, m.body AS body
FROM search_document d JOIN message m ON m.project = d.project AND m.number = d.number;

-- The words only: texts are read from the messages themselves, which are stored once.
CREATE VIRTUAL TABLE search_index USING fts5 (
    subject, body, content = 'search_text', content_rowid = 'id', tokenize = 'porter unicode61 remove_diacritics 2'
);
