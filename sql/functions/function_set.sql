-- SPDX-License-Identifier: PostgreSQL
-- Which functions of schema chime are ours (docs/adr/0029). All files of this folder run in one transaction, and this
-- one is the last.

-- As oidvectortypes and a path without schema chime write it, whatever the session's.
CREATE OR REPLACE FUNCTION chime.signature_of(p_function oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I(%s)', p.proname, oidvectortypes(p.proargtypes)) FROM pg_proc p WHERE p.oid = p_function);
COMMENT ON FUNCTION chime.signature_of IS 'a function of schema chime, as chime.function_set lists it';

-- Of those that no file has any more: what something else still uses (a trigger on a source, somebody's view) stays,
-- with all that it is made of, and is ours still.
CREATE OR REPLACE FUNCTION chime.drop_left_over(p_functions oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_used oid[];
    v_names text;
BEGIN
    LOOP
        SELECT array_agg(DISTINCT d.refobjid) INTO v_used FROM pg_depend d
         WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = ANY (p_functions)
           AND NOT (d.classid = 'pg_proc'::regclass AND d.objid = ANY (p_functions));
        EXIT WHEN v_used IS NULL;
        p_functions := ARRAY(SELECT f FROM unnest(p_functions) AS f WHERE f <> ALL (v_used));
    END LOOP;
    SELECT string_agg(f::regprocedure::text, ', ') INTO v_names FROM unnest(p_functions) AS f;
    IF v_names IS NOT NULL THEN
        EXECUTE 'DROP ROUTINE ' || v_names;
    END IF;
END $$;
COMMENT ON FUNCTION chime.drop_left_over IS 'drops functions that earlier versions had, as far as nothing else uses them';

-- What this transaction made or replaced has its number. A function that is here for the first time may be called by
-- nobody else; to whom another one was granted, it stays granted.
CREATE OR REPLACE FUNCTION chime.note_functions(p_checksum text, p_version text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known text[] := coalesce((SELECT s.functions FROM chime.function_set s), '{}');
    v_made oid[] := ARRAY(SELECT p.oid FROM pg_proc p
                          WHERE p.pronamespace = 'chime'::regnamespace AND p.xmin = pg_current_xact_id()::xid);
    v_new text;
BEGIN
    IF 'chime.note_functions(text,text)'::regprocedure <> ALL (v_made) THEN
        RAISE EXCEPTION 'the functions of schema chime were not made in this transaction'
            USING ERRCODE = 'active_sql_transaction', HINT = 'run all of it in one transaction: psql -1 -f FILE';
    END IF;
    SELECT string_agg(p.oid::regprocedure::text, ', ') INTO v_new FROM pg_proc p
     WHERE p.oid = ANY (v_made) AND (p.proacl IS NULL OR chime.signature_of(p.oid) <> ALL (v_known));
    IF v_new IS NOT NULL THEN
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', v_new);
    END IF;
    PERFORM chime.drop_left_over(ARRAY(SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace
                                       AND chime.signature_of(p.oid) = ANY (v_known) AND p.oid <> ALL (v_made)));
    INSERT INTO chime.function_set AS s (checksum, version, functions)
    SELECT p_checksum, p_version, array_agg(f.signature ORDER BY f.signature)
    FROM (SELECT chime.signature_of(p.oid) AS signature, p.oid FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace) f
    WHERE f.oid = ANY (v_made) OR f.signature = ANY (v_known)
    ON CONFLICT (only_row) DO UPDATE SET checksum = EXCLUDED.checksum, version = EXCLUDED.version, functions = EXCLUDED.functions,
                                         applied_at = EXCLUDED.applied_at;
    PERFORM chime.keep_ledger_private();
END $$;
COMMENT ON FUNCTION chime.note_functions IS
    'ends the transaction that made all functions of schema chime: notes which they are, drops those that are left over, takes them from PUBLIC';

-- CREATE OR REPLACE gives a function no other result and no other names of arguments. A file of sql/schema calls this
-- first, and the files of this folder then make it anew, with all of ours that went with it.
CREATE OR REPLACE FUNCTION chime.make_way(p_function regprocedure) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_others text;
BEGIN
    WITH RECURSIVE users (classid, objid) AS (
        SELECT 'pg_proc'::regclass::oid, p_function::oid
        UNION
        SELECT CASE WHEN r.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END, coalesce(r.ev_class, d.objid)
        FROM users u JOIN pg_depend d ON d.refclassid = u.classid AND d.refobjid = u.objid
        LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid)
    SELECT string_agg(pg_describe_object(u.classid, u.objid, 0), ', ') INTO v_others FROM users u
     WHERE NOT CASE u.classid
         WHEN 'pg_proc'::regclass THEN EXISTS (SELECT FROM pg_proc p, chime.function_set s WHERE p.oid = u.objid
             AND p.pronamespace = 'chime'::regnamespace AND chime.signature_of(p.oid) = ANY (s.functions))
         WHEN 'pg_class'::regclass THEN EXISTS (SELECT FROM pg_class c WHERE c.oid = u.objid AND c.relnamespace = 'chime'::regnamespace
             AND c.relkind = 'v')
         WHEN 'pg_type'::regclass THEN EXISTS (SELECT FROM pg_type t WHERE t.oid = u.objid AND t.typnamespace = 'chime'::regnamespace)
         WHEN 'pg_trigger'::regclass THEN EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.oid = u.objid
             AND c.relnamespace = 'chime'::regnamespace)
         ELSE false END;
    IF v_others IS NOT NULL THEN
        RAISE EXCEPTION 'function % cannot be made anew: others use it: %', p_function, v_others
            USING ERRCODE = 'dependent_objects_still_exist', HINT = 'keep their definitions, drop them, migrate, and make them again';
    END IF;
    EXECUTE format('DROP ROUTINE %s CASCADE', p_function);
    UPDATE chime.function_set s SET functions = ARRAY(SELECT f FROM unnest(s.functions) AS f WHERE to_regprocedure('chime.' || f) IS NOT NULL);
END $$;
COMMENT ON FUNCTION chime.make_way IS
    'drops a function of ours that is to have another result or other names of arguments, with what of ours uses it; for files of sql/schema';
