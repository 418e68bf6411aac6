-- The questions.  Each one is answered from an index, whatever the size of the tables.  A partial
-- index serves only where its own condition is repeated; INDEXED BY where the planner, which
-- knows nothing of how rare a state is, would rather look at each task of a routine.

-- name: tasks with attempts
-- What another statement finds of the table task, a row for each attempt.
SELECT
    t.routine, t.instant, t.zone, t.state, t.cause, t.reason, t.origin,
    t.planned_at, t.changed_at, t.place,
    t.cover_routine, t.cover_instant, t.cover_zone, t.root_routine, t.root_instant, t.root_zone,
    t.by_hand, t.arguments, t.stand_ins, t.attempts, t.tries, t.retry_at, t.is_overdue,
    t.ending,
    a.number, a.started_at, a.ended_at, a.outcome, a.code, a.signal, a.error,
    a.peak_memory, a.cpu_time
FROM ({found}) AS t
LEFT JOIN attempt AS a ON a.routine = t.routine AND a.instant = t.instant
ORDER BY {order}, a.number

-- name: task
SELECT * FROM task WHERE routine = ? AND instant = ?

-- name: live
SELECT * FROM task WHERE state IN ('waiting', 'blocked', 'ready', 'running')

-- name: tasks since
SELECT * FROM task WHERE routine = ? AND instant >= ?

-- name: early
SELECT * FROM task INDEXED BY task_by_instant WHERE instant > ?

-- name: newest
SELECT * FROM task WHERE routine = ? AND cause <> 'covered' ORDER BY instant DESC LIMIT 1

-- name: last ended
SELECT * FROM task INDEXED BY task_tried
WHERE routine = ?
    AND attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
ORDER BY instant DESC LIMIT 1

-- name: last ended of all
-- From routine to routine by the index: to look at each of their tasks would take too long.
WITH RECURSIVE name (routine) AS (
    SELECT min(routine) FROM task INDEXED BY task_tried
    WHERE attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
    UNION ALL
    SELECT (
        SELECT min(task.routine) FROM task INDEXED BY task_tried
        WHERE attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
            AND task.routine > name.routine
    ) FROM name WHERE name.routine IS NOT NULL
)
SELECT task.* FROM name CROSS JOIN task
WHERE task.routine = name.routine AND task.instant = (
    SELECT max(instant) FROM task INDEXED BY task_tried
    WHERE attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
        AND task.routine = name.routine
)

-- name: failed
-- Those since an instant; or without one, those since their routine's last success, and those that
-- something is blocked by.
WITH RECURSIVE name (routine) AS (
    SELECT min(routine) FROM task INDEXED BY task_failed WHERE state = 'failed'
    UNION ALL
    SELECT (
        SELECT min(task.routine) FROM task INDEXED BY task_failed
        WHERE state = 'failed' AND task.routine > name.routine
    ) FROM name WHERE name.routine IS NOT NULL
)
SELECT task.* FROM name CROSS JOIN task INDEXED BY task_failed
WHERE task.state = 'failed' AND task.routine = name.routine AND task.instant >= coalesce(
    ?1,
    (SELECT last_success + 1 FROM routine WHERE routine.name = name.routine),
    -9223372036854775808
)
UNION
SELECT root.* FROM task INDEXED BY task_live
JOIN task AS root ON root.routine = task.root_routine AND root.instant = task.root_instant
WHERE task.state IN ('waiting', 'blocked', 'ready', 'running') AND task.state = 'blocked'
    AND root.state = 'failed' AND ?1 IS NULL

-- name: recent ends
SELECT routine, instant, number FROM attempt WHERE ended_at IS NOT NULL
ORDER BY ended_at DESC, routine DESC, instant DESC, number DESC LIMIT ?

-- name: redone
-- From the index alone: to look up how each of them ended takes as long as all the rest of a status.
SELECT routine, instant, number FROM attempt INDEXED BY attempt_further
WHERE number > 1 AND ended_at IS NOT NULL
ORDER BY ended_at DESC, routine DESC, instant DESC, number DESC LIMIT ?

-- name: durations
-- In microseconds.
SELECT a.ended_at - a.started_at FROM (
    SELECT routine, instant FROM task INDEXED BY task_tried
    WHERE routine = ? AND state = 'succeeded'
        AND attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
    ORDER BY instant DESC LIMIT ?
) AS t
JOIN attempt AS a ON a.routine = t.routine AND a.instant = t.instant AND a.number = (
    SELECT max(number) FROM attempt WHERE routine = t.routine AND instant = t.instant
)
WHERE a.ended_at IS NOT NULL
ORDER BY t.instant DESC

-- name: run of
-- Runs of a routine do not overlap: no other can hold the instant.
SELECT
    routine, first, last, count, cause, reason, at, cover_routine, cover_instant, cover_zone, zone
FROM skipped WHERE routine = ? AND first <= ? ORDER BY first DESC LIMIT 1

-- name: runs since
SELECT
    routine, first, last, count, cause, reason, at, cover_routine, cover_instant, cover_zone, zone
FROM skipped WHERE routine = ? AND last >= ? ORDER BY last

-- name: early runs
SELECT
    routine, first, last, count, cause, reason, at, cover_routine, cover_instant, cover_zone, zone
FROM skipped INDEXED BY skipped_by_last WHERE last > ? ORDER BY last, routine

-- name: skipped
SELECT
    routine, first, last, count, cause, reason, at, cover_routine, cover_instant, cover_zone, zone
FROM skipped WHERE {conditions} ORDER BY last DESC, routine DESC LIMIT ?

-- name: routines
SELECT name, known_since, trigger, enabled, assumed, last_success, last_manual, zone
FROM routine ORDER BY name

-- name: routine
SELECT name, known_since, trigger, enabled, assumed, last_success, last_manual, zone
FROM routine WHERE name = ?

-- name: ahead
SELECT routine, instant, zone FROM ahead ORDER BY instant, routine

-- name: pauses
SELECT scope, name, since, until FROM pause ORDER BY scope, name

-- name: planned until
SELECT until FROM planned

-- name: tally
SELECT state, count FROM tally

-- name: sources
SELECT path, data FROM registry_source ORDER BY position

-- name: note
SELECT value FROM note WHERE key = ?
