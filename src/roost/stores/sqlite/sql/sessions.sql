-- name: insert
INSERT INTO session (project, id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript,
    transcript_offset, state, mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason)
VALUES (:project, :id, :agent, :epoch, :context, :client, :client_session, :bell, :key_hash, :process, :worktree, :transcript,
    :transcript_offset, :state, :mark, :operation, :since, :activity_count, :ttl_ms, :wakes, :stops, :started_at, :beat_at, :ended_at, :end_reason);

-- name: get
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session WHERE project = :project AND id = :id;

-- name: live_of
-- The live session of one agent.
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session WHERE project = :project AND agent = :agent AND ended_at IS NULL;

-- name: last_of
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session WHERE project = :project AND agent = :agent ORDER BY epoch DESC LIMIT 1;

-- name: of_client
-- The newest session that had this client session id, live or ended.
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session INDEXED BY session_client WHERE project = :project AND client = :client AND client_session = :client_session
ORDER BY started_at DESC, epoch DESC LIMIT 1;

-- name: of_process
-- The live session that runs in this process.
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session INDEXED BY session_process WHERE project = :project AND process = :process AND ended_at IS NULL ORDER BY started_at DESC LIMIT 1;

-- name: before_in_process
-- The last session without a conversation's id that a client had in this process, and that ended.
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session INDEXED BY session_client WHERE project = :project AND client = :client AND client_session = '' AND process = :process
    AND ended_at IS NOT NULL
ORDER BY ended_at DESC, epoch DESC LIMIT 1;

-- name: live
SELECT id, agent, epoch, context, client, client_session, bell, key_hash, process, worktree, transcript, transcript_offset, state,
    mark, operation, since, activity_count, ttl_ms, wakes, stops, started_at, beat_at, ended_at, end_reason
FROM session WHERE project = :project AND ended_at IS NULL ORDER BY started_at;

-- name: caller
-- What a call must know of its own session: one row, no JSON.
SELECT s.agent AS agent, a.name AS name, a.kind AS kind, a.key_version AS key_version, s.id AS session, s.epoch AS epoch, s.ended_at IS NULL AS live, a.epoch AS newest, s.end_reason AS end_reason
FROM session s JOIN agent a ON a.project = s.project AND a.id = s.agent
WHERE s.project = :project AND s.id = :id;

-- name: end
UPDATE session SET ended_at = :now, end_reason = :reason, state = 'offline', mark = '', operation = ''
WHERE project = :project AND id = :id AND ended_at IS NULL;

-- name: beat
UPDATE session SET beat_at = :now, state = :state, mark = :mark, operation = :operation, since = :since,
    activity_count = :activity_count
WHERE project = :project AND id = :id;

-- name: set_context
UPDATE session SET context = :context, client_session = :client_session, bell = :bell, transcript = :transcript,
    transcript_offset = :transcript_offset, state = :state, beat_at = :now
WHERE project = :project AND id = :id;

-- name: set_transcript
UPDATE session SET transcript = :transcript, transcript_offset = :transcript_offset WHERE project = :project AND id = :id;

-- name: set_wakes
UPDATE session SET wakes = :wakes, stops = :stops WHERE project = :project AND id = :id;

-- name: bell_of
SELECT bell FROM session WHERE project = :project AND agent = :agent AND ended_at IS NULL;

-- name: put_endpoint
INSERT INTO endpoint (project, session, kind, address, ready_at, worked_at, failed_at, last_error)
VALUES (:project, :session, :kind, :address, :now, NULL, NULL, '')
ON CONFLICT (project, session, kind) DO UPDATE SET address = :address;

-- name: endpoint_worked
-- A way by which a message was proved to arrive; known from the first proof on.
INSERT INTO endpoint (project, session, kind, address, ready_at, worked_at, failed_at, last_error)
VALUES (:project, :session, :kind, '', :now, :now, NULL, '')
ON CONFLICT (project, session, kind) DO UPDATE SET worked_at = :now;

-- name: newest_of_client
-- When a session of this client last gave a sign that reached the store.
SELECT max(beat_at) FROM session WHERE project = :project AND client = :client;

-- name: endpoints
SELECT session, kind, address, ready_at, worked_at, failed_at, last_error
FROM endpoint WHERE project = :project AND session = :session ORDER BY kind;

-- name: live_bell
SELECT bell FROM session WHERE project = :project AND agent = :agent AND ended_at IS NULL;

-- name: anybody
-- Whether an agent's session has not ended yet.
SELECT EXISTS (SELECT 1 FROM session s JOIN agent a ON a.project = s.project AND a.id = s.agent
    WHERE s.project = :project AND s.ended_at IS NULL AND a.kind = 'agent');
