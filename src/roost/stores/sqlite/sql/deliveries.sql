-- name: insert
-- A new delivery, every column in its order: naming them too costs a microsecond a message.
INSERT INTO delivery VALUES (:project, :message, :recipient, :seq, :number, :state, 0, :hold, :rank, :size, :requires_ack, :wakes,
    0, '', '', '', 0, 0, NULL, NULL, NULL, NULL, NULL, :expires_at, :not_before, NULL, NULL, 0, 1, 0, '');

-- name: get
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: of_message
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM delivery d WHERE d.project = :project AND d.message = :message ORDER BY d.recipient;

-- name: waiting
-- What a recipient may be offered now, best rank first.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM delivery d INDEXED BY delivery_waiting WHERE d.project = :project AND d.recipient = :recipient AND d.state = 'pending'
    AND (d.next_at IS NULL OR d.next_at <= :now) AND (d.expires_at IS NULL OR d.expires_at > :wall)
    AND (:asking_only = 0 OR d.wakes = 1)
ORDER BY d.rank, d.seq LIMIT :limit;

-- name: reader
-- What matters of a session that asks for its mail; counted up to :most.
SELECT s.context AS context, s.transcript <> '' AS transcript,
    a.paused_at IS NOT NULL OR EXISTS (SELECT 1 FROM project p WHERE p.id = :project AND p.paused_at IS NOT NULL) AS paused,
    EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_held WHERE project = :project AND recipient = a.id AND state = 'held')
        OR EXISTS (SELECT 1 FROM operation_target WHERE project = :project AND agent = a.id) AS held,
    EXISTS (SELECT 1 FROM dependency WHERE project = :project) AS linked,
    (SELECT count(*) FROM (SELECT 1 FROM delivery INDEXED BY delivery_offered WHERE project = :project AND session = s.id
        AND state = 'offered' LIMIT :most)) AS offered,
    (SELECT count(*) FROM (SELECT 1 FROM delivery INDEXED BY delivery_waiting WHERE project = :project AND recipient = a.id
        AND state = 'pending' LIMIT :most)) AS waiting
FROM session s JOIN agent a ON a.project = s.project AND a.id = s.agent
WHERE s.project = :project AND s.id = :session;

-- name: next
-- What a recipient may be offered now, best rank first: what changes with the offer, and nothing else.
SELECT d.message, d.attempts, d.stage, d.read_at
FROM delivery d INDEXED BY delivery_waiting WHERE d.project = :project AND d.recipient = :recipient AND d.state = 'pending'
    AND (d.next_at IS NULL OR d.next_at <= :now) AND (d.expires_at IS NULL OR d.expires_at > :wall)
ORDER BY d.rank, d.seq LIMIT :limit;

-- name: letters
-- Messages by their ids, a JSON array.
SELECT m.id, m.number, m.seq, m.sender, m.sender_session, m.channel, m.recipients, m.type, m.severity, m.priority, m.subject,
    m.body, m.body_hash, m.tags, m.thread, m.parent, m.depends_on, m.expires_at, m.not_before, m.requires_ack, m.hops,
    m.idempotency_key, m.fingerprint, m.operation, m.metadata, m.key_id, m.signature, m.sent_at, m.wall, coalesce(a.name,
    'roost') AS sender_name, coalesce(a.kind, 'system') AS sender_kind
FROM json_each(:ids) j CROSS JOIN message m ON m.project = :project AND m.id = j.value
    LEFT JOIN agent a ON a.project = m.project AND a.id = m.sender;

-- name: numbered
-- A recipient's deliveries of messages by their short numbers, a JSON array.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM json_each(:numbers) j CROSS JOIN message m INDEXED BY message_number ON m.project = :project AND m.number = j.value
    CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id AND d.recipient = :recipient;

-- name: of_ids
-- A recipient's deliveries of messages by their ids, a JSON array.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM json_each(:ids) j CROSS JOIN delivery d ON d.project = :project AND d.message = j.value AND d.recipient = :recipient;

-- name: awaited
-- Whether a message waits for one of these, a JSON array of ids.
SELECT EXISTS (SELECT 1 FROM json_each(:messages) j CROSS JOIN dependency p ON p.project = :project AND p.on_message = j.value);

-- name: held
-- What is held for a recipient, with the facts that decide whether it still is.
SELECT d.message, d.recipient, d.hold, d.not_before, m.operation,
    EXISTS (SELECT 1 FROM dependency p CROSS JOIN delivery x ON x.project = p.project AND x.message = p.on_message
        WHERE p.project = d.project AND p.message = d.message
        AND NOT (x.state = 'acknowledged' OR x.state = 'delivered' AND x.requires_ack = 0)) AS blocked
