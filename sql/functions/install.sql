-- SPDX-License-Identifier: PostgreSQL
-- Installation: a kept relation, a table or a materialized view, made from what a plugin says, and keyed where that is
-- possible.

-- Its key may be NULL, so its index cannot be a replica identity. Without one, no row of a published table can be
-- updated or deleted.
-- Empty. A materialized view reads RELATION__live and not the definition: that view is bound anew, in place, when a
-- relation below it is, and the materialized view stays as it is.
CREATE OR REPLACE FUNCTION chime.make_kept(p_name text, p_view chime.view) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.refuse_matview(p_view);
    EXECUTE format(CASE WHEN p_view.mode = 'matview'
                        THEN 'CREATE MATERIALIZED VIEW %s WITH (autovacuum_vacuum_scale_factor = 0.05) AS SELECT * FROM %s WITH NO DATA'
                        ELSE 'CREATE TABLE %s WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05) AS TABLE %s WITH NO DATA' END,
                   p_name, chime.live_of(p_view));
    PERFORM chime.keep_private(p_name::regclass);
    IF p_view.mode <> 'matview' THEN
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', p_name);
    END IF;
    PERFORM chime.note_made(p_name::regclass, format('kept %s.%s', p_view.view_schema, p_view.relation), NULL);
    RETURN p_name::regclass;
END $$;
COMMENT ON ROUTINE chime.make_kept IS 'makes an empty kept relation, a table or a materialized view';

CREATE OR REPLACE FUNCTION chime.fill_kept(p_kept regclass, p_view chime.view) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE v_rows bigint;
BEGIN
    PERFORM set_config('TimeZone', p_view.timezone, true);
    IF p_view.mode = 'matview' THEN
        EXECUTE format('REFRESH MATERIALIZED VIEW %s', p_kept);
        EXECUTE format('SELECT count(*) FROM %s', p_kept) INTO v_rows;
    ELSE
        EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %3$s WHERE %4$s', p_kept, chime.column_list(p_kept), chime.staged(chime.live_of(p_view)), chime.unfrozen(p_view));
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    EXECUTE format('ANALYZE %s', p_kept);
    RETURN v_rows;
END $$;
COMMENT ON ROUTINE chime.fill_kept IS 'fills a kept relation from its definition, but for rows that are frozen; how many rows';

-- A name that another relation's index has stays there: then PostgreSQL chooses one. p_replaced: whose indexes give
-- theirs up.
CREATE OR REPLACE FUNCTION chime.index_name(p_schema name, p_name name, p_replaced oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN NOT EXISTS (SELECT FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
                             WHERE c.relname = p_name AND c.relnamespace = to_regnamespace(quote_ident(p_schema))
                               AND i.indrelid IS DISTINCT FROM p_replaced)
            THEN quote_ident(p_name) ELSE '' END;
COMMENT ON ROUTINE chime.index_name IS 'the name for an index, quoted; empty: another relation has it, and PostgreSQL is to choose one';

CREATE OR REPLACE FUNCTION chime.key_index_of(p_kept regclass, p_key name[], p_name name) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = p_kept AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnullsnotdistinct
          AND (SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = p_kept AND a.attnum = ANY (i.indkey::smallint[]))
              = (SELECT array_agg(k ORDER BY k) FROM unnest(p_key) AS k)
        ORDER BY c.relname = p_name DESC, c.oid LIMIT 1);
COMMENT ON ROUTINE chime.key_index_of IS 'the unique index of a kept relation by its key; NULL: there is none';

