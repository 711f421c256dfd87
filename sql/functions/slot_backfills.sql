-- SPDX-License-Identifier: PostgreSQL
-- Backfills of slots: asked for by people, fed by the leader with the slots of the schedule, counted as their runs end.

CREATE OR REPLACE FUNCTION chime.begin_slot_backfill(p_job bigint, p_from timestamptz, p_to timestamptz, p_only text, p_by name DEFAULT session_user)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_job chime.job;
    v_id bigint;
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    SELECT * INTO v_job FROM chime.job j WHERE j.job_id = p_job;
    IF v_job.views <> '{}' THEN
        RAISE EXCEPTION 'job % refreshes views, and has no slots to do again', v_job.name USING ERRCODE = 'invalid_parameter_value',
            HINT = 'pgchime backfill computes groups of its views again';
    ELSIF v_job.options ->> 'cursor' IN ('interval', 'sequence', 'chunk') THEN
        RAISE EXCEPTION 'job % goes on where it was, and does no slot again', v_job.name USING ERRCODE = 'invalid_parameter_value',
            HINT = format('SELECT chime.set_pipeline_position(%s, ...) lets it begin earlier', p_job);
    ELSIF v_job.schedule = '' OR v_job.schedule ~ '^@(after|at|reboot|restart)' THEN
        RAISE EXCEPTION 'job % has no slots that are known beforehand', v_job.name USING ERRCODE = 'invalid_parameter_value',
            HINT = 'a backfill needs a schedule of fields, of "N seconds" or of @every; chime.run_now runs the job once';
    ELSIF NOT v_job.active THEN
        RAISE EXCEPTION 'job % is not active', v_job.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'a job of SQL is made active by chime.alter_job, one of conf.d by enabled = true';
    ELSIF p_from IS NULL OR p_to IS NULL OR p_to <= p_from OR p_from < '0001-01-02Z' THEN
        RAISE EXCEPTION 'a backfill needs a time to begin with and a later one to end before' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name both: the slots are those in [from, to)';
    ELSIF p_to > clock_timestamp() THEN
        RAISE EXCEPTION 'a backfill ends in the past, and % is not', p_to USING ERRCODE = 'invalid_parameter_value',
            HINT = 'slots to come are the schedule''s';
    ELSIF coalesce(p_only, 'all') NOT IN ('all', 'missing', 'failed') THEN
        RAISE EXCEPTION 'there are no slots of sort "%"', p_only USING ERRCODE = 'invalid_parameter_value', HINT = 'write all, missing or failed';
    END IF;
    INSERT INTO chime.slot_backfill (job_id, from_at, to_at, only_slots, position, requested_by)
    VALUES (p_job, p_from, p_to, coalesce(p_only, 'all'), p_from - interval '1 microsecond', p_by)
    ON CONFLICT (job_id) WHERE ended_at IS NULL DO NOTHING RETURNING backfill_id INTO v_id;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'a backfill of job % is under way', v_job.name USING ERRCODE = 'object_in_use',
            HINT = format('it goes on by itself; SELECT chime.cancel_backfill(%s) ends it', p_job);
    END IF;
    RETURN v_id;
END $$;
COMMENT ON FUNCTION chime.begin_slot_backfill IS 'asks the leader to do slots of a job again; the number of the backfill';

CREATE OR REPLACE FUNCTION chime.cancel_slot_backfill(p_job bigint, p_by name DEFAULT session_user) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE chime.slot_backfill b SET is_fed = true, cancelled_by = coalesce(b.cancelled_by, p_by) WHERE b.job_id = p_job AND b.ended_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'run' AND q.kind = 'backfill';
    PERFORM chime.cancel_run(r.run_id, 'its backfill was cancelled', p_by) FROM chime.run r WHERE r.job_id = p_job AND r.kind = 'backfill' AND r.done_at IS NULL;
    RETURN true;
END $$;
COMMENT ON FUNCTION chime.cancel_slot_backfill IS 'ends the open backfill of a job: what was asked for is withdrawn, its run is cancelled; false when there is none';

-- A slot is that instant, and some microseconds more for each earlier backfill of it.
CREATE OR REPLACE FUNCTION chime.backfill_wants(p_job bigint, p_slot timestamptz, p_only text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN CASE p_only
    WHEN 'all' THEN true
    ELSE (SELECT CASE p_only WHEN 'missing' THEN count(*) FILTER (WHERE h.state NOT IN ('skipped', 'missed')) = 0
                             ELSE count(*) FILTER (WHERE h.state IN ('failed', 'timed_out', 'cancelled', 'lost')) > 0
                                  AND count(*) FILTER (WHERE h.state = 'succeeded') = 0 END
          FROM chime.run_history h
          WHERE h.job_id = p_job AND h.kind IN ('schedule', 'backfill') AND h.slot >= p_slot AND h.slot < p_slot + interval '1 ms')
         AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = p_job AND r.kind = 'schedule' AND r.slot = p_slot) END;
