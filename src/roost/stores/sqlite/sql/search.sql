-- name: next_number
-- The first message that is not in the index.
SELECT coalesce(max(number), 0) + 1 FROM search_document WHERE project = :project;

-- name: add_documents
INSERT INTO search_document (project, number)
SELECT project, number FROM message WHERE project = :project AND number BETWEEN :first AND :upto ORDER BY number;

-- name: add_words
INSERT INTO search_index (rowid, subject, body)
SELECT d.id, m.subject, m.body FROM search_document d JOIN message m ON m.project = d.project AND m.number = d.number
WHERE d.project = :project AND d.number BETWEEN :first AND :upto;

-- name: find
-- Messages that hold all words, best first, as one agent may see them; a person sees all.
SELECT m.number AS number, snippet(search_index, -1, char(2), char(3), ' … ', 16) AS snippet
FROM search_index JOIN search_document d ON d.id = search_index.rowid
    JOIN message m ON m.project = d.project AND m.number = d.number
WHERE search_index MATCH :words AND d.project = :project
    AND (:sender = '' OR m.sender = :sender) AND (:channel = '' OR m.channel = :channel) AND m.wall >= :since
    AND (:everything OR m.channel <> '' OR m.sender = :viewer
        OR EXISTS (SELECT 1 FROM delivery x WHERE x.project = m.project AND x.message = m.id AND x.recipient = :viewer))
ORDER BY rank LIMIT :limit;
