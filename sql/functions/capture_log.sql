-- SPDX-License-Identifier: PostgreSQL
-- The logs of captured changes, by the part.
--
-- Each source of a keyed view has a log, chime.change_N: one row (a mark) for each different key that a statement
-- changed, `chime_gone` where it was a DELETE, and a mark `chime_whole` for a TRUNCATE (true) or a row that could not
-- be read (false). Triggers append to it, those of statements from their transition tables, those of each row of an
-- UPDATE, where that costs less, a mark for each; readers delete nothing. A view keeps the snapshot that it last
-- consumed, and takes the marks that were not visible in that one.
--
-- A log is an inheritance parent without rows; writers append to its newest part, chime.change_N_P. A part goes, whole,
-- once every view has passed it. A part that grew past chime.part_limit() takes no more marks: until it is gone, every
-- refresh of a view over that source does everything.

-- Constants as functions, so that a test can replace them.
CREATE OR REPLACE FUNCTION chime.part_limit() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 64 * 1024 * 1024;
COMMENT ON FUNCTION chime.part_limit IS 'bytes; a part that reached it takes no more marks';

CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8 * 1024 * 1024;
COMMENT ON FUNCTION chime.part_size IS 'bytes; past it a new part is begun';

CREATE OR REPLACE FUNCTION chime.room_for() RETURNS interval LANGUAGE sql IMMUTABLE RETURN '10 minutes'::interval;
COMMENT ON FUNCTION chime.room_for IS 'how long writers trust the leader, once it is gone, to keep the head small';

-- The casts let the planner put the expression where the name stands: without them || is not immutable.
CREATE OR REPLACE FUNCTION chime.log_name(p_source integer) RETURNS text
LANGUAGE sql IMMUTABLE RETURN 'chime.change_' || p_source::text;
COMMENT ON ROUTINE chime.log_name IS 'the name of a source''s log';

CREATE OR REPLACE FUNCTION chime.part_name(p_source integer, p_part integer) RETURNS text
LANGUAGE sql IMMUTABLE RETURN 'chime.change_' || p_source::text || '_' || p_part::text;
COMMENT ON ROUTINE chime.part_name IS 'the name of a part of a log';

CREATE OR REPLACE FUNCTION chime.add_part(p_source integer, p_part integer) RETURNS void
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
COMMENT ON ROUTINE chime.add_part IS 'begins a part of a log';

-- Marks of a source's log that a snapshot does not show, no more than p_limit; NULL: this function does not know the
-- log yet. Each arm is one range of the index, as in chime.write_keyed. Its plans are kept, which costs much less than
-- planning them at each look: so who calls it sets enable_seqscan = off, and opens every part of the log first
-- (chime.flooded), with the same snapshot. Opening one that its session does not know yet is what makes older plans
-- invalid.
CREATE OR REPLACE FUNCTION chime.unseen_marks(p_source integer, p_seen pg_snapshot, p_limit integer) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN NULL; -- chime.write_unseen_marks
END $$;
COMMENT ON FUNCTION chime.unseen_marks IS 'marks of a source''s log that a snapshot does not show, at most p_limit; written anew with each log';

CREATE OR REPLACE FUNCTION chime.write_unseen_marks() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE (SELECT format(
        'CREATE OR REPLACE FUNCTION chime.unseen_marks(p_source integer, p_seen pg_snapshot, p_limit integer) RETURNS integer'
        ' LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$ BEGIN %s RETURN NULL; END $body$',
        string_agg(format($if$
            IF p_source = %1$s THEN
                RETURN (SELECT count(*) FROM (
                    SELECT 1 FROM %2$s c WHERE c.chime_xid >= pg_snapshot_xmax(p_seen)
                    UNION ALL SELECT 1 FROM %2$s c WHERE c.chime_xid = ANY (ARRAY(SELECT pg_snapshot_xip(p_seen))) LIMIT p_limit) AS m);
            END IF;
            $if$, s.source_id, chime.log_name(s.source_id)), '' ORDER BY s.source_id))
        FROM chime.source s);
