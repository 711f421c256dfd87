-- SPDX-License-Identifier: PostgreSQL
-- Plain views, which plugins make beside kept ones.

-- Makes what chime.plain_view says, with what follows the statement that makes any of its relations.
CREATE OR REPLACE FUNCTION chime.make_plain_view(p_view chime.plain_view, p_statement text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation);
    v_is_new boolean := to_regclass(v_name) IS NULL;
BEGIN
    PERFORM set_config('search_path', p_view.search_path, true);
    EXECUTE format('%s %s AS %s', p_statement, v_name, p_view.definition);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM chime.keep_private(v_name::regclass) WHERE v_is_new;
    PERFORM chime.note_made(v_name::regclass, format('plain %s.%s', p_view.view_schema, p_view.relation), p_view.comment);
    IF to_regrole('analytics_reader') IS NOT NULL THEN
        EXECUTE format('GRANT SELECT ON %s TO analytics_reader', v_name);
    END IF;
END $$;
COMMENT ON ROUTINE chime.make_plain_view IS 'makes a plain view, with what follows from it';

-- One plain view of a plugin. One that is there as it should be is left alone, one whose columns changed is made anew.
CREATE OR REPLACE FUNCTION chime.install_plain_view(p_plugin text, p_schema name, p_source_schema name, p_relation name, p_definition text,
                                         p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_wanted chime.plain_view := (p_schema, p_relation, p_plugin, p_definition, format('%I, %I, pg_temp', p_schema, p_source_schema),
                                  p_comment);
    v_known chime.plain_view;
BEGIN
    SELECT * INTO v_known FROM chime.plain_view WHERE view_schema = p_schema AND relation = p_relation FOR UPDATE;
    IF FOUND AND v_known.plugin <> p_plugin THEN
        RAISE EXCEPTION 'relation %.% belongs to plugin %', p_schema, p_relation, v_known.plugin USING ERRCODE = 'duplicate_table',
            HINT = 'two plugins cannot make the same relation: rename one, or give one of them another view_schema';
    END IF;
    PERFORM chime.refuse_foreign(p_schema, p_relation, 'plain');
    IF v_known = v_wanted AND chime.own_relation(p_schema, p_relation, 'plain') IS NOT NULL THEN
        RETURN;
    END IF;
    BEGIN
        PERFORM chime.make_plain_view(v_wanted, 'CREATE OR REPLACE VIEW');
    EXCEPTION WHEN invalid_table_definition THEN
        PERFORM chime.drop_functions(p_plugin);
        EXECUTE format('DROP VIEW %I.%I', p_schema, p_relation);
        PERFORM chime.tell(format('plain view %s.%s was dropped, and is made with other columns', p_schema, p_relation));
        PERFORM chime.make_plain_view(v_wanted, 'CREATE VIEW');
    END;
    PERFORM chime.refuse_untrusted(format('view %s.%s', p_schema, p_relation), 'pg_class'::regclass, to_regclass(format('%I.%I', p_schema, p_relation)));
    INSERT INTO chime.plain_view SELECT v_wanted.*
    ON CONFLICT (view_schema, relation) DO UPDATE
       SET definition = excluded.definition, search_path = excluded.search_path, comment = excluded.comment;
END $$;
COMMENT ON ROUTINE chime.install_plain_view IS 'makes one plain view of a plugin; one that is as it should be is left alone';
