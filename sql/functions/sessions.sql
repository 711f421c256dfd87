-- SPDX-License-Identifier: PostgreSQL
-- Sessions of the server: whether one is alive, ending it, and who holds a lock.

CREATE OR REPLACE FUNCTION chime.backend_alive(p_pid integer, p_backend_start timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked each second
BEGIN
    RETURN EXISTS (SELECT FROM pg_stat_get_activity(p_pid) AS a -- of NULL: of all
                   WHERE a.pid = p_pid AND (a.backend_start IS NULL OR a.backend_start = p_backend_start));
END $$;
COMMENT ON FUNCTION chime.backend_alive IS
    'whether that very session is still there; another role''s session without pg_read_all_stats counts as the same';

CREATE OR REPLACE FUNCTION chime.cancel_backend(p_pid integer, p_backend_start timestamptz, p_terminate boolean) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN chime.backend_alive(p_pid, p_backend_start)
       AND CASE WHEN p_terminate THEN pg_terminate_backend(p_pid) ELSE pg_cancel_backend(p_pid) END;
COMMENT ON ROUTINE chime.cancel_backend IS 'cancels or ends a session, if it is still the one that began then';

-- Once a wait was given up, pg_blocking_pids says nothing of it any more: so the locks themselves are asked. Those on
-- tables keep whole tables from being written; one who holds rows shows only as somebody who began to write before and
-- has not ended. A prepared transaction has no session: its locks name no pid, and pg_blocking_pids says 0.
CREATE OR REPLACE FUNCTION chime.lock_holders(p_pid integer) RETURNS TABLE (pid integer, words text, surely boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH held AS (
        SELECT DISTINCT ON (l.pid, l.virtualtransaction) l.pid, l.virtualtransaction AS id, l.mode, l.relation,
               l.mode NOT LIKE 'Row%' OR coalesce(l.pid, 0) = ANY (pg_blocking_pids(p_pid)) AS surely
        FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'chime' AND l.granted AND l.pid IS DISTINCT FROM p_pid
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock', 'RowShareLock',
                         'RowExclusiveLock')
        ORDER BY l.pid, l.virtualtransaction, l.mode LIKE 'Row%', c.relkind NOT IN ('r', 'p'), c.relispartition, l.relation
    ), holder AS (
        SELECT h.pid, h.mode, h.relation, h.surely, a.xact_start AS since, coalesce(a.state, 'idle in transaction') AS state,
               format('pid %s (role %s, %s, %s)', h.pid, a.usename,
                      CASE a.application_name WHEN '' THEN 'no application name' ELSE coalesce(a.application_name, 'hidden') END,
                      coalesce(a.state, 'hidden')) AS name
        FROM held h JOIN pg_stat_activity a ON a.pid = h.pid
        UNION ALL
        SELECT NULL, h.mode, h.relation, h.surely, x.prepared, 'idle in transaction', format('prepared transaction %L (role %s)', x.gid, x.owner)
        FROM held h JOIN pg_locks l ON l.virtualtransaction = h.id AND l.pid IS NULL AND l.locktype = 'transactionid'
             JOIN pg_prepared_xacts x ON x.transaction = l.transactionid
        WHERE h.pid IS NULL
    ), told AS (
        SELECT h.pid, format('%s holds %s on %s since %s', h.name, h.mode, h.relation::regclass,
                             coalesce(to_char(h.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), 'an unknown time')) AS words,
               h.surely
        FROM holder h
        WHERE coalesce(h.since < clock_timestamp() - interval '1 second', true)
          AND (h.surely OR h.state LIKE 'idle in transaction%')
    )
    SELECT t.pid, t.words, t.surely FROM told t
    WHERE t.surely OR NOT EXISTS (SELECT FROM told o WHERE o.surely)
    ORDER BY t.pid, t.words;
END;
COMMENT ON FUNCTION chime.lock_holders IS
    'who keeps that session from writing to the ledger, in words; NOT surely: one who may, since a row may be locked; a prepared transaction has no pid';