END $$;
COMMENT ON FUNCTION chime.write_unseen_marks IS 'writes chime.unseen_marks, which has a statement for each log';
DO $$ BEGIN PERFORM chime.write_unseen_marks(); END $$; -- for logs that are there

CREATE OR REPLACE FUNCTION chime.drop_part(p_source integer, p_part integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DROP TABLE %s', chime.part_name(p_source, p_part));
    DELETE FROM chime.change_part c WHERE c.source_id = p_source AND c.part = p_part;
EXCEPTION WHEN lock_not_available THEN
    NULL; -- somebody reads or vacuums it
END $$;
COMMENT ON ROUTINE chime.drop_part IS 'drops a part of a log';

-- While a leader rotates the log, writers need not know how large the head is; to ask at each statement would be dear.
-- When it is gone they look for themselves, from a moment on that stands in a function: the planner puts it into their
-- plans, and makes these anew when the leader puts it off.
CREATE OR REPLACE FUNCTION chime.give_room(p_source integer, p_until timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE chime.source s SET room_until = p_until WHERE s.source_id = p_source;
    EXECUTE format('CREATE OR REPLACE FUNCTION chime.room_until_%s() RETURNS timestamptz LANGUAGE sql STABLE RETURN %L::timestamptz',
                   p_source, p_until);
    PERFORM chime.keep_routine_private(format('chime.room_until_%s()', p_source)::regprocedure);
END $$;
COMMENT ON ROUTINE chime.give_room IS 'until when writers need not look at the size of a source''s log';

-- Of those who were writing to a part, who still may be. One that prepares its transaction has another name from then
-- on: where one is gone, all that are prepared may be that one.
CREATE OR REPLACE FUNCTION chime.writers_left(p_writers text[], p_now text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT n FROM unnest(p_now) AS n
             WHERE n = ANY (p_writers)
                OR (n LIKE '-1/%' AND EXISTS (SELECT FROM unnest(p_writers) AS w WHERE w NOT LIKE '-1/%' AND w <> ALL (p_now))));
COMMENT ON ROUTINE chime.writers_left IS 'who may still be writing to a part';

-- Begins a new part where the head is large, notes that a part is left, and drops parts that every view has passed.
-- What cannot be had at once is left for the next time.
CREATE OR REPLACE FUNCTION chime.rotate_log(p_source integer) RETURNS void
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
COMMENT ON ROUTINE chime.rotate_log IS 'begins a new part where the head is large, and drops parts that every view has passed';

-- Whether marks of a part are still to be taken by who has that snapshot. Of a drained part this is the last word, and
-- one that transaction ids of others have no say in.
CREATE OR REPLACE FUNCTION chime.marks_left(p_part chime.change_part, p_seen pg_snapshot) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off AS $$
DECLARE v_left boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM %1$s WHERE chime_xid >= $1) OR EXISTS (SELECT FROM %1$s WHERE chime_xid = ANY ($2))',
                   chime.part_name(p_part.source_id, p_part.part))
       INTO v_left USING pg_snapshot_xmax(p_seen), ARRAY(SELECT pg_snapshot_xip(p_seen));
    RETURN v_left;
END $$;
COMMENT ON ROUTINE chime.marks_left IS 'whether marks of a part are still to be taken';

-- Views that have still to take marks of a part, or to do everything since it was full.
CREATE OR REPLACE FUNCTION chime.part_waits_for(p_part chime.change_part) RETURNS TABLE (view_schema name, relation name)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT s.view_schema, s.relation FROM chime.view_source s JOIN chime.view_refresh r USING (view_schema, relation)
    WHERE s.source_id = p_part.source_id AND r.seen IS NOT NULL
      AND (chime.marks_left(p_part, r.seen)
           OR (s.passed_part < p_part.part
               AND pg_relation_size(chime.part_name(p_part.source_id, p_part.part)::regclass) >= chime.part_limit()));
