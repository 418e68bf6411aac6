-- All that the one writer does, each part of a transaction.

-- name: known task
SELECT state, attempts FROM task WHERE routine = ? AND instant = ?

-- name: add task
INSERT INTO task (
    routine, instant, zone, state, cause, reason, origin, planned_at, changed_at, place,
    cover_routine, cover_instant, cover_zone, root_routine, root_instant, root_zone,
    by_hand, arguments, stand_ins, attempts, tries, retry_at, is_overdue, ending
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: change task
UPDATE task SET
    zone = ?, state = ?, cause = ?, reason = ?, origin = ?,
    planned_at = ?, changed_at = ?, place = ?,
    cover_routine = ?, cover_instant = ?, cover_zone = ?,
    root_routine = ?, root_instant = ?, root_zone = ?,
    by_hand = ?, arguments = ?, stand_ins = ?, attempts = ?,
    tries = ?, retry_at = ?, is_overdue = ?, ending = ?
WHERE routine = ? AND instant = ?

-- name: keep attempt
INSERT INTO attempt (
    routine, instant, number, started_at, ended_at, outcome, code, signal, error,
    peak_memory, cpu_time
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (routine, instant, number) DO UPDATE SET
    started_at = excluded.started_at, ended_at = excluded.ended_at, outcome = excluded.outcome,
    code = excluded.code, signal = excluded.signal, error = excluded.error,
    peak_memory = excluded.peak_memory, cpu_time = excluded.cpu_time

-- name: forget attempts
DELETE FROM attempt WHERE routine = ? AND instant = ? AND number > ?

-- name: known run
SELECT count FROM skipped WHERE routine = ? AND first = ?

-- name: keep run
INSERT INTO skipped (
    routine, first, last, count, cause, reason, at, cover_routine, cover_instant, cover_zone, zone
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (routine, first) DO UPDATE SET
    last = excluded.last, count = excluded.count, cause = excluded.cause,
    reason = excluded.reason, at = excluded.at, cover_routine = excluded.cover_routine,
    cover_instant = excluded.cover_instant, cover_zone = excluded.cover_zone, zone = excluded.zone

-- name: forget run
DELETE FROM skipped WHERE routine = ? AND first = ?

-- name: keep routine
INSERT INTO routine (
    name, known_since, trigger, enabled, assumed, last_success, last_manual, zone
) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET
    known_since = excluded.known_since, trigger = excluded.trigger, enabled = excluded.enabled,
    assumed = excluded.assumed, last_success = excluded.last_success,
    last_manual = excluded.last_manual, zone = excluded.zone

-- name: keep planned until
INSERT INTO planned (one, until) VALUES (1, ?)
ON CONFLICT (one) DO UPDATE SET until = excluded.until

-- name: keep ahead
INSERT INTO ahead (routine, instant, zone) VALUES (?, ?, ?)
ON CONFLICT (routine, instant) DO UPDATE SET zone = excluded.zone

-- name: forget ahead
DELETE FROM ahead WHERE routine = ? AND instant = ?

-- name: keep pause
INSERT INTO pause (scope, name, since, until) VALUES (?, ?, ?, ?)
ON CONFLICT (scope, name) DO UPDATE SET since = excluded.since, until = excluded.until

-- name: forget pause
DELETE FROM pause WHERE scope = ? AND name = ?

-- name: count
UPDATE tally SET count = count + ? WHERE state = ?

-- name: keep note
INSERT INTO note (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: forget sources
DELETE FROM registry_source

-- name: keep source
INSERT INTO registry_source (position, path, data) VALUES (?, ?, ?)

-- name: routine with tasks
-- The first one after a name: from one to the next by the key.
SELECT min(routine) FROM task WHERE routine > ?

-- name: oldest to keep
SELECT instant FROM task WHERE routine = ? ORDER BY instant DESC LIMIT 1 OFFSET ?

-- name: old tasks
SELECT state, routine, instant FROM task
WHERE routine = ? AND instant < ? AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
    AND instant IS NOT (SELECT last_success FROM routine WHERE name = task.routine)
ORDER BY instant LIMIT ?

-- name: forget task
DELETE FROM task WHERE routine = ? AND instant = ?

-- name: old runs
SELECT count, routine, first FROM skipped WHERE last < ? ORDER BY last LIMIT ?