FROM delivery d INDEXED BY delivery_held JOIN message m ON m.project = d.project AND m.id = d.message
WHERE d.project = :project AND d.recipient = :recipient AND d.state = 'held' ORDER BY d.seq LIMIT :limit;

-- name: has_held
SELECT EXISTS (SELECT 1 FROM delivery WHERE project = :project AND recipient = :recipient AND state = 'held');

-- name: holding
-- The operation that holds a recipient's input now.
SELECT t.operation FROM operation_target t JOIN operation o ON o.project = t.project AND o.id = t.operation
WHERE t.project = :project AND t.agent = :recipient AND o.state IN ('open', 'sealed') AND o.expires_at > :now;

-- name: set_hold
UPDATE delivery SET state = :state, hold = :hold WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: offered_to
-- The offers of one session that nothing has proved yet.
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery INDEXED BY delivery_offered WHERE project = :project AND session = :session AND state = 'offered' ORDER BY seq;

-- name: unproved_of
-- What was offered to an agent before and is pending again: a late proof may still come.
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery INDEXED BY delivery_unproved WHERE project = :project AND recipient = :recipient AND state = 'pending' AND nonce <> '' ORDER BY seq LIMIT 100;

-- name: offered_as
-- What a page offered to a session that nothing has proved yet, though it may have been offered again since.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM (SELECT message FROM delivery INDEXED BY delivery_offered
        WHERE project = :project AND session = :session AND state = 'offered'
    UNION SELECT message FROM delivery INDEXED BY delivery_unproved
        WHERE project = :project AND recipient = :recipient AND state = 'pending' AND nonce <> '') o
    CROSS JOIN delivery d ON d.project = :project AND d.message = o.message AND d.recipient = :recipient
WHERE EXISTS (SELECT 1 FROM receipt r WHERE r.project = :project AND r.message = d.message AND r.recipient = d.recipient
    AND r.kind = 'offered' AND r.session = :session AND r.rung = :rung AND r.nonce = :batch)
ORDER BY d.seq;

-- name: undelivered
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery WHERE project = :project AND recipient = :recipient AND state IN ('held', 'pending', 'offered') ORDER BY seq;

-- name: unacknowledged_of
-- Delivered mail that asked for an acknowledgement and has none.
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery INDEXED BY delivery_unacknowledged WHERE project = :project AND recipient = :recipient AND requires_ack = 1 AND state = 'delivered' ORDER BY seq LIMIT 1000;

-- name: offer
UPDATE delivery SET state = 'offered', stage = max(stage, 1), attempts = :attempts, nonce = :nonce, rung = :rung,
    session = :session, epoch = :epoch, context = :context, offered_at = :now, first_offered_at = coalesce(first_offered_at, :now),
    next_at = NULL
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: deliver
UPDATE delivery SET state = 'delivered', stage = max(stage, 2), delivered_at = coalesce(delivered_at, :now), remind_at = :remind_at,
    last_error = ''
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: acknowledge
UPDATE delivery SET state = 'acknowledged', stage = 3, acknowledged_at = :now, remind_at = NULL, nudge = 0
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: requeue
UPDATE delivery SET state = 'pending', next_at = :next_at, last_error = :reason, remind_at = NULL
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: end
-- An end without delivery: expired, cancelled or dead; told = 0 where the sender must hear of it.
UPDATE delivery SET state = :state, hold = '', last_error = :reason, told = :told, remind_at = NULL, nudge = 0
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: revive
-- A dead letter, explicitly delivered again.
UPDATE delivery SET state = 'pending', attempts = 0, nonce = '', next_at = NULL, last_error = '', told = 1, expires_at = NULL
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: hand_over
UPDATE delivery SET recipient = :to, state = 'pending', attempts = 0, nonce = '', session = '', next_at = NULL
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: read
UPDATE delivery SET read_at = coalesce(read_at, :now) WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: set_reminder
UPDATE delivery SET reminders = :reminders, remind_at = :remind_at, nudge = :nudge
WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: nudges
-- Reminders that a recipient has not been shown yet.
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery INDEXED BY delivery_unacknowledged WHERE project = :project AND recipient = :recipient AND requires_ack = 1 AND state = 'delivered' AND nudge = 1 ORDER BY seq LIMIT 20;

