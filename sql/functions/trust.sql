-- SPDX-License-Identifier: PostgreSQL
-- Trust: checks the owner of all code that runs when a definition, or a query beside it, is planned or run.
--
-- Whoever owns a source, or may CREATE in its schema, may put an operator, a function or a view there that a definition
-- finds before PostgreSQL's own; and an index, a CHECK constraint or a partition key of a table holds expressions that
-- the planner evaluates for whoever reads that table. So all that a definition reaches and that can run code has to be
-- of a trusted owner: a superuser, the role that runs it, the ledger's owner, or one of trusted_owners in pgchime.conf.
-- It is looked at before anything of it is planned, and again when it looks otherwise; tables themselves may be
-- anybody's.

CREATE OR REPLACE FUNCTION chime.trust_owners(p_names name[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    DELETE FROM chime.trusted_owner t WHERE t.name <> ALL (p_names);
    INSERT INTO chime.trusted_owner SELECT DISTINCT n FROM unnest(p_names) AS n ON CONFLICT DO NOTHING;
END;
COMMENT ON FUNCTION chime.trust_owners IS 'what pgchime.conf says, instead of what was written before';

CREATE OR REPLACE FUNCTION chime.is_trusted(p_owner oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked of all that a view reaches
BEGIN
    RETURN EXISTS (SELECT FROM pg_roles r WHERE r.oid = p_owner
                   AND (r.rolsuper OR r.rolname = current_user OR r.oid = (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'chime')
                        OR r.rolname IN (SELECT t.name FROM chime.trusted_owner t)));
END $$;
COMMENT ON FUNCTION chime.is_trusted IS 'a superuser, who asks, the ledger''s owner, or one of trusted_owners';

-- All that is reached from one object and is not PostgreSQL's own (16384: FirstNormalObjectId). From a relation that is
-- read: a view's rule, partitions and children, and what holds expressions that the planner may evaluate. Policies are
-- not among it: with row_security off they are an error. Defaults and triggers are for writers. From a type: what casts
-- it to others. A function whose body is a string is trusted with what it calls.
CREATE OR REPLACE FUNCTION chime.code_reached(p_class oid, p_object oid) RETURNS TABLE (class oid, object oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$ -- asked at each call of telemetry_trend()
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE reached AS (
        SELECT p_class AS class, p_object AS object
        UNION
        SELECT n.class, n.object FROM reached r
        CROSS JOIN LATERAL (
            SELECT d.refclassid AS class, d.refobjid AS object FROM pg_depend d
            WHERE d.classid = r.class AND d.objid = r.object AND d.refobjid >= 16384
              AND (d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass, 'pg_collation'::regclass,
                                    'pg_opclass'::regclass, 'pg_opfamily'::regclass)
                   OR (d.refclassid = 'pg_class'::regclass AND r.class IN ('pg_rewrite'::regclass, 'pg_proc'::regclass)))
              AND NOT (d.refclassid = 'pg_type'::regclass AND r.class = 'pg_class'::regclass -- a column that is not read
                       AND EXISTS (SELECT FROM pg_class c WHERE c.oid = r.object AND c.relkind IN ('r', 'p', 'm', 'f')))
            UNION ALL
            SELECT 'pg_type'::regclass, t.oid -- of a column that is read (0: maybe the whole row): to_jsonb() and others look for its casts
            FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum > 0 AND d.refobjsubid IN (0, a.attnum)
            JOIN pg_type c ON c.oid = a.atttypid JOIN pg_type t ON t.oid = CASE c.typtype WHEN 'd' THEN c.typbasetype ELSE c.oid END
            WHERE r.class = 'pg_rewrite'::regclass AND d.classid = r.class AND d.objid = r.object AND d.refclassid = 'pg_class'::regclass
              AND a.atttypid >= 16384 AND t.oid >= 16384
            UNION ALL
            SELECT 'pg_type'::regclass, a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid -- a row may be made of texts
            WHERE r.class = 'pg_type'::regclass AND t.oid = r.object AND t.typrelid <> 0 AND a.attnum > 0 AND a.atttypid >= 16384
            UNION ALL
            SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
            WHERE r.class = 'pg_class'::regclass AND w.ev_class = r.object AND c.relkind = 'v'
            UNION ALL
            SELECT 'pg_class'::regclass, i.inhrelid FROM pg_inherits i WHERE r.class = 'pg_class'::regclass AND i.inhparent = r.object
            UNION ALL
            SELECT d.refclassid, d.refobjid -- what the key of its parent calls, which the planner may ask of a partition by itself
            FROM pg_class c CROSS JOIN LATERAL pg_partition_ancestors(c.oid) AS a (relid)
            JOIN pg_depend d ON d.classid = r.class AND d.objid = a.relid AND d.refobjid >= 16384
             AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_collation'::regclass, 'pg_opclass'::regclass)
            WHERE r.class = 'pg_class'::regclass AND c.oid = r.object AND c.relispartition
            UNION ALL
            SELECT 'pg_proc'::regclass, k.castfunc FROM pg_cast k -- to_jsonb() and others look for one
            WHERE r.class = 'pg_type'::regclass AND k.castfunc >= 16384 AND r.object IN (k.castsource, k.casttarget)
            UNION ALL
            SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE r.class = 'pg_class'::regclass AND i.indrelid = r.object
            UNION ALL
            SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k
            WHERE r.class = 'pg_class'::regclass AND k.conrelid = r.object AND k.contype = 'c'
            UNION ALL
            SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext s WHERE r.class = 'pg_class'::regclass AND s.stxrelid = r.object
            UNION ALL
            SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k WHERE r.class = 'pg_type'::regclass AND k.contypid = r.object
            UNION ALL
            SELECT 'pg_amop'::regclass, m.oid FROM pg_amop m WHERE r.class = 'pg_opfamily'::regclass AND m.amopfamily = r.object
            UNION ALL
            SELECT 'pg_amproc'::regclass, m.oid FROM pg_amproc m WHERE r.class = 'pg_opfamily'::regclass AND m.amprocfamily = r.object
            UNION ALL
            SELECT 'pg_opfamily'::regclass, o.opcfamily FROM pg_opclass o
            WHERE o.opcfamily >= 16384
              AND CASE r.class WHEN 'pg_type'::regclass THEN o.opcintype = r.object AND o.opcdefault
                               WHEN 'pg_opclass'::regclass THEN o.oid = r.object ELSE false END) AS n)
    SELECT r.class, r.object FROM reached r;
END $$;
COMMENT ON FUNCTION chime.code_reached IS 'all that is reached from an object and is not PostgreSQL''s own';

-- Enums and rows of tables run nothing: their types may be anybody's.
CREATE OR REPLACE FUNCTION chime.untrusted_code(p_class oid, p_object oid) RETURNS TABLE (code text, owner name)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan AS $$ -- asked at each call of telemetry_trend()
BEGIN
    RETURN QUERY
    SELECT i.type || ' ' || i.identity, pg_get_userbyid(o.owner)
    FROM chime.code_reached(p_class, p_object) AS r
    CROSS JOIN LATERAL (
        SELECT p.proowner AS owner FROM pg_proc p WHERE r.class = 'pg_proc'::regclass AND p.oid = r.object
        UNION ALL SELECT p.oprowner FROM pg_operator p WHERE r.class = 'pg_operator'::regclass AND p.oid = r.object
        UNION ALL SELECT t.typowner FROM pg_type t WHERE r.class = 'pg_type'::regclass AND t.oid = r.object AND t.typtype NOT IN ('e', 'c', 'm') AND t.typelem = 0
        UNION ALL SELECT c.collowner FROM pg_collation c WHERE r.class = 'pg_collation'::regclass AND c.oid = r.object
        UNION ALL SELECT c.relowner FROM pg_class c WHERE r.class = 'pg_class'::regclass AND c.oid = r.object AND c.relkind IN ('v', 'f')
        UNION ALL SELECT c.opcowner FROM pg_opclass c WHERE r.class = 'pg_opclass'::regclass AND c.oid = r.object
        UNION ALL SELECT f.opfowner FROM pg_opfamily f WHERE r.class = 'pg_opfamily'::regclass AND f.oid = r.object) AS o
    CROSS JOIN LATERAL pg_identify_object(r.class, r.object, 0) AS i
    WHERE NOT chime.is_trusted(o.owner) ORDER BY 1;
END $$;
COMMENT ON FUNCTION chime.untrusted_code IS 'what an object reaches that can run code and is of an owner whom nobody trusts';

CREATE OR REPLACE FUNCTION chime.refuse_untrusted(p_what text, p_class oid, p_object oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_found record;
BEGIN
    SELECT * INTO v_found FROM chime.untrusted_code(p_class, p_object) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% would run % as %, and its owner % is not trusted', p_what, v_found.code, current_user, v_found.owner
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('if you trust %1$s with all that %2$s may do: trusted_owners = ["%1$s"]; for this database in pgchime.conf; else name another '
                                'function, operator, type or relation in the definition, with its schema', v_found.owner, current_user);
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_untrusted IS 'fails where an object reaches code of an owner whom nobody trusts';

-- --- views -----------------------------------------------------------------------------------------------------------

-- Queries beside the definition are parsed anew at each use, by the names of their relations: what those are is part of
-- it.
CREATE OR REPLACE FUNCTION chime.view_queries(p_view chime.view) RETURNS TABLE (query text, log regclass, captured name[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN QUERY
    SELECT q, NULL::regclass, NULL::name[] FROM unnest(ARRAY[p_view.rejected_query, p_view.revisit_query]) AS q WHERE q IS NOT NULL
    UNION ALL
    SELECT s.map_query, chime.log_name(s.source_id)::regclass, s.captured FROM chime.view_source s
    WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation AND s.map_query IS NOT NULL;
END $$;
COMMENT ON FUNCTION chime.view_queries IS 'what is run for a view beside its definition; log: where `marks` are';

-- PL/pgSQL's EXECUTE runs as many statements as a text has, and a query that closes the bracket around it makes several
-- of one. PostgreSQL opens a cursor for neither CREATE VIEW nor several statements, and says which; nothing is run.
CREATE OR REPLACE FUNCTION chime.refuse_several(p_statement text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_cursor refcursor;
    v_said text;
BEGIN
    BEGIN
        OPEN v_cursor FOR EXECUTE 'SELECT 1; SELECT 2';
    EXCEPTION WHEN invalid_cursor_definition THEN
        v_said := SQLERRM;
    END;
    BEGIN
        OPEN v_cursor FOR EXECUTE p_statement;
    EXCEPTION
        WHEN invalid_cursor_definition THEN
            IF SQLERRM <> v_said THEN
                RETURN;
            END IF;
        WHEN syntax_error THEN
            RETURN; -- to be told by whoever makes the view: nothing of it is run
        WHEN OTHERS THEN
            NULL; -- CREATE VIEW alone is not analyzed: something stands behind it
    END;
    RAISE EXCEPTION 'a query is one SELECT, and this one has several statements' USING ERRCODE = 'syntax_error', HINT = 'leave out what stands after the first ";"';
END $$;
COMMENT ON FUNCTION chime.refuse_several IS 'raises where a CREATE VIEW became several statements by what was put into it; neither runs it';

-- A query as it would be parsed now; nothing of it is planned. Whoever makes it drops it.
CREATE OR REPLACE FUNCTION chime.parse_query(p_search_path text, p_query text, p_log regclass, p_captured name[]) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := 'chime.vetting_' || pg_backend_pid();
    v_view text := format('CREATE VIEW %s AS ', v_name)
        || CASE WHEN p_log IS NULL THEN ''
                ELSE format('WITH marks AS (SELECT %s FROM %s) ', chime.capture_columns(p_captured, ''), p_log) END
        || format(E'SELECT FROM (%s\n) AS q', p_query);
BEGIN
    PERFORM chime.refuse_several(v_view);
    PERFORM set_config('search_path', p_search_path, true), set_config('citus.enable_ddl_propagation', 'off', true);
    EXECUTE v_view;
    RETURN v_name::regclass;
END $$;
COMMENT ON FUNCTION chime.parse_query IS 'a view of what a query is as it would be parsed now';

CREATE OR REPLACE FUNCTION chime.row_type_of(p_type oid) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
DECLARE
    v_type oid := p_type;
    v_relation oid;
BEGIN
    WHILE v_type >= 16384 LOOP
        SELECT t.typrelid, coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0),
                                    (SELECT r.rngsubtype FROM pg_range r WHERE t.typtype IN ('r', 'm') AND t.oid IN (r.rngtypid, r.rngmultitypid)))
          INTO v_relation, v_type FROM pg_type t WHERE t.oid = v_type;
        EXIT WHEN v_relation <> 0;
    END LOOP;
    RETURN nullif(v_relation, 0);
END $$;
COMMENT ON FUNCTION chime.row_type_of IS 'the relation that has the columns of a type, or of what it is an array, a domain or a range of, at any depth; NULL: there is none';

-- Refuses a parsed query that reaches what is not trusted, else drops it. What was there when PostgreSQL was made is in
-- no pg_depend.
CREATE OR REPLACE FUNCTION chime.vet_parsed(p_what text, p_parsed regclass, OUT named text[], OUT names_code boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.refuse_untrusted(p_what, 'pg_class'::regclass, p_parsed);
    named := ARRAY(SELECT DISTINCT format('%I.%I', n.nspname, c.relname)
                     FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                     JOIN pg_class c ON c.oid = CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid
                                                                  WHEN 'pg_type'::regclass THEN chime.row_type_of(d.refobjid) END
                     JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE w.ev_class = p_parsed AND c.oid <> p_parsed AND n.nspname <> 'chime' ORDER BY 1);
    names_code := EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                          LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
                          WHERE w.ev_class = p_parsed AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
                            AND p.pronamespace IS DISTINCT FROM 'chime'::regnamespace)
               OR EXISTS (SELECT FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
                          WHERE n.nspname = 'pg_catalog' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner);
    EXECUTE format('DROP VIEW %s', p_parsed);
END $$;
COMMENT ON FUNCTION chime.vet_parsed IS
    'refuses a query that reaches code of an owner whom nobody trusts; else the relations that it names, and whether it names functions, operators or types that are neither PostgreSQL''s nor ours';

CREATE OR REPLACE FUNCTION chime.vet_query(p_what text, p_search_path text, p_query text, p_log regclass, p_captured name[],
                                OUT named text[], OUT names_code boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_parsed regclass;
BEGIN
    BEGIN
        v_parsed := chime.parse_query(p_search_path, p_query, p_log, p_captured);
    EXCEPTION WHEN syntax_error_or_access_rule_violation OR invalid_schema_name THEN
        RETURN; -- a column or relation is gone: it could not be run, either
    END;
    SELECT * INTO named, names_code FROM chime.vet_parsed(p_what, v_parsed);
END $$;
COMMENT ON FUNCTION chime.vet_query IS 'as chime.vet_parsed; NULL: the query cannot be parsed';

-- Where its queries name relations only and these are what they were, as when it was vetted, it need not be parsed
-- again: what it reaches is what they do.
CREATE OR REPLACE FUNCTION chime.vet_view(p_view chime.view, OUT named text[], OUT names_code boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_what text := format('view %s.%s', p_view.view_schema, p_view.relation);
    v_query record;
    v_found record;
    v_all_parsed boolean := true;
BEGIN
    PERFORM chime.refuse_untrusted(v_what, 'pg_class'::regclass, chime.live_of(p_view));
    IF NOT p_view.names_code AND p_view.vetted = chime.reach(p_view) THEN
        PERFORM chime.refuse_untrusted(v_what, 'pg_class'::regclass, n) FROM unnest(chime.oids_named(p_view.named)) AS n;
        named := p_view.named;
        names_code := false;
        RETURN;
    END IF;
    names_code := false;
    FOR v_query IN SELECT * FROM chime.view_queries(p_view) LOOP
        SELECT * INTO v_found FROM chime.vet_query(v_what, 'pg_catalog, pg_temp', v_query.query, v_query.log, v_query.captured);
        v_all_parsed := v_all_parsed AND v_found.named IS NOT NULL;
        named := named || v_found.named;
        names_code := names_code OR v_found.named IS NULL OR v_found.names_code;
    END LOOP;
    named := CASE WHEN v_all_parsed THEN ARRAY(SELECT DISTINCT n FROM unnest(named) AS n ORDER BY n) END;
END $$;
COMMENT ON FUNCTION chime.vet_view IS
    'refuses a view that reaches code of an owner whom nobody trusts; else what its queries name, as chime.vet_parsed; named is NULL where one cannot be parsed';

CREATE OR REPLACE FUNCTION chime.oids_named(p_names text[]) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN ARRAY(SELECT to_regclass(n)::oid FROM unnest(p_names) AS n);
END $$;
COMMENT ON FUNCTION chime.oids_named IS 'the relations of these names, now';

-- What roles that are not trusted could have changed: of the tables that are read, and which these are; and casts,
-- which are of no schema. What is trusted is changed by those who are. plpgsql, which keeps its plan: this is asked at
-- every refresh.
CREATE OR REPLACE FUNCTION chime.reach_of(p_relations oid[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (
        WITH RECURSIVE read AS ( -- by_columns: by names that are looked up anew, or as a row's type
            SELECT u.relation, true AS by_columns FROM unnest(p_relations) AS u (relation)
            WHERE u.relation BETWEEN 1 AND 4294967295 -- as all are; but so the planner expects few, and takes a small table to know them by
            UNION
            SELECT n.relation, n.by_columns FROM read r CROSS JOIN LATERAL (
                SELECT CASE d.refclassid WHEN 'pg_class'::regclass THEN d.refobjid ELSE chime.row_type_of(d.refobjid) END,
                       d.refclassid = 'pg_type'::regclass
                FROM pg_rewrite w
                JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid IN ('pg_class'::regclass, 'pg_type'::regclass)
                WHERE w.ev_class = r.relation AND d.refobjid >= 16384 AND d.refobjid <> w.ev_class
                UNION ALL
                SELECT chime.row_type_of(a.atttypid), true FROM pg_attribute a
                WHERE r.by_columns AND a.attrelid = r.relation AND a.attnum > 0 AND a.atttypid >= 16384
                UNION ALL
                SELECT i.inhrelid, false FROM pg_inherits i WHERE i.inhparent = r.relation) AS n (relation, by_columns))
        SELECT md5(concat_ws('; ', current_user,
                   (SELECT string_agg(quote_ident(t.name), ',' ORDER BY t.name) FROM chime.trusted_owner t),
                   (SELECT string_agg(concat_ws(' ', k.oid, k.xmin, (SELECT p.xmin FROM pg_proc p WHERE p.oid = k.castfunc)), ',' ORDER BY k.oid)
                    FROM pg_cast k WHERE k.oid >= 16384),
                   (SELECT n.xmin FROM pg_namespace n WHERE n.oid = 'pg_catalog'::regnamespace), -- who may CREATE in it
                   string_agg(
                   concat_ws(' ', r.relation, c.xmin, c.relowner,
                             (SELECT string_agg(concat_ws(' ', quote_ident(a.attname), a.atttypid), ' ' ORDER BY a.attnum) FROM pg_attribute a
                              WHERE r.by_columns AND a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped),
                             (SELECT string_agg(concat_ws(' ', i.indexrelid, i.xmin), ' ' ORDER BY i.indexrelid) FROM pg_index i
                              WHERE i.indrelid = r.relation AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)),
                             (SELECT string_agg(concat_ws(' ', s.oid, s.xmin), ' ' ORDER BY s.oid) FROM pg_statistic_ext s WHERE s.stxrelid = r.relation)),
                   ',' ORDER BY r.relation, r.by_columns)))
        FROM read r LEFT JOIN pg_class c ON c.oid = r.relation);
END $$;
COMMENT ON FUNCTION chime.reach_of IS 'of relations, what they read, and casts: what roles that are not trusted could have changed';

-- A function, an operator or a type that a text names is looked up anew where the text is parsed at each use: what fits
-- better, or is of that name by now, may be anybody's. Also where somebody trusted drops what fitted best. Nobody else
-- makes anything in schema chime, which has the most.
CREATE OR REPLACE FUNCTION chime.names_reach() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$ -- keeps its plan: asked at every refresh
DECLARE v_own oid := 'chime'::regnamespace;
BEGIN
    RETURN md5(concat_ws('; ',
        (SELECT string_agg(concat_ws(' ', n.oid, quote_ident(n.nspname)), ',' ORDER BY n.oid) FROM pg_namespace n WHERE n.oid >= 16384),
        (SELECT string_agg(concat_ws(' ', p.oid, p.xmin), ',' ORDER BY p.oid) FROM pg_proc p WHERE p.oid >= 16384 AND p.pronamespace <> v_own),
        (SELECT string_agg(concat_ws(' ', o.oid, o.xmin), ',' ORDER BY o.oid) FROM pg_operator o WHERE o.oid >= 16384),
        (SELECT string_agg(concat_ws(' ', t.oid, t.xmin), ',' ORDER BY t.oid) FROM pg_type t
         WHERE t.oid >= 16384 AND t.typrelid = 0 AND t.typelem = 0 AND t.typnamespace <> v_own)));
END $$;
COMMENT ON FUNCTION chime.names_reach IS 'the schemas, functions, operators and types that a name could be';

-- Queries are parsed with nothing but pg_catalog in the search path: where they name no other schema's functions,
-- operators and types, none can come to be found.
CREATE OR REPLACE FUNCTION chime.reach(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN chime.reach_of(chime.live_of(p_view)::oid || chime.oids_named(p_view.named))
           || CASE WHEN p_view.names_code THEN chime.names_reach() ELSE '' END;
END $$;
COMMENT ON FUNCTION chime.reach IS 'of the tables that a view reads, and of the names in its queries, what could have changed since it was vetted';

-- By whoever is about to run it.
CREATE OR REPLACE FUNCTION chime.vet_again(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.vetted IS DISTINCT FROM chime.reach(p_view) THEN
        PERFORM chime.vet_view(p_view);
    END IF;
END $$;
COMMENT ON FUNCTION chime.vet_again IS 'refuses a view that reaches code of an owner whom nobody trusts, where its tables look otherwise than when it was vetted';

-- By installation and upkeep: what a refresh finds as it was then need not be looked at in whole. Also what trusted
-- owners gave to others: why the view is refused from now on; NULL: it is not. What cannot be parsed just now is looked
-- at before each use. Written down is what was there before the look, which the names of a new text are known after.
CREATE OR REPLACE FUNCTION chime.note_vetted(p_schema name, p_relation name) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view;
    v_before text;
    v_found record;
    v_vetted text;
    v_problem text;
BEGIN
    SELECT * INTO STRICT v_view FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation;
    IF chime.live_of(v_view) IS NULL THEN
        RETURN NULL;
    END IF;
    BEGIN
        FOR v_look IN 1..2 LOOP
            v_before := chime.reach(v_view);
            SELECT * INTO v_found FROM chime.vet_view(v_view);
            v_vetted := CASE WHEN (v_found.named, v_found.names_code) = (v_view.named, v_view.names_code) THEN v_before END;
            v_view.named := v_found.named;
            v_view.names_code := v_found.names_code;
            EXIT WHEN v_found.named IS NULL OR v_vetted IS NOT NULL;
        END LOOP;
    EXCEPTION
        WHEN lock_not_available THEN v_problem := format('view %s.%s: %s', p_schema, p_relation, SQLERRM);
        WHEN OTHERS THEN v_problem := SQLERRM;
    END;
    v_view.named := coalesce(v_view.named, '{}');
    UPDATE chime.view v SET named = v_view.named, names_code = v_view.names_code, vetted = v_vetted
     WHERE v.view_id = v_view.view_id AND (v.named, v.names_code, v.vetted) IS DISTINCT FROM (v_view.named, v_view.names_code, v_vetted);
    RETURN v_problem;
END $$;
COMMENT ON FUNCTION chime.note_vetted IS 'vets a view and writes down what it looked like; why it is refused, NULL: it is not';

-- Who could put code where definitions look for names: for chime doctor.
CREATE OR REPLACE FUNCTION chime.possible_injectors() RETURNS TABLE (place text, roles text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH schemas AS (
        SELECT DISTINCT n.oid, n.nspname, n.nspowner FROM chime.plugin p JOIN pg_namespace n ON n.nspname IN (p.view_schema, p.source_schema)
        WHERE p.state IN ('installed', 'failed')),
    tables AS (
        SELECT DISTINCT c.oid, c.relowner FROM chime.view v CROSS JOIN LATERAL chime.tables_read(chime.live_of(v)) AS t (oid)
        JOIN pg_class c ON c.oid = t.oid WHERE chime.live_of(v) IS NOT NULL),
    found AS (
        SELECT format('schema %I', s.nspname) AS place, CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee)::text END AS role
        FROM schemas s JOIN pg_namespace n ON n.oid = s.oid
        CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
        WHERE a.privilege_type = 'CREATE' AND NOT chime.is_trusted(a.grantee)
          AND NOT (pg_get_userbyid(a.grantee) = 'pg_database_owner' AND chime.is_trusted((SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())))
        UNION
        SELECT 'tables that views read', pg_get_userbyid(t.relowner)::text FROM tables t WHERE NOT chime.is_trusted(t.relowner))
    SELECT f.place, string_agg(f.role, ', ' ORDER BY f.role) FROM found f GROUP BY f.place;
END;
COMMENT ON FUNCTION chime.possible_injectors IS 'roles that are not trusted and may put names where definitions look for them, or expressions on tables that they read';

-- --- queries beside definitions --------------------------------------------------------------------------------------

-- A definition is a view, whose columns are bound when it is made. What a plugin says in other queries (map, revisit,
-- rejected) is parsed at each use, as the daemon: where a column that they name is gone, "c.score" is a call of
-- score(c), which whoever owns the source may have put into its schema. So they are run with a search_path of
-- pg_catalog, which finds no such function, and see each relation as a subquery of this query's, over the columns that
-- they read; those are named alone, which is never a call. p_log: where the columns p_captured of what the query knows
-- as `marks` are.
CREATE OR REPLACE FUNCTION chime.closed_query(p_search_path text, p_query text, p_log regclass DEFAULT NULL, p_captured name[] DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schemas name[];
    v_probe text := 'CREATE VIEW chime.closing AS '
        || CASE WHEN p_log IS NULL THEN ''
                ELSE format('WITH marks AS (SELECT %s FROM %s) ', chime.capture_columns(p_captured, ''), p_log) END;
    v_closed text;
BEGIN
    IF p_query IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM chime.refuse_several(format('%sSELECT FROM (%s) AS q', v_probe, p_query));
    PERFORM set_config('search_path', p_search_path, true);
    v_schemas := current_schemas(false);
    EXECUTE format('%sSELECT FROM (%s) AS q', v_probe, p_query);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT 'WITH ' || string_agg(format('%I AS NOT MATERIALIZED (SELECT %s FROM %I.%1$I)', r.relname, r.columns, r.nspname), ', ')
           || format(' SELECT * FROM (%s) AS q', p_query)
      INTO v_closed
      FROM (SELECT DISTINCT ON (c.relname) c.relname, n.nspname, (
                       SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                       FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0
                       WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
                         AND d.refobjid = c.oid) AS columns
            FROM pg_rewrite w
            JOIN pg_class c ON c.oid IN (SELECT d.refobjid FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                                         AND d.refclassid = 'pg_class'::regclass)
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE w.ev_class = 'chime.closing'::regclass AND c.oid <> w.ev_class AND c.oid IS DISTINCT FROM p_log
              AND n.nspname = ANY (v_schemas)
            ORDER BY c.relname, array_position(v_schemas, n.nspname)) AS r;
    DROP VIEW chime.closing;
    v_closed := coalesce(v_closed, p_query);
    BEGIN
        EXECUTE format('%sSELECT FROM (%s) AS q', v_probe, v_closed);
    EXCEPTION WHEN undefined_function OR undefined_table OR undefined_object THEN
        RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM,
            HINT = 'map, revisit and rejected see relations by their names, and all else in pg_catalog: name the schema of what is elsewhere';
    END;
    PERFORM chime.refuse_untrusted('map, revisit or rejected', 'pg_class'::regclass, 'chime.closing'::regclass);
    DROP VIEW chime.closing;
    RETURN v_closed;
END $$;
COMMENT ON ROUTINE chime.closed_query IS 'a plugin''s query with every column bound to its relation, so that no function of another''s is called';
