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
-- wrong one. One that asks for a column that is gone does not count as captured.
CREATE OR REPLACE FUNCTION chime.note_shape(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.source s SET shape = (SELECT CASE WHEN bool_and(c.fits) THEN chime.source_shape(p_source) END
                                       FROM chime.source_columns(p_source) AS c)
     WHERE s.source_id = p_source;
    UPDATE chime.view v SET asked = '', full_reason = format('columns of %s have other names, and it is asked again within 10 s', chime.source_oid(p_source))
     WHERE v.view_id IN (SELECT o.view_id FROM chime.view o JOIN chime.view_source s USING (view_schema, relation) JOIN chime.source n USING (source_id)
                         WHERE s.source_id = p_source AND s.captured <@ n.captured AND s.declared <@ n.declared
                           AND o.full_reason IS NULL AND split_part(o.asked, ' ', 1) <> chime.meaning(o)
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

-- Of the columns that views ask for those that the table has: a view whose column was renamed names the new one once it
-- is asked again. Where no view needs a captured column, a mark has one all the same.
CREATE OR REPLACE FUNCTION chime.wanted_columns(p_source integer, OUT captured name[], OUT declared name[])
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_table regclass := chime.source_oid(p_source);
    v_known name[] := (SELECT s.captured FROM chime.source s WHERE s.source_id = p_source);
BEGIN
    declared := ARRAY(SELECT DISTINCT a.attname FROM chime.view_source v CROSS JOIN unnest(v.declared) AS c JOIN pg_attribute a ON a.attname = c
                      WHERE v.source_id = p_source AND a.attrelid = v_table AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1);
    captured := ARRAY(SELECT DISTINCT a.attname FROM chime.view_source v CROSS JOIN unnest(v.captured) AS c JOIN pg_attribute a ON a.attname = c
                      WHERE v.source_id = p_source AND a.attrelid = v_table AND a.attnum > 0 AND NOT a.attisdropped
                        AND chime.can_be_marked(chime.without_domain(a.atttypid)) ORDER BY 1);
    captured := coalesce(nullif(captured, '{}'), nullif(chime.some_column(v_table, v_known), '{}'), nullif(chime.some_column(v_table, declared), '{}'), v_known);
END $$;
COMMENT ON ROUTINE chime.wanted_columns IS 'the columns that the views of a source ask for and its table has: those of marks, and those whose changes leave one';

-- Whether making log and triggers anew would help: its columns have other types, a view asks for others, or one is
-- gone. Those that no view asks for any more stay until then, since new triggers mean everything to every view.
CREATE OR REPLACE FUNCTION chime.needs_following(p_source integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = p_source) AND chime.source_oid(p_source) IS NOT NULL AND (
    SELECT bool_or(chime.can_be_marked(c.now) AND NOT c.fits)
           OR min(s.shape) IS DISTINCT FROM CASE WHEN bool_and(c.fits) THEN chime.source_shape(p_source) END
           OR bool_or(c.now IS NULL AND c.name <> ALL (w.captured || w.declared))
           OR bool_or(NOT (w.captured <@ s.captured AND w.declared <@ s.declared))
    FROM chime.source s, chime.source_columns(p_source) AS c, chime.wanted_columns(p_source) AS w WHERE s.source_id = p_source);
COMMENT ON ROUTINE chime.needs_following IS 'whether log and triggers of a source are to be made anew for its columns';

-- Gives a log the columns that views ask for, with the types that they have now. The triggers first: to make them anew
-- waits for the writers who have the old function in their hands, and holds up new ones until the log is as the new
-- function wants it, which is at once, since it is emptied: new triggers mean everything to every view. What takes
-- marks was written for the types of before, and names the columns that its view asked for then.
CREATE OR REPLACE FUNCTION chime.follow_source(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_changes text;
BEGIN
    UPDATE chime.source s SET version = s.version + 1, captured = w.captured, declared = w.declared
      FROM chime.wanted_columns(p_source) AS w WHERE s.source_id = p_source;
    PERFORM chime.install_triggers(p_source, r::regclass) FROM chime.source_tree(p_source) AS r;
    EXECUTE format('TRUNCATE %s', chime.log_name(p_source));
    v_changes := (
        SELECT string_agg(CASE WHEN c.name IS NULL THEN format('DROP COLUMN %I', l.attname)
                               WHEN l.attname IS NULL THEN format('ADD COLUMN %I %s', c.name, chime.mark_type(c.now))
                               ELSE format('ALTER COLUMN %I TYPE %s USING NULL', c.name, chime.mark_type(c.now)) END, ', ')
        FROM (SELECT k.* FROM chime.source_columns(p_source) AS k WHERE k.is_captured) AS c
        FULL JOIN (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = chime.log_name(p_source)::regclass AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attname NOT LIKE 'chime\_%') AS l ON l.attname = c.name
        WHERE c.name IS NULL AND NOT EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = p_source AND l.attname = ANY (v.captured))
           OR chime.can_be_marked(c.now) AND (l.attname IS NULL OR NOT c.fits));
    EXECUTE coalesce(format('ALTER TABLE %s ', chime.log_name(p_source)) || v_changes, 'SELECT');
    PERFORM chime.note_shape(p_source);
    PERFORM chime.write_capture(p_source);
    PERFORM chime.write_keyed(v.view_schema, v.relation) FROM chime.view v JOIN chime.view_source s USING (view_schema, relation)
      WHERE s.source_id = p_source AND v.full_reason IS NULL AND v_changes IS NOT NULL
        AND chime.kept_of(v) IS NOT NULL AND chime.live_of(v) IS NOT NULL;
END $$;
COMMENT ON ROUTINE chime.follow_source IS 'gives log and triggers of a source the columns that its views ask for, with the types that they have now';

CREATE OR REPLACE FUNCTION chime.silent_body() RETURNS text LANGUAGE sql IMMUTABLE RETURN 'BEGIN RETURN NEW; END';
COMMENT ON FUNCTION chime.silent_body IS 'the body of a trigger function that leaves no mark';

-- For a source that no view reads any more. Triggers on somebody else's table are its owner's to drop: until then they
-- do nothing, and RETURN NEW, since one BEFORE an UPDATE would else undo it. To make them anew waits for writers, who
-- would miss the log; whoever lost the privilege for that cannot wait.
CREATE OR REPLACE FUNCTION chime.silence_source(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE v_relation regclass;
BEGIN
    UPDATE chime.source s SET version = s.version + 1, shape = NULL WHERE s.source_id = p_source; -- a view that comes makes all anew
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
    EXECUTE (SELECT string_agg(format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS %L', f::regproc, chime.silent_body()), ';')
             FROM unnest(chime.capture_functions(p_source)) AS f);
END $$;
COMMENT ON ROUTINE chime.silence_source IS 'a source that no view reads any more leaves no marks';

-- By the leader's upkeep. Triggers on tables of which this role is not the owner stay, silent, and the source with
-- them.
CREATE OR REPLACE FUNCTION chime.drop_unread_source(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_functions oid[] := array_remove(chime.capture_functions(p_source), NULL);
    v_trigger record;
BEGIN
    PERFORM FROM chime.source s WHERE s.source_id = p_source FOR UPDATE; -- whoever installs a view has it
    IF EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = p_source)
       OR EXISTS (SELECT FROM chime.view o CROSS JOIN LATERAL chime.tables_read(chime.live_of(o)) AS t (relation) -- it is full for now
                  WHERE t.relation = chime.source_oid(p_source)) THEN
        RETURN;
    ELSIF EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                  WHERE t.tgfoid = ANY (v_functions) AND NOT pg_has_role(current_user, c.relowner, 'USAGE')) THEN
        IF EXISTS (SELECT FROM pg_proc p WHERE p.oid = ANY (v_functions) AND p.prosrc <> chime.silent_body()) THEN
            PERFORM chime.silence_source(p_source);
        END IF;
        IF EXISTS (SELECT FROM chime.change_part c WHERE c.source_id = p_source AND pg_relation_size(chime.part_name(c.source_id, c.part)::regclass) > 0) THEN
            EXECUTE format('TRUNCATE %s', chime.log_name(p_source));
        END IF;
        RETURN;
    END IF;
    FOR v_trigger IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
                     WHERE t.tgfoid = ANY (v_functions) AND t.tgparentid = 0 ORDER BY t.tgrelid, t.tgname LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.tgname, v_trigger.relation);
    END LOOP;
    EXECUTE coalesce((SELECT string_agg(format('DROP FUNCTION %s()', f::regproc), '; ') FROM unnest(v_functions) AS f), 'SELECT');
    EXECUTE format('DROP FUNCTION IF EXISTS chime.room_until_%s()', p_source);
    EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', chime.log_name(p_source)); -- its parts
    DELETE FROM chime.source s WHERE s.source_id = p_source;
    PERFORM chime.write_unseen_marks();
END $$;
COMMENT ON ROUTINE chime.drop_unread_source IS 'drops a source that no view reads any more, with its log and its triggers, where this role owns the tables that have them';

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
