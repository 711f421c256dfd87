-- SPDX-License-Identifier: PostgreSQL
-- Which kept view reads which; and target_lag = "downstream": a view is as fresh as the views need that read it.

-- What views_read() adds to it are the views themselves, and those that others read for them.
CREATE OR REPLACE FUNCTION chime.view_reads() RETURNS TABLE (view_id integer, read_id integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off AS $$ -- keeps its plan, as view_freshness()
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE kept AS MATERIALIZED (
        SELECT v.view_id, v.view_schema, v.relation, l AS live,
               (SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(format('%I.%I', v.view_schema, v.relation)) AND c.relkind <> 'v') AS oid
        FROM chime.view v CROSS JOIN to_regclass(format('%I.%I', v.view_schema, v.relation || '__live')) AS l),
    read AS (
        SELECT k.view_id, k.live::oid AS relation FROM kept k
        UNION
        SELECT r.view_id, d.refobjid FROM read r JOIN pg_class c ON c.oid = r.relation AND c.relkind = 'v'
        JOIN pg_rewrite w ON w.ev_class = r.relation
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
                        AND d.refobjid <> r.relation)
    SELECT r.view_id, k.view_id FROM read r JOIN kept k ON k.oid = r.relation;
END $$;
COMMENT ON FUNCTION chime.view_reads IS 'each view with the kept views that its definition reads, through plain views too';

-- Two views that read each other would never both be right, and each refresh of one would wake the other.
CREATE OR REPLACE FUNCTION chime.circle_of(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH RECURSIVE direct AS MATERIALIZED (SELECT r.view_id, r.read_id FROM chime.view_reads() AS r),
        through AS ( -- by: which of those that it reads itself leads there
            SELECT d.read_id AS by, d.read_id FROM direct d WHERE d.view_id = p_view.view_id
            UNION
            SELECT t.by, d.read_id FROM through t JOIN direct d ON d.view_id = t.read_id)
        SELECT o.view_schema || '.' || o.relation FROM through t JOIN chime.view o ON o.view_id = t.by
        WHERE t.read_id = p_view.view_id ORDER BY o.view_id LIMIT 1);
END $$;
COMMENT ON FUNCTION chime.circle_of IS 'the view by which a view reads itself: one that it reads and that is made of its rows, or itself; NULL: none';

CREATE OR REPLACE FUNCTION chime.refuse_circle(p_view chime.view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := p_view.view_schema || '.' || p_view.relation;
    v_read text := chime.circle_of(p_view);
BEGIN
    IF v_read = v_name THEN
        RAISE EXCEPTION 'view % would read its own rows', v_name USING ERRCODE = 'invalid_object_definition',
            HINT = 'let its definition read the tables that it is made of';
    ELSIF v_read IS NOT NULL THEN
        RAISE EXCEPTION 'view % would read itself: it reads %, which is made of its rows', v_name, v_read
            USING ERRCODE = 'invalid_object_definition', HINT = format('let one of the two read the tables: see pg_get_viewdef(''%s__live'')', v_read);
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_circle IS 'raises where a view reads itself, or one that is made of its rows';

-- A view that reads another spends up to half of its target_lag on waiting and its own refresh: the other half is for
-- what it reads, and so on down. by_view: which of those that read it asks for that. Jobs that are suspended or not
-- active ask for nothing; one without a target_lag takes what is there when its time comes.
CREATE OR REPLACE FUNCTION chime.view_needs() RETURNS TABLE (view_id integer, lag interval, by_view integer)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM chime.job j WHERE j.active AND j.views <> '{}' AND j.options ->> 'target_lag' = 'downstream') THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH RECURSIVE lags AS MATERIALIZED (
        SELECT v.view_id, chime.option_interval(j.options, 'target_lag') AS lag, coalesce(j.options ->> 'target_lag' = 'downstream', false) AS inherits
        FROM chime.job j CROSS JOIN LATERAL unnest(j.views) AS u (name) JOIN chime.view v ON v.view_schema || '.' || v.relation = u.name
        WHERE j.active AND j.views <> '{}'
          AND NOT EXISTS (SELECT FROM chime.job_state s WHERE s.job_id = j.job_id AND s.suspended_at IS NOT NULL)),
    reads AS MATERIALIZED (SELECT r.view_id, r.read_id FROM chime.view_reads() AS r),
    needs AS (
        SELECT r.read_id AS view_id, greatest(l.lag / 2, interval '50 ms') AS lag, r.view_id AS by_view
        FROM lags l JOIN reads r ON r.view_id = l.view_id WHERE l.lag IS NOT NULL
        UNION
        SELECT r.read_id, greatest(n.lag / 2, interval '50 ms'), r.view_id FROM needs n JOIN reads r ON r.view_id = n.view_id
        WHERE EXISTS (SELECT FROM lags l WHERE l.view_id = n.view_id AND l.inherits))
    SELECT DISTINCT ON (n.view_id) n.view_id, n.lag, n.by_view FROM needs n ORDER BY n.view_id, n.lag, n.by_view;
END $$;
COMMENT ON FUNCTION chime.view_needs IS
    'how far behind its sources each view may be for the sake of those that read it, and which of them asks for it; without rows while no job has target_lag = "downstream"';

CREATE OR REPLACE FUNCTION chime.downstream_lags() RETURNS TABLE (job_id bigint, lag_us bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT j.job_id, (extract(epoch FROM min(n.lag)) * 1000000)::bigint
    FROM chime.job j LEFT JOIN chime.view v ON v.view_schema || '.' || v.relation = ANY (j.views)
    LEFT JOIN chime.view_needs() AS n ON n.view_id = v.view_id
    WHERE j.active AND j.views <> '{}' AND j.options ->> 'target_lag' = 'downstream' GROUP BY j.job_id;
END;
COMMENT ON FUNCTION chime.downstream_lags IS
    'for the leader: each job with target_lag = "downstream" and the lag that its views are asked for, in microseconds; NULL: none';

-- For people. A view may have several jobs.
CREATE OR REPLACE FUNCTION chime.explain_lag(p_view chime.view) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN n.lag IS NULL THEN 'target_lag: downstream, and no view that reads it has one: '
                     || CASE WHEN EXISTS (SELECT FROM chime.downstream_lags() AS d JOIN chime.job j ON j.job_id = d.job_id
                                          WHERE v.view_schema || '.' || v.relation = ANY (j.views) AND d.lag_us IS NOT NULL)
                             THEN 'it is refreshed with the other views of its job' ELSE 'changes do not wake its job' END
                ELSE format('target_lag: %s, as %s.%s reads it (downstream)', n.lag, o.view_schema, o.relation) END
    FROM chime.view v LEFT JOIN chime.view_needs() AS n ON n.view_id = v.view_id LEFT JOIN chime.view o ON o.view_id = n.by_view
    WHERE v.view_id = p_view.view_id
      AND EXISTS (SELECT FROM chime.job j WHERE j.active AND v.view_schema || '.' || v.relation = ANY (j.views) AND j.options ->> 'target_lag' = 'downstream');
END;
COMMENT ON FUNCTION chime.explain_lag IS 'which lag a view has from those that read it, in words; nothing where its jobs say it themselves';
