-- SPDX-License-Identifier: PostgreSQL
-- Listener: what the leader's second session asks, which hears notifications and looks for changes, so that jobs start
-- by themselves; and the triggers that send the notifications of plugins, where a configuration asks for them.

CREATE TABLE chime.listener (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    state    text NOT NULL DEFAULT 'off' CHECK (state IN ('off', 'watching', 'degraded')),
    since    timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason   text,
    pid      integer,
    backend_start timestamptz,
    channels text[] NOT NULL DEFAULT '{}',
    views    text[] NOT NULL DEFAULT '{}'
);
INSERT INTO chime.listener DEFAULT VALUES;
COMMENT ON TABLE chime.listener IS 'one row: whether the leader hears of events; what an earlier leader left holds until the next one writes';
COMMENT ON COLUMN chime.listener.state IS
    'off: no job asks for it; degraded: nothing is heard, so every job that waits for events runs from time to time instead';
COMMENT ON COLUMN chime.listener.pid IS 'with backend_start, the session that hears, or is about to';
COMMENT ON COLUMN chime.listener.channels IS 'that jobs name in "on"';
COMMENT ON COLUMN chime.listener.views IS 'with a target_lag, warn_after or error_after: their sources are looked at';

CREATE FUNCTION chime.note_listener_state(p_token uuid, p_state text, p_reason text, p_pid integer, p_channels text[], p_views text[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.commit_locally();
    UPDATE chime.listener w
       SET state = p_state, reason = p_reason, pid = p_pid,
           backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = p_pid), channels = p_channels, views = p_views,
           since = CASE WHEN w.state = p_state THEN w.since ELSE clock_timestamp() END
     WHERE (w.state, w.reason, w.pid, w.channels, w.views) IS DISTINCT FROM (p_state, p_reason, p_pid, p_channels, p_views)
       AND EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token);
END $$;
COMMENT ON FUNCTION chime.note_listener_state IS 'for people: so it does not lock the leader''s row, behind which claims would wait';

-- Before it listens: a session that listens and whose client takes nothing keeps the server's queue of notifications
-- from moving on, and has no timeout while it waits to be rid of one.
CREATE FUNCTION chime.note_listener(p_token uuid, p_pid integer, p_backend_start timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.commit_locally();
    UPDATE chime.listener w SET pid = p_pid, backend_start = p_backend_start
     WHERE EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token);
END;

CREATE FUNCTION chime.end_listener(p_token uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT pg_terminate_backend(a.pid) FROM chime.listener w
            JOIN pg_stat_activity a ON a.pid = w.pid AND a.backend_start = w.backend_start
            WHERE EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token));
EXCEPTION WHEN insufficient_privilege THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION chime.end_listener IS 'for a new leader: ends the session by which the one before it heard';

