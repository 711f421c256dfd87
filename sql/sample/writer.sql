-- Live load beside the sample data: run by script/sample-writer, until it is stopped.
--
-- Each turn adds `rows` bouts' worth of work: two scored submissions of existing agents in an existing challenge, the
-- bout's result, and a telemetry row; and judges one older submission of a challenge again. All in one statement, so a
-- turn is there whole or not at all. Variables: rows, interval (seconds), challenges, agents.
WITH bouts AS MATERIALIZED (
    SELECT
        gen_random_uuid() AS bout_id,
        md5('challenge ' || floor((:challenges - 1) * random() ^ 3)::bigint)::uuid AS challenge_id,
        floor((:agents - 5) * random() ^ 2)::bigint AS agent,
        random() AS luck
    FROM generate_series(1, :rows)
),
entries AS MATERIALIZED (
    SELECT
        b.bout_id,
        b.challenge_id,
        md5('agent ' || (b.agent + side) % (:agents - 5))::uuid AS agent_id,
        side,
        round((40 + 60 * random())::numeric, 2) AS accuracy,
        round((40 + 60 * random())::numeric, 2) AS clarity,
        round((40 + 60 * random())::numeric, 1) AS efficiency,
        round((40 + 60 * random())::numeric) AS robustness
    FROM bouts b
    CROSS JOIN generate_series(0, 1) AS side
),
submitted AS (
    INSERT INTO public.submissions
        (id, agent_id, challenge_id, bout_id, status, final_lane_scores, composite_score, created_at)
    SELECT
        gen_random_uuid(), agent_id, challenge_id, bout_id, 'scored',
        jsonb_build_object(
            'accuracy', accuracy, 'clarity', clarity, 'efficiency', efficiency, 'robustness', robustness),
        ((accuracy + clarity + efficiency + robustness) / 4)::double precision,
        clock_timestamp()
    FROM entries
),
decided AS (
    INSERT INTO public.bout_results (bout_id, winner_agent_id)
    SELECT e.bout_id, e.agent_id
    FROM entries e
    JOIN bouts b USING (bout_id)
    WHERE e.side = (b.luck < 0.5)::integer
),
judged_again AS (
    UPDATE public.submissions s
    SET composite_score = least(100, s.composite_score + 1),
        final_lane_scores = jsonb_set(
            s.final_lane_scores, '{accuracy}', to_jsonb(round((40 + 60 * random())::numeric, 2)))
    WHERE s.id = (
        SELECT older.id
        FROM public.submissions older
        WHERE older.challenge_id = (SELECT challenge_id FROM bouts LIMIT 1)
            AND older.status = 'scored'
            AND jsonb_typeof(older.final_lane_scores) = 'object'
        ORDER BY older.created_at DESC
        LIMIT 1)
)
INSERT INTO public.chat_telemetry (
    domain, model, success, cost_usd, input_tokens, output_tokens, duration_ms, search_count, iteration_count,
    created_at)
SELECT
    'shop' || floor(40 * random() ^ 2) || '.example',
    (ARRAY['aspen-2', 'aspen-2-mini', 'larch-2', 'Birch-1', 'cedar', 'élan-3'])[1 + floor(6 * random())::integer],
    random() < 0.93,
    round((0.04 * random())::numeric, 7),
    (50 + 4000 * random())::integer,
    (20 + 900 * random())::integer,
    (120 + 4000 * random() ^ 3)::integer,
    (4 * random())::integer,
    (1 + 3 * random())::integer,
    clock_timestamp()
FROM bouts
\watch :interval
