-- SPDX-License-Identifier: PostgreSQL
-- Citus: definitions that read tables which it distributes (docs/adr/0049-citus.md).
--
-- Without Citus no table is distributed, and a definition is read where it stands. With it, what a definition gives is
-- computed once into a table of the session, and everything after that is local.

-- "Citus 13.2 coordinator"; NULL: none.
CREATE OR REPLACE FUNCTION chime.engine(OUT words text, OUT is_worker boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_version text := (SELECT substring(e.extversion FROM '^[0-9.]+') FROM pg_extension e WHERE e.extname = 'citus');
BEGIN
    IF v_version IS NOT NULL THEN
        EXECUTE 'SELECT g.groupid > 0 FROM pg_catalog.pg_dist_local_group g' INTO is_worker;
        words := format('Citus %s %s', v_version, CASE WHEN is_worker THEN 'worker' ELSE 'coordinator' END);
    END IF;
END $$;
COMMENT ON FUNCTION chime.engine IS 'what beside PostgreSQL the server is: a coordinator or a worker of Citus; NULL: nothing';

CREATE OR REPLACE FUNCTION chime.is_distributed(p_relation regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_is boolean := false;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition d WHERE d.logicalrelid = $1)' INTO v_is USING p_relation;
    END IF;
    RETURN v_is;
END $$;
COMMENT ON FUNCTION chime.is_distributed IS 'whether Citus has the rows of a table in shards, on other servers';

CREATE OR REPLACE FUNCTION chime.reads_distributed(p_live regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN false -- asked at every refresh
                ELSE EXISTS (SELECT FROM chime.tables_read(p_live) AS t WHERE chime.is_distributed(t)) END;
END $$;
COMMENT ON FUNCTION chime.reads_distributed IS 'whether a view reads a distributed table, through other views too';

-- A worker computes with its own clock and its own settings (TimeZone, DateStyle): so only what goes by neither may be
-- computed there, as one server would. EXPLAIN asks Citus, and it a worker.
CREATE OR REPLACE FUNCTION chime.why_fetched(p_live regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE v_found text;
BEGIN
    SELECT string_agg(DISTINCT p.proname::text, ', ') INTO v_found
      FROM chime.functions_called(p_live) AS f JOIN pg_proc p ON p.oid = f WHERE p.provolatile <> 'i';
    IF v_found IS NULL THEN
        SELECT string_agg(DISTINCT CASE m.t[1] WHEN 'COERCEVIAIO' THEN 'casts by text' ELSE 'CURRENT_...' END, ', ') INTO v_found
          FROM chime.relations_read(p_live) AS r JOIN pg_rewrite w ON w.ev_class = r
          CROSS JOIN LATERAL regexp_matches(w.ev_action::text, '\{(SQLVALUEFUNCTION|COERCEVIAIO) ', 'g') AS m (t);
    END IF;
    IF v_found IS NOT NULL THEN
        RETURN format('its definition uses %s, which may give something else by a worker''s settings or clock', v_found);
    END IF;
    EXECUTE 'EXPLAIN SELECT * FROM ' || p_live;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN 'Citus: ' || SQLERRM;
END $$;
COMMENT ON FUNCTION chime.why_fetched IS 'why the workers cannot compute what a view gives, so that rows of its tables are fetched; NULL: they can';

-- Each column in its place, as the definition may name them by place; those that it does not read are NULL.
CREATE OR REPLACE FUNCTION chime.fetch_rows(p_table regclass, p_live regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name name := (SELECT c.relname FROM pg_class c WHERE c.oid = p_table);
    v_whole boolean := EXISTS (SELECT FROM chime.relations_read(p_live) AS r JOIN pg_rewrite w ON w.ev_class = r
                               WHERE w.ev_action::text ~ '\{VAR :varno \d+ :varattno 0 ');
    v_columns text;
    v_read text;
    v_read_numbers smallint[];
    v_index record;
BEGIN
    SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod), chime.collation_of(p_table, a.attname)), ', ' ORDER BY a.attnum),
           string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE u.is_read), array_agg(a.attnum) FILTER (WHERE u.is_read)
      INTO v_columns, v_read, v_read_numbers
      FROM pg_attribute a
      CROSS JOIN LATERAL (SELECT v_whole OR a.attnum IN (SELECT r."column" FROM chime.columns_read(p_live) AS r WHERE r.relation = p_table)) AS u (is_read)
     WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped;
    EXECUTE format('CREATE TEMP TABLE %I (%s) ON COMMIT DROP', v_name, v_columns);
    IF v_read IS NULL THEN -- count(*)
        v_read := (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1);
    END IF;
    EXECUTE format('INSERT INTO pg_temp.%I (%2$s) SELECT %2$s FROM %3$s', v_name, v_read, p_table);
    FOR v_index IN SELECT pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
                   WHERE i.indrelid = p_table AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
                     AND i.indkey::smallint[] <@ v_read_numbers LOOP
        EXECUTE format('CREATE INDEX ON pg_temp.%I %s', v_name, substring(v_index.definition FROM ' USING .*$'));
    END LOOP;
    EXECUTE format('ANALYZE pg_temp.%I', v_name);
