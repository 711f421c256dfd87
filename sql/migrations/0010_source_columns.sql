-- SPDX-License-Identifier: PostgreSQL
-- The trigger function of a source: it outlives changes of the source's columns, and costs a write little.

-- A write to a source never fails for what somebody did to its columns: a column that was renamed, dropped or given
-- another type reads as NULL in the trigger (chime.known_rows), and refreshes do everything (chime.uncaptured_sources)
-- until the leader has made log and triggers anew (chime.follow_source), or, for a column that is gone, until the
-- plugin names another.

-- Without a modifier: a column that gets wider is no other column. With its schema: the trigger may look names up as
-- the writer does.
CREATE FUNCTION chime.mark_type(p_type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = p_type);

-- What the trigger of a source reads. `known`: the type that it expects, which for a captured column is the log's;
-- `now`: the type that the column has, NULL: there is none of that name. `fits`: its values arrive in marks.
CREATE FUNCTION chime.source_columns(p_source integer) RETURNS TABLE (name name, is_captured boolean, known oid, now oid, fits boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.name, c.name = ANY (s.captured), coalesce(l.atttypid, t.base, 'text'::regtype), t.base,
           coalesce(t.base = coalesce(l.atttypid, t.base) AND coalesce(l.atttypmod, -1) = -1, false)
    FROM chime.source s
    CROSS JOIN LATERAL (SELECT u.name, min(u.n) AS n FROM unnest(s.captured || s.declared) WITH ORDINALITY AS u (name, n)
                        GROUP BY u.name) AS c
    LEFT JOIN pg_attribute a ON a.attrelid = to_regclass(format('%I.%I', s.source_schema, s.source_table)) AND a.attname = c.name
                            AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attribute l ON l.attrelid = to_regclass('chime.change_' || s.source_id) AND l.attname = c.name AND l.attnum > 2
                            AND NOT l.attisdropped
    LEFT JOIN LATERAL (SELECT CASE p.typtype WHEN 'd' THEN chime.without_domain(p.oid) ELSE p.oid END AS base
                       FROM pg_type p WHERE p.oid = a.atttypid) AS t ON true
    WHERE s.source_id = p_source ORDER BY c.n;
END $$;

-- The columns that a source has of those that are read, with their types, and by number: two that swap names are
-- others. plpgsql, which keeps its plan: this is asked at every refresh.
CREATE FUNCTION chime.source_shape(p_source integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT string_agg(concat_ws(' ', a.attname, a.attnum, a.atttypid), ', ' ORDER BY a.attname)
            FROM chime.source s JOIN pg_attribute a ON a.attrelid = to_regclass(format('%I.%I', s.source_schema, s.source_table))
                                                   AND a.attname = ANY (s.captured || s.declared) AND NOT a.attisdropped
            WHERE s.source_id = p_source);
END $$;

-- A view that was proven while those names were of other columns is full until it is asked again: it may capture the
-- wrong one.
CREATE FUNCTION chime.note_shape(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.source s SET shape = (SELECT CASE WHEN bool_and(c.fits) THEN chime.source_shape(p_source) END
                                       FROM chime.source_columns(p_source) AS c)
     WHERE s.source_id = p_source;
    UPDATE chime.view v SET asked = '', full_reason = format('columns of %s have other names, and it is asked again within 10 s', chime.source_oid(p_source))
     WHERE v.view_id IN (SELECT o.view_id FROM chime.view o JOIN chime.view_source s USING (view_schema, relation)
                         WHERE s.source_id = p_source AND o.full_reason IS NULL AND split_part(o.asked, ' ', 1) <> chime.meaning(o)
                         FOR NO KEY UPDATE OF o SKIP LOCKED)
       AND (SELECT s.shape IS NOT NULL FROM chime.source s WHERE s.source_id = p_source);
END $$;

-- A mark is one of each different key that a statement changed.
CREATE FUNCTION chime.can_be_marked(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce(chime.comparing_cast(p_type) = '', false);

-- One whose values cost little to keep.
CREATE FUNCTION chime.some_column(p_relation regclass, p_columns name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = p_relation AND a.attname = ANY (p_columns) AND NOT a.attisdropped
               AND a.attname NOT LIKE 'chime\_%' AND chime.can_be_marked(a.atttypid)
             ORDER BY a.attlen < 0, a.attlen, a.attnum LIMIT 1);

-- Whether making log and triggers anew would help: nothing brings a column back that is gone.
CREATE FUNCTION chime.needs_following(p_source integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = p_source) AND (
    SELECT bool_or(chime.can_be_marked(c.now) AND NOT c.fits)
           OR min(s.shape) IS DISTINCT FROM CASE WHEN bool_and(c.fits) THEN chime.source_shape(p_source) END
    FROM chime.source s, chime.source_columns(p_source) AS c WHERE s.source_id = p_source);

-- A function that gives its argument back if it has that type, else NULL: by its overloads, so that the choice is made,
-- and the function gone, once a statement is planned. Types with an implicit cast have an overload each, or the choice
-- would be ambiguous.
CREATE FUNCTION chime.write_guard(p_type oid) RETURNS text
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

-- A FROM item: the rows of a transition table with every column that the trigger of a source knows, in the type that it
-- knows. The names stand in a LATERAL query without a table before them: one that the transition table does not have is
-- found outside of it, in the row of NULLs. The planner leaves nothing of all this but the scan. Texts are compared by
-- their bytes from here on.
CREATE FUNCTION chime.known_rows(p_source integer, p_rows text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT format('(SELECT found.* FROM (SELECT %s) AS gone CROSS JOIN LATERAL (SELECT %s FROM %s) AS found) AS %3$s',
                      string_agg(format('NULL::%s AS %I', chime.mark_type(c.known), c.name), ', '),
                      string_agg(format('%1$s(%2$I)%3$s AS %2$I', chime.write_guard(c.known), c.name,
                                        CASE WHEN c.known IN ('text'::regtype, 'varchar'::regtype) THEN ' COLLATE pg_catalog."C"' END), ', '), p_rows)
        FROM chime.source_columns(p_source) AS c);
END $$;

-- --- what a write pays -----------------------------------------------------------------------------------------------

-- Most applications send statements that change one row.
-- Of what capture cost such a statement about half was not the mark: three SET clauses (each call sets and resets them,
-- and search_path throws the namespace cache away twice), a DISTINCT over one row, the difference of two bags of one
-- row each, and the two stat() calls of pg_relation_size.

CREATE FUNCTION chime.capture_columns(p_columns name[], p_prefix text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(p_prefix || quote_ident(c), ', ' ORDER BY n) FROM unnest(p_columns) WITH ORDINALITY AS u (c, n));

-- As chime.comparable_columns, for a function without a search_path: format's %L calls the type's output function,
-- never a cast, which the owner of a type could have made, and tells NULL from every text.
CREATE FUNCTION chime.captured_values(p_source integer, p_columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(CASE WHEN chime.comparing_cast(k.known) = '' THEN quote_ident(k.name)
                           ELSE format('pg_catalog.format(%L, %I)', '%L', k.name) END, ', ' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n) JOIN chime.source_columns(p_source) AS k ON k.name = c.name);

-- The SET clauses that a source's trigger function cannot do without. The operators of a type from elsewhere may be
-- functions that look names up; and a writer's own extra_float_digits could make different texts of floats equal.
CREATE FUNCTION chime.capture_settings(p_source integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' ', CASE WHEN bool_or(greatest(k.known, k.now) >= 16384) THEN 'SET search_path = pg_catalog, pg_temp' END, -- FirstNormalObjectId
                     CASE WHEN bool_or(chime.comparing_cast(k.known) <> '') THEN 'SET extra_float_digits = 1' END)
    FROM chime.source_columns(p_source) AS k);

-- Types of which two values that are equal are the same bytes, for texts under COLLATE "C". Of no other type, since the
-- owner of a type can make casts that an operator would be chosen by.
CREATE FUNCTION chime.equal_is_same(p_type oid) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN p_type = ANY ('{bool,int2,int4,int8,uuid,date,timestamp,timestamptz,text}'::regtype[]::oid[]);

-- A text that tells values apart which their type's own equality takes for one: 1.0 and 1.00, -0 and 0, '1 day' and '24
-- hours', 'A' and 'a' of citext. A definition may tell them apart, too. NULL: there are none such. Never a cast of a
-- type from elsewhere, as above, nor that of char(n), which drops blanks.
CREATE FUNCTION chime.telling_text(p_type oid, p_value text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN chime.equal_is_same(t.oid) OR t.oid = 'varchar'::regtype OR t.typtype = 'e' THEN NULL
                    WHEN t.oid >= 16384 OR t.oid = 'bpchar'::regtype THEN format('pg_catalog.format(%L, %s)', '%L', p_value) -- FirstNormalObjectId
                    ELSE format('(%s)::pg_catalog.text', p_value) END
        FROM pg_type t WHERE t.oid = p_type);

-- Such texts of columns that a source's trigger compares, each behind a comma. p_name: what format() makes the name of
-- the n-th of.
CREATE FUNCTION chime.telling_texts(p_source integer, p_columns name[], p_name text DEFAULT '%1$I') RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((
    SELECT string_agg(', ' || chime.telling_text(k.known, format(p_name, c.name, c.n)), '' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n) JOIN chime.source_columns(p_source) AS k ON k.name = c.name
    WHERE chime.comparing_cast(k.known) = ''), '');

-- SELECT's DISTINCT for keys: one of each that a definition may tell from others.
CREATE FUNCTION chime.distinct_keys(p_source integer, p_captured name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT 'DISTINCT' || CASE WHEN t <> '' THEN format(' ON (%s%s)', chime.capture_columns(p_captured, ''), t) ELSE '' END
        FROM chime.telling_texts(p_source, p_captured) AS t);

-- A condition: one row's captured columns are as they were, and not NULL where an operator compares them, which costs
-- less than to compare rows by their bytes. It goes within CASE, or the planner would make a hash table for one row.
-- p_new, p_old: what the rows are called. The guard: an operator may be chosen by a cast that the owner of a type made.
CREATE FUNCTION chime.key_kept(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' AND ',
               string_agg(format('%1$s(%2$s.%4$I) OPERATOR(pg_catalog.=) %1$s(%3$s.%4$I)%5$s', chime.write_guard(c.known), p_new, p_old,
                                 c.name, CASE WHEN c.known = 'text'::regtype THEN ' COLLATE pg_catalog."C"' END), ' AND ')
                   FILTER (WHERE chime.equal_is_same(c.known)),
               'pg_catalog.record_image_eq(ROW(' ||
                   string_agg(format('%s.%I', p_new, c.name), ', ') FILTER (WHERE NOT chime.equal_is_same(c.known)) || '), ROW(' ||
                   string_agg(format('%s.%I', p_old, c.name), ', ') FILTER (WHERE NOT chime.equal_is_same(c.known)) || '))')
    FROM chime.source_columns(p_source) AS c WHERE c.is_captured);

-- A condition: one row differs in what is declared beside the captured columns.
CREATE FUNCTION chime.rest_changed(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT coalesce('pg_catalog.record_image_ne(ROW(' || string_agg(format('%s.%I', p_new, c.name), ', ') || '), ROW(' ||
                    string_agg(format('%s.%I', p_old, c.name), ', ') || '))', 'false')
    FROM chime.source_columns(p_source) AS c WHERE NOT c.is_captured);

-- Whether there is an operator that tells two values apart which differ by more than their bytes: <> of exactly that
-- type (varchar has that of text). Of no type from elsewhere, as above.
CREATE FUNCTION chime.can_differ(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN p_type < 16384 AND EXISTS ( -- FirstNormalObjectId
    SELECT FROM pg_operator o
    WHERE o.oprname = '<>' AND o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprright = o.oprleft
      AND o.oprleft = CASE p_type WHEN 'varchar'::regtype THEN 'text'::regtype ELSE p_type END);

-- A condition that costs less than chime.rest_changed: where it is true, that is true as well; where it is not, that is
-- to be asked (1.0 may have become 1.00, a NULL a value). What is not of a fixed length goes last: jsonb may have to be
-- fetched and walked.
CREATE FUNCTION chime.rest_differs(p_source integer, p_new text, p_old text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT coalesce(string_agg(format('%1$s(%2$s.%4$I) OPERATOR(pg_catalog.<>) %1$s(%3$s.%4$I)%5$s', chime.write_guard(c.known), p_new,
                                      p_old, c.name, CASE WHEN t.typcollation <> 0 THEN ' COLLATE pg_catalog."C"' END), ' OR '
                               ORDER BY t.typlen < 0, c.known = 'jsonb'::regtype, c.name) FILTER (WHERE chime.can_differ(c.known)),
                    chime.rest_changed(p_source, p_new, p_old))
    FROM chime.source_columns(p_source) AS c JOIN pg_type t ON t.oid = c.known WHERE NOT c.is_captured);

-- The captured columns of a row, NULL where they have another type than the log's.
CREATE FUNCTION chime.guarded_key(p_source integer, p_row text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%s(%s.%I)', chime.write_guard(k.known), p_row, k.name), ', ' ORDER BY c.n)
        FROM chime.source s CROSS JOIN unnest(s.captured) WITH ORDINALITY AS c (name, n)
        JOIN chime.source_columns(p_source) AS k ON k.name = c.name WHERE s.source_id = p_source);

-- A condition: the part is full. The leader sees to it that it is not, so its size is asked for only where that has
-- been gone for a while.
CREATE FUNCTION chime.is_full(p_source integer, p_part text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>=) chime.room_until_%s() AND '
              'pg_catalog.pg_relation_size(%L::pg_catalog.regclass) OPERATOR(pg_catalog.>=) %s', p_source, p_part, chime.part_limit());

-- A condition, where each node of one is dear: the leader is there, or was when this transaction began.
CREATE FUNCTION chime.has_room(p_source integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('CURRENT_TIMESTAMP OPERATOR(pg_catalog.<) chime.room_until_%s()', p_source);

-- The trigger function of each row of an UPDATE, where chime.captured_by_row says so: as the one of statements below,
-- in what it may call and whom it runs as. NEW.score of a row that has no such column is an error in PL/pgSQL, never a
-- call of score(NEW), and so is a column of another type than the one that a statement was planned for. So every column
-- that is read is first read in a block that catches what comes, in which nothing is written, so that its
-- subtransaction needs no id; what cannot be read is a mark `chime_whole`, and false: no TRUNCATE. The guard makes a
-- key of another type NULL, as chime.known_rows does: then such a source does not count as captured. A row that has its
-- key still and that an operator tells from the one before, which is most, takes one condition and the mark. Only what
-- is left is compared by its bytes: to make two rows of columns costs as much as eight operators.
CREATE FUNCTION chime.write_row_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_part text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_part := chime.part_name(p_source, v_source.head);
    v_both := v_source.captured || ARRAY(SELECT c FROM unnest(v_source.declared) AS c WHERE c <> ALL (v_source.captured));
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.capture_%1$s_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %9$s AS $body$
        #variable_conflict use_column
        DECLARE
            v_unread pg_catalog.bool;
        BEGIN
            <<at_once>>
            BEGIN
                BEGIN
                    IF (%12$s AND %4$s AND (%5$s)) IS NOT TRUE THEN
                        IF pg_catalog.record_image_ne(ROW(%10$s), ROW(%11$s)) THEN
                            EXIT at_once;
                        END IF;
                        RETURN NEW;
                    END IF;
                EXCEPTION WHEN OTHERS THEN
                    v_unread := true;
                    EXIT at_once;
                END;
                INSERT INTO %2$s (chime_xid, chime_whole, %3$s) SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, %6$s;
                RETURN NEW;
            END;
            IF %8$s THEN
                RETURN NEW; -- everything will be done instead
            ELSIF v_unread THEN
                INSERT INTO %2$s (chime_whole) VALUES (false);
            ELSE
                INSERT INTO %2$s (%3$s)
                SELECT %6$s UNION ALL SELECT %7$s WHERE pg_catalog.record_image_ne(ROW(%6$s), ROW(%7$s));
            END IF;
            RETURN NEW;
        END $body$;$f$,
        p_source, v_part, chime.capture_columns(v_source.captured, ''), chime.key_kept(p_source, 'NEW', 'OLD'),
        chime.rest_differs(p_source, 'NEW', 'OLD'), chime.guarded_key(p_source, 'NEW'), chime.guarded_key(p_source, 'OLD'),
        chime.is_full(p_source, v_part), substring(chime.capture_settings(p_source) FROM '^SET search_path = pg_catalog, pg_temp'),
        chime.capture_columns(v_both, 'NEW.'), chime.capture_columns(v_both, 'OLD.'), chime.has_room(p_source));
    PERFORM chime.keep_routine_private(format('chime.capture_%s_row()', p_source)::regprocedure);
END $$;

-- The trigger function of an INSERT, as the one below. One of its own, since to ask which event it is costs a statement
-- of one row as much as a column. The first statement marks one row and tells by its row count whether there are more
-- (then the first two may be marks of one key). Its LIMIT also keeps the plan's cost low: one made while the transition
-- table was large would else be compiled for each single row after it, for which the branch of many rows turns jit off
-- while it is planned.
CREATE FUNCTION chime.write_insert_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_part text;
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_part := chime.part_name(p_source, v_source.head);
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.capture_%1$s_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %5$s AS $body$
        #variable_conflict use_column
        DECLARE
            v_rows pg_catalog.int8;
            v_jit pg_catalog.text;
        BEGIN
            IF (%7$s) IS NOT TRUE THEN
                IF %6$s THEN
                    RETURN NEW; -- everything will be done instead
                END IF;
            END IF;
            INSERT INTO %2$s (chime_xid, chime_whole, %3$s)
            SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, %3$s FROM %4$s LIMIT 2;
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows OPERATOR(pg_catalog.<) 2 THEN
                RETURN NEW;
            END IF;
            v_jit := pg_catalog.current_setting('jit');
            PERFORM pg_catalog.set_config('jit', 'off', true);
            INSERT INTO %2$s (%3$s) SELECT %8$s %3$s FROM (SELECT %3$s FROM %4$s OFFSET 2) AS d;
            PERFORM pg_catalog.set_config('jit', v_jit, true);
            RETURN NEW;
        END $body$;$f$,
        p_source, v_part, chime.capture_columns(v_source.captured, ''), chime.known_rows(p_source, 'new_rows'),
        chime.capture_settings(p_source), chime.is_full(p_source, v_part), chime.has_room(p_source),
        chime.distinct_keys(p_source, v_source.captured));
    PERFORM chime.keep_routine_private(format('chime.capture_%s_insert()', p_source)::regprocedure);
