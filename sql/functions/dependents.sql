-- SPDX-License-Identifier: PostgreSQL
-- Finds what depends on a relation, so that no relation is replaced while something else still needs it.

CREATE OR REPLACE FUNCTION chime.exchange_turns() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 100;
COMMENT ON ROUTINE chime.exchange_turns IS 'how often the lock of an exchange is asked for';

-- What would go with a relation, or stand in its way: what reads it or returns its rows, and what somebody hung on it.
CREATE OR REPLACE FUNCTION chime.dependents(p_relation oid) RETURNS TABLE (class oid, object oid, sub integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END, coalesce(w.ev_class, d.objid),
           CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END
    FROM pg_class c LEFT JOIN pg_type t ON t.oid = c.reltype
    JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
                     OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray))
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
    WHERE c.oid = p_relation AND w.ev_class IS DISTINCT FROM c.oid
      AND (d.deptype = 'n' OR d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_publication_rel'::regclass,
                                            'pg_statistic_ext'::regclass))
      AND NOT (g.oid IS NOT NULL AND (g.tgisinternal OR g.tgfoid::regproc::text ~ '^chime\.capture_\d+(_row|_insert)?$'));
END;
COMMENT ON ROUTINE chime.dependents IS 'what would go with a relation, or stands in its way';

-- What somebody gave to a kept table itself, in words.
CREATE OR REPLACE FUNCTION chime.added_to(p_relation oid) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH made AS MATERIALIZED (
        SELECT m.columns FROM chime.made m WHERE m.purpose LIKE 'kept %' AND (m.object = p_relation OR m.mark = chime.mark_of(p_relation)))
    SELECT format('column %s.%I', p_relation::regclass, c) FROM chime.added_columns(p_relation) AS c
    UNION ALL
    SELECT format('default value of column %s.%I', p_relation::regclass, a.attname)
    FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = p_relation AND EXISTS (SELECT FROM made m WHERE a.attname = ANY (m.columns))
    UNION ALL
    SELECT format('constraint %I on %s', c.conname, p_relation::regclass)
    FROM pg_constraint c WHERE c.conrelid = p_relation AND c.contype IN ('p', 'u', 'x', 'f') AND EXISTS (SELECT FROM made)
    UNION ALL
    SELECT format('rule %I on %s', w.rulename, p_relation::regclass)
    FROM pg_rewrite w WHERE w.ev_class = p_relation AND w.rulename <> '_RETURN' AND EXISTS (SELECT FROM made)
    UNION ALL
    SELECT format('inheritance of %s from %s', p_relation::regclass, i.inhparent::regclass)
    FROM pg_inherits i WHERE i.inhrelid = p_relation AND EXISTS (SELECT FROM made);
END;
COMMENT ON ROUTINE chime.added_to IS 'columns, constraints, defaults and rules that somebody gave to a kept table, in words';

-- What stands in the way of dropping relations of ours, by relation.
CREATE OR REPLACE FUNCTION chime.added_to_any(p_relations oid[]) RETURNS TABLE (oid oid, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.relation, 'somebody gave it what would be lost with it: ' || string_agg(a.words, ', ' ORDER BY a.words)
    FROM unnest(p_relations) AS r (relation) CROSS JOIN LATERAL chime.added_to(r.relation) AS a (words) GROUP BY r.relation;
END;
COMMENT ON ROUTINE chime.added_to_any IS 'why relations of pgchime cannot be dropped: what somebody gave them';

-- Until the end of the transaction nobody adds a column to these; readers and writers go on.
CREATE OR REPLACE FUNCTION chime.hold_columns(p_relations oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_table regclass;
BEGIN
    FOR v_table IN SELECT c.oid::regclass FROM pg_class c
                   WHERE c.oid = ANY (p_relations) AND c.relkind = 'r' AND pg_has_role(current_user, c.relowner, 'USAGE') ORDER BY c.oid LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', v_table);
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.hold_columns IS 'nobody adds a column to these until the transaction ends';

-- Those that nothing of ours made, in words; NULL: none.
CREATE OR REPLACE FUNCTION chime.foreign_dependents(p_relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(o.words, ', ' ORDER BY o.words)
    FROM (SELECT i.type || ' ' || i.identity AS words
          FROM chime.dependents(p_relation) AS d CROSS JOIN LATERAL pg_identify_object(d.class, d.object, d.sub) AS i
          WHERE NOT EXISTS (SELECT FROM chime.plugin_function f WHERE d.class = 'pg_proc'::regclass AND chime.routine(f.signature) = d.object)
            AND NOT EXISTS (SELECT FROM chime.view v WHERE d.class = 'pg_class'::regclass AND d.object IN (chime.live_of(v), chime.kept_of(v), chime.now_of(v)))
            AND NOT EXISTS (SELECT FROM chime.plain_view p WHERE d.class = 'pg_class'::regclass AND d.object = chime.plain_of(p))
            AND NOT EXISTS (SELECT FROM chime.plugin_channel n, chime.channel_triggers(n) AS c JOIN pg_trigger t
                                                 ON t.tgrelid = c.relation AND t.tgname = c.trigger
                            WHERE d.class = 'pg_trigger'::regclass AND d.object = t.oid)
            AND NOT EXISTS (SELECT FROM chime.replaced r WHERE d.class = 'pg_class'::regclass AND d.object = chime.replaced_of(r))
          UNION ALL
          SELECT 'row security' FROM pg_class c WHERE c.oid = p_relation AND c.relrowsecurity
          UNION ALL
          SELECT chime.added_to(p_relation)) AS o);
COMMENT ON ROUTINE chime.foreign_dependents IS 'dependents that nothing of ours made, in words; NULL: none';

CREATE OR REPLACE FUNCTION chime.refuse_dependents(p_relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_foreign text := chime.foreign_dependents(p_relation);
BEGIN
    IF v_foreign IS NOT NULL THEN
        RAISE EXCEPTION '% has to be made anew, and these would be lost: %', p_relation, v_foreign
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'take away what is named, once what it says or holds is safe elsewhere; run pgchime reload; then make it again';
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_dependents IS 'raises, and names them, when objects of others need a relation that is to go';
