-- SPDX-License-Identifier: PostgreSQL
-- The trigger function of a source: it outlives changes of the source's columns, and costs a write little.
--
-- A write to a source never fails because its columns were changed: a column that was renamed, dropped or given
-- another type reads as NULL in the trigger (chime.known_rows), and refreshes do everything (chime.uncaptured_sources)
-- until the leader has made log and triggers anew (chime.follow_source), or, for a column that is gone, until the
-- plugin names another.

-- A function that gives its argument back if it has that type, else NULL: by its overloads, so that the choice is made,
-- and the function gone, once a statement is planned. Types with an implicit cast have an overload each, or the choice
-- would be ambiguous.
CREATE OR REPLACE FUNCTION chime.write_guard(p_type oid) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_type text := chime.mark_type(p_type);
    v_name text := 'chime.only_' || md5(chime.mark_type(p_type));
    v_other text;
BEGIN
    IF to_regprocedure(format('%s(%s)', v_name, v_type)) IS NOT NULL THEN
        RETURN v_name;
    END IF;
    EXECUTE format('CREATE FUNCTION %1$s(%2$s) RETURNS %2$s LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %3$L', v_name, v_type, 'SELECT $1');
    PERFORM chime.keep_routine_private(format('%s(%s)', v_name, v_type)::regprocedure);
    FOR v_other IN SELECT 'anyelement'
                   UNION
                   SELECT chime.mark_type(CASE WHEN t.typelem = k.casttarget THEN s.typarray ELSE s.oid END)
                   FROM pg_type t JOIN pg_cast k ON k.castcontext = 'i' AND k.castsource <> k.casttarget
                                                AND (k.casttarget = t.oid OR (k.casttarget = t.typelem AND t.typcategory = 'A'))
                   JOIN pg_type s ON s.oid = k.castsource
                   WHERE t.oid = p_type AND (t.typelem <> k.casttarget OR s.typarray <> 0) LOOP
        EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %3$s LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %4$L', v_name, v_other, v_type,
                       'SELECT NULL::' || v_type);
        PERFORM chime.keep_routine_private(format('%s(%s)', v_name, v_other)::regprocedure);
    END LOOP;
    RETURN v_name;
END $$;
COMMENT ON ROUTINE chime.write_guard IS 'makes a function that gives a value back if it has that type, else NULL';

