-- What the tests of faults need in the database: what the jobs of fault_load.c do, what they did, and the oracle.

CREATE TABLE effect (
    job     text NOT NULL,
    stage   integer NOT NULL,
    slot    timestamptz, -- NULL: it ran without being claimed for its session
    attempt smallint,
    pid     integer NOT NULL DEFAULT pg_backend_pid(),
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON effect (job, slot); -- for the oracle, after a thousand faults

CREATE FUNCTION effect(p_job text, p_seconds float8 DEFAULT 0, p_stage integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO effect (job, stage, slot, attempt)
    SELECT p_job, p_stage, r.slot, r.attempt
    FROM (SELECT) AS one
    LEFT JOIN (chime.run r JOIN chime.job j ON j.job_id = r.job_id AND j.name = p_job) ON r.pid = pg_backend_pid();
    PERFORM pg_sleep(p_seconds);
END $$;

CREATE PROCEDURE effect_twice(p_job text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM effect(p_job, 0.05, 1);
    COMMIT;
    PERFORM effect(p_job, 0.05, 2);
END $$;

CREATE FUNCTION flake() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.5 THEN
        RAISE EXCEPTION 'bad luck' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- Where each job's slots begin, noted by the server itself.
CREATE TABLE first_cursor (job_id bigint PRIMARY KEY, at timestamptz NOT NULL);
CREATE FUNCTION note_first_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.first_cursor VALUES (new.job_id, new.last_slot);
    RETURN new;
END $$;
CREATE TRIGGER note_first_cursor AFTER INSERT ON chime.job_state FOR EACH ROW EXECUTE FUNCTION public.note_first_cursor();

CREATE VIEW load_job AS
SELECT j.job_id, j.name, j.after, split_part(j.schedule, ' ', 1)::bigint AS seconds, j.options ->> 'delivery' AS delivery,
       j.options ->> 'catchup' AS catchup, c.at AS first, s.last_slot AS last
FROM chime.job j JOIN chime.job_state s USING (job_id) JOIN first_cursor c USING (job_id)
WHERE j.schedule ~ '^[0-9]+ seconds$';

-- The slots that were due: the multiples of the interval since the epoch. Knows nothing of the product's calendar.
CREATE VIEW due AS
SELECT j.job_id, j.name, to_timestamp(n * j.seconds) AS slot
FROM load_job j, generate_series(floor(extract(epoch FROM j.first) / j.seconds)::bigint + 1,
                                 floor(extract(epoch FROM j.last) / j.seconds)::bigint) AS n;

CREATE VIEW recorded AS
SELECT job_id, slot, 'history: ' || state AS place FROM chime.run_history WHERE kind = 'schedule'
UNION ALL
SELECT job_id, slot, 'live' FROM chime.run WHERE kind = 'schedule'
UNION ALL
SELECT d.job_id, d.slot, 'missed from ' || m.first_slot
FROM due d JOIN chime.missed m ON m.job_id = d.job_id AND d.slot BETWEEN m.first_slot AND m.last_slot;

-- One line for each fault; none is what the ledger promises.
CREATE VIEW oracle AS
SELECT 'absent: ' || d.name || ' at ' || d.slot AS fault FROM due d
WHERE NOT EXISTS (SELECT FROM recorded r WHERE r.job_id = d.job_id AND r.slot = d.slot)
UNION ALL
SELECT 'recorded more than once: ' || d.name || ' at ' || d.slot || ': ' || string_agg(r.place, ', ')
FROM due d JOIN recorded r USING (job_id, slot) GROUP BY d.name, d.slot HAVING count(*) > 1
UNION ALL
SELECT 'not due: ' || j.name || ' at ' || r.slot || ': ' || r.place FROM recorded r JOIN load_job j USING (job_id)
WHERE NOT EXISTS (SELECT FROM due d WHERE d.job_id = r.job_id AND d.slot = r.slot)
UNION ALL
SELECT 'missed slots do not add up: ' || j.name || ' from ' || m.first_slot || ' to ' || m.last_slot || ': ' || m.slots
FROM chime.missed m JOIN load_job j USING (job_id)
WHERE m.slots <> (SELECT count(*) FROM due d WHERE d.job_id = m.job_id AND d.slot BETWEEN m.first_slot AND m.last_slot)
   OR NOT EXISTS (SELECT FROM due d WHERE d.job_id = m.job_id AND d.slot = m.first_slot)
   OR NOT EXISTS (SELECT FROM due d WHERE d.job_id = m.job_id AND d.slot = m.last_slot)
UNION ALL
SELECT 'missed although every slot is to be caught up: ' || j.name || ' from ' || m.first_slot || ': ' || m.reason
FROM chime.missed m JOIN load_job j USING (job_id) WHERE j.catchup = 'all'
UNION ALL
SELECT 'ran unclaimed: ' || e.job || ' at ' || e.at FROM effect e WHERE e.slot IS NULL
UNION ALL
SELECT 'took effect more than once: ' || e.job || ' at ' || e.slot || ': ' || count(*) || ' times'
FROM effect e GROUP BY e.job, e.slot, e.stage HAVING count(*) > 1
UNION ALL
SELECT 'took effect but is ' || coalesce(h.state::text, 'absent') || ': ' || e.job || ' at ' || e.slot
FROM effect e JOIN load_job j ON j.name = e.job
LEFT JOIN chime.run_history h ON h.job_id = j.job_id AND h.kind = 'schedule' AND h.slot = e.slot
WHERE e.slot IS NOT NULL AND h.state IS DISTINCT FROM 'succeeded'
  AND NOT (j.delivery = 'at_most_once' AND h.state IS NOT DISTINCT FROM 'lost')
  -- What a procedure committed on its way stays when its session is ended behind that.
  AND NOT (j.name ^@ 'procedure' AND e.stage = 1 AND h.state IS NOT DISTINCT FROM 'failed' AND h.sqlstate = '57P01')
UNION ALL
SELECT 'took effect after it was declared lost: ' || e.job || ' at ' || e.slot
FROM effect e JOIN load_job j ON j.name = e.job
JOIN chime.run_history h ON h.job_id = j.job_id AND h.kind = 'schedule' AND h.slot = e.slot
WHERE h.state = 'lost' AND e.at > h.finished_at
UNION ALL
SELECT 'succeeded without effect: ' || j.name || ' at ' || h.slot
FROM chime.run_history h JOIN load_job j USING (job_id)
WHERE h.state = 'succeeded'
  AND (SELECT count(*) FROM effect e WHERE e.job = j.name AND e.slot = h.slot) <> CASE WHEN j.name ^@ 'procedure' THEN 2 ELSE 1 END
UNION ALL
SELECT 'attempts do not add up: ' || j.name || ' at ' || h.slot || ': ' || h.attempt
FROM chime.run_history h JOIN load_job j USING (job_id)
WHERE greatest(h.attempt - 1, 0) <> (SELECT count(*) FROM chime.attempt a
                                     WHERE a.job_id = h.job_id AND a.kind = h.kind AND a.slot = h.slot AND a.attempt < h.attempt)
UNION ALL
SELECT 'went before its upstream: ' || e.job || ' at ' || e.slot
FROM effect e JOIN load_job j ON j.name = e.job JOIN effect u ON u.job = ANY (j.after) AND u.slot = e.slot WHERE u.at > e.at
UNION ALL
SELECT 'the cursor is not at the last decided slot: ' || j.name FROM load_job j
WHERE j.last <> (SELECT max(r.slot) FROM recorded r WHERE r.job_id = j.job_id);

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
           OR EXISTS (SELECT FROM load_job j WHERE j.after = '{}'
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
