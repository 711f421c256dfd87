-- SPDX-License-Identifier: PostgreSQL
-- What `doctor` alone says: nothing here is an alert, and `status` says nothing of it. Each finding has the id that
-- core/report/finding_kinds.c lists; state "ok" is a remark.

-- The privileges on a relation that a role lacks, of those that a text seems to need. What a text does to a table that
-- it does not name (a function's, say) is not known: then each verb counts.
CREATE OR REPLACE FUNCTION chime.lacked_privileges(p_role name, p_relation regclass, p_text text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(v.privilege, ', ' ORDER BY v.n)
        FROM pg_class c
        CROSS JOIN LATERAL (SELECT '(\w+\.|"[^"]+"\.)?("' || q.name || '"|\m' || q.name || '\M)' AS this
                            FROM regexp_replace(c.relname, '(\W)', '\\\1', 'g') AS q (name)) AS n
        CROSS JOIN LATERAL (VALUES (1, 'SELECT', ''),
                                   (2, 'INSERT', '\minto\s+' || n.this),
                                   (3, 'UPDATE', '\mupdate\s+(only\s+)?' || n.this || '|\minto\s+' || n.this || '.*\m(do|then)\s+update\M'),
                                   (4, 'DELETE', '\mdelete\s+from\s+(only\s+)?' || n.this || '|\minto\s+' || n.this || '.*\mthen\s+delete\M')) AS v (n, privilege, written)
        WHERE c.oid = p_relation AND NOT has_table_privilege(p_role, p_relation, v.privilege)
          AND (v.n = 1 OR p_text ~* v.written OR p_text !~* n.this AND p_text ~* ('\m' || v.privilege || '\M')));
COMMENT ON FUNCTION chime.lacked_privileges IS 'which of SELECT, INSERT, UPDATE and DELETE a role lacks on a relation: SELECT, and those that the text names';

-- The server's message names the object without its schema.
CREATE OR REPLACE FUNCTION chime.grant_for(p_owner name, p_command text, p_message text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH said AS (
        SELECT m[1] AS kind, m[2] AS name FROM regexp_match(p_message, '^permission denied for (table|view|materialized view|foreign table|schema) ([^\n]+)') AS m),
    relations AS (
        SELECT c.oid, chime.lacked_privileges(p_owner, c.oid, p_command) AS lacks
        FROM said s JOIN pg_class c ON c.relname = s.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        WHERE s.kind <> 'schema' AND EXISTS (SELECT FROM pg_roles r WHERE r.rolname = p_owner) AND c.relnamespace <> 'chime'::regnamespace),
    lacking AS (SELECT r.oid, r.lacks, count(*) OVER () AS relations FROM relations r WHERE r.lacks IS NOT NULL)
    SELECT format('GRANT USAGE ON SCHEMA %I TO %I', s.name, p_owner) FROM said s WHERE s.kind = 'schema'
    UNION ALL
    SELECT format('GRANT %s ON %s TO %I', l.lacks, l.oid::regclass, p_owner) FROM lacking l WHERE l.relations = 1;
END;
COMMENT ON FUNCTION chime.grant_for IS 'the GRANT that a job''s owner lacks, by the server''s message; NULL where that does not tell';

-- Of a job whose last run failed. Class 42: what its text names is not there, or not for its owner.
CREATE OR REPLACE FUNCTION chime.failure_way_out(p_job bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT CASE WHEN g.statement IS NOT NULL THEN format('where %I may have that: %s', j.owner, g.statement)
                WHEN s.last_success IS NULL OR s.last_success < j.updated_at
                THEN format('it has not succeeded since its text is this one, of %s: see what it names',
                            to_char(j.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')) END
    FROM chime.job j JOIN chime.job_state s USING (job_id)
    CROSS JOIN LATERAL (
        SELECT h.sqlstate, h.message FROM chime.run_history h
        WHERE h.job_id = p_job AND h.state IN ('failed', 'timed_out', 'lost') ORDER BY h.slot DESC LIMIT 1) AS l
    LEFT JOIN LATERAL (SELECT chime.grant_for(j.owner, j.command, l.message) AS statement WHERE l.sqlstate = '42501') AS g ON true
    WHERE j.job_id = p_job AND l.sqlstate LIKE '42%';
END;
COMMENT ON FUNCTION chime.failure_way_out IS 'what mends a job that fails for what its text names: the GRANT that its owner lacks, where that is known; NULL: it fails of something else';

CREATE OR REPLACE FUNCTION chime.job_findings() RETURNS TABLE (id text, state text, subject text, finding text, hint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH jobs AS MATERIALIZED (
        SELECT j.job_id, j.name, j.owner, j.database, j.schedule, j.command, j.after, j.channels, j.views, greatest(s.last_success, j.since) AS good_at, s.last_success,
               greatest(s.last_end, j.since) AS ended_at, s.last_end, s.runs, s.consecutive_failures
        FROM chime.job j JOIN chime.job_state s USING (job_id)
        WHERE j.active AND s.suspended_at IS NULL AND j.problem IS NULL),
    found AS (
        SELECT 'job-never-succeeded' AS id, 'warn' AS state, j.name,
               format('job %s has not succeeded %s, and its runs do not fail', j.name,
                      coalesce('since ' || to_char(j.last_success AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), 'yet')) AS finding,
               format('pgchime runs %s says how they ended', chime.shell_word(j.name)) AS hint
        FROM jobs j
        WHERE j.good_at < now() - interval '7 days' AND j.consecutive_failures = 0 AND j.last_end > j.good_at
        UNION ALL
        SELECT 'job-idle', 'ok', j.name,
               format('job %s has not run %s', j.name, coalesce('since ' || to_char(j.last_end AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'yet')),
               format('pgchime why %s says when it will; where nobody needs it, take it out', chime.shell_word(j.name))
        FROM jobs j WHERE j.ended_at < now() - interval '90 days'
        UNION ALL
        SELECT 'job-never-due', 'warn', j.name,
               format('job %s never runs by itself: it comes after %s, and %s', j.name, array_to_string(j.after[1:5], ', ') || CASE WHEN cardinality(j.after) > 5 THEN ', ...' ELSE '' END,
                      CASE cardinality(j.after) WHEN 1 THEN 'that is disabled, suspended or not there' ELSE 'all of these are disabled, suspended or not there' END),
               format('let an upstream run again, or give %s a schedule', j.name)
        FROM jobs j WHERE j.schedule = '' AND j.after <> '{}' AND j.channels = '{}' AND j.views = '{}'
          AND NOT EXISTS (SELECT FROM jobs u WHERE u.name = ANY (j.after))
        UNION ALL
        SELECT 'job-twice', 'ok', min(j.name), format('%s jobs run the same text: %s%s', count(*),
                   array_to_string((array_agg(j.name ORDER BY j.name))[1:5], ', '), CASE WHEN count(*) > 5 THEN ', ...' END),
               'where that is not meant, take all but one out'
        FROM jobs j WHERE j.command <> '' GROUP BY j.owner, j.database, md5(j.command), j.schedule HAVING count(*) > 1)
    SELECT f.id, f.state, f.name, f.finding, f.hint
    FROM (SELECT x.*, row_number() OVER (PARTITION BY x.id ORDER BY x.name) AS place FROM found x) AS f WHERE f.place <= 10
    ORDER BY f.id, f.name;
END;
COMMENT ON FUNCTION chime.job_findings IS 'what doctor says of jobs beside what alerts find; of each kind ten';

-- Views that take a log's oldest part have still to: none where who writes to it has not ended.
CREATE OR REPLACE FUNCTION chime.log_findings() RETURNS TABLE (id text, state text, subject text, finding text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH logs AS MATERIALIZED (
        SELECT s.source_id, format('%I.%I', s.source_schema, s.source_table) AS name, l.parts, l.bytes, l.oldest
        FROM chime.source s CROSS JOIN LATERAL (
            SELECT count(*) AS parts, min(c.part) AS oldest, sum(pg_table_size(to_regclass(chime.part_name(c.source_id, c.part)))) AS bytes
            FROM chime.change_part c WHERE c.source_id = s.source_id AND c.part < s.head) AS l
        WHERE l.parts >= 8)
    SELECT 'change-log', 'warn', coalesce(w.view, l.name),
           format('the log of changes of %s has %s parts that cannot go (%s): %s', l.name, l.parts, pg_size_pretty(l.bytes),
                  coalesce(w.view || ' has not taken the oldest', 'a transaction that wrote to it is still open')),
           coalesce(format('pgchime refresh %s takes it', chime.shell_word(w.view)),
                    'SELECT pid, xact_start FROM pg_stat_activity ORDER BY 2 says which: end it; pgchime alerts says more by rule horizon')
    FROM logs l LEFT JOIN LATERAL (
        SELECT min(p.view_schema || '.' || p.relation) AS view FROM chime.change_part c CROSS JOIN LATERAL chime.part_waits_for(c) AS p
        WHERE c.source_id = l.source_id AND c.part = l.oldest) AS w ON true;
END;
COMMENT ON FUNCTION chime.log_findings IS 'logs of captured changes that do not shrink, with who holds them back';

CREATE OR REPLACE FUNCTION chime.ledger_findings() RETURNS TABLE (id text, state text, subject text, finding text, hint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'engine', CASE WHEN e.is_worker THEN 'warn' ELSE 'ok' END, NULL, e.words,
           CASE WHEN e.is_worker THEN 'name the coordinator in conninfo: the jobs and views that are led there are not these' END
    FROM chime.engine() AS e WHERE e.words IS NOT NULL
    UNION ALL
    SELECT 'history-other', 'warn', o.day::text, format('%s runs of %s are in chime.run_history_other, so that day gets no partition of its own', o.runs, o.day),
           format('SELECT chime.make_partition(%L) gives it one, with these runs in it; nothing is lost: a clock that was ahead, or a leader that could not make the'
                  ' partition, put them there', o.day)
    FROM (SELECT (h.slot AT TIME ZONE 'UTC')::date AS day, count(*) AS runs FROM chime.run_history_other h
          WHERE h.slot >= now() - interval '1 day' GROUP BY 1 ORDER BY 1 LIMIT 3) AS o
    UNION ALL
    SELECT * FROM chime.log_findings()
    UNION ALL
    SELECT 'view-index', 'warn', v.view_schema || '.' || v.relation, format('view %s.%s is refreshed as a whole: %s', v.view_schema, v.relation,
                                                                      regexp_replace(v.full_reason, '[:;,]?\s*CREATE INDEX.*$', '')),
           regexp_replace(substring(v.full_reason FROM 'CREATE INDEX.*$'), ' makes? it keyed.*$', '')
    FROM chime.view v WHERE v.full_reason ~ 'CREATE INDEX' AND v.found_wrong IS NULL
    UNION ALL
    SELECT 'no-verification', 'ok', 'verify-views', format('no job compares the %s views here with their definitions', count(*)),
           'a nightly job of the daemon''s role with the command CALL chime.verify_views() does; what is written while triggers do not fire is found by nothing else'
    FROM chime.view v
    WHERE NOT EXISTS (SELECT FROM chime.job j WHERE j.active AND j.command ~ 'chime\.verify_views')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'late-rows', 'warn', v.view_schema || '.' || v.relation,
           format('view %s.%s was to change %s groups that are frozen, the last at %s', v.view_schema, v.relation, r.late,
                  to_char(r.late_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')),
           format('its rows arrive later than %s: a longer interval in "frozen" leaves them time; chime.recompute_frozen takes them in while all rows of these groups are there', justify_hours(v.frozen_after))
    FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation) WHERE r.late_at > now() - interval '7 days' AND v.frozen_after IS NOT NULL
    UNION ALL
    SELECT 'daemon-twice', 'warn', d.instance, format('%s daemons are called %s: the log and the history cannot tell them apart', count(*), d.instance),
           'give their machines or containers names of their own'
    FROM (SELECT s.instance FROM chime.leader_status s WHERE s.alive
          UNION ALL SELECT unnest(s.followers) FROM chime.leader_status s WHERE s.alive) AS d GROUP BY d.instance HAVING count(*) > 1
    UNION ALL
    SELECT 'sink-untried', 'ok', s.name, format('sink %s was sent nothing in 90 days', s.name),
           format('pgchime alerts test %s tells whether it arrives', chime.shell_word(s.name))
    FROM chime.sink s
    WHERE NOT EXISTS (SELECT FROM chime.notification n WHERE n.sink = s.name AND n.created_at > now() - interval '90 days' AND n.state = 'delivered');
END;
COMMENT ON FUNCTION chime.ledger_findings IS 'what doctor says of the history, of views and of daemons beside what alerts find';

-- The offsets from UTC that this server has for zones at instants; NULL where it does not know the zone.
CREATE OR REPLACE FUNCTION chime.zone_offset_us(p_zone text, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (extract(epoch FROM (p_at AT TIME ZONE p_zone) - (p_at AT TIME ZONE 'UTC')) * 1000000)::bigint;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.zone_offset_us IS 'microseconds that a zone''s clock is ahead of UTC at an instant, by the server''s time zone data; NULL: it does not know the zone';

-- p_zones: [["Europe/Berlin", "2026-03-29T01:00:00Z", 7200000000], ...], as the program's own data has it.
CREATE OR REPLACE FUNCTION chime.zone_findings(p_zones jsonb) RETURNS TABLE (id text, state text, subject text, finding text, hint text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT ON (z.zone) 'zone-differs', 'warn', z.zone,
           CASE WHEN z.here IS NULL THEN format('this server does not know the time zone %s, by which jobs are due', z.zone)
                ELSE format('clocks of %s at %s are %s from UTC by this program''s time zone data, and %s by the server''s', z.zone,
                            to_char(z.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI"Z"'), z.told * interval '1 us', z.here * interval '1 us') END,
           'jobs are due by the daemon''s: update tzdata on both machines; pgchime takes it at once'
    FROM (SELECT e ->> 0 AS zone, (e ->> 1)::timestamptz AS at, (e ->> 2)::bigint AS told, chime.zone_offset_us(e ->> 0, (e ->> 1)::timestamptz) AS here
          FROM jsonb_array_elements(p_zones) AS e) AS z
    WHERE z.here IS DISTINCT FROM z.told
    ORDER BY z.zone, z.at;
END;
COMMENT ON FUNCTION chime.zone_findings IS 'zones of which the server and the program that asks have different data';
