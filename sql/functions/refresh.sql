-- SPDX-License-Identifier: PostgreSQL
-- Refresh: one view, by its groups or whole; the run of a job that refreshes views; and at once, for functions that
-- plugins hand out.

-- Two rows with one key, which no kept relation can hold, also where they are equal or one is kept already.
CREATE OR REPLACE FUNCTION chime.refuse_doubles(p_schema name, p_relation name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_key text := (SELECT string_agg(quote_ident(k), ', ' ORDER BY n) FROM chime.view v CROSS JOIN unnest(v.key) WITH ORDINALITY AS u (k, n)
                   WHERE v.view_schema = p_schema AND v.relation = p_relation);
    v_examples text;
BEGIN
    EXECUTE format('SELECT string_agg(e.key, ''; '') FROM (SELECT ROW(%1$s)::text AS key FROM %2$I.%3$I GROUP BY %1$s HAVING count(*) > 1 LIMIT 3) AS e',
                   v_key, p_schema, p_relation || '__live') INTO v_examples;
    RAISE EXCEPTION 'the definition of %.% gives the same key twice: %', p_schema, p_relation, coalesce(v_examples, 'it gives other rows each time')
        USING ERRCODE = 'cardinality_violation',
              HINT = format('its key is (%1$s); see all: SELECT %1$s FROM %2$I.%3$I GROUP BY %1$s HAVING count(*) > 1',
                            v_key, p_schema, p_relation || '__live');
END $$;
COMMENT ON ROUTINE chime.refuse_doubles IS 'the error for two rows with one key, which it names';

CREATE OR REPLACE FUNCTION chime.count_rejected(p_view chime.view) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_rejected bigint;
BEGIN
    IF p_view.rejected_query IS NOT NULL AND chime.reads_distributed(chime.live_of(p_view)) THEN
        RETURN chime.staged_value(p_view.rejected_query);
    ELSIF p_view.rejected_query IS NOT NULL THEN
        EXECUTE p_view.rejected_query INTO v_rejected;
    END IF;
    RETURN v_rejected;
END $$;
COMMENT ON FUNCTION chime.count_rejected IS 'how many values of its sources a view leaves out; NULL: its author does not count them';

-- Everything, and the parts of logs that it leaves behind.
CREATE OR REPLACE FUNCTION chime.refresh_all(p_view chime.view, OUT rows bigint, OUT inserted bigint, OUT updated bigint, OUT deleted bigint,
                                  OUT rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_held bigint; -- as many rows as before, less those that went, and those that came: unless two had one key
    v_passed jsonb := (
        SELECT jsonb_object_agg(s.source_id, (SELECT coalesce(max(c.part), 0) FROM chime.change_part c
                                              WHERE c.source_id = s.source_id AND c.drained))
        FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation);
BEGIN
    BEGIN
        EXECUTE chime.refresh_full_of(p_view) INTO rows, v_held, inserted, updated, deleted;
    EXCEPTION WHEN cardinality_violation THEN
        PERFORM chime.refuse_doubles(p_view.view_schema, p_view.relation);
    END;
    IF rows <> v_held - deleted + inserted THEN
        PERFORM chime.refuse_doubles(p_view.view_schema, p_view.relation);
    END IF;
    rows := rows + chime.frozen_rows(p_view);
    rejected := chime.count_rejected(p_view);
    UPDATE chime.view_source s SET passed_part = (v_passed ->> s.source_id::text)::integer
     WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation
       AND s.passed_part < (v_passed ->> s.source_id::text)::integer;
END $$;
COMMENT ON ROUTINE chime.refresh_all IS 'a refresh that does everything, into a table';

-- Readers go on meanwhile. Only whether rows changed is known: the server counts a changed row as one deleted and one
-- inserted.
CREATE OR REPLACE FUNCTION chime.refresh_matview(p_view chime.view, OUT rows bigint, OUT changed boolean, OUT rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := chime.kept_of(p_view);
    v_populated boolean := (SELECT c.relispopulated FROM pg_class c WHERE c.oid = v_kept);
    v_before bigint := pg_stat_get_xact_tuples_inserted(v_kept) + pg_stat_get_xact_tuples_deleted(v_kept);
BEGIN
    PERFORM chime.refuse_matview(p_view);
    BEGIN
        EXECUTE format('REFRESH MATERIALIZED VIEW %s%s', CASE WHEN v_populated THEN 'CONCURRENTLY ' ELSE '' END, v_kept);
    EXCEPTION WHEN cardinality_violation OR unique_violation THEN
        RAISE EXCEPTION 'the definition of %.% gives the same key twice', p_view.view_schema, p_view.relation
            USING ERRCODE = 'cardinality_violation',
                  HINT = format('its key is (%s); see which: SELECT %1$s FROM %s GROUP BY %1$s HAVING count(*) > 1',
                                (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_view.key) AS k), chime.live_of(p_view));
    END;
    changed := NOT v_populated OR NOT current_setting('track_counts')::boolean
        OR pg_stat_get_xact_tuples_inserted(v_kept) + pg_stat_get_xact_tuples_deleted(v_kept) > v_before;
    EXECUTE format('SELECT count(*) FROM %s', v_kept) INTO rows;
    rejected := chime.count_rejected(p_view);
END $$;
COMMENT ON ROUTINE chime.refresh_matview IS 'a refresh that does everything, into a materialized view';

-- The row of a view that another session refreshes, within lock_timeout; past that CH010, which is no failure of the
-- view: a run of a refresh job counts it as skipped. Apart from chime.begin_refresh, which is to need no
-- subtransaction.
CREATE OR REPLACE FUNCTION chime.await_refresh(p_view chime.view) RETURNS chime.view_refresh
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE v_last chime.view_refresh;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation ORDER BY r.refreshes DESC LIMIT 1 FOR UPDATE;
    RETURN v_last;
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'view %.% is being refreshed by %', p_view.view_schema, p_view.relation, coalesce((
            SELECT 'session ' || l.pid FROM chime.view_refresh r
            JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = r.xmax AND l.granted
            WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation LIMIT 1), 'another session')
        USING ERRCODE = 'CH010',
              HINT = 'it goes on when that transaction ends: chime.refresh_job, a verification or a refresh by hand';
END $$;
COMMENT ON ROUTINE chime.await_refresh IS 'as chime.begin_refresh, where another session has it; CH010 after lock_timeout';

-- One refresh of a view at a time: the row is the lock, since any role may take advisory keys.
CREATE OR REPLACE FUNCTION chime.begin_refresh(p_view chime.view) RETURNS chime.view_refresh
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE v_last chime.view_refresh;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation ORDER BY r.refreshes DESC LIMIT 1
       FOR UPDATE SKIP LOCKED;
    RETURN CASE WHEN FOUND THEN v_last ELSE chime.await_refresh(p_view) END;
END $$;
COMMENT ON ROUTINE chime.begin_refresh IS 'locks a view''s refreshes and gives what is known of the last one';

CREATE OR REPLACE FUNCTION chime.views_below(p_view chime.view) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT v.view_schema || '.' || v.relation FROM chime.view v
             WHERE v.plugin = p_view.plugin AND v.view_id <> p_view.view_id
               AND chime.kept_of(v)::oid IN (SELECT chime.tables_read(chime.live_of(p_view))) ORDER BY v.view_id);
COMMENT ON ROUTINE chime.views_below IS 'the kept views that a view reads, lowest first';

-- What a keyed refresh costs, learned from each: a floor, and what each group adds. A difference between the cost and
-- what was expected is shared out by how much either weighs, so that refreshes of one group tell of the floor and those
-- of many of the groups.
CREATE OR REPLACE FUNCTION chime.learn_cost(p_floor_us double precision, p_key_us double precision, p_keys bigint, p_us bigint,
                                 OUT floor_us double precision, OUT key_us double precision)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_share double precision := (p_us - coalesce(p_floor_us + p_key_us * p_keys, 0)) / (1 + (p_keys / 100.0::double precision) ^ 2)
                                / CASE WHEN p_floor_us IS NULL THEN 1 ELSE 2 END;
BEGIN
    floor_us := greatest(0, coalesce(p_floor_us, 0) + v_share);
    key_us := greatest(0, coalesce(p_key_us, 0) + v_share * p_keys / 10000);
END $$;
COMMENT ON ROUTINE chime.learn_cost IS 'what a keyed refresh costs without its groups and for each of them, with one more measured';

-- A refresh that did everything because groups looked dear lets their cost fall, so that one group that was large does
-- not decide for ever.
-- Nothing that was noted before it is behind any more: it held the view's row since before its snapshot (a REPEATABLE
-- READ transaction whose snapshot is older than the note fails on that row).
CREATE OR REPLACE FUNCTION chime.note_refresh(p_last chime.view_refresh, p_method text, p_reason text, p_keys bigint, p_rows bigint,
                                   p_inserted bigint, p_updated bigint, p_deleted bigint, p_rejected bigint,
                                   p_seen pg_snapshot, p_fingerprint text, p_duration bigint, p_watched bigint, p_revisited boolean,
                                   p_frozen_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    v_cost record;
BEGIN
    SELECT * INTO v_cost FROM chime.learn_cost(p_last.floor_us, p_last.key_us, p_keys, p_duration - p_watched);
    UPDATE chime.view_refresh r
       SET refreshed_at = now(), method = p_method, reason = p_reason, keys = p_keys, rows = p_rows, inserted = p_inserted,
           updated = p_updated, deleted = p_deleted, rejected = p_rejected, refreshes = r.refreshes + 1, seen = p_seen,
           fingerprint = p_fingerprint, duration_us = p_duration, behind_since = NULL,
           start_over = NULL, frozen_at = greatest(r.frozen_at, p_frozen_at), -- NULL is passed over
           watch_owed_us = greatest(0, p_last.watch_owed_us + p_watched - chime.watch_share() * (p_duration - p_watched)),
           revisited_at = CASE WHEN p_revisited THEN now() ELSE r.revisited_at END,
           changed_at = CASE WHEN p_inserted + p_updated + p_deleted > 0 THEN now() ELSE r.changed_at END,
           full_us = CASE WHEN p_method = 'full' THEN p_duration ELSE r.full_us END,
           floor_us = CASE WHEN p_keys > 0 THEN v_cost.floor_us WHEN p_method = 'full' THEN r.floor_us * 3 / 4 ELSE r.floor_us END,
           key_us = CASE WHEN p_keys > 0 THEN v_cost.key_us WHEN p_method = 'full' THEN r.key_us * 3 / 4 ELSE r.key_us END
     WHERE (r.view_schema, r.relation, r.refreshes) = (p_last.view_schema, p_last.relation, p_last.refreshes);
END $$;
COMMENT ON ROUTINE chime.note_refresh IS 'writes down what a refresh did, and up to where it has seen changes';

-- Whether a refresh also compares a group that nothing marked: once refreshes have made up for what the last comparison
-- took, by chime.watch_share() of their own time each. So however dear a group is, no more than that share goes into
-- it. Its sources are locked before the snapshot is taken: so it may lock them, and each statement has one of its own.
CREATE OR REPLACE FUNCTION chime.watches(p_last chime.view_refresh) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan
BEGIN
    RETURN p_last.seen IS NOT NULL AND current_setting('transaction_isolation') = 'read committed'
    AND p_last.watch_owed_us <= 0 AND chime.watch_share() > 0
    AND NOT EXISTS (SELECT FROM chime.view_source s WHERE s.view_schema = p_last.view_schema AND s.relation = p_last.relation
                    AND NOT coalesce(has_table_privilege(chime.source_oid(s.source_id), 'SELECT'), false));
END $$;
COMMENT ON ROUTINE chime.watches IS 'whether a refresh also compares a group that nothing marked';

-- One that is asked for in full, and the changes of a view that is keyed and begins with everything for once (its first
-- refresh, a TRUNCATE, too many marks), are no falling back.
CREATE OR REPLACE FUNCTION chime.refuse_full(p_view chime.view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.mode = 'strict' THEN
        RAISE EXCEPTION 'view %.% is strict, and %', p_view.view_schema, p_view.relation, p_view.full_reason
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('mend that, or give it mode "auto"; once: %s',
                                CASE WHEN p_view.plugin IS NULL THEN format('SELECT chime.refresh_view(%L, true)', p_view.relation)
                                     ELSE 'pgchime refresh --full ' || p_view.relation END);
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_full IS 'raises for a strict view, which is not to be refreshed whole because it cannot be keyed';

-- Readers take an old stamp for a sign that nothing refreshes. So a refresh by schedule or by hand stamps all rows of a
-- small relation. In a larger one, and after a change, only rows that differ get another stamp.
CREATE OR REPLACE FUNCTION chime.stamp_rows(p_view chime.view, p_kept regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_stamps text;
    v_old text;
BEGIN
    SELECT string_agg(format('%I = chime.as_of()', a.attname), ', '), string_agg(format('%I IS DISTINCT FROM chime.as_of()', a.attname), ' OR ')
      INTO v_stamps, v_old
      FROM pg_attribute a
     WHERE a.attrelid = p_kept AND a.attname = ANY (p_view.stamps) AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped;
    IF v_stamps IS NOT NULL THEN
        EXECUTE format('UPDATE %s SET %s WHERE %s', p_kept, v_stamps, v_old);
    END IF;
END $$;
COMMENT ON FUNCTION chime.stamp_rows IS 'gives each row of a kept relation the time of this refresh in its stamps, as far as they are instants';

-- Makes a kept relation equal to its live definition. Everyone refreshes through here: runs, psql, verify. In one
-- environment, whoever asks, as chime.difference() has it: a time's text, its day and a float's digits depend on
-- settings. Views below that one job refreshes together with this one go first, unless this transaction has done so:
-- such a view alone would be older than its refresh says.
CREATE OR REPLACE FUNCTION chime.refresh(p_view text, p_full boolean DEFAULT false, p_revisit boolean DEFAULT true,
                              p_watch boolean DEFAULT true)
RETURNS TABLE (method text, reason text, keys bigint, rows bigint, inserted bigint, updated bigint, deleted bigint, rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
#variable_conflict use_variable
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_start timestamptz := clock_timestamp();
    v_last chime.view_refresh;
    v_now record;
    v_seen pg_snapshot; -- NULL where it is not keyed
    v_fingerprint text;
    v_watch_us bigint;
    v_all record;
    v_kept regclass;
    v_kind text;
BEGIN
    IF v_view.below <> '{}' THEN
        PERFORM chime.refresh(b.name, p_full, p_revisit, p_watch) FROM unnest(v_view.below) AS b (name)
         WHERE EXISTS (SELECT FROM chime.job j WHERE j.views @> ARRAY[b.name, v_view.view_schema || '.' || v_view.relation])
           AND (SELECT r.refreshed_at IS DISTINCT FROM now() FROM chime.begin_refresh(chime.find_view(b.name)) AS r);
    END IF;
    v_last := chime.begin_refresh(v_view);
    v_view := chime.find_view(p_view); -- it may have been made anew meanwhile, and have no triggers yet or any more
    PERFORM set_config('TimeZone', v_view.timezone, true);
    PERFORM chime.vet_again(v_view);
    IF p_full AND v_view.found_wrong IS NOT NULL THEN
        PERFORM chime.note_wrong(v_view, NULL);
    END IF;
    v_kept := chime.require_kept(v_view);
    v_kind := chime.relation_kind(v_kept);
    IF v_view.full_reason IS NULL AND v_kind = 'MATERIALIZED VIEW' THEN
        v_view.full_reason := 'it is a materialized view';
    ELSIF v_view.full_reason IS NULL AND chime.reads_distributed(chime.live_of(v_view)) THEN -- until chime.ask_again says so
        v_view.full_reason := 'a table that it reads was distributed';
    END IF;
    PERFORM chime.refuse_full(v_view) WHERE v_view.full_reason IS NOT NULL AND NOT p_full;
    reason := coalesce(v_view.full_reason, CASE WHEN p_full THEN 'asked for' END, v_last.start_over);
    IF v_view.full_reason IS NULL THEN
        EXECUTE format('SELECT * FROM chime.keyed_%s($1, $2, $3, $4, $5, $6, $7)', v_view.view_id) INTO v_now
          USING CASE WHEN NOT p_full THEN v_last.seen END, v_last.fingerprint, p_revisit, v_last.full_us, v_last.floor_us, v_last.key_us,
                p_watch AND NOT p_full AND chime.watches(v_last);
        IF v_now.wrong IS NOT NULL THEN
            PERFORM chime.note_wrong(v_view, v_now.wrong);
        END IF;
        reason := coalesce(reason, v_now.reason);
        v_seen := v_now.seen;
        v_fingerprint := v_now.fingerprint;
        v_watch_us := v_now.watch_us;
    END IF;
    IF reason IS NULL THEN
        method := 'keyed';
        keys := v_now.keys;
        rows := v_last.rows + v_now.inserted - v_now.deleted;
        inserted := v_now.inserted; updated := v_now.updated; deleted := v_now.deleted; rejected := v_last.rejected;
    ELSIF v_kind = 'MATERIALIZED VIEW' THEN
        method := 'matview';
        SELECT * INTO v_all FROM chime.refresh_matview(v_view);
        rows := v_all.rows; rejected := v_all.rejected;
        UPDATE chime.view_refresh r SET changed_at = now()
         WHERE v_all.changed AND (r.view_schema, r.relation, r.refreshes) = (v_last.view_schema, v_last.relation, v_last.refreshes);
    ELSE
        method := 'full';
        SELECT * INTO v_all FROM chime.refresh_all(v_view);
        rows := v_all.rows; rejected := v_all.rejected;
        inserted := v_all.inserted; updated := v_all.updated; deleted := v_all.deleted;
        IF v_view.full_reason IS NULL THEN -- what it did before it gave up
            inserted := inserted + v_now.inserted; updated := updated + v_now.updated; deleted := deleted + v_now.deleted;
        END IF;
    END IF;
    IF to_regclass(format('%I.%I', v_view.view_schema, v_view.relation)) IS DISTINCT FROM v_kept THEN -- nobody can rename what was written
        RAISE EXCEPTION 'relation %.% was replaced by another one meanwhile', v_view.view_schema, v_view.relation
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'nothing was refreshed: look at what has that name now, then run pgchime reload';
    END IF;
    PERFORM chime.note_refresh(v_last, method, reason, keys, rows, inserted, updated, deleted, rejected, v_seen, v_fingerprint,
                               (extract(epoch FROM clock_timestamp() - v_start) * 1000000)::bigint, coalesce(v_watch_us, 0),
                               p_revisit OR method <> 'keyed', chime.freezes_until(v_view, method, p_revisit, p_watch));
    IF p_revisit AND v_kind <> 'MATERIALIZED VIEW' AND v_view.stamps <> '{}' AND rows <= 10000 THEN
        PERFORM chime.stamp_rows(v_view, v_kept);
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.refresh IS
    'one transaction, one view; "rows" is how many the view holds now, "reason" why everything was done; inserted, updated and deleted are NULL, not known, for a materialized view; p_revisit: also groups that change as time passes; p_watch: a group that nothing marked is compared now and then; false: the caller compares all of it, so nothing more freezes before that';

CREATE OR REPLACE FUNCTION chime.refresh_words(p_view text, p_done record) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN format('%s: %s, %s rows', p_view,
                  CASE p_done.method WHEN 'keyed' THEN format('keyed, %s groups', p_done.keys)
                                     WHEN 'matview' THEN 'materialized view'
                                     ELSE format('%s (%s)', p_done.method, p_done.reason) END, p_done.rows)
        || CASE WHEN p_done.inserted IS NULL THEN ''
                ELSE format(', %s inserted, %s updated, %s deleted', p_done.inserted, p_done.updated, p_done.deleted) END
        || CASE WHEN p_done.method = 'keyed' OR p_done.rejected IS NULL THEN ''
                ELSE format(', %s source values rejected', p_done.rejected) END;
END $$;
COMMENT ON ROUTINE chime.refresh_words IS 'what a refresh did, in words for the history';

-- A refresh job and its end, as one statement and so as one transaction. One for a change does what changed; groups
-- that change as time passes are for the schedule.
CREATE OR REPLACE FUNCTION chime.perform_refresh(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
                                      p_lock_timeout text, p_views text[])
RETURNS TABLE (rows bigint, message text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_view text;
    v_done record;
BEGIN
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    rows := 0;
    FOREACH v_view IN ARRAY p_views LOOP
        SELECT * INTO v_done FROM chime.refresh(v_view, false, p_kind::text <> 'change');
        rows := rows + coalesce(v_done.inserted + v_done.updated + v_done.deleted, 0);
        message := concat_ws('; ', message, chime.refresh_words(v_view, v_done));
    END LOOP;
    PERFORM chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, message);
    RETURN NEXT;
END $$;
COMMENT ON ROUTINE chime.perform_refresh IS 'runs a refresh job and writes its end down, as one statement';

-- By the index of failed runs, of each day.
CREATE OR REPLACE FUNCTION chime.last_failure(p_job bigint, OUT finished_at timestamptz, OUT message text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT h.finished_at, coalesce(split_part(h.message, E'\n', 1), h.reason, h.state::text)
    FROM chime.run_history h
    WHERE h.job_id = p_job AND h.state IN ('failed', 'timed_out', 'lost')
    ORDER BY h.slot DESC LIMIT 1;
END;
COMMENT ON FUNCTION chime.last_failure IS 'when the job failed last, by its slot, and the first line of what it said; NULLs: it never did';

-- "its last run, at ...: MESSAGE" of a job that fails; NULL: it does not, or is suspended. enable_seqscan: PostgreSQL
-- 18 keeps the plan of such a function, also one that was made while there were few jobs.
CREATE OR REPLACE FUNCTION chime.failure_words(p_job bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT format('%s, at %s: %s', CASE s.consecutive_failures WHEN 1 THEN 'its last run'
                                        ELSE format('%s runs in a row, the last', s.consecutive_failures) END,
                  to_char(l.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), l.message)
    FROM chime.job_state s CROSS JOIN chime.last_failure(p_job) AS l
    WHERE s.job_id = p_job AND s.suspended_at IS NULL AND s.consecutive_failures > 0 AND l.finished_at IS NOT NULL;
END;
COMMENT ON ROUTINE chime.failure_words IS 'how a job fails: how often in a row, since when and of what; NULL: it does not';

CREATE OR REPLACE FUNCTION chime.find_refresh_job(p_job text) RETURNS chime.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job;
BEGIN
    SELECT * INTO v_job FROM chime.job j WHERE j.name = p_job ORDER BY j.owner = current_user DESC, j.active DESC, j.job_id LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job "%"', p_job USING ERRCODE = 'undefined_object', HINT = 'pgchime jobs lists them';
    ELSIF v_job.views = '{}' THEN
        RAISE EXCEPTION 'job "%" refreshes no views', p_job USING ERRCODE = 'wrong_object_type',
            HINT = format('to have its command run: pgchime run %s', chime.shell_word(p_job));
    END IF;
    RETURN v_job;
END $$;
COMMENT ON ROUTINE chime.find_refresh_job IS 'the job of a name, which has to be one that refreshes';

-- Nothing of a daemon is needed: it is the caller's transaction that refreshes and that writes the run down, so the run
-- is there exactly if its changes are. chime.job_state, which claims need, is left alone: the caller may keep its
-- transaction open.
CREATE OR REPLACE FUNCTION chime.refresh_job(p_job text)
RETURNS TABLE (view text, method text, rows bigint, duration_ms double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_job chime.job := chime.find_refresh_job(p_job);
    v_began timestamptz := clock_timestamp();
    v_view text;
    v_start timestamptz;
    v_done record;
    v_changed bigint := 0;
    v_message text;
BEGIN
    FOREACH v_view IN ARRAY v_job.views LOOP
        v_start := clock_timestamp();
        SELECT * INTO v_done FROM chime.refresh(v_view);
        view := substr(v_view, strpos(v_view, '.') + 1); -- names of relations have no dot
        method := v_done.method;
        rows := v_done.rows;
        duration_ms := extract(epoch FROM clock_timestamp() - v_start) * 1000;
        v_changed := v_changed + coalesce(v_done.inserted + v_done.updated + v_done.deleted, 0);
        v_message := concat_ws('; ', v_message, format('%s: %s, %s rows', v_view, method, rows));
        RETURN NEXT;
    END LOOP;
    IF coalesce(v_job.options ->> 'log_runs', 'all') = 'all' THEN
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at, finished_at,
                                       rows, message, reason)
        SELECT nextval('chime.run_id'), v_job.job_id, 'manual', v_began, 'succeeded', 1, pg_backend_pid(), l.epoch, v_began, v_began,
               clock_timestamp(), v_changed, v_message, format('refreshed by %s in a session of its own', session_user)
        FROM chime.leader l
        ON CONFLICT (job_id, kind, slot) DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION chime.refresh_job IS
    'refreshes every view of a job now, in this transaction, and writes the run down; "rows" is how many the view holds now';

-- Those of these relations that are installed, by the jobs that refresh them; one after the other by name, so that two
-- sessions that do so wait for each other and never in a circle.
CREATE OR REPLACE FUNCTION chime.refresh_relations(p_relations text[])
RETURNS TABLE (view text, method text, rows bigint, duration_ms double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job text;
BEGIN
    FOR v_job IN SELECT DISTINCT j.name
                 FROM chime.view v JOIN chime.plugin p ON p.name = v.plugin AND p.state IN ('installed', 'removed')
                 JOIN chime.job j ON v.view_schema || '.' || v.relation = ANY (j.views)
                 WHERE v.relation = ANY (p_relations) ORDER BY j.name LOOP
        RETURN QUERY SELECT * FROM chime.refresh_job(v_job);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.refresh_relations IS
    'as chime.refresh_job, of every job that refreshes one of these relations; those that are not installed are passed over';
