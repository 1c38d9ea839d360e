-- name: exists
SELECT 1 FROM channel WHERE project = :project AND name = :name AND closed_at IS NULL;

-- name: names
SELECT name FROM channel WHERE project = :project AND closed_at IS NULL ORDER BY name;

-- name: audience
-- Who receives what is sent to a channel: its members now, but for the sender and the retired.
SELECT a.id, a.name, a.kind, a.epoch, a.capabilities, a.profile, a.generated, a.reserved, a.key_version, a.key_oldest, a.paused_at, a.created_at, a.retired_at
FROM member m JOIN agent a ON a.project = m.project AND a.id = m.agent
WHERE m.project = :project AND m.channel = :name AND a.id <> :sender AND a.retired_at IS NULL ORDER BY a.name;

-- name: is_member
SELECT 1 FROM member WHERE project = :project AND channel = :name AND agent = :agent;

-- name: put
-- A new channel, or a closed one that begins anew.
INSERT INTO channel (project, name, topic, created_by, created_at, closed_at)
VALUES (:project, :name, :topic, :created_by, :created_at, NULL)
ON CONFLICT (project, name) DO UPDATE SET topic = :topic, created_by = :created_by, created_at = :created_at, closed_at = NULL;

-- name: close
UPDATE channel SET closed_at = :now WHERE project = :project AND name = :name AND closed_at IS NULL;

-- name: count
SELECT count(*) FROM channel WHERE project = :project AND closed_at IS NULL;

-- name: count_everybody
SELECT count(*) FROM agent WHERE project = :project AND retired_at IS NULL;

-- name: put_member
INSERT OR IGNORE INTO member (project, channel, agent, joined_at) VALUES (:project, :name, :agent, :now);

-- name: drop_member
DELETE FROM member WHERE project = :project AND channel = :name AND agent = :agent;

-- name: drop_members
DELETE FROM member WHERE project = :project AND channel = :name;

-- name: members
SELECT a.id, a.name, a.kind, a.epoch, a.capabilities, a.profile, a.generated, a.reserved, a.key_version, a.key_oldest, a.paused_at, a.created_at, a.retired_at
FROM member m JOIN agent a ON a.project = m.project AND a.id = m.agent
WHERE m.project = :project AND m.channel = :name AND a.retired_at IS NULL ORDER BY a.name;

-- name: get
-- One channel, open or closed, as the caller `me` sees it.
SELECT c.name, c.topic, coalesce(a.name, '') AS created_by, c.created_at, c.closed_at,
    (SELECT count(*) FROM member m JOIN agent x ON x.project = m.project AND x.id = m.agent
        WHERE m.project = c.project AND m.channel = c.name AND x.retired_at IS NULL) AS member_count,
    EXISTS (SELECT 1 FROM member m WHERE m.project = c.project AND m.channel = c.name AND m.agent = :me) AS joined
FROM channel c LEFT JOIN agent a ON a.project = c.project AND a.id = c.created_by
WHERE c.project = :project AND c.name = :name;

-- name: list
SELECT c.name, c.topic, coalesce(a.name, '') AS created_by, c.created_at, c.closed_at,
    (SELECT count(*) FROM member m JOIN agent x ON x.project = m.project AND x.id = m.agent
        WHERE m.project = c.project AND m.channel = c.name AND x.retired_at IS NULL) AS member_count,
    EXISTS (SELECT 1 FROM member m WHERE m.project = c.project AND m.channel = c.name AND m.agent = :me) AS joined
FROM channel c LEFT JOIN agent a ON a.project = c.project AND a.id = c.created_by
WHERE c.project = :project AND (:closed OR c.closed_at IS NULL) ORDER BY c.name;

-- name: log
-- What was said in a channel, newest first.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender
WHERE m.project = :project AND m.channel = :name AND m.channel <> '' AND m.number < :before
ORDER BY m.number DESC LIMIT :limit;

-- name: last_subjects
-- The last message of each open channel that an agent is in, and of `all`, newest first.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM (SELECT channel AS name FROM member WHERE project = :project AND agent = :agent UNION ALL SELECT 'all') c
    JOIN message m ON m.project = :project AND m.channel = c.name AND m.channel <> ''
        AND m.number = (SELECT max(x.number) FROM message x WHERE x.project = :project AND x.channel = c.name AND x.channel <> '')
    LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender
ORDER BY m.number DESC LIMIT :limit;
