-- Messages, their deliveries and the receipts that prove them. Times are ms: store clock, but for expires_at and not_before (wall).

CREATE TABLE message (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    sender TEXT NOT NULL,
    sender_session TEXT NOT NULL,
    channel TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    type TEXT NOT NULL,
    severity TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 255),
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    tags TEXT NOT NULL,
    thread TEXT NOT NULL,
    parent TEXT NOT NULL,
    depends_on TEXT NOT NULL,
    expires_at INTEGER,
    not_before INTEGER,
    requires_ack INTEGER NOT NULL,
    hops INTEGER NOT NULL,
    idempotency_key TEXT,
    fingerprint BLOB NOT NULL,
    operation TEXT NOT NULL,
    metadata TEXT NOT NULL,
    key_id TEXT NOT NULL,
    signature BLOB NOT NULL,
    sent_at INTEGER NOT NULL,
    wall INTEGER NOT NULL,
    PRIMARY KEY (project, id)
) STRICT;

CREATE UNIQUE INDEX message_number ON message (project, number);
CREATE UNIQUE INDEX message_key ON message (project, sender, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX message_thread ON message (project, thread, number) WHERE parent <> '';
CREATE INDEX message_sender ON message (project, number / 128, sender, number);
CREATE INDEX message_channel ON message (project, channel, number) WHERE channel <> '';

CREATE TABLE delivery (
    project TEXT NOT NULL,
    message TEXT NOT NULL,
    recipient TEXT NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'pending', 'offered', 'delivered', 'acknowledged', 'expired', 'cancelled', 'dead')),
    stage INTEGER NOT NULL,
    hold TEXT NOT NULL,
    rank INTEGER NOT NULL,
    size INTEGER NOT NULL,
    requires_ack INTEGER NOT NULL,
    wakes INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    rung TEXT NOT NULL,
    session TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    context INTEGER NOT NULL,
    offered_at INTEGER,
    first_offered_at INTEGER,
    delivered_at INTEGER,
    acknowledged_at INTEGER,
    read_at INTEGER,
    expires_at INTEGER,
    not_before INTEGER,
    next_at INTEGER,
    remind_at INTEGER,
    reminders INTEGER NOT NULL,
    told INTEGER NOT NULL,              -- 0: the sender must still hear of this end
    nudge INTEGER NOT NULL,             -- 1: the recipient must still hear of a reminder
    last_error TEXT NOT NULL,
    PRIMARY KEY (project, message, recipient)
) STRICT, WITHOUT ROWID;

-- What waits for a recipient, in the order in which it is offered.
CREATE INDEX delivery_waiting ON delivery (project, recipient, rank, seq) WHERE state = 'pending';
CREATE INDEX delivery_held ON delivery (project, recipient) WHERE state = 'held';
CREATE INDEX delivery_offered ON delivery (project, session) WHERE state = 'offered';
CREATE INDEX delivery_recipient ON delivery (project, recipient, seq);
CREATE INDEX delivery_expiring ON delivery (project, expires_at)
    WHERE expires_at IS NOT NULL AND state IN ('held', 'pending');
CREATE INDEX delivery_not_before ON delivery (project, not_before) WHERE state = 'held' AND hold = 'not_before';
CREATE INDEX delivery_reminding ON delivery (project, remind_at) WHERE remind_at IS NOT NULL;
CREATE INDEX delivery_untold ON delivery (project, message) WHERE told = 0;
CREATE INDEX delivery_dead ON delivery (project, seq) WHERE state = 'dead';
-- What was offered before and may still be proved late.
CREATE INDEX delivery_unproved ON delivery (project, recipient, seq) WHERE state = 'pending' AND nonce <> '';
CREATE INDEX delivery_unacknowledged ON delivery (project, recipient) WHERE requires_ack = 1 AND state = 'delivered';

CREATE TABLE receipt (
    project TEXT NOT NULL,
    message TEXT NOT NULL,
    recipient TEXT NOT NULL,
    n INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    rung TEXT NOT NULL,
    session TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    context INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    proof TEXT NOT NULL,
    PRIMARY KEY (project, message, recipient, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE dependency (
    project TEXT NOT NULL,
    on_message TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (project, on_message, message)
) STRICT, WITHOUT ROWID;

CREATE INDEX dependency_message ON dependency (project, message);

CREATE TABLE quota (
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    spent TEXT NOT NULL,                -- JSON, see messages/quota.py
    PRIMARY KEY (project, agent)
) STRICT, WITHOUT ROWID;

-- How much waits for each recipient: a count kept in step, because counting 10,000 rows at each send is too slow.
CREATE TABLE mailbox (
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    waiting INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (project, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE reaction (
    project TEXT NOT NULL,
    message TEXT NOT NULL,
    agent TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (project, message, agent, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    topic TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    project TEXT NOT NULL,
    channel TEXT NOT NULL,
    agent TEXT NOT NULL,
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (project, channel, agent)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_agent ON member (project, agent);

CREATE TABLE operation (
    project TEXT NOT NULL,
    id TEXT NOT NULL,
    owner TEXT NOT NULL,
    session TEXT NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'sealed', 'closed', 'aborted')),
    depth INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    reason TEXT NOT NULL,
    targets TEXT NOT NULL,              -- JSON array of names, kept when it holds them no more
    PRIMARY KEY (project, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX operation_live ON operation (project, expires_at) WHERE state IN ('open', 'sealed');
CREATE INDEX operation_session ON operation (project, session) WHERE state = 'open';

-- Whose input an operation holds; one operation per target, by the database and not by hope.
CREATE TABLE operation_target (
    project TEXT NOT NULL,
    agent TEXT NOT NULL,
    operation TEXT NOT NULL,
    PRIMARY KEY (project, agent)
) STRICT, WITHOUT ROWID;

CREATE INDEX operation_targets ON operation_target (project, operation);
CREATE INDEX message_operation ON message (project, operation, number) WHERE operation <> '';
