-- name: insert
INSERT INTO token (project, id, hash, agent, scopes, label, created_at, expires_at, revoked_at, replaced_by)
VALUES (:project, :id, :hash, :agent, :scopes, :label, :created_at, :expires_at, NULL, '');

-- name: get
SELECT t.id, t.agent, a.name, t.scopes, t.label, t.created_at, t.expires_at, t.revoked_at, t.replaced_by
FROM token t JOIN agent a ON a.project = t.project AND a.id = t.agent
WHERE t.project = :project AND t.id = :id;

-- name: list
SELECT t.id, t.agent, a.name, t.scopes, t.label, t.created_at, t.expires_at, t.revoked_at, t.replaced_by
FROM token t JOIN agent a ON a.project = t.project AND a.id = t.agent
WHERE t.project = :project AND (:agent = '' OR t.agent = :agent) ORDER BY t.created_at, t.id;

-- name: keyed
-- What is needed to let somebody in, or not.
SELECT t.id, t.hash, t.agent, a.name, a.kind, t.scopes, t.expires_at, t.revoked_at, a.retired_at
FROM token t JOIN agent a ON a.project = t.project AND a.id = t.agent
WHERE t.project = :project AND t.id = :id;

-- name: revoke
UPDATE token SET revoked_at = :at, replaced_by = :replaced_by
WHERE project = :project AND id = :id AND (revoked_at IS NULL OR revoked_at > :at);

-- name: count_of
SELECT count(*) FROM token WHERE project = :project AND agent = :agent AND expires_at > :wall
    AND (revoked_at IS NULL OR revoked_at > :wall);

-- name: refusals
SELECT since, count FROM refusal WHERE project = :project AND address = :address;

-- name: put_refusal
INSERT INTO refusal (project, address, since, count) VALUES (:project, :address, :since, :count)
ON CONFLICT DO UPDATE SET since = excluded.since, count = excluded.count;

-- name: forget_refusals
DELETE FROM refusal WHERE project = :project AND since < :before;
