-- Jobs that wake by events: runs of kind event (a notification, whose payload is $1 of the text) and change (the sources of
-- a view changed). The leader alone knows what woke them: they have no row in chime.request and leave the cursor where it is.

-- The new value may not be used before this transaction is committed: below it stands in bodies of PL/pgSQL alone, which are
-- read when they are called.
ALTER TYPE chime.run_kind ADD VALUE IF NOT EXISTS 'change';

-- As before, but for kinds that nobody asks for: what the job wakes for has to find it active.
CREATE OR REPLACE FUNCTION chime.claim(p_token uuid, p_job bigint[], p_version integer[], p_kind chime.run_kind[],
                                       p_slot timestamptz[], p_cursor timestamptz[], p_pid integer[],
                                       p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint, run_id bigint, suspended bigint, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_granted bigint;
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT w.job_id, p_version[n] AS version, p_kind[n] AS kind, p_slot[n] AS slot, p_cursor[n] AS cursor,
               p_pid[n] AS pid, p_backend_start[n] AS backend_start,
               p_kind[n] = 'schedule' OR p_kind[n] = 'dependency' AS moves,
               p_kind[n] = 'event' OR p_kind[n] = 'change' AS wakes
        FROM unnest(p_job) WITH ORDINALITY AS w (job_id, n)
    ), granted AS (
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN w.moves THEN w.slot ELSE s.last_slot END,
               cursor_skipped = s.cursor_skipped AND NOT w.moves, last_start = clock_timestamp()
          FROM wanted w JOIN chime.job j ON j.job_id = w.job_id AND j.version = w.version
         WHERE s.job_id = w.job_id AND s.suspended_at IS NULL
           AND (j.active OR NOT (w.moves OR w.wakes)) AND (s.last_slot = w.cursor OR NOT w.moves)
        RETURNING w.job_id, w.kind, w.slot, w.pid, w.backend_start, w.moves OR w.wakes AS unasked
    ), asked AS (
        DELETE FROM chime.request q USING granted g
         WHERE NOT g.unasked AND q.verb = 'run' AND q.job_id = g.job_id AND q.kind = g.kind AND q.slot = g.slot
        RETURNING q.job_id
    )
    INSERT INTO chime.run AS r (job_id, kind, slot, token, epoch, pid, backend_start)
    SELECT g.job_id, g.kind, g.slot, p_token, v_epoch, g.pid, g.backend_start FROM granted g
    WHERE g.unasked OR EXISTS (SELECT FROM asked a WHERE a.job_id = g.job_id)
    RETURNING r.job_id, r.run_id, NULL::bigint, NULL::text;
    GET DIAGNOSTICS v_granted = ROW_COUNT;
    IF v_granted < cardinality(p_job) THEN
        RETURN QUERY
        SELECT NULL::bigint, NULL::bigint, s.job_id, chime.told('suspended', s.suspended_by, s.suspend_reason)
        FROM chime.job_state s WHERE s.job_id = ANY (p_job) AND s.suspended_at IS NOT NULL;
    END IF;
END $$;

-- A transactional text and its end, as one statement and so as one transaction: the text cannot leave it (the server
-- refuses transaction commands here), and it is bound, so that no open comment of its own can swallow the end.
-- p_reads: the text is one query, whose rows are counted and dropped as they come instead of being collected.
-- p_payload: $1 of the text, in each of its statements; a text that has no use for it is none the wiser.
-- No SET clause: the text sees the role's own settings; hence the qualified names and operators behind it.
-- `residue`: the session is left with what only DISCARD ALL removes, or without what the daemon prepared in it.
-- Calls are assignments because PL/pgSQL then evaluates them without a query of their own.
DROP FUNCTION chime.perform(uuid, bigint, chime.run_kind, timestamptz, text, text, boolean);
CREATE FUNCTION chime.perform(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_lock_timeout text,
                              p_text text, p_reads boolean, p_payload text, OUT rows bigint, OUT residue boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamptz := pg_catalog.clock_timestamp();
    v_user name := session_user;
    v_row record;
    v_done boolean;
BEGIN
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    rows := 0;
    IF p_reads THEN
        FOR v_row IN EXECUTE p_text USING p_payload LOOP
            rows := rows OPERATOR(pg_catalog.+) 1;
        END LOOP;
    ELSE
        EXECUTE p_text USING p_payload;
        GET DIAGNOSTICS rows = ROW_COUNT;
    END IF;
    IF current_user OPERATOR(pg_catalog.<>) v_user THEN
        SET SESSION AUTHORIZATION DEFAULT; -- the text took another role, which has no business in the ledger
    END IF;
    v_done := chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, NULL);
    v_done := pg_catalog.pg_advisory_unlock_all() IS NULL;
    UNLISTEN *;
    DISCARD SEQUENCES;
    residue := pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0
               OR (SELECT pg_catalog.bool_or(NOT pg_catalog.starts_with(s.name, 'chime_'))
                          OR NOT pg_catalog.bool_or(s.name OPERATOR(pg_catalog.=) 'chime_perform')
                   FROM pg_catalog.pg_prepared_statement() s) IS DISTINCT FROM false
               OR EXISTS (SELECT FROM pg_catalog.pg_cursor() c WHERE c.is_holdable);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
