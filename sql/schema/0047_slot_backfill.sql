-- SPDX-License-Identifier: PostgreSQL
-- Backfills of slots (docs/adr/0047-backfills-of-slots.md).

CREATE TABLE chime.slot_backfill (
    backfill_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id       bigint NOT NULL REFERENCES chime.job ON DELETE CASCADE,
    from_at      timestamptz NOT NULL CHECK (from_at BETWEEN '0001-01-02Z' AND '9999-12-31Z'),
    to_at        timestamptz NOT NULL CHECK (to_at > from_at AND to_at <= '9999-12-31Z'),
    only_slots   text NOT NULL DEFAULT 'all' CHECK (only_slots IN ('all', 'missing', 'failed')),
    position     timestamptz NOT NULL,
    is_fed       boolean NOT NULL DEFAULT false,
    asked        bigint NOT NULL DEFAULT 0,
    passed       bigint NOT NULL DEFAULT 0,
    done         bigint NOT NULL DEFAULT 0,
    failed       bigint NOT NULL DEFAULT 0,
    requested_by name NOT NULL DEFAULT session_user,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled_by name,
    ended_at     timestamptz
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX slot_backfill_open ON chime.slot_backfill (job_id) WHERE ended_at IS NULL;
CREATE INDEX slot_backfill_job ON chime.slot_backfill (job_id, backfill_id);
COMMENT ON TABLE chime.slot_backfill IS 'slots of a schedule that are done again: one open at most for each job';
COMMENT ON COLUMN chime.slot_backfill.from_at IS 'with to_at: the slots in [from_at, to_at)';
COMMENT ON COLUMN chime.slot_backfill.only_slots IS 'missing: those for which nothing ran; failed: those that ran and never succeeded';
COMMENT ON COLUMN chime.slot_backfill.position IS 'each slot up to it was looked at';
COMMENT ON COLUMN chime.slot_backfill.is_fed IS 'no further slot will be asked for';
COMMENT ON COLUMN chime.slot_backfill.asked IS 'slots that became runs, or will; those that are neither done nor failed once it has ended were cancelled';
COMMENT ON COLUMN chime.slot_backfill.passed IS 'slots that were not wanted';
COMMENT ON COLUMN chime.slot_backfill.done IS 'runs that succeeded';
COMMENT ON COLUMN chime.slot_backfill.failed IS 'runs that ended in any other way';

ALTER TABLE chime.slot_backfill ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON chime.slot_backfill FOR SELECT
    USING (EXISTS (SELECT FROM chime.job j WHERE j.job_id = slot_backfill.job_id AND j.owner = current_user));
CREATE POLICY backup ON chime.slot_backfill FOR SELECT TO pg_read_all_data USING (true);
