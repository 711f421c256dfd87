-- SPDX-License-Identifier: PostgreSQL
-- Views that roles keep (docs/adr/0041-views-of-roles.md): what the ledger writes down of them.
--
-- The functions here run as the ledger's owner, for the caller that chime.job_call wrote down. They plan and run
-- nothing that a caller gave them: names, definitions, keys and queries are texts that go back to their owner and to
-- nobody else. What runs them stands in role_view_making.sql and role_view_refresh.sql, and runs as the owner.

-- Where the ledger was made, the OID says who owns a view, so a role that was renamed keeps it. After a restore
-- elsewhere OIDs mean nothing, and the name says it.
CREATE OR REPLACE FUNCTION chime.owns_role_view(p_role pg_roles, p_view chime.role_view) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_view.place = chime.place() THEN p_view.owner_oid = p_role.oid ELSE p_view.owner = p_role.rolname END;
COMMENT ON FUNCTION chime.owns_role_view IS 'whether a view is that role''s';

-- The same words for a view that is not there and for one of another role.
CREATE OR REPLACE FUNCTION chime.role_view_of(p_caller name, p_name text) RETURNS chime.role_view
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_role pg_roles;
    v_view chime.role_view;
    v_found integer[];
BEGIN
    SELECT * INTO STRICT v_role FROM pg_roles r WHERE r.rolname = p_caller;
    v_found := ARRAY(SELECT v.view_id FROM chime.role_view v
                     WHERE p_name IN (v.relation, v.view_schema || '.' || v.relation) AND chime.owns_role_view(v_role, v));
    IF cardinality(v_found) = 0 THEN
        RAISE EXCEPTION 'role % keeps no view "%"', p_caller, left(p_name, 140) USING ERRCODE = 'undefined_table',
            HINT = 'SELECT * FROM chime.kept_views shows your own; only the role that keeps a view may do that';
    ELSIF cardinality(v_found) > 1 THEN
        RAISE EXCEPTION 'role % keeps a view "%" in several schemas', p_caller, p_name USING ERRCODE = 'ambiguous_alias', HINT = 'name it as schema.relation';
    END IF;
    SELECT * INTO STRICT v_view FROM chime.role_view v WHERE v.view_id = v_found[1];
    IF (v_view.owner, v_view.owner_oid, v_view.place) IS DISTINCT FROM (p_caller, v_role.oid, chime.place()) THEN
        UPDATE chime.role_view v SET owner = p_caller, owner_oid = v_role.oid, place = chime.place() WHERE v.view_id = v_view.view_id RETURNING * INTO v_view;
        UPDATE chime.job j SET owner = p_caller WHERE j.job_id = v_view.job_id AND j.removed_at IS NULL AND j.owner <> p_caller;
    END IF;
    RETURN v_view;
END $$;
COMMENT ON FUNCTION chime.role_view_of IS 'the view of that name that a role keeps, which follows a role that was renamed; raises where there is none';

-- What leads a job to look as often as target_lag asks: '1 second' at the quickest.
CREATE OR REPLACE FUNCTION chime.looking_schedule(p_target interval) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN s.seconds < 60 THEN format('%s second%s', s.seconds, CASE WHEN s.seconds > 1 THEN 's' END)
                    ELSE format('@every %sm', least(s.seconds / 60, 1440)) END
        FROM (SELECT greatest(floor(extract(epoch FROM p_target)), 1)::bigint AS seconds) AS s);
COMMENT ON FUNCTION chime.looking_schedule IS 'the schedule of a job that looks as often as a target_lag asks';

