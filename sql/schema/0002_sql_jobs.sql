-- SPDX-License-Identifier: PostgreSQL
-- What is kept of jobs that are made by SQL, beside chime.job: earlier definitions and schedules, when they are due
-- next, where they came from, and who may make how many.

-- What earlier runs ran by.
CREATE TABLE chime.job_past (
    job_id   bigint NOT NULL REFERENCES chime.job ON DELETE CASCADE,
    version  integer NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    owner    name NOT NULL,
    database name,
    command  text NOT NULL,
    PRIMARY KEY (job_id, version)
);
CREATE INDEX job_past_until ON chime.job_past (until);
COMMENT ON TABLE chime.job_past IS 'of jobs made by SQL that ran: definitions that were edited since; runs claimed from `since` up to `until` ran by it';

-- Schedules that were replaced, switched off or removed, until the leader has put on record what was due by them. One
-- that hears of an edit knows the old schedule itself; one that only begins to lead does not.
CREATE TABLE chime.expired_schedule (
    job_id   bigint NOT NULL REFERENCES chime.job ON DELETE CASCADE,
    version  integer NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    schedule text NOT NULL,
    options  jsonb NOT NULL,
    PRIMARY KEY (job_id, version)
);
COMMENT ON TABLE chime.expired_schedule IS
    'schedules that counted from `since` up to `until`, until what was due by them is on record; whoever moves chime.job.since leaves a row';
COMMENT ON COLUMN chime.expired_schedule.version IS 'of the job, the last one that had this schedule';
COMMENT ON COLUMN chime.expired_schedule.schedule IS 'empty: nothing was due, since the job had none or was switched off';

CREATE TABLE chime.next_slots (
    job_id     bigint PRIMARY KEY REFERENCES chime.job ON DELETE CASCADE,
    slots      timestamptz[] NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE chime.next_slots IS 'when each job made by SQL is due next, as the leader counted it at written_at; slots that have passed since are none';

CREATE TABLE chime.imported (
    source   text NOT NULL,
    jobid    bigint NOT NULL,
    job_id   bigint NOT NULL UNIQUE,
    state    text NOT NULL CHECK (state IN ('taking', 'taken', 'returning', 'returned')),
    at       timestamptz NOT NULL,
    job      jsonb NOT NULL,
    schedule text NOT NULL,
    active   boolean NOT NULL,
    options  jsonb NOT NULL,
    PRIMARY KEY (source, jobid)
);
COMMENT ON TABLE chime.imported IS 'jobs of pg_cron that were taken over, or are on their way';
COMMENT ON COLUMN chime.imported.source IS 'SERVER/DATABASE by the server''s identifier, or dump:FILE';
COMMENT ON COLUMN chime.imported.job_id IS 'of ours; while state is taking, the number that is kept for it';
COMMENT ON COLUMN chime.imported.at IS 'when it changed hands, by the clock of the source: slots up to then are the giver''s, later ones the taker''s';
COMMENT ON COLUMN chime.imported.job IS 'the row of cron.job as it was';
COMMENT ON COLUMN chime.imported.schedule IS 'of ours, at first; "active" and "options" likewise';

CREATE TABLE chime.login (
    role  name PRIMARY KEY,
    allow boolean,
    "user" name,
    max_jobs integer
);
COMMENT ON TABLE chime.login IS 'what the leader''s pgchime.conf says of roles; empty until one has led';
COMMENT ON COLUMN chime.login.role IS '*: all that have no row';
COMMENT ON COLUMN chime.login.allow IS 'true: whatever it may do; false: never; NULL: unless it has powers by which it could become another';
COMMENT ON COLUMN chime.login."user" IS 'as whom its jobs log in; NULL: as itself';
COMMENT ON COLUMN chime.login.max_jobs IS 'how many of its jobs are active at most; NULL: any number where allow is true, else what row "*" says, or 1000';

-- Each transaction that makes jobs writes the row of their owner, so that of two neither counts past the other. No one
-- else reads or writes it, so one that stays open holds up jobs that its own role makes, and nothing more.
CREATE TABLE chime.maker (
    role    name PRIMARY KEY,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
COMMENT ON TABLE chime.maker IS 'roles that made jobs by SQL; who makes one holds the row until the end of its transaction';
COMMENT ON COLUMN chime.maker.made_at IS 'when the last one was made, or woke up';
