-- SPDX-License-Identifier: PostgreSQL
-- The triggers that send the notifications of plugins, where a configuration asks for them.

-- Triggers of a channel that are there.
CREATE OR REPLACE FUNCTION chime.channel_triggers(p_channel chime.plugin_channel) RETURNS TABLE (relation regclass, trigger name, owned boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t.tgrelid::regclass, t.tgname, pg_has_role(current_user, c.relowner, 'USAGE')
    FROM unnest(p_channel.triggers, p_channel.trigger_tables) AS u (name, "table")
    JOIN pg_trigger t ON t.tgname = u.name AND t.tgrelid = to_regclass(u."table")
    JOIN pg_class c ON c.oid = t.tgrelid;
END;
COMMENT ON ROUTINE chime.channel_triggers IS 'triggers of a channel that are there, and whether they are ours to drop';

-- What the definition makes is found by its catalog rows, which are this transaction's: so no EXCEPTION here, whose
-- block would be another one. CREATE TRIGGER waits for the writers there are, and lets no other begin meanwhile: so for
-- no longer than 200 ms, and the caller tries again.
CREATE OR REPLACE FUNCTION chime.install_channel(p_plugin text, p_schema name, p_source_schema name, p_channel text, p_table name, p_definition text)
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
COMMENT ON ROUTINE chime.install_channel IS 'makes the trigger and function of one channel of a plugin';

-- A trigger on somebody else's table is its owner's to drop: until then its function does nothing.
CREATE OR REPLACE FUNCTION chime.silence_channels(p_plugin text, p_channel text DEFAULT NULL) RETURNS void
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
COMMENT ON ROUTINE chime.silence_channels IS 'lets channels whose triggers are another owner''s to drop send nothing';

-- Channels that are not asked for any more.
CREATE OR REPLACE FUNCTION chime.remove_channels(p_plugin text, p_kept text[]) RETURNS void
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
COMMENT ON ROUTINE chime.remove_channels IS 'drops a plugin''s channels that are not asked for any more';