CREATE FUNCTION chime.listen(p_added text[], p_gone text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_channel text;
BEGIN
    FOREACH v_channel IN ARRAY p_gone LOOP
        EXECUTE format('UNLISTEN %I', v_channel);
    END LOOP;
    FOREACH v_channel IN ARRAY p_added LOOP
        EXECUTE format('LISTEN %I', v_channel);
    END LOOP;
END $$;

-- Which of these views ("schema.relation") have marks that they have not consumed: the text of a statement, which its
-- session prepares, so that a look costs no planning. For each source two ranges of an index, never one condition with
-- OR, which would read all marks.
CREATE FUNCTION chime.look_statement(p_views text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(
               format('SELECT %L WHERE EXISTS (SELECT FROM (SELECT v.seen FROM chime.view_refresh v WHERE v.view_schema = %L AND v.relation = %L'
                      ' ORDER BY v.refreshes DESC LIMIT 1) r WHERE r.seen IS NULL%s)',
                      v.view_schema || '.' || v.relation, v.view_schema, v.relation,
                      (SELECT string_agg(format(' OR EXISTS (SELECT FROM %1$s c WHERE c.chime_xid >= pg_snapshot_xmax(r.seen))'
                                                ' OR EXISTS (SELECT FROM %1$s c WHERE c.chime_xid = ANY (ARRAY(SELECT pg_snapshot_xip(r.seen))))',
                                                chime.log_name(s.source_id)), '' ORDER BY s.source_id)
                       FROM chime.view_source s WHERE s.view_schema = v.view_schema AND s.relation = v.relation)),
               ' UNION ALL ' ORDER BY v.view_schema, v.relation)
    FROM chime.view v
    WHERE v.view_schema || '.' || v.relation = ANY (p_views) AND v.full_reason IS NULL);
COMMENT ON FUNCTION chime.look_statement IS 'NULL: none of them is refreshed by its groups';

-- The same question where marks do not answer it, from time to time: a log is full, or a source looks otherwise than it
-- did. A view that cannot be keyed has no marks: it is due after half its target, but rests for as long as a refresh
-- takes.
CREATE FUNCTION chime.look_closely(p_views text[], p_targets text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT w.name
        FROM unnest(p_views, p_targets) AS w (name, target)
        JOIN chime.view v ON v.view_schema || '.' || v.relation = w.name
        JOIN chime.view_refresh r ON r.view_schema = v.view_schema AND r.relation = v.relation
        CROSS JOIN LATERAL (SELECT r.refreshed_at > clock_timestamp() -- by a clock that was ahead then
                                   OR r.refreshed_at + greatest(w.target::interval / 2, 2 * r.duration_us * interval '1 microsecond')
                                      <= clock_timestamp() AS due) AS d
        WHERE CASE WHEN v.full_reason IS NOT NULL THEN d.due
                   WHEN chime.uncaptured_sources(v.view_schema, v.relation) IS NOT NULL THEN d.due
                   ELSE r.fingerprint IS DISTINCT FROM chime.view_fingerprint(v.view_schema, v.relation)
                        OR chime.flooded(v.view_schema, v.relation) END;
END $$;
COMMENT ON FUNCTION chime.look_closely IS 'views to refresh whatever their marks say';

-- --- channels of plugins ---------------------------------------------------------------------------------------------

CREATE TABLE chime.plugin_channel (
    plugin         text NOT NULL REFERENCES chime.plugin,
    channel        text NOT NULL,
    definition     text NOT NULL,
    search_path    text NOT NULL,
    routines       text[] NOT NULL,
    triggers       text[] NOT NULL,
    trigger_tables text[] NOT NULL,
    PRIMARY KEY (plugin, channel)
);
COMMENT ON TABLE chime.plugin_channel IS 'notifications that a configuration asks for, and what was made to send them';
COMMENT ON COLUMN chime.plugin_channel.definition IS 'as installed; empty: no longer wanted, silent, and its triggers are others'' to drop';
COMMENT ON COLUMN chime.plugin_channel.routines IS 'signatures with their schema';
COMMENT ON COLUMN chime.plugin_channel.triggers IS 'names, each on the table of the same place in trigger_tables';

-- Triggers of a channel that are there.
CREATE FUNCTION chime.channel_triggers(p_channel chime.plugin_channel) RETURNS TABLE (relation regclass, trigger name, owned boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.tgrelid::regclass, t.tgname, pg_has_role(current_user, c.relowner, 'USAGE')
    FROM unnest(p_channel.triggers, p_channel.trigger_tables) AS u (name, "table")
    JOIN pg_trigger t ON t.tgname = u.name AND t.tgrelid = to_regclass(u."table")
    JOIN pg_class c ON c.oid = t.tgrelid;
END;

-- What the definition makes is found by its catalog rows, which are this transaction's: so no EXCEPTION here, whose
-- block would be another one. CREATE TRIGGER waits for the writers there are, and lets no other begin meanwhile: so for
-- no longer than 200 ms, and the caller tries again.
CREATE FUNCTION chime.install_channel(p_plugin text, p_schema name, p_source_schema name, p_channel text, p_table name, p_definition text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema);
    v_table regclass;
    v_made chime.plugin_channel;
    v_routine text;
BEGIN
    SELECT * INTO v_made FROM chime.plugin_channel c WHERE c.plugin = p_plugin AND c.channel = p_channel;
    IF v_made.definition = p_definition AND v_made.search_path = v_path
       AND (SELECT count(*) FROM chime.channel_triggers(v_made)) = cardinality(v_made.triggers) THEN
        RETURN;
    END IF;
    PERFORM chime.remove_channels(p_plugin, ARRAY(SELECT c.channel FROM chime.plugin_channel c -- what another definition made
                                                  WHERE c.plugin = p_plugin AND c.channel <> p_channel));
    PERFORM set_config('search_path', v_path, true);
    v_table := quote_ident(p_table)::regclass;
    IF NOT has_table_privilege(current_user, v_table, 'TRIGGER') THEN
        RAISE EXCEPTION 'channel % cannot be installed: this role may make no trigger on %', p_channel, v_table
            USING ERRCODE = 'insufficient_privilege', HINT = format('let its owner run: GRANT TRIGGER ON %s TO %I', v_table, current_user);
    END IF;
    EXECUTE p_definition;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT coalesce(array_agg(t.tgname::text ORDER BY t.oid), '{}'), coalesce(array_agg(t.tgrelid::regclass::text ORDER BY t.oid), '{}')
      INTO v_made.triggers, v_made.trigger_tables
      FROM pg_trigger t WHERE NOT t.tgisinternal AND t.xmin = pg_current_xact_id()::xid;
    v_made.routines := ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.xmin = pg_current_xact_id()::xid);
    FOREACH v_routine IN ARRAY v_made.routines LOOP
        PERFORM chime.keep_routine_private(v_routine::regprocedure);
    END LOOP;
    INSERT INTO chime.plugin_channel AS c (plugin, channel, definition, search_path, routines, triggers, trigger_tables)
    VALUES (p_plugin, p_channel, p_definition, v_path, v_made.routines, v_made.triggers, v_made.trigger_tables)
    ON CONFLICT (plugin, channel) DO UPDATE
       SET definition = excluded.definition, search_path = excluded.search_path, routines = excluded.routines,
           triggers = excluded.triggers, trigger_tables = excluded.trigger_tables;
END $$;

-- A trigger on somebody else's table is its owner's to drop: until then its function does nothing.
CREATE FUNCTION chime.silence_channels(p_plugin text, p_channel text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_routine regprocedure;
BEGIN
    FOR v_routine IN SELECT DISTINCT t.tgfoid::regprocedure FROM chime.plugin_channel c CROSS JOIN unnest(c.routines) AS r (signature)
                     JOIN pg_trigger t ON t.tgfoid = to_regprocedure(r.signature) JOIN pg_class o ON o.oid = t.tgrelid
                     WHERE c.plugin = p_plugin AND c.channel = coalesce(p_channel, c.channel) AND NOT pg_has_role(current_user, o.relowner, 'USAGE') LOOP
        EXECUTE format('CREATE OR REPLACE FUNCTION %s RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp '
                       'AS $f$BEGIN RETURN NULL; END$f$', v_routine);
    END LOOP;
END $$;

-- Channels that are not asked for any more.
CREATE FUNCTION chime.remove_channels(p_plugin text, p_kept text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_channel chime.plugin_channel;
    v_trigger record;
    v_routine text;
    v_left boolean;
BEGIN
    FOR v_channel IN SELECT * FROM chime.plugin_channel c
                     WHERE c.plugin = p_plugin AND c.channel <> ALL (p_kept) AND c.definition <> '' FOR UPDATE LOOP
        v_left := false;
        FOR v_trigger IN SELECT * FROM chime.channel_triggers(v_channel) LOOP
            IF v_trigger.owned THEN
                EXECUTE format('DROP TRIGGER %I ON %s', v_trigger.trigger, v_trigger.relation);
            ELSE
                v_left := true;
            END IF;
        END LOOP;
        IF v_left THEN
            PERFORM chime.silence_channels(p_plugin, v_channel.channel);
            UPDATE chime.plugin_channel c SET definition = '' WHERE c.plugin = p_plugin AND c.channel = v_channel.channel;
            CONTINUE;
        END IF;
        FOREACH v_routine IN ARRAY v_channel.routines LOOP
            EXECUTE format('DROP FUNCTION IF EXISTS %s', v_routine);
        END LOOP;
        DELETE FROM chime.plugin_channel c WHERE c.plugin = p_plugin AND c.channel = v_channel.channel;
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
