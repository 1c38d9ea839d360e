-- name: looked
SELECT seq FROM looked WHERE project = :project AND agent = :agent;

-- name: put_looked
-- Remember up to which event somebody looked; a look never goes back.
INSERT INTO looked (project, agent, seq) VALUES (:project, :agent, :seq)
ON CONFLICT (project, agent) DO UPDATE SET seq = max(seq, :seq);

-- name: project_name
SELECT name FROM project WHERE id = :project;

-- name: ended
-- Sessions that ended after an event, newest first; those of agents that were taken off the list since are nobody's news.
SELECT s.id AS session, a.name AS agent, s.client, s.end_reason AS reason, e.at,
    EXISTS (SELECT 1 FROM session n WHERE n.project = s.project AND n.agent = s.agent AND n.ended_at IS NULL) AS back
FROM event e INDEXED BY event_kind JOIN session s ON s.project = e.project AND s.id = e.object
    JOIN agent a ON a.project = s.project AND a.id = s.agent
WHERE e.project = :project AND e.kind = 'session.ended' AND e.kind <> 'message.sent' AND e.seq > :after
    AND a.retired_at IS NULL
ORDER BY e.seq DESC LIMIT :limit;

-- name: freed
-- Leases that ended after an event without having been given back, newest first.
SELECT e.object AS what, coalesce(a.name, '') AS agent, substr(e.kind, 7) AS why, e.at
FROM event e INDEXED BY event_kind LEFT JOIN agent a ON a.project = e.project AND a.id = e.data ->> '$.agent'
WHERE e.project = :project AND e.kind IN ('lease.expired', 'lease.orphaned', 'lease.revoked', 'lease.restored')
    AND e.kind <> 'message.sent' AND e.seq > :after ORDER BY e.seq DESC LIMIT :limit;

-- name: refused
-- Edits that were refused after an event, newest first.
SELECT a.name AS agent, coalesce(e.data -> '$.files', '[]') AS files, coalesce(e.data -> '$.command', '[]') AS command, e.at
FROM event e INDEXED BY event_kind JOIN session s ON s.project = e.project AND s.id = e.object
    JOIN agent a ON a.project = s.project AND a.id = s.agent
WHERE e.project = :project AND e.kind = 'edit.refused' AND e.kind <> 'message.sent' AND e.seq > :after
ORDER BY e.seq DESC LIMIT :limit;

-- name: lost
-- Mail that ended undelivered after an event, newest first; what its own sender took back is no loss.
SELECT m.number, coalesce(f.name, 'roost') AS sender, coalesce(t.name, '') AS recipient, substr(e.kind, 10) AS state,
    e.data ->> '$.reason' AS reason, e.at
FROM event e INDEXED BY event_kind JOIN message m ON m.project = e.project AND m.id = e.object
    LEFT JOIN agent f ON f.project = m.project AND f.id = m.sender
    LEFT JOIN agent t ON t.project = e.project AND t.id = e.data ->> '$.recipient'
WHERE e.project = :project AND e.kind IN ('delivery.dead', 'delivery.expired', 'delivery.cancelled')
    AND e.kind <> 'message.sent' AND e.seq > :after AND NOT (e.kind = 'delivery.cancelled' AND e.actor = m.sender)
ORDER BY e.seq DESC LIMIT :limit;

-- name: count_after
-- How many events of these kinds, of which none is a message's birth, there are after an event; as `ended` counts them.
SELECT count(*) FROM event e INDEXED BY event_kind
WHERE e.project = :project AND e.kind IN (SELECT value FROM json_each(:kinds)) AND e.kind <> 'message.sent' AND e.seq > :after
    AND NOT EXISTS (
        SELECT 1 FROM session s JOIN agent a ON a.project = s.project AND a.id = s.agent
        WHERE e.kind = 'session.ended' AND s.project = e.project AND s.id = e.object AND a.retired_at IS NOT NULL);

-- name: waiting
-- How much mail is on its way to each agent.
SELECT a.name AS name, a.id AS id, count(*) AS count, coalesce(max(a.retired_at), 0) > 0 AS retired
FROM (
    SELECT recipient FROM delivery WHERE project = :project AND state = 'pending'
    UNION ALL SELECT recipient FROM delivery WHERE project = :project AND state = 'held'
    UNION ALL SELECT recipient FROM delivery WHERE project = :project AND state = 'offered') d
    JOIN agent a ON a.project = :project AND a.id = d.recipient
GROUP BY a.id ORDER BY a.name;

-- name: pauses
-- Whose mail is held ('' for everybody's), with what the log says of it, as long as it does.
SELECT p.agent AS agent, p.at AS at, coalesce(b.name, '') AS by, coalesce(e.data ->> '$.reason', '') AS reason
FROM (
    SELECT '' AS agent, id AS object, paused_at AS at FROM project WHERE id = :project AND paused_at IS NOT NULL
    UNION ALL SELECT name, id, paused_at FROM agent WHERE project = :project AND paused_at IS NOT NULL AND retired_at IS NULL) p
    LEFT JOIN event e ON e.project = :project AND e.seq = (
        SELECT max(seq) FROM event INDEXED BY event_object
        WHERE project = :project AND object = p.object AND kind IN ('project.paused', 'agent.paused'))
    LEFT JOIN agent b ON b.project = :project AND b.id = e.actor
ORDER BY p.agent;

-- name: queue
-- How much mail of each priority is on its way, by state.
SELECT m.priority AS priority, d.state AS state, count(*) AS count
FROM (
    SELECT message, state FROM delivery WHERE project = :project AND state = 'pending'
    UNION ALL SELECT message, state FROM delivery WHERE project = :project AND state = 'held'
    UNION ALL SELECT message, state FROM delivery WHERE project = :project AND state = 'offered') d
    JOIN message m ON m.project = :project AND m.id = d.message
GROUP BY m.priority, d.state ORDER BY m.priority DESC;

-- name: count_dead
SELECT count(*) FROM delivery WHERE project = :project AND state = 'dead';

-- name: events
-- How many events of each kind the log holds. Those that no index lists by kind are what the others leave.
WITH rare AS MATERIALIZED (
    SELECT kind AS name, count(*) AS count FROM event INDEXED BY event_kind
    WHERE project = :project AND kind <> 'message.sent' GROUP BY kind
), sent AS MATERIALIZED (
    SELECT count(*) - coalesce((SELECT sum(count) FROM rare), 0) AS count FROM event INDEXED BY event_object
    WHERE project = :project
)
SELECT name, count FROM rare UNION ALL SELECT 'message.sent', count FROM sent WHERE count > 0 ORDER BY name;

-- name: deliveries
SELECT state AS name, count(*) AS count FROM delivery WHERE project = :project GROUP BY state ORDER BY state;

-- name: compactions
SELECT count(*) FROM event INDEXED BY event_kind
WHERE project = :project AND kind = 'session.context' AND kind <> 'message.sent' AND data ->> '$.reason' LIKE '%compacted%';

-- name: arrivals
-- By which rung the newest delivered messages arrived, and how long it took, ms. Ids of messages grow with time.
SELECT d.rung AS rung, d.delivered_at - m.sent_at AS ms
FROM delivery d JOIN message m ON m.project = d.project AND m.id = d.message
WHERE d.project = :project AND d.delivered_at IS NOT NULL ORDER BY d.message DESC LIMIT :limit;

-- name: lease_waits
-- How many stand in line for a lease, and how long the first of them has, ms.
SELECT count(*) AS count, coalesce(:now - min(asked_at), 0) AS oldest_ms
FROM lease_wait WHERE project = :project AND expires_at > :now;
