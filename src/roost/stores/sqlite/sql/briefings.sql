-- name: project_name
SELECT name FROM project WHERE id = :project;

-- name: not_acted_upon
-- The newest mail that an agent was given and neither answered nor reacted to nor acknowledged.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM (SELECT message, seq FROM delivery WHERE project = :project AND recipient = :agent AND state = 'delivered'
        ORDER BY seq DESC LIMIT :looked_at) d
    JOIN message m ON m.project = :project AND m.id = d.message
    LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender
WHERE NOT EXISTS (SELECT 1 FROM message r WHERE r.project = :project AND r.thread = m.thread AND r.parent = m.id
        AND r.parent <> '' AND r.sender = :agent)
    AND NOT EXISTS (SELECT 1 FROM reaction x WHERE x.project = :project AND x.message = m.id AND x.agent = :agent)
ORDER BY d.seq DESC;

-- name: put_checkpoint
INSERT INTO checkpoint (project, agent, n, session, at, kind, note, branch, files)
SELECT :project, :agent, coalesce(max(n), 0) + 1, :session, :at, :kind, :note, :branch, :files
FROM checkpoint WHERE project = :project AND agent = :agent;

-- name: drop_old_checkpoints
DELETE FROM checkpoint WHERE project = :project AND agent = :agent
    AND n <= (SELECT max(n) FROM checkpoint WHERE project = :project AND agent = :agent) - :kept;

-- name: last_checkpoint
SELECT agent, n, session, at, kind, note, branch, files FROM checkpoint
WHERE project = :project AND agent = :agent ORDER BY n DESC LIMIT 1;
