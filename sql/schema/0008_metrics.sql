-- SPDX-License-Identifier: PostgreSQL
-- Totals of runs, by minute, for ever and by job and day, so that no figure on a page or in a metric counts the
-- history; and what the leader alone knows. The leader writes all of it (sql/functions/totals.sql).

CREATE TABLE chime.tally (
    kind      chime.run_kind,
    state     chime.run_state,
    runs      bigint NOT NULL,
    busy_us   bigint NOT NULL,
    late_us   bigint NOT NULL,
    durations bigint[] NOT NULL CHECK (cardinality(durations) = 12),
    delays    bigint[] NOT NULL CHECK (cardinality(delays) = 12),
    PRIMARY KEY (kind, state)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE chime.tally IS
    'slots that the leader decided, since the ledger was made: one row for each kind and outcome. What people did in sessions of their own (pgchime refresh, backfill) is in the history alone';
COMMENT ON COLUMN chime.tally.runs IS 'slots that ended so, whatever log_runs keeps';
COMMENT ON COLUMN chime.tally.busy_us IS 'microseconds from start to end, of those that started';
COMMENT ON COLUMN chime.tally.late_us IS 'microseconds from slot to start, of those of a schedule that started, at their first attempt';
COMMENT ON COLUMN chime.tally.durations IS
    'how many of those in busy_us took at most 0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600, 3600 s, and how many more: each counts in one place';
COMMENT ON COLUMN chime.tally.delays IS
    'how many of those in late_us were late by at most 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300 s, and how many by more';

CREATE TABLE chime.minute (
    minute      timestamptz,
    state       chime.run_state,
    runs        bigint NOT NULL,
    busy_us     bigint NOT NULL,
    late_us     bigint NOT NULL,
    late_max_us bigint NOT NULL,
    partial     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (minute, state)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE chime.minute IS 'the same by minute of their end, for 400 days: seven rows a minute at most';
COMMENT ON COLUMN chime.minute.late_max_us IS 'of those in late_us';
COMMENT ON COLUMN chime.minute.partial IS
    'a leader went in this minute without a word: what ended in its last second may be missing here and in chime.tally, not in the ledger';

CREATE TABLE chime.job_day (
    job_id       bigint REFERENCES chime.job ON DELETE CASCADE,
    day          date,
    runs         bigint NOT NULL,
    succeeded    bigint NOT NULL,
    failed       bigint NOT NULL,
    skipped      bigint NOT NULL,
    missed       bigint NOT NULL,
    busy_us      bigint NOT NULL,
    p50_us       bigint,
    p95_us       bigint,
    max_us       bigint,
    late_p95_us  bigint,
    PRIMARY KEY (job_id, day)
);
COMMENT ON TABLE chime.job_day IS
    'each job''s slots of a day (UTC), summed up from the history in the two nights that follow it, for 400 days';
COMMENT ON COLUMN chime.job_day.runs IS 'that were not skipped; cancelled ones are in none of the other counts';
COMMENT ON COLUMN chime.job_day.failed IS 'failed, timed out or lost';
COMMENT ON COLUMN chime.job_day.missed IS 'a stretch of missed slots counts on the day of its last one';
COMMENT ON COLUMN chime.job_day.p50_us IS 'half of the runs that started took at most so long; p95_us: 95 of 100';
COMMENT ON COLUMN chime.job_day.late_p95_us IS 'from slot to start, as in chime.tally';

CREATE TABLE chime.totals (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    gaps     bigint NOT NULL DEFAULT 0,
    gap_at   timestamptz,
    next_day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date
) WITH (fillfactor = 50);
INSERT INTO chime.totals DEFAULT VALUES;
COMMENT ON TABLE chime.totals IS 'one row: how whole chime.tally and chime.minute are, and how far chime.job_day is';
COMMENT ON COLUMN chime.totals.gaps IS 'leaders that went without a word: each may have left what ended in its last second uncounted';
COMMENT ON COLUMN chime.totals.gap_at IS 'when the last of them was heard of last';
COMMENT ON COLUMN chime.totals.next_day IS 'every day before this one is in chime.job_day';

CREATE TABLE chime.pulse (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    at              timestamptz,
    epoch           bigint,
    jobs            integer,
    waiting         integer,
    oldest_due      timestamptz,
    waits           jsonb,
    sessions        integer,
    sessions_most   integer,
    pools           jsonb,
    next_slots      jsonb,
    loop_lag_us     bigint,
    cpu_us          bigint,
    resident_bytes  bigint,
    started_at      timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
INSERT INTO chime.pulse DEFAULT VALUES;
COMMENT ON TABLE chime.pulse IS
    'one row: what the leader alone knows, each second while a session named "pgchime web" is there. Old where `at` is: nobody looks, or nobody leads';
COMMENT ON COLUMN chime.pulse.epoch IS 'of the leader that wrote it';
COMMENT ON COLUMN chime.pulse.jobs IS 'in the leader''s schedule';
COMMENT ON COLUMN chime.pulse.waiting IS 'runs that are due and have not started; oldest_due: the earliest slot of them';
COMMENT ON COLUMN chime.pulse.waits IS '[{job_id, due, reason}]: the 20 that have waited longest';
COMMENT ON COLUMN chime.pulse.sessions IS 'for runs, that are open; sessions_most: of the daemon''s own role at most';
COMMENT ON COLUMN chime.pulse.pools IS '[{pool, used, limit}], as configured';
COMMENT ON COLUMN chime.pulse.next_slots IS '[{job_id, slot}]: the 50 that are due next';
COMMENT ON COLUMN chime.pulse.loop_lag_us IS 'how late the daemon''s timers fire: the longest since the pulse before';
COMMENT ON COLUMN chime.pulse.cpu_us IS 'that the daemon''s process took since started_at, for all its databases';

ALTER TABLE chime.job_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON chime.job_day FOR SELECT
    USING (EXISTS (SELECT FROM chime.job j WHERE j.job_id = job_day.job_id AND j.owner = current_user));
CREATE POLICY backup ON chime.job_day FOR SELECT TO pg_read_all_data USING (true);
