-- SPDX-License-Identifier: PostgreSQL
-- Every policy: decisions of joins, suspension, cancelling, log_runs with counters, and requests of people to the
-- leader.

ALTER TABLE chime.job_state
    DROP COLUMN pending_upstreams,
    ADD COLUMN cursor_skipped boolean NOT NULL DEFAULT false,
    ADD COLUMN outcome_at timestamptz,
    ADD COLUMN missed_at timestamptz,
    ADD COLUMN missed_after boolean NOT NULL DEFAULT false,
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspended_by text,
    ADD COLUMN suspended_until timestamptz,
    ADD COLUMN suspend_reason text,
    ADD COLUMN runs bigint NOT NULL DEFAULT 0,
    ADD COLUMN successes bigint NOT NULL DEFAULT 0,
    ADD COLUMN failures bigint NOT NULL DEFAULT 0,
    ADD COLUMN skips bigint NOT NULL DEFAULT 0,
    ADD COLUMN skipped_in_a_row bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_rows bigint,
    ADD COLUMN typical_us double precision,
    ADD COLUMN spread_us double precision;
COMMENT ON COLUMN chime.job_state.cursor_skipped IS
    'of a job without a schedule: its last decision was a skip, so that successes of upstreams before it still count';
COMMENT ON COLUMN chime.job_state.outcome_at IS 'when last_outcome came about';
COMMENT ON COLUMN chime.job_state.missed_at IS
    'when slots of it were recorded as missed last: where that is later than outcome_at, those that come after it have no success to go by';
COMMENT ON COLUMN chime.job_state.missed_after IS
    'slots after that of last_outcome were missed before it came about: slots that come after them have no success to go by';
COMMENT ON COLUMN chime.job_state.consecutive_failures IS
    'runs in a row that failed, timed out or were lost; cancelled and skipped ones neither count nor end the row';
COMMENT ON COLUMN chime.job_state.suspended_at IS 'since when nothing of the job may start; NULL: it is not suspended';
COMMENT ON COLUMN chime.job_state.suspended_by IS 'the role that asked for it; NULL: pgchime, since it failed too often in a row';
COMMENT ON COLUMN chime.job_state.suspended_until IS 'when the leader ends it; NULL: when somebody resumes the job';
COMMENT ON COLUMN chime.job_state.suspend_reason IS 'as given';
COMMENT ON COLUMN chime.job_state.runs IS 'runs that ended since the job was made or counting began, whatever log_runs keeps';
COMMENT ON COLUMN chime.job_state.successes IS 'of runs, those that succeeded';
COMMENT ON COLUMN chime.job_state.failures IS 'of runs, those that failed, timed out or were lost';
COMMENT ON COLUMN chime.job_state.skipped_in_a_row IS 'skips since a run';
COMMENT ON COLUMN chime.job_state.last_rows IS 'of the last run that succeeded';
COMMENT ON COLUMN chime.job_state.typical_us IS 'how long runs that succeeded take, the latest eight above all; spread_us: how far they are from that';
COMMENT ON COLUMN chime.job_state.skips IS 'slots and decisions that a policy skipped, whatever log_runs keeps';
UPDATE chime.job_state SET outcome_at = coalesce(last_end, last_slot) WHERE last_outcome IS NOT NULL;
CREATE INDEX job_state_suspended_until ON chime.job_state (suspended_until) WHERE suspended_until IS NOT NULL;

ALTER TABLE chime.request
    ADD COLUMN verb text NOT NULL DEFAULT 'run' CHECK (verb IN ('run', 'cancel', 'suspend', 'resume', 'begin')),
    ADD COLUMN reason text,
    ADD COLUMN until timestamptz CHECK (until IS NULL OR verb = 'suspend' AND until BETWEEN '0001-01-01Z' AND '9999-12-31Z'),
    ADD COLUMN owner name NOT NULL DEFAULT '',
    ADD COLUMN run_id bigint,
    ADD COLUMN forced boolean NOT NULL DEFAULT false CHECK (verb = 'run' OR NOT forced),
    ALTER COLUMN kind DROP NOT NULL,
    ALTER COLUMN slot DROP NOT NULL,
    DROP CONSTRAINT request_kind_check,
    DROP CONSTRAINT request_job_id_kind_slot_key,
    ADD CHECK (slot BETWEEN '0001-01-01Z' AND '9999-12-31Z'),
    ADD CHECK (CASE WHEN verb = 'run' THEN kind IN ('manual', 'install') AND kind IS NOT NULL AND slot IS NOT NULL
                    WHEN verb = 'cancel' THEN kind IS NOT NULL AND slot IS NOT NULL
                    ELSE kind IS NULL AND slot IS NULL END),
    ADD UNIQUE (job_id, verb, kind, slot, requested_by);
