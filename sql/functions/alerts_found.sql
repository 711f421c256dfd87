-- SPDX-License-Identifier: PostgreSQL
-- What is wrong, as the rules of alerts look for it: without the leader's row, on a session of its own.

-- At most a hundred subjects for each owner and rule, so that one owner's many do not hide another owner's one. Texts
-- are cut, since the leader ends a session that answers with more than 16 MB.
CREATE OR REPLACE FUNCTION chime.jobs_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text, job_id bigint,
                                                  failures bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH active AS MATERIALIZED (
        SELECT j.job_id, j.name, j.owner, j.schedule, j.views, j.problem, s.runs, s.failures, s.consecutive_failures, s.last_slot, s.suspended_at,
               s.suspended_by, s.suspend_reason
        FROM chime.job j JOIN chime.job_state s USING (job_id)
        WHERE j.active AND (s.failures > 0 OR s.consecutive_failures > 0 OR s.suspended_at IS NOT NULL OR j.problem IS NOT NULL
                            OR s.last_slot > clock_timestamp() + interval '1 minute')),
    expecting AS MATERIALIZED (
        SELECT j.name, j.owner, greatest(s.last_success, j.since) AS good_at, s.last_duration_us / 1e6 AS took, s.last_rows, s.last_outcome,
               s.skipped_in_a_row, r.claimed_at AS running_since,
               chime.duration_us(j.options ->> 'expect_success_within') / 1e6 AS within, (j.options ->> 'expect_rows')::bigint AS rows,
               chime.duration_us(j.options ->> 'expect_duration') / 1e6 AS duration,
               chime.duration_us(j.options ->> 'expect_min_duration') / 1e6 AS least,
               CASE WHEN s.successes >= 20 THEN (s.typical_us + 6 * s.spread_us) / 1e6 + 30 END AS usual
        FROM chime.job j JOIN chime.job_state s USING (job_id)
        LEFT JOIN LATERAL (SELECT max(r.claimed_at) AS claimed_at FROM chime.run r
                           WHERE r.job_id = j.job_id AND r.pid IS NOT NULL AND r.done_at IS NULL) AS r ON true
        WHERE j.active AND s.suspended_at IS NULL
          AND (s.skipped_in_a_row >= 5 OR r.claimed_at IS NOT NULL OR coalesce(j.options ->> 'expect_success_within', 'none') <> 'none'
               OR coalesce(j.options ->> 'expect_duration', 'none') <> 'none' OR coalesce(j.options ->> 'expect_min_duration', 'none') <> 'none'
               OR coalesce(j.options ->> 'expect_rows', '0') <> '0')),
    found AS (
        SELECT 'job-failed' AS rule, j.name, j.owner, j.consecutive_failures::double precision AS value,
               CASE WHEN j.consecutive_failures = 0
                    THEN format('it failed %s times since the look before; its last run succeeded', j.failures - coalesce(a.failures, 0)) END AS summary,
               j.job_id, j.failures
        FROM active j LEFT JOIN chime.alert_job a USING (job_id)
        WHERE j.failures > coalesce(a.failures, 0) OR j.consecutive_failures > 0 AND j.suspended_at IS NULL
        UNION ALL
        SELECT 'job-failure-rate', j.name, j.owner, 100.0 * (j.failures - a.rate_failures) / (j.runs - a.rate_runs),
               format('%s of %s runs failed since %s', j.failures - a.rate_failures, j.runs - a.rate_runs,
                      to_char(a.rate_since AT TIME ZONE 'UTC', 'HH24:MI"Z"')), NULL, NULL
        FROM chime.alert_job a JOIN active j USING (job_id)
        WHERE a.rate_since BETWEEN now() - interval '1 hour' AND clock_timestamp() AND j.runs - a.rate_runs >= 20 AND j.failures - a.rate_failures > 0.2 * (j.runs - a.rate_runs)
        UNION ALL
        SELECT 'view-refresh-failing', j.name, j.owner, j.consecutive_failures, NULL, j.job_id, NULL
        FROM active j WHERE j.views <> '{}' AND j.consecutive_failures > 3 AND j.suspended_at IS NULL
        UNION ALL
        SELECT 'job-overdue', e.name, e.owner, extract(epoch FROM now() - e.good_at), format('no success since %s',
                   to_char(e.good_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')), NULL, NULL
        FROM expecting e WHERE extract(epoch FROM now() - e.good_at) > e.within
        UNION ALL
        SELECT 'job-slow', e.name, e.owner, t.took, format('its %s has taken %s s; %s s are %s', CASE WHEN t.goes_on THEN 'run' ELSE 'last run' END,
                   round(t.took), round(coalesce(e.duration, e.usual)::numeric, 1), CASE WHEN e.duration IS NULL THEN 'usual at most' ELSE 'expected' END),
               NULL, NULL
        FROM expecting e CROSS JOIN LATERAL (
            SELECT extract(epoch FROM clock_timestamp() - e.running_since) AS took, true AS goes_on
            UNION ALL SELECT e.took, false WHERE e.duration IS NOT NULL AND e.last_outcome = 'succeeded' AND e.running_since IS NULL) AS t
        WHERE t.took > coalesce(e.duration, e.usual)
        UNION ALL
        SELECT 'job-quick', e.name, e.owner, e.took, format('its last run took %s s; %s s or more are expected', round(e.took::numeric, 1), round(e.least::numeric, 1)),
               NULL, NULL
        FROM expecting e WHERE e.last_outcome = 'succeeded' AND e.took < e.least
        UNION ALL
        SELECT 'job-rows', e.name, e.owner, e.last_rows, format('its last run had %s rows; %s or more are expected', e.last_rows, e.rows), NULL, NULL
        FROM expecting e WHERE e.last_outcome = 'succeeded' AND e.last_rows < e.rows
        UNION ALL
        SELECT 'job-skipped', e.name, e.owner, e.skipped_in_a_row, format('%s slots in a row were skipped', e.skipped_in_a_row), NULL, NULL
        FROM expecting e WHERE e.skipped_in_a_row >= 5
        UNION ALL
        SELECT 'job-missed', j.name, j.owner, sum(m.slots), format('%s slots, the last at %s: %s', sum(m.slots),
                   to_char(max(m.last_slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(m.reason ORDER BY m.last_slot DESC))[1]), NULL, NULL
        FROM chime.missed m JOIN chime.job j USING (job_id)
        WHERE m.recorded_at BETWEEN now() - interval '5 minutes' AND clock_timestamp() AND m.reason ~ 'nothing led' AND j.active
        GROUP BY j.name, j.owner
        UNION ALL
        SELECT 'job-suspended', j.name, j.owner, NULL, format('suspended since %s: %s',
                   to_char(j.suspended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), j.suspend_reason), NULL, NULL
        FROM active j WHERE j.suspended_at IS NOT NULL AND j.suspended_by IS NULL
        UNION ALL
        SELECT 'job-refused', j.name, j.owner, NULL, split_part(j.problem, E'\n', 1), NULL, NULL
        FROM active j WHERE j.problem IS NOT NULL
        UNION ALL
        SELECT 'clock-ahead', j.name, j.owner, extract(epoch FROM j.last_slot - clock_timestamp()),
               format('decided up to %s', to_char(j.last_slot AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')), NULL, NULL
        FROM active j WHERE j.schedule <> '' AND j.last_slot > clock_timestamp() + interval '1 minute')
    SELECT w.rule, w.name, NULL, w.value, regexp_replace(left(w.words, CASE WHEN count(*) OVER () > 2000 THEN 100 ELSE 1000 END), '[\x01-\x1f\x7f]', ' ', 'g'),
           w.job_id, w.failures
    FROM (SELECT t.*, coalesce(t.summary, chime.failure_words(t.job_id), format('%s runs in a row failed', t.value)) AS words
          FROM (SELECT f.*, row_number() OVER (PARTITION BY f.rule, f.owner ORDER BY f.name) AS place FROM found f) AS t
          WHERE t.place <= 100) AS w;
END;
COMMENT ON FUNCTION chime.jobs_found IS 'what standard rules find of jobs now; job_id and failures: the count that a failure was found by';

CREATE OR REPLACE FUNCTION chime.views_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT CASE f.freshness WHEN 'warn' THEN 'view-late' ELSE 'view-stale' END, f.view_schema || '.' || f.relation, NULL,
           extract(epoch FROM f.behind), format(CASE WHEN f.pending THEN 'it lacks a change, of %s ago at most; %s are allowed'
                                                     ELSE 'it may lack what changed in the last %s; %s are allowed' END,
                                                date_trunc('second', f.behind), CASE f.freshness WHEN 'warn' THEN f.warn_after ELSE f.error_after END)
    FROM chime.view_freshness() AS f WHERE f.freshness IN ('warn', 'stale')
    UNION ALL
    SELECT 'view-refresh-slow', r.view_schema || '.' || r.relation, NULL, r.duration_us / 1e6,
           format('its last refresh took %s s: %s', round(r.duration_us / 1e6, 1), coalesce(r.reason, r.method))
    FROM chime.view_refresh r WHERE r.duration_us > 5000000 AND r.refreshed_at > now() - interval '1 day'
    UNION ALL
    SELECT 'live-view-refresh-slow', r.view_schema || '.' || r.relation, NULL, r.duration_us / 1e6,
           format('its last refresh took %s s, and it is to be no more than %s behind', round(r.duration_us / 1e6, 1), t.target_lag)
    FROM chime.view_refresh r JOIN chime.view_thresholds() AS t USING (view_schema, relation)
    WHERE r.duration_us > 2000000 AND t.target_lag <= interval '5 s'
    UNION ALL
    SELECT 'view-differs', v.view_schema || '.' || v.relation, NULL, l.missing + l.surplus,
           coalesce(v.found_wrong, format('%s rows were missing and %s surplus at %s, %s', l.missing, l.surplus,
               to_char(l.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), CASE WHEN l.repaired THEN 'repaired' ELSE 'not repaired' END))
    FROM chime.view v LEFT JOIN LATERAL (
        SELECT n.* FROM chime.verification n WHERE n.view_schema = v.view_schema AND n.relation = v.relation AND n.missing IS NOT NULL AND n.verified_at <= clock_timestamp()
        ORDER BY n.verified_at DESC LIMIT 1) AS l ON l.missing + l.surplus > 0
    WHERE v.found_wrong IS NOT NULL OR l.verified_at > now() - interval '1 hour' OR l.missing + l.surplus > 0 AND NOT l.repaired
    UNION ALL
    SELECT 'plugin-failed', p.name, NULL, NULL, p.reason FROM chime.plugin_status p WHERE p.state = 'failed'
    UNION ALL
    SELECT 'tile-slow', format('%s/%s', t.plugin, t.tile), NULL, t.slow_us / 1e6,
           format('tile "%s" takes %s ms, and %s ms are its bound', t.title, round(t.slow_us / 1e3), round(extract(epoch FROM t.bound) * 1e3))
    FROM chime.tile t WHERE t.slow_at > now() - interval '5 minutes';
END;
COMMENT ON FUNCTION chime.views_found IS 'what standard rules find of views, plugins and tiles now';

CREATE OR REPLACE FUNCTION chime.server_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'sessions', u.what, CASE WHEN u.used > 0.9 * u.most THEN 'critical' END, 100.0 * u.used / u.most,
           format('%s of %s sessions are in use', u.used, u.most)
    FROM (SELECT 'max_connections' AS what, count(*) AS used, current_setting('max_connections')::bigint AS most
          FROM pg_stat_activity a WHERE a.backend_type = 'client backend'
          UNION ALL
          SELECT 'role ' || r.rolname, (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname), r.rolconnlimit
          FROM pg_roles r WHERE r.rolname = current_user AND r.rolconnlimit > 0) AS u
    WHERE u.used > 0.8 * u.most
    UNION ALL
    SELECT 'events-unheard', '', NULL, extract(epoch FROM clock_timestamp() - w.since), w.reason
    FROM chime.listener w WHERE w.state = 'degraded'
    UNION ALL
    SELECT 'sink-failing', n.sink, NULL, count(*), format('%s messages wait, the oldest since %s: %s', count(*),
               to_char(min(n.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), coalesce(max(n.error), 'it does not answer'))
    FROM chime.notification n WHERE n.state = 'waiting'
    GROUP BY n.sink HAVING min(n.created_at) FILTER (WHERE n.attempts > 0) < clock_timestamp() - interval '5 minutes'
    UNION ALL
    SELECT 'queue-full', '', NULL, 100 * q.usage, format('%s %% of it is in use', round((100 * q.usage)::numeric))
    FROM pg_notification_queue_usage() AS q (usage) WHERE q.usage > 0.5
    UNION ALL
    SELECT 'horizon', h.who, NULL, extract(epoch FROM now() - h.since), format('open since %s; what it could still see is kept',
               to_char(h.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'))
    FROM (SELECT format('session %s of %s', a.pid, a.usename) AS who, a.xact_start AS since
          FROM pg_stat_activity a WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
          UNION ALL
          SELECT format('prepared transaction %s', p.gid), p.prepared FROM pg_prepared_xacts p WHERE p.database = current_database()) AS h
    WHERE h.since < now() - interval '1 hour' AND EXISTS (SELECT FROM chime.source)
    UNION ALL
    SELECT 'ledger-bloat', 'chime.' || t.relname, NULL, t.n_dead_tup, format('%s dead rows, %s live ones', t.n_dead_tup, t.n_live_tup)
    FROM pg_stat_user_tables t
    WHERE t.schemaname = 'chime' AND t.relname IN ('run', 'job_state', 'view_refresh', 'leader', 'alert')
      AND t.n_dead_tup > 10000 AND t.n_dead_tup > 10 * t.n_live_tup
    UNION ALL
    SELECT 'unled', '', NULL, extract(epoch FROM l.since - p.until), format('nobody led from %s to %s',
               to_char(p.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), to_char(l.since AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'))
    FROM chime.leader l CROSS JOIN LATERAL (
        SELECT b.until, b.resigned FROM chime.leadership b WHERE b.epoch < l.epoch ORDER BY b.epoch DESC LIMIT 1) AS p
    WHERE l.since > now() - interval '5 minutes' AND p.resigned AND l.since - p.until > interval '1 minute';
END;
COMMENT ON FUNCTION chime.server_found IS 'what standard rules find of the server, the leader and the ledger now';

-- What `status` and `doctor` say, and alerts tell, of views that are kept. Views that nothing will fill: their jobs are
-- suspended, or none is active. What could not be filled has failed its plugin.
CREATE OR REPLACE FUNCTION chime.view_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'view-unfilled', r.view_schema || '.' || r.relation,
           format('view %s.%s has never been filled: %s', r.view_schema, r.relation,
                  coalesce('job ' || min(j.name) || ' is suspended', 'no active job refreshes it')),
           format('pgchime refresh %s fills it now', chime.shell_word(r.view_schema || '.' || r.relation))
    FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)
    JOIN chime.plugin p ON p.name = v.plugin AND p.state = 'installed'
    LEFT JOIN chime.job j ON j.active AND r.view_schema || '.' || r.relation = ANY (j.views)
    LEFT JOIN chime.job_state s ON s.job_id = j.job_id
    WHERE r.refreshed_at IS NULL
    GROUP BY r.view_schema, r.relation
    HAVING bool_and(s.suspended_at IS NOT NULL) IS NOT FALSE OR count(j.job_id) = 0
    UNION ALL
    SELECT 'view-unverified', v.view_schema || '.' || v.relation,
           format('view %s.%s could not be verified at %s: %s', v.view_schema, v.relation,
                  to_char(l.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), split_part(l.error, E'\n', 1)),
           'mend that; pgchime run verify-views verifies all views now'
    FROM chime.view v CROSS JOIN LATERAL (
        SELECT n.verified_at, n.error FROM chime.verification n
        WHERE n.view_schema = v.view_schema AND n.relation = v.relation AND n.verified_at <= clock_timestamp()
        ORDER BY n.verified_at DESC LIMIT 1) AS l
    WHERE l.error IS NOT NULL
    UNION ALL
    SELECT 'tile-broken', format('%s/%s', t.plugin, t.tile), format('tile %s/%s "%s" cannot be shown: %s', t.plugin, t.tile, t.title, split_part(t.problem, E'\n', 1)),
           'mend what its query names; the leader looks again every 10 s'
    FROM chime.tile t JOIN chime.plugin p ON p.name = t.plugin AND p.state = 'installed' WHERE t.problem IS NOT NULL;
END;
COMMENT ON FUNCTION chime.view_problems IS 'what is wrong with views and tiles of themselves, each with what mends it';

-- Likewise of the ledger. The leader makes the history's partitions a week ahead, as it begins to lead and every hour.
-- Of what is unlogged the server writes no log, so neither a crash nor a standby keeps its rows.
CREATE OR REPLACE FUNCTION chime.ledger_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'history-partition', '',
           format('the history has no partition for %s, and the leader %s', string_agg(w.day::text, ', ' ORDER BY w.day),
                  CASE WHEN bool_or(w.made) THEN 'could not make it' ELSE 'cannot make it: runs of that day are in chime.run_history_other' END),
           CASE WHEN bool_or(w.made) THEN 'its log says why, and it tries again every hour; who holds the history: SELECT pid, mode FROM pg_locks'
                                          ' WHERE relation = ''chime.run_history''::regclass'
                ELSE string_agg(format('SELECT chime.make_partition(%L)', w.day), '; ' ORDER BY w.day)
                     || ' makes it, with these runs in it; no run is lost: they are read there, and go when all that is older than what is kept goes' END
    FROM chime.leader l CROSS JOIN LATERAL (
        SELECT d.day, EXISTS (SELECT FROM chime.history_work(interval '100 years') AS k WHERE k.makes AND k.day = d.day) AS made
        FROM (SELECT (now() AT TIME ZONE 'UTC')::date + n AS day FROM generate_series(0, 1) AS n) AS d
        WHERE to_regclass('chime.run_history_' || to_char(d.day, 'YYYYMMDD')) IS NULL) AS w
    WHERE l.since < now() - interval '10 minutes' AND chime.led()
    HAVING count(*) > 0
    UNION ALL
    SELECT 'ledger-unlogged', 'chime.' || quote_ident(c.relname),
           format('a crash of the server or a failover empties what is unlogged: chime.%I', c.relname),
           format('ALTER TABLE chime.%I SET LOGGED', c.relname)
    FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'
    UNION ALL
    SELECT 'follower-differs', f.name, format('%s follows with another configuration than %s, who leads', f.name, s.instance),
           'a takeover would change what runs: bring both configurations to the same, then pgchime reload on each'
    FROM chime.leader_status s CROSS JOIN LATERAL unnest(s.differing) AS f (name) WHERE s.alive
    UNION ALL
    SELECT 'quota-full', q.role, format('role %s has %s active jobs of %s that it may have, and %s of %s with the others', q.role, q.jobs, q.max_jobs,
                                        q.all_jobs, 10 * q.max_jobs::bigint),
           'chime.schedule refuses it more: it makes some inactive or unschedules them, or max_jobs of its entry in roles is raised'
    FROM chime.full_quotas() AS q;
END;
COMMENT ON FUNCTION chime.ledger_problems IS 'what is wrong with the ledger and around it, each with what mends it';

-- found: as chime.note_alerts takes it; NULL: nothing. open: there are alerts that may end.
CREATE OR REPLACE FUNCTION chime.evaluate_alerts(OUT found jsonb, OUT open boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT (SELECT jsonb_agg(to_jsonb(f) || jsonb_build_object('subject', chime.sendable(f.subject), 'summary', chime.sendable(f.summary)))
            FROM (SELECT * FROM chime.jobs_found()
                  UNION ALL SELECT v.*, NULL, NULL FROM chime.views_found() AS v
                  UNION ALL SELECT s.*, NULL, NULL FROM chime.server_found() AS s
                  UNION ALL SELECT p.rule, p.subject, NULL, NULL, p.message, NULL, NULL FROM chime.view_problems() AS p
                  UNION ALL SELECT p.rule, p.subject, NULL, NULL, p.message, NULL, NULL FROM chime.ledger_problems() AS p) AS f),
           EXISTS (SELECT FROM chime.alert);
END;
COMMENT ON FUNCTION chime.evaluate_alerts IS 'one look of the leader''s, but for conditions, on a session that may not write';
