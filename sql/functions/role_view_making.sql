-- SPDX-License-Identifier: PostgreSQL
-- Views that roles keep: how one is made, proven and followed (docs/adr/0041-views-of-roles.md).
--
-- All of this file runs as whoever calls it, which is the view's owner, and so does what it makes: RELATION__live (the
-- definition), RELATION (its rows), and of a keyed view for each source a table of marks RELATION__mN with the trigger
-- function of that name. The ledger is asked through chime.job_call, and believes nothing that would be run.

-- As functions of proofs and refreshes take a view. plugin NULL: of a role, whose session this is.
CREATE OR REPLACE FUNCTION chime.as_view(p_view chime.role_view) RETURNS chime.view
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view chime.view;
BEGIN
    v_view.view_schema := p_view.view_schema;
    v_view.relation := p_view.relation;
    v_view.view_id := p_view.view_id;
    v_view.key := p_view.key;
    v_view.grain := p_view.grain;
    v_view.stamps := '{}';
    v_view.mode := p_view.mode;
    v_view.full_reason := p_view.full_reason;
    v_view.definition := p_view.definition;
    v_view.search_path := p_view.search_path;
    v_view.timezone := p_view.timezone;
    RETURN v_view;
END $$;
COMMENT ON FUNCTION chime.as_view IS 'a view of a role as functions of proofs take one';

CREATE OR REPLACE FUNCTION chime.marks_name(p_view chime.role_view, p_number bigint) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('%I.%I', p_view.view_schema, p_view.relation || '__m' || p_number);
COMMENT ON FUNCTION chime.marks_name IS 'the table of marks of a source, and its trigger function';

-- --- relations -------------------------------------------------------------------------------------------------------

-- RELATION__live by the owner's own rights. A name that is taken is an error of PostgreSQL's, whoever has it.
CREATE OR REPLACE FUNCTION chime.define_role_view(p_view chime.role_view, p_statement text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.require_one_statement(p_view.search_path, p_view.definition);
    PERFORM set_config('search_path', p_view.search_path, true), set_config('TimeZone', p_view.timezone, true);
    EXECUTE format('%s %I.%I AS %s', p_statement, p_view.view_schema, p_view.relation || '__live', p_view.definition);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM chime.refuse_reserved_names(chime.as_view(p_view)), chime.refuse_hidden(chime.live_of(chime.as_view(p_view)));
EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
    RAISE EXCEPTION '%', SQLERRM USING ERRCODE = SQLSTATE,
        HINT = format('a view is made and refreshed with the rights of role %s: it needs SELECT on what it reads, and CREATE on schema %s, or another view_schema',
                      current_user, p_view.view_schema);
END $$;
COMMENT ON FUNCTION chime.define_role_view IS 'makes RELATION__live of a view that the caller keeps';

-- A function or operator of another role that the definition found in place of PostgreSQL's of that name: whoever may
-- CREATE in a schema that it is parsed with could have run code as the owner of the view.
CREATE OR REPLACE FUNCTION chime.refuse_hidden(p_live regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_found text;
BEGIN
    WITH used AS (
        SELECT m.t[1] AS kind, m.t[2]::oid AS oid FROM pg_rewrite w
        CROSS JOIN LATERAL regexp_matches(w.ev_action::text, ':(funcid|aggfnoid|winfnoid|opno) (\d+)', 'g') AS m (t) WHERE w.ev_class = p_live),
    others AS (
        SELECT p.oid::regprocedure::text AS name, p.proowner AS owner FROM used u JOIN pg_proc p ON p.oid = u.oid AND u.kind <> 'opno'
        WHERE p.pronamespace <> 'pg_catalog'::regnamespace
          AND EXISTS (SELECT FROM pg_proc o WHERE o.proname = p.proname AND o.pronamespace = 'pg_catalog'::regnamespace)
        UNION
        SELECT 'operator ' || p.oid::regoperator, p.oprowner FROM used u JOIN pg_operator p ON p.oid = u.oid AND u.kind = 'opno'
        WHERE p.oprnamespace <> 'pg_catalog'::regnamespace
          AND EXISTS (SELECT FROM pg_operator o WHERE o.oprname = p.oprname AND o.oprnamespace = 'pg_catalog'::regnamespace))
    SELECT format('%s of role %I', o.name, r.rolname) INTO v_found FROM others o JOIN pg_roles r ON r.oid = o.owner
     WHERE r.rolname <> current_user AND NOT r.rolsuper LIMIT 1;
    IF v_found IS NOT NULL THEN
        RAISE EXCEPTION 'the definition found %, which hides one of PostgreSQL''s', v_found USING ERRCODE = 'invalid_object_definition',
            HINT = 'write pg_catalog. before the name, or keep the view in a schema in which nobody else may create';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_hidden IS 'raises where a definition found another role''s function or operator in place of one of PostgreSQL''s';

CREATE OR REPLACE FUNCTION chime.make_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_name text := format('%I.%I', p_view.view_schema, p_view.relation);
BEGIN
    EXECUTE format('CREATE TABLE %s WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05) AS TABLE %I.%I WITH NO DATA',
                   v_name, p_view.view_schema, p_view.relation || '__live');
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_name);
    EXECUTE format('CREATE UNIQUE INDEX ON %s (%s) NULLS NOT DISTINCT', v_name, (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_view.key) AS k));
    EXECUTE format('COMMENT ON TABLE %s IS %L', v_name, coalesce(p_view.comment, 'kept by chime.keep_view'));
