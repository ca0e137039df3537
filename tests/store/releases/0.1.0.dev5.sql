BEGIN TRANSACTION;
CREATE TABLE agent_state (
        agent TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        updated_at TEXT NOT NULL,
        state TEXT NOT NULL
    );
INSERT INTO "agent_state" VALUES('worker',4,'2026-11-22T01:34:05.054Z','{"seen":4}');
CREATE TABLE "attempts" (                -- those which did not complete
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_row INTEGER NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,               -- from 1; a replay does not begin at 1 again
        worker TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT NOT NULL,
        outcome TEXT NOT NULL CHECK (outcome IN ('error', 'timeout', 'refused', 'crash', 'hung', 'ceiling')),
        final INTEGER NOT NULL DEFAULT 0,      -- 1: it made the message a dead letter
        error TEXT NOT NULL
    );
INSERT INTO "attempts" VALUES(1,11,1,'worker.b1a3fb6a04d8','2026-11-22T01:34:05.060Z','2026-11-22T01:34:05.061Z','error',0,'ValueError: as it was told
  File "/srv/released/agents.py", line 27, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(2,11,2,'worker.b1a3fb6a04d8','2026-11-22T01:34:05.064Z','2026-11-22T01:34:05.066Z','error',1,'ValueError: as it was told
  File "/srv/released/agents.py", line 27, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(3,12,1,'worker.b1a3fb6a04d8','2026-11-22T01:34:05.069Z','2026-11-22T01:34:05.070Z','refused',1,'as it was told');
CREATE TABLE convoy_resizes (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        convoy TEXT NOT NULL,
        from_size INTEGER NOT NULL,
        to_size INTEGER NOT NULL,
        reason TEXT NOT NULL,
        readings TEXT NOT NULL
    );
INSERT INTO "convoy_resizes" VALUES(1,'2026-11-22T01:34:05.185Z','crew',1,2,'set by hand','{}');
CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL
    );
INSERT INTO "events" VALUES(1,'2026-11-22T01:34:04.966Z','ready','worker','{}');
INSERT INTO "events" VALUES(2,'2026-11-22T01:34:04.974Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(3,'2026-11-22T01:34:04.974Z','ready','teller','{}');
INSERT INTO "events" VALUES(4,'2026-11-22T01:34:05.108Z','restarted','crew-1','{"reason": "its process died", "cause": "crash"}');
INSERT INTO "events" VALUES(5,'2026-11-22T01:34:05.126Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(6,'2026-11-22T01:34:05.201Z','ready','crew-2','{}');
INSERT INTO "events" VALUES(7,'2026-11-22T01:34:05.323Z','paused','teller','{"by": "root", "reason": "for the next release"}');
CREATE TABLE keeper (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL);
INSERT INTO "keeper" VALUES('records','{"author": "01a200e3-964c-7000-a520-792bdd89a15e", "number": 8}','2026-11-22T01:34:05.201Z');
INSERT INTO "keeper" VALUES('schedule/yearly','{"mark": 1795311244.963341, "line": "0 0 1 1 * UTC", "last": null}','2026-11-22T01:34:04.980Z');
INSERT INTO "keeper" VALUES('convoy/crew','{"size": 2}','2026-11-22T01:34:05.190Z');
INSERT INTO "keeper" VALUES('holds','{"paused": {"teller": {"since": 1795311245.323001, "by": "root", "reason": "for the next release"}}, "frozen": null}','2026-11-22T01:34:05.323Z');
CREATE TABLE machine_samples (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        cpu_percent REAL NOT NULL,             -- of all cores, since the reading before
        memory_percent REAL NOT NULL,
        available_bytes INTEGER NOT NULL,
        processes INTEGER NOT NULL,            -- of the squad: its core, agents and workers
        throttle_seconds REAL NOT NULL         -- the pause between two hand-outs of messages; 0: none
    );
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
);
INSERT INTO "schema_version" VALUES(1,'m0001_initial','2026-11-22T01:34:04.886Z');
INSERT INTO "schema_version" VALUES(2,'m0002_ends_and_replies','2026-11-22T01:34:04.896Z');
INSERT INTO "schema_version" VALUES(3,'m0003_totals','2026-11-22T01:34:04.904Z');
INSERT INTO "schema_version" VALUES(4,'m0004_machine_samples','2026-11-22T01:34:04.907Z');
INSERT INTO "schema_version" VALUES(5,'m0005_ends_of_processes','2026-11-22T01:34:04.909Z');
CREATE TABLE "tasks" (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of arrival; never given twice, since leases are named by it
        task_id TEXT NOT NULL UNIQUE,
        parent_id TEXT,
        root_id TEXT,                          -- NULL means the same as its own task_id
        sender TEXT NOT NULL,
        recipient TEXT NOT NULL,
        type TEXT NOT NULL,
        priority INTEGER NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
        status TEXT NOT NULL DEFAULT 'queued'
            CHECK (status = 'queued' OR status = 'running' OR status = 'completed' OR status = 'failed' OR status = 'cancelled' OR status = 'expired'),
        attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
        not_before REAL,                       -- seconds since the epoch; NULL means ready
        expires_at REAL,                       -- likewise; from then on it is not handled any more; NULL means never
        lease_owner TEXT,
        fence INTEGER NOT NULL DEFAULT 0,
        claimed_at TEXT,
        cancelling TEXT                        -- it runs, and was told to end: by itself, or with its whole tree
            CHECK (cancelling IN ('one', 'tree')),
        reply_to TEXT,                         -- the agent that is told how it ends
        reply_timeout REAL,                    -- seconds that this may take; NULL means any time
        reply_due REAL,                        -- when they have passed; NULL again once it was told so
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
        started_at TEXT,
        completed_at TEXT,
        duration_ms INTEGER,
        key TEXT,
        error_message TEXT,
        payload TEXT NOT NULL,
        result TEXT
    );
INSERT INTO "tasks" VALUES(1,'01a200e3-96c8-7000-a9bd-b569342673d7',NULL,'01a200e3-96c8-7000-a9bd-b569342673d7','cli','worker','count',5,'completed',1,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.001Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.001Z','2026-11-22T01:34:05.002Z','2026-11-22T01:34:05.006Z',3,NULL,NULL,'{}','1');
INSERT INTO "tasks" VALUES(2,'01a200e3-96cd-7000-84fe-625d66c20c36','01a200e3-96c8-7000-a9bd-b569342673d7','01a200e3-96c8-7000-a9bd-b569342673d7','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.bd96e389de59',1,'2026-11-22T01:34:05.006Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.006Z','2026-11-22T01:34:05.008Z','2026-11-22T01:34:05.014Z',6,NULL,NULL,'{"text":"one more"}','{"id":"01a200e3-96cd-7000-84fe-625d66c20c36","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}');
INSERT INTO "tasks" VALUES(3,'01a200e3-96d8-7000-ab98-d108f22de307',NULL,'01a200e3-96d8-7000-ab98-d108f22de307','cli','worker','count',5,'completed',1,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.017Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.017Z','2026-11-22T01:34:05.018Z','2026-11-22T01:34:05.019Z',0,NULL,NULL,'{}','1');
INSERT INTO "tasks" VALUES(4,'01a200e3-96da-7000-9095-4ffa82cdd9ec','01a200e3-96d8-7000-ab98-d108f22de307','01a200e3-96d8-7000-ab98-d108f22de307','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.bd96e389de59',1,'2026-11-22T01:34:05.019Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.019Z','2026-11-22T01:34:05.020Z','2026-11-22T01:34:05.029Z',9,NULL,NULL,'{"text":"one more"}','{"id":"01a200e3-96da-7000-9095-4ffa82cdd9ec","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}');
INSERT INTO "tasks" VALUES(5,'01a200e3-96e7-7000-9a77-dfa73b7004f1',NULL,'01a200e3-96e7-7000-9a77-dfa73b7004f1','cli','worker','count',5,'completed',1,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.032Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.032Z','2026-11-22T01:34:05.033Z','2026-11-22T01:34:05.035Z',0,NULL,NULL,'{}','1');
INSERT INTO "tasks" VALUES(6,'01a200e3-96e9-7000-8333-51b3aadb40d3','01a200e3-96e7-7000-9a77-dfa73b7004f1','01a200e3-96e7-7000-9a77-dfa73b7004f1','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.bd96e389de59',1,'2026-11-22T01:34:05.035Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.035Z','2026-11-22T01:34:05.035Z','2026-11-22T01:34:05.037Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a200e3-96e9-7000-8333-51b3aadb40d3","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}');
INSERT INTO "tasks" VALUES(7,'01a200e3-96ef-7000-ac4b-0f3877928274',NULL,'01a200e3-96ef-7000-ac4b-0f3877928274','cli','crew','count',5,'completed',1,NULL,NULL,'crew-1.b4a8ededad78',1,'2026-11-22T01:34:05.040Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.040Z','2026-11-22T01:34:05.041Z','2026-11-22T01:34:05.044Z',2,NULL,NULL,'{}','1');
INSERT INTO "tasks" VALUES(8,'01a200e3-96f3-7000-93d3-8056d4b7551d','01a200e3-96ef-7000-ac4b-0f3877928274','01a200e3-96ef-7000-ac4b-0f3877928274','crew','teller','tell',5,'completed',1,NULL,NULL,'teller.bd96e389de59',1,'2026-11-22T01:34:05.044Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.044Z','2026-11-22T01:34:05.045Z','2026-11-22T01:34:05.046Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a200e3-96f3-7000-93d3-8056d4b7551d","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"crew","priority":5,"agent":"teller","options":{}}');
INSERT INTO "tasks" VALUES(9,'01a200e3-96fa-7000-849d-231a803f875e',NULL,'01a200e3-96fa-7000-849d-231a803f875e','cli','worker','count',1,'completed',1,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.051Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.051Z','2026-11-22T01:34:05.052Z','2026-11-22T01:34:05.054Z',0,'once',NULL,'{}','1');
INSERT INTO "tasks" VALUES(10,'01a200e3-96fc-7000-99f7-2c49e574a2b6','01a200e3-96fa-7000-849d-231a803f875e','01a200e3-96fa-7000-849d-231a803f875e','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.bd96e389de59',1,'2026-11-22T01:34:05.054Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.054Z','2026-11-22T01:34:05.055Z','2026-11-22T01:34:05.059Z',4,NULL,NULL,'{"text":"one more"}','{"id":"01a200e3-96fc-7000-99f7-2c49e574a2b6","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}');
INSERT INTO "tasks" VALUES(11,'01a200e3-9701-7000-bc65-87dc691f2857',NULL,'01a200e3-9701-7000-bc65-87dc691f2857','cli','worker','act',5,'failed',2,NULL,NULL,'worker.b1a3fb6a04d8',2,'2026-11-22T01:34:05.063Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.059Z','2026-11-22T01:34:05.064Z','2026-11-22T01:34:05.066Z',1,NULL,'ValueError: as it was told
  File "/srv/released/agents.py", line 27, in act
    raise ValueError("as it was told")','{"how":"fail"}',NULL);
INSERT INTO "tasks" VALUES(12,'01a200e3-970b-7000-ae63-8b0ec1c7a368',NULL,'01a200e3-970b-7000-ae63-8b0ec1c7a368','cli','worker','act',5,'failed',1,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.068Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.068Z','2026-11-22T01:34:05.069Z','2026-11-22T01:34:05.070Z',0,NULL,'as it was told','{"how":"refuse"}',NULL);
INSERT INTO "tasks" VALUES(13,'01a200e3-9825-7000-93ca-8093a98a6fff',NULL,'01a200e3-9825-7000-93ca-8093a98a6fff','cli','teller','tell',5,'queued',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.352Z',NULL,NULL,NULL,NULL,NULL,'{"text":"waits"}',NULL);
INSERT INTO "tasks" VALUES(14,'01a200e3-982d-7000-b447-b19c489e7b6e',NULL,'01a200e3-982d-7000-b447-b19c489e7b6e','cli','worker','count',5,'queued',0,1.8212312453572022915e+09,1.82131764535720229144e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.358Z',NULL,NULL,NULL,NULL,NULL,'{}',NULL);
INSERT INTO "tasks" VALUES(15,'01a200e3-9830-7000-9274-89205949d0db',NULL,'01a200e3-9830-7000-9274-89205949d0db','cli','teller','tell',5,'cancelled',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.361Z',NULL,'2026-11-22T01:34:05.499Z',NULL,NULL,'cancelled before it was handled','{"text":"never"}',NULL);
INSERT INTO "tasks" VALUES(16,'01a200e3-98cd-7000-a814-b50b411d5651',NULL,'01a200e3-98cd-7000-a814-b50b411d5651','cli','teller','tell',5,'expired',0,NULL,1.79531124561752247811e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.518Z',NULL,'2026-11-22T01:34:05.617Z',NULL,NULL,'its time to live was over before it was handled','{"text":"too late"}',NULL);
INSERT INTO "tasks" VALUES(17,'01a200e3-9934-7000-8f45-e7544a0b8be2',NULL,'01a200e3-9934-7000-8f45-e7544a0b8be2','cli','worker','act',5,'running',0,NULL,NULL,'worker.b1a3fb6a04d8',1,'2026-11-22T01:34:05.620Z',NULL,NULL,NULL,NULL,'2026-11-22T01:34:05.620Z',NULL,NULL,NULL,NULL,NULL,'{"how":"sleep"}',NULL);
CREATE TABLE totals (                      -- of the messages that are kept, by how they have ended
        status TEXT PRIMARY KEY,               -- completed, cancelled, expired
        messages INTEGER NOT NULL
    ) WITHOUT ROWID
;
INSERT INTO "totals" VALUES('cancelled',1);
INSERT INTO "totals" VALUES('completed',10);
INSERT INTO "totals" VALUES('expired',1);
CREATE INDEX convoy_resizes_convoy ON convoy_resizes (convoy);
CREATE INDEX tasks_queued ON tasks (status, recipient, not_before, priority) WHERE status = 'queued';
CREATE INDEX tasks_delayed ON tasks (not_before) WHERE status = 'queued' AND not_before IS NOT NULL;
CREATE INDEX tasks_open ON tasks (root_id) WHERE completed_at IS NULL;
CREATE INDEX tasks_running ON tasks (status, lease_owner) WHERE status = 'running';
CREATE INDEX tasks_failed ON tasks (status) WHERE status = 'failed';
CREATE UNIQUE INDEX tasks_key ON tasks (recipient, key) WHERE key IS NOT NULL;
CREATE INDEX tasks_children ON tasks (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX tasks_expiring ON tasks (expires_at) WHERE status = 'queued' AND expires_at IS NOT NULL;
CREATE INDEX tasks_reply_due ON tasks (reply_due) WHERE completed_at IS NULL AND reply_due IS NOT NULL;
CREATE INDEX tasks_ended ON tasks (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX attempts_task ON attempts (task_row);
CREATE VIEW bottlenecks AS
        SELECT task_id, recipient AS agent, type, duration_ms, created_at, started_at, completed_at
        FROM tasks
        WHERE status = 'completed' AND duration_ms IS NOT NULL
        ORDER BY duration_ms DESC
        LIMIT 100;
CREATE VIEW agent_performance AS
        SELECT recipient AS agent,
               COUNT(*) AS total_tasks,
               SUM(status = 'completed') AS completed_tasks,
               SUM(status = 'failed') AS failed_tasks,
               AVG(duration_ms) FILTER (WHERE status = 'completed') AS avg_duration_ms,
               MAX(duration_ms) FILTER (WHERE status = 'completed') AS max_duration_ms,
               MIN(duration_ms) FILTER (WHERE status = 'completed') AS min_duration_ms
        FROM tasks
        GROUP BY recipient;
CREATE VIEW queue_depth AS
        SELECT recipient AS agent,
               COUNT(*) AS queued_tasks,
               SUM(priority <= 2) AS high_priority,
               SUM(priority BETWEEN 3 AND 7) AS normal_priority,
               SUM(priority >= 8) AS low_priority
        FROM tasks
        WHERE status = 'queued'
        GROUP BY recipient;
CREATE INDEX machine_samples_at ON machine_samples (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tasks',17);
INSERT INTO "sqlite_sequence" VALUES('attempts',3);
COMMIT;
