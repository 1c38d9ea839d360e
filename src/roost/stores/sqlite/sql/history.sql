-- name: head
-- Where the log is; without any event it begins at number 1. What a seal cut counts as gone while its rows still go.
SELECT p.id AS project, s.epoch, p.seq, p.head AS hash,
    max(coalesce((SELECT min(seq) FROM event WHERE project = :project), p.seq + 1),
        coalesce((SELECT max(last) FROM seal WHERE project = :project AND cut = 1), 0) + 1) AS first
FROM project p, store s WHERE p.id = :project;

-- name: page
-- Events in a range that fit the filters, oldest first. A kind is a whole one, or a family: `message` for `message.sent`.
SELECT e.seq, e.at, e.wall, e.kind, e.actor, coalesce(a.name, '') AS name, e.session, e.object, e.data, e.hash,
    printf('%x-%x-%s', :epoch, e.seq, lower(hex(substr(e.hash, 1, 4)))) AS cursor
FROM event e LEFT JOIN agent a ON a.project = e.project AND a.id = e.actor
WHERE e.project = :project AND e.seq > :after AND e.seq <= :until
    AND (:actor IS NULL OR e.actor = :actor)
    AND (:kinds IS NULL OR EXISTS (
        SELECT 1 FROM json_each(:kinds) k WHERE e.kind = k.value OR substr(e.kind, 1, length(k.value) + 1) = k.value || '.'
    ))
ORDER BY e.seq LIMIT :limit;

-- name: page_of_object
-- The same for one object, by its index.
SELECT e.seq, e.at, e.wall, e.kind, e.actor, coalesce(a.name, '') AS name, e.session, e.object, e.data, e.hash,
    printf('%x-%x-%s', :epoch, e.seq, lower(hex(substr(e.hash, 1, 4)))) AS cursor
FROM event e INDEXED BY event_object LEFT JOIN agent a ON a.project = e.project AND a.id = e.actor
WHERE e.project = :project AND e.object = :object AND e.seq > :after AND e.seq <= :until
    AND (:actor IS NULL OR e.actor = :actor)
    AND (:kinds IS NULL OR EXISTS (
        SELECT 1 FROM json_each(:kinds) k WHERE e.kind = k.value OR substr(e.kind, 1, length(k.value) + 1) = k.value || '.'
    ))
ORDER BY e.seq LIMIT :limit;

-- name: lines
-- Events as they are stored, for what recomputes hashes or states.
SELECT seq, at, wall, kind, actor, session, object, data, hash
FROM event WHERE project = :project AND seq > :after ORDER BY seq LIMIT :limit;

-- name: hash_of
SELECT hash FROM event WHERE project = :project AND seq = :seq;

-- name: agent_id
-- Whose events are meant by a name, an alias or an id.
SELECT id FROM agent WHERE project = :project AND name = :name
UNION ALL SELECT agent FROM alias WHERE project = :project AND alias = :alias
UNION ALL SELECT id FROM agent WHERE project = :project AND id = :name
LIMIT 1;

-- name: message_id
SELECT id FROM message WHERE project = :project AND number = :number;

-- name: bodies
-- Messages with what their event says of them.
SELECT m.id, m.number, m.seq, m.body, m.body_hash, coalesce(e.object, '') AS object,
    coalesce(json_extract(e.data, '$.body'), '') AS told
FROM message m LEFT JOIN event e ON e.project = m.project AND e.seq = m.seq AND e.kind = 'message.sent'
WHERE m.project = :project AND m.number > :after ORDER BY m.number LIMIT :limit;

-- name: vanished
-- Messages that the log saw, that are not here, and whose purge it did not see.
SELECT e.seq, e.object AS id FROM event e
WHERE e.project = :project AND e.seq > :after AND e.seq <= :until AND e.kind = 'message.sent'
    AND NOT EXISTS (SELECT 1 FROM message m WHERE m.project = e.project AND m.id = e.object)
    AND NOT EXISTS (
        SELECT 1 FROM event p INDEXED BY event_object WHERE p.project = e.project AND p.object = e.object AND p.kind = 'message.purged'
    );

-- name: oldest_open
-- The oldest message that is still on its way to somebody, or waits for an acknowledgement.
SELECT min(seq) FROM delivery WHERE project = :project
    AND (state IN ('held', 'pending', 'offered') OR (state = 'delivered' AND requires_ack = 1));

-- name: put_seal
INSERT INTO seal (project, last, first, head, archive, archive_hash, state)
VALUES (:project, :last, :first, :head, :archive, :archive_hash, :state);

-- name: seal
SELECT first, last, head, archive, archive_hash, state FROM seal WHERE project = :project AND last = :last;

-- name: seals
SELECT first, last, head, archive, archive_hash, '' AS state FROM seal WHERE project = :project ORDER BY last;

-- name: set_cut
UPDATE seal SET cut = 1 WHERE project = :project AND last = :last AND cut = 0;

-- name: cut
-- Delete some of the oldest events, up to a number.
DELETE FROM event WHERE project = :project AND seq <= :last
    AND seq < (SELECT min(seq) FROM event WHERE project = :project) + :limit;

-- name: uncut
-- Seals whose events are not all deleted yet.
SELECT first, last, head, archive, archive_hash, '' AS state FROM seal
WHERE project = :project AND (cut = 0 OR last >= (SELECT min(seq) FROM event WHERE project = :project)) ORDER BY last;
