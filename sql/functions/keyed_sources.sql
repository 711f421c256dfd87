-- SPDX-License-Identifier: PostgreSQL
-- The sources of a keyed view: whether their marks tell all that changed, and how its plans read them.

-- Of the sources, and of the view itself: one defined or made anew begins with everything. Here and below
-- force_generic_plan: a plan for these values is no better, and PostgreSQL would take more time to make it at each
-- refresh than to run it.
CREATE OR REPLACE FUNCTION chime.view_looks(p_views integer[]) RETURNS TABLE (view_id integer, fingerprint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (SELECT v.view_id, s.* FROM chime.view v JOIN chime.view_source s USING (view_schema, relation)
                                WHERE v.view_id = ANY (p_views)),
    looks AS MATERIALIZED (SELECT * FROM chime.source_looks(ARRAY(SELECT DISTINCT a.source_id FROM asked a)) AS l),
    of_sources AS (
        SELECT a.view_id, string_agg(a.source_id || ':' || l.fingerprint, ' ' ORDER BY a.source_id) AS looks,
               string_agg(concat_ws(' ', a.declared, a.captured, a.map_query), ' ' ORDER BY a.source_id) AS reads
        FROM asked a JOIN looks l ON l.source_id = a.source_id GROUP BY a.view_id)
    SELECT o.view_id, o.looks || ' '
           || md5(concat_ws(' ', k.oid::oid, pg_relation_filenode(k.oid), v.definition, v.search_path, v.timezone, v.key, v.grain, v.stamps,
                            split_part(v.asked, ' ', 1), o.reads))
    FROM of_sources o JOIN chime.view v ON v.view_id = o.view_id
    CROSS JOIN to_regclass(format('%I.%I', v.view_schema, v.relation)) AS k (oid);
END $$;
COMMENT ON ROUTINE chime.view_looks IS 'what views and their sources look like: another one means that everything is done anew';

CREATE OR REPLACE FUNCTION chime.view_fingerprint(p_schema name, p_relation name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT l.fingerprint FROM chime.view_looks(ARRAY(SELECT v.view_id FROM chime.view v
                                                             WHERE v.view_schema = p_schema AND v.relation = p_relation)) AS l);
END $$;
COMMENT ON ROUTINE chime.view_fingerprint IS 'what one view and its sources look like';

-- Which source of a view looks otherwise than at its last refresh.
CREATE OR REPLACE FUNCTION chime.fingerprint_reason(p_schema name, p_relation name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(string_agg(format('%I.%I', o.source_schema, o.source_table), ', ' ORDER BY s.source_id)
                        || ' may have changed without a mark: its storage, partitions or triggers did',
                        'its definition or its relation is another one')
        FROM chime.view_source s JOIN chime.source o USING (source_id)
        JOIN chime.view_refresh r USING (view_schema, relation)
        CROSS JOIN LATERAL chime.source_looks(ARRAY[s.source_id]) AS l
        WHERE s.view_schema = p_schema AND s.relation = p_relation
          AND strpos(r.fingerprint, s.source_id || ':' || l.fingerprint) = 0);
COMMENT ON ROUTINE chime.fingerprint_reason IS 'which source of a view looks otherwise than at its last refresh';

-- Of sources those of which all that is written leaves marks: our triggers are on their tables, for the columns that
-- these have, and no subscription writes to them, which fires none.
CREATE OR REPLACE FUNCTION chime.captured(p_sources integer[]) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
DECLARE
    v_uncaptured integer[] := ARRAY(SELECT u.source_id FROM chime.uncaptured_relations(p_sources) AS u);
    v_subscribed boolean := EXISTS (SELECT FROM pg_subscription_rel);
BEGIN
    RETURN ARRAY(SELECT o.source_id FROM chime.source_shapes(p_sources) AS n JOIN chime.source o ON o.source_id = n.source_id
                 WHERE o.source_id <> ALL (v_uncaptured) AND o.shape = n.shape
                   AND CASE WHEN v_subscribed
                            THEN NOT EXISTS (SELECT FROM pg_subscription_rel p WHERE p.srrelid IN (SELECT chime.source_tree(o.source_id)))
                            ELSE true END);
END $$;
COMMENT ON FUNCTION chime.captured IS 'of sources those of which all that is written leaves marks';

-- Sources of views that are not captured, or not for the columns that the view asks for, or are part of a table that is
-- no source of the view. Views without one are left out.
CREATE OR REPLACE FUNCTION chime.uncaptured_views(p_views integer[]) RETURNS TABLE (view_id integer, sources text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_captured integer[] := chime.captured(ARRAY(SELECT DISTINCT s.source_id FROM chime.view v JOIN chime.view_source s USING (view_schema, relation)
                                                 WHERE v.view_id = ANY (p_views)));
BEGIN
    RETURN QUERY
    SELECT v.view_id, string_agg(format('%I.%I', o.source_schema, o.source_table), ', ' ORDER BY s.source_id)
    FROM chime.view v JOIN chime.view_source s USING (view_schema, relation) JOIN chime.source o USING (source_id)
    WHERE v.view_id = ANY (p_views)
      AND (s.source_id <> ALL (v_captured) OR NOT (s.captured <@ o.captured AND s.declared <@ o.declared)
           OR EXISTS (SELECT FROM pg_inherits i CROSS JOIN LATERAL chime.inheritance_roots(i.inhrelid) AS t
                      WHERE i.inhrelid = to_regclass(format('%I.%I', o.source_schema, o.source_table))
                        AND t NOT IN (SELECT chime.source_oid(x.source_id) FROM chime.view_source x
                                      WHERE x.view_schema = v.view_schema AND x.relation = v.relation)))
    GROUP BY v.view_id;
END $$;
COMMENT ON ROUTINE chime.uncaptured_views IS 'views with sources whose changes are not captured at the moment, in words';

CREATE OR REPLACE FUNCTION chime.uncaptured_sources(p_schema name, p_relation name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT u.sources FROM chime.uncaptured_views(ARRAY(SELECT v.view_id FROM chime.view v
                                                               WHERE v.view_schema = p_schema AND v.relation = p_relation)) AS u);
END $$;
COMMENT ON ROUTINE chime.uncaptured_sources IS 'sources of a view whose changes are not captured at the moment, in words; NULL: none';

-- The snapshot of the statement that calls it, without this transaction: what that one has yet to write is not
-- consumed.
CREATE OR REPLACE FUNCTION chime.snapshot_to_keep() RETURNS pg_snapshot
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT concat_ws(':', pg_snapshot_xmin(s), pg_snapshot_xmax(s),
                             (SELECT coalesce(string_agg(x.id::text, ',' ORDER BY x.id), '')
                              FROM (SELECT pg_snapshot_xip(s) UNION SELECT pg_current_xact_id()) AS x (id)
                              WHERE x.id < pg_snapshot_xmax(s)))::pg_snapshot
            FROM pg_current_snapshot() AS s);
END $$;
COMMENT ON ROUTINE chime.snapshot_to_keep IS 'the snapshot of the calling statement, without its own transaction';

-- Marks of one log. STABLE, so that they are read with the snapshot of the calling statement, and by EXECUTE, so that
-- the plan is made after that snapshot: an older plan would not have a part begun in between, whose marks the snapshot
-- may show.
CREATE OR REPLACE FUNCTION chime.take_marks(p_none anyarray, p_query text, p_xmax xid8, p_xip xid8[]) RETURNS anyarray
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_marks p_none%TYPE;
BEGIN
    EXECUTE p_query INTO v_marks USING p_xmax, p_xip;
    RETURN v_marks;
END $$;
COMMENT ON ROUTINE chime.take_marks IS 'marks of one log that a snapshot shows';

-- Opens every part of a log that a view has not passed.
CREATE OR REPLACE FUNCTION chime.flooded_views(p_views integer[]) RETURNS SETOF integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN QUERY
    SELECT DISTINCT v.view_id FROM chime.view v JOIN chime.view_source s USING (view_schema, relation) JOIN chime.change_part c USING (source_id)
    WHERE v.view_id = ANY (p_views) AND c.part > s.passed_part
      AND pg_relation_size(chime.part_name(c.source_id, c.part)::regclass) >= chime.part_limit();
END $$;
COMMENT ON ROUTINE chime.flooded_views IS 'views that have more marks to consume than a refresh by groups is worth';

CREATE OR REPLACE FUNCTION chime.flooded(p_schema name, p_relation name) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN EXISTS (SELECT FROM chime.flooded_views(ARRAY(SELECT v.view_id FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation)));
END $$;
COMMENT ON ROUTINE chime.flooded IS 'whether a view has more marks to consume than a refresh by groups is worth';

-- What a view's definition reads, through other views too; column 0: the relation as such.
CREATE OR REPLACE FUNCTION chime.columns_read(p_view regclass) RETURNS TABLE (relation oid, "column" integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$ -- keeps its plan: asked of every view by view_freshness()
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE read AS (
        SELECT p_view::oid AS relation, 0 AS "column"
        UNION
        SELECT d.refobjid, d.refobjsubid FROM read r
        JOIN pg_class c ON c.oid = r.relation AND c.relkind = 'v'
        JOIN pg_rewrite w ON w.ev_class = r.relation
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
                        AND d.refobjid <> r.relation)
    SELECT r.relation, r."column" FROM read r JOIN pg_class c ON c.oid = r.relation WHERE c.relkind IN ('r', 'p', 'm', 'f');
END $$;
COMMENT ON ROUTINE chime.columns_read IS 'the columns that a view reads, through other views too; 0 stands for the relation';

CREATE OR REPLACE FUNCTION chime.tables_read(p_view regclass) RETURNS SETOF oid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT r.relation FROM chime.columns_read(p_view) AS r;
END;
COMMENT ON ROUTINE chime.tables_read IS 'the tables that a view reads, through other views too';

-- Whether a scan reads all of its table. A bitmap of what is not null is everything, too; an index scan for that is how
-- it finds a minimum.
CREATE OR REPLACE FUNCTION chime.reads_whole(p_node jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN p_node ->> 'Node Type' = 'Seq Scan' OR (p_node ->> 'Node Type' LIKE 'Index%' AND NOT p_node ? 'Index Cond')
    OR coalesce(p_node ->> 'Recheck Cond' ~ '^\([^()]* IS NOT NULL\)$', false);
COMMENT ON ROUTINE chime.reads_whole IS 'whether a scan reads all of its table';

-- Tables of which a statement reads everything, as the planner means to do it here.
CREATE OR REPLACE FUNCTION chime.scanned_whole(p_statement text) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON, VERBOSE) ' || p_statement INTO v_plan;
    RETURN QUERY
    SELECT DISTINCT concat_ws('.', n ->> 'Schema', n ->> 'Relation Name')
    FROM jsonb_path_query(v_plan, 'strict $.**') AS n
    WHERE jsonb_typeof(n) = 'object' AND n ? 'Relation Name'
      AND chime.reads_whole(n);
END $$;
COMMENT ON ROUTINE chime.scanned_whole IS 'tables of which the planner means to read everything for a statement';

-- Which tables the planner would scan whole for one group, although told to avoid it: with nested loops it uses an
-- index where there is one, while a hash or merge join of small tables reads all of them. Those are asked again by
-- bitmaps, which only a condition makes: an index in the order of a DISTINCT ON is walked for its first row, from
-- PostgreSQL 16 on, beside one that finds the group.
CREATE OR REPLACE FUNCTION chime.unrestricted_scans(p_schema name, p_relation name, p_grain name[]) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_indexscan = on SET enable_indexonlyscan = on SET cpu_tuple_cost = 10 SET cpu_index_tuple_cost = 10 SET row_security = off AS $$
DECLARE
    v_group text := format(
        'SELECT v.* FROM unnest(%s) AS k (%s) CROSS JOIN LATERAL (SELECT * FROM %I.%I v WHERE %s OFFSET 0) v',
        (SELECT string_agg(format('NULL::%s[]', format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY g.n)
         FROM unnest(p_grain) WITH ORDINALITY AS g (name, n)
         JOIN pg_attribute a ON a.attrelid = format('%I.%I', p_schema, p_relation)::regclass AND a.attname = g.name),
        (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_grain) AS g),
        p_schema, p_relation || '__live', (SELECT m FROM chime.grain_matches(format('%I.%I', p_schema, p_relation)::regclass, p_grain, 'k', 'v') AS m LIMIT 1));
    v_whole text[] := ARRAY(SELECT chime.scanned_whole(v_group));
BEGIN
    IF v_whole <> '{}' THEN
        PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true);
        RETURN QUERY SELECT unnest(v_whole) INTERSECT SELECT chime.scanned_whole(v_group) ORDER BY 1;
    END IF;
END $$;
COMMENT ON ROUTINE chime.unrestricted_scans IS 'tables that would be scanned whole for one group';

-- Whether an index on the kept relation begins with the grain's columns, in any order.
CREATE OR REPLACE FUNCTION chime.has_grain_index(p_kept regclass, p_grain name[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = p_kept AND i.indpred IS NULL AND i.indnatts >= cardinality(p_grain)
       AND p_grain <@ ARRAY(SELECT a.attname FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
                            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                            WHERE k.n <= cardinality(p_grain)));
COMMENT ON ROUTINE chime.has_grain_index IS 'whether an index of the kept relation begins with the grain';
