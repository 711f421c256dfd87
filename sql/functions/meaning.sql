-- SPDX-License-Identifier: PostgreSQL
-- A fingerprint of everything on which the proof of a view (proof.sql) depends. When it changes, the view is proven
-- again. plpgsql with one plan for all arguments: each view asks several times, and planning took most of the time.

-- A relation and what it reads, through views.
CREATE OR REPLACE FUNCTION chime.relations_read(p_relation regclass) RETURNS SETOF oid
LANGUAGE plpgsql STABLE ROWS 4 SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE read AS (
        SELECT p_relation::oid AS relation
        UNION
        SELECT d.refobjid FROM read r JOIN pg_class c ON c.oid = r.relation AND c.relkind = 'v'
        JOIN pg_rewrite w ON w.ev_class = r.relation
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass)
    SELECT r.relation FROM read r;
END $$;
COMMENT ON ROUTINE chime.relations_read IS 'a relation and what it reads, through views';

-- Functions that a view's definition calls, by itself or through views below; of operators the functions behind them.
CREATE OR REPLACE FUNCTION chime.functions_called(p_view regclass) RETURNS SETOF oid
LANGUAGE plpgsql STABLE ROWS 20 SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT coalesce(o.oprcode::oid, m.t[2]::oid)
    FROM chime.relations_read(p_view) AS r JOIN pg_rewrite w ON w.ev_class = r
    CROSS JOIN LATERAL regexp_matches(w.ev_action::text, ':(funcid|opfuncid|aggfnoid|winfnoid|opno) (\d+)', 'g') AS m (t)
    LEFT JOIN pg_operator o ON m.t[1] = 'opno' AND o.oid = m.t[2]::oid;
END $$;
COMMENT ON ROUTINE chime.functions_called IS 'functions that a definition calls, through views and operators too';

-- Functions that are not PostgreSQL's, with those that they call: known of bodies that were bound when they were made;
-- of others whatever they may name.
CREATE OR REPLACE FUNCTION chime.functions_below(p_view chime.view) RETURNS SETOF oid
LANGUAGE plpgsql STABLE ROWS 4 SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE called AS (
        SELECT f.oid FROM chime.functions_called(chime.live_of(p_view)) AS f (oid) WHERE f.oid >= 16384 -- FirstNormalObjectId
        UNION
        SELECT b.oid FROM called c JOIN pg_proc p ON p.oid = c.oid JOIN pg_proc b ON b.oid >= 16384
         AND (strpos(p.prosrc, b.proname) > 0
              OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
                                                   AND d.refobjid = b.oid)))
    SELECT c.oid FROM called c;
END $$;
COMMENT ON ROUTINE chime.functions_below IS 'functions that a definition calls, and those that they call, where they are not PostgreSQL''s';

-- Whether a definition, a view below it or a function that may become part of its plan has a COLLATE.
CREATE OR REPLACE FUNCTION chime.says_collate(p_view chime.view) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN EXISTS (SELECT FROM chime.relations_read(chime.live_of(p_view)) AS r JOIN pg_rewrite w ON w.ev_class = r WHERE w.ev_action::text LIKE '%{COLLATEEXPR %')
        OR EXISTS (SELECT FROM chime.functions_below(p_view) AS f JOIN pg_proc p ON p.oid = f
                   WHERE p.prosrc ILIKE '%collate%' OR p.prosqlbody::text LIKE '%{COLLATEEXPR %');
END $$;
COMMENT ON ROUTINE chime.says_collate IS 'whether a definition or what is below it has a COLLATE, which plans do not show';

-- What the words of a definition mean: another meaning may be other rows of every group, and no row of a source
-- changed.
CREATE OR REPLACE FUNCTION chime.meaning(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        WITH read AS MATERIALIZED (SELECT r AS relation FROM chime.relations_read(chime.live_of(p_view)) AS r),
        columns AS MATERIALIZED (SELECT a.* FROM read r JOIN pg_attribute a ON a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped),
        types AS (
            SELECT c.atttypid AS type FROM columns c
            UNION
            SELECT d.refobjid FROM read r JOIN pg_rewrite w ON w.ev_class = r.relation
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_type'::regclass),
        facts AS (
            SELECT concat_ws(' ', 'rule', w.ev_class, w.xmin) AS fact FROM read r JOIN pg_rewrite w ON w.ev_class = r.relation
            UNION ALL
            SELECT concat_ws(' ', 'function', p.oid, p.xmin) FROM chime.functions_below(p_view) AS f JOIN pg_proc p ON p.oid = f
            UNION ALL
            SELECT concat_ws(' ', 'column', c.attrelid, c.attnum, c.attname, c.atttypid, c.attcollation) FROM columns c
            UNION ALL
            SELECT concat_ws(' ', 'attribute', a.attrelid, a.attnum, a.attname, a.atttypid, a.attisdropped)
            FROM types y JOIN pg_type t ON t.oid = y.type JOIN pg_type r ON r.oid IN (t.oid, t.typelem, t.typbasetype) AND r.typrelid <> 0
            JOIN pg_attribute a ON a.attrelid = r.typrelid AND a.attnum > 0
            UNION ALL
            SELECT concat_ws(' ', 'label', e.enumtypid, e.enumsortorder, e.enumlabel)
            FROM types y JOIN pg_type t ON t.oid = y.type JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype))
        SELECT md5(string_agg(f.fact, ',' ORDER BY f.fact)) FROM facts f);
