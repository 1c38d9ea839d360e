-- name: insert
-- Every column in its order: naming them too costs a microsecond a message.
INSERT INTO message VALUES (:project, :id, :number, :seq, :sender, :sender_session, :channel, :recipients, :type, :severity,
    :priority, :subject, :body, :body_hash, :tags, :thread, :parent, :depends_on, :expires_at, :not_before, :requires_ack, :hops,
    :idempotency_key, :fingerprint, :operation, :metadata, :key_id, :signature, :sent_at, :wall);

-- name: get
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender WHERE m.project = :project AND m.id = :id;

-- name: numbered
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender WHERE m.project = :project AND m.number = :number;

-- name: keyed
-- What the sender sent before with this idempotency key.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender WHERE m.project = :project AND m.sender = :sender AND m.idempotency_key = :key;

-- name: forget_key
-- A key is free again after 7 days.
UPDATE message SET idempotency_key = NULL WHERE project = :project AND id = :id;

-- name: thread
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender WHERE m.project = :project AND m.id = :thread AND m.number > :after
UNION ALL
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender WHERE m.project = :project AND m.thread = :thread AND m.parent <> '' AND m.number > :after
ORDER BY number LIMIT :limit;

-- name: outbox
-- What one agent sent in some blocks of the numbers; see messages.outbox.
WITH RECURSIVE block (number) AS (
    SELECT :newest UNION ALL SELECT number - 1 FROM block WHERE number > :oldest
)
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM block CROSS JOIN message m INDEXED BY message_sender
    ON m.project = :project AND m.number / 128 = block.number AND m.sender = :sender AND m.number < :before
    LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender
ORDER BY m.number DESC LIMIT :limit;

-- name: spent
SELECT spent FROM quota WHERE project = :project AND agent = :agent;

-- name: spend
INSERT INTO quota (project, agent, spent) VALUES (:project, :agent, :spent)
ON CONFLICT (project, agent) DO UPDATE SET spent = :spent;

-- name: put_dependency
INSERT OR IGNORE INTO dependency (project, on_message, message) VALUES (:project, :on_message, :message);

-- name: put_reaction
INSERT OR IGNORE INTO reaction (project, message, agent, value, at) VALUES (:project, :message, :agent, :value, :at);

-- name: drop_reaction
DELETE FROM reaction WHERE project = :project AND message = :message AND agent = :agent AND value = :value;

-- name: reactions
SELECT r.message, r.agent, a.name, r.value, r.at FROM reaction r JOIN agent a ON a.project = r.project AND a.id = r.agent
WHERE r.project = :project AND r.message = :message ORDER BY r.at, a.name;

-- name: recipients
-- The names of everybody a message was sent to.
SELECT a.id AS id, a.name AS name FROM delivery d JOIN agent a ON a.project = d.project AND a.id = d.recipient
WHERE d.project = :project AND d.message = :message ORDER BY a.name;

-- name: paused
SELECT paused_at IS NOT NULL FROM project WHERE id = :project;

-- name: pause
UPDATE project SET paused_at = :at, paused_by = :by WHERE id = :project;

-- name: log
-- The conversation in order, as one agent may see it: what it sent or received, and what channels said; a person sees all.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM message m LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender
WHERE m.project = :project AND m.number > :after AND (:channel = '' OR m.channel = :channel)
    AND (:everything OR m.channel <> '' OR m.sender = :viewer
        OR EXISTS (SELECT 1 FROM delivery d WHERE d.project = m.project AND d.message = m.id AND d.recipient = :viewer))
    AND (:agent = '' OR m.sender = :agent
        OR EXISTS (SELECT 1 FROM delivery d WHERE d.project = m.project AND d.message = m.id AND d.recipient = :agent))
ORDER BY m.number LIMIT :limit;

-- name: last_number
SELECT messages FROM project WHERE id = :project;
