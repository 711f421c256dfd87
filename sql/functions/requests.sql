-- SPDX-License-Identifier: PostgreSQL
-- What people ask of the leader: runs, cancelling, suspending and resuming; and what it asks of itself for views that
-- were never filled.

CREATE OR REPLACE FUNCTION chime.note_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.owner := coalesce((SELECT j.owner FROM chime.job j WHERE j.job_id = NEW.job_id), '');
    NEW.run_id := CASE WHEN NEW.verb = 'run' THEN nextval('chime.run_id') END;
    RETURN NEW;
END $$;
COMMENT ON ROUTINE chime.note_request IS 'writes down whose job a request is of';
CREATE OR REPLACE TRIGGER note_request BEFORE INSERT ON chime.request FOR EACH ROW EXECUTE FUNCTION chime.note_request();

CREATE OR REPLACE FUNCTION chime.told(p_done text, p_by text, p_reason text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN concat_ws(': ', p_done || coalesce(' by ' || p_by, ''), p_reason);
COMMENT ON FUNCTION chime.told IS 'how a request reads as a reason: "suspended by ann: too noisy"';

CREATE OR REPLACE FUNCTION chime.refuse_unknown(p_job bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM chime.job_state s WHERE s.job_id = p_job) THEN
        RAISE EXCEPTION 'there is no job %', coalesce(p_job::text, 'NULL') USING ERRCODE = 'no_data_found',
            HINT = 'see: SELECT job_id, name FROM chime.job_status';
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_unknown IS 'raises when there is no such job, or it is not active';

CREATE OR REPLACE FUNCTION chime.suspension(p_job bigint)
RETURNS TABLE (suspended boolean, suspended_until timestamptz, suspended_by text, reason text, granted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
    SELECT x.suspended, x.suspended_until, x.suspended_by, x.reason, x.request_id = 0
    FROM (SELECT q.request_id, q.verb = 'suspend' AS suspended, q.until AS suspended_until,
                 CASE q.verb WHEN 'suspend' THEN q.requested_by::text END AS suspended_by,
                 CASE q.verb WHEN 'suspend' THEN q.reason END AS reason
          FROM (SELECT * FROM chime.request w WHERE w.job_id = p_job OFFSET 0) q WHERE q.verb IN ('suspend', 'resume')
          UNION ALL
          SELECT 0, s.suspended_at IS NOT NULL, s.suspended_until, s.suspended_by, s.suspend_reason
          FROM chime.job_state s WHERE s.job_id = p_job) x
    ORDER BY x.request_id DESC LIMIT 1;
$$;
COMMENT ON FUNCTION chime.suspension IS
    'what is in force once the leader has done all that was asked for; granted: it is already';

-- The leader reads everything as UTF8, and one text that it cannot read would keep it from the others.
CREATE OR REPLACE FUNCTION chime.utf8_fault(p_text text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        PERFORM convert_to(p_text, 'UTF8');
    END IF;
    RETURN NULL;
EXCEPTION WHEN untranslatable_character OR character_not_in_repertoire THEN
    RETURN format('it has a character that UTF8 has not: %s', SQLERRM);
END $$;
COMMENT ON ROUTINE chime.utf8_fault IS 'why a text cannot be read as UTF8; NULL: it can';

-- Where texts are any bytes (SQL_ASCII) one that is cut may end within a character, and of an answer that has it the
-- server sends nothing.
CREATE OR REPLACE FUNCTION chime.sendable(p_text text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN chime.utf8_fault(p_text) IS NULL THEN p_text
            WHEN chime.utf8_fault(regexp_replace(p_text, '[\xC0-\xFF][\x80-\xBF]*$', '')) IS NULL THEN regexp_replace(p_text, '[\xC0-\xFF][\x80-\xBF]*$', '')
            ELSE regexp_replace(p_text, '[^\x01-\x7F]', '?', 'g') END;
COMMENT ON FUNCTION chime.sendable IS 'a text that can be read as UTF8: without a last character that was cut, or with ? for all that is no ASCII';

CREATE OR REPLACE FUNCTION chime.read_reason(p_reason text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_fault text := CASE WHEN octet_length(p_reason) > 4096 THEN format('it has %s bytes, more than 4096', octet_length(p_reason))
                         ELSE chime.utf8_fault(p_reason) END;
BEGIN
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION 'this reason cannot be kept: %', v_fault USING ERRCODE = 'program_limit_exceeded', HINT = 'write a sentence';
    END IF;
    RETURN nullif(p_reason, '');
END $$;
COMMENT ON FUNCTION chime.read_reason IS 'a reason as it is kept: NULL for none, an error for one that is too long';

-- The leader alone writes suspensions down, as it grants the request: a transaction that stays open after its request
-- must not hold a row that every claim needs.
CREATE OR REPLACE FUNCTION chime.suspend(p_job bigint, p_reason text DEFAULT NULL, p_until timestamptz DEFAULT NULL, p_by name DEFAULT session_user) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_reason text := chime.read_reason(p_reason);
    v_until timestamptz := CASE WHEN p_until <= '9999-12-31Z' THEN p_until END;
BEGIN
    IF p_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'a suspension cannot end at %, which is in the past', p_until USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name a time in the future, or none: then it lasts until chime.resume';
    END IF;
    PERFORM chime.refuse_unknown(p_job);
    INSERT INTO chime.request (job_id, verb, kind, slot, reason, until, requested_by)
    SELECT p_job, 'suspend', NULL, NULL, v_reason, v_until, p_by FROM chime.suspension(p_job) s
    WHERE NOT s.suspended OR (s.suspended_until, s.reason) IS DISTINCT FROM (v_until, v_reason);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.suspend IS
    'nothing of the job starts from the leader''s next heartbeat on, or its start; a live run goes on. Again: another reason or end. True when that changes something';

CREATE OR REPLACE FUNCTION chime.resume(p_job bigint, p_reason text DEFAULT NULL, p_by name DEFAULT session_user) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    INSERT INTO chime.request (job_id, verb, kind, slot, reason, requested_by)
    SELECT p_job, 'resume', NULL, NULL, chime.read_reason(p_reason), p_by FROM chime.suspension(p_job) s WHERE s.suspended;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.resume IS
    'asks the leader to end a suspension; it records the slots since as missed. True when that changes something';

-- It says nothing of whose run it is: chime.cancel asks for that (0022).
CREATE OR REPLACE FUNCTION chime.cancel_run(p_run bigint, p_reason text DEFAULT NULL, p_by name DEFAULT session_user) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_run chime.run;
BEGIN
    DELETE FROM chime.request q WHERE q.run_id = p_run;
    IF FOUND THEN
        RETURN true;
    END IF;
    SELECT * INTO v_run FROM chime.run r WHERE r.run_id = p_run AND r.done_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO chime.request (job_id, verb, kind, slot, reason, requested_by)
    VALUES (v_run.job_id, 'cancel', v_run.kind, v_run.slot, chime.read_reason(p_reason), p_by)
    ON CONFLICT (job_id, verb, kind, slot, requested_by) DO NOTHING;
    RETURN true;
END $$;
COMMENT ON FUNCTION chime.cancel_run IS
    'asks the leader to end a live run, whoever owns it, waiting for its next attempt included, or withdraws one that was asked for and has not begun; false when there is no such run';

CREATE OR REPLACE FUNCTION chime.backfill_goes_on(p_job bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'run' AND q.kind = 'backfill')
       OR EXISTS (SELECT FROM chime.run r WHERE r.job_id = p_job AND r.kind = 'backfill');
COMMENT ON FUNCTION chime.backfill_goes_on IS 'whether slots that a backfill of the job asked for have not ended';

-- Read-only, every second. Conditions on jobs are single values, looked up row by row: a join, planned while nothing
-- was known of these columns, may read all jobs.
CREATE OR REPLACE FUNCTION chime.open_requests()
RETURNS TABLE (request_id bigint, verb text, job_id bigint, kind chime.run_kind, slot timestamptz, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT q.request_id, q.verb, q.job_id, q.kind, q.slot,
           CASE q.verb WHEN 'cancel' THEN chime.told('cancelled', q.requested_by, q.reason)
                       WHEN 'suspend' THEN chime.told('suspended', q.requested_by, q.reason)
                       WHEN 'resume' THEN chime.told('resumed', q.requested_by, q.reason)
                       WHEN 'begin' THEN chime.told('begun anew', q.requested_by, q.reason) END
    FROM chime.request q WHERE q.verb <> 'run' ORDER BY q.request_id;
    -- A backfill has room for further slots, or all of it has ended. Its number, and how far it has come.
    RETURN QUERY
    SELECT b.backfill_id, 'backfill', b.job_id, NULL::chime.run_kind, b.position, NULL
    FROM chime.slot_backfill b
    WHERE b.ended_at IS NULL
      AND CASE WHEN b.is_fed THEN NOT chime.backfill_goes_on(b.job_id)
               ELSE (SELECT count(*) FROM (SELECT w.verb, w.kind FROM chime.request w WHERE w.job_id = b.job_id OFFSET 0) q
                     WHERE q.verb = 'run' AND q.kind = 'backfill') < 100 END
    ORDER BY b.backfill_id LIMIT 100;
    -- The owners one after the other by the index, and of each no more than can be taken.
    RETURN QUERY
    WITH RECURSIVE owners AS (
        (SELECT q.owner FROM chime.request q WHERE q.verb = 'run' ORDER BY q.owner LIMIT 1)
        UNION ALL
        SELECT (SELECT q.owner FROM chime.request q WHERE q.verb = 'run' AND q.owner > o.owner ORDER BY q.owner LIMIT 1)
        FROM owners o WHERE o.owner IS NOT NULL
    )
    SELECT r.request_id, CASE WHEN r.forced THEN 'force' ELSE r.verb END, r.job_id, r.kind, r.slot, NULL
    FROM owners o CROSS JOIN LATERAL (
        SELECT q.*, row_number() OVER (ORDER BY q.request_id) AS turn
        FROM (SELECT w.* FROM chime.request w
              WHERE w.verb = 'run' AND w.owner = o.owner
                AND (SELECT j.active AND (s.suspended_at IS NULL OR w.forced)
                     FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id WHERE j.job_id = w.job_id)
              ORDER BY w.request_id LIMIT 1000) q) r
    ORDER BY r.turn, r.request_id LIMIT 1000;
    -- A suspension that is to be another one is not over.
    RETURN QUERY
    SELECT 0::bigint, 'resume', s.job_id, NULL::chime.run_kind, s.suspended_until,
           format('the suspension by %s until %s UTC is over', s.suspended_by,
                  to_char(s.suspended_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
    FROM chime.job_state s
    WHERE s.suspended_until <= now() AND (SELECT j.active FROM chime.job j WHERE j.job_id = s.job_id)
      AND NOT EXISTS (SELECT FROM (SELECT w.verb FROM chime.request w WHERE w.job_id = s.job_id OFFSET 0) q WHERE q.verb IN ('suspend', 'resume'))
    ORDER BY s.suspended_until LIMIT 1000;
END $$;
COMMENT ON FUNCTION chime.open_requests IS
    'what waits for the leader, in the order it was asked for, runs last, their owners by turns; request 0: a suspension whose time was over at slot';

CREATE OR REPLACE FUNCTION chime.acknowledge(p_token uuid, p_request bigint[], p_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    WITH gone AS (
        DELETE FROM chime.request q WHERE q.request_id = ANY (p_request) RETURNING q.*
    ), last AS (
        SELECT DISTINCT ON (g.job_id) g.*, bool_or(g.verb = 'resume') OVER (PARTITION BY g.job_id) AS resumed
        FROM gone g WHERE g.verb IN ('suspend', 'resume')
        ORDER BY g.job_id, g.request_id DESC
    )
    UPDATE chime.job_state s
       SET suspended_at = CASE WHEN l.verb = 'resume' THEN NULL
                               WHEN l.resumed THEN p_at
                               ELSE coalesce(s.suspended_at, p_at) END,
           suspended_by = CASE l.verb WHEN 'suspend' THEN l.requested_by::text END,
           suspended_until = l.until,
           suspend_reason = CASE l.verb WHEN 'suspend' THEN l.reason END,
           consecutive_failures = CASE WHEN l.resumed THEN 0 ELSE s.consecutive_failures END
      FROM last l WHERE s.job_id = ANY (ARRAY(SELECT m.job_id FROM last m)) AND s.job_id = l.job_id;
END $$;
COMMENT ON FUNCTION chime.acknowledge IS
    'removes requests that were granted or are moot; suspensions and their ends come into force with it, at p_at';

CREATE OR REPLACE FUNCTION chime.suspend_failing(p_token uuid, p_job bigint[], p_reason text[], p_at timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.job_state s SET suspended_at = p_at, suspended_by = NULL,
           suspend_reason = f.reason || coalesce(': ' || left((chime.last_failure(s.job_id)).message, 300), '')
      FROM unnest(p_job, p_reason) AS f (job_id, reason)
     WHERE s.job_id = ANY (p_job) AND s.job_id = f.job_id AND s.suspended_at IS NULL
    RETURNING s.job_id;
END $$;
COMMENT ON FUNCTION chime.suspend_failing IS 'the jobs that are suspended by it; those that are already stay as they are';

CREATE OR REPLACE FUNCTION chime.resume_expired(p_token uuid, p_job bigint[], p_until timestamptz[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.job_state s
       SET suspended_at = NULL, suspended_by = NULL, suspended_until = NULL, suspend_reason = NULL, consecutive_failures = 0
      FROM unnest(p_job, p_until) AS w (job_id, until)
     WHERE s.job_id = ANY (p_job) AND s.job_id = w.job_id AND s.suspended_until = w.until
    RETURNING s.job_id;
END $$;
COMMENT ON FUNCTION chime.resume_expired IS
    'the jobs whose suspension until p_until it ended; one that was given another end meanwhile stays suspended';

-- How the last try of a job to fill its views ended, also one that is to be followed by another of the same run.
CREATE OR REPLACE FUNCTION chime.last_fill(p_job bigint) RETURNS chime.attempt
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT * FROM (
        (SELECT h.job_id, h.kind, h.slot, h.attempt, h.run_id, h.state, h.pid, h.epoch, h.started_at, h.finished_at, h.sqlstate,
                coalesce(h.message, h.reason) AS message
         FROM chime.run_history h
         WHERE (h.job_id, h.kind, h.slot) >= (p_job, 'install', '-infinity'::timestamptz)
           AND (h.job_id, h.kind, h.slot) <= (p_job, 'install', 'infinity'::timestamptz)
         ORDER BY h.job_id DESC, h.kind DESC, h.slot DESC LIMIT 1)
        UNION ALL
        (SELECT a.* FROM chime.attempt a
         WHERE (a.job_id, a.kind, a.slot) >= (p_job, 'install', '-infinity'::timestamptz)
           AND (a.job_id, a.kind, a.slot) <= (p_job, 'install', 'infinity'::timestamptz)
         ORDER BY a.job_id DESC, a.kind DESC, a.slot DESC, a.attempt DESC LIMIT 1)) AS l
    ORDER BY l.finished_at DESC LIMIT 1;
END;
COMMENT ON ROUTINE chime.last_fill IS 'how the last try of a job to fill its views ended';

-- When to try again: at first after 10 s, then after twice as long each time, up to 10 min; and no sooner than the last
-- try took.
CREATE OR REPLACE FUNCTION chime.fill_again_at(p_job bigint, p_failures integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(l.finished_at + greatest(least(interval '10 s' * 2 ^ least(greatest(p_failures, 1) - 1, 10), interval '10 min'),
                                                 l.finished_at - l.started_at), '-infinity')
        FROM chime.last_fill(p_job) AS l);
COMMENT ON ROUTINE chime.fill_again_at IS 'when a job that could not fill its views tries again';

-- Asks for the first refresh of every view that has none yet, once. p_again: for upkeep, of what failed or was not
-- asked for.
CREATE OR REPLACE FUNCTION chime.request_population(p_token uuid, p_at timestamptz, p_again boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_views text[] := ARRAY(SELECT v.view_schema || '.' || v.relation FROM chime.view_refresh v WHERE v.refreshed_at IS NULL);
    v_count bigint := 0;
BEGIN
    PERFORM chime.require_leader(p_token);
    IF v_views <> '{}' THEN
        INSERT INTO chime.request (job_id, kind, slot)
        SELECT j.job_id, 'install', p_at FROM chime.job j JOIN chime.job_state s USING (job_id)
        WHERE j.origin <> 'sql' AND j.removed_at IS NULL AND j.active AND j.views && v_views
          AND (NOT p_again OR s.suspended_at IS NULL AND chime.fill_again_at(j.job_id, s.consecutive_failures) <= p_at)
          AND NOT EXISTS (SELECT FROM chime.request q WHERE q.job_id = j.job_id AND q.verb = 'run' AND q.kind = 'install')
          AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id);
        GET DIAGNOSTICS v_count = ROW_COUNT;
    END IF;
    RETURN v_count;
END $$;
COMMENT ON ROUTINE chime.request_population IS 'asks for a refresh of each view that has never had one; how many jobs';
