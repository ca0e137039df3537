BEGIN TRANSACTION;
CREATE TABLE agent_state (
        agent TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        updated_at TEXT NOT NULL,
        state TEXT NOT NULL
    );
INSERT INTO "agent_state" VALUES('worker',4,'2026-11-22T02:54:53.700Z','{"seen":4}');
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
INSERT INTO "alerts" VALUES(1,'01a2012d-8fa5-7000-a7a6-8d04779af219','worked','','warning','completed: sum 6 is above 0',6.0,0.0,'','2026-11-22T02:54:52.835Z','2026-11-22T02:54:52.835Z',NULL,0,NULL,NULL,NULL,NULL);
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
INSERT INTO "attempts" VALUES(1,11,1,'worker.fd42d8027caf','2026-11-22T02:54:53.711Z','2026-11-22T02:54:53.714Z','error',0,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(2,11,2,'worker.fd42d8027caf','2026-11-22T02:54:53.717Z','2026-11-22T02:54:53.719Z','error',1,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")');
INSERT INTO "attempts" VALUES(3,12,1,'worker.fd42d8027caf','2026-11-22T02:54:53.723Z','2026-11-22T02:54:53.724Z','refused',1,'as it was told');
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
INSERT INTO "convoy_resizes" VALUES(1,'2026-11-22T02:54:53.898Z','crew',1,2,'set by hand','{}');
CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        detail TEXT NOT NULL
    );
INSERT INTO "events" VALUES(1,'2026-11-22T02:54:22.871Z','ready','worker','{}');
INSERT INTO "events" VALUES(2,'2026-11-22T02:54:22.875Z','ready','teller','{}');
INSERT INTO "events" VALUES(3,'2026-11-22T02:54:22.877Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(4,'2026-11-22T02:54:52.838Z','alert_fired','released','{"rule": "worked", "id": "01a2012d-8fa5-7000-a7a6-8d04779af219", "severity": "warning", "summary": "completed: sum 6 is above 0", "value": 6.0, "threshold": 0.0, "unit": ""}');
INSERT INTO "events" VALUES(5,'2026-11-22T02:54:53.461Z','maintained','storage','{"why": "hand", "what": "run", "archived": 6, "deleted": 0, "dead": 0, "unsent": 0, "history": 0, "freed": 0, "seconds": 0.262}');
INSERT INTO "events" VALUES(6,'2026-11-22T02:54:53.807Z','restarted','crew-1','{"reason": "its process died", "cause": "crash"}');
INSERT INTO "events" VALUES(7,'2026-11-22T02:54:53.822Z','ready','crew-1','{}');
INSERT INTO "events" VALUES(8,'2026-11-22T02:54:53.913Z','ready','crew-2','{}');
INSERT INTO "events" VALUES(9,'2026-11-22T02:54:54.111Z','paused','teller','{"by": "root", "reason": "for the next release"}');
CREATE TABLE keeper (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at TEXT NOT NULL);
INSERT INTO "keeper" VALUES('maintenance','{"terms": {"messages": 1.0, "archive": 2592000000.0, "events": 2592000.0, "schedule": "none", "timezone": "UTC", "exporter": false}, "mark": 1795316062.8235974, "run": null, "last": {"why": "hand", "what": "run", "began": 1795316093.20023, "ended": 1795316093.4618568, "working": 0.01815133900163346, "size": 200704, "freed": 0, "removed": {"rows": {"tasks": 6}, "archived": 6, "dead": 0, "unsent": 0}}}','2026-11-22T02:54:53.462Z');
INSERT INTO "keeper" VALUES('schedule/yearly','{"mark": 1795316062.8686256, "line": "0 0 1 1 * UTC", "last": null}','2026-11-22T02:54:22.871Z');
INSERT INTO "keeper" VALUES('records','{"author": "01a2012d-19d3-7000-921d-6bcdab664196", "number": 9}','2026-11-22T02:54:53.913Z');
INSERT INTO "keeper" VALUES('convoy/crew','{"size": 2}','2026-11-22T02:54:53.907Z');
INSERT INTO "keeper" VALUES('holds','{"paused": {"teller": {"since": 1795316094.1117027, "by": "root", "reason": "for the next release"}}, "frozen": null}','2026-11-22T02:54:54.111Z');
CREATE TABLE machine_samples (
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        cpu_percent REAL NOT NULL,             -- of all cores, since the reading before
        memory_percent REAL NOT NULL,
        available_bytes INTEGER NOT NULL,
        processes INTEGER NOT NULL,            -- of the squad: its core, agents and workers
        throttle_seconds REAL NOT NULL         -- the pause between two hand-outs of messages; 0: none
    );
INSERT INTO "machine_samples" VALUES(1,'2026-11-22T02:54:24.860Z',93.0,5.4,23923544064,7,0.0);
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
INSERT INTO "metric_points" VALUES(60,1795316040,1,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,2,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,3,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,4,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,5,3,3.07564000104321166872e+00,1.26260001707123592495e-01,2.79197999770985916256e+00,NULL,'[-23,1,-21,1,12,1]');
INSERT INTO "metric_points" VALUES(60,1795316040,6,3,6.6277980804443359375e+00,1.0621547698974609375e+00,3.3352375030517578125e+00,NULL,'[1,1,10,1,14,1]');
INSERT INTO "metric_points" VALUES(60,1795316040,7,3,3.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,8,3,8.92672000190941616892e+00,1.51896000170381739735e+00,5.28752999889547936618e+00,NULL,'[5,1,9,1,20,1]');
INSERT INTO "metric_points" VALUES(60,1795316040,9,3,9.4730854034423828125e+00,2.605438232421875e+00,3.7348270416259765625e+00,NULL,'[12,1,14,1,16,1]');
INSERT INTO "metric_points" VALUES(60,1795316040,10,23,2.01742690042010508477e+01,6.10900024184957146644e-02,2.34157899831188842654e+00,NULL,'[-32,1,-31,2,-30,1,-26,1,-21,1,-17,1,-16,1,-13,2,-9,1,-8,2,-7,1,2,1,4,1,6,1,8,3,10,3]');
INSERT INTO "metric_points" VALUES(60,1795316040,11,23,1.38685809943126514554e+01,8.35999890114180743694e-03,2.10845000037807039916e+00,NULL,'[-55,1,-54,1,-53,1,-51,1,-48,3,-47,1,-45,1,-41,1,-18,1,-13,2,-11,1,-10,1,-3,1,2,1,4,2,6,1,7,1,8,1,9,1]');
INSERT INTO "metric_points" VALUES(60,1795316040,12,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,13,1,48959488.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,14,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,15,1,47079424.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,16,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,17,1,51810304.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,18,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,19,1,48308224.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,20,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,21,1,50073600.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,22,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,23,1,49070080.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,24,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,25,1,47169536.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,26,1,93.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,27,1,5.4,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,28,1,23923544064.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,29,1,7.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,30,1,0.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,31,1,1.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,32,1,100.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,33,1,100.0,NULL,NULL,NULL,NULL);
INSERT INTO "metric_points" VALUES(60,1795316040,34,1,100.0,NULL,NULL,NULL,NULL);
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
INSERT INTO "metric_series" VALUES(1,'seen','worker','','histogram',3,3.0,NULL,1.79531606486079621312e+09,'[0,3]');
INSERT INTO "metric_series" VALUES(2,'queued','worker','count','counter',3,3.0,NULL,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(3,'queued','teller','tell','counter',3,3.0,NULL,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(4,'completed','worker','count','counter',3,3.0,NULL,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(5,'handling_ms','worker','count','histogram',3,3.07564000104321166872e+00,NULL,1.79531606486079621312e+09,'[-23,1,-21,1,12,1]');
INSERT INTO "metric_series" VALUES(6,'waiting_ms','worker','count','histogram',3,6.6277980804443359375e+00,NULL,1.79531606486079621312e+09,'[1,1,10,1,14,1]');
INSERT INTO "metric_series" VALUES(7,'completed','teller','tell','counter',3,3.0,NULL,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(8,'handling_ms','teller','tell','histogram',3,8.92672000190941616892e+00,NULL,1.79531606486079621312e+09,'[5,1,9,1,20,1]');
INSERT INTO "metric_series" VALUES(9,'waiting_ms','teller','tell','histogram',3,9.4730854034423828125e+00,NULL,1.79531606486079621312e+09,'[12,1,14,1,16,1]');
INSERT INTO "metric_series" VALUES(10,'transaction_ms','','','histogram',23,2.01742690042010508477e+01,NULL,1.79531606486079621312e+09,'[-32,1,-31,2,-30,1,-26,1,-21,1,-17,1,-16,1,-13,2,-9,1,-8,2,-7,1,2,1,4,1,6,1,8,3,10,3]');
INSERT INTO "metric_series" VALUES(11,'commit_ms','','','histogram',23,1.38685809943126514554e+01,NULL,1.79531606486079621312e+09,'[-55,1,-54,1,-53,1,-51,1,-48,3,-47,1,-45,1,-41,1,-18,1,-13,2,-11,1,-10,1,-3,1,2,1,4,2,6,1,7,1,8,1,9,1]');
INSERT INTO "metric_series" VALUES(12,'cpu_percent','storage','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(13,'memory_bytes','storage','','gauge',1,48959488.0,48959488.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(14,'cpu_percent','monitor','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(15,'memory_bytes','monitor','','gauge',1,47079424.0,47079424.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(16,'cpu_percent','gateway','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(17,'memory_bytes','gateway','','gauge',1,51810304.0,51810304.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(18,'cpu_percent','scheduler','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(19,'memory_bytes','scheduler','','gauge',1,48308224.0,48308224.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(20,'cpu_percent','worker','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(21,'memory_bytes','worker','','gauge',1,50073600.0,50073600.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(22,'cpu_percent','teller','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(23,'memory_bytes','teller','','gauge',1,49070080.0,49070080.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(24,'cpu_percent','crew','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(25,'memory_bytes','crew','','gauge',1,47169536.0,47169536.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(26,'machine_cpu_percent','','','gauge',1,93.0,93.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(27,'machine_memory_percent','','','gauge',1,5.4,5.4,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(28,'machine_available_bytes','','','gauge',1,23923544064.0,23923544064.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(29,'processes','','','gauge',1,7.0,7.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(30,'throttle_seconds','','','gauge',1,0.0,0.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(31,'convoy_size','crew','','gauge',1,1.0,1.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(32,'uptime_percent','worker','','gauge',1,100.0,100.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(33,'uptime_percent','teller','','gauge',1,100.0,100.0,1.79531606486079621312e+09,NULL);
INSERT INTO "metric_series" VALUES(34,'uptime_percent','crew','','gauge',1,100.0,100.0,1.79531606486079621312e+09,NULL);
CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at TEXT NOT NULL
);
INSERT INTO "schema_version" VALUES(1,'m0001_initial','2026-11-22T02:54:22.691Z');
INSERT INTO "schema_version" VALUES(2,'m0002_ends_and_replies','2026-11-22T02:54:22.713Z');
INSERT INTO "schema_version" VALUES(3,'m0003_totals','2026-11-22T02:54:22.720Z');
INSERT INTO "schema_version" VALUES(4,'m0004_machine_samples','2026-11-22T02:54:22.727Z');
INSERT INTO "schema_version" VALUES(5,'m0005_ends_of_processes','2026-11-22T02:54:22.729Z');
INSERT INTO "schema_version" VALUES(6,'m0006_event_subjects','2026-11-22T02:54:22.732Z');
INSERT INTO "schema_version" VALUES(7,'m0007_traceparent','2026-11-22T02:54:22.748Z');
INSERT INTO "schema_version" VALUES(8,'m0008_archive','2026-11-22T02:54:22.769Z');
INSERT INTO "schema_version" VALUES(9,'m0009_metrics','2026-11-22T02:54:22.789Z');
INSERT INTO "schema_version" VALUES(10,'m0010_alerts','2026-11-22T02:54:22.805Z');
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
INSERT INTO "tasks" VALUES(7,'01a2012d-92ea-7000-8a89-6552b85a69a7',NULL,'01a2012d-92ea-7000-8a89-6552b85a69a7','cli','crew','count',5,'completed',1,NULL,NULL,'crew-1.71ff81e89235',1,'2026-11-22T02:54:53.675Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.675Z','2026-11-22T02:54:53.678Z','2026-11-22T02:54:53.682Z',4,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks" VALUES(8,'01a2012d-92f2-7000-a331-e073090ea16b','01a2012d-92ea-7000-8a89-6552b85a69a7','01a2012d-92ea-7000-8a89-6552b85a69a7','crew','teller','tell',5,'completed',1,NULL,NULL,'teller.6bbff61a79f0',1,'2026-11-22T02:54:53.682Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.682Z','2026-11-22T02:54:53.687Z','2026-11-22T02:54:53.691Z',4,NULL,NULL,'{"text":"one more"}','{"id":"01a2012d-92f2-7000-a331-e073090ea16b","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"crew","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks" VALUES(9,'01a2012d-9300-7000-a1b4-c96b1fb5f55f',NULL,'01a2012d-9300-7000-a1b4-c96b1fb5f55f','cli','worker','count',1,'completed',1,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:53.696Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.696Z','2026-11-22T02:54:53.698Z','2026-11-22T02:54:53.700Z',0,'once',NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks" VALUES(10,'01a2012d-9303-7000-aa40-4820972b1da9','01a2012d-9300-7000-a1b4-c96b1fb5f55f','01a2012d-9300-7000-a1b4-c96b1fb5f55f','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.6bbff61a79f0',1,'2026-11-22T02:54:53.700Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.700Z','2026-11-22T02:54:53.702Z','2026-11-22T02:54:53.707Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a2012d-9303-7000-aa40-4820972b1da9","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks" VALUES(11,'01a2012d-930a-7000-b3f9-961546c1ac0b',NULL,'01a2012d-930a-7000-b3f9-961546c1ac0b','cli','worker','act',5,'failed',2,NULL,NULL,'worker.fd42d8027caf',2,'2026-11-22T02:54:53.716Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.709Z','2026-11-22T02:54:53.717Z','2026-11-22T02:54:53.719Z',1,NULL,'ValueError: as it was told
  File "/srv/released/agents.py", line 28, in act
    raise ValueError("as it was told")','{"how":"fail"}',NULL,NULL,1.7953160937152307033e+09);
INSERT INTO "tasks" VALUES(12,'01a2012d-9318-7000-b5b7-ebff7a5d2993',NULL,'01a2012d-9318-7000-b5b7-ebff7a5d2993','cli','worker','act',5,'failed',1,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:53.722Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:53.722Z','2026-11-22T02:54:53.723Z','2026-11-22T02:54:53.724Z',0,NULL,'as it was told','{"how":"refuse"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(13,'01a2012d-94b6-7000-be8d-074fb13889f3',NULL,'01a2012d-94b6-7000-be8d-074fb13889f3','cli','teller','tell',5,'queued',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T02:54:54.134Z',NULL,NULL,NULL,NULL,NULL,'{"text":"waits"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(14,'01a2012d-94ba-7000-a5de-ce51b35cbfbf',NULL,'01a2012d-94ba-7000-a5de-ce51b35cbfbf','cli','worker','count',5,'queued',0,1.82123609413817739485e+09,1.82132249413817739486e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T02:54:54.139Z',NULL,NULL,NULL,NULL,NULL,'{}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(15,'01a2012d-94c0-7000-93b6-e437c9910143',NULL,'01a2012d-94c0-7000-93b6-e437c9910143','cli','teller','tell',5,'cancelled',0,NULL,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T02:54:54.146Z',NULL,'2026-11-22T02:54:54.304Z',NULL,NULL,'cancelled before it was handled','{"text":"never"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(16,'01a2012d-9574-7000-9876-9ced4c759d28',NULL,'01a2012d-9574-7000-9876-9ced4c759d28','cli','teller','tell',5,'expired',0,NULL,1.79531609442437958715e+09,NULL,0,NULL,NULL,NULL,NULL,NULL,'2026-11-22T02:54:54.327Z',NULL,'2026-11-22T02:54:54.424Z',NULL,NULL,'its time to live was over before it was handled','{"text":"too late"}',NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(17,'01a2012d-95da-7000-9314-ebcfaf850c1d',NULL,'01a2012d-95da-7000-9314-ebcfaf850c1d','cli','worker','act',5,'running',0,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:54.426Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:54.426Z',NULL,NULL,NULL,NULL,NULL,'{"how":"sleep"}',NULL,NULL,NULL);
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
INSERT INTO "tasks_archive" VALUES(1,'01a2012d-1aa3-7000-a1ba-877998c4a5da',NULL,'01a2012d-1aa3-7000-a1ba-877998c4a5da','cli','worker','count',5,'completed',1,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:22.883Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.883Z','2026-11-22T02:54:22.886Z','2026-11-22T02:54:22.889Z',3,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(2,'01a2012d-1aa9-7000-b913-14c881c24019','01a2012d-1aa3-7000-a1ba-877998c4a5da','01a2012d-1aa3-7000-a1ba-877998c4a5da','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.6bbff61a79f0',1,'2026-11-22T02:54:22.889Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.889Z','2026-11-22T02:54:22.892Z','2026-11-22T02:54:22.898Z',5,NULL,NULL,'{"text":"one more"}','{"id":"01a2012d-1aa9-7000-b913-14c881c24019","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(3,'01a2012d-1ab6-7000-a83a-f4d416a3d81d',NULL,'01a2012d-1ab6-7000-a83a-f4d416a3d81d','cli','worker','count',5,'completed',1,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:22.903Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.903Z','2026-11-22T02:54:22.905Z','2026-11-22T02:54:22.906Z',0,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(4,'01a2012d-1ab9-7000-a17a-da03966a8704','01a2012d-1ab6-7000-a83a-f4d416a3d81d','01a2012d-1ab6-7000-a83a-f4d416a3d81d','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.6bbff61a79f0',1,'2026-11-22T02:54:22.906Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.906Z','2026-11-22T02:54:22.909Z','2026-11-22T02:54:22.912Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a2012d-1ab9-7000-a17a-da03966a8704","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(5,'01a2012d-1ac2-7000-a06c-7097e6f333c9',NULL,'01a2012d-1ac2-7000-a06c-7097e6f333c9','cli','worker','count',5,'completed',1,NULL,NULL,'worker.fd42d8027caf',1,'2026-11-22T02:54:22.915Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.915Z','2026-11-22T02:54:22.916Z','2026-11-22T02:54:22.917Z',0,NULL,NULL,'{}','1',NULL,NULL);
INSERT INTO "tasks_archive" VALUES(6,'01a2012d-1ac4-7000-a53a-9ec4f76303f1','01a2012d-1ac2-7000-a06c-7097e6f333c9','01a2012d-1ac2-7000-a06c-7097e6f333c9','worker','teller','tell',5,'completed',1,NULL,NULL,'teller.6bbff61a79f0',1,'2026-11-22T02:54:22.917Z',NULL,NULL,NULL,NULL,'2026-11-22T02:54:22.917Z','2026-11-22T02:54:22.919Z','2026-11-22T02:54:22.922Z',2,NULL,NULL,'{"text":"one more"}','{"id":"01a2012d-1ac4-7000-a53a-9ec4f76303f1","type":"tell","payload":{"text":"one more"},"attempt":1,"sender":"worker","priority":5,"agent":"teller","options":{}}',NULL,NULL);
CREATE TABLE totals (                      -- of the messages that are kept, by how they have ended
        status TEXT PRIMARY KEY,               -- completed, cancelled, expired
        messages INTEGER NOT NULL
    ) WITHOUT ROWID
;
INSERT INTO "totals" VALUES('cancelled',1);
INSERT INTO "totals" VALUES('completed',4);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('tasks',17);
INSERT INTO "sqlite_sequence" VALUES('attempts',3);
COMMIT;