-- What is said of a view, as it is kept; raises where that is no declaration. p_old: what was said of it, NULL for a
-- new one.
CREATE OR REPLACE FUNCTION chime.read_role_view(p_declared jsonb, p_old chime.role_view) RETURNS chime.role_view
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.role_view := p_old;
BEGIN
    v_view.definition := coalesce(p_declared ->> 'definition', p_old.definition);
    v_view.mode := coalesce(p_declared ->> 'mode', p_old.mode, 'auto');
    v_view.timezone := coalesce(p_declared ->> 'timezone', p_old.timezone, 'UTC');
    v_view.comment := coalesce(p_declared ->> 'comment', p_old.comment);
    v_view.target_lag := coalesce((chime.duration_us(replace(chime.check_target_lag(p_declared ->> 'target_lag'), ' ', '')) / 1000000
                                   * interval '1 second'),
                                  CASE WHEN p_declared ? 'schedule' THEN NULL WHEN p_old.view_id IS NOT NULL THEN p_old.target_lag ELSE interval '1 second' END);
    PERFORM chime.one_of(v_view.mode, 'mode', 'auto', 'keyed', 'strict', 'full');
    IF p_declared ->> 'frozen' <> '' OR p_declared ? 'revisit' OR p_declared ->> 'target_lag' IN ('downstream', 'none') OR p_declared ->> 'schedule' = 'none' THEN
        RAISE EXCEPTION 'frozen, revisit, ''downstream'' and ''none'' are not for a view that a role keeps' USING ERRCODE = 'feature_not_supported',
            HINT = 'name a target_lag or a schedule; views of administrators have the others';
    ELSIF octet_length(v_view.definition) > 1048576 THEN
        RAISE EXCEPTION 'the definition has % bytes, more than 1048576', octet_length(v_view.definition)
            USING ERRCODE = 'program_limit_exceeded', HINT = 'make a view or a function of parts of it';
    ELSIF octet_length(v_view.comment) > 10000 THEN
        RAISE EXCEPTION 'the comment has % bytes, more than 10000', octet_length(v_view.comment) USING ERRCODE = 'program_limit_exceeded';
    ELSIF v_view.timezone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = v_view.timezone) THEN
        RAISE EXCEPTION 'there is no time zone "%"', left(v_view.timezone, 80) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write one of pg_timezone_names, such as Europe/Berlin';
    ELSIF p_declared ? 'schedule' THEN
        PERFORM chime.check_schedule(p_declared ->> 'schedule');
    END IF;
    RETURN v_view;
END $$;
COMMENT ON FUNCTION chime.read_role_view IS 'what is said of a view that a role keeps, checked';

