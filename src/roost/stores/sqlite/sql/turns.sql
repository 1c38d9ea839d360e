-- name: was_told
SELECT EXISTS (SELECT 1 FROM told WHERE project = :project AND session = :session AND what = :what);

-- name: is_untold
-- Whether a session has not been told something, or without proof.
SELECT NOT EXISTS (SELECT 1 FROM told WHERE project = :project AND session = :session AND what = :what)
    OR EXISTS (SELECT 1 FROM told WHERE project = :project AND session = :session AND nonce <> '');

-- name: told_without_proof
SELECT what, message, nonce, told_at FROM told WHERE project = :project AND session = :session AND nonce <> '';

-- name: put_told
INSERT OR REPLACE INTO told (project, session, what, message, nonce, told_at)
VALUES (:project, :session, :what, :message, :nonce, :told_at);

-- name: set_told
UPDATE told SET nonce = '' WHERE project = :project AND session = :session AND what = :what;

-- name: forget_one
DELETE FROM told WHERE project = :project AND session = :session AND what = :what;

-- name: forget_told
DELETE FROM told WHERE project = :project AND session = :session;

-- name: commit_before
SELECT head FROM commit_before WHERE project = :project AND session = :session;

-- name: put_commit_before
INSERT INTO commit_before (project, session, head) VALUES (:project, :session, :head)
ON CONFLICT (project, session) DO UPDATE SET head = :head;

-- name: forget_commit_before
DELETE FROM commit_before WHERE project = :project AND session = :session;

-- name: file
SELECT stamp, digest FROM leased_file WHERE project = :project AND token = :token;

-- name: put_file
INSERT INTO leased_file (project, token, stamp, digest) VALUES (:project, :token, :stamp, :digest)
ON CONFLICT (project, token) DO UPDATE SET stamp = :stamp, digest = :digest;

-- name: forget_file
DELETE FROM leased_file WHERE project = :project AND token = :token;

-- name: forget_files_of_ended
-- What is remembered of files whose lease is over.
DELETE FROM leased_file WHERE project = :project AND token IN (
    SELECT f.token FROM leased_file f LEFT JOIN lease l ON l.project = f.project AND l.token = f.token
    WHERE f.project = :project AND (l.token IS NULL OR l.ended_at IS NOT NULL OR l.expires_at <= :now));

-- name: last_event_of
-- What last happened to an object.
SELECT kind FROM event INDEXED BY event_object WHERE project = :project AND object = :object ORDER BY seq DESC LIMIT 1;
