BEGIN TRANSACTION;
CREATE TABLE agent_state (
        agent TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        updated_at TEXT NOT NULL,
        state TEXT NOT NULL
    );
INSERT INTO "agent_state" VALUES('worker',4,'2026-11-22T05:30:47.613Z','{"seen":4}');
CREATE TABLE alert_silences (
        id INTEGER PRIMARY KEY,
        silence_id TEXT NOT NULL UNIQUE,
        rule TEXT,                             -- null: every rule
        agent TEXT,                            -- null: every agent
        since TEXT NOT NULL,
        until TEXT NOT NULL,
        by TEXT,
        reason TEXT,
        ended_at TEXT                          -- when it was ended by hand
    );
CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        alert_id TEXT NOT NULL UNIQUE,
        rule TEXT NOT NULL,
        agent TEXT NOT NULL,                   -- or convoy; empty: it is about the squad or the machine
        severity TEXT NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
        summary TEXT NOT NULL,
        value REAL,                            -- what was read when it fired, in the unit
        threshold REAL,
        unit TEXT NOT NULL,
        fired_at TEXT NOT NULL,
        told_at TEXT,                          -- when the sinks were told; null: it was silenced so far
        reminded_at TEXT,
        reminders INTEGER NOT NULL DEFAULT 0,
        acked_at TEXT,
        acked_by TEXT,
        note TEXT,                             -- what was said with the acknowledgement
        cleared_at TEXT                        -- null: it goes on
    );
