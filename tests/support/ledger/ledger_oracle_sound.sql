-- SPDX-License-Identifier: PostgreSQL
-- A ledger as it should be after five minutes, for the oracle (ledger_oracle.sql) to find nothing in: 30 slots of 10 s
-- of each job. What of it is made wrong, test_ledger_oracle.c says.
SET search_path = pg_catalog;

CREATE FUNCTION public.at(p_slot integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE
RETURN timestamptz '2026-01-05 12:00:00Z' + p_slot * interval '10 seconds';

CREATE FUNCTION public.id_of(p_job text) RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT job_id FROM chime.job WHERE name = p_job);

INSERT INTO chime.job (name, origin, schedule, command, after, options)
SELECT v.name, 'config', v.schedule, format('SELECT public.effect(%L)', v.name), v.after, jsonb_build_object('delivery', v.delivery, 'catchup', v.catchup)
FROM (VALUES ('own', '10 seconds', '{}'::text[], 'transactional', 'all'),
             ('once', '10 seconds', '{}', 'at_most_once', 'latest'),
             ('again', '10 seconds', '{}', 'at_least_once', 'latest'),
             ('after-once', '10 seconds', '{once}', 'at_most_once', 'latest'),
             ('edited', '10 seconds', '{}', 'at_most_once', 'latest'),
             ('join', '', '{own,once}', 'transactional', 'latest')) AS v (name, schedule, after, delivery, catchup);
INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, public.at(0) FROM chime.job;
-- From the fifteenth slot on every second one is due.
UPDATE chime.job SET schedule = '20 seconds' WHERE name = 'edited';
UPDATE public.definition SET ends = public.at(15) + interval '3 seconds' WHERE job_id = public.id_of('edited') AND first;
UPDATE public.definition SET begins = public.at(15) + interval '3 seconds' WHERE job_id = public.id_of('edited') AND NOT first;

-- A run that ended, as the leader writes it.
CREATE FUNCTION public.run_ended(p_job text, p_slot timestamptz, p_state chime.run_state DEFAULT 'succeeded', p_attempt integer DEFAULT 1,
                                 p_kind chime.run_kind DEFAULT 'schedule') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF p_state IN ('succeeded', 'lost') THEN
        INSERT INTO public.effect (job, kind, slot, attempt, served, at)
        SELECT p_job, p_kind, p_slot, p_attempt, CASE WHEN p_kind = 'dependency' THEN public.outcomes_served(j, p_slot) END,
               p_slot + CASE j.name WHEN 'after-once' THEN interval '0.9 seconds' ELSE interval '0.5 seconds' END
        FROM chime.job j WHERE j.name = p_job;
    END IF;
    INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, reason)
    VALUES (nextval('chime.run_id'), public.id_of(p_job), p_kind, p_slot, p_state, p_attempt, 1, p_slot + interval '1 second',
            CASE WHEN p_state <> 'succeeded' THEN 'so it was' END);
    UPDATE chime.job_state SET last_slot = p_slot, outcome_at = p_slot + interval '1 second', last_outcome = p_state
     WHERE job_id = public.id_of(p_job);
END $$;

CREATE FUNCTION public.slots_missed(p_job text, p_first integer, p_last integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
    VALUES (public.id_of(p_job), public.at(p_first), public.at(p_last), p_last - p_first + 1, 'nothing led', 1);
    UPDATE chime.job_state SET last_slot = public.at(p_last) WHERE job_id = public.id_of(p_job);
$$;

DO $$
BEGIN
    FOR n IN 1..30 LOOP
        PERFORM public.run_ended('own', public.at(n));
        IF n = 12 THEN
            PERFORM public.slots_missed(j, 10, 12) FROM unnest(ARRAY['once', 'after-once']) AS j;
        ELSIF n NOT BETWEEN 10 AND 12 THEN
            PERFORM public.run_ended('once', public.at(n), CASE n WHEN 20 THEN 'lost' ELSE 'succeeded' END::chime.run_state);
            PERFORM public.run_ended('after-once', public.at(n), CASE n WHEN 20 THEN 'skipped' ELSE 'succeeded' END::chime.run_state);
            PERFORM public.run_ended('join', public.at(n) + interval '1 second', CASE n WHEN 20 THEN 'skipped' ELSE 'succeeded' END::chime.run_state,
                                     p_kind => 'dependency');
        END IF;
        IF n = 25 THEN
            INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at)
            VALUES (public.id_of('again'), 'schedule', public.at(n), 1, 0, 'lost', 1, public.at(n) + interval '0.9 seconds');
            INSERT INTO public.effect (job, kind, slot, attempt, at) VALUES ('again', 'schedule', public.at(n), 1, public.at(n));
        END IF;
        PERFORM public.run_ended('again', public.at(n), p_attempt => CASE n WHEN 25 THEN 2 ELSE 1 END);
        IF n <= 15 OR n % 2 = 0 THEN
            PERFORM public.run_ended('edited', public.at(n));
        END IF;
    END LOOP;
END $$;