END $$;
COMMENT ON FUNCTION chime.make_role_view IS 'makes the empty table of a view that the caller keeps';

-- Whether the table has the columns of the definition, and a unique index by the key.
CREATE OR REPLACE FUNCTION chime.role_view_fits(p_view chime.role_view) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = o.kept)
                        = array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = o.live), false)
               AND bool_and(chime.key_index_of(o.kept, p_view.key, NULL) IS NOT NULL)
        FROM (SELECT chime.owned_relation(p_view.view_schema, p_view.relation) AS kept,
                     chime.owned_relation(p_view.view_schema, p_view.relation || '__live') AS live) AS o
        JOIN pg_attribute a ON a.attrelid IN (o.kept, o.live) AND a.attnum > 0 AND NOT a.attisdropped);
COMMENT ON FUNCTION chime.role_view_fits IS 'whether the table of a view that the caller keeps has the columns of its definition, and its key';

-- What its owner granted on the table that is made anew is granted on the new one.
CREATE OR REPLACE FUNCTION chime.remake_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation);
    v_grants text[] := ARRAY(
        SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, v_name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
        WHERE c.oid = chime.owned_relation(p_view.view_schema, p_view.relation) AND a.grantee <> c.relowner);
    v_grant text;
BEGIN
    EXECUTE format('DROP TABLE %s', v_name);
    PERFORM chime.make_role_view(p_view);
    FOREACH v_grant IN ARRAY v_grants LOOP
        EXECUTE v_grant;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.remake_role_view IS 'makes the table of a view that the caller keeps anew, with other columns';

-- --- what a change of a source concerns ------------------------------------------------------------------------------

-- Why marks of tables cannot be had by this role, or would not tell all that changes what it sees; NULL: they can.
CREATE OR REPLACE FUNCTION chime.unfollowable(p_live regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format(CASE WHEN c.relkind <> 'r' THEN '%s is no plain table'
                                      WHEN c.relpersistence <> 'p' THEN '%s is not permanent'
                                      WHEN c.relrowsecurity THEN '%s has row-level security: its marks would tell of rows that this role may not see'
                                      WHEN c.relispartition OR i.related THEN '%s has partitions or children, or is one of another table'
                                      WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN '%s may be read by this role in part only'
                                      WHEN i.ours THEN 'pgchime writes to %s, where a trigger of another role would run as pgchime'
                                      ELSE 'this role has no privilege TRIGGER on %s, which would let it run code as whoever writes there' END,
                                 c.oid::regclass), '; ' ORDER BY c.oid::regclass::text)
        FROM chime.tables_read(p_live) AS t JOIN pg_class c ON c.oid = t
        CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent)) AS related,
                                   c.relowner = (SELECT l.relowner FROM pg_class l WHERE l.oid = 'chime.job'::regclass) AS ours) AS i
        WHERE c.relkind <> 'r' OR c.relpersistence <> 'p' OR c.relrowsecurity OR c.relispartition OR i.related OR i.ours
           OR NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_table_privilege(c.oid, 'TRIGGER'));