COMMENT ON TABLE chime.request IS
    'what people ask of the leader and it has not done yet: the claim removes a run, chime.acknowledge everything else';
COMMENT ON COLUMN chime.request.requested_by IS 'part of the key: whoever asks waits for no open transaction of another who asks the same';
COMMENT ON COLUMN chime.request.kind IS 'with slot: the run that is asked for, or is to be cancelled';
COMMENT ON COLUMN chime.request.reason IS 'as given';
COMMENT ON COLUMN chime.request.until IS 'of a suspension: when it is to end by itself';
-- Requests of people are few; runs asked for may be many, and wait long.
CREATE INDEX request_once ON chime.request (request_id) WHERE verb <> 'run';

COMMENT ON COLUMN chime.request.run_id IS 'of a run: the number it will have';
COMMENT ON COLUMN chime.request.forced IS 'of a run: also while its job is suspended, which it stays';
CREATE INDEX request_number ON chime.request (run_id);

-- However many of one owner's wait, the others' come to their turn.
CREATE INDEX request_turn ON chime.request (owner, request_id) WHERE verb = 'run';
UPDATE chime.request q SET owner = j.owner FROM chime.job j WHERE j.job_id = q.job_id;
COMMENT ON COLUMN chime.request.owner IS 'of the job, when it was asked for: owners take turns';
CREATE FUNCTION chime.note_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.owner := coalesce((SELECT j.owner FROM chime.job j WHERE j.job_id = NEW.job_id), '');
    NEW.run_id := CASE WHEN NEW.verb = 'run' THEN nextval('chime.run_id') END;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION chime.note_request() FROM PUBLIC;
CREATE TRIGGER note_request BEFORE INSERT ON chime.request FOR EACH ROW EXECUTE FUNCTION chime.note_request();

-- "Runs newest first" over all jobs; the primary key starts with the job.
CREATE INDEX run_history_slot ON chime.run_history (slot);

-- --- the catalog -----------------------------------------------------------------------------------------------------

