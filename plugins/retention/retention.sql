-- SPDX-License-Identifier: PostgreSQL
-- Retention of event rows: hot and warm in their table, cold apart from it, then gone. docs/plugins/retention.md.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema; it needs schema chime. The
-- text between the marks is what the plugin carries. No function here deletes a row: they say what is to be done, in
-- words and as statements, and the job, a DO block, does it in many small transactions. So nobody who may call a
-- function can delete by it, and what the job will do can be read before it does it.
--
-- The clock is now() and never chime.as_of(), which any session may set: no row goes before its time.

-- The event tables that are there and that the setting `tables` names. `old` is the predicate of a row t that is older
-- than a limit, %L: by all instants that it has, so that a row which was touched lately is young; a row without the
-- first is kept, and so is an approval that is still pending: it is work to be done, whatever its age.
-- chime:begin retention_policy
CREATE OR REPLACE FUNCTION retention_policy()
RETURNS TABLE (source text, relation regclass, aged_by name, old text, hot timestamptz, warm timestamptz, cold timestamptz,
               cold_table text, registry text, batch_rows integer, triggers text[], by_partition boolean, fault text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_plugin chime.plugin;
    v_wanted text[];
    v_unknown text;
BEGIN
    SELECT * INTO STRICT v_plugin FROM chime.plugin p WHERE p.name = 'retention';
    hot := now() - make_interval(secs => extract(epoch FROM (v_plugin.settings ->> 'hot')::interval)::double precision);
    warm := now() - make_interval(secs => extract(epoch FROM (v_plugin.settings ->> 'warm')::interval)::double precision);
    cold := now() - make_interval(secs => extract(epoch FROM (v_plugin.settings ->> 'cold')::interval)::double precision);
    batch_rows := (v_plugin.settings ->> 'batch_rows')::integer;
    triggers := regexp_split_to_array(btrim(v_plugin.settings ->> 'triggers'), '\s*,\s*');
    registry := format('%I.retention_detached', v_plugin.view_schema);
    IF hot < warm OR warm < cold THEN
        RAISE EXCEPTION 'hot is %, warm is %, cold is %: each must be as long as the one before, or longer',
            v_plugin.settings ->> 'hot', v_plugin.settings ->> 'warm', v_plugin.settings ->> 'cold'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'correct the settings of plugin retention in conf.d';
    END IF;
    v_wanted := regexp_split_to_array(btrim(v_plugin.settings ->> 'tables'), '\s*,\s*');
    SELECT min(w) INTO v_unknown FROM unnest(v_wanted) AS w
     WHERE w NOT IN ('agent_queries', 'AgentQuery', 'agent_approvals', 'agent_feedback', 'AgentFeedback', 'action_results',
                     'chat_telemetry');
    IF v_unknown IS NOT NULL THEN
        RAISE EXCEPTION 'retention does not know a table "%"', v_unknown USING ERRCODE = 'invalid_parameter_value',
            HINT = 'the setting "tables" may name agent_queries, AgentQuery, agent_approvals, agent_feedback, AgentFeedback,'
                   ' action_results and chat_telemetry';
    END IF;
    FOR source, relation, aged_by, old, by_partition, fault IN
        SELECT e.name, r.oid::regclass, e.instants[1],
               format('isfinite(t.%I)', e.instants[1])
               || (SELECT string_agg(format(CASE WHEN n = 1 THEN ' AND t.%1$I < %%1$L'
                                            ELSE ' AND (t.%1$I < %%1$L) IS NOT FALSE' END, i), '' ORDER BY n)
                   FROM unnest(e.instants) WITH ORDINALITY AS u (i, n))
               || coalesce(' AND ' || e.further, ''),
               cardinality(e.instants) = 1 AND e.further IS NULL,
               (SELECT string_agg(format('it has no column %I of type timestamptz', i), ', ')
                FROM unnest(e.instants) AS i
                WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attname = i
                                  AND a.atttypid = 'timestamptz'::regtype AND NOT a.attisdropped))
        FROM (VALUES ('agent_queries', ARRAY['created_at'], NULL),
                     ('AgentQuery', ARRAY['createdAt'], NULL),
                     ('agent_approvals', ARRAY['created_at', 'updated_at', 'reviewed_at'], 't.status <> ''pending'''),
                     ('agent_feedback', ARRAY['created_at', 'updated_at'], NULL),
                     ('AgentFeedback', ARRAY['createdAt'], NULL),
                     ('action_results', ARRAY['executed_at'], NULL),
                     ('chat_telemetry', ARRAY['created_at'], NULL)) AS e (name, instants, further)
        JOIN pg_class r ON r.oid = to_regclass(format('%I.%I', v_plugin.source_schema, e.name)) AND r.relkind IN ('r', 'p')
        WHERE e.name = ANY (v_wanted)
    LOOP
        cold_table := format('%I.%I', v_plugin.view_schema, 'cold_' || source);
        RETURN NEXT;
    END LOOP;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_policy IS 'the event tables that are there, and their limits';

