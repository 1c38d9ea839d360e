-- name: count
-- The next number for a token or ticket.
INSERT INTO lease_count (project, n) VALUES (:project, 1)
ON CONFLICT (project) DO UPDATE SET n = n + 1
RETURNING n;

-- name: insert
INSERT INTO lease (project, token, kind, key, head, mode, implicit, worktree, agent, session, reason, ttl_ms, held,
    granted_at, expires_at, ended_at, "end")
VALUES (:project, :token, :kind, :key, :head, :mode, :implicit, :worktree, :agent, :session, :reason, :ttl_ms, :held,
    :granted_at, :expires_at, :ended_at, :end);

-- name: renew
-- Everything about a lease that a renewal or nested acquire changes; what is over stays over.
UPDATE lease SET expires_at = :expires_at, ttl_ms = :ttl_ms, held = :held, reason = :reason
WHERE project = :project AND token = :token AND ended_at IS NULL AND expires_at > :now;

-- name: keep
-- The explicit leases of one session, made as long again as they were granted for.
UPDATE lease INDEXED BY lease_session SET expires_at = max(expires_at, :now + ttl_ms)
WHERE project = :project AND session = :session AND ended_at IS NULL AND expires_at > :now AND NOT implicit;

-- name: end
UPDATE lease SET ended_at = :now, "end" = :end WHERE project = :project AND token = :token AND ended_at IS NULL;

-- name: get
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.token = :token;

-- name: near
-- The leases, not ended, that can overlap a path: their head is in one line with the path's. The index is named because
-- the planner, which does not know how few leases live among the many that ended, would walk them all.
WITH found (token) AS (
    SELECT token FROM lease INDEXED BY lease_head
    WHERE project = :project AND kind = 'path' AND ended_at IS NULL AND head IN (SELECT value FROM json_each(:above))
    UNION ALL
    SELECT token FROM lease INDEXED BY lease_head
    WHERE project = :project AND kind = 'path' AND ended_at IS NULL AND head > :below AND head < :past)
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM found f CROSS JOIN lease l ON l.project = :project AND l.token = f.token
    LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
ORDER BY l.token;

-- name: of_kind
-- All leases of one kind that are not ended.
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l INDEXED BY lease_head LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.kind = :kind AND l.ended_at IS NULL
ORDER BY l.token;

-- name: on
-- The leases on exactly one key that are not ended.
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l INDEXED BY lease_head LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.kind = :kind AND l.head = :head AND l.key = :key AND l.ended_at IS NULL
ORDER BY l.token;

-- name: of_session
-- What one session holds.
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l INDEXED BY lease_session LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.session = :session AND l.ended_at IS NULL
ORDER BY l.token;

-- name: count_of_session
SELECT count(*) FROM lease INDEXED BY lease_session WHERE project = :project AND session = :session AND ended_at IS NULL;

-- name: open
-- Every lease that is not ended.
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l INDEXED BY lease_expires LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.ended_at IS NULL
ORDER BY l.token;

-- name: overdue
-- Leases that ran out, or that an older state of the store granted, and that nobody ended yet.
SELECT l.token, l.kind, l.key, l.mode, l.implicit, l.worktree, l.agent, l.session, coalesce(a.name, '') AS holder,
    l.reason, l.ttl_ms, l.held, l.granted_at, l.expires_at, l.ended_at, l."end"
FROM lease l LEFT JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.ended_at IS NULL AND (l.expires_at <= :now OR l.token < :oldest_token)
ORDER BY l.expires_at LIMIT :limit;

-- name: purge
-- Leases that ended long ago; the log keeps their story.
DELETE FROM lease WHERE project = :project AND token IN (
    SELECT token FROM lease WHERE project = :project AND ended_at <= :before ORDER BY ended_at LIMIT :limit);

-- name: insert_wait
INSERT INTO lease_wait (project, ticket, agent, session, wishes, patience_ms, asked_at, expires_at)
VALUES (:project, :ticket, :agent, :session, :wishes, :patience_ms, :asked_at, :expires_at);

-- name: renew_wait
UPDATE lease_wait SET expires_at = :expires_at WHERE project = :project AND ticket = :ticket;

-- name: drop_wait
DELETE FROM lease_wait WHERE project = :project AND ticket = :ticket;

-- name: waits
-- Everybody in a queue, those who asked first in front, with the bell of a session that lives.
SELECT w.ticket, w.agent, w.session, coalesce(a.name, '') AS waiter, s.bell, w.wishes, w.patience_ms, w.asked_at,
    w.expires_at
FROM lease_wait w LEFT JOIN agent a ON a.project = w.project AND a.id = w.agent
    LEFT JOIN session s ON s.project = w.project AND s.id = w.session AND s.ended_at IS NULL
WHERE w.project = :project ORDER BY w.ticket;
