-- name: newest_archive
SELECT coalesce(max(n), 0) FROM archived WHERE project = :project;

-- name: put_archive
INSERT INTO archived (project, n, kind, archive, archive_hash, lines)
VALUES (:project, :n, :kind, :archive, :archive_hash, :lines);

-- name: archive
SELECT n, kind, archive, archive_hash, lines FROM archived WHERE project = :project AND n = :n;

-- name: archives
SELECT n, kind, archive, archive_hash, lines FROM archived WHERE project = :project ORDER BY n;

-- name: put_leaving
INSERT INTO leaving (project, n, key) VALUES (:project, :n, :key);

-- name: leaving
-- What of an archive is still to be deleted.
SELECT key FROM leaving WHERE project = :project AND n = :n ORDER BY key LIMIT :limit;

-- name: drop_leaving
DELETE FROM leaving WHERE project = :project AND n = :n AND key = :key;

-- name: unfinished
-- Archives with something still to delete.
SELECT DISTINCT n FROM leaving WHERE project = :project ORDER BY n;

-- name: event_time
-- When the first event from a number on was, on the store clock.
SELECT at FROM event WHERE project = :project AND seq >= :seq ORDER BY seq LIMIT 1;

-- name: oldest_live
-- Since when the oldest lease is held or the oldest operation is open, on the store clock.
SELECT min(at) FROM (
    SELECT min(granted_at) AS at FROM lease WHERE project = :project AND ended_at IS NULL
    UNION ALL SELECT min(opened_at) FROM operation WHERE project = :project AND state IN ('open', 'sealed'));

-- name: messages
-- Messages by number; a thread is looked at where its first message stands.
SELECT printf('%015d', number) AS place, CASE parent WHEN '' THEN id ELSE '' END AS key, sent_at AS at
FROM message INDEXED BY message_number WHERE project = :project AND number > CAST(:after AS INTEGER)
ORDER BY number LIMIT :limit;

-- name: thread
-- What decides about a thread, which leaves as a whole. (Subqueries by primary key: to materialize them takes 4 x as long.)
SELECT :key AS key, max(CASE WHEN m.idempotency_key IS NOT NULL THEN m.sent_at END) AS keyed_at,
    coalesce(max(max(m.sent_at,
        coalesce((SELECT max(r.at) FROM receipt r WHERE r.project = :project AND r.message = m.id), 0),
        coalesce((SELECT max(x.at) FROM reaction x WHERE x.project = :project AND x.message = m.id), 0))), 0) AS last_at,
    coalesce(max(EXISTS (SELECT 1 FROM delivery d WHERE d.project = :project AND d.message = m.id
        AND d.state IN ('held', 'pending', 'offered'))), 0) AS undelivered,
    coalesce(max(EXISTS (SELECT 1 FROM delivery d WHERE d.project = :project AND d.message = m.id
        AND d.state = 'delivered' AND d.requires_ack = 1)), 0) AS owed,
    coalesce(max(EXISTS (SELECT 1 FROM delivery d WHERE d.project = :project AND d.message = m.id
        AND d.state = 'dead')), 0) AS dead,
    coalesce(max(EXISTS (SELECT 1 FROM delivery d WHERE d.project = :project AND d.message = m.id
        AND d.told = 0)), 0) AS untold,
    coalesce(max(EXISTS (SELECT 1 FROM operation o WHERE o.project = :project AND o.id = m.operation
        AND o.state IN ('open', 'sealed'))), 0) AS live,
    coalesce(max(EXISTS (SELECT 1 FROM dependency y CROSS JOIN delivery w ON w.project = :project AND w.message = y.message
        WHERE y.project = :project AND y.on_message = m.id AND w.state IN ('held', 'pending', 'offered'))), 0) AS needed
FROM message m WHERE m.project = :project AND m.id IN (
    SELECT :key UNION ALL SELECT id FROM message INDEXED BY message_thread
    WHERE project = :project AND thread = :key AND parent <> '');

-- name: thread_lines
-- The messages of a thread, each whole with all that is known of it, as JSON.
SELECT m.number AS place, json_object(
    'id', m.id, 'number', m.number, 'seq', m.seq, 'sender', m.sender,
    'sender_name', (SELECT name FROM agent WHERE project = :project AND id = m.sender),
    'sender_session', m.sender_session, 'channel', m.channel, 'recipients', m.recipients, 'type', m.type,
    'severity', m.severity, 'priority', m.priority, 'subject', m.subject, 'body', m.body,
    'body_hash', lower(hex(m.body_hash)), 'tags', json(m.tags), 'thread', m.thread, 'parent', m.parent,
    'depends_on', json(m.depends_on), 'expires_at', m.expires_at, 'not_before', m.not_before,
    'requires_ack', m.requires_ack, 'hops', m.hops, 'idempotency_key', m.idempotency_key, 'operation', m.operation,
    'metadata', json(m.metadata), 'key_id', m.key_id, 'signature', lower(hex(m.signature)), 'sent_at', m.sent_at,
    'wall', m.wall,
    'deliveries', json((SELECT json_group_array(json_object(
        'recipient', d.recipient, 'name', (SELECT name FROM agent WHERE project = :project AND id = d.recipient),
        'state', d.state, 'stage', d.stage, 'attempts', d.attempts, 'rung', d.rung, 'delivered_at', d.delivered_at,
        'acknowledged_at', d.acknowledged_at, 'read_at', d.read_at, 'last_error', d.last_error))
        FROM delivery d WHERE d.project = :project AND d.message = m.id)),
    'receipts', json((SELECT json_group_array(json_object(
        'recipient', r.recipient, 'n', r.n, 'kind', r.kind, 'at', r.at, 'actor', r.actor, 'rung', r.rung,
        'session', r.session, 'epoch', r.epoch, 'context', r.context, 'nonce', r.nonce, 'proof', r.proof))
        FROM receipt r WHERE r.project = :project AND r.message = m.id)),
    'reactions', json((SELECT json_group_array(json_object('agent', x.agent, 'value', x.value, 'at', x.at))
        FROM reaction x WHERE x.project = :project AND x.message = m.id))) AS text