-- name: clear_nudge
UPDATE delivery SET nudge = 0 WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: nudge_again
-- A reminder that did not arrive is one that was not shown.
UPDATE delivery SET nudge = 1
WHERE project = :project AND message = :message AND recipient = :recipient AND requires_ack = 1 AND state = 'delivered';

-- name: inbox
-- One agent's mail, newest first; the caller says which states.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM delivery d WHERE d.project = :project AND d.recipient = :recipient AND d.seq < :before
    AND (:states IS NULL OR d.state IN (SELECT value FROM json_each(:states)))
ORDER BY d.seq DESC LIMIT :limit;

-- name: count_inbox
SELECT count(*) FROM delivery d INDEXED BY delivery_recipient
WHERE d.project = :project AND d.recipient = :recipient
    AND (:states IS NULL OR d.state IN (SELECT value FROM json_each(:states)));

-- name: dead
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery WHERE project = :project AND state = 'dead' ORDER BY seq DESC LIMIT :limit;

-- name: reminding
SELECT message, recipient, seq, number, state, stage, hold, rank, size, requires_ack, wakes, attempts, nonce, rung, session,
    epoch, context, offered_at, first_offered_at, delivered_at, acknowledged_at, read_at, expires_at, not_before, next_at,
    remind_at, reminders, told, nudge, last_error
FROM delivery WHERE project = :project AND remind_at <= :now LIMIT :limit;

-- name: dependents
-- The deliveries that wait for a message.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM dependency p CROSS JOIN delivery d ON d.project = p.project AND d.message = p.message
WHERE p.project = :project AND p.on_message = :message AND d.state = 'held';

-- name: put_receipt
INSERT INTO receipt (project, message, recipient, n, kind, at, actor, rung, session, epoch, context, nonce, proof)
SELECT :project, :message, :recipient, coalesce(max(n), 0) + 1, :kind, :at, :actor, :rung, :session, :epoch, :context, :nonce, :proof
FROM receipt WHERE project = :project AND message = :message AND recipient = :recipient;

-- name: receipts
SELECT r.message, r.recipient, coalesce(a.name, '') AS recipient_name, r.n, r.kind, r.at, r.actor, r.rung, r.session, r.epoch, r.context, r.nonce, r.proof
FROM receipt r LEFT JOIN agent a ON a.project = r.project AND a.id = r.recipient
WHERE r.project = :project AND r.message = :message ORDER BY a.name, r.n;

-- name: waiting_for
-- How much may be offered, counted up to 1,000.
SELECT count(*) FROM (SELECT 1 FROM delivery WHERE project = :project AND recipient = :recipient AND state = 'pending' LIMIT 1000);

-- name: unsettled
-- Whether a session's next hook has something to look for: an open offer, waiting mail, or a reminder.
SELECT EXISTS (SELECT 1 FROM delivery WHERE project = :project AND session = :session AND state = 'offered')
    OR EXISTS (SELECT 1 FROM delivery WHERE project = :project AND recipient = :recipient AND state = 'pending')
    OR EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_unacknowledged
        WHERE project = :project AND recipient = :recipient AND requires_ack = 1
        AND state = 'delivered' AND nudge = 1);

-- name: desk
-- What matters of a recipient while mail for it is being stored.
SELECT a.id AS id,
    a.paused_at IS NOT NULL OR EXISTS (SELECT 1 FROM project p WHERE p.id = :project AND p.paused_at IS NOT NULL) AS paused,
    coalesce((SELECT t.operation FROM operation_target t JOIN operation o ON o.project = t.project AND o.id = t.operation
        WHERE t.project = :project AND t.agent = a.id AND o.state IN ('open', 'sealed') AND o.expires_at > :now), '') AS holding,
    coalesce((SELECT s.bell FROM session s WHERE s.project = :project AND s.agent = a.id AND s.ended_at IS NULL), '') AS bell,
    coalesce(m.waiting, 0) AS waiting, coalesce(m.bytes, 0) AS bytes
FROM agent a LEFT JOIN mailbox m ON m.project = a.project AND m.agent = a.id
WHERE a.project = :project AND a.id = :agent;

-- name: mailbox_add
INSERT INTO mailbox (project, agent, waiting, bytes) VALUES (:project, :agent, :count, :bytes)
ON CONFLICT (project, agent) DO UPDATE SET waiting = waiting + :count, bytes = bytes + :bytes;

-- name: recipients_after
-- Who was sent something after message number :after.
SELECT DISTINCT d.recipient AS id
FROM message m INDEXED BY message_number CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id
WHERE m.project = :project AND m.number > :after;
