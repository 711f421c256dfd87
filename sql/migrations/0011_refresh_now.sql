-- SPDX-License-Identifier: PostgreSQL
-- Refreshing at once, for functions that plugins hand out; and plain views, which plugins make beside kept ones.

-- --- a job's refresh in the session that asks for it -----------------------------------------------------------------

CREATE FUNCTION chime.find_refresh_job(p_job text) RETURNS chime.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job;
BEGIN
    SELECT * INTO v_job FROM chime.job j WHERE j.name = p_job ORDER BY j.owner = current_user DESC, j.active DESC, j.job_id LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no job "%"', p_job USING ERRCODE = 'undefined_object', HINT = 'pgchime jobs lists them';
    ELSIF v_job.views = '{}' THEN
        RAISE EXCEPTION 'job "%" refreshes no views', p_job USING ERRCODE = 'wrong_object_type',
            HINT = format('to have its command run: pgchime run %s', p_job);
    END IF;
    RETURN v_job;
END $$;

-- Nothing of a daemon is needed: it is the caller's transaction that refreshes and that writes the run down, so the run
-- is there exactly if its changes are. chime.job_state, which claims need, is left alone: the caller may keep its
-- transaction open.
CREATE FUNCTION chime.refresh_job(p_job text)
RETURNS TABLE (view text, method text, rows bigint, duration_ms double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_job chime.job := chime.find_refresh_job(p_job);
    v_began timestamptz := clock_timestamp();
    v_view text;
    v_start timestamptz;
    v_done record;
    v_changed bigint := 0;
    v_message text;
BEGIN
    FOREACH v_view IN ARRAY v_job.views LOOP
        v_start := clock_timestamp();
        SELECT * INTO v_done FROM chime.refresh(v_view);
        view := substr(v_view, strpos(v_view, '.') + 1); -- names of relations have no dot
        method := v_done.method;
        rows := v_done.rows;
        duration_ms := extract(epoch FROM clock_timestamp() - v_start) * 1000;
        v_changed := v_changed + coalesce(v_done.inserted + v_done.updated + v_done.deleted, 0);
        v_message := concat_ws('; ', v_message, format('%s: %s, %s rows', v_view, method, rows));
        RETURN NEXT;
    END LOOP;
    IF coalesce(v_job.options ->> 'log_runs', 'all') = 'all' THEN
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at, finished_at,
                                       rows, message, reason)
        SELECT nextval('chime.run_id'), v_job.job_id, 'manual', v_began, 'succeeded', 1, pg_backend_pid(), l.epoch, v_began, v_began,
               clock_timestamp(), v_changed, v_message, format('refreshed by %s in a session of its own', session_user)
        FROM chime.leader l
        ON CONFLICT (job_id, kind, slot) DO NOTHING;
    END IF;
END $$;
COMMENT ON FUNCTION chime.refresh_job IS
    'refreshes every view of a job now, in this transaction, and writes the run down; "rows" is how many the view holds now';

-- Those of these relations that are installed, by the jobs that refresh them; one after the other by name, so that two
-- sessions that do so wait for each other and never in a circle.
CREATE FUNCTION chime.refresh_relations(p_relations text[])
RETURNS TABLE (view text, method text, rows bigint, duration_ms double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job text;
BEGIN
    FOR v_job IN SELECT DISTINCT j.name
                 FROM chime.view v JOIN chime.plugin p ON p.name = v.plugin AND p.state IN ('installed', 'removed')
                 JOIN chime.job j ON v.view_schema || '.' || v.relation = ANY (j.views)
                 WHERE v.relation = ANY (p_relations) ORDER BY j.name LOOP
        RETURN QUERY SELECT * FROM chime.refresh_job(v_job);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.refresh_relations IS
    'as chime.refresh_job, of every job that refreshes one of these relations; those that are not installed are passed over';

-- --- plain views -----------------------------------------------------------------------------------------------------

CREATE TABLE chime.plain_view (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    plugin      text NOT NULL REFERENCES chime.plugin,
    definition  text NOT NULL,
    search_path text NOT NULL,
    comment     text,
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON TABLE chime.plain_view IS 'plain views that plugins made; chime.view has the kept ones';

-- Makes what chime.plain_view says, with what follows the statement that makes any of its relations.
CREATE FUNCTION chime.make_plain_view(p_view chime.plain_view, p_statement text) RETURNS void
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

CREATE FUNCTION chime.drop_functions(p_plugin text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_signature text;
BEGIN
    FOR v_signature IN DELETE FROM chime.plugin_function f USING pg_proc p
                       WHERE f.plugin = p_plugin AND p.oid = chime.routine(f.signature) RETURNING f.signature LOOP
        EXECUTE format('DROP FUNCTION %s', v_signature);
        PERFORM chime.tell(format('function %s was dropped, to be made again', v_signature));
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.drop_functions IS 'before a relation that they may read is made anew; the installation makes them again';

-- One plain view of a plugin. One that is there as it should be is left alone, one whose columns changed is made anew.
CREATE FUNCTION chime.install_plain_view(p_plugin text, p_schema name, p_source_schema name, p_relation name, p_definition text,
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