END $$;
COMMENT ON FUNCTION chime.fetch_rows IS 'makes a table of the session with the rows of a distributed one, as far as a view reads them';

-- Of a text of pg_get_viewdef, in which each relation has its schema: those named stand for those of the session.
CREATE OR REPLACE FUNCTION chime.in_session(p_definition text, p_names text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(CASE WHEN m.t[1] = ANY (p_names) THEN regexp_replace(m.t[1], '^("([^"]|"")*"|[^".]*)\.', 'pg_temp.') ELSE m.t[1] END, '' ORDER BY m.n)
        FROM regexp_matches(p_definition, '(''(?:[^'']|'''')*''|(?:"(?:[^"]|"")*"|[\w$]+)(?:\.(?:"(?:[^"]|"")*"|[\w$]+))*|[^''"\w$]+)', 'g')
             WITH ORDINALITY AS m (t, n));
COMMENT ON FUNCTION chime.in_session IS 'the text of a definition, with relations of the session in the place of others';

-- What a definition reads that is distributed, and views between: what others read comes first.
CREATE OR REPLACE FUNCTION chime.fetched(p_live regclass) RETURNS TABLE (relation regclass, name name, full_name text, is_view boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT c.oid::regclass, CASE WHEN c.oid = p_live THEN 'chime_live' ELSE c.relname END, format('%I.%I', n.nspname, c.relname), c.relkind = 'v'
    FROM chime.relations_read(p_live) AS r JOIN pg_class c ON c.oid = r JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE CASE WHEN c.relkind = 'v' THEN chime.reads_distributed(c.oid) ELSE chime.is_distributed(c.oid) END
    ORDER BY c.relkind = 'v', (SELECT count(*) FROM chime.relations_read(c.oid)), c.oid;
END $$;
COMMENT ON FUNCTION chime.fetched IS 'distributed tables that a view reads, and views through which it does; the view itself comes last, as chime_live';

CREATE OR REPLACE FUNCTION chime.fetch_and_compute(p_live regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_all text[];
    v_twice text;
    v_made record;
BEGIN
    SELECT array_agg(f.full_name) INTO v_all FROM chime.fetched(p_live) AS f;
    SELECT string_agg(f.full_name, ' and ') INTO v_twice FROM chime.fetched(p_live) AS f GROUP BY f.name HAVING count(*) > 1 LIMIT 1;
    IF v_twice IS NOT NULL THEN
        RAISE EXCEPTION 'rows of % cannot be fetched into tables of one name', v_twice USING ERRCODE = 'feature_not_supported',
            HINT = 'rename one of them, or write the definition so that Citus plans it without: ' || chime.why_fetched(p_live);
    END IF;
    FOR v_made IN SELECT * FROM chime.fetched(p_live) LOOP
        IF v_made.is_view THEN
            EXECUTE format('CREATE TEMP VIEW %I AS %s', v_made.name, chime.in_session(pg_get_viewdef(v_made.relation), v_all));
        ELSE
            PERFORM chime.fetch_rows(v_made.relation, p_live);
        END IF;
    END LOOP;
    CREATE TEMP TABLE chime_staged ON COMMIT DROP AS SELECT * FROM pg_temp.chime_live;
    FOR v_made IN SELECT * FROM chime.fetched(p_live) AS f WHERE NOT f.is_view LOOP
        EXECUTE format('DROP TABLE pg_temp.%I CASCADE', v_made.name); -- with the views
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.fetch_and_compute IS 'fetches the rows that a view reads, and computes it of them into chime_staged';

-- A worker leaves out rows that a policy hides, whatever row_security says here.
CREATE OR REPLACE FUNCTION chime.refuse_policies_of_shards(p_live regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_hidden text := (SELECT string_agg(t::regclass::text, ', ') FROM chime.tables_read(p_live) AS t WHERE chime.is_distributed(t) AND row_security_active(t));
BEGIN
    IF v_hidden IS NOT NULL AND current_setting('row_security') = 'off' THEN
        RAISE EXCEPTION 'query would be affected by row-level security policy for table %', v_hidden USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_policies_of_shards IS 'raises where policies would hide rows of distributed tables';

-- Where to read what a view gives: the view, or a table of the session in which its rows are by now.
CREATE OR REPLACE FUNCTION chime.staged(p_live regclass) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT chime.reads_distributed(p_live) THEN
        RETURN p_live;
    END IF;
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true), set_config('client_min_messages', 'warning', true);
    PERFORM chime.refuse_policies_of_shards(p_live);
    DROP TABLE IF EXISTS pg_temp.chime_staged;
    IF chime.why_fetched(p_live) IS NULL THEN
        EXECUTE 'CREATE TEMP TABLE chime_staged ON COMMIT DROP AS SELECT * FROM ' || p_live;
    ELSE
        PERFORM chime.fetch_and_compute(p_live);
    END IF;
    RETURN 'pg_temp.chime_staged';
END $$;
COMMENT ON FUNCTION chime.staged IS 'where to read what a view gives: where it reads distributed tables, a table of the session that holds it by now';

-- As it is written down; where the definition reads distributed tables, over its staged rows.
CREATE OR REPLACE FUNCTION chime.refresh_full_of(p_view chime.view) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_kept regclass := chime.kept_of(p_view);
BEGIN
    IF NOT chime.reads_distributed(chime.live_of(p_view)) THEN
        RETURN p_view.refresh_full;
    END IF;
    RETURN 'WITH ' || chime.difference_statement(
        v_kept, p_view.key, p_view.stamps,
        format('SELECT %s FROM %s WHERE %s', chime.column_list(v_kept), chime.staged(chime.live_of(p_view)), chime.unfrozen(p_view)),
        format('SELECT t.ctid AS chime_row_id, t.* FROM %s t WHERE %s', v_kept, chime.unfrozen(p_view)));
END $$;
COMMENT ON FUNCTION chime.refresh_full_of IS 'the statement of a full refresh of a view';

CREATE OR REPLACE FUNCTION chime.staged_value(p_query text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_live regclass;
    v_value bigint;
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    EXECUTE 'CREATE TEMP VIEW chime_asked AS ' || p_query;
    v_live := 'pg_temp.chime_asked';
    EXECUTE 'SELECT * FROM ' || chime.staged(v_live) INTO v_value;
    DROP VIEW IF EXISTS pg_temp.chime_asked;
    RETURN v_value;
END $$;
COMMENT ON FUNCTION chime.staged_value IS 'what a query over distributed tables gives, a number';

CREATE OR REPLACE FUNCTION chime.refuse_matview(p_view chime.view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.mode = 'matview' AND chime.reads_distributed(chime.live_of(p_view)) THEN
        RAISE EXCEPTION 'view %.% reads distributed tables, so it cannot be a materialized view', p_view.view_schema, p_view.relation
            USING ERRCODE = 'feature_not_supported', HINT = 'give it mode "full": then its rows are computed as one server would, whatever Citus plans';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_matview IS 'raises for a materialized view over distributed tables, which workers would compute by settings of their own';