-- A FROM item: the rows of a transition table with every column that the trigger of a source knows, in the type that it
-- knows. The names stand in a LATERAL query without a table before them: one that the transition table does not have is
-- found outside of it, in the row of NULLs. The planner leaves nothing of all this but the scan. Texts are compared by
-- their bytes from here on.
CREATE OR REPLACE FUNCTION chime.known_rows(p_source integer, p_rows text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT format('(SELECT found.* FROM (SELECT %s) AS gone CROSS JOIN LATERAL (SELECT %s FROM %s) AS found) AS %3$s',
                      string_agg(format('NULL::%s AS %I', chime.mark_type(c.known), c.name), ', '),
                      string_agg(format('%1$s(%2$I)%3$s AS %2$I', chime.write_guard(c.known), c.name,
                                        CASE WHEN c.known IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE pg_catalog."C"' END), ', '), p_rows)
        FROM chime.source_columns(p_source) AS c);
END $$;
COMMENT ON ROUTINE chime.known_rows IS 'a FROM item: rows of a transition table in the types that a trigger knows';

-- Most applications send statements that change one row.
-- Of what capture cost such a statement about half was not the mark: three SET clauses (each call sets and resets them,
-- and search_path throws the namespace cache away twice), a DISTINCT over one row, the difference of two bags of one
-- row each, and the two stat() calls of pg_relation_size.
CREATE OR REPLACE FUNCTION chime.capture_columns(p_columns name[], p_prefix text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(p_prefix || quote_ident(c), ', ' ORDER BY n) FROM unnest(p_columns) WITH ORDINALITY AS u (c, n));
COMMENT ON ROUTINE chime.capture_columns IS 'captured columns as a list, each behind a prefix';

-- As chime.comparable_columns, for a function without a search_path: format's %L calls the type's output function,
-- never a cast, which the owner of a type could have made, and tells NULL from every text.
CREATE OR REPLACE FUNCTION chime.captured_values(p_source integer, p_columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(CASE WHEN chime.comparing_cast(k.known) = '' THEN quote_ident(k.name)
                           ELSE format('pg_catalog.format(%L, %I)', '%L', k.name) END, ', ' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n) JOIN chime.source_columns(p_source) AS k ON k.name = c.name);
COMMENT ON ROUTINE chime.captured_values IS 'the expressions that a mark is made of';

-- The SET clauses that a source's trigger function cannot do without. The operators of a type from elsewhere may be
-- functions that look names up; and a writer's own extra_float_digits could make different texts of floats equal.
CREATE OR REPLACE FUNCTION chime.capture_settings(p_source integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' ', CASE WHEN bool_or(greatest(k.known, k.now) >= 16384) THEN 'SET search_path = pg_catalog, pg_temp' END, -- FirstNormalObjectId
                     CASE WHEN bool_or(chime.comparing_cast(k.known) <> '') THEN 'SET extra_float_digits = 1' END)
    FROM chime.source_columns(p_source) AS k);
COMMENT ON ROUTINE chime.capture_settings IS 'the SET clauses that a source''s trigger function needs';

-- Types of which two values that are equal are the same bytes, for texts under COLLATE "C". Of no other type, since the
-- owner of a type can make casts that an operator would be chosen by.
CREATE OR REPLACE FUNCTION chime.equal_is_same(p_type oid) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN p_type = ANY ('{bool,int2,int4,int8,uuid,date,timestamp,timestamptz,text}'::regtype[]::oid[]);
COMMENT ON ROUTINE chime.equal_is_same IS 'types of which two equal values are the same bytes';

-- A text that tells values apart which their type's own equality takes for one: 1.0 and 1.00, -0 and 0, '1 day' and '24
-- hours', 'A' and 'a' of citext. A definition may tell them apart, too. NULL: there are none such. Never a cast of a
-- type from elsewhere, as above, nor that of char(n), which drops blanks.
CREATE OR REPLACE FUNCTION chime.telling_text(p_type oid, p_value text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN chime.equal_is_same(t.oid) OR t.oid = 'varchar'::regtype OR t.typtype = 'e' THEN NULL
                    WHEN t.oid >= 16384 OR t.oid = 'bpchar'::regtype THEN format('pg_catalog.format(%L, %s)', '%L', p_value) -- FirstNormalObjectId
                    ELSE format('(%s)::pg_catalog.text', p_value) END
        FROM pg_type t WHERE t.oid = p_type);
COMMENT ON ROUTINE chime.telling_text IS 'a text that tells values apart which their type takes for equal; NULL: there are none such';

-- Such texts of columns that a source's trigger compares, each behind a comma. p_name: what format() makes the name of
-- the n-th of.
CREATE OR REPLACE FUNCTION chime.telling_texts(p_source integer, p_columns name[], p_name text DEFAULT '%1$I') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((
    SELECT string_agg(', ' || chime.telling_text(k.known, format(p_name, c.name, c.n)), '' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n) JOIN chime.source_columns(p_source) AS k ON k.name = c.name
    WHERE chime.comparing_cast(k.known) = ''), '');
COMMENT ON ROUTINE chime.telling_texts IS 'such texts of columns that the trigger of a source compares';

-- SELECT's DISTINCT for keys: one of each that a definition may tell from others.
CREATE OR REPLACE FUNCTION chime.distinct_keys(p_source integer, p_captured name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT 'DISTINCT' || CASE WHEN t <> '' THEN format(' ON (%s%s)', chime.capture_columns(p_captured, ''), t) ELSE '' END
        FROM chime.telling_texts(p_source, p_captured) AS t);
COMMENT ON ROUTINE chime.distinct_keys IS 'DISTINCT for keys of marks: one of each that a definition may tell from others';

-- A condition: a column of two rows compared, each behind the guard of its type. p_by_bytes: the collation is "C".
CREATE OR REPLACE FUNCTION chime.guarded_comparison(p_type oid, p_column name, p_new text, p_operator text, p_old text, p_by_bytes boolean)
RETURNS text LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%s(%s.%I) OPERATOR(pg_catalog.%s) ', g, p_new, p_column, p_operator) || format('%s(%s.%I)', g, p_old, p_column)
               || CASE WHEN p_by_bytes THEN ' COLLATE pg_catalog."C"' ELSE '' END
        FROM chime.write_guard(p_type) AS g);
COMMENT ON ROUTINE chime.guarded_comparison IS 'the condition that compares a column of two rows, each behind the guard of its type';

-- A condition: one row's captured columns are as they were, and not NULL where an operator compares them, which costs
-- less than to compare rows by their bytes. It goes within CASE, or the planner would make a hash table for one row.
-- p_new, p_old: what the rows are called. The guard: an operator may be chosen by a cast that the owner of a type made.
CREATE OR REPLACE FUNCTION chime.key_kept(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' AND ',
               string_agg(chime.guarded_comparison(c.known, c.name, p_new, '=', p_old, c.known = 'text'::regtype), ' AND ')
                   FILTER (WHERE chime.equal_is_same(c.known)),
               'pg_catalog.record_image_eq(ROW(' ||
                   string_agg(format('%s.%I', p_new, c.name), ', ') FILTER (WHERE NOT chime.equal_is_same(c.known)) || '), ROW(' ||
                   string_agg(format('%s.%I', p_old, c.name), ', ') FILTER (WHERE NOT chime.equal_is_same(c.known)) || '))')
    FROM chime.source_columns(p_source) AS c WHERE c.is_captured);
