-- SPDX-License-Identifier: PostgreSQL
-- Frozen groups: rows of a view that no refresh changes any more, so that they outlive the rows of its sources
-- (docs/adr/0045-frozen-groups.md).
--
-- A row is frozen when the view's condition holds of its key as of chime.view_refresh.frozen_at: the instant of a
-- refresh that has computed it. Whatever compares or changes rows leaves these out, on both sides: what is kept, and
-- what the definition gives.

-- --- the condition ---------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.refuse_frozen(p_text text, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'frozen cannot be "%": %', left(p_text, 200), p_reason USING ERRCODE = 'invalid_parameter_value',
        HINT = 'write  column < chime.as_of() - interval ''90 days''  of a column of the key that is a timestamptz, a timestamp or a date; '
               'further conditions that do not change with time are joined by AND, such as  granularity = ''hour''';
END $$;
COMMENT ON FUNCTION chime.refuse_frozen IS 'the error for a condition that does not say for certain what is frozen';

-- Days and hours as hours. PostgreSQL subtracts a day by the clock of a zone, and a month by the calendar: then a later
-- instant may give an earlier bound, and what was frozen would not be any more.
CREATE OR REPLACE FUNCTION chime.frozen_age(p_text text, p_interval text) RETURNS interval
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres' AS $$
DECLARE v_given interval := p_interval::interval;
BEGIN
    PERFORM chime.refuse_frozen(p_text, 'a month is not always as long: write days') WHERE extract(year FROM v_given) <> 0 OR extract(month FROM v_given) <> 0;
    PERFORM chime.refuse_frozen(p_text, 'the interval is to be longer than nothing') WHERE v_given <= interval '0';
    PERFORM chime.refuse_frozen(p_text, 'the interval is longer than a thousand years') WHERE v_given > interval '365000 days';
    RETURN make_interval(secs => extract(epoch FROM v_given)::double precision);
END $$;
COMMENT ON FUNCTION chime.frozen_age IS 'the interval of a condition as hours; raises where it is not always as long';

-- What PostgreSQL makes of the condition, as a CHECK of a table that has the columns of the key alone: no subquery, no
-- other column. The comparison with chime.as_of() is one of those that AND joins, the first or the last; the others are
-- IMMUTABLE and PostgreSQL's own. So it is monotone: what it holds of, it holds of as of every later instant.
CREATE OR REPLACE FUNCTION chime.frozen_parts(p_text text, OUT aged name, OUT operator text, OUT age interval, OUT rest text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1 SET quote_all_identifiers = off AS $$
DECLARE
    v_term constant text := '\(("(?:[^"]|"")+"|[a-z_][a-z0-9_]*) (<|<=) \(chime\.as_of\(\) - ''([^'']+)''::interval\)\)';
    v_said text;
    v_found text[];
    v_foreign text;
BEGIN
    EXECUTE format(E'CREATE VIEW chime.freezing_rows AS SELECT FROM chime.freezing WHERE (\n%s\n)', p_text); -- an expression is one here and there
    DROP VIEW chime.freezing_rows;
    EXECUTE format(E'ALTER TABLE chime.freezing ADD CONSTRAINT frozen CHECK (\n%s\n)', p_text);
    SELECT pg_get_expr(c.conbin, c.conrelid), CASE WHEN 0 >= ANY (c.conkey) THEN 'it names more than columns of the key' END
      INTO v_said, v_foreign FROM pg_constraint c WHERE c.conrelid = 'chime.freezing'::regclass AND c.conname = 'frozen';
    PERFORM chime.refuse_frozen(p_text, v_foreign) WHERE v_foreign IS NOT NULL;
    v_found := coalesce((SELECT m || NULL::text FROM regexp_match(v_said, '^' || v_term || '$') AS m WHERE m IS NOT NULL),
                        (SELECT m FROM regexp_match(v_said, '^\(' || v_term || ' AND (.*)\)$') AS m),
                        (SELECT m[2:4] || m[1] FROM regexp_match(v_said, '^\((.*) AND ' || v_term || '\)$') AS m WHERE m IS NOT NULL));
    PERFORM chime.refuse_frozen(p_text, CASE WHEN v_said ~ '\mnow\(\)|CURRENT_' THEN 'it goes by now(), and refreshes go by chime.as_of()'
                                             WHEN v_said ~ 'chime\.as_of\(\)' THEN 'it may hold of a row at one time and not at a later one'
                                             ELSE 'it does not go by chime.as_of(), so a row that is new could be frozen' END)
      WHERE v_found IS NULL;
    aged := (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 'chime.freezing'::regclass AND quote_ident(a.attname) = v_found[1]
             AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype));
    PERFORM chime.refuse_frozen(p_text, format('%s is neither a timestamptz nor a timestamp nor a date', v_found[1])) WHERE aged IS NULL;
    operator := v_found[2];
    age := chime.frozen_age(p_text, v_found[3]);
    rest := v_found[4];
    PERFORM chime.refuse_frozen(p_text, 'chime.as_of() is to be in it once, not within OR, NOT or another comparison') WHERE rest ~ 'chime|as_of';
    IF rest IS NOT NULL THEN
        EXECUTE format('CREATE INDEX freezing_rest ON chime.freezing ((1)) WHERE %s', rest); -- no index holds what is not IMMUTABLE
    END IF;
    SELECT min(pg_describe_object(d.refclassid, d.refobjid, 0)) INTO v_foreign FROM pg_depend d
     WHERE (d.classid, d.objid) IN (SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c WHERE c.conrelid = 'chime.freezing'::regclass)
       AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass) AND d.refobjid <> 'chime.as_of()'::regprocedure;
    PERFORM chime.refuse_frozen(p_text, format('it uses %s, which is not PostgreSQL''s own', v_foreign)) WHERE v_foreign IS NOT NULL;