END;
COMMENT ON ROUTINE chime.part_waits_for IS 'views that have still to take marks of a part';

-- A view that holds more parts than this back starts over instead: its next refresh does everything.
CREATE OR REPLACE FUNCTION chime.parts_kept() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 64;
COMMENT ON ROUTINE chime.parts_kept IS 'how many parts a view may hold back before it starts over';

CREATE OR REPLACE FUNCTION chime.give_up_waiting(p_source integer) RETURNS void
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
CREATE OR REPLACE FUNCTION chime.wait_within(p_left interval) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT set_config('lock_timeout', greatest(ceil(extract(epoch FROM p_left) * 1000), 1)::integer::text, true);
END;
COMMENT ON ROUTINE chime.wait_within IS 'for the rest of the transaction, for how long a lock is waited for';

-- What failed for another reason did not wait.
CREATE OR REPLACE FUNCTION chime.patience_left(p_left interval, p_since timestamptz, p_sqlstate text) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_sqlstate = '55P03' THEN greatest(p_left - (clock_timestamp() - p_since), interval '0') ELSE p_left END;
COMMENT ON ROUTINE chime.patience_left IS 'what is left of a time after what passed since';

-- What is to be made on relations, of each source one, then of each another: none with many parts keeps the others'
-- waiting. By chance, so that each part has its turn of being waited for.
CREATE OR REPLACE FUNCTION chime.trigger_work() RETURNS TABLE (source_id integer, relation regclass, armed boolean)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT w.source_id, w.relation, w.armed
    FROM (SELECT u.source_id, u.relation, false FROM chime.triggers_unwanted() AS u
          UNION ALL SELECT t.source_id, t.relation, true FROM chime.triggers_wanted() AS t) AS w (source_id, relation, armed)
    ORDER BY w.armed, row_number() OVER (PARTITION BY w.source_id ORDER BY random()), random();
END;
COMMENT ON ROUTINE chime.trigger_work IS 'relations on which triggers are to be made, or to be put off, in the order in which that is tried';

-- The same words for the same problems, in whatever order they came; one for each source.
CREATE OR REPLACE FUNCTION chime.first_problems(p_problems text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(f.problem, '; ' ORDER BY f.problem)
        FROM (SELECT min(p) AS problem FROM unnest(p_problems) AS p GROUP BY split_part(p, ': ', 1)) AS f);
COMMENT ON ROUTINE chime.first_problems IS 'one of the problems of each thing, in words';

-- What the leader does from time to time: what was replaced goes, logs are rotated, views are asked again, logs follow
-- the columns that these ask for, sources that no view reads go, missing triggers are made. Each in a transaction of
-- its own, which is why this has no SET clause and qualifies everything. p_problem: what could not be done now, in
-- words. p_more: half a second was not enough for the triggers, and some were made.
CREATE OR REPLACE PROCEDURE chime.tend_capture(INOUT p_problem text DEFAULT NULL, INOUT p_more boolean DEFAULT NULL)
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
    FOR v_source IN SELECT DISTINCT s.source_id FROM chime.view_source s LOOP
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
    FOR v_source IN SELECT s.source_id FROM chime.source s
                    WHERE NOT EXISTS (SELECT FROM chime.view_source v WHERE v.source_id OPERATOR(pg_catalog.=) s.source_id) LOOP
        PERFORM chime.wait_within('10 milliseconds'); -- to drop a trigger holds up readers, too
        BEGIN
            PERFORM chime.drop_unread_source(v_source);
        EXCEPTION WHEN lock_not_available THEN
            NULL; -- the next time
        WHEN OTHERS THEN
            v_problems := pg_catalog.array_append(v_problems, pg_catalog.format('source %s: %s', v_source, SQLERRM));
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
COMMENT ON ROUTINE chime.tend_capture IS 'upkeep of the leader: triggers, logs, parts, replaced relations';