-- Cursors that somebody set by hand to before their schedules count, or deleted: no claim would ever be granted. What
-- is to expire yet will move its cursor itself.
CREATE FUNCTION chime.mend_cursors(p_jobs jsonb, p_now timestamptz) RETURNS TABLE (job_id bigint, mended text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH astray AS (
        SELECT k.* FROM jsonb_to_recordset(p_jobs) AS d (name text)
        CROSS JOIN LATERAL (SELECT j.job_id, j.since, s.last_slot FROM chime.job j LEFT JOIN chime.job_state s ON s.job_id = j.job_id
                            WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k
        WHERE k.last_slot IS NULL
           OR (k.last_slot < k.since AND NOT EXISTS (SELECT FROM chime.expired_schedule e WHERE e.job_id = k.job_id OFFSET 0))
    ), written AS (
        INSERT INTO chime.job_state AS s (job_id, last_slot)
        SELECT a.job_id, CASE WHEN a.last_slot IS NULL THEN p_now ELSE a.since END FROM astray a
        ON CONFLICT (job_id) DO UPDATE SET last_slot = excluded.last_slot
    )
    SELECT a.job_id, CASE WHEN a.last_slot IS NULL THEN 'its cursor was gone: it begins anew'
                          ELSE format('its cursor was before its schedule began to count, at %s UTC: it begins from there',
                                      to_char(a.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) END
    FROM astray a;
END $$;
COMMENT ON FUNCTION chime.mend_cursors IS 'of these jobs of configurations and plugins, those whose cursors were astray, and in words how';

-- A catalog of any size comes in parts, each a transaction, and chime.remove_others ends it. A job's options come as
-- far as they differ from p_defaults, {"command": {...}, "refresh": {...}}. A part that is known already changes no
-- row: not even a lock is taken on one. A job without "channels" has none. Jobs are known by their names, whatever role
-- the daemon had before.
-- A job that wakes up or changes its schedule restarts from p_now, as a new one starts: nothing was due before by what
-- it is now. What was due by its old schedule the leader has decided (p_decided: it had the old catalog, too), or it
-- follows from what chime.expire_schedule keeps: then the cursor moves once that is on record. Other channels change no
-- slot. Options that a row lacks are older than their names and had the values given here.
-- One by one, each looked up by its key (that is what OFFSET 0 does): a join may read all jobs for each part.
CREATE FUNCTION chime.sync_jobs(p_token uuid, p_jobs jsonb, p_defaults jsonb, p_now timestamptz, p_decided boolean)
RETURNS TABLE (name text, job_id bigint, version integer, last_slot timestamptz, last_outcome chime.run_state,
               last_duration_us bigint, outcome_at timestamptz, last_end timestamptz, cursor_skipped boolean,
               consecutive_failures integer, suspended boolean, missed_at timestamptz, missed_after boolean, mended text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_mended jsonb;
    v_new record;
    v_old chime.job;
    v_wakes boolean;
    v_restarts boolean;
    v_id bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_new IN
        SELECT d.name, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options, k.old
        FROM jsonb_to_recordset(p_jobs) AS d (name text, origin text, plugin text, active boolean, schedule text,
                                              command text, views text[], after text[], channels text[], options jsonb)
        CROSS JOIN LATERAL (SELECT coalesce(d.channels, '{}') AS channels,
                                   (p_defaults -> CASE WHEN d.command = '' THEN 'refresh' ELSE 'command' END) || d.options
                                   AS options) o
        LEFT JOIN LATERAL (SELECT j AS old FROM chime.job j WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k ON true
        WHERE (current_user, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options)
              IS DISTINCT FROM ((k.old).owner, (k.old).origin, (k.old).plugin, (k.old).active, (k.old).schedule, (k.old).command,
                                (k.old).views, (k.old).after, (k.old).channels, (k.old).options)
           OR (k.old).removed_at IS NOT NULL
    LOOP
        v_old := v_new.old;
        IF v_old.job_id IS NULL THEN
            INSERT INTO chime.job (name, origin, plugin, active, schedule, command, views, after, channels, options, since)
            VALUES (v_new.name, v_new.origin, v_new.plugin, v_new.active, v_new.schedule, v_new.command, v_new.views, v_new.after,
                    v_new.channels, v_new.options, p_now)
            RETURNING job_id INTO v_id;
            INSERT INTO chime.job_state (job_id, last_slot) VALUES (v_id, p_now);
            CONTINUE;
        END IF;
        v_wakes := v_new.active AND NOT v_old.active;
        v_restarts := v_wakes OR v_new.schedule <> v_old.schedule
                      OR (v_new.schedule <> '' AND v_new.options <> v_old.options
                          AND (v_new.options ->> 'timezone', v_new.options ->> 'dst_gap', v_new.options ->> 'dst_overlap')
                              IS DISTINCT FROM (coalesce(v_old.options ->> 'timezone', 'UTC'), coalesce(v_old.options ->> 'dst_gap', 'run'),
                                                coalesce(v_old.options ->> 'dst_overlap', 'first')));
        -- From a cursor in the future nothing was due either.
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN s.last_slot > p_now + interval '1 minute' THEN p_now ELSE greatest(s.last_slot, p_now) END,
               cursor_skipped = false,
               ahead = CASE WHEN s.last_slot > p_now THEN s.ahead + chime.ran_ahead(s.job_id, p_now) ELSE s.ahead END
         WHERE s.job_id = v_old.job_id AND v_restarts AND (p_decided OR s.last_slot > p_now + interval '1 minute');
        IF NOT FOUND AND (v_restarts OR (v_old.active AND NOT v_new.active)) THEN
            PERFORM chime.expire_schedule(v_old, p_now);
        END IF;
        UPDATE chime.job j
           SET owner = current_user, origin = v_new.origin, plugin = v_new.plugin, active = v_new.active, schedule = v_new.schedule,
               command = v_new.command, views = v_new.views, after = v_new.after, channels = v_new.channels,
               options = v_new.options, version = j.version + 1, removed_at = NULL, updated_at = p_now,
               since = CASE WHEN v_restarts THEN p_now ELSE j.since END
         WHERE j.job_id = v_old.job_id;
    END LOOP;
    SELECT jsonb_object_agg(m.job_id, m.mended) INTO v_mended FROM chime.mend_cursors(p_jobs, p_now) m;
    -- A suspension that nobody has granted yet holds from the start: the first heartbeat does what was asked for.
    RETURN QUERY
    SELECT d.name, k.job_id, k.version, greatest(k.last_slot, k.since), k.last_outcome, k.last_duration_us, k.outcome_at, k.last_end,
           k.cursor_skipped AND k.last_slot >= k.since, k.consecutive_failures,
           k.suspended_at IS NOT NULL
           OR EXISTS (SELECT FROM chime.request q WHERE q.job_id = k.job_id AND q.verb = 'suspend'), k.missed_at, k.missed_after,
           v_mended ->> k.job_id::text
    FROM jsonb_to_recordset(p_jobs) AS d (name text)
    CROSS JOIN LATERAL (SELECT j.version, j.since, s.* FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id
                        WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k;
END $$;
COMMENT ON FUNCTION chime.sync_jobs IS 'brings these jobs to the leader''s catalog and returns what a schedule needs to start from; mended: in words, when its cursor was astray';

-- In batches: true when there may be more.
-- plan_cache_mode: the array is hashed only where the planner sees it; a join, for the few rows that it expects of a
-- table without statistics, would go through the array once for each job.
CREATE FUNCTION chime.remove_others(p_token uuid, p_job bigint[], p_now timestamptz, p_decided boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
    v_old chime.job;
    v_count integer := 0;
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_old IN SELECT * FROM chime.job j
                 WHERE j.origin <> 'sql' AND j.removed_at IS NULL AND j.job_id <> ALL (p_job) LIMIT 2000
    LOOP
        v_count := v_count + 1;
        IF v_old.active AND NOT p_decided THEN
            PERFORM chime.expire_schedule(v_old, p_now);
        END IF;
        UPDATE chime.job j SET active = false, removed_at = p_now, version = j.version + 1, updated_at = p_now
         WHERE j.job_id = v_old.job_id;
    END LOOP;
    RETURN v_count = 2000;
END $$;
COMMENT ON FUNCTION chime.remove_others IS
    'p_job: all jobs of the leader''s catalog; others that plugins and configurations defined are in none any more, and kept for their history';

-- --- people and the leader -------------------------------------------------------------------------------------------

CREATE FUNCTION chime.told(p_done text, p_by text, p_reason text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN concat_ws(': ', p_done || coalesce(' by ' || p_by, ''), p_reason);
COMMENT ON FUNCTION chime.told IS 'how a request reads as a reason: "suspended by ann: too noisy"';

CREATE FUNCTION chime.refuse_unknown(p_job bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM chime.job_state s WHERE s.job_id = p_job) THEN
        RAISE EXCEPTION 'there is no job %', coalesce(p_job::text, 'NULL') USING ERRCODE = 'no_data_found',
            HINT = 'see: SELECT job_id, name FROM chime.job_status';
    END IF;
END $$;

CREATE FUNCTION chime.suspension(p_job bigint)
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
CREATE FUNCTION chime.utf8_fault(p_text text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        PERFORM convert_to(p_text, 'UTF8');
    END IF;
    RETURN NULL;
EXCEPTION WHEN untranslatable_character OR character_not_in_repertoire THEN
    RETURN format('it has a character that UTF8 has not: %s', SQLERRM);
END $$;

CREATE FUNCTION chime.read_reason(p_reason text) RETURNS text
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
CREATE FUNCTION chime.suspend(p_job bigint, p_reason text DEFAULT NULL, p_until timestamptz DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_reason text := chime.read_reason(p_reason);
    v_until timestamptz := CASE WHEN p_until <= '9999-12-31Z' THEN p_until END;
BEGIN
    IF p_until <= clock_timestamp() THEN
        RAISE EXCEPTION 'a suspension until % would be over already', p_until USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name a time to come, or none: then it lasts until chime.resume';
    END IF;
    PERFORM chime.refuse_unknown(p_job);
    INSERT INTO chime.request (job_id, verb, kind, slot, reason, until)
    SELECT p_job, 'suspend', NULL, NULL, v_reason, v_until FROM chime.suspension(p_job) s
    WHERE NOT s.suspended OR (s.suspended_until, s.reason) IS DISTINCT FROM (v_until, v_reason);
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.suspend IS
    'nothing of the job starts from the leader''s next heartbeat on, or its start; a live run goes on. Again: another reason or end. True when that changes something';

CREATE FUNCTION chime.resume(p_job bigint, p_reason text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    INSERT INTO chime.request (job_id, verb, kind, slot, reason)
    SELECT p_job, 'resume', NULL, NULL, chime.read_reason(p_reason) FROM chime.suspension(p_job) s WHERE s.suspended;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.resume IS
    'asks the leader to end a suspension; it records the slots since as missed. True when that changes something';

-- It says nothing of whose run it is: chime.cancel asks for that (0022).
CREATE FUNCTION chime.cancel_run(p_run bigint, p_reason text DEFAULT NULL) RETURNS boolean
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
    INSERT INTO chime.request (job_id, verb, kind, slot, reason)
    VALUES (v_run.job_id, 'cancel', v_run.kind, v_run.slot, chime.read_reason(p_reason))
    ON CONFLICT (job_id, verb, kind, slot, requested_by) DO NOTHING;
    RETURN true;
END $$;
COMMENT ON FUNCTION chime.cancel_run IS
    'asks the leader to end a live run, whoever owns it, waiting for its next attempt included, or withdraws one that was asked for and has not begun; false when there is no such run';

-- Read-only, every second. Conditions on jobs are single values, looked up row by row: a join, planned while nothing
-- was known of these columns, may read all jobs.
CREATE FUNCTION chime.open_requests()
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

CREATE FUNCTION chime.acknowledge(p_token uuid, p_request bigint[], p_at timestamptz) RETURNS void
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

CREATE FUNCTION chime.suspend_failing(p_token uuid, p_job bigint[], p_reason text[], p_at timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.job_state s SET suspended_at = p_at, suspended_by = NULL, suspend_reason = f.reason
      FROM unnest(p_job, p_reason) AS f (job_id, reason)
     WHERE s.job_id = ANY (p_job) AND s.job_id = f.job_id AND s.suspended_at IS NULL
    RETURNING s.job_id;
END $$;
COMMENT ON FUNCTION chime.suspend_failing IS 'the jobs that are suspended by it; those that are already stay as they are';

CREATE FUNCTION chime.resume_expired(p_token uuid, p_job bigint[], p_until timestamptz[]) RETURNS SETOF bigint
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
CREATE FUNCTION chime.last_fill(p_job bigint) RETURNS chime.attempt
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

-- When to try again: at first after 10 s, then after twice as long each time, up to 10 min; and no sooner than the last
-- try took.
CREATE FUNCTION chime.fill_again_at(p_job bigint, p_failures integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(l.finished_at + greatest(least(interval '10 s' * 2 ^ least(greatest(p_failures, 1) - 1, 10), interval '10 min'),
                                                 l.finished_at - l.started_at), '-infinity')
        FROM chime.last_fill(p_job) AS l);

-- Asks for the first refresh of every view that has none yet, once. p_again: for upkeep, of what failed or was not
-- asked for.
CREATE FUNCTION chime.request_population(p_token uuid, p_at timestamptz, p_again boolean DEFAULT false) RETURNS bigint
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

-- --- runs ------------------------------------------------------------------------------------------------------------
-- Beside those of 0002_ledger_functions.sql, which need none of the columns above.
-- chime.claim and chime.finish index their arrays: unnest would put every column of a batch in a store of its own,
-- which is a tenth of what a run costs.

-- Claims runs for named sessions. At most one run of a job in a call. Grants a row with job_id and run_id; a job whose
-- version, activity or cursor is not the expected one is left out, and the caller looks at it again. One that is
-- suspended is refused whatever the kind, unless somebody asked for that run in spite of it, with a row that says by
-- whom and why: the caller may not have heard of it yet. A slot that ran already while the clock was ahead is decided
-- by it, without a run and with a row that has `ahead`. Nobody asks for runs of kind event (a notification, whose
-- payload is $1 of the text) and change (the sources of a view changed): the leader alone knows what woke them, so they
-- have no row in chime.request, leave the cursor where it is, and have to find the job active.
CREATE FUNCTION chime.claim(p_token uuid, p_job bigint[], p_version integer[], p_kind chime.run_kind[],
                            p_slot timestamptz[], p_cursor timestamptz[], p_pid integer[],
                            p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint, run_id bigint, suspended bigint, reason text, ahead bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_granted bigint;
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT w.job_id, p_version[n] AS version, p_kind[n] AS kind, p_slot[n] AS slot, p_cursor[n] AS cursor,
               p_pid[n] AS pid, p_backend_start[n] AS backend_start,
               p_kind[n] = 'schedule' OR p_kind[n] = 'dependency' AS moves,
               p_kind[n] = 'event' OR p_kind[n] = 'change' AS wakes
        FROM unnest(p_job) WITH ORDINALITY AS w (job_id, n)
    ), granted AS (
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN w.moves THEN w.slot ELSE s.last_slot END,
               cursor_skipped = s.cursor_skipped AND NOT w.moves, last_start = clock_timestamp()
          FROM wanted w JOIN chime.job j ON j.job_id = w.job_id AND j.version = w.version
         WHERE s.job_id = ANY (p_job) AND j.job_id = ANY (p_job) AND s.job_id = w.job_id
           AND CASE WHEN s.suspended_at IS NULL THEN true
                    ELSE (SELECT bool_or(q.forced) FROM chime.request q
                          WHERE q.job_id = w.job_id AND q.kind = w.kind AND q.slot = w.slot) END
           AND (j.active OR NOT (w.moves OR w.wakes)) AND (s.last_slot = w.cursor OR NOT w.moves)
        RETURNING 'run' AS verb, w.job_id, w.kind, w.slot, w.pid, w.backend_start, w.moves OR w.wakes AS unasked,
                  w.kind = 'schedule' AND w.slot <@ s.ahead AS ahead
    ), asked AS (
        DELETE FROM chime.request q USING granted g
         WHERE q.job_id = ANY (p_job) AND NOT g.unasked AND q.job_id = g.job_id AND q.verb = g.verb AND q.kind = g.kind AND q.slot = g.slot
        RETURNING q.job_id, q.run_id
    )
    INSERT INTO chime.run AS r (run_id, job_id, kind, slot, token, epoch, pid, backend_start)
    SELECT coalesce(a.run_id, nextval('chime.run_id')), g.job_id, g.kind, g.slot, p_token, v_epoch, g.pid, g.backend_start
    FROM granted g LEFT JOIN asked a ON a.job_id = g.job_id
    WHERE NOT g.ahead AND (g.unasked OR a.job_id IS NOT NULL)
    RETURNING r.job_id, r.run_id, NULL::bigint, NULL::text, NULL::bigint;
    GET DIAGNOSTICS v_granted = ROW_COUNT;
    IF v_granted < cardinality(p_job) THEN
        RETURN QUERY
        SELECT NULL::bigint, NULL::bigint, s.job_id, chime.told('suspended', s.suspended_by, s.suspend_reason), NULL::bigint
        FROM chime.job_state s WHERE s.job_id = ANY (p_job) AND s.suspended_at IS NOT NULL
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, s.job_id
        FROM unnest(p_job, p_kind, p_slot) AS w (job_id, kind, slot) JOIN chime.job_state s ON s.job_id = w.job_id
        WHERE s.job_id = ANY (p_job) AND w.kind = 'schedule' AND s.last_slot = w.slot AND w.slot <@ s.ahead;
    END IF;
END $$;

-- Ends runs that the daemon watched to their end. Returns those that were this leader's. p_log: what of it goes to the
-- history, as the option log_runs says; everything is counted. p_outcome_at: when each outcome came about for those
-- that come after it, as the leader decided: when the run ended, unless the clock was stepped back since. Then it is
-- later than all that was decided before.
CREATE FUNCTION chime.finish(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                             p_state chime.run_state[], p_started timestamptz[], p_finished timestamptz[],
                             p_rows bigint[], p_sqlstate text[], p_message text[], p_reason text[], p_log text[],
                             p_outcome_at timestamptz[] DEFAULT NULL)
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH ended AS (
        SELECT e.job_id, p_kind[n] AS kind, p_slot[n] AS slot, p_state[n] AS state, p_started[n] AS started_at,
               p_finished[n] AS finished_at, p_rows[n] AS rows, p_sqlstate[n] AS sqlstate, p_message[n] AS message,
               p_reason[n] AS reason, p_log[n] AS log, coalesce(p_outcome_at[n], p_finished[n]) AS outcome_at
        FROM unnest(p_job) WITH ORDINALITY AS e (job_id, n)
    ), taken AS (
        DELETE FROM chime.run r USING ended e
         WHERE r.job_id = ANY (p_job) AND r.job_id = e.job_id AND r.kind = e.kind AND r.slot = e.slot AND r.token = p_token
        RETURNING r.run_id, r.job_id, r.kind, r.slot,
                  CASE WHEN r.done_at IS NULL THEN e.state ELSE 'succeeded' END AS state, r.attempt, r.pid, r.epoch,
                  r.claimed_at, e.started_at, e.finished_at, e.rows, e.sqlstate, e.message, e.reason, e.log, e.outcome_at,
                  date_part('epoch', e.finished_at - e.started_at) * 1000000 AS took -- extract would count in numeric
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                       finished_at, rows, sqlstate, message, reason)
        SELECT t.run_id, t.job_id, t.kind, t.slot, t.state, t.attempt, t.pid, t.epoch, t.claimed_at, t.started_at,
               t.finished_at, t.rows, t.sqlstate, t.message, t.reason
        FROM taken t
        WHERE t.log = 'all' OR (t.log = 'errors' AND t.state <> 'succeeded')
        ON CONFLICT (job_id, kind, slot) DO NOTHING
    )
    UPDATE chime.job_state s
       SET last_end = t.finished_at, last_outcome = t.state, outcome_at = t.outcome_at,
           missed_after = t.kind = 'schedule' AND s.missed_at > t.slot AND chime.missed_after(t.job_id, t.slot, t.finished_at),
           last_duration_us = t.took,
           last_success = CASE WHEN t.state = 'succeeded' THEN t.finished_at ELSE s.last_success END,
           consecutive_failures = CASE WHEN t.state = 'succeeded' THEN 0
                                       WHEN t.state IN ('failed', 'timed_out', 'lost') THEN s.consecutive_failures + 1
                                       ELSE s.consecutive_failures END,
           runs = s.runs + 1,
           successes = s.successes + CASE WHEN t.state = 'succeeded' THEN 1 ELSE 0 END,
           failures = s.failures + CASE WHEN t.state IN ('failed', 'timed_out', 'lost') THEN 1 ELSE 0 END,
           skips = s.skips + CASE WHEN t.state = 'skipped' THEN 1 ELSE 0 END,
           skipped_in_a_row = CASE WHEN t.state = 'skipped' THEN s.skipped_in_a_row + 1 ELSE 0 END,
           last_rows = CASE WHEN t.state = 'succeeded' THEN t.rows ELSE s.last_rows END,
           typical_us = CASE WHEN t.state = 'succeeded' THEN coalesce(s.typical_us + (t.took - s.typical_us) / 8, t.took, s.typical_us)
                             ELSE s.typical_us END,
           spread_us = CASE WHEN t.state = 'succeeded' THEN coalesce(s.spread_us + (abs(t.took - s.typical_us) - s.spread_us) / 4, s.spread_us, 0)
                            ELSE s.spread_us END
      FROM taken t
     WHERE s.job_id = ANY (p_job) AND s.job_id = t.job_id
    RETURNING s.job_id;
END $$;

-- Slots of a schedule and decisions of joins that a policy decided against: one history row each unless p_log says off,
-- and the cursor moves past them. A job's rows join one to the next: the smallest p_cursor is where its cursor must
-- stand, the largest slot where it moves to. p_at: when that was decided.
CREATE FUNCTION chime.skip(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_cursor timestamptz[],
                           p_slot timestamptz[], p_at timestamptz[], p_reason text[], p_outcome boolean[], p_log text[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH passed AS (
        SELECT * FROM unnest(p_job, p_kind, p_cursor, p_slot, p_at, p_reason, p_outcome, p_log)
               AS p (job_id, kind, cursor, slot, at, reason, outcome, log)
    ), jump AS (
        SELECT p.job_id, min(p.cursor) AS cursor, max(p.slot) AS slot, bool_or(p.kind = 'dependency') AS joins,
               max(p.at) FILTER (WHERE p.outcome) AS outcome_at, count(*) AS slots
        FROM passed p GROUP BY p.job_id
    ), moved AS (
        UPDATE chime.job_state s
           SET last_slot = j.slot, cursor_skipped = s.cursor_skipped OR j.joins, skips = s.skips + j.slots,
               skipped_in_a_row = s.skipped_in_a_row + j.slots,
               last_outcome = CASE WHEN j.outcome_at IS NOT NULL THEN 'skipped' ELSE s.last_outcome END,
               outcome_at = coalesce(j.outcome_at, s.outcome_at), missed_after = s.missed_after AND j.outcome_at IS NULL
          FROM jump j WHERE s.job_id = ANY (p_job) AND s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, reason)
        SELECT nextval('chime.run_id'), p.job_id, p.kind, p.slot, 'skipped', 0, v_epoch, p.at, p.reason
        FROM passed p JOIN moved m ON m.job_id = p.job_id
        WHERE p.log <> 'off'
        ON CONFLICT (job_id, kind, slot) DO NOTHING -- it ran already, while the clock was ahead
    )
    SELECT m.job_id FROM moved m;
END $$;
COMMENT ON FUNCTION chime.skip IS 'p_outcome: the skip counts as the job''s outcome for those that come after it';

-- Takes unfinished runs over: those that are done go to the history as succeeded; of the others, p_again is true for
-- those that get another attempt (p_retry_at), false for those whose outcome cannot be known. A run that was only
-- waiting for its retry keeps its attempt. What is kept of them, the job's log_runs says. p_at: when the leader decided
-- that; p_outcome_at: when those that come after got to know each outcome (NULL: at p_at). The history says when a run
-- was done.
CREATE FUNCTION chime.adopt(p_token uuid, p_run bigint[], p_again boolean[], p_retry_at timestamptz[],
                            p_reason text[], p_at timestamptz, p_outcome_at timestamptz[] DEFAULT NULL)
RETURNS TABLE (run_id bigint, ended chime.run_state)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_jobs bigint[] := ARRAY(SELECT r.job_id FROM chime.run r WHERE r.run_id = ANY (p_run));
BEGIN
    RETURN QUERY
    WITH verdict AS (
        SELECT v.*, r.job_id, coalesce(j.options ->> 'log_runs', 'all') AS log
        FROM unnest(p_run, p_again, p_retry_at, p_reason, p_outcome_at) AS v (run_id, again, retry_at, reason, outcome_at)
        JOIN (SELECT o.run_id, o.job_id FROM chime.run o WHERE o.run_id = ANY (p_run) OFFSET 0) r ON r.run_id = v.run_id -- in no other order
        LEFT JOIN (SELECT k.job_id, k.options FROM chime.job k WHERE k.job_id = ANY (v_jobs)) j ON j.job_id = r.job_id
    ), noted AS (
        INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, pid, epoch, finished_at, message)
        SELECT r.job_id, r.kind, r.slot, r.attempt, r.run_id, 'lost', r.pid, r.epoch, p_at, v.reason
        FROM chime.run r JOIN verdict v USING (run_id)
        WHERE r.run_id = ANY (p_run) AND v.again AND r.pid IS NOT NULL AND r.done_at IS NULL AND v.log <> 'off'
    ), again AS (
        UPDATE chime.run r
           SET token = p_token, epoch = v_epoch, retry_at = v.retry_at, pid = NULL, backend_start = NULL,
               attempt = r.attempt + CASE WHEN r.pid IS NULL THEN 0 ELSE 1 END
          FROM verdict v WHERE r.run_id = ANY (p_run) AND r.run_id = v.run_id AND v.again AND r.done_at IS NULL
        RETURNING r.run_id
    ), ended AS (
        DELETE FROM chime.run r USING verdict v
         WHERE r.run_id = ANY (p_run) AND r.run_id = v.run_id AND (NOT v.again OR r.done_at IS NOT NULL)
        RETURNING r.*, v.reason, v.log, coalesce(v.outcome_at, p_at) AS outcome_at, coalesce(r.done_at, p_at) AS finished_at,
                  (CASE WHEN r.done_at IS NULL THEN 'lost' ELSE 'succeeded' END)::chime.run_state AS state
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                       finished_at, rows, message, reason)
        SELECT e.run_id, e.job_id, e.kind, e.slot, e.state, e.attempt, e.pid, e.epoch, e.claimed_at, e.started_at,
               e.finished_at, e.rows, e.message, CASE WHEN e.done_at IS NULL THEN e.reason END
        FROM ended e
        WHERE e.log = 'all' OR (e.log = 'errors' AND e.state <> 'succeeded')
        ON CONFLICT (job_id, kind, slot) DO NOTHING
    ), state AS (
        UPDATE chime.job_state s
           SET last_end = p_at, last_outcome = e.state,
               outcome_at = greatest(e.outcome_at, s.missed_at + interval '1 microsecond'),
               missed_after = e.kind = 'schedule' AND s.missed_at > e.slot AND chime.missed_after(e.job_id, e.slot, p_at),
               last_success = CASE WHEN e.state = 'succeeded' THEN e.finished_at ELSE s.last_success END,
               consecutive_failures = CASE WHEN e.state = 'succeeded' THEN 0 ELSE s.consecutive_failures + 1 END,
               runs = s.runs + 1,
               successes = s.successes + CASE WHEN e.state = 'succeeded' THEN 1 ELSE 0 END,
               failures = s.failures + CASE WHEN e.state = 'succeeded' THEN 0 ELSE 1 END
          FROM ended e WHERE s.job_id = ANY (v_jobs) AND s.job_id = e.job_id
    )
    SELECT a.run_id, NULL::chime.run_state FROM again a UNION ALL SELECT e.run_id, e.state FROM ended e;
END $$;
COMMENT ON FUNCTION chime.adopt IS
    'what became of each run: its final state, NULL when it has another attempt; a run that was committed meanwhile succeeded';

-- --- what people read ------------------------------------------------------------------------------------------------

CREATE VIEW chime.job_status WITH (security_invoker = true) AS
SELECT j.job_id, j.name, j.owner, j.origin, j.plugin, j.active, j.schedule, j.views, j.after, s.last_slot, s.last_start,
       s.last_end, s.last_success, s.last_outcome, s.last_duration_us, s.consecutive_failures,
       EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id) AS live, s.outcome_at, s.suspended_at, s.suspended_by,
       s.suspended_until, s.suspend_reason, s.runs, s.successes, s.failures, s.skips,
       (SELECT q.verb FROM chime.request q WHERE q.job_id = j.job_id AND q.verb IN ('suspend', 'resume')
        ORDER BY q.request_id DESC LIMIT 1) AS request,
       j.channels, nullif(j.options ->> 'target_lag', 'none') AS target_lag
FROM chime.job j JOIN chime.job_state s USING (job_id);
COMMENT ON VIEW chime.job_status IS 'jobs with the state of their last run';
COMMENT ON COLUMN chime.job_status.request IS 'suspend or resume, while the leader has not done it';
COMMENT ON COLUMN chime.job_status.channels IS 'a notification on one of them wakes the job, beside its schedule';
COMMENT ON COLUMN chime.job_status.target_lag IS
    'how far behind their sources its views may be, as configured (''250ms'', ''5s''); NULL: no limit, changes do not wake it';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