END $$;
COMMENT ON FUNCTION chime.frozen_parts IS 'takes a condition apart that is about the columns of chime.freezing; raises where it is not proven to be monotone';

CREATE OR REPLACE FUNCTION chime.frozen_condition(p_view chime.view, p_text text, OUT condition text, OUT aged name, OUT age interval, OUT columns name[])
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres' AS $$
DECLARE
    v_parts record;
    v_message text;
BEGIN
    columns := '{}';
    IF p_text IS NULL THEN
        RETURN;
    END IF;
    IF p_view.mode = 'matview' THEN
        RAISE EXCEPTION 'view %.% is to be a materialized view, of which no rows can be frozen', p_view.view_schema, p_view.relation
            USING ERRCODE = 'invalid_parameter_value', HINT = 'choose another mode: auto, keyed or full';
    END IF;
    PERFORM chime.refuse_several(format(E'CREATE VIEW chime.freezing AS SELECT FROM pg_class WHERE (\n%s\n)', p_text));
    EXECUTE format('CREATE TABLE chime.freezing AS SELECT %s FROM %s WITH NO DATA', chime.capture_columns(p_view.key, ''), chime.live_of(p_view));
    BEGIN
        SELECT * INTO v_parts FROM chime.frozen_parts(p_text);
        columns := ARRAY(SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
                         WHERE c.conrelid = 'chime.freezing'::regclass AND c.conname = 'frozen' ORDER BY a.attnum);
    EXCEPTION WHEN syntax_error_or_access_rule_violation OR feature_not_supported OR invalid_text_representation OR invalid_datetime_format
                   OR datetime_field_overflow THEN
        GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT;
        PERFORM chime.refuse_frozen(p_text, replace(v_message, ' of relation "freezing"', ''));
    END;
    DROP TABLE chime.freezing;
    aged := v_parts.aged;
    age := v_parts.age;
    condition := format('isfinite(%1$I) AND %1$I %2$s chime_frozen_at - interval %3$L', aged, v_parts.operator, age) || coalesce(' AND (' || v_parts.rest || ')', '');
END $$;
COMMENT ON FUNCTION chime.frozen_condition IS 'a condition as statements use it, for chime.view; raises where it is not one that freezes for good';

-- --- what is frozen --------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.frozen_at(p_schema name, p_relation name) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan
BEGIN
    RETURN (SELECT r.frozen_at FROM chime.view_refresh r WHERE r.view_schema = p_schema AND r.relation = p_relation ORDER BY r.refreshes DESC LIMIT 1);
