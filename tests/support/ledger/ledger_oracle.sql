-- SPDX-License-Identifier: PostgreSQL
-- What a fault test puts beside the ledger: what its jobs did, what they should have done, and one line for each fault.
-- Knows nothing of the product's calendar: the jobs it judges are due every N seconds, come after others, or are asked
-- for by hand.

CREATE TABLE public.effect (
    job     text NOT NULL,
    stage   integer NOT NULL DEFAULT 1,
    kind    chime.run_kind,
    slot    timestamptz, -- NULL: it ran without being claimed for its session
    attempt smallint,
    served  bigint[], -- of a job that comes after others and has no schedule: their outcomes that it ran on, in the order of `after`
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON public.effect (job, slot); -- for the oracle, after a thousand faults

-- When each job's slots are due. An edit may reach the leader somewhat earlier or later than it is noted here.
CREATE TABLE public.definition (
    job_id  bigint NOT NULL,
    seconds bigint, -- NULL: no slots
    begins  timestamptz NOT NULL,
    ends    timestamptz, -- NULL: it counts
    first   boolean NOT NULL,
    PRIMARY KEY (job_id, begins, first)
);
CREATE FUNCTION public.edit_margin() RETURNS interval LANGUAGE sql IMMUTABLE RETURN interval '2 seconds';

-- Outcomes as those after a job see them.
CREATE TABLE public.outcome (
    id     bigint GENERATED ALWAYS AS IDENTITY,
    job_id bigint NOT NULL,
    at     timestamptz NOT NULL,
    state  chime.run_state NOT NULL
);
CREATE INDEX ON public.outcome (job_id, at);

CREATE TABLE public.asked (job_id bigint NOT NULL, kind chime.run_kind NOT NULL, slot timestamptz NOT NULL);

-- --- noted by the server itself --------------------------------------------------------------------------------------

CREATE FUNCTION public.seconds_of(p_job chime.job) RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN CASE WHEN p_job.active AND p_job.schedule ~ '^[0-9]+ seconds$' THEN split_part(p_job.schedule, ' ', 1)::bigint END;

CREATE FUNCTION public.note_job_state() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.definition
        SELECT j.job_id, public.seconds_of(j), new.last_slot, NULL, true FROM chime.job j WHERE j.job_id = new.job_id;
    ELSE
        INSERT INTO public.outcome (job_id, at, state) VALUES (new.job_id, new.outcome_at, new.last_outcome);
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER note_first_cursor AFTER INSERT ON chime.job_state FOR EACH ROW EXECUTE FUNCTION public.note_job_state();
CREATE TRIGGER note_outcome AFTER UPDATE ON chime.job_state
    FOR EACH ROW WHEN (new.outcome_at IS DISTINCT FROM old.outcome_at AND new.outcome_at IS NOT NULL) EXECUTE FUNCTION public.note_job_state();

CREATE FUNCTION public.note_edit() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    v_at timestamptz := CASE WHEN new.since <> old.since THEN new.since ELSE new.updated_at END; -- from when on the ledger goes by it
BEGIN
    UPDATE public.definition SET ends = v_at WHERE job_id = new.job_id AND ends IS NULL;
    INSERT INTO public.definition VALUES (new.job_id, public.seconds_of(new), v_at, NULL, false);
    RETURN new;
END $$;
CREATE TRIGGER note_edit AFTER UPDATE ON chime.job
    FOR EACH ROW WHEN ((new.active, new.schedule, new.options -> 'timezone') IS DISTINCT FROM (old.active, old.schedule, old.options -> 'timezone'))
    EXECUTE FUNCTION public.note_edit();

CREATE FUNCTION public.note_asked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.asked VALUES (new.job_id, new.kind, new.slot);
    RETURN new;
END $$;
CREATE TRIGGER note_asked AFTER INSERT ON chime.request FOR EACH ROW WHEN (new.verb = 'run') EXECUTE FUNCTION public.note_asked();

-- --- noted by the jobs -----------------------------------------------------------------------------------------------

CREATE FUNCTION public.outcomes_served(p_job chime.job, p_slot timestamptz) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN ARRAY(SELECT (SELECT o.id FROM public.outcome o JOIN chime.job k ON k.job_id = o.job_id
                     WHERE k.name = u.name AND o.at <= p_slot ORDER BY o.at DESC, o.id DESC LIMIT 1)
             FROM unnest(p_job.after) WITH ORDINALITY AS u (name, place) ORDER BY u.place);

-- The writer may be any role and may have any settings: so much is what a job's text can do to its session.
CREATE FUNCTION public.effect(p_job text, p_seconds float8 DEFAULT 0, p_stage integer DEFAULT 1) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET row_security = off AS $$
BEGIN
    INSERT INTO public.effect (job, stage, kind, slot, attempt, served)
    SELECT p_job, p_stage, r.kind, r.slot, r.attempt,
           CASE WHEN r.kind = 'dependency' THEN public.outcomes_served(j, r.slot) END
    FROM (SELECT) AS one
    LEFT JOIN (chime.run r JOIN chime.job j ON j.job_id = r.job_id AND j.name = p_job) ON r.pid = pg_backend_pid();
    PERFORM pg_sleep(p_seconds);
END $$;

CREATE PROCEDURE public.effect_twice(p_job text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM public.effect(p_job, 0.05, 1);
    COMMIT;
    PERFORM public.effect(p_job, 0.05, 2);
END $$;

-- --- what was due ----------------------------------------------------------------------------------------------------

CREATE VIEW public.load_job AS
SELECT j.job_id, j.name, j.after, j.command, public.seconds_of(j) AS seconds, coalesce(j.options ->> 'delivery', 'at_most_once') AS delivery,
       coalesce(j.options ->> 'catchup', 'latest') AS catchup, coalesce(j.options ->> 'trigger_rule', 'all_success') AS trigger_rule,
       s.last_slot AS last, s.outcome_at, d.edited, d.scheduled
FROM chime.job j JOIN chime.job_state s USING (job_id)
JOIN (SELECT job_id, count(*) > 1 AS edited, count(seconds) > 0 AS scheduled FROM public.definition GROUP BY job_id) d USING (job_id);

-- The multiples of the interval since the epoch; `certain`: not so close to an edit that it is open by which definition
-- they count.
CREATE VIEW public.slot AS
SELECT d.job_id, d.begins, to_timestamp(n * d.seconds) AS slot,
       (d.first OR to_timestamp(n * d.seconds) > d.begins + public.edit_margin())
       AND (d.ends IS NULL OR to_timestamp(n * d.seconds) <= d.ends - public.edit_margin()) AS certain
FROM public.definition d JOIN chime.job_state s USING (job_id),
     generate_series(floor(extract(epoch FROM d.begins - CASE WHEN d.first THEN interval '0' ELSE public.edit_margin() END) / d.seconds)::bigint + 1,
                     floor(extract(epoch FROM coalesce(d.ends + public.edit_margin(), s.last_slot)) / d.seconds)::bigint) AS n
WHERE d.seconds IS NOT NULL;

-- The slots that were or may have been due, and what was asked for.
CREATE VIEW public.due AS
SELECT j.job_id, j.name, 'schedule'::chime.run_kind AS kind, s.slot, bool_or(s.certain) AS certain
FROM public.load_job j JOIN public.slot s USING (job_id) GROUP BY j.job_id, j.name, s.slot
UNION ALL
SELECT a.job_id, j.name, a.kind, a.slot, true FROM public.asked a JOIN chime.job j USING (job_id);

CREATE VIEW public.recorded AS
SELECT job_id, kind, slot, 'history: ' || state AS place FROM chime.run_history WHERE kind IN ('schedule', 'manual', 'install')
UNION ALL
SELECT job_id, kind, slot, 'live' FROM chime.run WHERE kind IN ('schedule', 'manual', 'install')
UNION ALL
SELECT job_id, kind, slot, 'asked for' FROM chime.request WHERE verb = 'run'
UNION ALL
SELECT d.job_id, d.kind, d.slot, 'missed from ' || m.first_slot
FROM public.due d JOIN chime.missed m ON d.kind = 'schedule' AND m.job_id = d.job_id AND d.slot BETWEEN m.first_slot AND m.last_slot;

-- Runs of jobs that come after others and have no schedule, a row for each upstream: which of its outcomes the run
-- served.
CREATE VIEW public.join_run AS
SELECT j.job_id, j.name, r.slot, u.name AS upstream, o.id AS outcome, o.state
FROM (SELECT job_id, slot FROM chime.run_history WHERE kind = 'dependency' AND state <> 'skipped'
      UNION ALL SELECT job_id, slot FROM chime.run WHERE kind = 'dependency') r
JOIN chime.job j USING (job_id)
CROSS JOIN LATERAL unnest(j.after, public.outcomes_served(j, r.slot)) AS u (name, outcome)
LEFT JOIN public.outcome o ON o.id = u.outcome;

-- Those of them that have a decision to take, and since when: every upstream has ended since the last one.
CREATE VIEW public.join_undecided AS
SELECT j.name, max(o.at) AS since
FROM public.load_job j CROSS JOIN LATERAL unnest(j.after) AS u (name)
CROSS JOIN LATERAL (SELECT min(o.at) AS at FROM public.outcome o JOIN chime.job k ON k.job_id = o.job_id
                    WHERE k.name = u.name AND o.at > j.last) o
WHERE NOT j.scheduled GROUP BY j.name HAVING count(o.at) = count(*);

-- --- the oracle ------------------------------------------------------------------------------------------------------

-- One line for each fault; none is what the ledger promises. test_ledger_oracle shows each rule to see its fault.
CREATE VIEW public.oracle_rules AS
SELECT rule, rule || ': ' || what AS fault FROM (
SELECT 'absent' AS rule, d.name || ', ' || d.kind || ' at ' || d.slot AS what FROM public.due d JOIN public.load_job j USING (job_id)
WHERE d.certain AND NOT j.edited
  AND NOT EXISTS (SELECT FROM public.recorded r WHERE (r.job_id, r.kind, r.slot) = (d.job_id, d.kind, d.slot))
UNION ALL
SELECT 'absent of an edited job', d.name || ' at ' || d.slot FROM public.due d JOIN public.load_job j USING (job_id)
WHERE d.certain AND j.edited
  AND NOT EXISTS (SELECT FROM public.recorded r WHERE (r.job_id, r.kind, r.slot) = (d.job_id, d.kind, d.slot))
UNION ALL
SELECT 'recorded more than once', d.name || ' at ' || d.slot || ': ' || string_agg(r.place, ', ')
FROM public.due d JOIN public.recorded r USING (job_id, kind, slot) GROUP BY d.name, d.slot HAVING count(*) > 1
UNION ALL
SELECT 'not due', j.name || ' at ' || r.slot || ': ' || r.place FROM public.recorded r JOIN public.load_job j USING (job_id)
WHERE j.scheduled AND NOT EXISTS (SELECT FROM public.due d WHERE (d.job_id, d.kind, d.slot) = (r.job_id, r.kind, r.slot))
UNION ALL
SELECT 'missed slots do not add up', j.name || ' from ' || m.first_slot || ' to ' || m.last_slot || ': ' || m.slots
FROM chime.missed m JOIN public.load_job j USING (job_id)
WHERE j.scheduled
  AND NOT EXISTS (SELECT FROM public.slot s WHERE s.job_id = m.job_id AND s.slot BETWEEN m.first_slot AND m.last_slot
                  GROUP BY s.begins HAVING count(*) = m.slots AND min(s.slot) = m.first_slot AND max(s.slot) = m.last_slot)
UNION ALL
SELECT 'missed although every slot is to be caught up', j.name || ' from ' || m.first_slot || ': ' || m.reason
FROM chime.missed m JOIN public.load_job j USING (job_id) WHERE j.catchup = 'all' AND NOT j.edited
UNION ALL
SELECT 'ran unclaimed', e.job || ' at ' || e.at FROM public.effect e WHERE e.slot IS NULL
UNION ALL
SELECT 'took effect more than once', e.job || ' at ' || e.slot || ': ' || count(*) || ' times'
FROM public.effect e JOIN public.load_job j ON j.name = e.job
GROUP BY e.job, e.kind, e.slot, e.stage, CASE WHEN j.delivery = 'at_least_once' THEN e.attempt END HAVING count(*) > 1
UNION ALL
SELECT 'repeated without being lost', e.job || ' at ' || e.slot || ': attempt ' || e.attempt || ' of ' || h.attempt
FROM public.effect e JOIN public.load_job j ON j.name = e.job
JOIN chime.run_history h ON h.job_id = j.job_id AND h.kind = e.kind AND h.slot = e.slot AND h.attempt > e.attempt
WHERE j.delivery = 'at_least_once'
  AND NOT EXISTS (SELECT FROM chime.attempt a WHERE (a.job_id, a.kind, a.slot, a.attempt) = (h.job_id, h.kind, h.slot, e.attempt) AND a.state = 'lost')
UNION ALL
SELECT 'took effect and did not succeed', e.job || ' at ' || e.slot || ': ' || coalesce(h.state::text, 'absent')
FROM public.effect e JOIN public.load_job j ON j.name = e.job
LEFT JOIN chime.run_history h ON h.job_id = j.job_id AND h.kind = e.kind AND h.slot = e.slot
WHERE e.slot IS NOT NULL AND h.state IS DISTINCT FROM 'succeeded'
  AND NOT (j.delivery IN ('at_most_once', 'at_least_once') AND h.state IS NOT DISTINCT FROM 'lost')
  AND NOT (j.delivery = 'at_least_once' AND h.attempt > e.attempt)
  -- What a procedure committed on its way stays when its session is ended behind that.
  AND NOT (j.command ~ 'effect_twice' AND e.stage = 1 AND h.state IS NOT DISTINCT FROM 'failed' AND h.sqlstate = '57P01')
UNION ALL
SELECT 'took effect after it was declared lost', e.job || ' at ' || e.slot
FROM public.effect e JOIN public.load_job j ON j.name = e.job
JOIN (SELECT job_id, kind, slot, attempt, state, finished_at FROM chime.run_history
      UNION ALL SELECT job_id, kind, slot, attempt, state, finished_at FROM chime.attempt) h
  ON (h.job_id, h.kind, h.slot, h.attempt) = (j.job_id, e.kind, e.slot, e.attempt)
WHERE h.state = 'lost' AND e.at > h.finished_at
UNION ALL
SELECT 'succeeded without effect', j.name || ' at ' || h.slot
FROM chime.run_history h JOIN public.load_job j USING (job_id)
WHERE h.state = 'succeeded' AND j.command ~ 'public\.effect'
  AND (SELECT count(DISTINCT e.stage) FROM public.effect e WHERE e.job = j.name AND e.kind = h.kind AND e.slot = h.slot)
      <> CASE WHEN j.command ~ 'effect_twice' THEN 2 ELSE 1 END
UNION ALL
SELECT 'attempts do not add up', j.name || ' at ' || h.slot || ': ' || h.attempt
FROM chime.run_history h JOIN public.load_job j USING (job_id)
WHERE greatest(h.attempt - 1, 0) <> (SELECT count(*) FROM chime.attempt a
                                     WHERE a.job_id = h.job_id AND a.kind = h.kind AND a.slot = h.slot AND a.attempt < h.attempt)
UNION ALL
SELECT 'ended without a reason', j.name || ' at ' || h.slot || ': ' || h.state
FROM chime.run_history h JOIN chime.job j USING (job_id)
WHERE h.state <> 'succeeded' AND coalesce(h.message, h.reason, '') = ''
UNION ALL
SELECT 'live without a backend', j.name || ' at ' || r.slot
FROM chime.run r JOIN chime.job j USING (job_id)
WHERE r.pid IS NOT NULL AND r.done_at IS NULL AND NOT chime.backend_alive(r.pid, r.backend_start)
UNION ALL
SELECT 'the cursor is not at the last decided slot', j.name FROM public.load_job j
WHERE j.scheduled AND NOT j.edited
  AND j.last <> (SELECT max(r.slot) FROM public.recorded r WHERE r.job_id = j.job_id AND r.kind = 'schedule')
UNION ALL
SELECT 'went before its upstream', e.job || ' at ' || e.slot
FROM public.effect e JOIN public.load_job j ON j.name = e.job JOIN public.effect u ON u.job = ANY (j.after) AND u.slot = e.slot
WHERE j.scheduled AND u.at > e.at
UNION ALL
-- The upstream's last slot before this one ended otherwise, and no later one had succeeded yet. What it skipped since
-- an earlier run of its own was in the way, that run answers for.
SELECT 'ran although its upstream did not succeed', e.job || ' at ' || e.slot || ': ' || u.name || ' ' || x.state
FROM public.effect e JOIN public.load_job j ON j.name = e.job JOIN public.load_job u ON u.name = ANY (j.after)
CROSS JOIN LATERAL (
    SELECT max(l.slot) AS slot, (array_agg(l.state ORDER BY l.slot DESC))[1] AS state
    FROM ((SELECT h.slot, h.state::text FROM chime.run_history h
           WHERE h.job_id = u.job_id AND h.kind = 'schedule' AND h.slot <= e.slot AND h.state <> 'skipped' ORDER BY h.slot DESC LIMIT 1)
          UNION ALL
          (SELECT m.first_slot, 'missed' FROM chime.missed m
           WHERE m.job_id = u.job_id AND m.first_slot <= e.slot ORDER BY m.first_slot DESC LIMIT 1)) l) x
WHERE j.scheduled AND u.scheduled AND NOT u.edited AND e.kind = 'schedule' AND j.trigger_rule = 'all_success'
  AND x.state <> 'succeeded'
  AND NOT EXISTS (SELECT FROM chime.run_history h WHERE h.job_id = u.job_id AND h.kind = 'schedule' AND h.slot > x.slot
                  AND h.state = 'succeeded' AND h.finished_at < e.at + interval '0.1 seconds')
UNION ALL
SELECT 'ran on an outcome that was no success', j.name || ' at ' || r.slot || ': ' || r.upstream || ' ' || coalesce(r.state::text, 'none')
FROM public.join_run r JOIN public.load_job j USING (job_id)
WHERE r.outcome IS NULL OR (j.trigger_rule = 'all_success' AND r.state <> 'succeeded')
UNION ALL
SELECT 'served an outcome twice', r.name || ' at ' || min(r.slot) || ' and ' || max(r.slot) || ': outcome ' || r.outcome || ' of ' || r.upstream
FROM public.join_run r WHERE r.outcome IS NOT NULL GROUP BY r.name, r.upstream, r.outcome HAVING count(*) > 1
UNION ALL
SELECT 'ran before the outcome was on record', e.job || ' at ' || e.slot || ': ' || e.served::text
FROM public.effect e JOIN chime.job j ON j.name = e.job
WHERE e.kind = 'dependency' AND e.served <> public.outcomes_served(j, e.slot)
UNION ALL
SELECT 'hardly anything succeeded', j.delivery || ': ' || count(*) FILTER (WHERE h.state = 'succeeded') || ' of ' || count(*)
FROM chime.run_history h JOIN public.load_job j USING (job_id)
WHERE h.kind IN ('schedule', 'dependency') AND h.state <> 'skipped' AND j.command ~ 'public\.effect' AND j.command !~ '1 / 0'
GROUP BY j.delivery
-- Of fewer, faults that come one upon another on a slow machine can end most.
HAVING count(*) >= 100 AND count(*) FILTER (WHERE h.state = 'succeeded') < count(*) / 5
) f;
-- Compiling it takes longer than it takes.
CREATE FUNCTION public.faults() RETURNS SETOF public.oracle_rules LANGUAGE sql STABLE SET jit = off AS 'SELECT * FROM public.oracle_rules';
CREATE VIEW public.oracle AS SELECT * FROM public.faults();

GRANT INSERT, SELECT ON public.effect TO PUBLIC;
