-- SPDX-License-Identifier: PostgreSQL
-- Columns of a source: which can be captured, how they are compared, and what follows when they change.

CREATE OR REPLACE FUNCTION chime.source_oid(p_source integer) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT to_regclass(format('%I.%I', s.source_schema, s.source_table)) FROM chime.source s WHERE s.source_id = p_source);
END $$;
COMMENT ON ROUTINE chime.source_oid IS 'the table of a source; NULL: it is gone';

-- This and the two after it are plpgsql, which keeps its plans: they are asked of each column of each source.
CREATE OR REPLACE FUNCTION chime.has_equality(p_type oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT t.typcategory IN ('E', 'R') FROM pg_type t WHERE t.oid = p_type) OR EXISTS (
        SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
        WHERE m.amname IN ('btree', 'hash') AND o.opcdefault
          AND (o.opcintype = p_type OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = p_type AND k.casttarget = o.opcintype
                                               AND k.castmethod = 'b' AND k.castcontext = 'i')));
END $$;
COMMENT ON ROUTINE chime.has_equality IS 'whether a type has an equality that hashes or sorts';

-- A domain's constraints are not a log's: a mark `chime_whole` has NULL in every column.
CREATE OR REPLACE FUNCTION chime.without_domain(p_type oid) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_type oid := p_type; v_base oid;
BEGIN
    LOOP
        SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END INTO v_base FROM pg_type t WHERE t.oid = v_type;
        IF v_base IS NULL OR v_base = v_type THEN
            RETURN v_base;
        END IF;
        v_type := v_base;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.without_domain IS 'the type below a domain';

-- What makes a value comparable: types without equality (json, xml, point, arrays and rows of them) are compared by
-- their text.
CREATE OR REPLACE FUNCTION chime.comparing_cast(p_type oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN chime.has_equality(CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE b.oid END) THEN '' ELSE '::text' END
        FROM pg_type t JOIN pg_type b ON b.oid = CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END
        WHERE t.oid = p_type);
END $$;
COMMENT ON ROUTINE chime.comparing_cast IS 'the cast that makes a type comparable; empty: it is';

CREATE OR REPLACE FUNCTION chime.comparable_columns(p_relation regclass, p_columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(quote_ident(a.attname) || chime.comparing_cast(a.atttypid), ', ' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n)
    JOIN pg_attribute a ON a.attrelid = p_relation AND a.attname = c.name AND NOT a.attisdropped);
COMMENT ON ROUTINE chime.comparable_columns IS 'columns in a form that can be compared';

-- Without a modifier: a column that gets wider is no other column. With its schema: the trigger may look names up as
-- the writer does.
CREATE OR REPLACE FUNCTION chime.mark_type(p_type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = p_type);
COMMENT ON ROUTINE chime.mark_type IS 'the name of a type, with its schema';

-- What the trigger of a source reads. `known`: the type that it expects, which for a captured column is the log's;
-- `now`: the type that the column has, NULL: there is none of that name. `fits`: its values arrive in marks.
CREATE OR REPLACE FUNCTION chime.source_columns(p_source integer) RETURNS TABLE (name name, is_captured boolean, known oid, now oid, fits boolean)
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
COMMENT ON ROUTINE chime.source_columns IS 'columns that a source''s trigger reads: as it knows them, and as they are';