COMMENT ON ROUTINE chime.key_kept IS 'the condition that a row''s captured columns are as they were';

-- A condition: one row differs in what is declared beside the captured columns.
CREATE OR REPLACE FUNCTION chime.rest_changed(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT coalesce('pg_catalog.record_image_ne(ROW(' || string_agg(format('%s.%I', p_new, c.name), ', ') || '), ROW(' ||
                    string_agg(format('%s.%I', p_old, c.name), ', ') || '))', 'false')
    FROM chime.source_columns(p_source) AS c WHERE NOT c.is_captured);
COMMENT ON ROUTINE chime.rest_changed IS 'the condition that a row differs in what is declared beside the captured columns';

-- Whether there is an operator that tells two values apart which differ by more than their bytes: <> of exactly that
-- type (varchar has that of text). Of no type from elsewhere, as above.
CREATE OR REPLACE FUNCTION chime.can_differ(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN p_type < 16384 AND EXISTS ( -- FirstNormalObjectId
    SELECT FROM pg_operator o
    WHERE o.oprname = '<>' AND o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprright = o.oprleft
      AND o.oprleft = CASE p_type WHEN 'varchar'::regtype THEN 'text'::regtype ELSE p_type END);
COMMENT ON ROUTINE chime.can_differ IS 'whether an operator of just that type tells two values apart';

-- A condition that costs less than chime.rest_changed: where it is true, that is true as well; where it is not, that is
-- to be asked (1.0 may have become 1.00, a NULL a value). What is not of a fixed length goes last: jsonb may have to be
-- fetched and walked.
CREATE OR REPLACE FUNCTION chime.rest_differs(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT coalesce(string_agg(chime.guarded_comparison(c.known, c.name, p_new, '<>', p_old, t.typcollation <> 0), ' OR '
                               ORDER BY t.typlen < 0, c.known = 'jsonb'::regtype, c.name) FILTER (WHERE chime.can_differ(c.known)),
                    chime.rest_changed(p_source, p_new, p_old))
    FROM chime.source_columns(p_source) AS c JOIN pg_type t ON t.oid = c.known WHERE NOT c.is_captured);
COMMENT ON ROUTINE chime.rest_differs IS 'a condition that is cheap, and never true of a row that did not change in what is declared';

-- The captured columns of a row, NULL where they have another type than the log's.
CREATE OR REPLACE FUNCTION chime.guarded_key(p_source integer, p_row text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%s(%s.%I)', chime.write_guard(k.known), p_row, k.name), ', ' ORDER BY c.n)
        FROM chime.source s CROSS JOIN unnest(s.captured) WITH ORDINALITY AS c (name, n)
        JOIN chime.source_columns(p_source) AS k ON k.name = c.name WHERE s.source_id = p_source);
COMMENT ON ROUTINE chime.guarded_key IS 'the captured columns of a row, NULL where they have another type than the log''s';

-- A condition: the part is full. The leader sees to it that it is not, so its size is asked for only where that has
-- been gone for a while.
CREATE OR REPLACE FUNCTION chime.is_full(p_source integer, p_part text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) chime.room_until_%s() AND '
              'pg_catalog.pg_relation_size(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>=) %s', p_source, p_part, chime.part_limit());
