-- Instants are whole seconds since 1970-01-01 UTC, all other times microseconds.  The views at the
-- end show both as ISO 8601: read those.

-- Tells this database from any other: "schd".
PRAGMA application_id = 0x73636864;

CREATE TABLE migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL
);

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
    attempts      INTEGER NOT NULL,  -- how many there are in the table of that name
    PRIMARY KEY (routine, instant)
) WITHOUT ROWID;

-- Tasks of all routines by instant.
CREATE INDEX task_by_instant ON task (instant);

-- The few that matter now.
CREATE INDEX task_live ON task (instant)
    WHERE state IN ('waiting', 'blocked', 'ready', 'running');

-- The rarer ends; succeeded ones are found among all.
CREATE INDEX task_unsuccessful ON task (state, instant)
    WHERE state IN ('failed', 'cancelled', 'skipped');

CREATE INDEX task_failed ON task (routine, instant)
    WHERE state = 'failed';

-- What ran: a routine may have any number of tasks that were skipped or cancelled since.
CREATE INDEX task_tried ON task (routine, instant)
    WHERE attempts > 0 AND state IN ('succeeded', 'failed', 'cancelled', 'skipped');

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
    process_start REAL,  -- seconds since the epoch, as the system tells it
    PRIMARY KEY (routine, instant, number),
    FOREIGN KEY (routine, instant) REFERENCES task ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX attempt_by_end ON attempt (ended_at)
    WHERE ended_at IS NOT NULL;

-- Runs of skipped instants.
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

CREATE INDEX skipped_by_last ON skipped (last);

CREATE INDEX skipped_of_routine_by_last ON skipped (routine, last);

-- How many tasks and skipped instants there are in each state: to count them would take seconds.
CREATE TABLE tally (
    state TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) WITHOUT ROWID;

INSERT INTO tally VALUES
    ('waiting', 0), ('blocked', 0), ('ready', 0), ('running', 0),
    ('succeeded', 0), ('failed', 0), ('cancelled', 0), ('skipped', 0);

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

-- Tasks to be cancelled when their instants come.
CREATE TABLE ahead (
    routine TEXT    NOT NULL,
    instant INTEGER NOT NULL,
    zone    TEXT    NOT NULL,
    PRIMARY KEY (routine, instant)
) WITHOUT ROWID;

-- Up to when each instant has its fate; one row, or none.
CREATE TABLE planned (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    until INTEGER NOT NULL
);

CREATE TABLE note (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The files of the last registry that loaded, its own first.
CREATE TABLE registry_source (
    position INTEGER PRIMARY KEY,
    path     TEXT NOT NULL,
    data     BLOB NOT NULL
);

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
    by_hand, arguments, attempts
FROM task;

CREATE VIEW attempts AS SELECT
    routine,
    strftime('%Y-%m-%dT%H:%M:%SZ', instant, 'unixepoch') AS instant,
    number,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1e6, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1e6, 'unixepoch') AS ended_at,
    outcome, code, signal, error, pid
FROM attempt;

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
