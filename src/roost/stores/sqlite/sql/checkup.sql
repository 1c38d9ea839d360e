-- name: dead
-- Who has dead letters, and how many.
SELECT a.name AS name, count(*) AS count
FROM delivery d INDEXED BY delivery_dead JOIN agent a ON a.project = d.project AND a.id = d.recipient
WHERE d.project = :project AND d.state = 'dead' GROUP BY a.name ORDER BY count DESC, a.name LIMIT 10;

-- name: stuck
-- Who was offered mail long ago that is not proved yet.
SELECT a.name AS name, count(*) AS count
FROM delivery d INDEXED BY delivery_offered JOIN agent a ON a.project = d.project AND a.id = d.recipient
WHERE d.project = :project AND d.state = 'offered' AND d.offered_at <= :before GROUP BY a.name ORDER BY count DESC, a.name
LIMIT 10;
