-- name: insert
INSERT INTO agent (project, id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at)
VALUES (:project, :id, :name, :kind, :epoch, :capabilities, :profile, :generated, :reserved, :key_version, :key_oldest, :paused_at, :created_at, :retired_at);

-- name: update
-- Everything of an agent that may change, but for its epoch.
UPDATE agent SET name = :name, kind = :kind, capabilities = :capabilities, profile = :profile, generated = :generated,
    reserved = :reserved, key_version = :key_version, key_oldest = :key_oldest, paused_at = :paused_at, retired_at = :retired_at
WHERE project = :project AND id = :id;

-- name: raise_epoch
UPDATE agent SET epoch = :epoch, reserved = 0, retired_at = NULL WHERE project = :project AND id = :id AND epoch < :epoch;

-- name: get
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent WHERE project = :project AND id = :id;

-- name: named
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent WHERE project = :project AND name = :name;

-- name: aliased
-- The agent behind another name.
SELECT a.id, a.name, a.kind, a.epoch, a.capabilities, a.profile, a.generated, a.reserved, a.key_version, a.key_oldest, a.paused_at, a.created_at, a.retired_at
FROM alias l JOIN agent a ON a.project = l.project AND a.id = l.agent
WHERE l.project = :project AND l.alias = :alias;

-- name: list
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent WHERE project = :project AND (:retired OR retired_at IS NULL) ORDER BY name;

-- name: members_of_all
-- Who receives what is sent to `all`: everybody not retired, offline ones too.
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent WHERE project = :project AND retired_at IS NULL AND id <> :sender ORDER BY name;

-- name: names
-- Every name that answers, for suggestions.
SELECT name FROM agent WHERE project = :project AND retired_at IS NULL
UNION SELECT alias FROM alias WHERE project = :project ORDER BY 1 LIMIT 2000;

-- name: put_alias
INSERT INTO alias (project, alias, agent, kind) VALUES (:project, :alias, :agent, :kind)
ON CONFLICT (project, alias) DO UPDATE SET agent = :agent, kind = :kind;

-- name: drop_alias
DELETE FROM alias WHERE project = :project AND alias = :alias;

-- name: aliases
SELECT alias, agent, kind FROM alias WHERE project = :project AND agent = :agent ORDER BY alias;

-- name: human
-- The project's person.
SELECT id, name, kind, epoch, capabilities, profile, generated, reserved, key_version, key_oldest, paused_at, created_at, retired_at
FROM agent WHERE project = :project AND kind = 'human' AND retired_at IS NULL ORDER BY created_at LIMIT 1;

-- name: key_oldest
SELECT key_oldest FROM agent WHERE project = :project AND id = :id;