-- The name of a view whose role is gone is free again, with what the ledger knew of it.
CREATE OR REPLACE FUNCTION chime.release_role_view(p_schema name, p_relation name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.role_view;
BEGIN
    SELECT * INTO v_view FROM chime.role_view v WHERE v.view_schema = p_schema AND v.relation = p_relation FOR UPDATE;
    IF FOUND AND NOT EXISTS (SELECT FROM pg_roles r WHERE chime.owns_role_view(r, v_view)) THEN
        PERFORM chime.forget_role_view(v_view);
    ELSIF FOUND OR EXISTS (SELECT FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation) THEN
        RAISE EXCEPTION 'there is a view %.% already', p_schema, p_relation USING ERRCODE = 'duplicate_table',
            HINT = 'chime.alter_view changes one that you keep; else give yours another name';
    END IF;
END $$;
COMMENT ON FUNCTION chime.release_role_view IS 'raises where a view of that name is kept; of one whose role is gone the name is free again';

CREATE OR REPLACE FUNCTION chime.forget_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.job j SET active = false, removed_at = clock_timestamp() WHERE j.job_id = p_view.job_id AND j.removed_at IS NULL;
    DELETE FROM chime.role_view v WHERE v.view_id = p_view.view_id;
END $$;
COMMENT ON FUNCTION chime.forget_role_view IS 'a view is kept no more: its row goes, and its job';

CREATE OR REPLACE FUNCTION chime.role_view_job(p_caller name, p_view chime.role_view, p_schedule text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM chime.job j WHERE j.owner = p_caller AND j.origin = 'sql' AND j.job_name = p_view.relation AND j.removed_at IS NULL) THEN
        RAISE EXCEPTION 'role % has a job "%" already, which is what the view''s is to be called', p_caller, p_view.relation
            USING ERRCODE = 'duplicate_object', HINT = 'give the view, or that job, another name';
    END IF;
    RETURN (chime.schedule_job(p_caller, jsonb_build_object(
        'job_name', p_view.relation, 'schedule', p_schedule,
        'command', format('SELECT chime.refresh_if_due(%L)', p_view.view_schema || '.' || p_view.relation),
        'options', '{"overlap_policy": "skip", "log_runs": "errors"}'::jsonb)) ->> 'job_id')::bigint;
END $$;
COMMENT ON FUNCTION chime.role_view_job IS 'makes the job that refreshes a view of a role, over that role''s connection';

-- What the owner's session is told of its view.
CREATE OR REPLACE FUNCTION chime.told_role_view(p_view chime.role_view) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN jsonb_build_object('view', to_jsonb(p_view), 'last', (SELECT to_jsonb(r) FROM chime.role_view_refresh r WHERE r.view_id = p_view.view_id));
COMMENT ON FUNCTION chime.told_role_view IS 'a view of a role and its last refresh, for its owner';

-- A name is taken where its relation could be made: else one role could take those of all others.
CREATE OR REPLACE FUNCTION chime.require_create(p_caller name, p_schema name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_schema oid := (SELECT n.oid FROM pg_namespace n WHERE n.nspname = p_schema);
BEGIN
    IF NOT coalesce(has_schema_privilege(p_caller, v_schema, 'USAGE') AND has_schema_privilege(p_caller, v_schema, 'CREATE'), false) THEN
        RAISE EXCEPTION '%', format(CASE WHEN v_schema IS NULL THEN 'schema "%s" does not exist' ELSE 'permission denied for schema %s' END, p_schema)
            USING ERRCODE = CASE WHEN v_schema IS NULL THEN 'invalid_schema_name' ELSE 'insufficient_privilege' END,
            HINT = format('a view is made and refreshed with the rights of role %s: it needs SELECT on what it reads, and USAGE and CREATE on schema %s, or another view_schema',
                          p_caller, p_schema);
    END IF;
END $$;
COMMENT ON FUNCTION chime.require_create IS 'raises where a role may make no relations in a schema';

CREATE OR REPLACE FUNCTION chime.begin_role_view(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.role_view;
BEGIN
    IF chime.is_administrator(p_caller) THEN
        RAISE EXCEPTION 'role % keeps views as the ledger''s owner', p_caller USING ERRCODE = 'insufficient_privilege', HINT = 'call chime.keep_view';
    ELSIF NOT p_declared ?& '{name,definition,view_schema,source_schema}' THEN
        RAISE EXCEPTION 'a view needs a name, a definition, a view_schema and a source_schema, and one of these is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'leave out what is to be as usual';
    ELSIF p_declared ->> 'view_schema' ~ '^(pg_|chime$|cron$|information_schema$)' THEN
        RAISE EXCEPTION 'views are not kept in schema %', p_declared ->> 'view_schema' USING ERRCODE = 'invalid_schema_name',
            HINT = 'name one as view_schema in which you may make relations';
    END IF;
    PERFORM chime.require_create(p_caller, p_declared ->> 'view_schema');
    PERFORM chime.check_login(p_caller);
    v_view := chime.read_role_view(p_declared, NULL);
    v_view.view_schema := p_declared ->> 'view_schema';
    v_view.relation := chime.check_relation_name(p_declared ->> 'name');
    PERFORM chime.release_role_view(v_view.view_schema, v_view.relation);
    v_view.job_id := chime.role_view_job(p_caller, v_view, coalesce(p_declared ->> 'schedule', chime.looking_schedule(v_view.target_lag)));
    INSERT INTO chime.role_view (owner, owner_oid, place, view_schema, relation, job_id, definition, search_path, timezone, mode, target_lag, comment)
    SELECT p_caller, r.oid, chime.place(), v_view.view_schema, v_view.relation, v_view.job_id, v_view.definition,
           format('%I, %I, pg_temp', p_declared ->> 'source_schema', v_view.view_schema), v_view.timezone, v_view.mode, v_view.target_lag, v_view.comment
    FROM pg_roles r WHERE r.rolname = p_caller
    RETURNING * INTO v_view;
    INSERT INTO chime.role_view_refresh (view_id) VALUES (v_view.view_id);
    RETURN chime.told_role_view(v_view);
END $$;
COMMENT ON FUNCTION chime.begin_role_view IS 'writes down a view that a role is to keep, and its job';

CREATE OR REPLACE FUNCTION chime.change_role_view(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_old chime.role_view := chime.role_view_of(p_caller, p_declared ->> 'name');
    v_view chime.role_view := chime.read_role_view(p_declared, v_old);
    v_schedule text := coalesce(p_declared ->> 'schedule', CASE WHEN p_declared ? 'target_lag' THEN chime.looking_schedule(v_view.target_lag) END);
BEGIN
    UPDATE chime.role_view v
       SET definition = v_view.definition, mode = v_view.mode, timezone = v_view.timezone, target_lag = v_view.target_lag, comment = v_view.comment,
           asked = NULL
     WHERE v.view_id = v_view.view_id RETURNING * INTO v_view;
    UPDATE chime.role_view_refresh r SET fingerprint = NULL WHERE r.view_id = v_view.view_id;
    UPDATE chime.job j SET schedule = v_schedule WHERE j.job_id = v_view.job_id AND j.removed_at IS NULL AND v_schedule IS NOT NULL;
    RETURN chime.told_role_view(v_view);
END $$;
COMMENT ON FUNCTION chime.change_role_view IS 'changes what is said of a view that a role keeps';

-- The row is the lock: one refresh at a time. if_due: the job asks, which does not wait, and lets a view that is
-- computed as a whole rest for twice as long as that takes.
CREATE OR REPLACE FUNCTION chime.begin_role_refresh(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.role_view := chime.role_view_of(p_caller, p_declared ->> 'name');
    v_last chime.role_view_refresh;
BEGIN
    IF (p_declared ->> 'if_due')::boolean THEN
        SELECT * INTO v_last FROM chime.role_view_refresh r WHERE r.view_id = v_view.view_id FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            RETURN jsonb_build_object('words', 'it is being refreshed by another session');
        ELSIF v_view.full_reason IS NOT NULL AND v_view.target_lag IS NOT NULL
              AND v_last.refreshed_at BETWEEN clock_timestamp() - greatest(v_view.target_lag / 2, 2 * coalesce(v_last.full_us, 0) * interval '1 microsecond')
                                          AND clock_timestamp() THEN
            RETURN jsonb_build_object('words', 'not due yet');
        END IF;
    ELSE
        PERFORM FROM chime.role_view_refresh r WHERE r.view_id = v_view.view_id FOR UPDATE;
    END IF;
    RETURN chime.told_role_view(v_view);
END $$;
COMMENT ON FUNCTION chime.begin_role_refresh IS 'begins a refresh of a view that a role keeps: what is known of it; words alone: there is nothing to do';

CREATE OR REPLACE FUNCTION chime.note_role_view_proof(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.role_view := chime.role_view_of(p_caller, p_declared ->> 'name');
BEGIN
    IF octet_length(p_declared::text) > 1048576 THEN
        RAISE EXCEPTION 'what leads to its groups has % bytes, more than 1048576', octet_length(p_declared::text) USING ERRCODE = 'program_limit_exceeded',
            HINT = 'give the view mode "full"';
    END IF;
    UPDATE chime.role_view v
       SET key = ARRAY(SELECT jsonb_array_elements_text(p_declared -> 'key')), grain = ARRAY(SELECT jsonb_array_elements_text(p_declared -> 'grain')),
           full_reason = left(p_declared ->> 'reason', 2000), sources = coalesce(p_declared -> 'sources', '[]'), asked = left(p_declared ->> 'asked', 200)
     WHERE v.view_id = v_view.view_id RETURNING * INTO v_view;
    UPDATE chime.role_view_refresh r SET fingerprint = NULL WHERE r.view_id = v_view.view_id;
    RETURN chime.told_role_view(v_view);
END $$;
COMMENT ON FUNCTION chime.note_role_view_proof IS 'writes down what the owner''s session proved of its view';

CREATE OR REPLACE FUNCTION chime.note_role_view_refresh(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.role_view := chime.role_view_of(p_caller, p_declared ->> 'name');
    v_done record;
    v_cost record;
BEGIN
    SELECT * INTO v_done FROM jsonb_to_record(p_declared) AS d (method text, reason text, keys bigint, rows bigint, inserted bigint, updated bigint,
                                                               deleted bigint, duration_us bigint, fingerprint text);
    IF v_done.duration_us NOT BETWEEN 0 AND 86400000000 * 365 OR v_done.rows NOT BETWEEN 0 AND 1e15 OR v_done.keys NOT BETWEEN 0 AND 1e15
       OR NOT (v_done.inserted BETWEEN 0 AND 1e15 AND v_done.updated BETWEEN 0 AND 1e15 AND v_done.deleted BETWEEN 0 AND 1e15) THEN
        RAISE EXCEPTION 'what this refresh is said to have done cannot be' USING ERRCODE = 'numeric_value_out_of_range';
    END IF;
    SELECT c.* INTO v_cost FROM chime.role_view_refresh r
     CROSS JOIN LATERAL chime.learn_cost(r.floor_us, r.key_us, v_done.keys, v_done.duration_us) AS c WHERE r.view_id = v_view.view_id;
    UPDATE chime.role_view_refresh r
       SET refreshed_at = now(), method = chime.one_of(v_done.method, 'method', 'keyed', 'full'), reason = left(v_done.reason, 2000), keys = v_done.keys,
           rows = coalesce(v_done.rows, r.rows), inserted = v_done.inserted, updated = v_done.updated, deleted = v_done.deleted,
           duration_us = v_done.duration_us, refreshes = r.refreshes + 1, fingerprint = left(v_done.fingerprint, 200),
           changed_at = CASE WHEN v_done.inserted + v_done.updated + v_done.deleted > 0 THEN now() ELSE r.changed_at END,
           full_us = CASE WHEN v_done.method = 'full' THEN v_done.duration_us ELSE r.full_us END,
           compared_at = CASE WHEN v_done.method = 'full' THEN now() ELSE r.compared_at END,
           floor_us = CASE WHEN v_done.keys > 0 THEN v_cost.floor_us WHEN v_done.method = 'full' THEN r.floor_us * 3 / 4 ELSE r.floor_us END,
           key_us = CASE WHEN v_done.keys > 0 THEN v_cost.key_us WHEN v_done.method = 'full' THEN r.key_us * 3 / 4 ELSE r.key_us END
     WHERE r.view_id = v_view.view_id;
    RETURN '{"done": true}';
END $$;
COMMENT ON FUNCTION chime.note_role_view_refresh IS 'writes down what a refresh did, as the owner''s session tells';

CREATE OR REPLACE FUNCTION chime.end_role_view(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.role_view := chime.role_view_of(p_caller, p_declared ->> 'name');
BEGIN
    PERFORM chime.forget_role_view(v_view);
    RETURN jsonb_build_object('view', to_jsonb(v_view));
END $$;
COMMENT ON FUNCTION chime.end_role_view IS 'a role keeps a view no more; what it was';

CREATE OR REPLACE FUNCTION chime.answer_role_view_call(p_verb text, p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    CASE p_verb
        WHEN 'role_view_begin' THEN RETURN chime.begin_role_view(p_caller, p_arguments);
        WHEN 'role_view_change' THEN RETURN chime.change_role_view(p_caller, p_arguments);
        WHEN 'role_view_look' THEN RETURN chime.begin_role_refresh(p_caller, p_arguments);
        WHEN 'role_view_proof' THEN RETURN chime.note_role_view_proof(p_caller, p_arguments);
        WHEN 'role_view_refresh' THEN RETURN chime.note_role_view_refresh(p_caller, p_arguments);
        WHEN 'role_view_explain' THEN RETURN jsonb_build_object('lines', to_jsonb(ARRAY(
            SELECT chime.explain_role_view(chime.role_view_of(p_caller, p_arguments ->> 'name')))));
        WHEN 'role_view_end' THEN RETURN chime.end_role_view(p_caller, p_arguments);
        ELSE RAISE EXCEPTION 'there is no call "%"', left(p_verb, 80) USING ERRCODE = 'case_not_found', HINT = 'chime.schedule and its like make the calls';
    END CASE;
END $$;
COMMENT ON FUNCTION chime.answer_role_view_call IS 'what a role''s session asks of the ledger for a view that it keeps';

-- --- what is to be seen ----------------------------------------------------------------------------------------------

-- Of what its owner's sessions told: nothing is planned for it.
CREATE OR REPLACE FUNCTION chime.explain_role_view(p_view chime.role_view) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.line FROM (
        SELECT 1 AS n, 0 AS source, CASE WHEN p_view.full_reason IS NULL THEN 'keyed by:   ' || array_to_string(p_view.grain, ', ')
                                         ELSE 'full:       ' || p_view.full_reason END AS line
        UNION ALL
        SELECT 2, 0, 'unique by:  ' || array_to_string(p_view.key, ', ')
        UNION ALL
        SELECT 3, s.number, format('writes to %s.%s:  INSERT, UPDATE and DELETE leave a small mark (%s)', s.item ->> 'schema', s.item ->> 'table',
                                   (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(s.item -> 'captured') AS c))
        FROM jsonb_array_elements(p_view.sources) WITH ORDINALITY AS s (item, number)
        UNION ALL
        SELECT 3, s.number, format('    which leads to %s by:  %s', array_to_string(p_view.grain, ', '), left(regexp_replace(s.item ->> 'map', '\s+', ' ', 'g'), 160))
        FROM jsonb_array_elements(p_view.sources) WITH ORDINALITY AS s (item, number) WHERE s.item ->> 'map' IS NOT NULL
        UNION ALL
        SELECT 4, 0, 'writes:     cost nothing more' WHERE p_view.full_reason IS NOT NULL
        UNION ALL
        SELECT 5, 0, 'a refresh:  ' || concat_ws('; ', CASE WHEN p_view.full_reason IS NULL AND r.key_us IS NOT NULL
                                                          THEN format('%s ms and %s ms for each group that changed', round((r.floor_us / 1000)::numeric, 1), round((r.key_us / 1000)::numeric, 3)) END,
                                                     format('everything took %s ms', round(r.full_us / 1000.0, 1)))
        FROM chime.role_view_refresh r WHERE r.view_id = p_view.view_id AND r.full_us IS NOT NULL) AS l
    ORDER BY l.n, l.source, l.line LIKE ' %';
END;
COMMENT ON FUNCTION chime.explain_role_view IS 'as chime.explain_view, of a view that a role keeps';

-- As chime.view_status has views; no definition among it. A size would take a lock on a relation that is the role's.
CREATE OR REPLACE FUNCTION chime.role_view_states()
RETURNS TABLE (view_id integer, owner name, view_schema name, relation name, mode text, full_reason text, method text, reason text, refreshed_at timestamptz,
               changed_at timestamptz, duration_us bigint, keys bigint, rows bigint, inserted bigint, updated bigint, deleted bigint, refreshes bigint,
               target_lag interval, warn_after interval, error_after interval, behind interval, freshness text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT v.view_id, v.owner, v.view_schema, v.relation, v.mode, v.full_reason, r.method, r.reason, r.refreshed_at, r.changed_at, r.duration_us, r.keys,
           r.rows, r.inserted, r.updated, r.deleted, r.refreshes, v.target_lag, t.warn, t.error, f.behind, f.state
    FROM chime.role_view v JOIN chime.role_view_refresh r ON r.view_id = v.view_id
    CROSS JOIN LATERAL (SELECT CASE WHEN v.target_lag IS NOT NULL THEN greatest(2 * v.target_lag, interval '5 s') END AS warn,
                               CASE WHEN v.target_lag IS NOT NULL THEN greatest(10 * v.target_lag, interval '60 s') END AS error) AS t
    CROSS JOIN LATERAL chime.freshness(false, NULL, NULL, r.refreshed_at, false, t.warn, t.error, clock_timestamp()) AS f;
END $$;
COMMENT ON FUNCTION chime.role_view_states IS 'views that roles keep: the last refresh, and how far each is behind at most; for whoever sees everybody''s';

-- By name and OID: one that gets the name of a dropped role sees nothing of that one's.
CREATE OR REPLACE VIEW chime.own_role_views WITH (security_barrier = true) AS
SELECT v AS view, r AS last
FROM chime.role_view v JOIN chime.role_view_refresh r ON r.view_id = v.view_id
JOIN pg_catalog.pg_roles o ON o.rolname = current_user AND o.rolname = v.owner AND o.oid = v.owner_oid;
COMMENT ON VIEW chime.own_role_views IS 'views that a role keeps, to each role its own, as functions take them: for RELATION__now, which writes nothing';

CREATE OR REPLACE VIEW chime.kept_views WITH (security_barrier = true) AS
SELECT (k.view).view_schema, (k.view).relation, (k.view).mode, (k.view).key, (k.view).grain, (k.view).full_reason, (k.view).target_lag, (k.last).method,
       (k.last).reason, (k.last).refreshed_at, (k.last).changed_at, (k.last).duration_us, (k.last).keys, (k.last).rows, (k.last).inserted, (k.last).updated,
       (k.last).deleted, (k.last).refreshes, j.job_id, s.last_outcome, s.consecutive_failures, j.problem, (k.view).definition
FROM chime.own_role_views k LEFT JOIN chime.job j ON j.job_id = (k.view).job_id LEFT JOIN chime.job_state s ON s.job_id = (k.view).job_id;
COMMENT ON VIEW chime.kept_views IS 'views that a role keeps by chime.keep_view, to each role its own; chime.job_runs has the errors of their jobs';
