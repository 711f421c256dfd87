-- SPDX-License-Identifier: PostgreSQL
-- Jobs that go on where they were: their bounds, and how far they have come. The position is written by the transaction
-- that did the work. docs/adr/0048-pipelines.md says why the upper bound is safe.

-- --- transactions that may still write below the bound ---------------------------------------------------------------

-- nextval locks its sequence until its transaction ends, and before it takes a number. So whoever drew a number before
-- this is asked, and has not ended, is among these. A prepared transaction keeps the name that it had.
CREATE OR REPLACE FUNCTION chime.drawers(p_sequence oid) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT DISTINCT l.virtualtransaction FROM pg_locks l
             WHERE l.locktype = 'relation' AND l.relation = p_sequence AND l.granted AND l.mode LIKE '%Exclusive%'
               AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
               AND l.pid IS DISTINCT FROM pg_backend_pid());
COMMENT ON FUNCTION chime.drawers IS 'open transactions that may have drawn numbers of a sequence';

-- now() of a transaction is its begin. Where that is hidden (another role's session), it may have been before.
CREATE OR REPLACE FUNCTION chime.begun_before(p_end timestamptz) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT DISTINCT l.virtualtransaction FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype IN ('virtualxid', 'transactionid') AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
               AND CASE WHEN l.pid IS NULL THEN true -- prepared, in whichever database
                        ELSE a.datname = current_database() AND coalesce(a.xact_start < p_end, true)
                             AND coalesce(a.backend_type, '') <> 'autovacuum worker' END);
COMMENT ON FUNCTION chime.begun_before IS 'open transactions of this database that began before an instant, or may have';

-- A run holds no lock that a writer needs, but one that DDL waits for. That may be of a transaction that the run waits
-- for, or others queue up behind it.
CREATE OR REPLACE FUNCTION chime.give_way() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_pid integer := (SELECT l.pid FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid)) LIMIT 1);
BEGIN
    IF v_pid IS NOT NULL THEN
        RAISE EXCEPTION 'session % waits for a lock of this run, which waits for other transactions', v_pid
            USING ERRCODE = 'deadlock_detected', HINT = 'the run gave way; another attempt, or the next slot, goes on where it was';
    END IF;
END $$;
COMMENT ON FUNCTION chime.give_way IS 'raises where another session waits for this one';

CREATE OR REPLACE FUNCTION chime.await_transactions(p_job bigint, p_transactions text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_open text[] := p_transactions;
    v_nap double precision := 0.002;
    v_limit interval := nullif(current_setting('lock_timeout'), '0')::interval;
    v_since timestamptz := clock_timestamp();
BEGIN
    IF v_open = '{}' THEN
        RETURN;
    END IF;
    PERFORM pg_try_advisory_lock_shared('chime.pipeline'::regclass::oid::bigint::bit(32)::integer, p_job::bit(32)::integer); -- tells that it waits
    LOOP
        v_open := ARRAY(SELECT DISTINCT l.virtualtransaction FROM pg_locks l WHERE l.virtualtransaction = ANY (v_open));
        EXIT WHEN v_open = '{}';
        IF clock_timestamp() - v_since > v_limit THEN
            RAISE EXCEPTION 'the cursor waits for transactions that are older than its upper bound: %', array_to_string(v_open, ', ')
                USING ERRCODE = 'lock_not_available', HINT = 'SELECT waits_for FROM chime.pipeline_status names their sessions while a run waits';
        END IF;
        PERFORM chime.give_way();
        PERFORM pg_sleep(v_nap);
        v_nap := least(v_nap * 2, 0.25);
    END LOOP;
    PERFORM pg_advisory_unlock_shared('chime.pipeline'::regclass::oid::bigint::bit(32)::integer, p_job::bit(32)::integer);
END $$;
COMMENT ON FUNCTION chime.await_transactions IS
    'returns once these have ended, as pg_locks names them; nobody waits for it meanwhile. lock_timeout bounds it';

-- --- sequences -------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION chime.source_table(p_source text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_parts text[] := parse_ident(p_source);
    v_table regclass;
BEGIN
    IF cardinality(v_parts) = 3 THEN
        v_table := to_regclass(format('%I.%I', v_parts[1], v_parts[2]));
    END IF;
    IF v_table IS NULL OR NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                                      WHERE a.attrelid = v_table AND a.attname = v_parts[3] AND a.attnum > 0 AND NOT a.attisdropped
                                        AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) AND c.relkind IN ('r', 'p')) THEN
        RAISE EXCEPTION 'cursor_source "%" is no column of whole numbers of a table', p_source USING ERRCODE = 'undefined_column',
            HINT = 'name it as schema.table.column, of type bigint, integer or smallint';
    END IF;
    RETURN v_table;
