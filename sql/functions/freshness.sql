-- SPDX-License-Identifier: PostgreSQL
-- Freshness: how far each view is behind its sources. It is read from the tables alone, so it is right while no daemon
-- runs, too.

-- --- what is not in a view yet ---------------------------------------------------------------------------------------

-- How many marks of its sources a view has still to take, no more than p_limit. NULL: marks do not say, since the next
-- refresh recomputes everything: the view is not keyed, or something may have changed without a mark.
CREATE OR REPLACE FUNCTION chime.pending_changes(p_view text, p_limit integer DEFAULT 1000) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_last chime.view_refresh;
    v_source integer;
    v_total integer := 0;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r
     WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation;
    IF v_view.full_reason IS NOT NULL OR v_last.seen IS NULL
       OR chime.uncaptured_sources(v_view.view_schema, v_view.relation) IS NOT NULL
       OR chime.flooded(v_view.view_schema, v_view.relation)
       OR chime.view_fingerprint(v_view.view_schema, v_view.relation) IS DISTINCT FROM v_last.fingerprint THEN
        RETURN NULL;
    END IF;
    FOR v_source IN SELECT s.source_id FROM chime.view_source s
                    WHERE s.view_schema = v_view.view_schema AND s.relation = v_view.relation LOOP
        v_total := v_total + chime.unseen_marks(v_source, v_last.seen, p_limit - v_total);
        EXIT WHEN v_total >= p_limit;
    END LOOP;
    RETURN v_total;
END $$;
COMMENT ON FUNCTION chime.pending_changes IS
    'marks that the view has still to take, at most p_limit; NULL where marks do not tell: a view that is not keyed, or one whose next refresh does everything';

-- The same of every view, as yes or no. Catalogs are asked once for all of them. A source whose log has nothing since
-- the earliest snapshot of its views is not looked at for each of these.
CREATE OR REPLACE FUNCTION chime.pending_views() RETURNS TABLE (view_schema name, relation name, pending boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET max_parallel_workers_per_gather = 0
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_views integer[] := ARRAY(SELECT v.view_id FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation)
                               WHERE v.full_reason IS NULL AND r.seen IS NOT NULL);
    v_vague integer[] := ARRAY(SELECT u.view_id FROM chime.uncaptured_views(v_views) AS u) || ARRAY(SELECT chime.flooded_views(v_views));
    v_told integer[] := ARRAY(
        SELECT v.view_id FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation)
        LEFT JOIN chime.view_looks(v_views) AS l ON l.view_id = v.view_id
        WHERE v.view_id = ANY (v_views) AND v.view_id <> ALL (v_vague) AND l.fingerprint IS NOT DISTINCT FROM r.fingerprint);
    v_written integer[] := ARRAY(
        SELECT s.source_id FROM chime.view v JOIN chime.view_source s USING (view_schema, relation) JOIN chime.view_refresh r USING (view_schema, relation)
        WHERE v.view_id = ANY (v_told) GROUP BY s.source_id
        HAVING chime.unseen_marks(s.source_id, format('%1$s:%1$s:', min(pg_snapshot_xmin(r.seen)))::pg_snapshot, 1) IS DISTINCT FROM 0);
BEGIN
    RETURN QUERY
    SELECT v.view_schema, v.relation,
           CASE WHEN v.view_id = ANY (v_told) THEN
               (SELECT CASE WHEN bool_or(u.marks > 0) THEN true WHEN bool_or(u.marks IS NULL) THEN NULL ELSE false END
                FROM (SELECT CASE WHEN s.source_id = ANY (v_written) THEN chime.unseen_marks(s.source_id, r.seen, 1) ELSE 0 END AS marks
                      FROM chime.view_source s WHERE s.view_schema = v.view_schema AND s.relation = v.relation) AS u) END
    FROM chime.view v JOIN chime.view_refresh r ON r.view_schema = v.view_schema AND r.relation = v.relation;
