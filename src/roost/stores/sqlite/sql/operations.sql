-- name: insert
INSERT INTO operation (project, id, owner, session, title, state, depth, steps, opened_at, expires_at, ended_at, reason, targets)
VALUES (:project, :id, :owner, :session, :title, :state, :depth, :steps, :opened_at, :expires_at, :ended_at, :reason, :targets);

-- name: put_target
-- Hold one target's input; the primary key refuses a second holder.
INSERT INTO operation_target (project, agent, operation) VALUES (:project, :agent, :operation);

-- name: set_targets
-- The names of all that it holds, kept for when it is over.
UPDATE operation SET targets = :targets WHERE project = :project AND id = :id;

-- name: drop_targets
DELETE FROM operation_target WHERE project = :project AND operation = :operation;

-- name: deepen
-- A nested begin, or the end of one; time only grows.
UPDATE operation SET depth = :depth, expires_at = max(expires_at, :expires_at) WHERE project = :project AND id = :id;

-- name: count_step
UPDATE operation SET steps = steps + 1 WHERE project = :project AND id = :id AND state = 'open';

-- name: seal
UPDATE operation SET state = 'sealed', depth = 0 WHERE project = :project AND id = :id AND state = 'open';

-- name: end
UPDATE operation SET state = :state, ended_at = :now, reason = :reason, depth = 0
WHERE project = :project AND id = :id AND state IN ('open', 'sealed');

-- name: get
SELECT o.id, o.owner, coalesce(a.name, '') AS owner_name, o.session, o.title, o.state, o.depth, o.steps, o.opened_at,
    o.expires_at, o.ended_at, o.reason, o.targets
FROM operation o LEFT JOIN agent a ON a.project = o.project AND a.id = o.owner
WHERE o.project = :project AND o.id = :id;

-- name: on_target
-- The operation that has a target's input, live or out of time but not tidied yet.
SELECT o.id, o.owner, coalesce(a.name, '') AS owner_name, o.session, o.title, o.state, o.depth, o.steps, o.opened_at,
    o.expires_at, o.ended_at, o.reason, o.targets
FROM operation_target t JOIN operation o ON o.project = t.project AND o.id = t.operation
    LEFT JOIN agent a ON a.project = o.project AND a.id = o.owner
WHERE t.project = :project AND t.agent = :agent;

-- name: is_target
SELECT EXISTS (SELECT 1 FROM operation_target WHERE project = :project AND agent = :agent);

-- name: targets
-- The ids of those whose input it holds.
SELECT agent AS id FROM operation_target WHERE project = :project AND operation = :operation ORDER BY agent;

-- name: of_session
-- The operations that a session opened and did not seal.
SELECT o.id, o.owner, coalesce(a.name, '') AS owner_name, o.session, o.title, o.state, o.depth, o.steps, o.opened_at,
    o.expires_at, o.ended_at, o.reason, o.targets
FROM operation o LEFT JOIN agent a ON a.project = o.project AND a.id = o.owner
WHERE o.project = :project AND o.session = :session AND o.state = 'open' ORDER BY o.opened_at, o.id;

-- name: list
SELECT o.id, o.owner, coalesce(a.name, '') AS owner_name, o.session, o.title, o.state, o.depth, o.steps, o.opened_at,
    o.expires_at, o.ended_at, o.reason, o.targets
FROM operation o LEFT JOIN agent a ON a.project = o.project AND a.id = o.owner
WHERE o.project = :project AND (:ended OR o.state IN ('open', 'sealed') AND o.expires_at > :now)
ORDER BY o.opened_at DESC, o.id DESC LIMIT :limit;

-- name: overdue
-- Operations whose time passed and that nobody ended yet.
SELECT o.id, o.owner, coalesce(a.name, '') AS owner_name, o.session, o.title, o.state, o.depth, o.steps, o.opened_at,
    o.expires_at, o.ended_at, o.reason, o.targets
FROM operation o LEFT JOIN agent a ON a.project = o.project AND a.id = o.owner
WHERE o.project = :project AND o.state IN ('open', 'sealed') AND o.expires_at <= :now ORDER BY o.expires_at LIMIT :limit;

-- name: of_message
SELECT operation FROM message WHERE project = :project AND id = :message;

-- name: undelivered
-- What of an operation has not arrived yet, in its order.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM message m CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id
WHERE m.project = :project AND m.operation = :operation AND m.operation <> '' AND d.state IN ('held', 'pending', 'offered')
ORDER BY d.seq, d.recipient;

-- name: is_under_way
-- Whether anything of an operation has not arrived yet.
SELECT EXISTS (SELECT 1 FROM message m CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id
    WHERE m.project = :project AND m.operation = :operation AND m.operation <> '' AND d.state IN ('held', 'pending', 'offered'));

-- name: strange_pending
-- What waits for a recipient and is no step of the operation that holds its input.
SELECT d.message, d.recipient, d.seq, d.number, d.state, d.stage, d.hold, d.rank, d.size, d.requires_ack, d.wakes,
    d.attempts, d.nonce, d.rung, d.session, d.epoch, d.context, d.offered_at, d.first_offered_at, d.delivered_at,
    d.acknowledged_at, d.read_at, d.expires_at, d.not_before, d.next_at, d.remind_at, d.reminders, d.told, d.nudge,
    d.last_error
FROM delivery d JOIN message m ON m.project = d.project AND m.id = d.message
WHERE d.project = :project AND d.recipient = :recipient AND d.state = 'pending' AND m.operation <> :operation
ORDER BY d.rank, d.seq;

-- name: states
-- How many deliveries of an operation are in each state.
SELECT d.state, count(*) AS count FROM message m CROSS JOIN delivery d ON d.project = m.project AND d.message = m.id
WHERE m.project = :project AND m.operation = :operation AND m.operation <> '' GROUP BY d.state;
