-- SPDX-License-Identifier: PostgreSQL
-- The triggers that note which keys of a source changed, on it and on its partitions and children.

-- The relations that need triggers of their own: a write through a partitioned table fires those of the table named in
-- it, a write to a partition those of the partition.
CREATE OR REPLACE FUNCTION chime.inheritance_tree(p_relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE tree AS (
        SELECT p_relation AS relation
        UNION
        SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
    SELECT t.relation FROM tree t WHERE t.relation IS NOT NULL;
END;
COMMENT ON ROUTINE chime.inheritance_tree IS 'a table, its partitions and children, and theirs';

CREATE OR REPLACE FUNCTION chime.source_tree(p_source integer) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t FROM chime.inheritance_tree(chime.source_oid(p_source)) AS t;
END;
COMMENT ON ROUTINE chime.source_tree IS 'the relations of a source that need triggers of their own';

-- Itself, where a relation is part of no other: what is written through one that it is part of fires no statement
-- trigger of its own.
CREATE OR REPLACE FUNCTION chime.inheritance_roots(p_relation oid) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN QUERY
    WITH RECURSIVE up AS (
        SELECT p_relation AS relation
        UNION
        SELECT i.inhparent FROM up u JOIN pg_inherits i ON i.inhrelid = u.relation)
    SELECT u.relation FROM up u WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = u.relation);
END $$;
COMMENT ON ROUTINE chime.inheritance_roots IS 'the tables at the top of the trees that a relation is part of';

-- Partitions and children of a table that are foreign tables, in words; NULL: none. PostgreSQL lets no statement write
-- to a tree that has one while a trigger on the table that it names wants the changed rows.
CREATE OR REPLACE FUNCTION chime.foreign_leaves(p_relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text)
        FROM chime.inheritance_tree(p_relation) AS t JOIN pg_class c ON c.oid = t WHERE c.relkind = 'f');
COMMENT ON ROUTINE chime.foreign_leaves IS 'foreign tables among a table''s partitions and children';

CREATE OR REPLACE FUNCTION chime.capture_events() RETURNS SETOF chime.capture_event
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT * FROM (VALUES ('insert', 'REFERENCING NEW TABLE AS new_rows'),
                          ('delete', 'REFERENCING OLD TABLE AS old_rows'),
                          ('update', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                          ('truncate', '')) AS e;
END;
COMMENT ON ROUTINE chime.capture_events IS 'the statements whose changes are captured, with the names of their triggers';

-- The functions of a source's triggers: of statements, of each row of an UPDATE, of an INSERT, and of rows that may
-- move. NULL: not there.
CREATE OR REPLACE FUNCTION chime.capture_functions(p_source integer) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN ARRAY[to_regproc('chime.capture_' || p_source), to_regproc('chime.capture_' || p_source || '_row'),
                 to_regproc('chime.capture_' || p_source || '_insert'), to_regproc('chime.capture_' || p_source || '_move')]::oid[];
END $$;
COMMENT ON ROUTINE chime.capture_functions IS 'the functions of a source''s triggers: of statements, of each row of an UPDATE, of an INSERT, and of rows that may move';

-- Whether an UPDATE of a relation is captured row by row, which costs a statement of one row less. Not where it is one
-- of a tree: a row that an UPDATE moves to another partition fires no row trigger of UPDATE, and one of a child none of
-- the parent.
CREATE OR REPLACE FUNCTION chime.captured_by_row(p_relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT c.relkind = 'r' FROM pg_class c WHERE c.oid = p_relation)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = p_relation)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = p_relation);
END $$;
COMMENT ON ROUTINE chime.captured_by_row IS 'whether an UPDATE of a relation is captured row by row: it is not part of a tree';

-- Whether rows come to a relation through a partitioned table. A MERGE there that inserts a row gives the trigger of
-- its UPDATEs that row in place of each one updated after it (PostgreSQL 15 to 18: the executor remembers the row as it
-- was routed), unless the partition that took it has a BEFORE INSERT trigger of rows, which could have changed it. So
-- leaves have one that never fires.
CREATE OR REPLACE FUNCTION chime.is_leaf(p_relation pg_class) RETURNS boolean LANGUAGE sql IMMUTABLE -- asked at every refresh: without SET it becomes part of the plan
RETURN p_relation.relispartition AND p_relation.relkind = 'r';
COMMENT ON ROUTINE chime.is_leaf IS 'whether rows come to a relation through a partitioned table';

