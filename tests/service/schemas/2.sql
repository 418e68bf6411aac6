PRAGMA application_id = 1935894628;
BEGIN TRANSACTION;
CREATE TABLE ahead (
    routine TEXT    NOT NULL,
    instant INTEGER NOT NULL,
    zone    TEXT    NOT NULL,
    PRIMARY KEY (routine, instant)
) WITHOUT ROWID;
INSERT INTO "ahead" VALUES('nightly',1801443600,'Europe/Paris');
CREATE TABLE attempt (
    routine       TEXT    NOT NULL,
    instant       INTEGER NOT NULL,
    number        INTEGER NOT NULL CHECK (number > 0),
    started_at    INTEGER NOT NULL,
    ended_at      INTEGER,
    outcome       TEXT,
    code          INTEGER,
    signal        TEXT,
    error         TEXT,
    pid           INTEGER,
    process_start REAL, peak_memory INTEGER, cpu_time REAL,  -- seconds since the epoch, as the system tells it
    PRIMARY KEY (routine, instant, number),
    FOREIGN KEY (routine, instant) REFERENCES task ON DELETE CASCADE
) WITHOUT ROWID;
INSERT INTO "attempt" VALUES('Täglich 1',1795760100,1,1795760100001424,1795760100083178,'exited',99,NULL,NULL,23933,1795760099.07,9953280,0.015778);
INSERT INTO "attempt" VALUES('Täglich 1',1795760220,1,1795760224743496,1795760224950008,'exited',99,NULL,NULL,26745,1795760223.98,10014720,0.015746);
INSERT INTO "attempt" VALUES('bad',1795760100,1,1795760100001424,1795760100106414,'exited',1,NULL,'ValueError: no rows: it''s empty; really',23937,1795760099.09,9981952,0.016704);
INSERT INTO "attempt" VALUES('bad',1795760100,2,1795760101110351,1795760101151643,'exited',1,NULL,'ValueError: no rows: it''s empty; really',24001,1795760100.19,9981952,1.64589999999999979374e-02);
INSERT INTO "attempt" VALUES('bad',1795760220,1,1795760224743496,1795760224978035,'exited',1,NULL,'ValueError: no rows: it''s empty; really',26748,1795760224.0,10014720,0.017004);
INSERT INTO "attempt" VALUES('bad',1795760220,2,1795760225978287,1795760226037044,'exited',1,NULL,'ValueError: no rows: it''s empty; really',26769,1795760225.05,10014720,1.96299999999999981448e-02);
INSERT INTO "attempt" VALUES('load',1795760100,1,1795760100001424,1795760100142705,'exited',0,NULL,NULL,23943,1795760099.12,10014720,0.016031);
INSERT INTO "attempt" VALUES('load',1795760103,1,1795760102858112,1795760102918402,'exited',0,NULL,NULL,24065,1795760101.94,10014720,0.017203);
INSERT INTO "attempt" VALUES('load',1795760220,1,1795760224950008,1795760225007100,'exited',0,NULL,NULL,26750,1795760224.03,10014720,0.017345);
INSERT INTO "attempt" VALUES('report',1795760100,1,1795760106074196,1795760106102021,'exited',0,NULL,NULL,24210,1795760105.15,10002432,0.01457);
INSERT INTO "attempt" VALUES('slow',1795760104,1,1795760103758917,1795760107828937,'killed',NULL,'SIGTERM',NULL,24094,1795760102.84,NULL,1.415399999999999818e-02);
INSERT INTO "attempt" VALUES('slow',1795760226,1,1795760225357099,NULL,NULL,NULL,NULL,NULL,26759,1795760224.43,NULL,NULL);
CREATE TABLE migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL
);
INSERT INTO "migration" VALUES(1,'0001_first');
INSERT INTO "migration" VALUES(2,'0002_retries_and_pauses');
CREATE TABLE note (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "note" VALUES('registry timezone','Europe/Paris');
CREATE TABLE pause (
    scope TEXT    NOT NULL CHECK (scope IN ('all', 'tag', 'routine')),
    name  TEXT    NOT NULL,  -- of the tag or the routine
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;
INSERT INTO "pause" VALUES('routine','nightly',1795760106742912,1821680106000000);
CREATE TABLE planned (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL
);
INSERT INTO "planned" VALUES(1,1795760226037044);
CREATE TABLE registry_source (
    position INTEGER PRIMARY KEY,
    path     TEXT NOT NULL,
    data     BLOB NOT NULL
);
INSERT INTO "registry_source" VALUES(0,'/srv/night/registry.xml',X'3C72656769737472793E0A20203C6A6F62206E616D653D226C6F616422207363726970743D226C6F61642E707922207363686564756C653D222A202A202A202A202A222F3E0A20203C6A6F62206E616D653D2262616422207363726970743D226261642E707922207363686564756C653D222A202A202A202A202A2220726574726965733D2231222072657472795F64656C61793D223173222F3E0A20203C6A6F62206E616D653D227265706F727422207363726970743D226C6F61642E70792220646570656E64735F6F6E3D226C6F61642C20626164222F3E0A20203C6A6F62206E616D653D226E696768746C7922207363726970743D226C6F61642E707922207363686564756C653D22302032202A202A202A222F3E0A20203C6A6F62206E616D653D2254C3A4676C696368203122207363726970743D22736B69702E707922207363686564756C653D222A202A202A202A202A2220736B69705F657869743D223939222F3E0A20203C6A6F62206E616D653D22736C6F7722207363726970743D22736C6F772E7079222F3E0A3C2F72656769737472793E0A');
CREATE TABLE routine (
    name         TEXT    PRIMARY KEY,
    known_since  INTEGER NOT NULL,
    trigger      TEXT    NOT NULL,
    enabled      INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    assumed      TEXT,
    last_success INTEGER,  -- instant
    last_manual  INTEGER,  -- instant
    zone         TEXT    NOT NULL
) WITHOUT ROWID;
INSERT INTO "routine" VALUES('Täglich 1',1795760076973519,'* * * * * Europe/Paris',1,NULL,NULL,NULL,'Europe/Paris');
INSERT INTO "routine" VALUES('bad',1795760076973519,'* * * * * Europe/Paris',1,NULL,1795760100,NULL,'Europe/Paris');
INSERT INTO "routine" VALUES('load',1795760076973519,'* * * * * Europe/Paris',1,NULL,1795760220,1795760103,'Europe/Paris');
INSERT INTO "routine" VALUES('nightly',1795760076973519,'0 2 * * * Europe/Paris',1,NULL,NULL,NULL,'Europe/Paris');
INSERT INTO "routine" VALUES('report',1795760076973519,'* * * * * Europe/Paris',1,NULL,1795760100,NULL,'Europe/Paris');
INSERT INTO "routine" VALUES('slow',1795760076973519,'by hand',1,NULL,NULL,1795760226,'Europe/Paris');
CREATE TABLE skipped (
    routine       TEXT    NOT NULL,
    first         INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    cause         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    cover_routine TEXT,
    cover_instant INTEGER,
    cover_zone    TEXT,
    zone          TEXT    NOT NULL,
    PRIMARY KEY (routine, first),
    CHECK (first <= last)
) WITHOUT ROWID;
INSERT INTO "skipped" VALUES('Täglich 1',1795760160,1795760160,1,'covered','covered by Täglich 1.2026-11-27T07:17:00',1795760224743496,'Täglich 1',1795760220,'Europe/Paris','Europe/Paris');
INSERT INTO "skipped" VALUES('bad',1795760160,1795760160,1,'covered','covered by bad.2026-11-27T07:17:00',1795760224743496,'bad',1795760220,'Europe/Paris','Europe/Paris');
INSERT INTO "skipped" VALUES('load',1795760160,1795760160,1,'covered','covered by load.2026-11-27T07:17:00',1795760224743496,'load',1795760220,'Europe/Paris','Europe/Paris');
INSERT INTO "skipped" VALUES('report',1795760160,1795760160,1,'covered','covered by report.2026-11-27T07:17:00',1795760224743496,'report',1795760220,'Europe/Paris','Europe/Paris');
CREATE TABLE tally (
    state TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "tally" VALUES('blocked',1);
INSERT INTO "tally" VALUES('cancelled',0);
INSERT INTO "tally" VALUES('failed',2);
INSERT INTO "tally" VALUES('ready',0);
INSERT INTO "tally" VALUES('running',1);
INSERT INTO "tally" VALUES('skipped',6);
INSERT INTO "tally" VALUES('succeeded',5);
INSERT INTO "tally" VALUES('waiting',0);
CREATE TABLE task (
    routine       TEXT    NOT NULL,
    instant       INTEGER NOT NULL,
    zone          TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN (
        'waiting', 'blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled', 'skipped'
    )),
    cause         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    origin        TEXT    NOT NULL,
    planned_at    INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    place         INTEGER NOT NULL,
    cover_routine TEXT,
    cover_instant INTEGER,
    cover_zone    TEXT,
    root_routine  TEXT,
    root_instant  INTEGER,
    root_zone     TEXT,
    by_hand       INTEGER NOT NULL CHECK (by_hand IN (0, 1)),
    arguments     TEXT,
    stand_ins     TEXT,              -- JSON: [[[routine, instant, zone], [routine, instant, zone]]]
    attempts      INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, retry_at INTEGER, is_overdue INTEGER NOT NULL DEFAULT 0 CHECK (is_overdue IN (0, 1)),  -- how many there are in the table of that name
    PRIMARY KEY (routine, instant)
) WITHOUT ROWID;
INSERT INTO "task" VALUES('Täglich 1',1795760100,'Europe/Paris','skipped','nothing to do','nothing to do (exit code 99)','scheduled',1795760100001424,1795760100083178,1795760100000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('Täglich 1',1795760220,'Europe/Paris','skipped','nothing to do','nothing to do (exit code 99)','scheduled',1795760224743496,1795760224950008,1795760160000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('bad',1795760100,'Europe/Paris','succeeded','marked succeeded','marked succeeded by hand','scheduled',1795760100001424,1795760106074196,1795760100000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,2,2,NULL,0);
INSERT INTO "task" VALUES('bad',1795760220,'Europe/Paris','failed','exited badly','exit code 1: ValueError: no rows: it''s empty; really','scheduled',1795760224743496,1795760226037044,1795760160000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,2,2,NULL,0);
INSERT INTO "task" VALUES('load',1795760100,'Europe/Paris','succeeded','exited well','','scheduled',1795760100001424,1795760100142705,1795760100000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('load',1795760103,'Europe/Paris','succeeded','exited well','','manual',1795760102858112,1795760102918402,1795760103000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('load',1795760220,'Europe/Paris','succeeded','exited well','','scheduled',1795760224743496,1795760225007100,1795760160000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('report',1795760100,'Europe/Paris','succeeded','exited well','','round',1795760100001424,1795760106102021,1795760100000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('report',1795760220,'Europe/Paris','blocked','needs lost','waits for bad.2026-11-27T07:17:00, which failed: exit code 1: ValueError: no rows: it''s empty; really','round',1795760224743496,1795760226037044,1795760160000000,NULL,NULL,NULL,'bad',1795760220,'Europe/Paris',0,NULL,NULL,0,0,NULL,0);
INSERT INTO "task" VALUES('slow',1795760104,'Europe/Paris','failed','stopped','stopped','manual',1795760103758917,1795760107828937,1795760104000000,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,NULL,1,1,NULL,0);
INSERT INTO "task" VALUES('slow',1795760226,'Europe/Paris','running','started','attempt 1','manual',1795760225357099,1795760225357099,1795760226000000,NULL,NULL,NULL,NULL,NULL,NULL,1,NULL,NULL,1,1,NULL,0);
CREATE INDEX task_by_instant ON task (instant);
CREATE INDEX task_live ON task (instant)
    WHERE state IN ('waiting', 'blocked', 'ready', 'running');
CREATE INDEX task_unsuccessful ON task (state, instant)
    WHERE state IN ('failed', 'cancelled', 'skipped');
CREATE INDEX task_failed ON task (routine, instant)
    WHERE state = 'failed';
CREATE INDEX task_tried ON task (routine, instant)
    WHERE attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped');
CREATE INDEX attempt_by_end ON attempt (ended_at)
    WHERE ended_at IS NOT NULL;
CREATE INDEX skipped_by_last ON skipped (last);
CREATE INDEX skipped_of_routine_by_last ON skipped (routine, last);
CREATE VIEW skipped_runs AS SELECT
    routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', first, 'unixepoch') AS first,
    strftime('%Y-%m-%dT%H:%M:%SZ', last, 'unixepoch') AS last,
    count, cause, reason,
    strftime('%Y-%m-%dT%H:%M:%fZ', at / 1e6, 'unixepoch') AS at,
    cover_routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', cover_instant, 'unixepoch') AS cover_instant,
    zone
FROM skipped;
CREATE VIEW routines AS SELECT
    name,
    strftime('%Y-%m-%dT%H:%M:%fZ', known_since / 1e6, 'unixepoch') AS known_since,
    trigger, enabled, assumed,
    strftime('%Y-%m-%dT%H:%M:%SZ', last_success, 'unixepoch') AS last_success,
    strftime('%Y-%m-%dT%H:%M:%SZ', last_manual, 'unixepoch') AS last_manual,
    zone
FROM routine;
CREATE INDEX attempt_further ON attempt (ended_at)
    WHERE number > 1 AND ended_at IS NOT NULL;
CREATE VIEW tasks AS SELECT
    routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant, 'unixepoch') AS instant,
    zone, state, cause, reason, origin,
    strftime('%Y-%m-%dT%H:%M:%fZ', planned_at / 1e6, 'unixepoch') AS planned_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', changed_at / 1e6, 'unixepoch') AS changed_at,
    cover_routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', cover_instant, 'unixepoch') AS cover_instant,
    root_routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', root_instant, 'unixepoch') AS root_instant,
    by_hand, arguments, attempts, tries,
    strftime('%Y-%m-%dT%H:%M:%fZ', retry_at / 1e6, 'unixepoch') AS retry_at,
    is_overdue
FROM task;
CREATE VIEW attempts AS SELECT
    routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant, 'unixepoch') AS instant,
    number,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1e6, 'unixepoch') AS ended_at,
    outcome, code, signal, error, peak_memory, cpu_time, pid
FROM attempt;
CREATE VIEW pauses AS SELECT
    scope, name,
    strftime('%Y-%m-%dT%H:%M:%fZ', since / 1e6, 'unixepoch') AS since,
    strftime('%Y-%m-%dT%H:%M:%fZ', until / 1e6, 'unixepoch') AS until
FROM pause;
COMMIT;