END $$;
COMMENT ON ROUTINE chime.meaning IS 'what the words of a definition mean: views and functions below it, names of columns, labels of enums';

-- What a proof rests on beside the definition itself: what that means, indexes, constraints, privileges. Statistics are
-- not among it: any plan is as good a proof as another.
CREATE OR REPLACE FUNCTION chime.outlook(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
        WITH read AS MATERIALIZED (SELECT r AS relation FROM chime.relations_read(chime.live_of(p_view)) AS r),
        facts AS (
            SELECT concat_ws(' ', 'constraint', n.oid, n.xmin) AS fact FROM read r JOIN pg_constraint n ON n.conrelid = r.relation AND n.contype <> 'f'
            UNION ALL
            SELECT concat_ws(' ', 'column', a.attrelid, a.attnum, a.attnotnull) FROM read r JOIN pg_attribute a ON a.attrelid = r.relation AND a.attnum > 0
            UNION ALL
            SELECT concat_ws(' ', 'index', i.indexrelid, i.indisvalid) FROM read r JOIN pg_index i ON i.indrelid = r.relation
            UNION ALL
            SELECT concat_ws(' ', 'root', r.relation, t) FROM read r CROSS JOIN LATERAL chime.inheritance_roots(r.relation) AS t
            UNION ALL
            SELECT concat_ws(' ', 'table', c.oid, c.relnamespace, c.relname, c.relkind, c.relpersistence, c.relrowsecurity, c.relacl, c.relowner) FROM read r JOIN pg_class c ON c.oid = r.relation
            UNION ALL
            SELECT concat_ws(' ', 'part', c.oid, c.relkind, c.relpersistence) FROM read r CROSS JOIN LATERAL chime.inheritance_tree(r.relation) AS t
            JOIN pg_class c ON c.oid = t WHERE t <> r.relation
            UNION ALL
            SELECT concat_ws(' ', 'distributed', r.relation) FROM read r WHERE chime.is_distributed(r.relation)
            UNION ALL
            SELECT concat_ws(' ', 'subscription', s.srsubid, s.srrelid) FROM read r CROSS JOIN LATERAL chime.inheritance_tree(r.relation) AS t
            JOIN pg_subscription_rel s ON s.srrelid = t)
        SELECT concat_ws(' ', chime.meaning(p_view), md5(string_agg(f.fact, ',' ORDER BY f.fact))) FROM facts f);
END $$;
COMMENT ON ROUTINE chime.outlook IS 'what a proof rests on beside the definition itself: another one means that it is asked again';

-- By the leader's upkeep: an index that was made makes a view keyed, a lower view that was replaced is proven anew, a
-- column has another name. Sources that are declared name the old one: those wait until they are declared otherwise, or
-- the column has its name back.
CREATE OR REPLACE FUNCTION chime.ask_again(p_schema name, p_source_schema name, p_relation name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.view;
BEGIN
    SELECT * INTO STRICT v_view FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation;
    IF chime.live_of(v_view) IS NOT NULL AND chime.kept_of(v_view) IS NOT NULL AND v_view.asked IS DISTINCT FROM chime.outlook(v_view)
       AND NOT EXISTS (SELECT FROM chime.view_source s CROSS JOIN unnest(s.captured) AS u (name)
                       WHERE v_view.sources IS NOT NULL AND s.view_schema = p_schema AND s.relation = p_relation
                         AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = chime.source_oid(s.source_id) AND a.attname = u.name)) THEN
        PERFORM chime.install_keys(p_schema, p_source_schema, p_relation, v_view.sources);
    END IF;
END $$;
COMMENT ON ROUTINE chime.ask_again IS 'whether a view can be keyed, where what that rests on is another';