END $$;
COMMENT ON FUNCTION chime.frozen_at IS 'up to when rows of a view are frozen; NULL: none is';

-- Over columns without a table before them. TimeZone has to be the view's, which says when a day or a timestamp was.
CREATE OR REPLACE FUNCTION chime.frozen_test(p_view chime.view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT '(' || replace(p_view.frozen_when, 'chime_frozen_at', format('(SELECT chime.frozen_at(%L, %L))', p_view.view_schema, p_view.relation)) || ')'
        WHERE p_view.frozen_when IS NOT NULL);
COMMENT ON FUNCTION chime.frozen_test IS 'the condition of rows that are frozen; NULL: the view freezes none';

CREATE OR REPLACE FUNCTION chime.unfrozen(p_view chime.view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce(chime.frozen_test(p_view) || ' IS NOT TRUE', 'true');
COMMENT ON FUNCTION chime.unfrozen IS 'the condition of rows that are not frozen';

-- A group is frozen as a whole where the condition is about the grain.
CREATE OR REPLACE FUNCTION chime.freezes_groups(p_view chime.view) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN p_view.frozen_when IS NOT NULL AND p_view.frozen_columns <@ p_view.grain;
COMMENT ON FUNCTION chime.freezes_groups IS 'whether each group of a view is frozen as a whole, or not at all';

CREATE OR REPLACE FUNCTION chime.frozen_rows(p_view chime.view) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET "TimeZone" = 'UTC' AS $$
DECLARE v_rows bigint := 0;
BEGIN
    IF p_view.frozen_when IS NOT NULL THEN
        PERFORM set_config('TimeZone', p_view.timezone, true);
        EXECUTE format('SELECT count(*) FROM %I.%I WHERE %s', p_view.view_schema, p_view.relation, chime.frozen_test(p_view)) INTO v_rows;
    END IF;
    RETURN v_rows;
END $$;
COMMENT ON FUNCTION chime.frozen_rows IS 'how many rows of a view are frozen';

-- Up to when a refresh that begins now freezes. Not beyond now(), whatever a session has as chime.as_of. One that left
-- out groups that change as time passes does not count: they are to be computed once more after their time has come.
-- Nor does one after which all is compared.
CREATE OR REPLACE FUNCTION chime.freezes_until(p_view chime.view, p_method text, p_revisit boolean, p_watch boolean) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan
BEGIN
    RETURN CASE WHEN p_view.frozen_when IS NOT NULL AND p_watch AND (p_revisit OR p_method <> 'keyed' OR p_view.revisit_query IS NULL)
                THEN least(chime.as_of(), now()) END;
END $$;
COMMENT ON FUNCTION chime.freezes_until IS 'the instant as of which a refresh freezes rows; NULL: it freezes none';

CREATE OR REPLACE FUNCTION chime.freeze(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.view_refresh r SET frozen_at = greatest(r.frozen_at, chime.freezes_until(p_view, 'full', true, true))
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation AND p_view.frozen_when IS NOT NULL;
END $$;
COMMENT ON FUNCTION chime.freeze IS 'freezes what has come of age, for who has just computed or compared all rows';

CREATE OR REPLACE FUNCTION chime.note_late(p_schema name, p_relation name, p_groups bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.view_refresh r SET late = r.late + p_groups, late_at = now() WHERE r.view_schema = p_schema AND r.relation = p_relation;
END $$;
COMMENT ON FUNCTION chime.note_late IS 'counts frozen groups that a source would have changed';

-- By hand, for who knows that the rows of these groups are all there, such as after late ones were loaded. A row that
-- the definition does not give stays.
CREATE OR REPLACE FUNCTION chime.recompute_frozen(p_view text, p_from timestamptz, p_to timestamptz, OUT inserted bigint, OUT updated bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
#variable_conflict use_variable
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_compared name[];
BEGIN
    PERFORM chime.begin_refresh(v_view);
    v_view := chime.find_view(p_view);
    IF v_view.frozen_when IS NULL THEN
        RAISE EXCEPTION 'view %.% freezes no rows', v_view.view_schema, v_view.relation USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = format('pgchime refresh %s does what has changed', v_view.relation);
    END IF;
    PERFORM set_config('TimeZone', v_view.timezone, true);
    PERFORM chime.vet_again(v_view);
    v_compared := ARRAY(SELECT c FROM unnest(chime.kept_columns(chime.require_kept(v_view))) AS c WHERE c <> ALL (v_view.stamps));
    EXECUTE chime.fill_template($f$
        WITH put AS (
            INSERT INTO {{kept}} AS t ({{columns}})
            SELECT {{columns}} FROM {{live}} WHERE {{frozen}} AND ($1 IS NULL OR {{by}} >= $1) AND ($2 IS NULL OR {{by}} < $2)
            ON CONFLICT ({{key}}) DO UPDATE SET {{assignments}} WHERE record_image_ne(ROW({{kept_values}}), ROW({{live_values}}))
            RETURNING (t.xmax = 0) AS fresh)
        SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM put$f$, jsonb_build_object(
        'kept', chime.kept_of(v_view),
        'live', chime.live_of(v_view),
        'columns', chime.column_list(chime.kept_of(v_view)),
        'frozen', chime.frozen_test(v_view),
        'by', quote_ident(v_view.frozen_by),
        'key', chime.capture_columns(v_view.key, ''),
        'assignments', (SELECT string_agg(format('%1$I = excluded.%1$I', c), ', ') FROM unnest(chime.kept_columns(chime.kept_of(v_view))) AS c),
        'kept_values', chime.capture_columns(v_compared, 't.'),
        'live_values', chime.capture_columns(v_compared, 'excluded.'))) INTO inserted, updated USING p_from, p_to;
    UPDATE chime.view_refresh r SET rows = r.rows + inserted, changed_at = CASE WHEN inserted + updated > 0 THEN now() ELSE r.changed_at END
     WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation;
END $$;
COMMENT ON FUNCTION chime.recompute_frozen IS
    'computes frozen rows of a range of time again, from the rows that their sources have now: for late ones, while all others are there still. It removes none; NULL: the range is open';

-- --- another condition -----------------------------------------------------------------------------------------------

-- Rows that the old condition froze and the new one does not are computed again: where the definition does not give
-- them as they are kept, that would lose what is nowhere else.
CREATE OR REPLACE FUNCTION chime.thawed_rows(p_old chime.view, p_new chime.view, OUT lost bigint, OUT example text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE v_kept regclass := chime.kept_of(p_old);
BEGIN
    PERFORM set_config('TimeZone', p_old.timezone, true);
    EXECUTE chime.fill_template($f$
        SELECT count(*), (array_agg(concat_ws(', ', {{example}})))[1] FROM (SELECT * FROM {{kept}} WHERE {{was}} AND {{is_not}}) AS k
        WHERE NOT EXISTS (SELECT FROM {{live}} AS l WHERE ROW({{kept_key}})::record *= ROW({{live_key}})::record AND {{alike}})$f$, jsonb_build_object(
        'example', (SELECT string_agg(format('format(''%%s = %%s'', %L, k.%I)', c, c), ', ' ORDER BY n) FROM unnest(p_old.key) WITH ORDINALITY AS u (c, n)),
        'kept', v_kept,
        'was', chime.frozen_test(p_old),
        'is_not', chime.unfrozen(p_new),
        'live', chime.live_of(p_new),
        'kept_key', chime.capture_columns(p_old.key, 'k.'),
        'live_key', chime.capture_columns(p_old.key, 'l.'),
        'alike', chime.alike_condition(v_kept, chime.compared_columns(p_new), 'k', 'l'))) INTO lost, example;
END $$;
COMMENT ON FUNCTION chime.thawed_rows IS 'frozen rows that another condition would have computed again, and that the definition does not give as they are';

CREATE OR REPLACE FUNCTION chime.refuse_thaw(p_old chime.view, p_new chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := p_new.view_schema || '.' || p_new.relation;
    v_hint text := format('declare it as it was (frozen = "%s"), or give that view another name beside this one: its rows stay here then; '
                          'where the sources have all rows of these groups, SELECT * FROM chime.recompute_frozen(%L, ...) takes them over', p_old.frozen, v_name);
    v_found record;
BEGIN
    IF p_old.frozen_when IS NULL OR chime.kept_of(p_old) IS NULL OR chime.frozen_rows(p_old) = 0 THEN
        RETURN;
    ELSIF p_old.timezone <> p_new.timezone THEN
        RAISE EXCEPTION 'view % has % frozen rows of time zone %, which cannot be computed again in %', v_name, chime.frozen_rows(p_old), p_old.timezone, p_new.timezone
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = v_hint;
    ELSIF NOT (p_old.key @> p_new.key AND p_new.key @> p_old.key) THEN
        RAISE EXCEPTION 'view % has % frozen rows, which its key (%) tells apart, and not (%)', v_name, chime.frozen_rows(p_old),
            array_to_string(p_old.key, ', '), array_to_string(p_new.key, ', ') USING ERRCODE = 'object_not_in_prerequisite_state', HINT = v_hint;
    ELSIF p_old.frozen_when IS NOT DISTINCT FROM p_new.frozen_when THEN
        RETURN;
    END IF;
    SELECT * INTO v_found FROM chime.thawed_rows(p_old, p_new);
    IF v_found.lost > 0 THEN
        RAISE EXCEPTION 'view % has % frozen rows that its definition does not give any more, such as %: with another condition they would be lost', v_name,
            v_found.lost, v_found.example USING ERRCODE = 'object_not_in_prerequisite_state', HINT = v_hint;
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_thaw IS 'raises where what is declared now would lose frozen rows';

-- From the relation that was kept before into the one that takes its place, by the names of columns. Columns that are
-- new are NULL in them.
CREATE OR REPLACE FUNCTION chime.carry_frozen(p_old regclass, p_kept regclass, p_view chime.view) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off SET "TimeZone" = 'UTC' AS $$
DECLARE
    v_fault text := (
        SELECT string_agg(CASE WHEN n.attname IS NULL THEN format('column %I is gone', o.attname)
                               ELSE format('column %I is of type %s, and not %s', o.attname, format_type(n.atttypid, n.atttypmod),
                                           format_type(o.atttypid, o.atttypmod)) END, ', ' ORDER BY o.attnum)
        FROM pg_attribute o LEFT JOIN pg_attribute n ON n.attrelid = p_kept AND n.attname = o.attname AND NOT n.attisdropped
        WHERE o.attrelid = p_old AND o.attname = ANY (chime.kept_columns(p_old))
          AND NOT coalesce((n.atttypid = o.atttypid OR (format_type(o.atttypid, NULL), format_type(n.atttypid, NULL)) IN (
                  ('smallint', 'integer'), ('smallint', 'bigint'), ('smallint', 'numeric'), ('integer', 'bigint'), ('integer', 'numeric'),
                  ('bigint', 'numeric'), ('real', 'double precision'), ('character varying', 'text')))
              AND n.atttypmod IN (-1, CASE WHEN n.atttypid = o.atttypid THEN o.atttypmod ELSE -1 END), false));
    v_columns text := (SELECT string_agg(quote_ident(c), ', ') FROM unnest(chime.kept_columns(p_old)) AS c);
    v_rows bigint := chime.frozen_rows(p_view);
BEGIN
    IF v_rows = 0 THEN
        RETURN 0;
    ELSIF v_fault IS NOT NULL THEN
        RAISE EXCEPTION 'view %.% has % frozen rows that its new columns cannot hold: %', p_view.view_schema, p_view.relation, v_rows, v_fault
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'keep these columns in the definition, with their types (NULL::numeric AS old_column where it has no value any more); new ones may be added';
    END IF;
    PERFORM set_config('TimeZone', p_view.timezone, true);
    EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %3$s WHERE %4$s', p_kept, v_columns, p_old, chime.frozen_test(p_view));
    RETURN v_rows;
END $$;
COMMENT ON FUNCTION chime.carry_frozen IS 'puts frozen rows into the relation that is made in the place of the one that keeps them; raises where one of their values would be lost';

-- --- who needs the rows of a source ----------------------------------------------------------------------------------

-- How rows of a table lead to the columns that freeze: as captured and trusted, else proven for these columns alone,
-- also where no index makes the view keyed. NULL: not known.
CREATE OR REPLACE FUNCTION chime.frozen_map(p_view chime.view, p_table regclass, OUT captured name[], OUT map text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_alone chime.view := p_view;
BEGIN
    v_alone.grain := p_view.frozen_columns;
    v_alone.mode := 'auto';
    SELECT s.captured, s.map_query INTO captured, map FROM chime.view_source s
     WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation AND chime.source_oid(s.source_id) = p_table
       AND p_view.frozen_columns <@ p_view.grain;
    IF captured IS NULL AND chime.live_of(p_view) IS NOT NULL AND chime.unkeyable(v_alone) IS NULL THEN
        SELECT k.captured, k.map INTO captured, map FROM chime.prove_keys(p_view, p_view.frozen_columns) AS k
         WHERE k.relation = p_table AND NOT k.unproven;
    END IF;
END $$;
COMMENT ON FUNCTION chime.frozen_map IS 'how rows of a table lead to the groups of a view that freeze; NULL: that is not known';

-- Tables that a view reads, itself or by kept relations that freeze nothing: what these lose, it loses. Of one that has
-- lost its definition, those that it read.
CREATE OR REPLACE FUNCTION chime.frozen_tables(p_view chime.view) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT chime.source_oid(s.source_id)::oid FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation;
    RETURN QUERY
    WITH RECURSIVE read AS (
        SELECT t.relation FROM chime.tables_read(chime.live_of(p_view)) AS t (relation)
        UNION
        SELECT t.relation FROM read r JOIN chime.view v ON chime.kept_of(v)::oid = r.relation AND v.frozen_when IS NULL
        CROSS JOIN LATERAL chime.tables_read(chime.live_of(v)) AS t (relation))
    SELECT r.relation FROM read r;
END $$;
COMMENT ON FUNCTION chime.frozen_tables IS 'tables that a view reads, also by kept relations that freeze nothing';

-- Of views that freeze rows: which rows t of a table a group needs that is not frozen yet. `needed` and `until` are
-- expressions over t; NULL: it is not known which, so all are.
CREATE OR REPLACE FUNCTION chime.needed_rows(p_table regclass) RETURNS TABLE (view text, needed text, until text, words text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "IntervalStyle" = 'postgres' AS $$
DECLARE
    v_view chime.view;
    v_map record;
    v_groups text;
BEGIN
    FOR v_view IN SELECT v.* FROM chime.view v WHERE v.frozen_when IS NOT NULL ORDER BY v.view_schema, v.relation LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM chime.frozen_tables(v_view) AS t (relation) WHERE t.relation = p_table);
        view := format('%s.%s', v_view.view_schema, v_view.relation);
        needed := NULL;
        until := NULL;
        SELECT * INTO v_map FROM chime.frozen_map(v_view, p_table);
        IF v_map.captured IS NOT NULL AND v_view.timezone = 'UTC' AND chime.live_of(v_view) IS NOT NULL THEN
            v_groups := format('(WITH marks AS (SELECT %s) %s) AS g WHERE %s',
                               (SELECT string_agg(format('t.%1$I%2$s AS %1$I', c, chime.collation_of(p_table, c)), ', ') FROM unnest(v_map.captured) AS c),
                               coalesce(v_map.map, 'SELECT * FROM marks'), chime.unfrozen(v_view));
            needed := format('EXISTS (SELECT FROM %s)', v_groups);
            until := format('(SELECT max(%I) + interval %L FROM %s)', v_view.frozen_by, v_view.frozen_after, v_groups);
        END IF;
        words := CASE WHEN needed IS NULL THEN format('view %s freezes rows, and which rows of %s the others need is not known', view, p_table)
                      ELSE format('view %s needs rows until its column %s has been %s ago', view, v_view.frozen_by, justify_hours(v_view.frozen_after))
                          || coalesce(to_char(chime.frozen_at(v_view.view_schema, v_view.relation) AT TIME ZONE 'UTC',
                                              '" at a refresh; the last was at "YYYY-MM-DD HH24:MI:SS"Z"'), '; it was not refreshed yet') END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.needed_rows IS 'for what deletes rows of a table: which of them views that freeze rows need, and until when; needed and until NULL: all, as far as is known';