INSERT INTO "alerts" VALUES(1,'01a201bc-468d-7000-acc2-0ff7e71550ff','worked','','warning','completed: sum 6 is above 0',6.0,0.0,'','2026-11-22T05:30:45.772Z','2026-11-22T05:30:45.772Z',NULL,0,NULL,NULL,NULL,NULL);
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
INSERT INTO "attempts" VALUES(1,11,1,'worker.49ee1ce2739c','2026-11-22T05:30:47.621Z','2026-11-22T05:30:47.627Z','error',0,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(2,11,2,'worker.49ee1ce2739c','2026-11-22T05:30:47.644Z','2026-11-22T05:30:47.645Z','error',1,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(3,12,1,'worker.49ee1ce2739c','2026-11-22T05:30:47.656Z','2026-11-22T05:30:47.658Z','refused',1,'as it was told');
CREATE TABLE attempts_archive (
        id INTEGER PRIMARY KEY,
        task_row INTEGER NOT NULL REFERENCES tasks_archive (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT NOT NULL,
        outcome TEXT NOT NULL,
        final INTEGER NOT NULL,
        error TEXT NOT NULL
    );
CREATE TABLE convoy_resizes (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        convoy TEXT NOT NULL,
        from_size INTEGER NOT NULL,
        to_size INTEGER NOT NULL,
        reason TEXT NOT NULL,
        readings TEXT NOT NULL
    );
INSERT INTO "convoy_resizes" VALUES(1,'2026-11-22T05:30:47.958Z','crew',1,2,'set by hand','{}');
CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL
    );
INSERT INTO "events" VALUES(1,'2026-11-22T05:30:15.816Z','ready','worker','{}');
INSERT INTO "events" VALUES(2,'2026-11-22T05:30:15.835Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(3,'2026-11-22T05:30:15.838Z','ready','teller','{}');
INSERT INTO "events" VALUES(4,'2026-11-22T05:30:45.776Z','alert_fired','released','{"rule": "worked", "id": "01a201bc-468d-7000-acc2-0ff7e71550ff", "severity": "warning", "summary": "completed: sum 6 is above 0", "value": 6.0, "threshold": 0.0, "unit": ""}');
INSERT INTO "events" VALUES(5,'2026-11-22T05:30:47.358Z','maintained','storage','{"why": "hand", "what": "run", "archived": 6, "deleted": 0, "dead": 0, "unsent": 0, "history": 0, "freed": 0, "seconds": 1.172}');
INSERT INTO "events" VALUES(6,'2026-11-22T05:30:47.727Z','restarted','crew-1','{"reason": "its process died", "cause": "crash"}');
INSERT INTO "events" VALUES(7,'2026-11-22T05:30:47.743Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(8,'2026-11-22T05:30:48.001Z','ready','crew-2','{}');
INSERT INTO "events" VALUES(9,'2026-11-22T05:30:48.244Z','paused','teller','{"by": "root", "reason": "for the next release"}');
CREATE TABLE keeper (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL);
INSERT INTO "keeper" VALUES('maintenance','{"terms": {"messages": 1.0, "archive": 2592000000.0, "events": 2592000.0, "schedule": "none", "timezone": "UTC", "exporter": false}, "mark": 1795325415.740278, "run": null, "last": {"why": "hand", "what": "run", "began": 1795325446.1865094, "ended": 1795325447.3584604, "working": 0.01563598900247598, "size": 204800, "freed": 0, "removed": {"rows": {"tasks": 6}, "archived": 6, "dead": 0, "unsent": 0}}}','2026-11-22T05:30:47.360Z');
INSERT INTO "keeper" VALUES('schedule/yearly','{"mark": 1795325415.7975416, "line": "0 0 1 1 * UTC", "last": null}','2026-11-22T05:30:15.810Z');
INSERT INTO "keeper" VALUES('records','{"author": "01a201bb-d0fe-7000-91bc-87f027f589d1", "number": 9}','2026-11-22T05:30:48.001Z');
INSERT INTO "keeper" VALUES('convoy/crew','{"size": 2}','2026-11-22T05:30:47.987Z');
INSERT INTO "keeper" VALUES('holds','{"paused": {"teller": {"since": 1795325448.2443893, "by": "root", "reason": "for the next release"}}, "frozen": null}','2026-11-22T05:30:48.244Z');
CREATE TABLE machine_samples (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        cpu_percent REAL NOT NULL,             -- of all cores, since the reading before
        memory_percent REAL NOT NULL,
        available_bytes INTEGER NOT NULL,
        processes INTEGER NOT NULL,            -- of the squad: its core, agents and workers
        throttle_seconds REAL NOT NULL         -- the pause between two hand-outs of messages; 0: none
    );
INSERT INTO "machine_samples" VALUES(1,'2026-11-22T05:30:17.787Z',98.8,7.0,23494725632,7,0.0);
CREATE TABLE metric_points (
        step INTEGER NOT NULL,                 -- seconds: 60, 600 or 3600
        start INTEGER NOT NULL,                -- seconds since the epoch, a multiple of step
        series INTEGER NOT NULL,               -- metric_series.id
        count INTEGER NOT NULL,
        sum REAL NOT NULL,
        least REAL,
        most REAL,
        last REAL,
        buckets TEXT,                          -- JSON array: place and count in turn (store/metrics/histogram.py)
        PRIMARY KEY (step, start, series)
    ) WITHOUT ROWID
    ;
INSERT INTO "metric_points" VALUES(60,1795325400,1,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,2,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,3,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,4,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,5,3,3.46129000536166131496e+00,2.0641000446630641818e-01,2.97205999959260225296e+00,NULL,'[-18,1,-14,1,13,1]');
INSERT INTO "metric_points" VALUES(60,1795325400,6,3,1.09310150146484375e+01,2.2256374359130859375e+00,4.408359527587890625e+00,NULL,'[10,1,17,1,18,1]');
INSERT INTO "metric_points" VALUES(60,1795325400,7,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,8,3,1.15824789972975850105e+01,2.12753999949200078845e+00,6.90087900147773325443e+00,NULL,'[9,1,11,1,23,1]');
INSERT INTO "metric_points" VALUES(60,1795325400,9,3,1.021671295166015625e+01,2.6381015777587890625e+00,4.77290153503418,NULL,'[12,2,19,1]');
INSERT INTO "metric_points" VALUES(60,1795325400,10,23,4.27558179799234494566e+01,6.54300019959919154644e-02,5.8084989941562525928e+00,NULL,'[-31,1,-29,2,-28,1,-26,1,-21,1,-19,1,-15,1,-10,1,-4,2,-1,1,1,1,5,1,6,1,7,1,12,1,17,1,18,1,19,1,20,1,21,2]');
INSERT INTO "metric_points" VALUES(60,1795325400,11,23,3.43354659999022260308e+01,1.12799971248023211956e-02,5.57039999694097787141e+00,NULL,'[-51,1,-50,1,-49,1,-47,2,-46,1,-44,2,-36,1,-14,1,-13,1,-8,2,-6,2,4,1,11,1,15,1,17,2,19,2,20,1]');
INSERT INTO "metric_points" VALUES(60,1795325400,12,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,13,1,49254400.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,14,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,15,1,47362048.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,16,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,17,1,52248576.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,18,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,19,1,48603136.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,20,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,21,1,50020352.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,22,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,23,1,49389568.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,24,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,25,1,47820800.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,26,1,98.8,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,27,1,7.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,28,1,23494725632.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,29,1,7.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,30,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,31,1,1.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,32,1,100.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,33,1,100.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795325400,34,1,100.0,NULL,NULL,NULL,NULL);
CREATE TABLE metric_series (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        agent TEXT NOT NULL,                   -- '': the squad's, or the machine's
        type TEXT NOT NULL,                    -- '': of no message's type
        kind TEXT NOT NULL CHECK (kind IN ('counter', 'gauge', 'histogram')),
        count INTEGER NOT NULL DEFAULT 0,      -- of all values since the series began; only grows
        sum REAL NOT NULL DEFAULT 0,
        last REAL,                             -- of a gauge
        updated_at REAL NOT NULL DEFAULT 0,    -- seconds since the epoch
        buckets TEXT,                          -- of a histogram, as in metric_points
        UNIQUE (name, agent, type)
    );
INSERT INTO "metric_series" VALUES(1,'seen','worker','','histogram',3,3.0,NULL,1795325417.78703,'[0,3]');
INSERT INTO "metric_series" VALUES(2,'queued','worker','count','counter',3,3.0,NULL,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(3,'queued','teller','tell','counter',3,3.0,NULL,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(4,'completed','worker','count','counter',3,3.0,NULL,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(5,'handling_ms','worker','count','histogram',3,3.46129000536166131496e+00,NULL,1795325417.78703,'[-18,1,-14,1,13,1]');
INSERT INTO "metric_series" VALUES(6,'waiting_ms','worker','count','histogram',3,1.09310150146484375e+01,NULL,1795325417.78703,'[10,1,17,1,18,1]');
INSERT INTO "metric_series" VALUES(7,'completed','teller','tell','counter',3,3.0,NULL,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(8,'handling_ms','teller','tell','histogram',3,1.15824789972975850105e+01,NULL,1795325417.78703,'[9,1,11,1,23,1]');
INSERT INTO "metric_series" VALUES(9,'waiting_ms','teller','tell','histogram',3,1.021671295166015625e+01,NULL,1795325417.78703,'[12,2,19,1]');
INSERT INTO "metric_series" VALUES(10,'transaction_ms','','','histogram',23,4.27558179799234494566e+01,NULL,1795325417.78703,'[-31,1,-29,2,-28,1,-26,1,-21,1,-19,1,-15,1,-10,1,-4,2,-1,1,1,1,5,1,6,1,7,1,12,1,17,1,18,1,19,1,20,1,21,2]');
INSERT INTO "metric_series" VALUES(11,'commit_ms','','','histogram',23,3.43354659999022260308e+01,NULL,1795325417.78703,'[-51,1,-50,1,-49,1,-47,2,-46,1,-44,2,-36,1,-14,1,-13,1,-8,2,-6,2,4,1,11,1,15,1,17,2,19,2,20,1]');
INSERT INTO "metric_series" VALUES(12,'cpu_percent','storage','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(13,'memory_bytes','storage','','gauge',1,49254400.0,49254400.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(14,'cpu_percent','monitor','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(15,'memory_bytes','monitor','','gauge',1,47362048.0,47362048.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(16,'cpu_percent','gateway','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(17,'memory_bytes','gateway','','gauge',1,52248576.0,52248576.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(18,'cpu_percent','scheduler','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(19,'memory_bytes','scheduler','','gauge',1,48603136.0,48603136.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(20,'cpu_percent','worker','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(21,'memory_bytes','worker','','gauge',1,50020352.0,50020352.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(22,'cpu_percent','teller','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(23,'memory_bytes','teller','','gauge',1,49389568.0,49389568.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(24,'cpu_percent','crew','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(25,'memory_bytes','crew','','gauge',1,47820800.0,47820800.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(26,'machine_cpu_percent','','','gauge',1,98.8,98.8,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(27,'machine_memory_percent','','','gauge',1,7.0,7.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(28,'machine_available_bytes','','','gauge',1,23494725632.0,23494725632.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(29,'processes','','','gauge',1,7.0,7.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(30,'throttle_seconds','','','gauge',1,0.0,0.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(31,'convoy_size','crew','','gauge',1,1.0,1.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(32,'uptime_percent','worker','','gauge',1,100.0,100.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(33,'uptime_percent','teller','','gauge',1,100.0,100.0,1795325417.78703,NULL);
INSERT INTO "metric_series" VALUES(34,'uptime_percent','crew','','gauge',1,100.0,100.0,1795325417.78703,NULL);
CREATE TABLE queued (                      -- how many messages wait; the writer changes it with each transaction
        recipient TEXT NOT NULL,
        priority INTEGER NOT NULL,
        delayed INTEGER NOT NULL,              -- 1: until their time has come
        messages INTEGER NOT NULL,
        PRIMARY KEY (recipient, priority, delayed)
    ) WITHOUT ROWID
    ;
INSERT INTO "queued" VALUES('teller',5,0,1);
INSERT INTO "queued" VALUES('worker',5,1,1);
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
);
INSERT INTO "schema_version" VALUES(1,'m0001_initial','2026-11-22T05:30:15.701Z');
INSERT INTO "schema_version" VALUES(2,'m0002_ends_and_replies','2026-11-22T05:30:15.708Z');
INSERT INTO "schema_version" VALUES(3,'m0003_totals','2026-11-22T05:30:15.712Z');
INSERT INTO "schema_version" VALUES(4,'m0004_machine_samples','2026-11-22T05:30:15.714Z');
INSERT INTO "schema_version" VALUES(5,'m0005_ends_of_processes','2026-11-22T05:30:15.716Z');
INSERT INTO "schema_version" VALUES(6,'m0006_event_subjects','2026-11-22T05:30:15.718Z');
INSERT INTO "schema_version" VALUES(7,'m0007_traceparent','2026-11-22T05:30:15.721Z');
INSERT INTO "schema_version" VALUES(8,'m0008_archive','2026-11-22T05:30:15.723Z');
INSERT INTO "schema_version" VALUES(9,'m0009_metrics','2026-11-22T05:30:15.726Z');
INSERT INTO "schema_version" VALUES(10,'m0010_alerts','2026-11-22T05:30:15.729Z');
INSERT INTO "schema_version" VALUES(11,'m0011_queued','2026-11-22T05:30:15.732Z');
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
    , traceparent TEXT, ready_at REAL);
INSERT INTO "tasks" VALUES(7,'01a201bc-4da4-7000-82b6-6227205ec483',NULL,'01a201bc-4da4-7000-82b6-6227205ec483','cli','crew','count',5,'completed',1,NULL,NULL,'crew-1.9fc843a13e2b',1,'2026-11-22T05:30:47.589Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.589Z','2026-11-22T05:30:47.590Z','2026-11-22T05:30:47.593Z',3,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks" VALUES(8,'01a201bc-4da9-7000-9ad8-f50a0eee6188','01a201bc-4da4-7000-82b6-6227205ec483','01a201bc-4da4-7000-82b6-6227205ec483','crew','teller','tell',5,'completed',1,NULL,NULL,'teller.10d6ccccf641',1,'2026-11-22T05:30:47.593Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.593Z','2026-11-22T05:30:47.596Z','2026-11-22T05:30:47.601Z',5,NULL,NULL,'{"text":"one more"}','{"id":"01a201bc-4da9-7000-9ad8-f50a0eee6188","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"crew","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks" VALUES(9,'01a201bc-4db6-7000-923d-d2658727386a',NULL,'01a201bc-4db6-7000-923d-d2658727386a','cli','worker','count',1,'completed',1,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:47.608Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.608Z','2026-11-22T05:30:47.611Z','2026-11-22T05:30:47.613Z',0,'once',NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks" VALUES(10,'01a201bc-4dbc-7000-bb23-11bb539e952b','01a201bc-4db6-7000-923d-d2658727386a','01a201bc-4db6-7000-923d-d2658727386a','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.10d6ccccf641',1,'2026-11-22T05:30:47.613Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.613Z','2026-11-22T05:30:47.615Z','2026-11-22T05:30:47.621Z',4,NULL,NULL,'{"text":"one more"}','{"id":"01a201bc-4dbc-7000-bb23-11bb539e952b","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks" VALUES(11,'01a201bc-4dc2-7000-b6b9-bf1c3de109cc',NULL,'01a201bc-4dc2-7000-b6b9-bf1c3de109cc','cli','worker','act',5,'failed',2,NULL,NULL,'worker.49ee1ce2739c',2,'2026-11-22T05:30:47.629Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.619Z','2026-11-22T05:30:47.644Z','2026-11-22T05:30:47.645Z',1,NULL,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")','{"how":"fail"}',NULL,NULL,1.79532544762841081613e+09);
INSERT INTO "tasks" VALUES(12,'01a201bc-4de4-7000-900e-948b8ec1ee79',NULL,'01a201bc-4de4-7000-900e-948b8ec1ee79','cli','worker','act',5,'failed',1,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:47.652Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:47.652Z','2026-11-22T05:30:47.656Z','2026-11-22T05:30:47.658Z',0,NULL,'as it was told','{"how":"refuse"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(13,'01a201bc-505f-7000-af39-7f7769597f2a',NULL,'01a201bc-505f-7000-af39-7f7769597f2a','cli','teller','tell',5,'queued',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T05:30:48.287Z',NULL,NULL,NULL,NULL,NULL,'{"text":"waits"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(14,'01a201bc-5062-7000-8433-4a826cfb21c1',NULL,'01a201bc-5062-7000-8433-4a826cfb21c1','cli','worker','count',5,'queued',0,1.82124544829032802579e+09,1.82133184829032802581e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T05:30:48.290Z',NULL,NULL,NULL,NULL,NULL,'{}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(15,'01a201bc-5066-7000-af0a-f0375516616e',NULL,'01a201bc-5066-7000-af0a-f0375516616e','cli','teller','tell',5,'cancelled',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T05:30:48.296Z',NULL,'2026-11-22T05:30:48.519Z',NULL,NULL,'cancelled before it was handled','{"text":"never"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(16,'01a201bc-5182-7000-baaf-ee61aff67fc2',NULL,'01a201bc-5182-7000-baaf-ee61aff67fc2','cli','teller','tell',5,'expired',0,NULL,1.79532544867818427084e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T05:30:48.580Z',NULL,'2026-11-22T05:30:48.678Z',NULL,NULL,'its time to live was over before it was handled','{"text":"too late"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(17,'01a201bc-51e8-7000-a378-54157a4b6116',NULL,'01a201bc-51e8-7000-a378-54157a4b6116','cli','worker','act',5,'running',0,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:48.681Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:48.681Z',NULL,NULL,NULL,NULL,NULL,'{"how":"sleep"}',NULL,NULL,NULL);
CREATE TABLE tasks_archive (
        id INTEGER PRIMARY KEY,                -- as it was in tasks, where it is never given again
        task_id TEXT NOT NULL,                 -- not UNIQUE: a message may be sent again with the id of an archived one
        parent_id TEXT,
        root_id TEXT,
        sender TEXT NOT NULL,
        recipient TEXT NOT NULL,
        type TEXT NOT NULL,
        priority INTEGER NOT NULL,
        status TEXT NOT NULL
            CHECK (status = 'completed' OR status = 'failed' OR status = 'cancelled' OR status = 'expired'),
        attempts INTEGER NOT NULL,
        not_before REAL,
        expires_at REAL,
        lease_owner TEXT,
        fence INTEGER NOT NULL,
        claimed_at TEXT,
        cancelling TEXT,
        reply_to TEXT,
        reply_timeout REAL,
        reply_due REAL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        completed_at TEXT,
        duration_ms INTEGER,
        key TEXT,
        error_message TEXT,
        payload TEXT NOT NULL,
        result TEXT,
        traceparent TEXT
    , ready_at REAL);
INSERT INTO "tasks_archive" VALUES(1,'01a201bb-d1a3-7000-84e9-b37f3024656f',NULL,'01a201bb-d1a3-7000-84e9-b37f3024656f','cli','worker','count',5,'completed',1,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:15.844Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.844Z','2026-11-22T05:30:15.848Z','2026-11-22T05:30:15.851Z',3,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(2,'01a201bb-d1ab-7000-80ae-3e9f92551dea','01a201bb-d1a3-7000-84e9-b37f3024656f','01a201bb-d1a3-7000-84e9-b37f3024656f','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.10d6ccccf641',1,'2026-11-22T05:30:15.851Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.851Z','2026-11-22T05:30:15.853Z','2026-11-22T05:30:15.860Z',7,NULL,NULL,'{"text":"one more"}','{"id":"01a201bb-d1ab-7000-80ae-3e9f92551dea","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(3,'01a201bb-d1bb-7000-a6e5-caa5ff7b93f4',NULL,'01a201bb-d1bb-7000-a6e5-caa5ff7b93f4','cli','worker','count',5,'completed',1,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:15.867Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.867Z','2026-11-22T05:30:15.869Z','2026-11-22T05:30:15.872Z',0,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(4,'01a201bb-d1bd-7000-ba87-5c1394878a7e','01a201bb-d1bb-7000-a6e5-caa5ff7b93f4','01a201bb-d1bb-7000-a6e5-caa5ff7b93f4','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.10d6ccccf641',1,'2026-11-22T05:30:15.872Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.872Z','2026-11-22T05:30:15.876Z','2026-11-22T05:30:15.879Z',3,NULL,NULL,'{"text":"one more"}','{"id":"01a201bb-d1bd-7000-ba87-5c1394878a7e","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(5,'01a201bb-d1d4-7000-b38b-f1716427691d',NULL,'01a201bb-d1d4-7000-b38b-f1716427691d','cli','worker','count',5,'completed',1,NULL,NULL,'worker.49ee1ce2739c',1,'2026-11-22T05:30:15.892Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.892Z','2026-11-22T05:30:15.896Z','2026-11-22T05:30:15.897Z',0,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(6,'01a201bb-d1d8-7000-81a9-d8e1d2754385','01a201bb-d1d4-7000-b38b-f1716427691d','01a201bb-d1d4-7000-b38b-f1716427691d','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.10d6ccccf641',1,'2026-11-22T05:30:15.897Z',NULL,NULL,NULL,NULL,'2026-11-22T05:30:15.897Z','2026-11-22T05:30:15.899Z','2026-11-22T05:30:15.903Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a201bb-d1d8-7000-81a9-d8e1d2754385","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
CREATE TABLE totals (                      -- of the messages that are kept, by how they have ended
        status TEXT PRIMARY KEY,               -- completed, cancelled, expired
        messages INTEGER NOT NULL
    ) WITHOUT ROWID
;
INSERT INTO "totals" VALUES('cancelled',1);
INSERT INTO "totals" VALUES('completed',4);
INSERT INTO "totals" VALUES('expired',1);
INSERT INTO "totals" VALUES('failed',2);
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
CREATE INDEX machine_samples_at ON machine_samples (at);
CREATE INDEX events_subject ON events (subject);
CREATE INDEX tasks_archive_id ON tasks_archive (task_id);
CREATE INDEX tasks_archive_children ON tasks_archive (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX tasks_archive_ended ON tasks_archive (completed_at);
CREATE INDEX attempts_archive_task ON attempts_archive (task_row);
CREATE VIEW agent_metrics AS
        SELECT NULLIF(s.agent, '') AS agent,
               s.name AS metric_name,
               CASE s.kind WHEN 'counter' THEN p.sum ELSE p.sum / p.count END AS metric_value,
               strftime('%Y-%m-%dT%H:%M:%S.000Z', p.start, 'unixepoch') AS timestamp,
               NULLIF(s.type, '') AS type,
               s.kind AS kind,
               p.step AS seconds,
               p.count AS count,
               CASE s.kind WHEN 'counter' THEN NULL ELSE COALESCE(p.least, p.sum / p.count) END AS least,
               CASE s.kind WHEN 'counter' THEN NULL ELSE COALESCE(p.most, p.sum / p.count) END AS most
        FROM metric_points AS p JOIN metric_series AS s ON s.id = p.series;
CREATE UNIQUE INDEX alerts_open ON alerts (rule, agent) WHERE cleared_at IS NULL;
CREATE INDEX alerts_cleared ON alerts (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX alert_silences_until ON alert_silences (until);
CREATE VIEW queue_depth AS
        SELECT recipient AS agent,
               SUM(messages) AS queued_tasks,
               SUM(messages * (priority <= 2)) AS high_priority,
               SUM(messages * (priority BETWEEN 3 AND 7)) AS normal_priority,
               SUM(messages * (priority >= 8)) AS low_priority
        FROM queued
        GROUP BY recipient
        HAVING SUM(messages) > 0;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tasks',17);
INSERT INTO "sqlite_sequence" VALUES('attempts',3);
COMMIT;