CREATE OR REPLACE FUNCTION chime.let_readers(p_kept regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regrole('analytics_reader') IS NOT NULL AND NOT has_table_privilege('analytics_reader', p_kept, 'SELECT') THEN
        EXECUTE format('GRANT SELECT ON %s TO analytics_reader', p_kept);
    END IF;
END $$;
COMMENT ON FUNCTION chime.let_readers IS 'analytics_reader reads it, where there is that role';

-- Indexes, comment, and readers. What is there as wanted is not touched: even a statement that changes nothing takes
-- locks that wait for a refresh.
CREATE OR REPLACE FUNCTION chime.dress_kept(p_kept regclass, p_view chime.view, p_key_index name, p_indexes jsonb, p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_kept);
    v_index record;
BEGIN
    IF chime.key_index_of(p_kept, p_view.key, p_key_index) IS NULL THEN
        EXECUTE format('CREATE UNIQUE INDEX %s ON %s (%s) NULLS NOT DISTINCT',
                       chime.index_name(p_view.view_schema, p_key_index, chime.kept_of(p_view)), p_kept, (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_view.key) AS k));
    END IF;
    FOR v_index IN SELECT * FROM jsonb_to_recordset(p_indexes) AS i (name text, columns text, "where" text) LOOP
        IF to_regclass(format('%I.%I', v_schema, v_index.name)) IS NULL
           AND chime.index_name(p_view.view_schema, v_index.name, chime.kept_of(p_view)) <> '' THEN
            EXECUTE format('CREATE INDEX %I ON %s (%s)%s', v_index.name, p_kept, v_index.columns,
                           coalesce(' WHERE ' || v_index."where", ''));
        END IF;
    END LOOP;
    PERFORM chime.note_made(p_kept, format('kept %s.%s', p_view.view_schema, p_view.relation), p_comment);
    PERFORM chime.let_readers(p_kept);
END $$;
COMMENT ON ROUTINE chime.dress_kept IS 'indexes, comment and readers of a kept relation, where they differ from what is wanted';

CREATE OR REPLACE FUNCTION chime.added_columns(p_relation oid) RETURNS SETOF name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.attname FROM pg_attribute a
    WHERE a.attrelid = p_relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (chime.kept_columns(p_relation));
END;
COMMENT ON ROUTINE chime.added_columns IS 'columns that somebody gave to a kept table';

-- Whether a kept relation is of another kind than its mode wants, or has other columns than its definition, or one that
-- somebody gave it, though the definition have one of the same name by now.
CREATE OR REPLACE FUNCTION chime.is_outdated(p_kept regclass, p_view chime.view) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (chime.relation_kind(p_kept) = 'MATERIALIZED VIEW') <> (p_view.mode = 'matview') OR EXISTS (SELECT FROM chime.added_columns(p_kept)) OR (
    SELECT array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = p_kept)
           IS DISTINCT FROM
           array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid <> p_kept)
    FROM pg_attribute a WHERE a.attrelid IN (p_kept, chime.live_of(p_view)) AND a.attnum > 0 AND NOT a.attisdropped);
COMMENT ON ROUTINE chime.is_outdated IS 'whether a kept relation is of another kind or has other columns than it should';

CREATE OR REPLACE FUNCTION chime.claim_view(p_plugin text, p_schema name, p_relation name) RETURNS chime.view
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_known chime.view;
BEGIN
    SELECT * INTO v_known FROM chime.view WHERE view_schema = p_schema AND relation = p_relation FOR NO KEY UPDATE; -- a refresh may check that it is there
    IF FOUND AND v_known.plugin <> p_plugin THEN
        RAISE EXCEPTION 'relation %.% belongs to plugin %', p_schema, p_relation, v_known.plugin USING ERRCODE = 'duplicate_table',
            HINT = 'two plugins cannot keep the same relation: rename one, or give one of them another view_schema';
    END IF;
    PERFORM chime.refuse_foreign(p_schema, p_relation, 'kept'), chime.refuse_foreign(p_schema, p_relation || '__live', 'live');
    RETURN v_known;
END $$;
COMMENT ON ROUTINE chime.claim_view IS 'the row of a view for its plugin; raises when the name belongs to another';

