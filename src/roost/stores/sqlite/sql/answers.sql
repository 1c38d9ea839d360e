-- name: keep
INSERT INTO answers (project, at, answers) VALUES (:project, :now, :answers);

-- name: kept
-- The newest of them, up to so many bytes.
SELECT at, answers FROM answers WHERE project = :project AND at > :since AND n > (
    SELECT coalesce(max(n), 0) FROM (
        SELECT n, sum(length(answers)) OVER (ORDER BY n DESC) AS total FROM answers
        WHERE project = :project AND at > :since
    ) WHERE total > :bytes
) ORDER BY n;

-- name: forget
DELETE FROM answers WHERE project = :project AND at <= :before;
