-- SPDX-License-Identifier: PostgreSQL
-- Live load beside the sample data: the statements of script/sample-writer, which says how often each is executed.
--
-- Each is one transaction, whole or not at all. Variables: challenges, agents (those of the data loaded).

-- Bouts: two scored submissions each of existing agents in an existing challenge, what a judge said of them, the result
-- and a telemetry row; and one older submission of a challenge is judged again.
PREPARE submit (integer) AS
WITH bouts AS MATERIALIZED (
    SELECT
        gen_random_uuid() AS bout_id,
        md5('challenge ' || floor((:challenges - 1) * random() ^ 3)::bigint)::uuid AS challenge_id,
        floor((:agents - 5) * random() ^ 2)::bigint AS agent,
        random() AS luck
    FROM generate_series(1, $1)
),
entries AS MATERIALIZED (
    SELECT
        gen_random_uuid() AS id,
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
        id, agent_id, challenge_id, bout_id, 'scored',
        jsonb_build_object(
            'accuracy', accuracy, 'clarity', clarity, 'efficiency', efficiency, 'robustness', robustness),
        ((accuracy + clarity + efficiency + robustness) / 4)::double precision,
        clock_timestamp()
    FROM entries
),
judged AS (
    INSERT INTO public.judge_outputs (submission_id, output, created_at)
    SELECT id, jsonb_build_object('judge', 'judge-' || side, 'accuracy', accuracy), clock_timestamp()
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
FROM bouts;

-- An agent's question, in both spellings. Most answers take well under the 200 ms from which an alert is due.
PREPARE query AS
WITH asked AS MATERIALIZED (
    SELECT
        (ARRAY['data', 'engineer', 'support', 'analyst'])[1 + floor(4 * random() ^ 2.5)::integer] AS agent,
        'SELECT order_status FROM orders WHERE id = ' || floor(1e6 * random()) AS query,
        round((20 + 100 * random() + CASE WHEN random() < 0.05 THEN 400 * random() ELSE 0 END)::numeric, 3) AS latency,
        clock_timestamp() AS created_at
),
mirrored AS (
    INSERT INTO public."AgentQuery" (agent, query, "latencyMs", "createdAt")
    SELECT agent, query, latency::integer, created_at FROM asked
)
INSERT INTO public.agent_queries (agent, query, latency_ms, conversation_id, created_at)
SELECT agent, query, latency, 'conv-' || floor(1000 * random()), created_at FROM asked;

-- A draft asks for approval, and the latest that has waited for ten seconds gets its answer: the queue stays short.
PREPARE approval AS
WITH asked AS (
    INSERT INTO public.agent_approvals (conversation_id, priority, confidence_score, created_at, updated_at)
    VALUES ('conv-' || floor(1000 * random()), CASE WHEN random() < 0.1 THEN 'urgent' ELSE 'normal' END,
            round((0.4 + 0.6 * random())::numeric, 3), clock_timestamp(), clock_timestamp())
)
UPDATE public.agent_approvals a
SET status = CASE WHEN random() < 0.85 THEN 'approved' ELSE 'rejected' END,
    approved_by = 'reviewer-' || floor(6 * random() ^ 2),
    reviewed_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE a.id = (
    SELECT waiting.id
    FROM public.agent_approvals waiting
    WHERE waiting.status = 'pending' AND waiting.created_at < clock_timestamp() - interval '10 seconds'
    ORDER BY waiting.created_at DESC
    LIMIT 1
    FOR UPDATE SKIP LOCKED);

-- Something to annotate comes in, in both spellings, and the latest that nobody has annotated is.
PREPARE feedback AS
WITH given AS MATERIALIZED (
    SELECT
        'conv-' || floor(1000 * random()) AS conversation,
        true AS safe, -- alert unsafe-response is about one that is not
        jsonb_build_object('clarity', 1 + floor(5 * random() ^ 0.5), 'accuracy', 1 + floor(5 * random() ^ 0.5)) AS rubric,
        clock_timestamp() AS created_at
),
mirrored AS (
    INSERT INTO public."AgentFeedback" ("conversationId", "safeToSend", rubric, labels, "createdAt")
    SELECT conversation, safe, rubric, '{tone}', created_at FROM given
),
annotated AS (
    UPDATE public.agent_feedback f
    SET annotator = 'qa_team_' || 1 + floor(4 * random() ^ 2),
        safe_to_send = true,
        labels = '{accuracy}',
        updated_at = clock_timestamp()
    WHERE f.id = (
        SELECT waiting.id
        FROM public.agent_feedback waiting
        WHERE waiting.annotator IS NULL
        ORDER BY waiting.created_at DESC
        LIMIT 1
        FOR UPDATE SKIP LOCKED)
)
INSERT INTO public.agent_feedback (conversation_id, safe_to_send, labels, rubric, created_at, updated_at)
SELECT conversation, safe, '{tone}', rubric, created_at, created_at FROM given;

-- A trigger's action, one in a hundred of which fails.
PREPARE action AS
INSERT INTO public.action_results (
    trigger_id, action_type, status, duration_ms, error_message, response_data, executed_at)
SELECT
    1 + floor((SELECT greatest(1, count(*) - 1) FROM public.triggers) * random() ^ 2)::bigint,
    (ARRAY['telegram', 'rest', 'mcp'])[1 + floor(3 * random() ^ 2)::integer],
    CASE WHEN luck < 0.01 THEN 'failed' ELSE 'success' END,
    20 + (3000 * random() ^ 4)::integer,
    CASE WHEN luck < 0.01 THEN 'HTTP 500: "internal error"' END,
    jsonb_build_object('code', CASE WHEN luck < 0.01 THEN 500 ELSE 200 END),
    clock_timestamp()
FROM (SELECT random() AS luck) AS l;
