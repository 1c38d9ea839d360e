-- name: insert
INSERT INTO launch (project, id, client, process, environ, key_hash, began_at)
VALUES (:project, :id, :client, :process, :environ, :key_hash, :began_at);

-- name: get
SELECT id, client, process, environ, key_hash, began_at FROM launch WHERE project = :project AND id = :id;

-- name: list
SELECT id, client, process, environ, key_hash, began_at FROM launch WHERE project = :project ORDER BY id;

-- name: forget
DELETE FROM launch WHERE project = :project AND id = :id;
