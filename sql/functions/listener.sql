-- SPDX-License-Identifier: PostgreSQL
-- Listener: what the leader's second session asks, which hears notifications and looks for changes, so that jobs start
-- by themselves.

CREATE OR REPLACE FUNCTION chime.note_listener_state(p_token uuid, p_state text, p_reason text, p_pid integer, p_channels text[], p_views text[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.commit_locally();
    UPDATE chime.listener w
       SET state = p_state, reason = p_reason, pid = p_pid,
           backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = p_pid), channels = p_channels, views = p_views,
           since = CASE WHEN w.state = p_state THEN w.since ELSE clock_timestamp() END
     WHERE (w.state, w.reason, w.pid, w.channels, w.views) IS DISTINCT FROM (p_state, p_reason, p_pid, p_channels, p_views)
       AND EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token);
END $$;
COMMENT ON FUNCTION chime.note_listener_state IS 'for people: so it does not lock the leader''s row, behind which claims would wait';

-- Before it listens: a session that listens and whose client takes nothing keeps the server's queue of notifications
-- from moving on, and has no timeout while it waits to be rid of one.
CREATE OR REPLACE FUNCTION chime.note_listener(p_token uuid, p_pid integer, p_backend_start timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.commit_locally();
    UPDATE chime.listener w SET pid = p_pid, backend_start = p_backend_start
     WHERE EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token);
END;
COMMENT ON ROUTINE chime.note_listener IS 'the session by which the leader hears, before it listens: whoever leads next ends it';

CREATE OR REPLACE FUNCTION chime.end_listener(p_token uuid) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT pg_terminate_backend(a.pid) FROM chime.listener w
            JOIN pg_stat_activity a ON a.pid = w.pid AND a.backend_start = w.backend_start
            WHERE EXISTS (SELECT FROM chime.leader l WHERE l.token = p_token));
EXCEPTION WHEN insufficient_privilege THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION chime.end_listener IS 'for a new leader: ends the session by which the one before it heard';

CREATE OR REPLACE FUNCTION chime.listen(p_added text[], p_gone text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_channel text;
BEGIN
    FOREACH v_channel IN ARRAY p_gone LOOP
        EXECUTE format('UNLISTEN %I', v_channel);
    END LOOP;
    FOREACH v_channel IN ARRAY p_added LOOP
        EXECUTE format('LISTEN %I', v_channel);
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.listen IS 'LISTEN on the first channels, UNLISTEN on the others';

-- Which of these views ("schema.relation") have marks that they have not consumed: the text of a statement, which its
-- session prepares, so that a look costs no planning. For each source two ranges of an index, never one condition with
-- OR, which would read all marks.
CREATE OR REPLACE FUNCTION chime.change_check_statement(p_views text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(
               format('SELECT %L WHERE EXISTS (SELECT FROM (SELECT v.seen FROM chime.view_refresh v WHERE v.view_schema = %L AND v.relation = %L'
                      ' ORDER BY v.refreshes DESC LIMIT 1) r WHERE r.seen IS NULL%s)',
                      v.view_schema || '.' || v.relation, v.view_schema, v.relation,
                      (SELECT string_agg(format(' OR EXISTS (SELECT FROM %1$s c WHERE c.chime_xid >= pg_snapshot_xmax(r.seen))'
                                                ' OR EXISTS (SELECT FROM %1$s c WHERE c.chime_xid = ANY (ARRAY(SELECT pg_snapshot_xip(r.seen))))',
                                                chime.log_name(s.source_id)), '' ORDER BY s.source_id)
                       FROM chime.view_source s WHERE s.view_schema = v.view_schema AND s.relation = v.relation)),
               ' UNION ALL ' ORDER BY v.view_schema, v.relation)
    FROM chime.view v
    WHERE v.view_schema || '.' || v.relation = ANY (p_views) AND v.full_reason IS NULL);
COMMENT ON FUNCTION chime.change_check_statement IS 'NULL: none of them is refreshed by its groups';

-- The same question where marks do not answer it, from time to time: a log is full, or a source looks otherwise than it
-- did. A view that cannot be keyed has no marks: it is due after half its target, but rests for as long as a refresh
-- takes.
CREATE OR REPLACE FUNCTION chime.check_closely(p_views text[], p_targets text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT w.name
        FROM unnest(p_views, p_targets) AS w (name, target)
        JOIN chime.view v ON v.view_schema || '.' || v.relation = w.name
        JOIN chime.view_refresh r ON r.view_schema = v.view_schema AND r.relation = v.relation
        CROSS JOIN LATERAL (SELECT r.refreshed_at > clock_timestamp() -- by a clock that was ahead then
                                   OR r.refreshed_at + greatest(w.target::interval / 2, 2 * r.duration_us * interval '1 microsecond')
                                      <= clock_timestamp() AS due) AS d
        WHERE CASE WHEN v.full_reason IS NOT NULL THEN d.due
                   WHEN chime.uncaptured_sources(v.view_schema, v.relation) IS NOT NULL THEN d.due
                   ELSE r.fingerprint IS DISTINCT FROM chime.view_fingerprint(v.view_schema, v.relation)
                        OR chime.flooded(v.view_schema, v.relation) END;
END $$;
COMMENT ON FUNCTION chime.check_closely IS 'views to refresh whatever their marks say';