-- Moving old rows out of a relation, over ranges of its primary key: after $1 (NULL: from the beginning) up to $2.
-- next_key gives the end of the range that begins after $1: the key so many rows further on, old or not, so that no
-- batch reads more. What is past the end of cold as well goes nowhere. `perform` gives how many rows left, and how many
-- of them did not arrive; it moves `columns` and no others.
-- chime:begin retention_batches
CREATE OR REPLACE FUNCTION retention_batches(relation regclass, is_old text, is_past_cold text, cold_table text,
                                             batch_rows integer)
RETURNS TABLE (next_key text, perform text, columns text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_key record;
BEGIN
    SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY k.n) AS columns,
           string_agg(format('t.%I DESC', a.attname), ', ' ORDER BY k.n) AS descending,
           string_agg(format('t.%I::text', a.attname), ', ' ORDER BY k.n) AS texts,
           string_agg(format('$1[%s]::%s', k.n, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.n) AS first,
           string_agg(format('$2[%s]::%s', k.n, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY k.n) AS last
      INTO v_key
      FROM pg_index i CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indrelid = relation AND i.indisprimary AND k.n <= i.indnkeyatts;
    columns := (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped);
    next_key := format(
        'SELECT ARRAY[%1$s] FROM (SELECT %2$s FROM ONLY %3$s t WHERE $1 IS NULL OR (%2$s) > (%4$s) '
        'ORDER BY %2$s LIMIT %5$s) t ORDER BY %6$s LIMIT 1',
        v_key.texts, v_key.columns, relation, v_key.first, batch_rows, v_key.descending);
    perform := format(
        'WITH gone AS (DELETE FROM ONLY %1$s t WHERE ($1 IS NULL OR (%2$s) > (%3$s)) AND (%2$s) <= (%4$s) AND %5$s '
        'RETURNING t.*), kept AS (INSERT INTO %6$s (%7$s) SELECT %7$s FROM gone t WHERE (%8$s) IS NOT TRUE RETURNING 1) '
        'SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM gone t WHERE (%8$s) IS NOT TRUE) - (SELECT count(*) FROM kept)',
        relation, v_key.columns, v_key.first, v_key.last, is_old, cold_table, columns, is_past_cold);
    RETURN NEXT;
END $$
-- chime:end
;

-- Where rows leave a table: the whole of it, or its partitions. `ends`: the end of a partition's range, where all of it
-- is past the limit; NULL: rows are looked at one by one, also in partitions by something else, in the default one and
-- in one whose range has no end. A range says how old all of its rows are only where nothing else counts
-- (`by_partition`).
-- chime:begin retention_parts
CREATE OR REPLACE FUNCTION retention_parts(relation regclass, aged_by name, before timestamptz, by_partition boolean)
RETURNS TABLE (part regclass, begins timestamptz, ends timestamptz, bounds text, is_owned boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
BEGIN ATOMIC
    WITH parts AS (
        SELECT c.oid, pg_has_role(p.relowner, 'USAGE') AND pg_has_role(c.relowner, 'USAGE') AS is_owned,
               CASE WHEN by_partition AND pg_get_partkeydef(p.oid) = format('RANGE (%I)', aged_by)
                    THEN nullif(substring(b.bounds FROM ' TO \(''([^'']*)''\)$')::timestamptz, 'infinity') END AS ends,
               CASE WHEN pg_get_partkeydef(p.oid) = format('RANGE (%I)', aged_by)
                    THEN coalesce(substring(b.bounds FROM ' FROM \(''([^'']*)''\)')::timestamptz, '-infinity') END AS begins, b.bounds
        FROM pg_class p JOIN pg_inherits i ON i.inhparent = p.oid JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) AS b (bounds)
        WHERE p.oid = relation AND p.relkind = 'p')
    SELECT c.oid::regclass, NULL::timestamptz, NULL::timestamptz, NULL::text, NULL::boolean FROM pg_class c WHERE c.oid = relation AND c.relkind = 'r'
    UNION ALL
    SELECT p.oid::regclass, p.begins, p.ends, p.bounds, p.is_owned FROM parts p WHERE p.ends <= before
    UNION ALL
    SELECT l.relid, NULL, NULL, NULL, NULL FROM parts p CROSS JOIN pg_partition_tree(p.oid) AS l WHERE p.ends IS NULL AND l.isleaf
    ORDER BY 3, 1;
END
-- chime:end
;

-- Partitions that retention detached, and that are to be dropped when nothing in them is younger than a limit. One that
-- somebody renamed, or attached again, is his.
-- chime:begin retention_detachments
CREATE OR REPLACE FUNCTION retention_detachments(registry text, source text)
RETURNS TABLE (part regclass, begins timestamptz, ends timestamptz, bounds text, is_owned boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass(registry) IS NOT NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT c.oid::regclass, d.begins, d.ends, d.bounds, pg_has_role(c.relowner, ''USAGE'') FROM %s d JOIN pg_class c ON c.oid = to_regclass(d.name) '
            'WHERE d.source = $1 AND NOT c.relispartition AND chime.is_ours(c.oid, ''detached '' || d.name) ORDER BY d.ends', registry)
            USING source;
    END IF;
END $$
-- chime:end
;

-- What the job does, in this order. What `setup` gives is run first, then `perform`: for a move batch by batch, for an
-- expiry until it finds nothing more, for a partition once. `guard` gives what hinders it just now, or NULL: it is
-- asked before anything is read, and before each batch under `locks`, with which nobody makes a trigger, an index or a
-- column there until the batch is committed. A partition goes as a whole, when the end of its range is past the limit,
-- so that nothing younger goes with it. Rows that groups of views need which are to be frozen, and are not yet, stay
-- (chime.needed_rows), and so does a partition that has such a row.
-- chime:begin retention_steps
CREATE OR REPLACE FUNCTION retention_steps()
RETURNS TABLE (source text, action text, object text, older_than timestamptz, obstacle text, remark text, guard text, locks text,
               setup text, next_key text, perform text, counted text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_schema name;
    v_policy record;
    v_part record;
    v_clock text;
    v_columns text;
    v_need record;
    v_count constant text := 'SELECT count(*), min(t.%1$I), max(t.%1$I) FROM %2$s t WHERE %3$s';
BEGIN
    SELECT p.view_schema INTO STRICT v_schema FROM chime.plugin p WHERE p.name = 'retention';
    EXECUTE format('SELECT %I.retention_clock()', v_schema) INTO v_clock;
    FOR v_policy IN EXECUTE format('SELECT * FROM %I.retention_policy()', v_schema) LOOP
        source := v_policy.source;
        older_than := v_policy.warm;
        remark := (SELECT format('row-level security of %s does not come along: only the owner of %s may read that, until he grants it',
                                 c.oid::regclass, v_policy.cold_table) FROM pg_class c WHERE c.oid = v_policy.relation AND c.relrowsecurity);
        guard := NULL;
        locks := NULL;
        setup := NULL;
        next_key := NULL;
        perform := NULL;
        counted := NULL;
        SELECT coalesce(string_agg(' AND NOT ' || n.needed, '' ORDER BY n.view), '') AS kept,
               string_agg(n.words, '; ' ORDER BY n.view) FILTER (WHERE n.needed IS NOT NULL) AS words,
               string_agg(n.words, '; ' ORDER BY n.view) FILTER (WHERE n.needed IS NULL) AS fault,
               coalesce(string_agg(format(' UNION ALL SELECT format(%L, coalesce(to_char(max(%s), ''YYYY-MM-DD HH24:MI:SS''), ''for ever'')) '
                                          'FROM @part@ t WHERE %s HAVING count(*) > 0',
                                          format('view %s needs rows of it until %%s', n.view), n.until, n.needed), '' ORDER BY n.view), '') AS asked
          INTO v_need FROM chime.needed_rows(v_policy.relation) AS n;
        remark := nullif(concat_ws('; ', remark, v_need.words), '');
        IF v_policy.fault IS NOT NULL THEN
            action := 'nothing';
            object := v_policy.relation;
            obstacle := v_policy.fault;
            RETURN NEXT;
            CONTINUE;
        END IF;
        FOR v_part IN EXECUTE format('SELECT * FROM %I.retention_parts($1, $2, $3, $4)', v_schema)
            USING v_policy.relation, v_policy.aged_by, v_policy.warm, v_policy.by_partition
        LOOP
            object := v_part.part;
            obstacle := coalesce(v_clock, v_need.fault);
            IF v_part.ends IS NULL THEN
                action := 'move';
                locks := format('LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE', concat_ws(', ONLY ', object, to_regclass(v_policy.cold_table)));
                setup := format('SELECT %I.retention_setup(%L, %L, %L)', v_schema, v_part.part, v_policy.cold_table, v_policy.aged_by);
                EXECUTE format('SELECT * FROM %I.retention_batches($1, $2, $3, $4, $5)', v_schema) INTO next_key, perform, v_columns
                  USING v_part.part, format(v_policy.old, v_policy.warm) || v_need.kept, format(v_policy.old, v_policy.cold),
                        v_policy.cold_table, v_policy.batch_rows;
                guard := format('SELECT %I.retention_obstacle(%L, %L, %L, %L, %L)', v_schema, v_part.part, source, v_policy.cold_table,
                                v_policy.triggers, v_columns);
                counted := format(v_count, v_policy.aged_by, 'ONLY ' || object, format(v_policy.old, v_policy.warm) || v_need.kept);
            ELSE
                action := 'detach';
                guard := format('SELECT %I.retention_part_obstacle(%L, %L)', v_schema, object, format(
                    'SELECT %L WHERE NOT EXISTS (SELECT FROM %I.retention_parts(%L, %L, %L, %L) AS p WHERE p.part = %s AND p.bounds = %L)',
                    object || ' is no partition any more, or has other bounds', v_schema, v_policy.relation, v_policy.aged_by,
                    v_policy.warm, v_policy.by_partition, v_part.part::oid, v_part.bounds) || replace(v_need.asked, '@part@', object));
                locks := NULL;
                setup := NULL;
                next_key := NULL;
                obstacle := coalesce(v_clock, v_need.fault, CASE WHEN NOT v_part.is_owned THEN format(
                    '%I does not own it; let its owner run: ALTER TABLE %s DETACH PARTITION %s',
                    current_user, v_policy.relation, object) END);
                perform := format(
                    'LOCK TABLE ONLY %1$s IN ACCESS EXCLUSIVE MODE; DO %11$L; ALTER TABLE %1$s DETACH PARTITION %2$s; SELECT chime.note_made(%3$L, %4$L, regexp_replace(obj_description(%5$s, ''pg_class''), '' ?\(pgchime [0-9a-f]{16}\)$'', '''')); '
                    'INSERT INTO %6$s (source, name, begins, ends, bounds) VALUES (%7$L, %3$L, %8$L, %9$L, %10$L) '
                    'ON CONFLICT (name) DO UPDATE SET source = excluded.source, begins = excluded.begins, ends = excluded.ends, '
                    'bounds = excluded.bounds, detached_at = excluded.detached_at',
                    v_policy.relation, object, object, 'detached ' || object, v_part.part::oid, v_policy.registry, source,
                    v_part.begins, v_part.ends, v_part.bounds, format(
                    'DECLARE v_fault text; BEGIN EXECUTE %1$L INTO v_fault; IF v_fault IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = v_fault; END IF; END',
                    guard));
                counted := format(v_count, v_policy.aged_by, object, 'true');
            END IF;
            RETURN NEXT;
        END LOOP;
        older_than := v_policy.cold;
        remark := NULL;
        locks := NULL;
        setup := NULL;
        next_key := NULL;
        obstacle := v_clock;
        IF to_regclass(v_policy.cold_table) IS NOT NULL THEN
            action := 'expire';
            object := v_policy.cold_table;
            guard := format('SELECT %I.retention_expiry_obstacle(%L, %L, %L)', v_schema, object, source, v_policy.triggers);
            locks := format('LOCK TABLE ONLY %s IN ROW EXCLUSIVE MODE', object);
            counted := format(v_count, v_policy.aged_by, 'ONLY ' || object, format(v_policy.old, v_policy.cold));
            -- Its own rows alone: ctids are unique in one table. Each is asked its age once more as it goes, since
            -- another session may just have changed it.
            perform := format('WITH gone AS (DELETE FROM ONLY %1$s t WHERE t.ctid = ANY (ARRAY(SELECT t.ctid FROM ONLY %1$s t WHERE %2$s '
                              'ORDER BY t.%3$I LIMIT %4$s)) AND %2$s RETURNING 1) SELECT count(*), 0 FROM gone',
                              object, format(v_policy.old, v_policy.cold), v_policy.aged_by, v_policy.batch_rows);
            RETURN NEXT;
        END IF;
        FOR v_part IN EXECUTE format('SELECT * FROM %I.retention_detachments($1, $2) WHERE ends <= $3', v_schema)
            USING v_policy.registry, source, v_policy.cold
        LOOP
            action := 'drop';
            object := v_part.part;
            locks := NULL;
            obstacle := coalesce(v_clock, CASE WHEN NOT v_part.is_owned THEN
                format('%I does not own it; let its owner run: DROP TABLE %s', current_user, object) END);
            counted := format(v_count, v_policy.aged_by, object, 'true');
            -- It is a table of its own now, into which anyone may have written since: hence the look, again under a
            -- lock.
            guard := format('SELECT %I.retention_part_obstacle(%L, %L)', v_schema, object, format(
                'SELECT %L WHERE EXISTS (SELECT FROM %s t WHERE (%s) IS NOT TRUE)',
                object || ' was detached and holds younger rows now', object, format(v_policy.old, v_policy.cold)));
            perform := format(
                'LOCK TABLE %1$s IN ACCESS EXCLUSIVE MODE; DO %2$L; DROP TABLE %1$s; DELETE FROM %3$s WHERE name = %4$L', object, format(
                $d$DECLARE v_fault text; BEGIN
                    EXECUTE %1$L INTO v_fault;
                    IF v_fault IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = v_fault; END IF;
                    IF %2$L::regclass <> %3$s OR (SELECT c.relispartition FROM pg_class c WHERE c.oid = %3$s) THEN
                        RAISE EXCEPTION USING MESSAGE = %4$L; END IF; END$d$,
                guard, object, v_part.part::oid, object || ' is not the table that was detached'),
                v_policy.registry, object);
            RETURN NEXT;
        END LOOP;
    END LOOP;
END $$
-- chime:end
;
COMMENT ON FUNCTION retention_steps IS 'what the job retention-events would do, as statements';

-- Holds what a step is about, then asks again what hinders it: fails if anything does.
-- chime:begin retention_hold
CREATE OR REPLACE FUNCTION retention_hold(locks text, guard text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_fault text;
BEGIN
    EXECUTE locks;
    EXECUTE guard INTO v_fault;
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = v_fault, ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END $$
-- chime:end
;

-- The job. Each batch is a transaction: what was killed half-way is taken up by the next run, which finds the rows that
-- are left. Unless enforce is on it only writes down what there would be to do. Its own tables are made when they are
-- missing; neither they nor a cold table go with the plugin, since they hold what is nowhere else.
-- What somebody has locked is left for the next run. Any other failure ends its step, and the run at its end, so that
-- it is seen; so does a partition that was not to be had, which the job's retries try again.
-- Settings are the session's, since each COMMIT would end those of a transaction; pgchime resets its sessions after
-- each run. In psql it runs with -v job=1.
\if :{?job}
-- What runs write to, there from the installation on, so that it can be read before the first run.
-- chime:begin retention_make_log
CREATE OR REPLACE FUNCTION retention_make_log() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE v_schema name := (SELECT p.view_schema FROM chime.plugin p WHERE p.name = 'retention');
BEGIN
    IF to_regclass(format('%I.retention_log', v_schema)) IS NULL THEN
        EXECUTE format('CREATE TABLE %1$I.retention_log (entry bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT now(), enforced boolean NOT NULL, '
                       'source text NOT NULL, action text NOT NULL, object text NOT NULL, rows bigint, older_than timestamptz, note text, '
                       'clock_is_right boolean NOT NULL); '
                       'ALTER TABLE %1$I.retention_log REPLICA IDENTITY FULL; COMMENT ON TABLE %1$I.retention_log IS %2$L; '
                       'COMMENT ON COLUMN %1$I.retention_log.clock_is_right IS %3$L', v_schema,
                       'pgchime retention: what each run took away, or would have where enforced is false',
                       'false: it was far beyond the entry before, and nobody had confirmed it');
        PERFORM chime.keep_private(format('%I.retention_log', v_schema)::regclass);
        IF to_regrole('analytics_reader') IS NOT NULL THEN
            EXECUTE format('GRANT SELECT ON %I.retention_log TO analytics_reader', v_schema);
        END IF;
    END IF;
    IF to_regclass(format('%I.retention_detached', v_schema)) IS NULL THEN
        EXECUTE format('CREATE TABLE %1$I.retention_detached (source text NOT NULL, name text PRIMARY KEY, '
                       'begins timestamptz NOT NULL, ends timestamptz NOT NULL, bounds text NOT NULL, '
                       'detached_at timestamptz NOT NULL DEFAULT clock_timestamp()); '
                       'COMMENT ON TABLE %1$I.retention_detached IS %2$L', v_schema,
                       'pgchime retention: partitions that it detached, each a table of its own until it is dropped');
        PERFORM chime.keep_private(format('%I.retention_detached', v_schema)::regclass);
    END IF;
END
$body$;
SELECT retention_make_log()
-- chime:end
;

-- chime:begin retention_events
DO $job$
DECLARE
    v_schema pg_catalog.name;
    v_enforced boolean;
    v_step record;
    v_is_whole boolean;
    v_hold text;
    v_setup text;
    v_after text[];
    v_upto text[];
    v_rows bigint;
    v_total bigint;
    v_lost bigint;
    v_busy bigint;
    v_clock_is_right boolean;
    v_note text;
    v_state text;
    v_failed_state text;
    v_failures text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false), pg_catalog.set_config('row_security', 'off', false),
            pg_catalog.set_config('lock_timeout', '1s', false), pg_catalog.set_config('jit', 'off', false),
            pg_catalog.set_config('default_transaction_isolation', 'read committed', false),
            pg_catalog.set_config('timezone', 'UTC', false), pg_catalog.set_config('datestyle', 'ISO', false),
            pg_catalog.set_config('intervalstyle', 'postgres', false), pg_catalog.set_config('extra_float_digits', '1', false);
    COMMIT; -- the isolation is the next transaction's
    SELECT p.view_schema, p.settings ->> 'enforce' = 'true' INTO STRICT v_schema, v_enforced
      FROM chime.plugin p WHERE p.name = 'retention';
    v_hold := format('SELECT %I.retention_hold($1, $2)', v_schema);
    EXECUTE format('SELECT %I.retention_make_log()', v_schema);
    EXECUTE format('SELECT %I.retention_clock() IS NULL', v_schema) INTO v_clock_is_right;
    COMMIT;
    FOR v_step IN EXECUTE format('SELECT * FROM %I.retention_steps()', v_schema) LOOP
        v_is_whole := v_step.action IN ('detach', 'drop');
        v_after := NULL;
        v_busy := 0;
        v_state := '55000';
        v_total := NULL;
        v_note := v_step.obstacle;
        IF v_note IS NULL THEN
            BEGIN
                IF v_step.guard IS NOT NULL THEN
                    EXECUTE v_step.guard INTO v_note;
                END IF;
                IF v_note IS NULL THEN
                    EXECUTE v_step.counted INTO v_total;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                v_note := SQLERRM;
                v_state := SQLSTATE;
            END;
            COMMIT;
        END IF;
        IF v_enforced AND v_note IS NULL AND (v_total > 0 OR v_is_whole) THEN
            v_total := CASE WHEN v_is_whole THEN v_total ELSE 0 END;
            IF v_step.setup IS NOT NULL THEN
                BEGIN
                    EXECUTE v_hold USING v_step.locks, v_step.guard;
                    EXECUTE v_step.setup INTO v_setup;
                    IF v_setup IS NOT NULL THEN
                        EXECUTE v_setup;
                    END IF;
                EXCEPTION WHEN OTHERS THEN
                    v_note := SQLERRM;
                    v_state := SQLSTATE;
                END;
                COMMIT;
            END IF;
            WHILE v_note IS NULL LOOP
                v_rows := 0;
                v_upto := NULL;
                BEGIN
                    IF v_is_whole THEN
                        EXECUTE v_step.perform;
                    ELSE
                        EXECUTE v_hold USING v_step.locks, v_step.guard;
                        IF v_step.next_key IS NOT NULL THEN
                            EXECUTE v_step.next_key INTO v_upto USING v_after;
                        END IF;
                        IF v_upto IS NOT NULL OR v_step.next_key IS NULL THEN
                            EXECUTE v_step.perform INTO v_rows, v_lost USING v_after, v_upto;
                            IF v_lost <> 0 THEN
                                RAISE EXCEPTION '% of % rows did not arrive in the cold table', v_lost, v_rows;
                            END IF;
                        END IF;
                    END IF;
                    SET CONSTRAINTS ALL IMMEDIATE;
                EXCEPTION
                    WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
                        v_busy := v_busy + 1;
                        v_rows := 0;
                    WHEN OTHERS THEN
                        v_note := SQLERRM;
                        v_state := SQLSTATE;
                END;
                COMMIT;
                EXIT WHEN v_note IS NOT NULL OR v_is_whole;
                v_total := v_total + v_rows;
                EXIT WHEN v_rows = 0 AND v_upto IS NULL;
                v_after := v_upto;
            END LOOP;
            IF v_note IS NULL AND v_busy > 0 THEN
                v_note := CASE WHEN v_is_whole THEN 'it is in use, and waits for the next run'
                               ELSE format('%s batches met locks and wait for the next run', v_busy) END;
                v_state := CASE WHEN v_is_whole THEN '55P03' END;
            END IF;
            v_total := CASE WHEN v_is_whole AND v_note IS NOT NULL THEN 0 ELSE v_total END;
        END IF;
        IF v_enforced AND v_note IS NOT NULL AND v_state IS NOT NULL THEN
            v_failures := CASE WHEN v_clock_is_right
                               THEN concat_ws('; ', v_failures, format('%s %s: %s', v_step.action, v_step.object, v_note))
                               ELSE coalesce(v_failures, v_note) END;
            v_failed_state := CASE WHEN v_state = '55P03' THEN coalesce(v_failed_state, v_state) ELSE v_state END;
        END IF;
        EXECUTE format('INSERT INTO %1$I.retention_log (enforced, source, action, object, rows, older_than, note, clock_is_right) '
                       'VALUES ($1, $2, $3, $4, $5, $6, $7, $8 AND %1$I.retention_clock() IS NULL)', v_schema) -- it may have been stepped since
          USING v_enforced, v_step.source, v_step.action, v_step.object, v_total, v_step.older_than,
                nullif(concat_ws('; ', v_note, v_step.remark), ''), v_clock_is_right;
        COMMIT;
    END LOOP;
    EXECUTE format('DELETE FROM %1$I.retention_log WHERE at < now() - interval ''400 days'' AND $1 AND %1$I.retention_clock() IS NULL', v_schema)
      USING v_clock_is_right;
    COMMIT;
    IF v_failures IS NOT NULL THEN
        RAISE EXCEPTION USING MESSAGE = v_failures, ERRCODE = v_failed_state,
            HINT = format('SELECT * FROM %I.retention_dry_run()', v_schema);
    END IF;
END $job$
-- chime:end
;
\endif