COMMENT ON ROUTINE chime.is_full IS 'the condition under which writers leave out a mark: nobody tends the log, and it is full';

-- A condition, where each node of one is dear: the leader is there, or was when this transaction began.
CREATE OR REPLACE FUNCTION chime.has_room(p_source integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('CURRENT_TIMESTAMP OPERATOR(pg_catalog.<) chime.room_until_%s()', p_source);
COMMENT ON ROUTINE chime.has_room IS 'the condition under which writers need not look at the size of the log';

-- The trigger function of each row of an UPDATE, where chime.captured_by_row says so: as the one of statements below,
-- in what it may call and whom it runs as. NEW.score of a row that has no such column is an error in PL/pgSQL, never a
-- call of score(NEW), and so is a column of another type than the one that a statement was planned for. So every column
-- that is read is first read in a block that catches what comes, in which nothing is written, so that its
-- subtransaction needs no id; what cannot be read is a mark `chime_whole`, and false: no TRUNCATE. The guard makes a
-- key of another type NULL, as chime.known_rows does: then such a source does not count as captured. A row that has its
-- key still and that an operator tells from the one before, which is most, takes one condition and the mark. Only what
-- is left is compared by its bytes: to make two rows of columns costs as much as eight operators.
CREATE OR REPLACE FUNCTION chime.write_row_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_part text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_part := chime.part_name(p_source, v_source.head);
    v_both := v_source.captured || ARRAY(SELECT c FROM unnest(v_source.declared) AS c WHERE c <> ALL (v_source.captured));
    EXECUTE chime.fill_template($f$
        CREATE OR REPLACE FUNCTION chime.capture_{{source}}_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{settings}} AS $body$
        #variable_conflict use_column
        DECLARE
            v_unread pg_catalog.bool;
        BEGIN
            <<at_once>>
            BEGIN
                BEGIN
                    IF ({{has_room}} AND {{key_kept}} AND ({{rest_differs}})) IS NOT TRUE THEN
                        IF pg_catalog.record_image_ne(ROW({{new_values}}), ROW({{old_values}})) THEN
                            EXIT at_once;
                        END IF;
                        RETURN NEW;
                    END IF;
                EXCEPTION WHEN OTHERS THEN
                    v_unread := true;
                    EXIT at_once;
                END;
                INSERT INTO {{part}} (chime_xid, chime_whole, {{columns}}) SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, {{new_key}};
                RETURN NEW;
            END;
            IF {{is_full}} THEN
                RETURN NEW; -- everything will be done instead
            ELSIF v_unread THEN
                INSERT INTO {{part}} (chime_whole) VALUES (false);
            ELSE
                INSERT INTO {{part}} ({{columns}})
                SELECT {{new_key}} UNION ALL SELECT {{old_key}} WHERE pg_catalog.record_image_ne(ROW({{new_key}}), ROW({{old_key}}));
            END IF;
            RETURN NEW;
        END $body$;$f$, jsonb_build_object(
        'source', p_source,
        'part', v_part,
        'columns', chime.capture_columns(v_source.captured, ''),
        'key_kept', chime.key_kept(p_source, 'NEW', 'OLD'),
        'rest_differs', chime.rest_differs(p_source, 'NEW', 'OLD'),
        'new_key', chime.guarded_key(p_source, 'NEW'),
        'old_key', chime.guarded_key(p_source, 'OLD'),
        'is_full', chime.is_full(p_source, v_part),
        'settings', substring(chime.capture_settings(p_source) FROM '^SET search_path = pg_catalog, pg_temp'),
        'new_values', chime.capture_columns(v_both, 'NEW.'),
        'old_values', chime.capture_columns(v_both, 'OLD.'),
        'has_room', chime.has_room(p_source)));
    PERFORM chime.keep_routine_private(format('chime.capture_%s_row()', p_source)::regprocedure);
END $$;
COMMENT ON ROUTINE chime.write_row_capture IS 'makes the trigger function of each row of an UPDATE';