END $$;

-- The trigger function of a source for all other statements, which writes to its head. SECURITY DEFINER: writers have
-- no rights here. Without a search_path of its own, so every name and operator in it is qualified, and nothing in it
-- looks an operator up unseen, as IS DISTINCT FROM, IN and CASE with a value do. new_rows and old_rows go before every
-- relation of that name. Their columns come from chime.known_rows, which has them all: "n.score" of a table whose score
-- was renamed would be a call of the writer's function score(n).
--
-- What a write of one row pays is mostly that plans and expressions are made ready to run, anew for each statement:
-- each node, column and function of them. So the way of one row has no sublink, no default and no NULL to RETURN, which
-- would be an expression (NEW is none, and NULL in a trigger of a statement).
-- One row of a DELETE: as one of an INSERT.
-- One row of an UPDATE: whether there are more is asked before, since pairs of different rows differ. A row that has
-- its key still is marked at once; one that has not, that has NULL in its key, or that was lost on its way to another
-- partition (a trigger stopped it) takes longer. It is compared by its bytes: that calls no function of the type, and
-- sees 1.0 become 1.00.
-- Many rows: the transition tables of an UPDATE are not paired, so what differs is found as the difference of two bags:
-- in one pass, since EXCEPT ALL both ways takes twice as long.
-- A mark is left out only where the part has just been seen full.
CREATE FUNCTION chime.write_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_keys text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_keys := chime.capture_columns(v_source.captured, '');
    v_both := v_source.captured || v_source.declared;
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.capture_%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %11$s AS $body$
        #variable_conflict use_column
        DECLARE
            v_rows pg_catalog.int8;
            v_jit pg_catalog.text;
        BEGIN
            IF %12$s THEN
                RETURN NEW; -- everything will be done instead
            END IF;
            IF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
                PERFORM FROM old_rows LIMIT 1 OFFSET 1;
                IF NOT FOUND THEN
                    INSERT INTO %2$s (chime_xid, chime_whole, %3$s)
                    SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, %6$s FROM %14$s CROSS JOIN %13$s
                    WHERE CASE WHEN %7$s THEN %8$s END;
                    IF FOUND THEN
                        RETURN NEW;
                    END IF;
                    PERFORM FROM %14$s LEFT JOIN %13$s ON true
                    WHERE NOT EXISTS (SELECT FROM new_rows) OR pg_catalog.record_image_ne(ROW(%9$s), ROW(%10$s));
                    IF FOUND THEN
                        INSERT INTO %2$s (%3$s)
                        SELECT %15$s %3$s FROM (SELECT %3$s FROM %14$s UNION ALL SELECT %3$s FROM %13$s) AS d;
                    END IF;
                    RETURN NEW;
                END IF;
            ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO %2$s (chime_xid, chime_whole, %3$s)
                SELECT pg_catalog.pg_current_xact_id(), NULL::pg_catalog.bool, %3$s FROM %14$s LIMIT 2;
                GET DIAGNOSTICS v_rows = ROW_COUNT;
                IF v_rows OPERATOR(pg_catalog.<) 2 THEN
                    RETURN NEW;
                END IF;
            ELSE
                INSERT INTO %2$s (chime_whole) VALUES (true);
                RETURN NEW;
            END IF;
            v_jit := pg_catalog.current_setting('jit');
            PERFORM pg_catalog.set_config('jit', 'off', true);
            IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO %2$s (%3$s) SELECT %15$s %3$s FROM (SELECT %3$s FROM %14$s OFFSET 2) AS d;
            ELSE
                INSERT INTO %2$s (%3$s)
                SELECT %15$s %3$s
                FROM (SELECT %3$s, %4$s, 1 FROM %13$s UNION ALL SELECT %3$s, %4$s, -1 FROM %14$s) AS d (%5$s, chime_compared_0)
                GROUP BY %5$s%16$s HAVING pg_catalog.sum(chime_compared_0) OPERATOR(pg_catalog.<>) 0;
            END IF;
            PERFORM pg_catalog.set_config('jit', v_jit, true);
            RETURN NEW;
        END $body$;$f$,
        p_source, chime.part_name(p_source, v_source.head), v_keys, chime.captured_values(p_source, v_source.declared),
        v_keys || (SELECT string_agg(', chime_compared_' || n, '') FROM generate_series(1, cardinality(v_source.declared)) AS n),
        chime.capture_columns(v_source.captured, 'new_rows.'), chime.key_kept(p_source, 'new_rows', 'old_rows'),
        chime.rest_changed(p_source, 'new_rows', 'old_rows'),
        chime.capture_columns(v_both, 'new_rows.'), chime.capture_columns(v_both, 'old_rows.'),
        chime.capture_settings(p_source), chime.is_full(p_source, chime.part_name(p_source, v_source.head)),
        chime.known_rows(p_source, 'new_rows'), chime.known_rows(p_source, 'old_rows'), chime.distinct_keys(p_source, v_source.captured),
        chime.telling_texts(p_source, v_source.captured) || chime.telling_texts(p_source, v_source.declared, 'chime_compared_%2$s'));
    PERFORM chime.keep_routine_private(format('chime.capture_%s()', p_source)::regprocedure);
    PERFORM chime.write_row_capture(p_source), chime.write_insert_capture(p_source), chime.write_move_capture(p_source);
