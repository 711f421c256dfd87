-- SPDX-License-Identifier: PostgreSQL
-- Capture: which keys of a source changed, noted by the statement that changed them.
--
-- Each source of a keyed view has a log, chime.change_N: one row (a mark) for each different key that a statement
-- changed, and a mark `chime_whole` for a TRUNCATE (true) or a row that could not be read (false). Triggers append to
-- it, those of statements from their transition tables, those of each row of an UPDATE, where that costs less, a mark
-- for each; readers delete nothing. A view keeps the snapshot that it last consumed, and takes the marks that were not
-- visible in that one.
--
-- A log is an inheritance parent without rows; writers append to its newest part, chime.change_N_P. A part goes, whole,
-- once every view has passed it. A part that grew past chime.part_limit() takes no more marks: until it is gone, every
-- refresh of a view over that source does everything.

CREATE TABLE chime.source (
    source_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_schema name NOT NULL,
    source_table  name NOT NULL,
    captured      name[] NOT NULL CHECK (cardinality(captured) > 0),
    declared      name[] NOT NULL,
    head          integer NOT NULL DEFAULT 1,
    version       integer NOT NULL DEFAULT 1,
    room_until    timestamptz NOT NULL DEFAULT '-infinity',
    shape         text,
    UNIQUE (source_schema, source_table)
);
COMMENT ON TABLE chime.source IS 'tables whose changes are captured; chime.change_<source_id> is the log';
COMMENT ON COLUMN chime.source.captured IS 'columns of a mark';
COMMENT ON COLUMN chime.source.declared IS 'an UPDATE that changes none of these leaves no mark';
COMMENT ON COLUMN chime.source.head IS 'the part that writers append to';
COMMENT ON COLUMN chime.source.version IS 'of captured and declared; triggers made for an older one do not count';
COMMENT ON COLUMN chime.source.room_until IS 'until then writers need not look at the size of the head; the leader sees to it';
COMMENT ON COLUMN chime.source.shape IS
    'columns and types for which log and triggers were made last; NULL: not all that is read arrives in marks';

CREATE TABLE chime.view_source (
    view_schema name NOT NULL,
    relation    name NOT NULL,
    source_id   integer NOT NULL REFERENCES chime.source,
    declared    name[] NOT NULL,
    captured    name[] NOT NULL,
    map_query   text,
    trusted     boolean NOT NULL DEFAULT false,
    passed_part integer NOT NULL DEFAULT 0,
    PRIMARY KEY (view_schema, relation, source_id),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
);
COMMENT ON COLUMN chime.view_source.map_query IS
    'from `marks` (the captured columns) to the columns of the view''s grain; NULL where the captured columns hold them';
COMMENT ON COLUMN chime.view_source.trusted IS 'captured and map_query are as declared, and believed; else they are proven';
COMMENT ON COLUMN chime.view_source.passed_part IS 'parts up to this one that grew past the limit are behind the view';

CREATE TABLE chime.change_part (
    source_id  integer NOT NULL REFERENCES chime.source ON DELETE CASCADE,
    part       integer NOT NULL,
    writers    text[],
    drained    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (source_id, part)
);
COMMENT ON COLUMN chime.change_part.writers IS
    'virtual transactions that held a lock on the source when the part was left, and hold it still: these may write to it';
COMMENT ON COLUMN chime.change_part.drained IS 'all of them have ended: every mark of the part is committed, or never will be';

-- Constants as functions, so that a test can replace them.
CREATE FUNCTION chime.part_limit() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 64 * 1024 * 1024;
COMMENT ON FUNCTION chime.part_limit IS 'bytes; a part that reached it takes no more marks';
CREATE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8 * 1024 * 1024;
COMMENT ON FUNCTION chime.part_size IS 'bytes; past it a new part is begun';
CREATE FUNCTION chime.room_for() RETURNS interval LANGUAGE sql IMMUTABLE RETURN '10 minutes'::interval;
COMMENT ON FUNCTION chime.room_for IS 'how long writers trust the leader, once it is gone, to keep the head small';

