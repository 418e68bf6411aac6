-- What a running task is to become once its processes are gone.  Which processes these are stands
-- in a file of the attempt's own, which outlives the scheduler: the columns pid and process_start
-- are of older versions.

ALTER TABLE task ADD COLUMN ending TEXT;

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
    is_overdue, ending
FROM task;

DROP VIEW attempts;

CREATE VIEW attempts AS SELECT
    routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant, 'unixepoch') AS instant,
    number,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1e6, 'unixepoch') AS ended_at,
    outcome, code, signal, error, peak_memory, cpu_time
FROM attempt;
