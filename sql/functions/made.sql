-- SPDX-License-Identifier: PostgreSQL
-- Which objects pgchime made (docs/adr/0027), and the relations of a view: RELATION__live, RELATION, and the relation
-- that it replaced.

CREATE OR REPLACE FUNCTION chime.relation_kind(p_relation regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class c WHERE c.oid = p_relation);
END $$;
COMMENT ON ROUTINE chime.relation_kind IS 'what a relation is, in words';

CREATE OR REPLACE FUNCTION chime.place() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN concat_ws('/', coalesce(chime.system_identifier(), '?'), chime.database_number()::text,
                 'chime.made'::regclass::oid::text);
COMMENT ON FUNCTION chime.place IS 'where OIDs that this ledger notes are true';

CREATE OR REPLACE FUNCTION chime.mark_of(p_relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN substring(obj_description(p_relation, 'pg_class') FROM '\(pgchime ([0-9a-f]{16})\)$');
COMMENT ON FUNCTION chime.mark_of IS 'the mark at the end of a relation''s comment; NULL: it has none';

-- Where the OID is not true, the mark counts on a relation of the ledger's owner, since anybody may comment on his own,
-- and only while no other relation has it: restored beside the original, neither can be told from the other. Every
-- refresh asks.
CREATE OR REPLACE FUNCTION chime.is_ours(p_relation oid, p_purpose text) RETURNS boolean
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
CREATE OR REPLACE FUNCTION chime.note_made(p_relation regclass, p_purpose text, p_comment text) RETURNS void
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
CREATE OR REPLACE FUNCTION chime.recognize_made() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.made m SET object = d.objoid, place = (SELECT chime.place()) -- asked once, not of each
    FROM pg_description d
    WHERE m.place <> (SELECT chime.place()) AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND chime.mark_of(d.objoid) = m.mark
      AND chime.is_ours(d.objoid, m.purpose);
    DELETE FROM chime.made m WHERE m.place = (SELECT chime.place()) AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = m.object);
END;
COMMENT ON FUNCTION chime.recognize_made IS 'notes the OIDs of what a restored dump brought, and forgets what is gone';

-- For the daemon's log: it writes down what a session of its own is told with this SQLSTATE.
CREATE OR REPLACE FUNCTION chime.tell(p_words text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = notice AS $$
BEGIN
    RAISE NOTICE USING MESSAGE = p_words, ERRCODE = 'CH012';
END $$;
COMMENT ON FUNCTION chime.tell IS 'a line for the log of the daemon whose session this is';

-- The relation of a name, where it is the one that was made for it.
CREATE OR REPLACE FUNCTION chime.own_relation(p_schema name, p_relation name, p_use text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_relation regclass := to_regclass(format('%I.%I', p_schema, p_relation));
BEGIN
    RETURN CASE WHEN v_relation IS NOT NULL AND chime.is_ours(v_relation, format('%s %s.%s', p_use, p_schema, p_relation)) THEN v_relation END;
END $$;
COMMENT ON FUNCTION chime.own_relation IS 'the relation of that name that pgchime made as ''kept'', ''live'' or ''plain''; NULL: it made none, or another has its name';

-- By the catalogs alone, so that a role may ask for what is its own.
-- to_regclass, since it knows what has the name by now, whatever the snapshot: in that one a relation that took the
-- name since has no owner.
CREATE OR REPLACE FUNCTION chime.owned_relation(p_schema name, p_relation name) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.oid::regclass FROM pg_namespace n
        CROSS JOIN LATERAL (SELECT CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN to_regclass(format('%I.%I', p_schema, p_relation)) END AS found) AS f
        JOIN pg_class c ON c.oid = f.found JOIN pg_roles r ON r.oid = c.relowner
        WHERE n.nspname = p_schema AND r.rolname = current_user);
COMMENT ON FUNCTION chime.owned_relation IS 'the relation of that name, where it is the caller''s own';

-- SECURITY DEFINER: who may see findings need see neither chime.made nor the schema of the views.
CREATE OR REPLACE FUNCTION chime.made_live(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN chime.own_relation(p_view.view_schema, p_view.relation || '__live', 'live');
END $$;
COMMENT ON FUNCTION chime.made_live IS 'the defining view that was made for a view of the daemon''s';

-- A view without a plugin is of a role, in a session of that role (chime.as_view).
CREATE OR REPLACE FUNCTION chime.live_of(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.plugin IS NULL THEN
        RETURN chime.owned_relation(p_view.view_schema, p_view.relation || '__live');
    END IF;
    RETURN chime.made_live(p_view);
END $$;
COMMENT ON ROUTINE chime.live_of IS 'the defining view of a view; NULL: there is none';

CREATE OR REPLACE FUNCTION chime.kept_of(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.plugin IS NULL THEN
        RETURN chime.owned_relation(p_view.view_schema, p_view.relation);
    END IF;
    RETURN chime.own_relation(p_view.view_schema, p_view.relation, 'kept');
END $$;
COMMENT ON ROUTINE chime.kept_of IS 'the kept relation of a view; NULL: there is none';

CREATE OR REPLACE FUNCTION chime.replaced_of(p_replaced chime.replaced) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT o.relation FROM to_regclass('chime.' || p_replaced.name) AS o (relation)
        WHERE chime.is_ours(o.relation, format('kept %s.%s', p_replaced.view_schema, p_replaced.relation))
           OR chime.is_ours(o.relation, format('live %s.%s__live', p_replaced.view_schema, p_replaced.relation)));
COMMENT ON ROUTINE chime.replaced_of IS 'the relation that was replaced, where it is still there';

-- Constants as functions, so that a test can replace them.
CREATE OR REPLACE FUNCTION chime.replaced_kept() RETURNS interval LANGUAGE sql IMMUTABLE RETURN interval '1 minute';
COMMENT ON ROUTINE chime.replaced_kept IS 'how long a replaced relation stays for those who were about to read it';

CREATE OR REPLACE FUNCTION chime.plain_of(p_view chime.plain_view) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN chime.own_relation(p_view.view_schema, p_view.relation, 'plain');
COMMENT ON ROUTINE chime.plain_of IS 'the relation of a plain view; NULL: there is none';

-- Columns that pgchime made a kept relation with, in that order, and no other: its definition has no more, whatever
-- somebody gave the relation since. One that somebody took away is named, so that a statement fails on it. One that
-- nothing notes yet has just been made. Of a relation of a role, in its session, that is all that there is to know.
CREATE OR REPLACE FUNCTION chime.kept_columns(p_kept oid) RETURNS name[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_columns name[];
BEGIN
    IF has_table_privilege('chime.made', 'SELECT') THEN
        SELECT m.columns INTO v_columns FROM chime.made m WHERE m.purpose LIKE 'kept %' AND (m.object = p_kept OR m.mark = chime.mark_of(p_kept))
         ORDER BY m.mark = chime.mark_of(p_kept) DESC NULLS LAST, m.place = chime.place() DESC LIMIT 1;
    END IF;
    RETURN coalesce(v_columns,
                    ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_kept AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum));
END $$;
COMMENT ON FUNCTION chime.kept_columns IS 'columns that pgchime made a kept relation with, in their order';

CREATE OR REPLACE FUNCTION chime.column_list(p_kept regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(quote_ident(c), ', ' ORDER BY n) FROM unnest(chime.kept_columns(p_kept)) WITH ORDINALITY AS u (c, n));
COMMENT ON FUNCTION chime.column_list IS 'the columns that pgchime made a kept relation with, quoted, with commas';
