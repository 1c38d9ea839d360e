-- name: exists
SELECT 1 FROM channel WHERE project = :project AND name = :name AND closed_at IS NULL;

-- name: names
SELECT name FROM channel WHERE project = :project AND closed_at IS NULL ORDER BY name;

-- name: audience
-- Who receives what is sent to a channel: its members now, but for the sender and the retired.
SELECT a.id, a.name, a.kind, a.epoch, a.capabilities, a.profile, a.generated, a.reserved, a.key_version, a.key_oldest, a.paused_at, a.created_at, a.retired_at
FROM member m JOIN agent a ON a.project = m.project AND a.id = m.agent
WHERE m.project = :project AND m.channel = :name AND a.id <> :sender AND a.retired_at IS NULL ORDER BY a.name;