-- Relations of sources' trees on which one of our triggers is missing, does not fire, is of the other kind, or was
-- made for fewer columns. 4: a trigger of INSERT; 16: of UPDATE; 7: of each row before an INSERT; 19: before an UPDATE.
CREATE OR REPLACE FUNCTION chime.uncaptured_relations(p_sources integer[]) RETURNS TABLE (source_id integer, relation oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$ -- keeps its plan: asked at every refresh
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE root AS MATERIALIZED (
        SELECT s.source_id, r.oid AS relation, s.version, chime.capture_functions(s.source_id) AS capture,
               CASE WHEN c.relkind = 'p' THEN chime.moves(s.source_id) END AS moves, chime.captured_by_row(c.oid) AS by_row
        FROM chime.source s CROSS JOIN LATERAL (SELECT to_regclass(format('%I.%I', s.source_schema, s.source_table))::oid) AS r (oid)
        LEFT JOIN pg_class c ON c.oid = r.oid
        WHERE s.source_id = ANY (p_sources)),
    tree AS (
        SELECT r.source_id, r.relation, r.by_row FROM root r
        UNION ALL
        SELECT t.source_id, i.inhrelid, false FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
    SELECT t.source_id, t.relation
    FROM tree t JOIN root s ON s.source_id = t.source_id
    CROSS JOIN LATERAL (SELECT chime.is_leaf(c) FROM pg_class c WHERE c.oid = t.relation OFFSET 0) AS l (is_leaf) -- OFFSET: by the index
    WHERE (SELECT count(*) FROM pg_trigger g
           WHERE g.tgrelid = t.relation AND g.tgenabled IN ('O', 'A')
             AND g.tgfoid = s.capture[CASE WHEN g.tgtype = 7 THEN CASE WHEN l.is_leaf THEN 1 END
                                           WHEN g.tgtype = 19 THEN CASE WHEN l.is_leaf THEN 4 END
                                           WHEN g.tgtype & 4 <> 0 THEN 3
                                           WHEN g.tgtype & 16 <> 0 AND t.by_row THEN 2 ELSE 1 END]
             AND (g.tgqual IS NULL OR g.tgtype IN (7, 19))
             AND encode(g.tgargs, 'escape') = s.version || CASE WHEN g.tgtype = 19 THEN '\000' || s.moves ELSE '' END || '\000')
          < CASE WHEN NOT l.is_leaf THEN 4 WHEN s.moves IS NULL THEN 5 ELSE 6 END;
END $$;
COMMENT ON ROUTINE chime.uncaptured_relations IS 'relations of sources on which a trigger is missing, off, or too old';

-- Where triggers are to be made: a relation and the source that it belongs to.
CREATE OR REPLACE FUNCTION chime.triggers_wanted() RETURNS TABLE (source_id integer, relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT u.source_id, u.relation::regclass FROM chime.uncaptured_relations(ARRAY(SELECT v.source_id FROM chime.view_source v)) AS u
    WHERE chime.foreign_leaves(chime.source_oid(u.source_id)) IS NULL;
END;
COMMENT ON ROUTINE chime.triggers_wanted IS 'relations on which triggers are to be made';

-- Relations whose triggers stand in the way: of writers, since a foreign table became part of their tree; of whoever
-- alters a table that was a partition, whose columns a condition names.
CREATE OR REPLACE FUNCTION chime.triggers_unwanted() RETURNS TABLE (source_id integer, relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT s.source_id, t.tgrelid::regclass
    FROM chime.source s
    CROSS JOIN LATERAL (SELECT chime.capture_functions(s.source_id) AS functions, -- OFFSET: both once for a source
                               ARRAY(SELECT chime.source_tree(s.source_id)) AS tree OFFSET 0) AS o
    JOIN pg_trigger t ON t.tgfoid = ANY (o.functions)
    WHERE (t.tgoldtable IS NOT NULL OR t.tgnewtable IS NOT NULL) AND chime.foreign_leaves(t.tgrelid) IS NOT NULL
       OR t.tgtype = 19 AND t.tgnargs > 0 AND t.tgrelid <> ALL (o.tree);
END;
COMMENT ON ROUTINE chime.triggers_unwanted IS 'relations whose triggers would make writes fail';

-- Makes the triggers that are missing on one relation. A transaction of its own: it holds writers up while it waits for
-- its lock.
CREATE OR REPLACE FUNCTION chime.install_triggers(p_source integer, p_relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_event chime.capture_event;
    v_by_row boolean;
    v_version integer := (SELECT s.version FROM chime.source s WHERE s.source_id = p_source);
BEGIN
    IF (SELECT chime.is_leaf(c) FROM pg_class c WHERE c.oid = p_relation) THEN
        EXECUTE format('CREATE OR REPLACE TRIGGER chime_capture_%1$s_merge BEFORE INSERT ON %2$s FOR EACH ROW WHEN (false) '
                       'EXECUTE FUNCTION chime.capture_%1$s(%3$L)', p_source, p_relation, v_version);
        PERFORM chime.install_move(p_source, p_relation);
    END IF;
    FOR v_event IN SELECT * FROM chime.capture_events() LOOP
        v_by_row := v_event.event = 'update' AND chime.captured_by_row(p_relation);
        EXECUTE chime.fill_template('CREATE OR REPLACE TRIGGER chime_capture_{{source}}_{{event}} AFTER {{event}} ON {{table}} {{rows}} '
                                    'EXECUTE FUNCTION chime.capture_{{source}}{{variant}}({{version}})', jsonb_build_object(
            'source', p_source,
            'event', v_event.event,
            'table', p_relation,
            'rows', CASE WHEN v_by_row THEN 'FOR EACH ROW' ELSE v_event.referencing || ' FOR EACH STATEMENT' END,
            'variant', CASE WHEN v_by_row THEN '_row' WHEN v_event.event = 'insert' THEN '_insert' END,
            'version', quote_literal(v_version)));
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'changes of % cannot be captured: %', p_relation, SQLERRM USING ERRCODE = 'insufficient_privilege',
        HINT = format('let its owner run: GRANT TRIGGER ON %s TO %I', p_relation, current_user);
END $$;
COMMENT ON ROUTINE chime.install_triggers IS 'makes the triggers that are missing on one relation, in a transaction of its own';

-- Triggers that want no rows and never fire stand in for those of a relation: whoever has the privilege TRIGGER may put
-- them there, but drop none.
CREATE OR REPLACE FUNCTION chime.disarm_triggers(p_source integer, p_relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_event chime.capture_event;
BEGIN
    FOR v_event IN SELECT * FROM chime.capture_events() LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER chime_capture_%1$s_%2$s AFTER %2$s ON %3$s FOR EACH STATEMENT WHEN (false) '
                       'EXECUTE FUNCTION chime.capture_%1$s()', p_source, v_event.event, p_relation);
    END LOOP;
    PERFORM chime.disarm_move(p_source, p_relation);
END $$;
COMMENT ON ROUTINE chime.disarm_triggers IS 'puts triggers that never fire in the place of those of a relation';

-- What sources look like to capture. A difference to the last refresh means that something may have changed without a
-- mark: its storage (TRUNCATE with triggers off, a restore), its tree (ATTACH, DETACH, which CONCURRENTLY hides rows
-- long before the partition leaves the tree), its triggers, a subscription, the cluster.
-- xmin: a trigger that was off and is on again is another row. So are the rows that describe the columns read: a column
-- that was another for a while left no marks.
-- plpgsql, which keeps its plan: a function in SQL is planned each time it is called, and this one is at every refresh.
CREATE OR REPLACE FUNCTION chime.source_looks(p_sources integer[]) RETURNS TABLE (source_id integer, fingerprint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE tree AS (
        SELECT s.source_id, to_regclass(format('%I.%I', s.source_schema, s.source_table))::oid AS relation, s.captured || s.declared AS columns,
               false AS leaves, chime.capture_functions(s.source_id) AS capture
        FROM chime.source s WHERE s.source_id = ANY (p_sources)
        UNION ALL
        SELECT t.source_id, i.inhrelid, NULL, i.inhdetachpending, t.capture FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
    SELECT r.source_id,
           md5(coalesce(string_agg(
                   concat_ws(' ', r.relation, pg_relation_filenode(r.relation), CASE WHEN r.leaves THEN 'leaves' END,
                             (SELECT string_agg(concat_ws(' ', t.oid, t.tgenabled, t.xmin), ' ' ORDER BY t.oid) FROM pg_trigger t
                              WHERE t.tgrelid = r.relation AND t.tgfoid = ANY (r.capture)),
                             (SELECT string_agg(concat_ws(' ', a.attnum, a.xmin), ' ' ORDER BY a.attnum) FROM pg_attribute a
                              WHERE a.attrelid = r.relation AND a.attname = ANY (r.columns)),
                             (SELECT string_agg(p.srsubid::text, ' ' ORDER BY p.srsubid) FROM pg_subscription_rel p
                              WHERE p.srrelid = r.relation)), ',' ORDER BY r.relation) FILTER (WHERE r.relation IS NOT NULL), '')
               || (SELECT c.system_identifier FROM pg_control_system() c))
    FROM tree r GROUP BY r.source_id;
END $$;
COMMENT ON ROUTINE chime.source_looks IS 'what sources look like: columns, triggers, partitions, files';

-- Who may be writing to a source. A writer asks for the trigger's function late in its statement, maybe without having
-- got a transaction id yet, and may find the one it knew when it locked the source: so parts wait for locks,
-- not for ids: a transaction that has one and never wrote to the source is none of theirs.
CREATE OR REPLACE FUNCTION chime.source_writers(p_source integer) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(
    SELECT DISTINCT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.granted AND l.relation IN (SELECT chime.source_tree(p_source))
      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareUpdateExclusiveLock'));
COMMENT ON ROUTINE chime.source_writers IS 'who may be writing to a source at the moment';
