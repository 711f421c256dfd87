-- SPDX-License-Identifier: PostgreSQL
-- Rows that a MERGE moves to another partition.
--
-- PostgreSQL (15 to 18) does that as a DELETE and an INSERT, and shows the rows to the triggers of those events alone,
-- which it fires only where the MERGE itself has such an action. So partitions of a source have a trigger of each row
-- BEFORE an UPDATE, under the condition that a column of the partition keys changes. It is the last one by its name
-- (triggers fire in the order of their bytes): it sees the row as those before it left it.

CREATE OR REPLACE FUNCTION chime.move_trigger(p_source integer) RETURNS text
LANGUAGE sql IMMUTABLE RETURN '~chime_capture_' || p_source::text || '_move';
COMMENT ON ROUTINE chime.move_trigger IS 'the name of a source''s trigger of rows that may move to another partition';

-- How rows that may move are marked, which is the argument of those triggers; NULL: the source has no partitions.
--   keys 2 3     where column 2 or 3 of the source changes: the key before and after
--   whole 2 3    there: everything, since the row may be another one when it arrives: triggers BEFORE INSERT of a
--                partition may change it then, and a generated column that is captured or declared has no value yet
--   always       at each UPDATE of a row: everything, since a trigger that comes later may change it
-- Triggers that are off count, too: who turns them on is not waited for.
CREATE OR REPLACE FUNCTION chime.moves(p_source integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan AS $$ -- keeps its plan: asked at every refresh
DECLARE
    v_root oid := chime.source_oid(p_source);
    v_own oid[] := chime.capture_functions(p_source);
BEGIN
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = v_root) IS DISTINCT FROM 'p' THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE tree AS (
            SELECT v_root AS relation
            UNION ALL
            SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation),
        others AS (
            SELECT bool_or(t.tgtype & 7 = 7) AS inserts, -- 1: of each row; 2: BEFORE; 4: INSERT; 16: UPDATE
                   bool_or(t.tgtype & 19 = 19 AND t.tgname > chime.move_trigger(p_source)::name) AS later
            FROM tree r JOIN pg_trigger t ON t.tgrelid = r.relation WHERE NOT t.tgisinternal AND t.tgfoid <> ALL (v_own)),
        keys AS (
            SELECT string_agg(DISTINCT c.attnum::text, ' ') AS columns -- a column of a partition key needs its table, also within an expression
            FROM tree r JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.relation AND d.objsubid > 0
             AND d.refclassid = 'pg_class'::regclass AND d.refobjid = r.relation AND d.refobjsubid = 0 AND d.deptype = 'i'
            JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid
            JOIN pg_attribute c ON c.attrelid = v_root AND c.attname = a.attname)
        SELECT CASE WHEN o.later THEN 'always' WHEN o.inserts OR g.generated THEN 'whole ' || k.columns ELSE 'keys ' || k.columns END
        FROM others o CROSS JOIN keys k CROSS JOIN LATERAL (
            SELECT EXISTS (SELECT FROM chime.source s JOIN pg_attribute a ON a.attrelid = v_root AND a.attname = ANY (s.captured || s.declared)
                           WHERE s.source_id = p_source AND a.attgenerated <> '')) AS g (generated));
END $$;
COMMENT ON ROUTINE chime.moves IS 'how rows that may move to another partition are marked; NULL: the source has no partitions';

-- As the trigger function of each row of an UPDATE (chime.write_row_capture), and before it: what it returns is what is
-- written.
CREATE OR REPLACE FUNCTION chime.write_move_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_part text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_part := chime.part_name(p_source, v_source.head);
    v_both := v_source.captured || v_source.declared;
    EXECUTE chime.fill_template($f$
        CREATE OR REPLACE FUNCTION chime.capture_{{source}}_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {{settings}} AS $body$
        #variable_conflict use_column
        DECLARE
            v_unread pg_catalog.bool := NOT pg_catalog.starts_with(TG_ARGV[1], 'keys');
        BEGIN
            IF {{is_full}} THEN
                RETURN NEW; -- everything will be done instead
            END IF;
            BEGIN
                IF NOT v_unread AND pg_catalog.record_image_eq(ROW({{new_values}}), ROW({{old_values}})) THEN
                    RETURN NEW;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                v_unread := true;
            END;
            IF v_unread THEN
                INSERT INTO {{part}} (chime_whole) VALUES (false);
            ELSE
                INSERT INTO {{part}} ({{columns}})
                SELECT {{new_key}} UNION ALL SELECT {{old_key}} WHERE pg_catalog.record_image_ne(ROW({{new_key}}), ROW({{old_key}}));
            END IF;
            RETURN NEW;
        END $body$;$f$, jsonb_build_object(
        'source', p_source,
        'part', v_part,
        'new_key', chime.guarded_key(p_source, 'NEW'),
        'old_key', chime.guarded_key(p_source, 'OLD'),
        'new_values', chime.capture_columns(v_both, 'NEW.'),
        'old_values', chime.capture_columns(v_both, 'OLD.'),
        'is_full', chime.is_full(p_source, v_part),
        'settings', substring(chime.capture_settings(p_source) FROM '^SET search_path = pg_catalog, pg_temp'),
        'columns', chime.capture_columns(v_source.captured, '')));
    PERFORM chime.keep_routine_private(format('chime.capture_%s_move()', p_source)::regprocedure);
END $$;
COMMENT ON ROUTINE chime.write_move_capture IS 'makes the trigger function of rows that may move to another partition';

-- The condition that a row may move. Compared by their bytes where a type's own equality may be another than that by
-- which its table is partitioned: an operator costs a statement of one row half of that.
CREATE OR REPLACE FUNCTION chime.may_move(p_source integer, p_moves text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((
    SELECT string_agg(format(CASE WHEN chime.equal_is_same(a.atttypid) THEN 'OLD.%1$I%2$s IS DISTINCT FROM NEW.%1$I'
                                  ELSE 'pg_catalog.record_image_ne(ROW(OLD.%1$I), ROW(NEW.%1$I))' END,
                             a.attname, CASE WHEN a.attcollation <> 0 THEN ' COLLATE pg_catalog."C"' END), ' OR ' ORDER BY a.attnum)
    FROM regexp_split_to_table(p_moves, ' ') AS m JOIN pg_attribute a ON a.attrelid = chime.source_oid(p_source) AND a.attnum::text = m), 'true');
COMMENT ON ROUTINE chime.may_move IS 'the condition that an UPDATE may move a row to another partition';

CREATE OR REPLACE FUNCTION chime.install_move(p_source integer, p_leaf regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_moves text := chime.moves(p_source);
BEGIN
    IF v_moves IS NOT NULL THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW WHEN (%s) EXECUTE FUNCTION chime.capture_%s_move(%L, %L)',
                       chime.move_trigger(p_source), p_leaf, chime.may_move(p_source, v_moves), p_source,
                       (SELECT s.version FROM chime.source s WHERE s.source_id = p_source), v_moves);
    END IF;
END $$;
COMMENT ON ROUTINE chime.install_move IS 'makes the trigger of rows that may move on a partition';

CREATE OR REPLACE FUNCTION chime.disarm_move(p_source integer, p_relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = p_relation AND t.tgname = chime.move_trigger(p_source)::name) THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW WHEN (false) EXECUTE FUNCTION chime.capture_%s_move()',
                       chime.move_trigger(p_source), p_relation, p_source);
    END IF;
END $$;
COMMENT ON ROUTINE chime.disarm_move IS 'makes that trigger one that never fires';