COMMENT ON FUNCTION chime.unfollowable IS 'why a role cannot follow the tables that a view of its reads; NULL: it can';

-- Of types of which equal values are the same bytes alone: whatever else an equality takes for one, a definition may
-- tell apart.
CREATE OR REPLACE FUNCTION chime.unmarked_columns(p_proven chime.key_proof[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%s.%I leads to its groups and is of type %s', k.relation::regclass, a.attname, format_type(a.atttypid, a.atttypmod)), '; ')
        FROM unnest(p_proven) AS k JOIN pg_attribute a ON a.attrelid = k.relation AND a.attname = ANY (k.captured) AND NOT a.attisdropped
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE a.attname LIKE 'chime\_%' OR NOT coalesce(l.collisdeterministic, true)
           OR NOT (chime.equal_is_same(a.atttypid) OR a.atttypid = 'varchar'::regtype));
COMMENT ON FUNCTION chime.unmarked_columns IS 'columns of sources that cannot be those of marks of a role''s view; NULL: none';

-- By which columns a view of the caller's is computed group by group, and what it follows for that; why not, where it
-- cannot. The view is there, with its key.
CREATE OR REPLACE FUNCTION chime.prove_role_view(p_view chime.view, OUT grain name[], OUT reason text, OUT sources jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_variable
DECLARE
    v_view chime.view := p_view;
    v_candidate name[];
    v_proven chime.key_proof[];
    v_why text;
BEGIN
    v_view.grain := p_view.key[1:4];
    grain := v_view.grain;
    sources := '[]';
    reason := coalesce(CASE WHEN p_view.mode = 'full' THEN 'its mode is full' END, chime.unfollowable(chime.live_of(p_view)), chime.unkeyable(v_view));
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    FOR v_candidate IN SELECT c.grain FROM chime.grain_candidates(p_view) AS c LOOP
        CONTINUE WHEN chime.grain_problem(chime.kept_of(p_view), v_candidate) IS NOT NULL;
        v_view.grain := v_candidate;
        BEGIN
            v_proven := ARRAY(SELECT k FROM chime.prove_keys(v_view, v_candidate) AS k);
            v_why := coalesce(
                (SELECT chime.unproven_words(v_view, array_agg(k.relation::regclass ORDER BY k.relation::regclass::text)) FROM unnest(v_proven) AS k
                 WHERE k.unproven HAVING count(*) > 0),
                chime.unmarked_columns(v_proven),
                CASE WHEN v_proven = '{}' THEN 'it reads no table, so no mark tells when it changes' END,
                (SELECT format('changes of %s are not captured', string_agg(t::regclass::text, ', ')) FROM chime.tables_read(chime.live_of(p_view)) AS t
                 WHERE t NOT IN (SELECT k.relation FROM unnest(v_proven) AS k) HAVING count(*) > 0),
                (SELECT format('no index finds one group in %s: make one that begins with %s', string_agg(u, ', '), array_to_string(v_candidate, ', '))
                 FROM chime.unrestricted_scans(p_view.view_schema, p_view.relation, v_candidate) AS u HAVING count(*) > 0));
        EXCEPTION WHEN data_exception THEN
            v_why := 'PostgreSQL cannot plan it for one group: ' || SQLERRM;
        END;
        IF v_why IS NULL THEN
            grain := v_candidate;
            reason := NULL;
            sources := (SELECT jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname, 'captured', to_jsonb(k.captured), 'map', k.map)
                                         ORDER BY k.relation)
                        FROM unnest(v_proven) AS k JOIN pg_class c ON c.oid = k.relation JOIN pg_namespace n ON n.oid = c.relnamespace);
            RETURN;
        END IF;
        reason := coalesce(reason, v_why);
    END LOOP;
    reason := coalesce(reason, 'nothing shows by which columns its groups could be computed');
