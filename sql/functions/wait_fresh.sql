-- SPDX-License-Identifier: PostgreSQL
-- Read your writes: waiting until a view holds what was committed before.

-- Whether the second snapshot shows everything that the first shows: it is not older, and each transaction that is in
-- progress for it was in progress for the first as well.
CREATE OR REPLACE FUNCTION chime.shows_all_of(p_seen pg_snapshot, p_by pg_snapshot) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN pg_snapshot_xmax(p_seen) >= pg_snapshot_xmax(p_by)
       AND NOT EXISTS (SELECT FROM pg_snapshot_xip(p_seen) AS x (id)
                       WHERE x.id < pg_snapshot_xmax(p_by) AND x.id NOT IN (SELECT pg_snapshot_xip(p_by)));
COMMENT ON FUNCTION chime.shows_all_of IS 'whether p_seen shows all transactions that p_by shows';

-- By its snapshot where a refresh follows marks; else by when it began: by then p_by had been taken, and a refresh that
-- had ended before is among p_refreshes.
CREATE OR REPLACE FUNCTION chime.refreshed_since(p_view chime.view, p_by pg_snapshot, p_since timestamptz, p_refreshes bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE v_last chime.view_refresh;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation ORDER BY r.refreshes DESC LIMIT 1;
    RETURN coalesce(v_last.refreshed_at IS NOT NULL
                    AND CASE WHEN v_last.seen IS NOT NULL THEN chime.shows_all_of(v_last.seen, p_by)
                             ELSE v_last.refreshes > p_refreshes AND v_last.refreshed_at >= p_since END, false);
END $$;
COMMENT ON FUNCTION chime.refreshed_since IS 'whether a refresh of a view has seen all that p_by, taken at p_since, shows';

-- Without words that a refresh failed with: they may show values of a source, which a reader may not see.
CREATE OR REPLACE FUNCTION chime.why_behind(p_view chime.view, p_timeout interval) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := p_view.view_schema || '.' || p_view.relation;
    v_pending integer := chime.pending_changes(v_name);
    v_refreshed timestamptz := (SELECT max(r.refreshed_at) FROM chime.view_refresh r
                                WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation);
    v_lag record;
    v_jobs text; v_suspended text; v_failing text;
BEGIN
    SELECT string_agg(j.name, ', ' ORDER BY j.name), string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE s.suspended_at IS NOT NULL),
           string_agg(j.name, ', ' ORDER BY j.name) FILTER (WHERE s.consecutive_failures > 0)
      INTO v_jobs, v_suspended, v_failing
      FROM chime.job j JOIN chime.job_state s USING (job_id) WHERE j.active AND j.removed_at IS NULL AND v_name = ANY (j.views);
    SELECT t.target_lag AS target, t.target_lag_from AS given_by INTO v_lag FROM chime.view_thresholds() AS t
     WHERE t.view_schema = p_view.view_schema AND t.relation = p_view.relation;
    RETURN concat_ws('; ',
        CASE WHEN v_refreshed IS NULL THEN format('%s has not been filled yet', v_name)
             ELSE format('%s was refreshed last at %s', v_name, to_char(v_refreshed AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')) END,
        CASE WHEN v_pending >= 1000 THEN 'at least 1000 changes are to come' WHEN v_pending = 1 THEN '1 change is to come'
             WHEN v_pending > 0 THEN format('%s changes are to come', v_pending) END,
        CASE WHEN NOT chime.led() THEN 'no daemon leads this database'
             WHEN v_jobs IS NULL THEN 'no job refreshes it'
             WHEN v_suspended IS NOT NULL THEN format('job %s is suspended', v_suspended)
             WHEN v_failing IS NOT NULL THEN format('job %s fails', v_failing)
             WHEN v_lag.given_by = 'downstream' THEN format('job %s runs when views that read it need it, and none has a target_lag', v_jobs)
             WHEN v_lag.target IS NULL THEN format('job %s runs by its schedule, and not for changes', v_jobs)
             WHEN v_lag.target > p_timeout THEN format('its target_lag of %s is longer than the timeout', v_lag.target) END);
END $$;
COMMENT ON FUNCTION chime.why_behind IS 'what keeps a view from holding what was committed, as far as readers may know';

CREATE OR REPLACE FUNCTION chime.refuse_to_wait(p_view chime.view, p_timeout interval) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_written text;
BEGIN
    IF p_timeout IS NULL OR p_timeout < interval '0' OR p_timeout > interval '1 hour' THEN
        RAISE EXCEPTION 'timeout cannot be %', coalesce(p_timeout::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'it is between 0 and 1 hour';
    ELSIF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'this server is a standby: it does not know what was committed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'wait on the primary; then let this server replay up to there';
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'this transaction sees only what was committed before it began, however long it waits'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'wait before it begins, or in a transaction that is READ COMMITTED';
    END IF;
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        SELECT string_agg(DISTINCT format('%I.%I', n.nspname, c.relname), ', ') INTO v_written
        FROM chime.views_read() AS r JOIN chime.view v ON v.view_schema = r.read_schema AND v.relation = r.read_relation
        CROSS JOIN LATERAL chime.tables_read(chime.live_of(v)) AS t (relation)
        JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation
          AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.granted AND l.relation = c.oid
                      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                      AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'));
    END IF;
    IF v_written IS NOT NULL THEN
        RAISE EXCEPTION 'this transaction wrote to %, which no refresh can see before it commits', v_written
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'commit, then wait'
                         || coalesce(format('; or read %s, which shows it', chime.now_of(p_view)), '');
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_to_wait IS 'raises where waiting for a view would be in vain';

-- Of a view that a role keeps: a refresh that began after the call has seen what was committed before it.
CREATE OR REPLACE FUNCTION chime.wait_for_role_view(p_view chime.role_view, p_timeout interval, OUT fresh boolean, OUT behind interval, OUT reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_since timestamptz := clock_timestamp();
    v_until timestamptz := v_since + p_timeout;
    v_refreshed timestamptz;
    v_nap double precision := 0.005;
    v_state chime.job_state;
BEGIN
    LOOP
        SELECT r.refreshed_at, r.refreshed_at >= v_since INTO v_refreshed, fresh FROM chime.role_view_refresh r WHERE r.view_id = p_view.view_id;
        EXIT WHEN fresh OR clock_timestamp() >= v_until;
        PERFORM pg_sleep(least(v_nap, extract(epoch FROM v_until - clock_timestamp())));
        v_nap := least(v_nap * 1.5, 0.1);
    END LOOP;
    fresh := coalesce(fresh, false);
    behind := CASE WHEN fresh THEN interval '0' ELSE clock_timestamp() - v_refreshed END;
    SELECT s.* INTO v_state FROM chime.job_state s WHERE s.job_id = p_view.job_id;
    reason := CASE WHEN NOT fresh THEN concat_ws('; ',
        CASE WHEN v_refreshed IS NULL THEN format('%s.%s has not been filled yet', p_view.view_schema, p_view.relation)
             ELSE format('%s.%s was refreshed last at %s', p_view.view_schema, p_view.relation,
                         to_char(v_refreshed AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')) END,
        CASE WHEN NOT chime.led() THEN 'no daemon leads this database'
             WHEN v_state.suspended_at IS NOT NULL THEN 'its job is suspended'
             WHEN v_state.consecutive_failures > 0 THEN 'its job fails'
             WHEN p_view.target_lag IS NULL THEN 'its job runs by its schedule'
             WHEN p_view.target_lag > p_timeout THEN format('its target_lag of %s is longer than the timeout', p_view.target_lag) END) END;
END $$;
COMMENT ON FUNCTION chime.wait_for_role_view IS 'waits until a view that a role keeps was refreshed since the call';

-- A view below first: what its refresh writes is what the view above it is to hold. A view without pending changes
-- holds all, however old its last refresh is. SECURITY DEFINER: who reads a view need not read its marks. Each look has
-- a snapshot of its own, since the function is VOLATILE.
CREATE OR REPLACE FUNCTION chime.wait_fresh(view text, timeout interval DEFAULT '10 s', OUT fresh boolean, OUT behind interval, OUT reason text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_until timestamptz;
    v_view chime.view;
    v_own chime.role_view;
    v_below chime.view;
    v_by pg_snapshot;
    v_since timestamptz;
    v_refreshes bigint;
    v_nap double precision;
BEGIN
    SELECT v.* INTO v_own FROM chime.role_view v WHERE (wait_fresh.view = v.view_schema || '.' || v.relation OR (wait_fresh.view = v.relation AND v.owner = session_user))
       AND NOT EXISTS (SELECT FROM chime.view o WHERE wait_fresh.view IN (o.relation, o.view_schema || '.' || o.relation))
     ORDER BY v.view_id LIMIT 1;
    IF FOUND THEN
        IF (SELECT count(*) > 1 FROM chime.role_view v WHERE wait_fresh.view = v.relation AND v.owner = session_user) THEN
            RAISE EXCEPTION 'view "%" exists in several schemas', wait_fresh.view USING ERRCODE = 'ambiguous_alias', HINT = 'name it as schema.relation';
        END IF;
        PERFORM chime.refuse_to_wait(NULL, wait_fresh.timeout);
        IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
            RAISE EXCEPTION 'this transaction wrote something, which no refresh can see before it commits'
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'commit, then wait';
        END IF;
        SELECT * INTO fresh, behind, reason FROM chime.wait_for_role_view(v_own, wait_fresh.timeout);
        RETURN;
    END IF;
    v_view := chime.find_view(wait_fresh.view);
    PERFORM chime.refuse_to_wait(v_view, wait_fresh.timeout);
    v_until := clock_timestamp() + wait_fresh.timeout;
    FOR v_below IN SELECT v.* FROM chime.views_read() AS r JOIN chime.view v ON v.view_schema = r.read_schema AND v.relation = r.read_relation
                   WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation
                   ORDER BY (SELECT count(*) FROM chime.views_read() AS b WHERE b.view_schema = v.view_schema AND b.relation = v.relation) LOOP
        v_nap := 0.005;
        v_since := clock_timestamp();
        SELECT pg_current_snapshot(), max(r.refreshes) INTO v_by, v_refreshes FROM chime.view_refresh r
         WHERE r.view_schema = v_below.view_schema AND r.relation = v_below.relation;
        fresh := coalesce(chime.pending_changes(v_below.view_schema || '.' || v_below.relation, 1) = 0, false);
        LOOP
            fresh := fresh OR chime.refreshed_since(v_below, v_by, v_since, v_refreshes);
            EXIT WHEN fresh OR clock_timestamp() >= v_until;
            PERFORM pg_sleep(least(v_nap, extract(epoch FROM v_until - clock_timestamp())));
            v_nap := least(v_nap * 1.5, 0.1);
        END LOOP;
        IF NOT fresh THEN
            SELECT f.behind INTO behind FROM chime.view_freshness() AS f
             WHERE f.view_schema = v_view.view_schema AND f.relation = v_view.relation;
            reason := chime.why_behind(v_below, wait_fresh.timeout);
            RETURN;
        END IF;
    END LOOP;
    behind := interval '0';
END $$;
COMMENT ON FUNCTION chime.wait_fresh IS
    'waits until a view holds all that was committed before the call, at most for timeout: fresh, or how far it is behind and why; the next statement of a READ COMMITTED transaction sees it';