-- The trigger function of an INSERT, as the one below. One of its own, since to ask which event it is costs a statement
-- of one row as much as a column. The first statement marks one row and tells by its row count whether there are more
-- (then the first two may be marks of one key). Its LIMIT also keeps the plan's cost low: one made while the transition
-- table was large would else be compiled for each single row after it, for which the branch of many rows turns jit off
-- while it is planned.
CREATE OR REPLACE FUNCTION chime.write_insert_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_part text;
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_part := chime.part_name(p_source, v_source.head);
    EXECUTE chime.fill_template($f$
        CREATE OR REPLACE FUNCTION chime.capture_{{source}}_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{settings}} AS $body$
        #variable_conflict use_column
        DECLARE
            v_rows pg_catalog.int8;
            v_jit pg_catalog.text;
        BEGIN
            IF ({{has_room}}) IS NOT TRUE THEN
                IF {{is_full}} THEN
                    RETURN NEW; -- everything will be done instead
                END IF;
            END IF;
            INSERT INTO {{part}} (chime_xid, chime_whole, {{columns}})
            SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, {{columns}} FROM {{new_rows}} LIMIT 2;
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows OPERATOR(pg_catalog.<) 2 THEN
                RETURN NEW;
            END IF;
            v_jit := pg_catalog.current_setting('jit');
            PERFORM pg_catalog.set_config('jit', 'off', true);
            INSERT INTO {{part}} ({{columns}}) SELECT {{distinct}} {{columns}} FROM (SELECT {{columns}} FROM {{new_rows}} OFFSET 2) AS d;
            PERFORM pg_catalog.set_config('jit', v_jit, true);
            RETURN NEW;
        END $body$;$f$, jsonb_build_object(
        'source', p_source,
        'part', v_part,
        'columns', chime.capture_columns(v_source.captured, ''),
        'new_rows', chime.known_rows(p_source, 'new_rows'),
        'settings', chime.capture_settings(p_source),
        'is_full', chime.is_full(p_source, v_part),
        'has_room', chime.has_room(p_source),
        'distinct', chime.distinct_keys(p_source, v_source.captured)));
    PERFORM chime.keep_routine_private(format('chime.capture_%s_insert()', p_source)::regprocedure);
END $$;
COMMENT ON ROUTINE chime.write_insert_capture IS 'makes the trigger function of an INSERT';