END $$;
COMMENT ON FUNCTION chime.prove_role_view IS 'by which columns a view of the caller''s is computed group by group, and what it follows; why not, where it cannot';

-- --- marks -----------------------------------------------------------------------------------------------------------

-- No writer of a source fails for a view's sake: what cannot be marked in detail is marked as a whole, and where even
-- that is impossible (the owner dropped the marks, or lost its rights) the fingerprint of the next refresh is another.
-- A column of another type than it had is not touched: an operator or cast of the table's owner would run as the
-- view's.
-- 64 MB: past that nothing is written, and the next refresh does everything. Each writer
-- locks the table of marks, so that a refresh, which locks it too, also waits for a writer that wrote none for this.
CREATE OR REPLACE FUNCTION chime.mark_function(p_create text, p_marks text, p_source regclass, p_captured name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN format('%s FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', p_create, p_marks,
    chime.fill_template($body$
    BEGIN
        LOCK TABLE {{marks}} IN ROW EXCLUSIVE MODE;
        IF pg_relation_size({{name}}::regclass) >= 67108864 THEN
            RETURN NULL;
        ELSIF (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = TG_RELID AND NOT a.attisdropped AND (a.attname, a.atttypid) IN ({{types}})) <> {{count}} THEN
            INSERT INTO {{marks}} (chime_whole) VALUES (true);
        ELSIF TG_OP = 'INSERT' THEN
            INSERT INTO {{marks}} ({{captured}}) SELECT DISTINCT {{captured}} FROM new_rows;
        ELSIF TG_OP = 'DELETE' THEN
            INSERT INTO {{marks}} ({{captured}}) SELECT DISTINCT {{captured}} FROM old_rows;
        ELSIF TG_OP = 'UPDATE' THEN
            INSERT INTO {{marks}} ({{captured}}) SELECT {{captured}} FROM old_rows UNION SELECT {{captured}} FROM new_rows;
        ELSE
            INSERT INTO {{marks}} (chime_whole) VALUES (true);
        END IF;
        RETURN NULL;
    EXCEPTION
        WHEN undefined_table OR invalid_schema_name OR insufficient_privilege THEN
            RETURN NULL;
        WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
            RAISE;
        WHEN OTHERS THEN
            INSERT INTO {{marks}} (chime_whole) VALUES (true);
            RETURN NULL;
    END $body$, jsonb_build_object('marks', p_marks, 'name', quote_literal(p_marks), 'count', cardinality(p_captured),
        'captured', (SELECT string_agg(quote_ident(c), ', ') FROM unnest(p_captured) AS c),
        'types', (SELECT string_agg(format('(%L::name, %s::oid)', a.attname, a.atttypid), ', ')
                  FROM pg_attribute a WHERE a.attrelid = p_source AND a.attname = ANY (p_captured) AND NOT a.attisdropped))));
COMMENT ON FUNCTION chime.mark_function IS 'the statement that makes the trigger function of a source of a role''s view';

CREATE OR REPLACE FUNCTION chime.mark_triggers(p_view chime.role_view, p_source regclass, p_function text, p_armed boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_event chime.capture_event;
BEGIN
    FOR v_event IN SELECT * FROM chime.capture_events() LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER chime_kept_%s_%s AFTER %2$s ON %s %s FOR EACH STATEMENT %s EXECUTE FUNCTION %s()', p_view.view_id, v_event.event,
                       p_source, CASE WHEN p_armed THEN v_event.referencing END, CASE WHEN NOT p_armed THEN 'WHEN (false)' END, p_function);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.mark_triggers IS 'makes the triggers of a role''s view on a source; not armed: they never fire, since only a table''s owner drops triggers';

CREATE OR REPLACE FUNCTION chime.role_view_sources(p_view chime.role_view)
RETURNS TABLE (number bigint, source oid, captured name[], map text, marks text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.number, c.oid, ARRAY(SELECT e FROM jsonb_array_elements_text(s.item -> 'captured') AS e), s.item ->> 'map', chime.marks_name(p_view, s.number)
    FROM jsonb_array_elements(p_view.sources) WITH ORDINALITY AS s (item, number)
    JOIN pg_namespace n ON n.nspname = s.item ->> 'schema' JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.item ->> 'table';
END;
COMMENT ON FUNCTION chime.role_view_sources IS 'the sources that a keyed view of a role follows';

-- By their names and what is in them, whatever the view follows by now: a table or function of the caller's that has
-- such a name by chance is none.
CREATE OR REPLACE FUNCTION chime.role_view_marks(p_view chime.role_view)
RETURNS TABLE (name name, marks text, marking oid, kept oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(p.proname, c.relname), format('%I.%I', p_view.view_schema, coalesce(p.proname, c.relname)), p.oid, c.oid
    FROM (SELECT p.oid, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
          WHERE n.nspname = p_view.view_schema AND p.proname ~ ('^' || p_view.relation || '__m[0-9]+$') AND p.pronargs = 0
            AND p.prorettype = 'trigger'::regtype AND pg_get_userbyid(p.proowner) = current_user
            AND (p.prosrc LIKE '%(chime_whole)%' OR p.prosrc = ' BEGIN RETURN NULL; END ')) AS p
    FULL JOIN (SELECT c.oid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = p_view.view_schema AND c.relname ~ ('^' || p_view.relation || '__m[0-9]+$') AND c.relkind = 'r'
                 AND pg_get_userbyid(c.relowner) = current_user
                 AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'chime_whole')) AS c ON c.relname = p.proname
    WHERE (SELECT has_schema_privilege(n.oid, 'USAGE') FROM pg_namespace n WHERE n.nspname = p_view.view_schema);
END;
COMMENT ON FUNCTION chime.role_view_marks IS 'tables of marks and trigger functions that a view of the caller''s has or had';

-- Nobody waits for it: what cannot be had at once stays until the view is keyed again, or dropped.
CREATE OR REPLACE FUNCTION chime.silence_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET client_min_messages = warning AS $$
DECLARE v_marks record;
BEGIN
    FOR v_marks IN SELECT * FROM chime.role_view_marks(p_view) LOOP
        BEGIN
            IF v_marks.marking IS NOT NULL THEN
                EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NULL; END $f$', v_marks.marks);
            END IF;
            IF v_marks.kept IS NOT NULL THEN
                EXECUTE format('DROP TABLE %s', v_marks.marks);
            END IF;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR insufficient_privilege OR dependent_objects_still_exist THEN
            NULL;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.silence_role_view IS 'lets what captures changes for a view that the caller keeps do nothing, and drops its marks';

-- Makes what captures changes of a view's sources, as far as it is not there. lock_timeout: writers of a source wait
-- while its triggers are made.
CREATE OR REPLACE FUNCTION chime.follow_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' SET client_min_messages = warning AS $$
DECLARE
    v_source record;
    v_columns text;
BEGIN
    FOR v_source IN SELECT s.*, m.kept, m.marking FROM chime.role_view_sources(p_view) AS s LEFT JOIN chime.role_view_marks(p_view) AS m ON m.marks = s.marks LOOP
        SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, NULL), chime.collation_of(a.attrelid, a.attname)), ', ' ORDER BY u.n)
          INTO v_columns FROM unnest(v_source.captured) WITH ORDINALITY AS u (name, n) JOIN pg_attribute a ON a.attrelid = v_source.source AND a.attname = u.name;
        IF v_source.kept IS NOT NULL THEN
            EXECUTE format('DROP TABLE %s', v_source.marks);
        END IF;
        EXECUTE format('CREATE TABLE %s (%s, chime_whole boolean NOT NULL DEFAULT false) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)',
                       v_source.marks, v_columns);
        EXECUTE format('COMMENT ON TABLE %s IS %L', v_source.marks, format('marks of %s for %s, which its refreshes take', v_source.source::regclass, p_view.relation));
        EXECUTE chime.mark_function(CASE WHEN v_source.marking IS NULL THEN 'CREATE' ELSE 'CREATE OR REPLACE' END,
                                    v_source.marks, v_source.source, v_source.captured);
        EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', v_source.marks);
        PERFORM chime.mark_triggers(p_view, v_source.source, v_source.marks, true);
    END LOOP;
    IF p_view.sources <> '[]' AND NOT chime.has_grain_index(chime.owned_relation(p_view.view_schema, p_view.relation), p_view.grain) THEN
        EXECUTE format('CREATE INDEX ON %I.%I (%s)', p_view.view_schema, p_view.relation, (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_view.grain) AS g));
    END IF;
