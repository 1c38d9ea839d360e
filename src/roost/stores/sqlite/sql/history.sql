-- name: head_seq
SELECT seq FROM project WHERE id = :project;