-- The columns that sources have of those that are read, with their types, and by number: two that swap names are
-- others. plpgsql, which keeps its plan: this is asked at every refresh.
CREATE OR REPLACE FUNCTION chime.source_shapes(p_sources integer[]) RETURNS TABLE (source_id integer, shape text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT s.source_id, (SELECT string_agg(concat_ws(' ', a.attname, a.attnum, a.atttypid), ', ' ORDER BY a.attname) FROM pg_attribute a
                         WHERE a.attrelid = to_regclass(format('%I.%I', s.source_schema, s.source_table))
                           AND a.attname = ANY (s.captured || s.declared) AND NOT a.attisdropped)
    FROM chime.source s WHERE s.source_id = ANY (p_sources);
END $$;
COMMENT ON ROUTINE chime.source_shapes IS 'the columns that sources have of those that are read, with their types, as a text';

CREATE OR REPLACE FUNCTION chime.source_shape(p_source integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT s.shape FROM chime.source_shapes(ARRAY[p_source]) AS s);
COMMENT ON ROUTINE chime.source_shape IS 'the columns that one source has of those that are read';

-- A view that was proven while those names were of other columns is full until it is asked again: it may capture the
-- wrong one.
CREATE OR REPLACE FUNCTION chime.note_shape(p_source integer) RETURNS void
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
COMMENT ON ROUTINE chime.note_shape IS 'writes down what a source looks like';

-- A mark is one of each different key that a statement changed.
CREATE OR REPLACE FUNCTION chime.can_be_marked(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce(chime.comparing_cast(p_type) = '', false);
COMMENT ON ROUTINE chime.can_be_marked IS 'whether values of a type can tell one mark from another';

-- One whose values cost little to keep.
CREATE OR REPLACE FUNCTION chime.some_column(p_relation regclass, p_columns name[]) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = p_relation AND a.attname = ANY (p_columns) AND NOT a.attisdropped
               AND a.attname NOT LIKE 'chime\_%' AND chime.can_be_marked(a.atttypid)
             ORDER BY a.attlen < 0, a.attlen, a.attnum LIMIT 1);
COMMENT ON ROUTINE chime.some_column IS 'a column of a table whose values cost little to keep in marks';

-- Whether making log and triggers anew would help: nothing brings a column back that is gone.
CREATE OR REPLACE FUNCTION chime.needs_following(p_source integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = p_source) AND (
    SELECT bool_or(chime.can_be_marked(c.now) AND NOT c.fits)
           OR min(s.shape) IS DISTINCT FROM CASE WHEN bool_and(c.fits) THEN chime.source_shape(p_source) END
    FROM chime.source s, chime.source_columns(p_source) AS c WHERE s.source_id = p_source);
COMMENT ON ROUTINE chime.needs_following IS 'whether log and triggers of a source are to be made anew for its columns';

-- Gives a log the types that its source's columns have now. The triggers first: to make them anew waits for the writers
-- who have the old function in their hands, and holds up new ones until the log is as the new function wants it, which
-- is at once, since it is emptied: new triggers mean everything to every view.
CREATE OR REPLACE FUNCTION chime.follow_source(p_source integer) RETURNS void
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
COMMENT ON ROUTINE chime.follow_source IS 'gives log and triggers of a source the types that its columns have now';

-- For a source that no view reads any more. Triggers on somebody else's table are its owner's to drop: until then they
-- do nothing, and RETURN NEW, since one BEFORE an UPDATE would else undo it. To make them anew waits for writers, who
-- would miss the log; whoever lost the privilege for that cannot wait.
CREATE OR REPLACE FUNCTION chime.silence_source(p_source integer) RETURNS void
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
COMMENT ON ROUTINE chime.silence_source IS 'a source that no view reads any more leaves no marks';

-- The columns of a mark have the types of the source's, without modifiers and domains. A column that a later view needs
-- is added; older marks have none in it, which is no matter, since that view begins with everything. Writers who still
-- have the old function in their hands are waited for by making the triggers anew: until then they do not count, and
-- every refresh does everything. A view of one group needs no column, but a mark has one.
CREATE OR REPLACE FUNCTION chime.install_source(p_schema name, p_table name, p_declared name[], p_captured name[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_relation regclass := format('%I.%I', p_schema, p_table);
    v_column record;
BEGIN
    SELECT * INTO v_source FROM chime.source WHERE source_schema = p_schema AND source_table = p_table FOR UPDATE;
    IF NOT FOUND THEN
        p_captured := coalesce(nullif(p_captured, '{}'), chime.some_column(v_relation, p_declared));
        INSERT INTO chime.source (source_schema, source_table, captured, declared)
        VALUES (p_schema, p_table, p_captured, p_declared) RETURNING * INTO v_source;
        EXECUTE format('CREATE TABLE %s (chime_xid xid8 NOT NULL DEFAULT pg_current_xact_id(), chime_whole boolean, chime_gone boolean)',
                       chime.log_name(v_source.source_id));
        PERFORM chime.keep_private(chime.log_name(v_source.source_id)::regclass);
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', chime.log_name(v_source.source_id));
        v_source.captured := '{}';
        PERFORM chime.write_unseen_marks(), chime.add_part(v_source.source_id, 1), chime.give_room(v_source.source_id, '-infinity');
    ELSIF p_captured <@ v_source.captured AND p_declared <@ v_source.declared THEN
        RETURN v_source.source_id;
    END IF;
    FOR v_column IN SELECT a.attname, chime.mark_type(chime.without_domain(a.atttypid)) AS type
                    FROM pg_attribute a WHERE a.attrelid = v_relation AND a.attname = ANY (p_captured) AND NOT a.attisdropped
                      AND a.attname <> ALL (v_source.captured) LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', chime.log_name(v_source.source_id), v_column.attname, v_column.type);
    END LOOP;
    UPDATE chime.source s
       SET version = s.version + 1,
           captured = ARRAY(SELECT c FROM unnest(v_source.captured || p_captured) WITH ORDINALITY AS u (c, n)
                            GROUP BY c ORDER BY min(n)),
           declared = ARRAY(SELECT c FROM unnest(s.declared || p_declared) WITH ORDINALITY AS u (c, n)
                            GROUP BY c ORDER BY min(n))
     WHERE s.source_id = v_source.source_id;
    PERFORM chime.note_shape(v_source.source_id);
    PERFORM chime.write_capture(v_source.source_id);
    RETURN v_source.source_id;
END $$;
COMMENT ON ROUTINE chime.install_source IS 'makes or widens the log of changes of one table; returns its number';
