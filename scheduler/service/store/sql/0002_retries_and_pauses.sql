-- Retries, what is overdue, pauses, and what an attempt cost.

ALTER TABLE task ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;

ALTER TABLE task ADD COLUMN retry_at INTEGER;

ALTER TABLE task ADD COLUMN is_overdue INTEGER NOT NULL DEFAULT 0 CHECK (is_overdue IN (0, 1));

-- Until now nothing was tried again: what runs does so for the first time.
UPDATE task SET tries = 1
WHERE state = 'running' AND state IN ('waiting', 'blocked', 'ready', 'running');

ALTER TABLE attempt ADD COLUMN peak_memory INTEGER;  -- bytes

ALTER TABLE attempt ADD COLUMN cpu_time REAL;  -- seconds

-- Retries and what was run again: few among all.
CREATE INDEX attempt_further ON attempt (ended_at)
    WHERE number > 1 AND ended_at IS NOT NULL;

CREATE TABLE pause (
    scope TEXT    NOT NULL CHECK (scope IN ('all', 'tag', 'routine')),
    name  TEXT    NOT NULL,  -- of the tag or the routine
    since INTEGER NOT NULL,
    until INTEGER,
    PRIMARY KEY (scope, name)
) WITHOUT ROWID;

DROP VIEW tasks;

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

DROP VIEW attempts;

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