END $$;

-- --- logs that follow ------------------------------------------------------------------------------------------------

-- Gives a log the types that its source's columns have now. The triggers first: to make them anew waits for the writers
-- who have the old function in their hands, and holds up new ones until the log is as the new function wants it, which
-- is at once, since it is emptied: new triggers mean everything to every view.
CREATE FUNCTION chime.follow_source(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_column record;
BEGIN
    UPDATE chime.source s SET version = s.version + 1 WHERE s.source_id = p_source;
    PERFORM chime.install_triggers(p_source, r::regclass) FROM chime.source_tree(p_source) AS r;
    EXECUTE format('TRUNCATE %s', chime.log_name(p_source));
    FOR v_column IN SELECT c.name, c.now FROM chime.source_columns(p_source) AS c
                    WHERE c.is_captured AND chime.can_be_marked(c.now) AND NOT c.fits LOOP
        EXECUTE format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING NULL', chime.log_name(p_source), v_column.name,
                       chime.mark_type(v_column.now));
    END LOOP;
    PERFORM chime.note_shape(p_source);
    PERFORM chime.write_capture(p_source);
END $$;

-- For a source that no view reads any more. Triggers on somebody else's table are its owner's to drop: until then they
-- do nothing, and RETURN NEW, since one BEFORE an UPDATE would else undo it. To make them anew waits for writers, who
-- would miss the log; whoever lost the privilege for that cannot wait.
CREATE FUNCTION chime.silence_source(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE v_relation regclass;
BEGIN
    UPDATE chime.source s SET version = s.version + 1 WHERE s.source_id = p_source;
    FOR v_relation IN SELECT DISTINCT c.oid::regclass FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                      WHERE t.tgfoid = ANY (chime.capture_functions(p_source)) AND NOT pg_has_role(current_user, c.relowner, 'USAGE') LOOP
        BEGIN
            PERFORM chime.install_triggers(p_source, v_relation);
        EXCEPTION
            WHEN insufficient_privilege THEN NULL;
            WHEN lock_not_available THEN
                RAISE EXCEPTION 'writers of % did not end in time', v_relation USING ERRCODE = 'lock_not_available', HINT = 'try again';
        END;
    END LOOP;
    EXECUTE (SELECT string_agg(format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN RETURN NEW; END$f$',
                                      f::regproc), ';') FROM unnest(chime.capture_functions(p_source)) AS f);
END $$;

-- --- queries beside definitions --------------------------------------------------------------------------------------

-- A definition is a view, whose columns are bound when it is made. What a plugin says in other queries (map, revisit,
-- rejected) is parsed at each use, as the daemon: where a column that they name is gone, "c.score" is a call of
-- score(c), which whoever owns the source may have put into its schema. So they are run with a search_path of
-- pg_catalog, which finds no such function, and see each relation as a subquery of this query's, over the columns that
-- they read; those are named alone, which is never a call. p_log: where the columns p_captured of what the query knows
-- as `marks` are.
CREATE FUNCTION chime.closed_query(p_search_path text, p_query text, p_log regclass DEFAULT NULL, p_captured name[] DEFAULT NULL)
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
