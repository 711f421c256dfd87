-- SPDX-License-Identifier: PostgreSQL
-- What the tests of faults need in the database beside ledger_oracle.sql.

CREATE FUNCTION public.flake() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.5 THEN
        RAISE EXCEPTION 'bad luck' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- Where a kill hit, seen right after: `p_at` is a moment just before it.
CREATE FUNCTION where_hit(p_at timestamptz, OUT claim boolean, OUT gap boolean, OUT running boolean, OUT finish boolean)
LANGUAGE sql AS $$
    WITH leader AS MATERIALIZED (
        SELECT query FROM pg_stat_activity WHERE application_name = 'pgchime leader' AND state = 'active'
    ), session AS MATERIALIZED (
        SELECT r.claimed_at, r.done_at, a.state, a.query, a.state_change, a.wait_event_type,
               row_number() OVER (PARTITION BY r.pid ORDER BY r.done_at NULLS LAST, r.claimed_at) AS place
        FROM chime.run r JOIN pg_stat_activity a ON a.pid = r.pid AND a.backend_start = r.backend_start
    )
    SELECT EXISTS (SELECT FROM leader WHERE query ~ 'chime\.(claim|reclaim)\(')
           OR EXISTS (SELECT FROM public.load_job j WHERE j.after = '{}' AND j.seconds IS NOT NULL
                      AND to_timestamp((floor(extract(epoch FROM j.last) / j.seconds) + 1) * j.seconds) <= p_at
                      AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id)),
           EXISTS (SELECT FROM session WHERE done_at IS NULL AND (place > 1 OR (state = 'idle' AND state_change < claimed_at))),
           EXISTS (SELECT FROM session WHERE state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'
                   AND query ~ 'public\.(effect|flake)|chime\.perform'),
           EXISTS (SELECT FROM leader WHERE query ~ 'chime\.(finish|retry)\(')
           OR EXISTS (SELECT FROM session WHERE state = 'active' AND wait_event_type = 'Lock' AND query ~ 'chime\.perform')
           OR EXISTS (SELECT FROM session WHERE state ~ 'idle' AND place = 1 AND state_change > claimed_at)
           OR EXISTS (SELECT FROM chime.run WHERE done_at IS NOT NULL)
$$;