COMMENT ON FUNCTION chime.backfill_wants IS 'whether a slot is of that sort: all, missing (nothing ran for it) or failed (it ran, and never succeeded)';

CREATE OR REPLACE FUNCTION chime.backfill_slot(p_job bigint, p_slot timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN (SELECT greatest(p_slot, max(h.slot) + interval '1 microsecond')
        FROM (SELECT h.slot FROM chime.run_history h WHERE h.job_id = p_job AND h.kind = 'backfill' AND h.slot >= p_slot AND h.slot < p_slot + interval '1 ms'
              UNION ALL
              SELECT r.slot FROM chime.run r WHERE r.job_id = p_job AND r.kind = 'backfill' AND r.slot >= p_slot AND r.slot < p_slot + interval '1 ms') h);
COMMENT ON FUNCTION chime.backfill_slot IS 'the slot that a further backfill of a slot has in the ledger';

-- The leader calls this for a backfill that chime.open_requests named. p_slots: those of the schedule that follow
-- p_position. p_last: no more have fallen due.
CREATE OR REPLACE FUNCTION chime.feed_slot_backfill(p_token uuid, p_backfill bigint, p_position timestamptz, p_slots timestamptz[], p_last boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_backfill chime.slot_backfill;
    v_slot timestamptz;
    v_asked bigint := 0;
    v_passed bigint := 0;
BEGIN
    PERFORM chime.require_leader(p_token);
    SELECT * INTO v_backfill FROM chime.slot_backfill b WHERE b.backfill_id = p_backfill AND b.position = p_position AND b.ended_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    ELSIF v_backfill.is_fed THEN
        UPDATE chime.slot_backfill b SET ended_at = clock_timestamp()
         WHERE b.backfill_id = p_backfill AND NOT chime.backfill_goes_on(v_backfill.job_id);
        RETURN;
    END IF;
    FOREACH v_slot IN ARRAY p_slots LOOP
        EXIT WHEN v_slot >= v_backfill.to_at;
        v_backfill.position := v_slot;
        IF chime.backfill_wants(v_backfill.job_id, v_slot, v_backfill.only_slots) THEN
            INSERT INTO chime.request (job_id, kind, slot, requested_by)
            VALUES (v_backfill.job_id, 'backfill', chime.backfill_slot(v_backfill.job_id, v_slot), v_backfill.requested_by)
            ON CONFLICT (job_id, verb, kind, slot, requested_by) DO NOTHING;
            v_asked := v_asked + 1;
        ELSE
            v_passed := v_passed + 1;
        END IF;
    END LOOP;
    UPDATE chime.slot_backfill b
       SET position = v_backfill.position, asked = b.asked + v_asked, passed = b.passed + v_passed,
           is_fed = p_last OR v_slot >= v_backfill.to_at,
           ended_at = CASE WHEN (p_last OR v_slot >= v_backfill.to_at) AND v_asked = 0 AND NOT chime.backfill_goes_on(v_backfill.job_id)
                           THEN clock_timestamp() END
     WHERE b.backfill_id = p_backfill;
END $$;
COMMENT ON FUNCTION chime.feed_slot_backfill IS 'the leader asks for the next slots of a backfill, or ends it where all of them have ended';

-- Of runs that ended, in the transaction in which they leave chime.run: each is counted once.
CREATE OR REPLACE FUNCTION chime.count_backfilled(p_job bigint, p_state chime.run_state) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    UPDATE chime.slot_backfill b
       SET done = b.done + CASE p_state WHEN 'succeeded' THEN 1 ELSE 0 END, failed = b.failed + CASE p_state WHEN 'succeeded' THEN 0 ELSE 1 END
     WHERE b.job_id = p_job AND b.ended_at IS NULL;
END;
COMMENT ON FUNCTION chime.count_backfilled IS 'counts a run that ended in the open backfill of its job';

CREATE OR REPLACE VIEW chime.slot_backfills WITH (security_invoker = true) AS
SELECT b.backfill_id, j.name AS job, b.job_id, b.from_at, b.to_at, b.only_slots,
       CASE WHEN b.ended_at IS NULL THEN 'running' WHEN b.cancelled_by IS NOT NULL THEN 'cancelled' ELSE 'ended' END AS state,
       b.asked, b.done, b.failed, b.asked - b.done - b.failed AS remaining, b.passed, b.position, b.requested_by, b.requested_at, b.cancelled_by, b.ended_at
FROM chime.slot_backfill b JOIN chime.job j USING (job_id);
COMMENT ON VIEW chime.slot_backfills IS 'backfills of slots, with what they have done; remaining: slots that were asked for and have not ended';
