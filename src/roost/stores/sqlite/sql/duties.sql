-- name: lifting
-- Who has mail held whose time has come.
SELECT DISTINCT recipient AS id FROM delivery
WHERE project = :project AND state = 'held' AND hold = 'not_before' AND not_before <= :wall LIMIT :limit;

-- name: expiring
-- Messages with deliveries whose time passed, the longest overdue first. What is offered is settled first: it may have arrived.
SELECT message AS id FROM delivery
WHERE project = :project AND expires_at <= :wall AND state IN ('held', 'pending')
GROUP BY message ORDER BY min(expires_at) LIMIT :limit;

-- name: untold
-- Messages with ends that their senders have not heard of.
SELECT DISTINCT message AS id FROM delivery WHERE project = :project AND told = 0 LIMIT :limit;

-- name: set_told
UPDATE delivery SET told = 1 WHERE project = :project AND message = :message AND told = 0;

-- name: retiring
-- Agents that Roost named itself, that no session was for a day, and that have nothing open.
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent a
WHERE project = :project AND generated = 1 AND retired_at IS NULL AND created_at <= :before
    AND NOT EXISTS (SELECT 1 FROM session s WHERE s.project = a.project AND s.agent = a.id
        AND (s.ended_at IS NULL OR s.ended_at > :before))
    AND NOT EXISTS (SELECT 1 FROM delivery d INDEXED BY delivery_recipient WHERE d.project = a.project AND d.recipient = a.id
        AND (d.state = 'held' OR d.state = 'pending' OR d.state = 'offered'))
    AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.project = a.project AND d.recipient = a.id
        AND d.requires_ack = 1 AND d.state = 'delivered')
    AND NOT EXISTS (SELECT 1 FROM lease l WHERE l.project = a.project AND l.agent = a.id AND l.ended_at IS NULL)
LIMIT :limit;

-- name: overdue
-- Since when each duty waits: `wall` and `at` are in milliseconds on the wall clock and on the store clock.
SELECT 'let go mail whose time has come' AS duty, min(not_before) AS wall, NULL AS at
FROM delivery WHERE project = :project AND state = 'held' AND hold = 'not_before' AND not_before <= :wall
UNION ALL SELECT 'end expired mail', min(expires_at), NULL
FROM delivery WHERE project = :project AND expires_at <= :wall AND state IN ('held', 'pending')
UNION ALL SELECT 'remind of acknowledgements', NULL, min(remind_at)
FROM delivery WHERE project = :project AND remind_at <= :now
UNION ALL SELECT 'tell senders what did not arrive', NULL, min(e.at)
FROM delivery d INDEXED BY delivery_untold CROSS JOIN event e INDEXED BY event_object
    ON e.project = d.project AND e.object = d.message AND e.kind IN ('delivery.expired', 'delivery.cancelled', 'delivery.dead')
WHERE d.project = :project AND d.told = 0
UNION ALL SELECT 'end expired leases', NULL, min(expires_at)
FROM lease WHERE project = :project AND ended_at IS NULL AND expires_at <= :now
UNION ALL SELECT 'end operations whose time passed', NULL, min(expires_at)
FROM operation WHERE project = :project AND state IN ('open', 'sealed') AND expires_at <= :now;

-- name: is_due
-- Whether any duty but the reaping of sessions has something to do.
SELECT EXISTS (SELECT 1 FROM delivery WHERE project = :project AND state = 'held' AND hold = 'not_before' AND not_before <= :wall)
    OR EXISTS (SELECT 1 FROM delivery WHERE project = :project AND expires_at <= :wall AND state IN ('held', 'pending'))
    OR EXISTS (SELECT 1 FROM delivery WHERE project = :project AND remind_at <= :now)
    OR EXISTS (SELECT 1 FROM delivery WHERE project = :project AND told = 0)
    OR EXISTS (SELECT 1 FROM lease WHERE project = :project AND ended_at IS NULL AND expires_at <= :now)
    OR EXISTS (SELECT 1 FROM lease_wait WHERE project = :project AND expires_at <= :now)
    OR EXISTS (SELECT 1 FROM operation WHERE project = :project AND state IN ('open', 'sealed') AND expires_at <= :now)
    OR EXISTS (SELECT 1 FROM agent a WHERE project = :project AND generated = 1 AND retired_at IS NULL
        AND created_at <= :retire_before AND NOT EXISTS (SELECT 1 FROM session s
            WHERE s.project = a.project AND s.agent = a.id AND (s.ended_at IS NULL OR s.ended_at > :retire_before)));

-- name: failing
SELECT duty, error, since, count, again_at FROM failing_duty WHERE project = :project ORDER BY since, duty;

-- name: put_failure
INSERT INTO failing_duty (project, duty, error, since, count, again_at) VALUES (:project, :duty, :error, :since, :count, :again_at)
ON CONFLICT (project, duty) DO UPDATE SET error = :error, count = :count, again_at = :again_at;

-- name: forget_failure
DELETE FROM failing_duty WHERE project = :project AND duty = :duty;
