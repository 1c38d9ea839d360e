-- name: keep
INSERT INTO answers (project, at, answers) VALUES (:project, :now, :answers);

-- name: kept
SELECT at, answers FROM answers WHERE project = :project AND at > :since ORDER BY n;

-- name: forget
DELETE FROM answers WHERE project = :project AND at <= :before;