-- The casts let the planner put the expression where the name stands: without them || is not immutable.
CREATE FUNCTION chime.log_name(p_source integer) RETURNS text
LANGUAGE sql IMMUTABLE RETURN 'chime.change_' || p_source::text;
CREATE FUNCTION chime.part_name(p_source integer, p_part integer) RETURNS text
LANGUAGE sql IMMUTABLE RETURN 'chime.change_' || p_source::text || '_' || p_part::text;

CREATE FUNCTION chime.source_oid(p_source integer) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT to_regclass(format('%I.%I', s.source_schema, s.source_table)) FROM chime.source s WHERE s.source_id = p_source);
END $$;

CREATE FUNCTION chime.has_equality(p_type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT t.typcategory IN ('E', 'R') FROM pg_type t WHERE t.oid = p_type) OR EXISTS (
    SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
    WHERE m.amname IN ('btree', 'hash') AND o.opcdefault
      AND (o.opcintype = p_type OR EXISTS (SELECT FROM pg_cast k WHERE k.castsource = p_type AND k.casttarget = o.opcintype
                                           AND k.castmethod = 'b' AND k.castcontext = 'i')));

-- A domain's constraints are not a log's: a mark `chime_whole` has NULL in every column.
CREATE FUNCTION chime.without_domain(p_type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE base AS (
        SELECT p_type AS type
        UNION ALL
        SELECT t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd')
    SELECT b.type FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd';
END;

-- What makes a value comparable: types without equality (json, xml, point, arrays and rows of them) are compared by
-- their text.
CREATE FUNCTION chime.comparing_cast(p_type oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT CASE WHEN chime.has_equality(CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE b.oid END) THEN '' ELSE '::text' END
    FROM pg_type t JOIN pg_type b ON b.oid = CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END
    WHERE t.oid = p_type);

CREATE FUNCTION chime.comparable_columns(p_relation regclass, p_columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(quote_ident(a.attname) || chime.comparing_cast(a.atttypid), ', ' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n)
    JOIN pg_attribute a ON a.attrelid = p_relation AND a.attname = c.name AND NOT a.attisdropped);

CREATE FUNCTION chime.add_part(p_source integer, p_part integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_name text := chime.part_name(p_source, p_part);
BEGIN
    -- vacuum_truncate: a part that reached the limit must not fall below it again.
    EXECUTE format('CREATE TABLE %s () INHERITS (%s) WITH (vacuum_truncate = false)', v_name, chime.log_name(p_source));
    PERFORM chime.keep_private(v_name::regclass);
    EXECUTE format('CREATE INDEX ON %s (chime_xid)', v_name);
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_name);
    INSERT INTO chime.change_part (source_id, part) VALUES (p_source, p_part);
END $$;

-- The columns of a mark have the types of the source's, without modifiers and domains. A column that a later view needs
-- is added; older marks have none in it, which is no matter, since that view begins with everything. Writers who still
-- have the old function in their hands are waited for by making the triggers anew: until then they do not count, and
-- every refresh does everything. A view of one group needs no column, but a mark has one.
CREATE FUNCTION chime.install_source(p_schema name, p_table name, p_declared name[], p_captured name[]) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_source chime.source;
    v_relation regclass := format('%I.%I', p_schema, p_table);
    v_column record;
BEGIN
    SELECT * INTO v_source FROM chime.source WHERE source_schema = p_schema AND source_table = p_table FOR UPDATE;
    IF NOT FOUND THEN
        p_captured := coalesce(nullif(p_captured, '{}'), chime.some_column(v_relation, p_declared));
        INSERT INTO chime.source (source_schema, source_table, captured, declared)
        VALUES (p_schema, p_table, p_captured, p_declared) RETURNING * INTO v_source;
        EXECUTE format('CREATE TABLE %s (chime_xid xid8 NOT NULL DEFAULT pg_current_xact_id(), chime_whole boolean)',
                       chime.log_name(v_source.source_id));
        PERFORM chime.keep_private(chime.log_name(v_source.source_id)::regclass);
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', chime.log_name(v_source.source_id));
        v_source.captured := '{}';
        PERFORM chime.add_part(v_source.source_id, 1), chime.give_room(v_source.source_id, '-infinity');
    ELSIF p_captured <@ v_source.captured AND p_declared <@ v_source.declared THEN
        RETURN v_source.source_id;
    END IF;
    FOR v_column IN SELECT a.attname, chime.mark_type(chime.without_domain(a.atttypid)) AS type
                    FROM pg_attribute a WHERE a.attrelid = v_relation AND a.attname = ANY (p_captured) AND NOT a.attisdropped
                      AND a.attname <> ALL (v_source.captured) LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN %I %s', chime.log_name(v_source.source_id), v_column.attname, v_column.type);
    END LOOP;
    UPDATE chime.source s
       SET version = s.version + 1,
           captured = ARRAY(SELECT c FROM unnest(v_source.captured || p_captured) WITH ORDINALITY AS u (c, n)
                            GROUP BY c ORDER BY min(n)),
           declared = ARRAY(SELECT c FROM unnest(s.declared || p_declared) WITH ORDINALITY AS u (c, n)
                            GROUP BY c ORDER BY min(n))
     WHERE s.source_id = v_source.source_id;
    PERFORM chime.note_shape(v_source.source_id);
    PERFORM chime.write_capture(v_source.source_id);
    RETURN v_source.source_id;
END $$;

-- The relations that need triggers of their own: a write through a partitioned table fires those of the table named in
-- it, a write to a partition those of the partition.
CREATE FUNCTION chime.inheritance_tree(p_relation oid) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE tree AS (
        SELECT p_relation AS relation
        UNION
        SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
    SELECT t.relation FROM tree t WHERE t.relation IS NOT NULL;
END;

CREATE FUNCTION chime.source_tree(p_source integer) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT t FROM chime.inheritance_tree(chime.source_oid(p_source)) AS t;
END;

-- Itself, where a relation is part of no other: what is written through one that it is part of fires no statement
-- trigger of its own.
CREATE FUNCTION chime.inheritance_roots(p_relation oid) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN QUERY
    WITH RECURSIVE up AS (
        SELECT p_relation AS relation
        UNION
        SELECT i.inhparent FROM up u JOIN pg_inherits i ON i.inhrelid = u.relation)
    SELECT u.relation FROM up u WHERE NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = u.relation);
END $$;

-- Partitions and children of a table that are foreign tables, in words; NULL: none. PostgreSQL lets no statement write
-- to a tree that has one while a trigger on the table that it names wants the changed rows.
CREATE FUNCTION chime.foreign_leaves(p_relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text)
        FROM chime.inheritance_tree(p_relation) AS t JOIN pg_class c ON c.oid = t WHERE c.relkind = 'f');

CREATE TYPE chime.capture_event AS (event text, referencing text);
CREATE FUNCTION chime.capture_events() RETURNS SETOF chime.capture_event
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT * FROM (VALUES ('insert', 'REFERENCING NEW TABLE AS new_rows'),
                          ('delete', 'REFERENCING OLD TABLE AS old_rows'),
                          ('update', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'),
                          ('truncate', '')) AS e;
END;

-- The functions of a source's triggers: of statements, of each row of an UPDATE, of an INSERT, and of rows that may
-- move. NULL: not there.
CREATE FUNCTION chime.capture_functions(p_source integer) RETURNS oid[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN ARRAY[to_regproc('chime.capture_' || p_source), to_regproc('chime.capture_' || p_source || '_row'),
                 to_regproc('chime.capture_' || p_source || '_insert'), to_regproc('chime.capture_' || p_source || '_move')]::oid[];
END $$;

-- Whether an UPDATE of a relation is captured row by row, which costs a statement of one row less. Not where it is one
-- of a tree: a row that an UPDATE moves to another partition fires no row trigger of UPDATE, and one of a child none of
-- the parent.
CREATE FUNCTION chime.captured_by_row(p_relation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked at every refresh
BEGIN
    RETURN (SELECT c.relkind = 'r' FROM pg_class c WHERE c.oid = p_relation)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = p_relation)
        AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = p_relation);
END $$;

-- Whether rows come to a relation through a partitioned table. A MERGE there that inserts a row gives the trigger of
-- its UPDATEs that row in place of each one updated after it (PostgreSQL 15 to 18: the executor remembers the row as it
-- was routed), unless the partition that took it has a BEFORE INSERT trigger of rows, which could have changed it. So
-- leaves have one that never fires.
CREATE FUNCTION chime.is_leaf(p_relation pg_class) RETURNS boolean LANGUAGE sql IMMUTABLE -- asked at every refresh: without SET it becomes part of the plan
RETURN p_relation.relispartition AND p_relation.relkind = 'r';

-- Relations of a source's tree on which one of our triggers is missing, does not fire, is of the other kind, or was
-- made for fewer columns. 4: a trigger of INSERT; 16: of UPDATE; 7: of each row before an INSERT; 19: before an UPDATE.
CREATE FUNCTION chime.uncaptured(p_source integer) RETURNS SETOF oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_capture oid[] := chime.capture_functions(p_source);
BEGIN
    RETURN QUERY
    WITH RECURSIVE tree AS (
        SELECT to_regclass(format('%I.%I', s.source_schema, s.source_table))::oid AS relation, s.version
        FROM chime.source s WHERE s.source_id = p_source
        UNION ALL
        SELECT i.inhrelid, t.version FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation),
    moves AS MATERIALIZED (SELECT chime.moves(p_source) AS how) -- asked once, and only where there are leaves
    SELECT r.relation FROM tree r
    CROSS JOIN LATERAL (SELECT chime.is_leaf(c) FROM pg_class c WHERE c.oid = r.relation OFFSET 0) AS l (is_leaf) -- OFFSET: by the index
    WHERE (SELECT count(*) FROM pg_trigger t
           WHERE t.tgrelid = r.relation AND t.tgenabled IN ('O', 'A')
             AND t.tgfoid = v_capture[CASE WHEN t.tgtype = 7 THEN CASE WHEN l.is_leaf THEN 1 END
                                           WHEN t.tgtype = 19 THEN CASE WHEN l.is_leaf THEN 4 END
                                           WHEN t.tgtype & 4 <> 0 THEN 3
                                           WHEN t.tgtype & 16 <> 0 AND chime.captured_by_row(r.relation) THEN 2 ELSE 1 END]
             AND (t.tgqual IS NULL OR t.tgtype IN (7, 19))
             AND encode(t.tgargs, 'escape') = r.version || CASE WHEN t.tgtype = 19 THEN '\000' || (SELECT m.how FROM moves m) ELSE '' END || '\000')
          < CASE WHEN NOT l.is_leaf THEN 4 WHEN (SELECT m.how FROM moves m) IS NULL THEN 5 ELSE 6 END;
END $$;

-- Where triggers are to be made: a relation and the source that it belongs to.
CREATE FUNCTION chime.triggers_wanted() RETURNS TABLE (source_id integer, relation regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.source_id, u::regclass FROM chime.source s CROSS JOIN LATERAL chime.uncaptured(s.source_id) AS u
    WHERE EXISTS (SELECT FROM chime.view_source v WHERE v.source_id = s.source_id)
      AND chime.foreign_leaves(chime.source_oid(s.source_id)) IS NULL;
END;

-- Relations whose triggers stand in the way: of writers, since a foreign table became part of their tree; of whoever
-- alters a table that was a partition, whose columns a condition names.
CREATE FUNCTION chime.triggers_unwanted() RETURNS TABLE (source_id integer, relation regclass)
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

-- Makes the triggers that are missing on one relation. A transaction of its own: it holds writers up while it waits for
-- its lock.
CREATE FUNCTION chime.install_triggers(p_source integer, p_relation regclass) RETURNS void
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
        EXECUTE format('CREATE OR REPLACE TRIGGER chime_capture_%1$s_%2$s AFTER %2$s ON %3$s %4$s '
                       'EXECUTE FUNCTION chime.capture_%1$s%5$s(%6$L)',
                       p_source, v_event.event, p_relation,
                       CASE WHEN v_by_row THEN 'FOR EACH ROW' ELSE v_event.referencing || ' FOR EACH STATEMENT' END,
                       CASE WHEN v_by_row THEN '_row' WHEN v_event.event = 'insert' THEN '_insert' END,
                       v_version);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'changes of % cannot be captured: %', p_relation, SQLERRM USING ERRCODE = 'insufficient_privilege',
        HINT = format('let its owner run: GRANT TRIGGER ON %s TO %I', p_relation, current_user);
END $$;

-- Triggers that want no rows and never fire stand in for those of a relation: whoever has the privilege TRIGGER may put
-- them there, but drop none.
CREATE FUNCTION chime.disarm_triggers(p_source integer, p_relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_event chime.capture_event;
BEGIN
    FOR v_event IN SELECT * FROM chime.capture_events() LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER chime_capture_%1$s_%2$s AFTER %2$s ON %3$s FOR EACH STATEMENT WHEN (false) '
                       'EXECUTE FUNCTION chime.capture_%1$s()', p_source, v_event.event, p_relation);
    END LOOP;
    PERFORM chime.disarm_move(p_source, p_relation);
END $$;

-- What a source looks like to capture. A difference to the last refresh means that something may have changed without a
-- mark: its storage (TRUNCATE with triggers off, a restore), its tree (ATTACH, DETACH, which CONCURRENTLY hides rows
-- long before the partition leaves the tree), its triggers, a subscription, the cluster.
-- xmin: a trigger that was off and is on again is another row. So are the rows that describe the columns read: a column
-- that was another for a while left no marks.
-- plpgsql, which keeps its plan: a function in SQL is planned each time it is called, and this one is at every refresh.
CREATE FUNCTION chime.source_fingerprint(p_source integer) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_capture oid[] := chime.capture_functions(p_source);
BEGIN
    RETURN (
        WITH RECURSIVE tree AS (
            SELECT to_regclass(format('%I.%I', s.source_schema, s.source_table))::oid AS relation, s.captured || s.declared AS columns,
                   false AS leaves
            FROM chime.source s WHERE s.source_id = p_source
            UNION ALL
            SELECT i.inhrelid, NULL, i.inhdetachpending FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
        SELECT md5(coalesce(string_agg(
                       concat_ws(' ', r.relation, pg_relation_filenode(r.relation), CASE WHEN r.leaves THEN 'leaves' END,
                                 (SELECT string_agg(concat_ws(' ', t.oid, t.tgenabled, t.xmin), ' ' ORDER BY t.oid) FROM pg_trigger t
                                  WHERE t.tgrelid = r.relation AND t.tgfoid = ANY (v_capture)),
                                 (SELECT string_agg(concat_ws(' ', a.attnum, a.xmin), ' ' ORDER BY a.attnum) FROM pg_attribute a
                                  WHERE a.attrelid = r.relation AND a.attname = ANY (r.columns)),
                                 (SELECT string_agg(p.srsubid::text, ' ' ORDER BY p.srsubid) FROM pg_subscription_rel p
                                  WHERE p.srrelid = r.relation)), ',' ORDER BY r.relation), '')
                   || (SELECT c.system_identifier FROM pg_control_system() c))
        FROM tree r WHERE r.relation IS NOT NULL);
END $$;

-- Who may be writing to a source. A writer asks for the trigger's function late in its statement, maybe without having
-- got a transaction id yet, and may find the one it knew when it locked the source: so parts wait for locks,
-- not for ids: a transaction that has one and never wrote to the source is none of theirs.
CREATE FUNCTION chime.source_writers(p_source integer) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(
    SELECT DISTINCT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.granted AND l.relation IN (SELECT chime.source_tree(p_source))
      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'ShareUpdateExclusiveLock'));

CREATE FUNCTION chime.drop_part(p_source integer, p_part integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DROP TABLE %s', chime.part_name(p_source, p_part));
    DELETE FROM chime.change_part c WHERE c.source_id = p_source AND c.part = p_part;
EXCEPTION WHEN lock_not_available THEN
    NULL; -- somebody reads or vacuums it
END $$;

-- While a leader rotates the log, writers need not know how large the head is; to ask at each statement would be dear.
-- When it is gone they look for themselves, from a moment on that stands in a function: the planner puts it into their
-- plans, and makes these anew when the leader puts it off.
CREATE FUNCTION chime.give_room(p_source integer, p_until timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.source s SET room_until = p_until WHERE s.source_id = p_source;
    EXECUTE format('CREATE OR REPLACE FUNCTION chime.room_until_%s() RETURNS timestamptz LANGUAGE sql STABLE RETURN %L::timestamptz',
                   p_source, p_until);
    PERFORM chime.keep_routine_private(format('chime.room_until_%s()', p_source)::regprocedure);
END $$;

-- Of those who were writing to a part, who still may be. One that prepares its transaction has another name from then
-- on: where one is gone, all that are prepared may be that one.
CREATE FUNCTION chime.writers_left(p_writers text[], p_now text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT n FROM unnest(p_now) AS n
             WHERE n = ANY (p_writers)
                OR (n LIKE '-1/%' AND EXISTS (SELECT FROM unnest(p_writers) AS w WHERE w NOT LIKE '-1/%' AND w <> ALL (p_now))));

-- Begins a new part where the head is large, notes that a part is left, and drops parts that every view has passed.
-- What cannot be had at once is left for the next time.
CREATE FUNCTION chime.rotate_log(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
    v_head integer;
    v_room_until timestamptz;
    v_writers text[] := chime.source_writers(p_source);
BEGIN
    SELECT s.head, s.room_until INTO STRICT v_head, v_room_until FROM chime.source s WHERE s.source_id = p_source FOR UPDATE;
    IF pg_relation_size(chime.part_name(p_source, v_head)::regclass) >= chime.part_size() THEN
        PERFORM chime.add_part(p_source, v_head + 1);
        UPDATE chime.source s SET head = v_head + 1 WHERE s.source_id = p_source;
        PERFORM chime.write_capture(p_source);
        RETURN;
    END IF;
    IF v_room_until NOT BETWEEN clock_timestamp() + chime.room_for() / 2 AND clock_timestamp() + chime.room_for() THEN -- beyond: the clock was put back
        PERFORM chime.give_room(p_source, clock_timestamp() + chime.room_for());
    END IF;
    UPDATE chime.change_part c SET writers = chime.writers_left(coalesce(c.writers, v_writers), v_writers)
     WHERE c.source_id = p_source AND c.part < v_head AND NOT c.drained;
    UPDATE chime.change_part c SET drained = true
     WHERE c.source_id = p_source AND c.part < v_head AND NOT c.drained AND c.writers = '{}';
    PERFORM chime.give_up_waiting(p_source);
    PERFORM chime.drop_part(p_source, c.part) FROM chime.change_part c
      WHERE c.source_id = p_source AND c.part < v_head AND c.drained AND NOT EXISTS (SELECT FROM chime.part_waits_for(c));
EXCEPTION WHEN lock_not_available THEN
    NULL;
END $$;

-- Whether marks of a part are still to be taken by who has that snapshot. Of a drained part this is the last word, and
-- one that transaction ids of others have no say in.
CREATE FUNCTION chime.marks_left(p_part chime.change_part, p_seen pg_snapshot) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
DECLARE v_left boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %1$s WHERE chime_xid >= $1) OR EXISTS (SELECT FROM %1$s WHERE chime_xid = ANY ($2))',
                   chime.part_name(p_part.source_id, p_part.part))
       INTO v_left USING pg_snapshot_xmax(p_seen), ARRAY(SELECT pg_snapshot_xip(p_seen));
    RETURN v_left;
END $$;

-- Views that have still to take marks of a part, or to do everything since it was full.
CREATE FUNCTION chime.part_waits_for(p_part chime.change_part) RETURNS TABLE (view_schema name, relation name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.view_schema, s.relation FROM chime.view_source s JOIN chime.view_refresh r USING (view_schema, relation)
    WHERE s.source_id = p_part.source_id AND r.seen IS NOT NULL
      AND (chime.marks_left(p_part, r.seen)
           OR (s.passed_part < p_part.part
               AND pg_relation_size(chime.part_name(p_part.source_id, p_part.part)::regclass) >= chime.part_limit()));
END;

-- A view that holds more parts than this back starts over instead: its next refresh does everything.
CREATE FUNCTION chime.parts_kept() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 64;

CREATE FUNCTION chime.give_up_waiting(p_source integer) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.view_refresh r
       SET seen = NULL, start_over = format('it held back more than %s parts of the log of %s', chime.parts_kept(), chime.source_oid(p_source))
      FROM chime.source s JOIN chime.change_part c USING (source_id) CROSS JOIN LATERAL chime.part_waits_for(c) AS w
     WHERE s.source_id = p_source AND c.drained AND c.part <= s.head - chime.parts_kept()
       AND (r.view_schema, r.relation) = (w.view_schema, w.relation);
END;
COMMENT ON FUNCTION chime.give_up_waiting IS 'of a view that is not refreshed any more, say because its job is suspended';

-- Whoever owns a source may hold locks on any number of its parts. So in one call of tend_capture the leader waits for
-- 200 ms in all, and once more for triggers; what is locked after that is given one look, and left for the next call.
CREATE FUNCTION chime.wait_within(p_left interval) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT set_config('lock_timeout', greatest(ceil(extract(epoch FROM p_left) * 1000), 1)::integer::text, true);
END;

-- What failed for another reason did not wait.
CREATE FUNCTION chime.patience_left(p_left interval, p_since timestamptz, p_sqlstate text) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_sqlstate = '55P03' THEN greatest(p_left - (clock_timestamp() - p_since), interval '0') ELSE p_left END;

-- What is to be made on relations, of each source one, then of each another: none with many parts keeps the others'
-- waiting. By chance, so that each part has its turn of being waited for.
CREATE FUNCTION chime.trigger_work() RETURNS TABLE (source_id integer, relation regclass, armed boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT w.source_id, w.relation, w.armed
    FROM (SELECT u.source_id, u.relation, false FROM chime.triggers_unwanted() AS u
          UNION ALL SELECT t.source_id, t.relation, true FROM chime.triggers_wanted() AS t) AS w (source_id, relation, armed)
    ORDER BY w.armed, row_number() OVER (PARTITION BY w.source_id ORDER BY random()), random();
END;

-- The same words for the same problems, in whatever order they came; one for each source.
CREATE FUNCTION chime.first_problems(p_problems text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(f.problem, '; ' ORDER BY f.problem)
        FROM (SELECT min(p) AS problem FROM unnest(p_problems) AS p GROUP BY split_part(p, ': ', 1)) AS f);

-- What the leader does from time to time: what was replaced goes, logs are rotated and follow their sources' columns,
-- missing triggers are made. Each in a transaction of its own, which is why this has no SET clause and qualifies
-- everything. p_problem: what could not be done now, in words. p_more: half a second was not enough for the triggers,
-- and some were made.
CREATE PROCEDURE chime.tend_capture(INOUT p_problem text DEFAULT NULL, INOUT p_more boolean DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    v_left interval := '200 milliseconds'; -- of the time for which locks are waited for
    v_since timestamptz;
    v_until timestamptz;
    v_made boolean := false;
    v_problems text[];
    v_source integer;
    v_wanted record;
    v_refused text; -- "view ... would run ..."
BEGIN
    p_more := false;
    PERFORM chime.drop_replaced();
    COMMIT;
    FOR v_source IN SELECT s.source_id FROM chime.source s LOOP
        PERFORM chime.rotate_log(v_source);
        COMMIT;
        PERFORM chime.wait_within(v_left);
        v_since := pg_catalog.clock_timestamp();
        BEGIN
            IF chime.needs_following(v_source) THEN
                PERFORM chime.follow_source(v_source);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            v_left := chime.patience_left(v_left, v_since, SQLSTATE);
            p_problem := pg_catalog.concat_ws('; ', p_problem,
                                              pg_catalog.format('columns of %s: %s', chime.source_oid(v_source), SQLERRM));
        END;
        COMMIT;
    END LOOP;
    FOR v_wanted IN SELECT v.*, p.source_schema FROM chime.view v JOIN chime.plugin p ON p.name OPERATOR(pg_catalog.=) v.plugin
                    WHERE v.asked IS NOT NULL AND p.state OPERATOR(pg_catalog.=) ANY ('{installed,failed}'::pg_catalog.text[])
                    ORDER BY pg_catalog.random() LOOP
        PERFORM chime.wait_within('10 milliseconds');
        v_refused := chime.note_vetted(v_wanted.view_schema, v_wanted.relation);
        COMMIT;
        IF v_refused IS NOT NULL THEN
            v_problems := pg_catalog.array_append(v_problems, v_refused);
            CONTINUE;
        END IF;
        CONTINUE WHEN v_left OPERATOR(pg_catalog.=) '0'::pg_catalog.interval; -- 200 ms are its own
        v_since := pg_catalog.clock_timestamp();
        BEGIN
            PERFORM chime.ask_again(v_wanted.view_schema, v_wanted.source_schema, v_wanted.relation);
        EXCEPTION WHEN OTHERS THEN
            v_left := chime.patience_left(v_left, v_since, SQLSTATE);
            v_problems := pg_catalog.array_append(v_problems, pg_catalog.format('view %s.%s: %s', v_wanted.view_schema, v_wanted.relation, SQLERRM));
        END;
        COMMIT;
    END LOOP;
    FOR v_wanted IN SELECT v.* FROM chime.view v WHERE v.found_wrong IS NOT NULL ORDER BY v.view_id LOOP
        p_problem := pg_catalog.concat_ws('; ', p_problem, pg_catalog.format('view %s.%s: %s', v_wanted.view_schema, v_wanted.relation,
                                                                             v_wanted.found_wrong));
    END LOOP;
    v_left := '200 milliseconds';
    FOR v_wanted IN SELECT * FROM chime.trigger_work() LOOP
        v_since := pg_catalog.clock_timestamp();
        v_until := coalesce(v_until, v_since OPERATOR(pg_catalog.+) '500 milliseconds'::pg_catalog.interval); -- however long it took to ask
        IF v_since OPERATOR(pg_catalog.>) v_until THEN
            p_more := v_made;
            EXIT;
        END IF;
        PERFORM chime.wait_within(v_left);
        BEGIN
            IF v_wanted.armed THEN
                PERFORM chime.install_triggers(v_wanted.source_id, v_wanted.relation);
            ELSE
                PERFORM chime.disarm_triggers(v_wanted.source_id, v_wanted.relation);
            END IF;
            v_made := true;
        EXCEPTION WHEN OTHERS THEN
            v_left := chime.patience_left(v_left, v_since, SQLSTATE);
            v_problems := pg_catalog.array_append(v_problems,
                                                  pg_catalog.format('triggers on %s: %s', chime.source_oid(v_wanted.source_id), SQLERRM));
        END;
        COMMIT;
    END LOOP;
    p_problem := pg_catalog.concat_ws('; ', p_problem, chime.first_problems(v_problems));
    p_problem := CASE WHEN p_problem OPERATOR(pg_catalog.<>) '' THEN p_problem END;
END $$;

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
