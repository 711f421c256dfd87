-- What a fault test puts beside the ledger: what its jobs did, what they should have done, and one line for each fault.
-- Knows nothing of the product's calendar: the jobs it judges are due every N seconds, or are asked for by hand.

CREATE TABLE public.effect (
    job  text NOT NULL,
    kind chime.run_kind,
    slot timestamptz, -- NULL: it ran without being claimed for its session
    at   timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The writer may be any role and may have any settings: so much is what a job's text can do to its session.
CREATE FUNCTION public.effect(p_job text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET row_security = off AS $$
BEGIN
    INSERT INTO public.effect (job, kind, slot)
    SELECT p_job, r.kind, r.slot
    FROM (SELECT) AS one
    LEFT JOIN (chime.run r JOIN chime.job j ON j.job_id = r.job_id AND j.name = p_job) ON r.pid = pg_backend_pid();
END $$;

-- Where each job's slots begin, and what was asked for by hand: noted by the server itself.
CREATE TABLE public.first_cursor (job_id bigint PRIMARY KEY, at timestamptz NOT NULL);
CREATE FUNCTION public.note_first_cursor() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.first_cursor VALUES (new.job_id, new.last_slot);
    RETURN new;
END $$;
CREATE TRIGGER note_first_cursor AFTER INSERT ON chime.job_state FOR EACH ROW EXECUTE FUNCTION public.note_first_cursor();

CREATE TABLE public.asked (job_id bigint NOT NULL, kind chime.run_kind NOT NULL, slot timestamptz NOT NULL);
CREATE FUNCTION public.note_asked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.asked VALUES (new.job_id, new.kind, new.slot);
    RETURN new;
END $$;
CREATE TRIGGER note_asked AFTER INSERT ON chime.request FOR EACH ROW WHEN (new.verb = 'run') EXECUTE FUNCTION public.note_asked();

CREATE VIEW public.load_job AS
SELECT j.job_id, j.name, split_part(j.schedule, ' ', 1)::bigint AS seconds, j.options ->> 'delivery' AS delivery,
       c.at AS first, s.last_slot AS last
FROM chime.job j JOIN chime.job_state s USING (job_id) JOIN public.first_cursor c USING (job_id)
WHERE j.schedule ~ '^[0-9]+ seconds$';

-- The slots that were due: the multiples of the interval since the epoch, and what was asked for.
CREATE VIEW public.due AS
SELECT j.job_id, j.name, 'schedule'::chime.run_kind AS kind, to_timestamp(n * j.seconds) AS slot
FROM public.load_job j, generate_series(floor(extract(epoch FROM j.first) / j.seconds)::bigint + 1,
                                        floor(extract(epoch FROM j.last) / j.seconds)::bigint) AS n
UNION ALL
SELECT a.job_id, j.name, a.kind, a.slot FROM public.asked a JOIN chime.job j USING (job_id);

CREATE VIEW public.recorded AS
SELECT job_id, kind, slot, 'history: ' || state AS place FROM chime.run_history WHERE kind IN ('schedule', 'manual', 'install')
UNION ALL
SELECT job_id, kind, slot, 'live' FROM chime.run WHERE kind IN ('schedule', 'manual', 'install')
UNION ALL
SELECT job_id, kind, slot, 'asked for' FROM chime.request WHERE verb = 'run'
UNION ALL
SELECT d.job_id, d.kind, d.slot, 'missed from ' || m.first_slot
FROM public.due d JOIN chime.missed m ON d.kind = 'schedule' AND m.job_id = d.job_id AND d.slot BETWEEN m.first_slot AND m.last_slot;

-- One line for each fault; none is what the ledger promises.
CREATE VIEW public.oracle AS
SELECT 'absent: ' || d.name || ', ' || d.kind || ' at ' || d.slot AS fault FROM public.due d
WHERE NOT EXISTS (SELECT FROM public.recorded r WHERE (r.job_id, r.kind, r.slot) = (d.job_id, d.kind, d.slot))
UNION ALL
SELECT 'recorded more than once: ' || d.name || ' at ' || d.slot || ': ' || string_agg(r.place, ', ')
FROM public.due d JOIN public.recorded r USING (job_id, kind, slot) GROUP BY d.name, d.slot HAVING count(*) > 1
UNION ALL
SELECT 'not due: ' || j.name || ' at ' || r.slot || ': ' || r.place FROM public.recorded r JOIN public.load_job j USING (job_id)
WHERE NOT EXISTS (SELECT FROM public.due d WHERE (d.job_id, d.kind, d.slot) = (r.job_id, r.kind, r.slot))
UNION ALL
SELECT 'ran unclaimed: ' || e.job || ' at ' || e.at FROM public.effect e WHERE e.slot IS NULL
UNION ALL
SELECT 'took effect more than once: ' || e.job || ' at ' || e.slot || ': ' || count(*) || ' times'
FROM public.effect e GROUP BY e.job, e.kind, e.slot HAVING count(*) > 1
UNION ALL
SELECT 'took effect but is ' || coalesce(h.state::text, 'absent') || ': ' || e.job || ' at ' || e.slot
FROM public.effect e JOIN chime.job j ON j.name = e.job
LEFT JOIN chime.run_history h ON h.job_id = j.job_id AND h.kind = e.kind AND h.slot = e.slot
WHERE e.slot IS NOT NULL AND h.state IS DISTINCT FROM 'succeeded'
  AND NOT (j.options ->> 'delivery' = 'at_most_once' AND h.state IS NOT DISTINCT FROM 'lost')
UNION ALL
SELECT 'succeeded without effect: ' || j.name || ' at ' || h.slot
FROM chime.run_history h JOIN chime.job j USING (job_id)
WHERE h.state = 'succeeded' AND j.command ~ 'public\.effect\('
  AND NOT EXISTS (SELECT FROM public.effect e WHERE e.job = j.name AND e.kind = h.kind AND e.slot = h.slot)
UNION ALL
SELECT 'ended without a reason: ' || j.name || ' at ' || h.slot || ': ' || h.state
FROM chime.run_history h JOIN chime.job j USING (job_id)
WHERE h.state <> 'succeeded' AND coalesce(h.message, h.reason, '') = ''
UNION ALL
SELECT 'live without a backend: ' || j.name || ' at ' || r.slot
FROM chime.run r JOIN chime.job j USING (job_id)
WHERE r.pid IS NOT NULL AND r.done_at IS NULL AND NOT chime.backend_alive(r.pid, r.backend_start);

GRANT INSERT, SELECT ON public.effect TO PUBLIC;