END $$;
COMMENT ON FUNCTION chime.pending_views IS 'whether each view has marks still to take; NULL where marks do not tell';

-- What the leader's look found: views ("schema.relation") that have not taken yet what was committed by p_since. A view
-- that is being refreshed is passed over, so that no look waits for a refresh, and no refresh leaves behind what was
-- noted before it began. That is also why it looks once more, after it has the row: a refresh may have ended in
-- between.
CREATE OR REPLACE FUNCTION chime.note_behind(p_views text[], p_since timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE v_noted record;
BEGIN
    PERFORM chime.commit_locally();
    FOR v_noted IN
        SELECT r.view_schema, r.relation, u.since
        FROM chime.view_refresh r JOIN unnest(p_views, p_since) AS u (name, since) ON u.name = r.view_schema || '.' || r.relation
        WHERE r.behind_since IS NULL AND u.since > coalesce(r.refreshed_at, '-infinity')
        FOR UPDATE OF r SKIP LOCKED
    LOOP
        UPDATE chime.view_refresh r SET behind_since = least(v_noted.since, clock_timestamp())
         WHERE r.view_schema = v_noted.view_schema AND r.relation = v_noted.relation
           AND chime.pending_changes(r.view_schema || '.' || r.relation, 1) IS DISTINCT FROM 0;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.note_behind IS
    'keeps the earliest instant for each view until its next refresh; for whoever sees a view stay behind for more than a moment';

-- --- states ----------------------------------------------------------------------------------------------------------

-- A duration among a job's options; "none", "downstream" and a job older than the option have none.
CREATE OR REPLACE FUNCTION chime.option_interval(p_options jsonb, p_name text) RETURNS interval
LANGUAGE sql STABLE -- without SET it becomes part of the plan
RETURN CASE WHEN p_options ->> p_name NOT IN ('none', 'downstream') THEN (p_options ->> p_name)::interval END;
COMMENT ON ROUTINE chime.option_interval IS 'a duration among a job''s options; NULL for none';

-- Thresholds of a view: the tightest of the jobs that refresh it. What a job leaves out follows from its target_lag,
-- and not so that error comes before warn. given_warn, given_error: what jobs say themselves. watched: the leader looks
-- at the view's sources. scheduled: it is refreshed by the clock alone, whether there are changes or not.
-- target_lag_from: the view that asks for it, where it is inherited; "downstream": none does; NULL: a job says it.
CREATE OR REPLACE FUNCTION chime.view_thresholds()
RETURNS TABLE (view_schema name, relation name, target_lag interval, warn_after interval, error_after interval, given_warn interval,
               given_error interval, watched boolean, scheduled boolean, target_lag_from text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan, as view_freshness()
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH needs AS MATERIALIZED (
        SELECT v.view_schema || '.' || v.relation AS view, n.lag, o.view_schema || '.' || o.relation AS asked_by
        FROM chime.view_needs() AS n JOIN chime.view v ON v.view_id = n.view_id JOIN chime.view o ON o.view_id = n.by_view),
    asked AS (
        SELECT u.view, j.schedule <> '' AS scheduled,
               CASE WHEN j.options ->> 'target_lag' = 'downstream' THEN n.lag ELSE chime.option_interval(j.options, 'target_lag') END AS target,
               CASE WHEN j.options ->> 'target_lag' = 'downstream' THEN coalesce(n.asked_by, 'downstream') END AS target_from,
               chime.option_interval(j.options, 'warn_after') AS warn, chime.option_interval(j.options, 'error_after') AS error,
               NOT EXISTS (SELECT FROM chime.job_state s WHERE s.job_id = j.job_id AND s.suspended_at IS NOT NULL)
               AND (SELECT chime.led()) AS tended,
               EXISTS (SELECT FROM chime.listener w WHERE w.state = 'listening' AND u.view = ANY (w.views)) AS looked_at
        FROM chime.job j CROSS JOIN LATERAL unnest(j.views) AS u (view) LEFT JOIN needs n ON n.view = u.view
        WHERE j.active AND j.views <> '{}'),
    given AS (
        SELECT a.view, a.scheduled, a.target, a.target_from, a.warn AS given_warn, a.error AS given_error, a.tended AND (a.target IS NOT NULL OR a.looked_at) AS watched,
               coalesce(a.warn, CASE WHEN a.target IS NOT NULL THEN least(greatest(2 * a.target, interval '5 s'), a.error) END)
               AS warn,
               coalesce(a.error, CASE WHEN a.target IS NOT NULL THEN greatest(10 * a.target, interval '60 s', a.warn) END)
               AS error
        FROM asked a)
    SELECT v.view_schema, v.relation, min(g.target), min(g.warn), min(g.error), min(g.given_warn),
           min(g.given_error), coalesce(bool_or(g.watched), false),
           coalesce(bool_or(g.scheduled) AND min(g.target) IS NULL, false), (array_agg(g.target_from ORDER BY g.target, g.target_from))[1]
    FROM chime.view v LEFT JOIN given g ON g.view = v.view_schema || '.' || v.relation
    GROUP BY v.view_schema, v.relation;
END $$;
COMMENT ON ROUTINE chime.view_thresholds IS 'thresholds of each view: the tightest of the jobs that refresh it';

-- What is known of one relation, judged by thresholds (NULL: none). p_pending NULL: marks do not tell. p_idles: nothing
-- need be wrong with a refresh of long ago, since refreshes begin with changes: it is keyed, and not scheduled.
--
--   refreshed | pending           | behind                | state
--   ----------+-------------------+-----------------------+------------------------------------------------------------
--   never     |                   | unknown               | unknown
--   yes       | no                | 0                     | fresh
--   yes       | yes, noted        | since it was noted    | by that; unknown without thresholds
--   yes       | yes, not noted    | unknown, but no more  | fresh when even that is below all thresholds, or when the
--             |                   | than since refreshed  | leader watches: it would have noted; else unknown if it
--             |                   |                       | idles, by that if not
--   yes       | marks do not tell | since refreshed, at   | by that if it does not idle; one that does is fresh below
--             |                   | most                  | all thresholds, by what was noted if that was, else unknown
CREATE OR REPLACE FUNCTION chime.freshness(p_idles boolean, p_pending boolean, p_behind_since timestamptz, p_refreshed_at timestamptz,
                                p_watched boolean, p_warn interval, p_error interval, p_now timestamptz,
                                OUT behind interval, OUT state text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_most interval := p_now - least(p_refreshed_at, p_now);
    v_noted interval := CASE WHEN p_behind_since IS NOT NULL THEN p_now - least(p_behind_since, p_now) END;
    v_first interval := least(p_warn, p_error);
    v_vague boolean := p_pending IS NULL OR v_noted IS NULL AND v_most >= v_first AND NOT p_watched;
BEGIN
    IF p_refreshed_at IS NULL THEN
        state := 'unknown';
    ELSIF NOT p_pending THEN
        behind := interval '0';
        state := 'fresh';
    ELSIF p_pending IS NULL OR v_vague AND NOT p_idles THEN
        behind := v_most;
    ELSE
        behind := v_noted;
    END IF;
    state := coalesce(state, CASE
        WHEN v_first IS NULL THEN 'unknown'
        WHEN p_pending IS NULL AND v_most < v_first THEN 'fresh'
        WHEN v_vague AND NOT p_idles THEN CASE WHEN v_most >= p_error THEN 'stale' ELSE 'warn' END
        WHEN v_noted >= p_error THEN 'stale'
        WHEN v_noted >= p_warn THEN 'warn'
        WHEN p_pending AND NOT v_vague THEN 'fresh'
        ELSE 'unknown' END);
END $$;
COMMENT ON ROUTINE chime.freshness IS 'pending, behind and state of one relation, judged by thresholds';

-- What time alone does to a view (revisit_query), by the thresholds that jobs give: those that follow from a target_lag
-- are for changes, which wake jobs; this is for schedules. Without any it is as fresh as somebody sees to it.
CREATE OR REPLACE FUNCTION chime.freshness_by_time(p_revisited_at timestamptz, p_watched boolean, p_warn interval, p_error interval,
                                        p_now timestamptz, OUT behind interval, OUT state text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan, as view_freshness()
BEGIN
    SELECT f.behind, CASE WHEN coalesce(p_warn, p_error) IS NULL AND p_watched AND p_revisited_at IS NOT NULL THEN 'fresh' ELSE f.state END
    INTO behind, state
    FROM chime.freshness(false, NULL, NULL, p_revisited_at, false, p_warn, p_error, p_now) AS f;
END $$;
COMMENT ON ROUTINE chime.freshness_by_time IS 'behind and state of what changes as time passes, judged by thresholds that jobs give';

-- A view that reads other views is as far behind as the furthest of these, for it shows what they show.
CREATE OR REPLACE FUNCTION chime.views_read() RETURNS TABLE (view_schema name, relation name, read_schema name, read_relation name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$ -- keeps its plan, as view_freshness()
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE kept AS MATERIALIZED (SELECT v.view_id, v.view_schema, v.relation FROM chime.view v),
    direct AS MATERIALIZED (SELECT r.view_id, r.read_id FROM chime.view_reads() AS r),
    through AS (
        SELECT k.view_id, k.view_id AS read_id FROM kept k
        UNION
        SELECT t.view_id, d.read_id FROM through t JOIN direct d ON d.view_id = t.read_id)
    SELECT k.view_schema, k.relation, o.view_schema, o.relation
    FROM through t JOIN kept k ON k.view_id = t.view_id JOIN kept o ON o.view_id = t.read_id;
END $$;
COMMENT ON FUNCTION chime.views_read IS 'each view with itself and the views that it reads, through others too';

-- The worst of what a view shows, by the view's own thresholds. Known to be late is worse than not known.
-- SECURITY DEFINER: whoever may see how fresh a view is need not read its marks.
CREATE OR REPLACE FUNCTION chime.view_freshness()
RETURNS TABLE (view_schema name, relation name, target_lag interval, warn_after interval, error_after interval, pending boolean,
               behind interval, freshness text, target_lag_from text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$ -- keeps its plan: dashboards ask
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT v.view_schema, v.relation, v.full_reason IS NULL AND NOT t.scheduled AS idles, r.refreshed_at, r.behind_since,
               v.revisit_query IS NOT NULL AS moves, least(r.refreshed_at, r.revisited_at) AS revisited_at,
               t.target_lag, t.target_lag_from, t.warn_after, t.error_after, t.given_warn, t.given_error, t.watched, p.pending
        FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation) JOIN chime.pending_views() AS p USING (view_schema, relation)
        JOIN chime.view_thresholds() AS t USING (view_schema, relation)),
    shown AS (
        SELECT k.view_schema, k.relation, k.target_lag, k.target_lag_from, k.warn_after, k.error_after, o.pending, f.behind,
               array_position('{fresh,unknown,warn,stale}', f.state) AS badness
        FROM known k JOIN chime.views_read() AS r USING (view_schema, relation)
        JOIN known o ON o.view_schema = r.read_schema AND o.relation = r.read_relation
        CROSS JOIN LATERAL (
            SELECT * FROM chime.freshness(o.idles, o.pending, o.behind_since, o.refreshed_at, o.watched, k.warn_after, k.error_after,
                                          clock_timestamp())
            UNION ALL
            SELECT t.* FROM chime.freshness_by_time(o.revisited_at, o.watched, k.given_warn, k.given_error, clock_timestamp()) AS t
            WHERE o.moves) AS f),
    worst AS (
        SELECT s.view_schema, s.relation, s.target_lag, s.target_lag_from, s.warn_after, s.error_after,
               CASE WHEN bool_or(s.pending) THEN true WHEN bool_and(s.pending IS NOT NULL) THEN false END AS pending,
               max(s.behind) AS behind, bool_or(s.behind IS NULL) AS vague, max(s.badness) AS badness
        FROM shown s GROUP BY s.view_schema, s.relation, s.target_lag, s.target_lag_from, s.warn_after, s.error_after)
    SELECT w.view_schema, w.relation, w.target_lag, w.warn_after, w.error_after, w.pending,
           CASE WHEN w.badness > 2 OR NOT w.vague THEN w.behind END, ('{fresh,unknown,warn,stale}'::text[])[w.badness],
           w.target_lag_from
    FROM worst w;
END $$;
COMMENT ON ROUTINE chime.view_freshness IS 'how far each view is behind, its thresholds, and fresh, warn, stale or unknown';

-- How fresh a schema's views are, for who reads these and may not look into schema chime. A function of that name that
-- is not ours stays. Its body refers to chime's objects, not to their names: it goes with schema chime.
CREATE OR REPLACE FUNCTION chime.install_freshness(p_schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.view_freshness()', p_schema);
    v_words text := 'how far each view of this schema is behind its sources, and fresh, warn, stale or unknown by its thresholds';
    v_routine regprocedure := to_regprocedure(v_name);
BEGIN
    IF v_routine IS NULL THEN
        EXECUTE format('CREATE FUNCTION %s RETURNS TABLE (relation name, freshness text, behind interval, target_lag interval,'
                       ' warn_after interval, error_after interval, refreshed_at timestamptz)'
                       ' LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp BEGIN ATOMIC'
                       ' SELECT f.relation, f.freshness, f.behind, f.target_lag, f.warn_after, f.error_after, r.refreshed_at'
                       ' FROM chime.view_freshness() AS f JOIN chime.view_refresh r USING (view_schema, relation)'
                       ' WHERE f.view_schema = %L ORDER BY f.relation; END', v_name, p_schema);
        v_routine := v_name::regprocedure;
        PERFORM chime.keep_routine_private(v_routine);
        EXECUTE format('COMMENT ON FUNCTION %s IS %L', v_routine, v_words);
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL AND NOT has_function_privilege('analytics_reader', v_routine, 'EXECUTE')
       AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = v_routine AND pg_has_role(p.proowner, 'USAGE') AND obj_description(p.oid, 'pg_proc') = v_words) THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO analytics_reader', v_routine);
    END IF;
END $$;
COMMENT ON FUNCTION chime.install_freshness IS 'makes view_freshness() in a schema of views, for analytics_reader';

-- --- seen ------------------------------------------------------------------------------------------------------------

-- Views that have never been filled, by the jobs that are to fill them. words: why the last try failed; NULL: it is
-- still to come, or goes on.
CREATE OR REPLACE FUNCTION chime.unfilled() RETURNS TABLE (plugin text, job text, views text, words text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.plugin, u.job, u.views, CASE WHEN l.state IN ('failed', 'timed_out', 'lost') THEN coalesce(split_part(l.message, E'\n', 1), l.state::text) END
    FROM (SELECT v.plugin, j.job_id, j.name AS job, string_agg(r.view_schema || '.' || r.relation, ', ' ORDER BY v.view_id) AS views
          FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)
          JOIN chime.job j ON j.active AND r.view_schema || '.' || r.relation = ANY (j.views)
          WHERE r.refreshed_at IS NULL GROUP BY v.plugin, j.job_id, j.name) AS u
    CROSS JOIN LATERAL (SELECT * FROM chime.last_fill(u.job_id) OFFSET 0) AS l;
END;
COMMENT ON FUNCTION chime.unfilled IS 'views that have never been filled, by job; words: why the last try failed';

CREATE OR REPLACE VIEW chime.plugin_status WITH (security_invoker = true) AS
SELECT p.name, p.version, p.summary, p.view_schema, p.source_schema,
       CASE WHEN u.failed IS NOT NULL THEN 'failed' ELSE p.state END AS state, coalesce(p.reason, u.failed, u.filling) AS reason,
       CASE WHEN p.state = 'failed' THEN 'it is tried again at the next reload: mend that, then run pgchime reload'
            WHEN u.failed IS NOT NULL THEN format('mend that, or the rows that it reads; it is tried again within 10 min, and at once by: pgchime run %s', chime.shell_word(u.job))
       END AS way_out
FROM chime.plugin p
LEFT JOIN (SELECT f.plugin, min(f.job) FILTER (WHERE f.words IS NOT NULL) AS job,
                  string_agg(format('job %s cannot fill %s: %s', f.job, f.views, f.words), '; ' ORDER BY f.job) FILTER (WHERE f.words IS NOT NULL) AS failed,
                  'being filled: ' || string_agg(f.views, ', ' ORDER BY f.job) AS filling
           FROM chime.unfilled() AS f GROUP BY f.plugin) AS u ON u.plugin = p.name AND p.state = 'installed';
COMMENT ON VIEW chime.plugin_status IS
    'what became of each plugin here: as chime.plugin, and failed also while one of its views could never be filled, with the server''s words';

-- A size takes a lock: of a relation that another session holds for itself there is none, so that the rest is shown.
CREATE OR REPLACE VIEW chime.view_status WITH (security_invoker = true) AS
SELECT v.view_schema, v.relation, v.plugin, (SELECT s.state FROM chime.plugin_status s WHERE s.name = v.plugin) AS plugin_state, v.mode, v.full_reason, r.method, r.reason, r.refreshed_at, r.changed_at,
       clock_timestamp() - r.refreshed_at AS age, r.duration_us, r.keys, r.rows, r.inserted, r.updated, r.deleted, r.rejected, r.refreshes,
       CASE WHEN k.oid
                 <> ALL (ARRAY(SELECT l.relation FROM pg_locks l WHERE l.mode = 'AccessExclusiveLock' AND l.relation IS NOT NULL))
            THEN pg_total_relation_size(k.oid) END AS bytes,
       f.target_lag, f.warn_after, f.error_after, f.pending, f.behind, f.freshness,
       (SELECT max(n.verified_at) FROM chime.verification n
         WHERE n.view_schema = v.view_schema AND n.relation = v.relation AND n.missing IS NOT NULL) AS verified_at,
       r.frozen_at - v.frozen_after AS frozen_before, r.late, r.late_at, f.target_lag_from
FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation)
JOIN chime.view_freshness() AS f ON f.view_schema = v.view_schema AND f.relation = v.relation
LEFT JOIN (SELECT n.nspname, c.relname, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) AS k -- to_regclass asks for USAGE
    ON k.nspname = v.view_schema AND k.relname = v.relation
UNION ALL -- of roles; the size of a relation of theirs would be a lock that they choose
SELECT o.view_schema, o.relation, o.view_schema || '.' || o.relation, 'installed', o.mode, o.full_reason, o.method, o.reason, o.refreshed_at, o.changed_at,
       clock_timestamp() - o.refreshed_at, o.duration_us, o.keys, o.rows, o.inserted, o.updated, o.deleted, NULL, o.refreshes, NULL,
       o.target_lag, o.warn_after, o.error_after, NULL, o.behind, o.freshness, NULL, NULL, 0, NULL, NULL
FROM chime.role_view_states() AS o;
COMMENT ON VIEW chime.view_status IS
    'what each view''s last refresh did, and when; how far it is behind its sources (of a view that is not keyed: at most), judged by its jobs'' thresholds; full_reason: why the view is not keyed; frozen_before: rows that are older are frozen (chime.view.frozen has the condition in full); late: frozen groups that a source would have changed since, by INSERT or UPDATE; target_lag_from: of target_lag = "downstream" the view that it is inherited from, or "downstream" where none asks for one';