FROM message m WHERE m.project = :project AND m.number > :after
    AND m.number IN (SELECT number FROM message WHERE project = :project AND id = :key
        UNION ALL SELECT number FROM message INDEXED BY message_thread
            WHERE project = :project AND thread = :key AND parent <> '')
ORDER BY m.number LIMIT :limit;

-- name: last_of_thread
-- The newest message of a thread that is still here: the first one goes last, because the others are found by it.
SELECT id, number, body_hash, length(body) AS size FROM message INDEXED BY message_thread
WHERE project = :project AND thread = :key AND parent <> ''
UNION ALL SELECT id, number, body_hash, length(body) FROM message WHERE project = :project AND id = :key
ORDER BY number DESC LIMIT 1;

-- name: drop_words
-- The index is told what it loses, because it keeps no texts of its own.
INSERT INTO search_index (search_index, rowid, subject, body)
SELECT 'delete', d.id, m.subject, m.body FROM search_document d JOIN message m ON m.project = d.project AND m.number = d.number
WHERE d.project = :project AND d.number = :number;

-- name: drop_document
DELETE FROM search_document WHERE project = :project AND number = :number;

-- name: drop_receipts
DELETE FROM receipt WHERE project = :project AND message = :id AND (recipient, n) IN (
    SELECT recipient, n FROM receipt WHERE project = :project AND message = :id LIMIT :limit);

-- name: drop_deliveries
DELETE FROM delivery WHERE project = :project AND message = :id AND recipient IN (
    SELECT recipient FROM delivery WHERE project = :project AND message = :id LIMIT :limit);

-- name: drop_reactions
DELETE FROM reaction WHERE project = :project AND message = :id;

-- name: drop_dependencies
DELETE FROM dependency WHERE project = :project AND on_message = :id;

-- name: drop_dependents
DELETE FROM dependency WHERE project = :project AND message = :id;

-- name: drop_message
DELETE FROM message WHERE project = :project AND id = :id;

-- name: sessions
-- Sessions by id.
SELECT id AS place, id AS key, coalesce(ended_at, started_at) AS at FROM session
WHERE project = :project AND id > :after ORDER BY id LIMIT :limit;

-- name: session
-- What decides about a session.
SELECT s.id AS key, coalesce(s.ended_at, s.beat_at) AS last_at,
    s.ended_at IS NULL OR EXISTS (
        SELECT 1 FROM lease l WHERE l.project = s.project AND l.session = s.id AND l.ended_at IS NULL) AS live,
    EXISTS (SELECT 1 FROM delivery d WHERE d.project = s.project AND d.session = s.id AND d.state = 'offered') AS undelivered,
    NOT EXISTS (SELECT 1 FROM session t WHERE t.project = s.project AND t.agent = s.agent AND t.epoch > s.epoch) AS newest
FROM session s WHERE s.project = :project AND s.id = :key;

-- name: session_lines
SELECT 0 AS place, json_object(
    'id', id, 'agent', agent, 'name', (SELECT name FROM agent a WHERE a.project = :project AND a.id = session.agent),
    'epoch', epoch, 'context', context, 'client', client, 'client_session', client_session,
    'process', json(process), 'worktree', worktree, 'started_at', started_at, 'beat_at', beat_at, 'ended_at', ended_at,
    'end_reason', end_reason, 'activity_count', activity_count,
    'endpoints', json((SELECT json_group_array(json_object('kind', e.kind, 'worked_at', e.worked_at, 'last_error', e.last_error))
        FROM endpoint e WHERE e.project = :project AND e.session = session.id))) AS text
FROM session WHERE project = :project AND id = :key AND :after < 0 LIMIT :limit;

-- name: drop_endpoints
DELETE FROM endpoint WHERE project = :project AND session = :key;

-- name: drop_told
DELETE FROM told WHERE project = :project AND session = :key;

-- name: drop_commit_before
DELETE FROM commit_before WHERE project = :project AND session = :key;

-- name: drop_session
DELETE FROM session WHERE project = :project AND id = :key;

-- name: operations
-- Operations by id.
SELECT id AS place, id AS key, coalesce(ended_at, opened_at) AS at FROM operation
WHERE project = :project AND id > :after ORDER BY id LIMIT :limit;

-- name: operation
-- What decides about an operation; it stays while a message of it is here.
SELECT id AS key, coalesce(ended_at, opened_at) AS last_at, state IN ('open', 'sealed') AS live,
    EXISTS (SELECT 1 FROM message m INDEXED BY message_operation
        WHERE m.project = :project AND m.operation = :key AND m.operation <> '') AS needed
FROM operation WHERE project = :project AND id = :key;

-- name: operation_lines
SELECT 0 AS place, json_object(
    'id', id, 'owner', owner, 'session', session, 'title', title, 'state', state, 'steps', steps, 'opened_at', opened_at,
    'ended_at', ended_at, 'reason', reason, 'targets', json(targets)) AS text
FROM operation WHERE project = :project AND id = :key AND :after < 0 LIMIT :limit;

-- name: drop_operation
DELETE FROM operation WHERE project = :project AND id = :key;