CREATE OR REPLACE FUNCTION chime.refuse_reserved_names(p_view chime.view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_column name := (SELECT min(a.attname) FROM pg_attribute a
                      WHERE a.attrelid = chime.live_of(p_view) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname LIKE 'chime\_%');
BEGIN
    IF v_column IS NOT NULL THEN
        RAISE EXCEPTION 'column % of view %.% has a name that begins with chime_, as only columns of pgchime itself do',
            v_column, p_view.view_schema, p_view.relation USING ERRCODE = 'reserved_name', HINT = 'name it otherwise in the definition';
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_reserved_names IS 'raises when a column of a view has a name that begins with chime_';

CREATE OR REPLACE FUNCTION chime.install_frozen(p_known chime.view, p_view chime.view, p_frozen text) RETURNS chime.view
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view := p_view;
    v_found record;
BEGIN
    IF p_frozen IS NOT NULL OR p_known.frozen IS NOT NULL THEN
        SELECT * INTO v_found FROM chime.frozen_condition(p_view, p_frozen);
        v_view.frozen_when := v_found.condition;
        PERFORM chime.hold_refreshes(p_view) WHERE p_known.frozen_when IS NOT NULL;
        PERFORM chime.refuse_thaw(p_known, v_view);
        UPDATE chime.view v
           SET frozen = p_frozen, frozen_when = v_found.condition, frozen_by = v_found.aged, frozen_after = v_found.age, frozen_columns = v_found.columns
         WHERE v.view_id = p_view.view_id RETURNING * INTO v_view;
        UPDATE chime.view_refresh r SET frozen_at = NULL
         WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation AND p_frozen IS NULL;
    END IF;
    RETURN v_view;
END $$;
COMMENT ON FUNCTION chime.install_frozen IS 'writes down which rows of a view freeze; raises where frozen rows would be lost by what is declared now';

-- Makes or brings up to date one view of a plugin. Restartable: each call is one transaction, and a second one changes
-- nothing. p_indexes: [{"name": ..., "columns": ..., "where": ...}]. Returns true when the kept relation is new or was
-- made anew.
CREATE OR REPLACE FUNCTION chime.install_view(p_plugin text, p_schema name, p_source_schema name, p_relation name, p_definition text,
                                   p_key name[], p_key_index name, p_grain name[], p_mode text, p_stamps name[],
                                   p_revisit text, p_rejected text, p_indexes jsonb, p_comment text, p_timezone text DEFAULT NULL,
                                   p_frozen text DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema); -- pg_catalog comes first unsaid
    v_known chime.view := chime.claim_view(p_plugin, p_schema, p_relation);
    v_view chime.view;
    v_kept regclass;
    v_index regclass;
BEGIN
    INSERT INTO chime.view AS v (view_schema, relation, plugin, key, stamps, grain, grain_derived, mode, rejected_query, revisit_query, definition,
                                 search_path, refresh_full, timezone)
    VALUES (p_schema, p_relation, p_plugin, coalesce(p_key, '{?}'), p_stamps, coalesce(p_grain, CASE WHEN v_known.grain_derived THEN v_known.grain END, '{}'),
            p_grain IS NULL, p_mode, NULL, NULL, p_definition, v_path, '', coalesce(p_timezone, 'UTC'))
    ON CONFLICT (view_schema, relation) DO UPDATE
        SET key = excluded.key, stamps = excluded.stamps, grain = excluded.grain, grain_derived = excluded.grain_derived, mode = excluded.mode,
            definition = excluded.definition, search_path = excluded.search_path, timezone = excluded.timezone,
            vetted = NULL,
            found_wrong = CASE WHEN (v.definition, v.grain, v.stamps, v.timezone) = (excluded.definition, excluded.grain, excluded.stamps, excluded.timezone)
                               THEN v.found_wrong END
    RETURNING * INTO v_view;
    INSERT INTO chime.view_refresh (view_schema, relation)
    SELECT p_schema, p_relation WHERE NOT EXISTS (SELECT FROM chime.view_refresh r WHERE r.view_schema = p_schema AND r.relation = p_relation);
    IF (v_known.definition, v_known.search_path, v_known.timezone) IS DISTINCT FROM (p_definition, v_path, v_view.timezone)
       OR chime.live_of(v_view) IS NULL THEN
        PERFORM chime.hold_refreshes(v_view);
        PERFORM chime.define_live(v_view);
        PERFORM chime.refuse_reserved_names(v_view), chime.refuse_circle(v_view);
    END IF;
    IF p_key IS NULL THEN
        UPDATE chime.view v SET key = chime.derived_key(chime.live_of(v)) WHERE v.view_id = v_view.view_id RETURNING * INTO v_view;
    END IF;
    PERFORM chime.refuse_untrusted(format('view %s.%s', p_schema, p_relation), 'pg_class'::regclass, chime.live_of(v_view));
    v_view := chime.install_frozen(v_known, v_view, p_frozen);
    v_kept := chime.kept_of(v_view);
    IF v_kept IS NOT NULL AND chime.is_outdated(v_kept, v_view) THEN
        PERFORM chime.hold_refreshes(v_view);
        PERFORM chime.remake_kept(v_kept, v_view, p_key_index, p_indexes, p_comment);
    ELSE
        IF v_kept IS NULL THEN
            PERFORM chime.make_kept(format('%I.%I', p_schema, p_relation), v_view);
            UPDATE chime.view_refresh r SET refreshed_at = NULL, frozen_at = NULL WHERE r.view_schema = p_schema AND r.relation = p_relation; -- to be filled
        ELSIF v_known.key IS DISTINCT FROM v_view.key THEN
            v_index := chime.key_index_of(v_kept, v_known.key, p_key_index);
            PERFORM chime.tell(format('index %s was dropped: it was unique over the key that %s had', v_index, v_kept)) WHERE v_index IS NOT NULL;
            EXECUTE coalesce('DROP INDEX ' || v_index, 'SELECT');
        END IF;
        PERFORM chime.dress_kept(chime.kept_of(v_view), v_view, p_key_index, p_indexes, p_comment);
    END IF;
    UPDATE chime.view v
       SET below = chime.views_below(v), refresh_full = chime.refresh_full_statement(p_schema, p_relation, v.key, p_stamps, chime.unfrozen(v)),
           rejected_query = chime.closed_query(v_path, p_rejected), revisit_query = chime.closed_query(v_path, p_revisit)
     WHERE v.view_id = v_view.view_id;
    RETURN v_kept IS DISTINCT FROM chime.kept_of(v_view);
END $$;
COMMENT ON ROUTINE chime.install_view IS 'makes one view as it is declared: its definition, its kept relation, indexes, comment, readers; again, it changes nothing';

-- Only the row of a source, for who undoes it: no log, and no lock that a writer would meet.
CREATE OR REPLACE FUNCTION chime.note_source(p_schema name, p_table name, p_declared name[], p_captured name[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_id integer := (SELECT s.source_id FROM chime.source s WHERE s.source_schema = p_schema AND s.source_table = p_table);
BEGIN
    IF v_id IS NULL THEN
        INSERT INTO chime.source (source_schema, source_table, captured, declared)
        VALUES (p_schema, p_table, coalesce(nullif(p_captured, '{}'), chime.some_column(format('%I.%I', p_schema, p_table)::regclass, p_declared)), p_declared)
        RETURNING source_id INTO v_id;
    END IF;
    RETURN v_id;
END $$;
COMMENT ON ROUTINE chime.note_source IS 'the number of a source, with a row of it where there is none';

-- Makes a view keyed where that is possible, and says in chime.view why where it is not. p_sources are those of the
-- plugin: [{"schema": ..., "table": ..., "columns": [...], "capture": [...], "map": ..., "trust": ...}], without
-- "schema" of the view or source schema; only those that the definition reads count. NULL: they are what it reads. A
-- view that lets go of a source begins with everything when it comes back: nobody kept marks for it. p_to_be_undone:
-- the caller undoes all of it, and wants to know the reason alone.
CREATE OR REPLACE FUNCTION chime.judge_view(p_schema name, p_source_schema name, p_relation name, p_sources jsonb, p_to_be_undone boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_view chime.view;
    v_kept regclass := format('%I.%I', p_schema, p_relation);
    v_source record;
    v_id integer;
    v_ids integer[] := '{}';
    v_sources jsonb;
    v_proven chime.key_proof[];
    v_reason text;
BEGIN
    SELECT * INTO STRICT v_view FROM chime.view WHERE view_schema = p_schema AND relation = p_relation FOR NO KEY UPDATE;
    IF chime.live_of(v_view) IS NULL THEN -- with DROP ... CASCADE; what a file declares was made again before this
        RAISE EXCEPTION 'the definition of view %.% was dropped%', p_schema, p_relation,
            (SELECT format('; SELECT chime.alter_view(%L, %L) gives it again, once it fits its tables', p_schema || '.' || p_relation, p.settings ->> 'definition')
             FROM chime.plugin p WHERE p.name = v_view.plugin AND p.by_sql) USING ERRCODE = 'undefined_table';
    END IF;
    PERFORM chime.refuse_untrusted(format('view %s.%s', p_schema, p_relation), 'pg_class'::regclass, chime.live_of(v_view));
    UPDATE chime.view v SET found_wrong = NULL WHERE v.view_id = v_view.view_id AND v.found_wrong IS NOT NULL AND v.sources IS DISTINCT FROM p_sources;
    v_sources := coalesce(p_sources, chime.derived_sources(v_view));
    IF v_view.grain_derived THEN
        UPDATE chime.view v SET grain = chime.choose_grain(v_view) WHERE v.view_id = v_view.view_id RETURNING * INTO v_view;
    END IF;
    v_reason := chime.unkeyable(v_view);
    IF v_reason IS NULL THEN
        BEGIN
            v_proven := ARRAY(SELECT k FROM chime.prove_keys(v_view, v_view.grain) AS k);
        EXCEPTION WHEN data_exception THEN -- of a constant that no row may ever ask for: `12 / 0`
            v_reason := 'PostgreSQL cannot plan it for one group: ' || SQLERRM;
        END;
    END IF;
    IF v_reason IS NULL THEN
        FOR v_source IN
            SELECT n.nspname, c.relname, p.*
            FROM chime.sources_of(v_view, p_source_schema, v_sources, v_proven) AS p
            JOIN pg_class c ON c.oid = p.source JOIN pg_namespace n ON n.oid = c.relnamespace
        LOOP
            v_id := CASE WHEN p_to_be_undone THEN chime.note_source(v_source.nspname, v_source.relname, v_source.columns, v_source.captured)
                         ELSE chime.install_source(v_source.nspname, v_source.relname, v_source.columns, v_source.captured) END;
            v_ids := v_ids || v_id;
            INSERT INTO chime.view_source AS s (view_schema, relation, source_id, declared, captured, map_query, trusted)
            VALUES (p_schema, p_relation, v_id, v_source.columns, v_source.captured,
                    CASE WHEN v_source.trusted
                         THEN chime.closed_query(v_view.search_path, v_source.map, chime.log_name(v_id)::regclass, v_source.captured)
                         ELSE v_source.map END, v_source.trusted)
            ON CONFLICT (view_schema, relation, source_id) DO UPDATE
               SET declared = excluded.declared, captured = excluded.captured, map_query = excluded.map_query, trusted = excluded.trusted;
        END LOOP;
    END IF;
    DELETE FROM chime.view_source s WHERE s.view_schema = p_schema AND s.relation = p_relation AND s.source_id <> ALL (v_ids);
    IF FOUND THEN
        UPDATE chime.view_refresh r SET seen = NULL, start_over = 'changes of a source were not captured for a while'
         WHERE r.view_schema = p_schema AND r.relation = p_relation AND r.seen IS NOT NULL;
    END IF;
    -- A plain view below may have been replaced since it was installed.
    v_reason := coalesce(v_reason, 'it reads itself: ' || chime.circle_of(v_view) || ' is made of its rows', chime.obstacle(v_view, p_source_schema, v_sources, v_proven),
                         CASE WHEN v_ids = '{}' THEN 'it reads no table, so no mark tells when it changes' END);
    IF v_reason IS NULL AND NOT p_to_be_undone THEN
        IF NOT chime.has_grain_index(v_kept, v_view.grain) THEN
            EXECUTE format('CREATE INDEX ON %s (%s)', v_kept, (SELECT string_agg(quote_ident(g), ', ') FROM unnest(v_view.grain) AS g));
        END IF;
        PERFORM chime.write_keyed(p_schema, p_relation);
    ELSE
        PERFORM chime.drop_stale_now(v_view);
    END IF;
    UPDATE chime.view v SET full_reason = v_reason, sources = p_sources, asked = chime.outlook(v_view), vetted = NULL
     WHERE v.view_schema = p_schema AND v.relation = p_relation;
    PERFORM chime.note_vetted(p_schema, p_relation);
    RETURN v_reason;
END $$;
COMMENT ON ROUTINE chime.judge_view IS 'writes down how a view follows its sources, for good or to be undone; why it cannot be refreshed by its grain, or NULL';

CREATE OR REPLACE FUNCTION chime.install_keys(p_schema name, p_source_schema name, p_relation name, p_sources jsonb) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
BEGIN ATOMIC
    SELECT chime.judge_view(p_schema, p_source_schema, p_relation, p_sources, false);
END;
COMMENT ON ROUTINE chime.install_keys IS 'writes down how a view follows its sources; why it cannot be refreshed by its grain, or NULL';
