-- SPDX-License-Identifier: PostgreSQL
-- Views: what plugins installed.
--
-- A view is two relations: RELATION__live, a plain view of the definition (always true, maybe slow), and RELATION, a
-- table or a materialized view (fast) that equals it after each refresh. A refresh changes only the rows that differ,
-- in one transaction, so readers see the old rows or the new ones and are never blocked.

CREATE TABLE chime.plugin (
    name          text PRIMARY KEY,
    version       text NOT NULL,
    summary       text NOT NULL DEFAULT '',
    view_schema   name NOT NULL,
    source_schema name NOT NULL,
    state         text NOT NULL CHECK (state IN ('installed', 'dormant', 'failed', 'removed')),
    reason        text,
    settings      jsonb NOT NULL DEFAULT '{}',
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN chime.plugin.state IS
    'dormant: a source is missing (reason says which); removed: its file is gone, its data stays';

CREATE TABLE chime.view (
    view_schema    name NOT NULL,
    relation       name NOT NULL,
    plugin         text NOT NULL REFERENCES chime.plugin,
    key            name[] NOT NULL CHECK (cardinality(key) > 0),
    stamps         name[] NOT NULL,
    grain          name[] NOT NULL,
    mode           text NOT NULL,
    rejected_query text,
    revisit_query  text,
    definition     text NOT NULL,
    search_path    text NOT NULL,
    refresh_full   text NOT NULL,
    view_id        integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    full_reason    text DEFAULT 'its changes are not captured yet',
    below          text[] NOT NULL DEFAULT '{}',
    sources        jsonb NOT NULL DEFAULT '[]',
    asked          text,
    found_wrong    text,
    named          text[] NOT NULL DEFAULT '{}',
    names_code     boolean NOT NULL DEFAULT true,
    vetted         text,
    timezone       text NOT NULL DEFAULT 'UTC',
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON COLUMN chime.view.refresh_full IS 'generated: the statement that makes the table equal the live definition';
COMMENT ON COLUMN chime.view.full_reason IS 'why it is refreshed as a whole; NULL: chime.keyed_<view_id> refreshes it by its grain';
COMMENT ON COLUMN chime.view.sources IS 'as its plugin declares them for it';
COMMENT ON COLUMN chime.view.asked IS
    'what the definition meant, and what its sources looked like, when it was last asked whether it can be keyed; another meaning begins with everything; NULL: never';
COMMENT ON COLUMN chime.view.found_wrong IS 'which group a keyed refresh found to be wrong though nothing had marked it: it is full until it is declared otherwise, or refreshed in full by hand';
COMMENT ON COLUMN chime.view.named IS 'relations that queries beside the definition name';
COMMENT ON COLUMN chime.view.names_code IS 'whether they name functions, operators or types that are neither PostgreSQL''s nor ours';
COMMENT ON COLUMN chime.view.vetted IS
    'what the tables looked like when all that the view reaches was found to be of trusted owners; NULL: it is looked at before each use';
COMMENT ON COLUMN chime.view.timezone IS 'of the session, as its definition sees it, whoever refreshes or compares';
COMMENT ON COLUMN chime.view.below IS 'views of the same plugin that its definition reads: a refresh of it begins with those that a job of its refreshes, too';

CREATE TABLE chime.plugin_function (
    plugin      text NOT NULL REFERENCES chime.plugin,
    signature   text NOT NULL,
    definition  text NOT NULL,
    search_path text NOT NULL,
    PRIMARY KEY (plugin, signature)
);
COMMENT ON TABLE chime.plugin_function IS 'functions of the read API; they go before a relation they read is made anew';
COMMENT ON COLUMN chime.plugin_function.signature IS
    'as regprocedure shows it with search_path = pg_catalog, pg_temp; not of that type, since pg_upgrade refuses tables that have it';

-- NULL: there is none, also where a type among its arguments is gone, which PostgreSQL before 16 takes for an error.
CREATE FUNCTION chime.routine(p_signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_regprocedure(p_signature);
EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
    RETURN NULL;
END $$;

-- Apart from chime.view, because it changes with every refresh. One row a view: but an open transaction keeps all
-- versions of it, some thousand an hour; so the newest is found from the end of an index, and no unique index on the
-- names alone compares each new version with all of them.
CREATE TABLE chime.view_refresh (
    view_schema  name NOT NULL,
    relation     name NOT NULL,
    refreshed_at timestamptz,
    changed_at   timestamptz,
    method       text,
    duration_us  bigint,
    rows         bigint,
    inserted     bigint,
    updated      bigint,
    deleted      bigint,
    rejected     bigint,
    refreshes    bigint NOT NULL DEFAULT 0,
    seen         pg_snapshot,
    fingerprint  text,
    reason       text,
    keys         bigint,
    full_us      bigint,
    floor_us     double precision,
    key_us       double precision,
    behind_since timestamptz,
    revisited_at timestamptz,
    start_over   text,
    watch_owed_us double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (view_schema, relation, refreshes),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON COLUMN chime.view_refresh.refreshed_at IS 'start of the transaction that refreshed last: the rows are as of then';
COMMENT ON COLUMN chime.view_refresh.rejected IS
    'source values left out as malformed, by the last refresh that did everything; NULL where a view has no such notion';
COMMENT ON COLUMN chime.view_refresh.seen IS 'marks visible in it are consumed; NULL: the next refresh does everything';
COMMENT ON COLUMN chime.view_refresh.fingerprint IS 'of the sources, when they were last looked at';
COMMENT ON COLUMN chime.view_refresh.reason IS 'why the last refresh did everything; NULL: it did not';
COMMENT ON COLUMN chime.view_refresh.keys IS 'how many groups it looked at; NULL: all';
COMMENT ON COLUMN chime.view_refresh.full_us IS 'microseconds that everything took the last time';
COMMENT ON COLUMN chime.view_refresh.floor_us IS 'microseconds of a keyed refresh without its groups, as it is learned';
COMMENT ON COLUMN chime.view_refresh.watch_owed_us IS
    'microseconds that comparing groups took beyond its share of refreshes: none is compared until refreshes made up for them';
COMMENT ON COLUMN chime.view_refresh.key_us IS 'microseconds that each group adds, as it is learned';
COMMENT ON COLUMN chime.view_refresh.revisited_at IS
    'start of the transaction that last recomputed what changes as time passes, too';
COMMENT ON COLUMN chime.view_refresh.start_over IS 'why marks do not tell what changed since the last refresh; NULL: they do, or nothing was refreshed yet';
COMMENT ON COLUMN chime.view_refresh.behind_since IS
    'a change that was committed by then is not in the view yet; NULL: none was noticed';

CREATE FUNCTION chime.as_of() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('chime.as_of', true), '')::timestamptz, now());
COMMENT ON FUNCTION chime.as_of IS 'the instant that definitions count time from: the setting chime.as_of, else now()';

-- For arguments that are one of a few words: none of them finds nothing, and says nothing.
CREATE FUNCTION chime.one_of(p_value text, p_name text, VARIADIC p_words text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_value = ANY (p_words) THEN
        RETURN p_value;
    END IF;
    RAISE EXCEPTION '% cannot be %', p_name, coalesce(quote_literal(p_value), 'NULL') USING ERRCODE = 'invalid_parameter_value',
        HINT = 'it is one of ' || (SELECT string_agg(quote_literal(w), ', ' ORDER BY n) FROM unnest(p_words) WITH ORDINALITY AS u (w, n));
END $$;
COMMENT ON FUNCTION chime.one_of IS 'the value, if it is one of the words; else an error that lists them';

CREATE FUNCTION chime.relation_kind(p_relation regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class c WHERE c.oid = p_relation);
END $$;

-- --- what is ours (docs/adr/0027) ------------------------------------------------------------------------------------

-- A relation is ours by what it is, never by its name: by its OID where the ledger noted it, and elsewhere by the mark
-- that its comment ends with, which a dump keeps and no CREATE TABLE ... LIKE copies. What it was made for is part of
-- that: another relation of ours under its name is not it.
CREATE TABLE chime.made (
    mark    text PRIMARY KEY DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 16),
    object  oid NOT NULL,
    place   text NOT NULL,
    purpose text NOT NULL,
    columns name[] NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON chime.made (object);
COMMENT ON TABLE chime.made IS 'relations that pgchime made in schemas where others make some, too: it replaces and drops no other';
COMMENT ON COLUMN chime.made.mark IS 'the comment of the relation ends with it';
COMMENT ON COLUMN chime.made.place IS 'the ledger in which the OID is true; a dump and a template bring both to where they are not';
COMMENT ON COLUMN chime.made.purpose IS 'what it was made for: ''kept SCHEMA.RELATION'', say, without quotes, which quote_all_identifiers would add';
COMMENT ON COLUMN chime.made.columns IS 'its columns as they were made: others were added';

CREATE FUNCTION chime.place() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN concat_ws('/', coalesce(chime.system_identifier(), '?'), chime.database_number()::text,
                 'chime.made'::regclass::oid::text);
COMMENT ON FUNCTION chime.place IS 'where OIDs that this ledger notes are true';

CREATE FUNCTION chime.mark_of(p_relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN substring(obj_description(p_relation, 'pg_class') FROM '\(pgchime ([0-9a-f]{16})\)$');
COMMENT ON FUNCTION chime.mark_of IS 'the mark at the end of a relation''s comment; NULL: it has none';

-- Where the OID is not true, the mark counts on a relation of the ledger's owner, since anybody may comment on his own,
-- and only while no other relation has it: restored beside the original, neither can be told from the other. Every
-- refresh asks.
CREATE FUNCTION chime.is_ours(p_relation oid, p_purpose text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_mark text;
BEGIN
    IF EXISTS (SELECT FROM chime.made m JOIN pg_description d ON d.objoid = m.object
               WHERE m.object = p_relation AND m.purpose = p_purpose AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
                 AND right(d.description, 26) = '(pgchime ' || m.mark || ')') THEN
        RETURN true;
    END IF;
    v_mark := chime.mark_of(p_relation);
    RETURN EXISTS (SELECT FROM chime.made m WHERE m.object = p_relation AND m.purpose = p_purpose AND m.place = chime.place())
        OR EXISTS (SELECT FROM chime.made m WHERE m.mark = v_mark AND m.purpose = p_purpose
                   AND (m.place <> chime.place() OR NOT EXISTS (SELECT FROM pg_class o WHERE o.oid = m.object))
                   AND (SELECT c.relowner FROM pg_class c WHERE c.oid = p_relation)
                       = (SELECT l.relowner FROM pg_class l WHERE l.oid = 'chime.made'::regclass)
                   AND NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0
                                   AND d.objoid <> p_relation AND chime.mark_of(d.objoid) = v_mark));
END $$;
COMMENT ON FUNCTION chime.is_ours IS 'whether pgchime made that very relation for this purpose';

-- Also of what was noted before: then it sees to the comment alone, and to the OID after a dump was restored.
CREATE FUNCTION chime.note_made(p_relation regclass, p_purpose text, p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_mark text;
    v_comment text;
BEGIN
    IF chime.is_ours(p_relation, p_purpose) THEN
        SELECT m.mark INTO STRICT v_mark FROM chime.made m
         WHERE m.purpose = p_purpose AND (m.object = p_relation OR m.mark = chime.mark_of(p_relation))
         ORDER BY m.mark = chime.mark_of(p_relation) DESC NULLS LAST, m.place = chime.place() DESC LIMIT 1;
        UPDATE chime.made m SET object = p_relation, place = chime.place()
         WHERE m.mark = v_mark AND (m.object, m.place) IS DISTINCT FROM (p_relation::oid, chime.place());
    ELSE
        INSERT INTO chime.made (object, place, purpose, columns)
        VALUES (p_relation, chime.place(), p_purpose,
                ARRAY(SELECT a.attname FROM pg_attribute a
                      WHERE a.attrelid = p_relation AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum))
        RETURNING mark INTO v_mark;
    END IF;
    v_comment := concat_ws(' ', p_comment, format('(pgchime %s)', v_mark));
    IF obj_description(p_relation, 'pg_class') IS DISTINCT FROM v_comment THEN
        EXECUTE format('COMMENT ON %s %s IS %L', chime.relation_kind(p_relation), p_relation, v_comment);
    END IF;
END $$;
COMMENT ON FUNCTION chime.note_made IS
    'after CREATE of a relation: notes that pgchime made it, and for what; its comment, with the mark that tells so after a dump, too';

-- A dump that was restored brings marks and no OIDs: those are noted anew, before a comment is written over. What
-- others dropped is forgotten.
CREATE FUNCTION chime.recognize_made() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.made m SET object = d.objoid, place = chime.place()
    FROM pg_description d
    WHERE m.place <> chime.place() AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND chime.mark_of(d.objoid) = m.mark
      AND chime.is_ours(d.objoid, m.purpose);
    DELETE FROM chime.made m WHERE m.place = chime.place() AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.object);
END;
COMMENT ON FUNCTION chime.recognize_made IS 'notes the OIDs of what a restored dump brought, and forgets what is gone';

-- For the daemon's log: it writes down what a session of its own is told with this SQLSTATE.
CREATE FUNCTION chime.tell(p_words text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = notice AS $$
BEGIN
    RAISE NOTICE USING MESSAGE = p_words, ERRCODE = 'CH012';
END $$;
COMMENT ON FUNCTION chime.tell IS 'a line for the log of the daemon whose session this is';

-- --- relations of views ----------------------------------------------------------------------------------------------

-- The relation of a name, where it is the one that was made for it.
CREATE FUNCTION chime.own_relation(p_schema name, p_relation name, p_use text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_relation regclass := to_regclass(format('%I.%I', p_schema, p_relation));
BEGIN
    RETURN CASE WHEN v_relation IS NOT NULL AND chime.is_ours(v_relation, format('%s %s.%s', p_use, p_schema, p_relation)) THEN v_relation END;
END $$;
COMMENT ON FUNCTION chime.own_relation IS 'the relation of that name that pgchime made as ''kept'', ''live'' or ''plain''; NULL: it made none, or another has its name';

CREATE FUNCTION chime.live_of(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN chime.own_relation(p_view.view_schema, p_view.relation || '__live', 'live');
END $$;

CREATE FUNCTION chime.kept_of(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN chime.own_relation(p_view.view_schema, p_view.relation, 'kept');
END $$;

-- Columns that pgchime made a kept relation with, in that order, and no other: its definition has no more, whatever
-- somebody gave the relation since. One that somebody took away is named, so that a statement fails on it. One that
-- nothing notes yet has just been made.
CREATE FUNCTION chime.kept_columns(p_kept oid) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce(
    (SELECT m.columns FROM chime.made m WHERE m.purpose LIKE 'kept %' AND (m.object = p_kept OR m.mark = chime.mark_of(p_kept))
     ORDER BY m.mark = chime.mark_of(p_kept) DESC NULLS LAST, m.place = chime.place() DESC LIMIT 1),
    ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_kept AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum));
COMMENT ON FUNCTION chime.kept_columns IS 'columns that pgchime made a kept relation with, in their order';

CREATE FUNCTION chime.column_list(p_kept regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(quote_ident(c), ', ' ORDER BY n) FROM unnest(chime.kept_columns(p_kept)) WITH ORDINALITY AS u (c, n));
COMMENT ON FUNCTION chime.column_list IS 'the columns that pgchime made a kept relation with, quoted, with commas';

CREATE FUNCTION chime.take_back(p_object text, p_owner oid, p_privileges aclitem[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_grantee text;
BEGIN
    FOR v_grantee IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                     FROM aclexplode(p_privileges) AS a WHERE a.grantee <> p_owner LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', p_object, v_grantee);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.take_back IS 'takes away what others than its owner were given of an object, as REVOKE names it';

-- What default privileges gave of a relation that was just made: who may read a source's rows is said for the source,
-- and who may read a kept relation, by grants on it.
CREATE FUNCTION chime.keep_private(p_relation regclass) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.take_back(p_relation::text, c.relowner, c.relacl) FROM pg_class c WHERE c.oid = p_relation;
END;
COMMENT ON FUNCTION chime.keep_private IS 'after CREATE of a relation: nobody but its owner has privileges on it';

CREATE FUNCTION chime.keep_routine_private(p_routine regprocedure) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.take_back('ROUTINE ' || p_routine, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)))
    FROM pg_proc p WHERE p.oid = p_routine;
END;
COMMENT ON FUNCTION chime.keep_routine_private IS 'after CREATE of a function: nobody but its owner may call it';

CREATE FUNCTION chime.refuse_foreign(p_schema name, p_relation name, p_use text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_owner name;
BEGIN
    SELECT pg_get_userbyid(c.relowner) INTO v_owner
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = p_schema AND c.relname = p_relation;
    IF FOUND AND chime.own_relation(p_schema, p_relation, p_use) IS NULL THEN
        RAISE EXCEPTION 'relation %.% exists already, is owned by % and was not made by pgchime', p_schema, p_relation, v_owner
            USING ERRCODE = 'duplicate_table',
                  HINT = format('pgchime plugins adopt takes it over; or rename it, or set view_schema of this plugin to another schema than "%s"', p_schema);
    END IF;
END $$;

-- Of rows that were written before, too: their lock keeps others from the name.
CREATE FUNCTION chime.require_kept(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_kept regclass := chime.kept_of(p_view);
BEGIN
    IF v_kept IS NULL THEN
        PERFORM chime.refuse_foreign(p_view.view_schema, p_view.relation, 'kept');
    ELSIF chime.live_of(p_view) IS NULL THEN
        PERFORM chime.refuse_foreign(p_view.view_schema, p_view.relation || '__live', 'live');
    END IF;
    RETURN v_kept;
END $$;
COMMENT ON FUNCTION chime.require_kept IS 'the kept relation of a view; NULL: there is none; raises where another relation has its name, or its live view''s';

CREATE FUNCTION chime.install_schema(p_schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
    PERFORM chime.recognize_made();
    IF to_regnamespace(quote_ident(p_schema)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', p_schema);
        PERFORM chime.take_back(format('SCHEMA %I', p_schema), n.nspowner, n.nspacl) FROM pg_namespace n WHERE n.nspname = p_schema;
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL
       AND NOT has_schema_privilege('analytics_reader', p_schema, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO analytics_reader', p_schema);
    END IF;
    PERFORM chime.install_freshness(p_schema);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'this role may not make or share schema %', p_schema USING ERRCODE = 'insufficient_privilege',
        HINT = format('let a DBA run: CREATE SCHEMA %I AUTHORIZATION %I', p_schema, current_user);
END $$;

CREATE FUNCTION chime.record_plugin(p_name text, p_version text, p_summary text, p_view_schema name, p_source_schema name,
                                    p_state text, p_reason text, p_settings jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.plugin AS p (name, version, summary, view_schema, source_schema, state, reason, settings)
    VALUES (p_name, p_version, p_summary, p_view_schema, p_source_schema, p_state, p_reason, p_settings)
    ON CONFLICT (name) DO UPDATE
       SET version = excluded.version, summary = excluded.summary, view_schema = excluded.view_schema,
           source_schema = excluded.source_schema, state = excluded.state, reason = excluded.reason,
           settings = excluded.settings, changed_at = clock_timestamp()
     WHERE (p.version, p.summary, p.view_schema, p.source_schema, p.state, p.reason, p.settings)
           IS DISTINCT FROM (excluded.version, excluded.summary, excluded.view_schema, excluded.source_schema,
                             excluded.state, excluded.reason, excluded.settings);
END;

-- Plugins that the leader's catalog does not have. What they installed stays as it is, but notifies nobody any more. A
-- table that is busy just now keeps its trigger until the next look at all plugins.
CREATE FUNCTION chime.retire_plugins(p_kept text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_plugin text;
BEGIN
    UPDATE chime.plugin
       SET state = 'removed', reason = 'its file is gone, refused or disabled; its data stays', changed_at = clock_timestamp()
     WHERE state <> 'removed' AND name <> ALL (p_kept);
    FOR v_plugin IN SELECT DISTINCT c.plugin FROM chime.plugin_channel c
                    WHERE c.plugin <> ALL (p_kept) AND c.definition <> '' LOOP
        BEGIN
            PERFORM chime.remove_channels(v_plugin, '{}');
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING 'channels of plugin % still notify: %', v_plugin, SQLERRM;
        END;
    END LOOP;
END $$;

-- One function of a plugin's read API. One that is there as it should be is left alone; one whose result changed is
-- made anew. analytics_reader reads, and no more: whoever is to call a function that is VOLATILE, such as one that
-- refreshes, is granted EXECUTE by the owner; CREATE OR REPLACE keeps that.
CREATE FUNCTION chime.install_function(p_plugin text, p_schema name, p_source_schema name, p_signature text, p_definition text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema);
    v_reader regrole := to_regrole('analytics_reader');
    v_routine regprocedure;
    v_is_new boolean;
BEGIN
    PERFORM set_config('search_path', v_path, true);
    v_routine := to_regprocedure(p_signature);
    v_is_new := v_routine IS NULL;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    IF NOT EXISTS (SELECT FROM chime.plugin_function f WHERE f.plugin = p_plugin AND f.signature = v_routine::text
                   AND f.definition = p_definition AND f.search_path = v_path) THEN
        PERFORM set_config('search_path', v_path, true);
        BEGIN
            EXECUTE p_definition;
        EXCEPTION WHEN invalid_function_definition THEN
            EXECUTE format('DROP FUNCTION %s', p_signature);
            EXECUTE p_definition;
            v_is_new := true;
        END;
        v_routine := p_signature::regprocedure;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM chime.refuse_untrusted('function ' || v_routine, 'pg_proc'::regclass, v_routine);
        PERFORM chime.keep_routine_private(v_routine) WHERE v_is_new;
        INSERT INTO chime.plugin_function AS f (plugin, signature, definition, search_path)
        VALUES (p_plugin, v_routine::text, p_definition, v_path)
        ON CONFLICT (plugin, signature) DO UPDATE SET definition = excluded.definition, search_path = excluded.search_path;
    END IF;
    IF v_reader IS NOT NULL AND NOT has_function_privilege(v_reader, v_routine, 'EXECUTE')
       AND (SELECT p.provolatile FROM pg_proc p WHERE p.oid = v_routine) <> 'v' THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', v_routine, v_reader);
    END IF;
END $$;

-- Which declared sources are missing: [{"table": ..., "columns": [...]}] in; one line a missing thing out. A source may
-- be another plugin's view, so the view schema is looked at as definitions see it: first.
CREATE FUNCTION chime.missing_sources(p_view_schema name, p_source_schema name, p_sources jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.oid IS NULL THEN format('table %I.%I', p_source_schema, s."table")
                ELSE format('column %I.%I.%I', c.nspname, s."table", col.name) END
    FROM jsonb_to_recordset(p_sources) AS s ("table" text, columns text[])
    LEFT JOIN LATERAL (
        SELECT r.oid, n.nspname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname IN (p_view_schema, p_source_schema) AND r.relname = s."table" AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY n.nspname = p_view_schema DESC LIMIT 1) c ON true
    LEFT JOIN LATERAL unnest(s.columns) AS col (name) ON c.oid IS NOT NULL
    WHERE c.oid IS NULL
       OR (col.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = col.name
                                                AND a.attnum > 0 AND NOT a.attisdropped));
END;

-- The view that a name means: "relation", or "schema.relation" where the relation alone is not unique.
CREATE FUNCTION chime.find_view(p_view text) RETURNS chime.view
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view;
    v_count bigint;
BEGIN
    SELECT count(*) INTO v_count FROM chime.view v WHERE p_view IN (v.relation, v.view_schema || '.' || v.relation);
    IF v_count = 0 THEN
        RAISE EXCEPTION 'there is no view "%"', p_view USING ERRCODE = 'undefined_table', HINT = 'see: SELECT * FROM chime.view_status';
    ELSIF v_count > 1 THEN
        RAISE EXCEPTION 'view "%" exists in several schemas', p_view USING ERRCODE = 'ambiguous_alias', HINT = 'name it as schema.relation';
    END IF;
    SELECT * INTO v_view FROM chime.view v WHERE p_view IN (v.relation, v.view_schema || '.' || v.relation);
    RETURN v_view;
END $$;

-- Readers get the kept relations and the read API, no source table. The role is the DBA's to make where ours may not.
DO $$
BEGIN
    IF to_regrole('analytics_reader') IS NULL THEN
        CREATE ROLE analytics_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role analytics_reader was not made: this role may not create roles';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- made by another database of the cluster a moment ago
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