-- The trigger function of a source for all other statements, which writes to its head. SECURITY DEFINER: writers have
-- no rights here. Without a search_path of its own, so every name and operator in it is qualified, and nothing in it
-- looks an operator up unseen, as IS DISTINCT FROM, IN and CASE with a value do. new_rows and old_rows go before every
-- relation of that name. Their columns come from chime.known_rows, which has them all: "n.score" of a table whose score
-- was renamed would be a call of the writer's function score(n).
--
-- What a write of one row pays is mostly that plans and expressions are made ready to run, anew for each statement:
-- each node, column and function of them. So the way of one row has no sublink, no default and no NULL to RETURN, which
-- would be an expression (NEW is none, and NULL in a trigger of a statement).
-- One row of a DELETE: as one of an INSERT, and `chime_gone`.
-- One row of an UPDATE: whether there are more is asked before, since pairs of different rows differ. A row that has
-- its key still is marked at once; one that has not, that has NULL in its key, or that was lost on its way to another
-- partition (a trigger stopped it) takes longer. It is compared by its bytes: that calls no function of the type, and
-- sees 1.0 become 1.00.
-- Many rows: the transition tables of an UPDATE are not paired, so what differs is found as the difference of two bags:
-- in one pass, since EXCEPT ALL both ways takes twice as long.
-- A mark is left out only where the part has just been seen full.
CREATE OR REPLACE FUNCTION chime.write_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_keys text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_keys := chime.capture_columns(v_source.captured, '');
    v_both := v_source.captured || v_source.declared;
    EXECUTE chime.fill_template($f$
        CREATE OR REPLACE FUNCTION chime.capture_{{source}}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{settings}} AS $body$
        #variable_conflict use_column
        DECLARE
            v_rows pg_catalog.int8;
            v_jit pg_catalog.text;
        BEGIN
            IF {{is_full}} THEN
                RETURN NEW; -- everything will be done instead
            END IF;
            IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
                PERFORM FROM old_rows LIMIT 1 OFFSET 1;
                IF NOT FOUND THEN
                    INSERT INTO {{part}} (chime_xid, chime_whole, {{columns}})
                    SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, {{new_key}} FROM {{old_rows}} CROSS JOIN {{new_rows}}
                    WHERE CASE WHEN {{key_kept}} THEN {{rest_changed}} END;
                    IF FOUND THEN
                        RETURN NEW;
                    END IF;
                    PERFORM FROM {{old_rows}} LEFT JOIN {{new_rows}} ON true
                    WHERE NOT EXISTS (SELECT FROM new_rows) OR pg_catalog.record_image_ne(ROW({{new_values}}), ROW({{old_values}}));
                    IF FOUND THEN
                        INSERT INTO {{part}} ({{columns}})
                        SELECT {{distinct}} {{columns}} FROM (SELECT {{columns}} FROM {{old_rows}} UNION ALL SELECT {{columns}} FROM {{new_rows}}) AS d;
                    END IF;
                    RETURN NEW;
                END IF;
            ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO {{part}} (chime_xid, chime_whole, chime_gone, {{columns}})
                SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, true, {{columns}} FROM {{old_rows}} LIMIT 2;
                GET DIAGNOSTICS v_rows = ROW_COUNT;
                IF v_rows OPERATOR(pg_catalog.<) 2 THEN
                    RETURN NEW;
                END IF;
            ELSE
                INSERT INTO {{part}} (chime_whole) VALUES (true);
                RETURN NEW;
            END IF;
            v_jit := pg_catalog.current_setting('jit');
            PERFORM pg_catalog.set_config('jit', 'off', true);
            IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO {{part}} (chime_gone, {{columns}})
                SELECT true, d.* FROM (SELECT {{distinct}} {{columns}} FROM (SELECT {{columns}} FROM {{old_rows}} OFFSET 2) AS d) AS d;
            ELSE
                INSERT INTO {{part}} ({{columns}})
                SELECT {{distinct}} {{columns}}
                FROM (SELECT {{columns}}, {{declared}}, 1 FROM {{new_rows}} UNION ALL SELECT {{columns}}, {{declared}}, -1 FROM {{old_rows}}) AS d ({{compared}}, chime_compared_0)
                GROUP BY {{compared}}{{telling_texts}} HAVING pg_catalog.sum(chime_compared_0) OPERATOR(pg_catalog.<>) 0;
            END IF;
            PERFORM pg_catalog.set_config('jit', v_jit, true);
            RETURN NEW;
        END $body$;$f$, jsonb_build_object(
        'source', p_source,
        'part', chime.part_name(p_source, v_source.head),
        'columns', v_keys,
        'declared', chime.captured_values(p_source, v_source.declared),
        'compared', v_keys || (SELECT string_agg(', chime_compared_' || n, '') FROM generate_series(1, cardinality(v_source.declared)) AS n),
        'new_key', chime.capture_columns(v_source.captured, 'new_rows.'),
        'key_kept', chime.key_kept(p_source, 'new_rows', 'old_rows'),
        'rest_changed', chime.rest_changed(p_source, 'new_rows', 'old_rows'),
        'new_values', chime.capture_columns(v_both, 'new_rows.'),
        'old_values', chime.capture_columns(v_both, 'old_rows.'),
        'settings', chime.capture_settings(p_source),
        'is_full', chime.is_full(p_source, chime.part_name(p_source, v_source.head)),
        'new_rows', chime.known_rows(p_source, 'new_rows'),
        'old_rows', chime.known_rows(p_source, 'old_rows'),
        'distinct', chime.distinct_keys(p_source, v_source.captured),
        'telling_texts', chime.telling_texts(p_source, v_source.captured) || chime.telling_texts(p_source, v_source.declared, 'chime_compared_%2$s')));
    PERFORM chime.keep_routine_private(format('chime.capture_%s()', p_source)::regprocedure);
    PERFORM chime.write_row_capture(p_source), chime.write_insert_capture(p_source), chime.write_move_capture(p_source);
END $$;
COMMENT ON ROUTINE chime.write_capture IS 'writes the trigger function of a source';