END $$;
COMMENT ON FUNCTION chime.source_table IS 'the table of a cursor_source; raises where there is no such column';

-- Its own (identity, serial, OWNED BY), else that of its default.
CREATE OR REPLACE FUNCTION chime.source_sequence(p_source text) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table regclass := chime.source_table(p_source);
    v_column name := (parse_ident(p_source))[3];
    v_sequence regclass := pg_get_serial_sequence(v_table::text, v_column);
    v_rules pg_sequence;
BEGIN
    IF v_sequence IS NULL THEN
        SELECT d.refobjid::regclass INTO v_sequence
        FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
        JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
        JOIN pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
        WHERE f.adrelid = v_table AND a.attname = v_column;
    END IF;
    SELECT * INTO v_rules FROM pg_sequence q WHERE q.seqrelid = v_sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'column % has no sequence: nobody can say which of its numbers are still to come', p_source
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'make it an identity column; or name the sequence that it takes its numbers from: ALTER SEQUENCE ... OWNED BY ' || p_source;
    ELSIF v_rules.seqcache <> 1 OR v_rules.seqincrement <> 1 OR v_rules.seqcycle THEN
        RAISE EXCEPTION 'sequence % has CACHE %, INCREMENT %: its numbers may be used in any order', v_sequence, v_rules.seqcache,
                        v_rules.seqincrement || CASE WHEN v_rules.seqcycle THEN ', CYCLE' ELSE '' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('ALTER SEQUENCE %s CACHE 1 INCREMENT 1 NO CYCLE; sessions that hold cached numbers have to connect anew', v_sequence);
    END IF;
    RETURN v_sequence;
END $$;
COMMENT ON FUNCTION chime.source_sequence IS 'the sequence that numbers a cursor_source; raises where its numbers are not drawn one by one, upwards';

CREATE OR REPLACE FUNCTION chime.last_drawn(p_sequence regclass) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_drawn bigint;
BEGIN
    EXECUTE format('SELECT CASE WHEN s.is_called THEN s.last_value END FROM %s AS s', p_sequence) INTO v_drawn;
    RETURN v_drawn;
END $$;
COMMENT ON FUNCTION chime.last_drawn IS 'the last number of a sequence; NULL: none was drawn';