END $$;
COMMENT ON FUNCTION chime.follow_role_view IS 'makes the marks and triggers of a view that the caller keeps';

-- What would let a change pass without a mark: its triggers, tables and functions, the storage of each source, and the
-- rights by which its trigger functions write. Another one means that everything is done anew. NULL: something is not
-- there.
CREATE OR REPLACE FUNCTION chime.role_view_looks(p_view chime.role_view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    WITH RECURSIVE groups AS (
        SELECT r.oid, NULL::text AS granted FROM pg_roles r WHERE r.rolname = current_user
        UNION
        SELECT m.roleid, m.xmin::text FROM groups g JOIN pg_auth_members m ON m.member = g.oid),
    looks AS (
        SELECT s.number, (SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class k ON k.oid = to_regclass(s.marks)
                          WHERE t.tgrelid = s.source AND p.oid = to_regprocedure(s.marks || '()') AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL
                            AND t.tgname LIKE format('chime\_kept\_%s\_%%', p_view.view_id) AND p.prosecdef
                            AND p.proowner = k.relowner AND pg_get_userbyid(k.relowner) = current_user) = 4
                   AND (SELECT count(*) FROM pg_attribute m JOIN pg_attribute a ON a.attrelid = s.source AND a.attname = m.attname
                        WHERE m.attrelid = to_regclass(s.marks) AND m.attname = ANY (s.captured) AND NOT m.attisdropped AND NOT a.attisdropped
                          AND (m.atttypid, m.attcollation) = (a.atttypid, a.attcollation)) = cardinality(s.captured) AS whole,
               concat_ws(' ', s.source, pg_relation_filenode(s.source), (SELECT c.xmin FROM pg_class c WHERE c.oid = s.source),
                         (SELECT string_agg(concat_ws(' ', t.oid, t.xmin), ' ' ORDER BY t.oid) FROM pg_trigger t
                          WHERE t.tgrelid = s.source AND t.tgfoid = to_regprocedure(s.marks || '()')),
                         (SELECT string_agg(concat_ws(' ', a.attnum, a.xmin), ' ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = s.source AND a.attnum > 0),
                         (SELECT concat_ws(' ', k.oid, k.xmin, pg_relation_filenode(k.oid)) FROM pg_class k WHERE k.oid = to_regclass(s.marks)),
                         (SELECT concat_ws(' ', p.oid, p.xmin) FROM pg_proc p WHERE p.oid = to_regprocedure(s.marks || '()'))) AS look
        FROM chime.role_view_sources(p_view) AS s)
    SELECT CASE WHEN count(*) = jsonb_array_length(p_view.sources) AND bool_and(l.whole)
                THEN md5(concat_ws(' ', string_agg(l.look, ',' ORDER BY l.number), p_view.sources::text,
                                   pg_relation_filenode(chime.owned_relation(p_view.view_schema, p_view.relation)),
                                   chime.owned_relation(p_view.view_schema, p_view.relation)::oid,
                                   (SELECT n.xmin FROM pg_namespace n WHERE n.nspname = p_view.view_schema),
                                   (SELECT string_agg(concat_ws(' ', g.oid, g.granted), ',' ORDER BY g.oid, g.granted) FROM groups g))) END
    FROM looks l);
COMMENT ON FUNCTION chime.role_view_looks IS 'what captures changes for a view that the caller keeps looks like; NULL: not all of it is there';
