-- name: keep
INSERT INTO answers (project, at, answers) VALUES (:project, :now, :answers);

-- name: kept
SELECT answers FROM answers WHERE project = :project AND at > :since ORDER BY n;

-- name: forget
DELETE FROM answers WHERE project = :project AND at <= :before;

-- name: recipients_after
-- Who was sent something after message number :after.
SELECT DISTINCT d.recipient AS id
FROM message m INDEXED BY message_number CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id
WHERE m.project = :project AND m.number > :after;

-- name: live_bell
SELECT bell FROM session WHERE project = :project AND agent = :agent AND ended_at IS NULL;

-- name: anybody
-- Whether an agent's session has not ended yet.
SELECT EXISTS (SELECT 1 FROM session s JOIN agent a ON a.project = s.project AND a.id = s.agent
    WHERE s.project = :project AND s.ended_at IS NULL AND a.kind = 'agent');