-- The largest visible number is read first: what is visible was drawn before.
CREATE OR REPLACE FUNCTION chime.drawn_number(p_source text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_sequence regclass := chime.source_sequence(p_source);
    v_largest bigint;
    v_drawn bigint;
BEGIN
    EXECUTE format('SELECT max(s.%I) FROM %s AS s', (parse_ident(p_source))[3], chime.source_table(p_source)) INTO v_largest;
    v_drawn := chime.last_drawn(v_sequence);
    IF v_largest > coalesce(v_drawn, v_largest - 1) THEN
        RAISE EXCEPTION '% has the number %, but its sequence % stands at %: its numbers come from elsewhere', p_source, v_largest, v_sequence,
                        coalesce(v_drawn::text, 'its start')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('SELECT setval(%L, %s) where they were copied; a table that is filled by replication, or by numbers of clients, cannot be the source',
                                v_sequence, v_largest);
    END IF;
    RETURN v_drawn;
END $$;
COMMENT ON FUNCTION chime.drawn_number IS 'the last number that was drawn for a cursor_source; NULL: none was';

-- --- the bounds of a run ---------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION chime.lock_position(p_job bigint, p_kind text, p_source text) RETURNS chime.pipeline
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_position chime.pipeline;
BEGIN
    INSERT INTO chime.pipeline (job_id, kind, source) VALUES (p_job, p_kind, p_source) ON CONFLICT (job_id) DO NOTHING;
    SELECT * INTO v_position FROM chime.pipeline p WHERE p.job_id = p_job FOR UPDATE;
    IF (v_position.kind, v_position.source) IS DISTINCT FROM (p_kind, p_source) THEN
        RAISE EXCEPTION 'the position of this job is of cursor %, and its cursor is % now', concat_ws(' ', v_position.kind, v_position.source),
                        concat_ws(' ', p_kind, p_source)
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('SELECT chime.set_pipeline_position(%s, NULL) begins anew; with a position instead of NULL it goes on there', p_job);
    END IF;
    RETURN v_position;
END $$;
COMMENT ON FUNCTION chime.lock_position IS 'how far the job has come, held until the transaction ends; raises where that is of another cursor';

-- Half open: $cursor_start is the first number that is to be processed, $cursor_end the first that is not. The position
-- is locked after the wait: nobody waits for that lock meanwhile.
CREATE OR REPLACE FUNCTION chime.number_bounds(p_job bigint, p_source text, OUT first bigint, OUT last bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    last := chime.drawn_number(p_source) + 1;
    IF last > coalesce((SELECT p.next_number FROM chime.pipeline p WHERE p.job_id = p_job), last - 1) THEN
        PERFORM chime.await_transactions(p_job, chime.drawers(chime.source_sequence(p_source)));
    END IF;
    first := coalesce((chime.lock_position(p_job, 'sequence', p_source)).next_number, -9223372036854775808);
    last := coalesce(last, first);
    IF last < first THEN
        RAISE EXCEPTION 'numbers of % up to % are processed, but its sequence stands at %', p_source, first - 1, last - 1
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('it was set back: SELECT chime.set_pipeline_position(%s, %L) goes on there', p_job, last);
    END IF;
END $$;
COMMENT ON FUNCTION chime.number_bounds IS 'which numbers a run of a sequence processes: from first on, below last';

CREATE OR REPLACE FUNCTION chime.time_bounds(p_job bigint, p_start timestamptz, p_end timestamptz, OUT first timestamptz, OUT last timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.await_transactions(p_job, chime.begun_before(p_end));
    first := coalesce((chime.lock_position(p_job, 'interval', NULL)).next_time, p_start, p_end);
    last := greatest(first, p_end);
END $$;
COMMENT ON FUNCTION chime.time_bounds IS 'which time a run of intervals processes: from first on, before last';

-- --- a run -----------------------------------------------------------------------------------------------------------

-- Of a text that sees its transaction as it was at the begin, nobody can say what is committed since.
CREATE OR REPLACE FUNCTION chime.require_read_committed() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
        RAISE EXCEPTION 'a job with a cursor needs transactions that are read committed' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'take default_transaction_isolation out of the settings of the role, the database and the job';
    END IF;
END $$;
COMMENT ON FUNCTION chime.require_read_committed IS 'raises in a transaction whose statements do not see what was committed before each of them';

CREATE OR REPLACE FUNCTION chime.note_position(p_job bigint, p_number bigint, p_time timestamptz, p_more boolean, p_rows bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.pipeline p
       SET next_number = coalesce(p_number, p.next_number), next_time = coalesce(p_time, p.next_time),
           chunks = CASE WHEN p_more THEN p.chunks + 1 ELSE 0 END, effects = p.effects + 1, last_effect = clock_timestamp(), last_rows = p_rows
     WHERE p.job_id = p_job;
END;
COMMENT ON FUNCTION chime.note_position IS 'the work up to there is done, in this transaction';

-- A chunk that is not the last one: the run stays live, and goes on in another transaction.
CREATE OR REPLACE FUNCTION chime.count_chunk(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_rows bigint)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_rows bigint;
BEGIN
    UPDATE chime.run r SET rows = coalesce(r.rows, 0) + p_rows
     WHERE r.job_id = p_job AND r.kind = p_kind AND r.slot = p_slot AND r.token = p_token AND r.done_at IS NULL
    RETURNING r.rows INTO v_rows;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run of job % at % is not this leader''s', p_job, p_slot USING ERRCODE = 'CH003';
    END IF;
    RETURN v_rows;
END $$;
COMMENT ON FUNCTION chime.count_chunk IS 'adds the rows of a chunk to its run; all of them so far';

-- What a text may read beside its parameters, until the transaction ends.
CREATE OR REPLACE FUNCTION chime.set_run_settings(p_payload text, p_slot_values text[], p_first text, p_last text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_names text[] := ARRAY['slot', 'previous_slot', 'interval_start', 'interval_end', 'run_id', 'attempt', 'payload', 'cursor_start', 'cursor_end'];
    v_values text[] := p_slot_values OPERATOR(pg_catalog.||) ARRAY[p_payload, p_first, p_last];
BEGIN
    FOR n IN 1 .. 9 LOOP
        PERFORM pg_catalog.set_config(pg_catalog.concat('chime.', v_names[n]), COALESCE(v_values[n], ''), true);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.set_run_settings IS 'chime.slot and its like, and the bounds of a cursor, as settings';

-- $1 to $7 of the text are as in chime.perform_slot, $8 and $9 the bounds of its cursor.
CREATE OR REPLACE FUNCTION chime.perform_between(p_text text, p_payload text, p_slot_values text[], p_first anyelement, p_last anyelement) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_rows bigint := 0;
    v_done pg_catalog.text;
BEGIN
    IF p_first OPERATOR(pg_catalog.<) p_last THEN
        v_done := chime.set_run_settings(p_payload, p_slot_values, p_first::pg_catalog.text, p_last::pg_catalog.text);
        EXECUTE p_text USING p_payload, p_slot_values[1]::pg_catalog.timestamptz, p_slot_values[2]::pg_catalog.timestamptz,
                             p_slot_values[3]::pg_catalog.timestamptz, p_slot_values[4]::pg_catalog.timestamptz, p_slot_values[5]::bigint, p_slot_values[6]::integer, p_first, p_last;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    RETURN v_rows;
END $$;
COMMENT ON FUNCTION chime.perform_between IS 'runs a text between two bounds, if there is anything between them; returns its rows';

CREATE OR REPLACE FUNCTION chime.perform_chunk(p_text text, p_payload text, p_slot_values text[], OUT more boolean, OUT rows bigint)
LANGUAGE plpgsql AS $$
DECLARE v_done pg_catalog.text := chime.set_run_settings(p_payload, p_slot_values, NULL, NULL);
BEGIN
    EXECUTE p_text INTO more, rows
      USING p_payload, p_slot_values[1]::pg_catalog.timestamptz, p_slot_values[2]::pg_catalog.timestamptz,
            p_slot_values[3]::pg_catalog.timestamptz, p_slot_values[4]::pg_catalog.timestamptz, p_slot_values[5]::bigint, p_slot_values[6]::integer;
    IF more IS NULL THEN
        RAISE EXCEPTION 'the text did not say whether there is more' USING ERRCODE = 'null_value_not_allowed',
            HINT = 'with cursor = "chunk" its last statement returns a boolean, and may return a number of rows behind it';
    END IF;
    rows := COALESCE(rows, 0);
END $$;
COMMENT ON FUNCTION chime.perform_chunk IS 'runs a text that does a part of the work and says whether there is more';

-- As chime.perform, for a job with a cursor. `more`: the run is not over. The session is wiped afterwards in any case.
CREATE OR REPLACE FUNCTION chime.perform_pipeline(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_lock_timeout text,
                              p_text text, p_payload text, p_slot_values text[], p_cursor text, p_source text,
                              OUT rows bigint, OUT residue boolean, OUT more boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamptz := pg_catalog.clock_timestamp();
    v_user pg_catalog.name := session_user;
    v_first bigint;
    v_last bigint;
    v_begin pg_catalog.timestamptz;
    v_end pg_catalog.timestamptz;
    v_done boolean;
BEGIN
    more := false;
    residue := true;
    v_done := chime.require_read_committed() IS NULL;
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    IF p_cursor OPERATOR(pg_catalog.=) 'sequence' THEN
        SELECT b.first, b.last INTO v_first, v_last FROM chime.number_bounds(p_job, p_source) AS b;
        rows := chime.perform_between(p_text, p_payload, p_slot_values, v_first, v_last);
    ELSIF p_cursor OPERATOR(pg_catalog.=) 'interval' THEN
        SELECT b.first, b.last INTO v_begin, v_end
        FROM chime.time_bounds(p_job, p_slot_values[3]::pg_catalog.timestamptz, COALESCE(p_slot_values[4], p_slot_values[2])::pg_catalog.timestamptz) AS b;
        rows := chime.perform_between(p_text, p_payload, p_slot_values, v_begin, v_end);
    ELSE
        v_done := chime.lock_position(p_job, p_cursor, NULL) IS NULL;
        SELECT c.more, c.rows INTO more, rows FROM chime.perform_chunk(p_text, p_payload, p_slot_values) AS c;
    END IF;
    IF current_user OPERATOR(pg_catalog.<>) v_user THEN
        SET SESSION AUTHORIZATION DEFAULT; -- the text took another role, which has no business in the ledger
    END IF;
    v_done := chime.note_position(p_job, v_last, v_end, more, rows) IS NULL;
    rows := chime.count_chunk(p_token, p_job, p_kind, p_slot, rows);
    IF NOT more THEN
        v_done := chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, NULL);
    END IF;
    v_done := pg_catalog.pg_advisory_unlock_all() IS NULL;
END $$;
COMMENT ON ROUTINE chime.perform_pipeline IS 'runs a job with a cursor between its bounds, and writes its position and its end down, as one statement';

-- --- what people read and do -----------------------------------------------------------------------------------------

-- p_job: of that one; NULL: of all. For those who may read none of their sources.
CREATE OR REPLACE FUNCTION chime.pipeline_outlook(p_job bigint DEFAULT NULL) RETURNS TABLE (job_id bigint, upper_bound text, lag text, waits_for text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_job record;
    v_waiting integer[] := ARRAY(SELECT l.objid::bigint::bit(32)::integer FROM pg_locks l
                                 WHERE l.locktype = 'advisory' AND l.classid = 'chime.pipeline'::regclass::oid AND l.granted);
    v_for text[];
BEGIN
    FOR v_job IN SELECT j.job_id AS id, j.options ->> 'cursor' AS kind, j.options ->> 'cursor_source' AS source, p.next_number, p.next_time, p.chunks,
                        s.last_slot
                 FROM chime.job j JOIN chime.job_state s USING (job_id) LEFT JOIN chime.pipeline p USING (job_id)
                 WHERE (p_job IS NULL OR j.job_id = p_job) AND j.options ->> 'cursor' IN ('interval', 'sequence', 'chunk') AND j.removed_at IS NULL
    LOOP
        job_id := v_job.id; upper_bound := NULL; lag := NULL; v_for := '{}';
        BEGIN
            IF v_job.kind = 'sequence' THEN
                upper_bound := chime.last_drawn(chime.source_sequence(v_job.source)) + 1;
                lag := upper_bound::bigint - coalesce(v_job.next_number, (SELECT q.seqstart FROM pg_sequence q WHERE q.seqrelid = chime.source_sequence(v_job.source)));
                v_for := chime.drawers(chime.source_sequence(v_job.source));
            ELSIF v_job.kind = 'interval' THEN
                upper_bound := v_job.last_slot;
                lag := date_trunc('second', clock_timestamp() - v_job.next_time);
                v_for := chime.begun_before(v_job.last_slot);
            END IF;
            waits_for := CASE WHEN v_job.id::bit(32)::integer = ANY (v_waiting)
                              THEN (SELECT string_agg(DISTINCT coalesce('session ' || l.pid, 'prepared transaction ' || x.gid, 'transaction ' || l.virtualtransaction), ', ')
                                    FROM pg_locks l LEFT JOIN pg_prepared_xacts x ON l.pid IS NULL AND x.transaction = l.transactionid
                                    WHERE l.virtualtransaction = ANY (v_for) AND l.locktype IN ('virtualxid', 'transactionid')) END;
        EXCEPTION WHEN OTHERS THEN
            waits_for := SQLERRM; -- no run can begin either
        END;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.pipeline_outlook IS 'how far each job with a cursor could come now, and what a run of it waits for';

CREATE OR REPLACE VIEW chime.pipeline_status WITH (security_invoker = true) AS
SELECT j.job_id, j.name AS job, j.options ->> 'cursor' AS kind, nullif(j.options ->> 'cursor_source', 'none') AS source,
       CASE p.kind WHEN 'sequence' THEN p.next_number::text WHEN 'interval' THEN p.next_time::text WHEN 'chunk' THEN 'chunk ' || p.chunks END AS position,
       o.upper_bound, o.lag, coalesce(p.effects, 0) AS effects, p.last_effect, p.last_rows, o.waits_for
FROM chime.job j JOIN chime.pipeline_outlook() AS o USING (job_id) LEFT JOIN chime.pipeline p USING (job_id);
COMMENT ON VIEW chime.pipeline_status IS
    'jobs with a cursor: position: the first number or instant that is not processed (NULL: nothing is); upper_bound: the first that is not there yet; waits_for: open transactions that a run waits for, or why none can begin';

CREATE OR REPLACE FUNCTION chime.pipeline_words(p_job bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
    SELECT CASE WHEN p.kind = 'chunk' AND p.chunks > 0 THEN p.chunks || ' chunks are done'
                WHEN p.kind = 'chunk' THEN 'all chunks are done'
                ELSE 'its position is ' || coalesce(p.next_number::text, p.next_time::text, 'the beginning') || coalesce(', ' || o.lag || ' behind', '') END
           || coalesce('; it waits for ' || o.waits_for, '')
    FROM chime.pipeline_outlook(p_job) AS o LEFT JOIN chime.pipeline p USING (job_id);
$$;
COMMENT ON FUNCTION chime.pipeline_words IS 'how far a job with a cursor has come, and what it waits for';

CREATE OR REPLACE FUNCTION chime.set_pipeline_position(p_job bigint, p_position text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kind text;
    v_source text;
    v_old chime.pipeline;
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    SELECT j.options ->> 'cursor', nullif(j.options ->> 'cursor_source', 'none') INTO v_kind, v_source FROM chime.job j WHERE j.job_id = p_job;
    IF coalesce(v_kind, 'none') = 'none' THEN
        RAISE EXCEPTION 'job % has no cursor', p_job USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'see: SELECT * FROM chime.pipeline_status';
    ELSIF v_kind = 'chunk' AND p_position IS NOT NULL THEN
        RAISE EXCEPTION 'the position of a job with cursor "chunk" is what its text finds' USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL forgets how many chunks there were';
    END IF;
    SELECT * INTO v_old FROM chime.pipeline p WHERE p.job_id = p_job FOR UPDATE;
    INSERT INTO chime.pipeline AS p (job_id, kind, source, next_number, next_time)
    VALUES (p_job, v_kind, CASE v_kind WHEN 'sequence' THEN v_source END, CASE v_kind WHEN 'sequence' THEN p_position::bigint END,
            CASE v_kind WHEN 'interval' THEN p_position::timestamptz END)
    ON CONFLICT (job_id) DO UPDATE SET kind = excluded.kind, source = excluded.source, next_number = excluded.next_number, next_time = excluded.next_time, chunks = 0;
    RETURN coalesce(v_old.next_number::text, v_old.next_time::text);
END $$;
COMMENT ON FUNCTION chime.set_pipeline_position IS
    'the next run of a job with a cursor begins there: a number or an instant; NULL: with all there is. Waits for a run under way. Returns the position before: what lies between the two is processed again, or never';
