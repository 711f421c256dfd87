-- SPDX-License-Identifier: PostgreSQL
-- Sample data: the same rows for the same scale, seed and as_of, on every machine.
--
--   psql -v ON_ERROR_STOP=1 -v scale=1 -f 0_schema.sql -f 1_data.sql
--
-- scale 1: 20,000 submissions, 50 challenges, 200 agents, 20,000 telemetry rows, 20,000 queries, 5,000 approvals, 1,000
-- annotations, 20,000 actions; all grow with the scale, which may be a fraction. Also: seed (1), as_of (the end of the
-- data; default now()), and challenges, agents to set those apart. docs/sample-data.md lists what is in it on purpose.
-- Chance is a hash of the row's number, so that no row depends on the order in which others are made.
\if :{?scale}
\else
\set scale 1
\endif
\if :{?seed}
\else
\set seed 1
\endif
\if :{?as_of}
\else
SELECT now() AS as_of \gset
\endif
\if :{?challenges}
\else
SELECT greatest(2, round(50 * :'scale'::numeric)) AS challenges \gset
\endif
\if :{?agents}
\else
SELECT greatest(20, round(200 * :'scale'::numeric)) AS agents \gset
\endif
SELECT greatest(100, round(20000 * :'scale'::numeric)) AS count \gset
-- One row in 51 is deleted at the end; so many must be made that `count` are left.
SELECT :count + (:count - 1) / 50 AS made \gset

BEGIN;

-- From 0 to below 1; `stream` keeps one row's many draws apart.
CREATE FUNCTION pg_temp.chance(number bigint, stream text) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(stream, number) & 1073741823)::double precision / 1073741824;

-- Fixed identifiers, which writer.sql uses too.
CREATE FUNCTION pg_temp.identifier(kind text, number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(kind || ' ' || number)::uuid;

-- Who, where, when. Two submissions meet in a bout, so they share a challenge and nearly a time. A third of all fall
-- into the first challenges, and the first agents submit most. The last five agents submit once each, and the last
-- challenge has one submission. Of the last 26 weeks, three saw nothing.
CREATE TEMPORARY TABLE draft ON COMMIT DROP AS
SELECT
    i,
    CASE
        WHEN i <= 5 THEN :agents - i
        ELSE floor((:agents - 5) * pg_temp.chance(i, :'seed' || ' agent') ^ 2)
    END::bigint AS agent,
    CASE
        WHEN i = 6 THEN :challenges - 1
        ELSE floor((:challenges - 1) * pg_temp.chance((i + 1) / 2, :'seed' || ' challenge') ^ 3)
    END::bigint AS challenge,
    (i + 1) / 2 AS bout,
    :'as_of'::timestamptz - make_interval(secs =>
        604800 * ((ARRAY[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25])
                  [1 + floor(23 * pg_temp.chance((i + 1) / 2, :'seed' || ' week'))::integer]
                  + pg_temp.chance((i + 1) / 2, :'seed' || ' time'))
        + 60 + 60 * (i % 2)) AS created_at,
    pg_temp.chance(i, :'seed' || ' status') AS status,
    pg_temp.chance(i, :'seed' || ' oddity') AS oddity
FROM generate_series(1, :made) AS i;

-- Lane scores: the challenge's difficulty, the agent's skill, its learning over time, and luck. One fifth are whole
-- numbers, so that there are ties; now and then a lane is missing.
CREATE TEMPORARY TABLE draft_lane ON COMMIT DROP AS
SELECT
    d.i,
    lane,
    round(greatest(0, least(100, score))::numeric,
          CASE WHEN pg_temp.chance(d.i, :'seed' || lane || ' whole') < 0.2 THEN 0 ELSE 2 END) AS score
FROM draft d
CROSS JOIN unnest(ARRAY['accuracy', 'clarity', 'efficiency', 'robustness']) AS lane
CROSS JOIN LATERAL (
    SELECT 35
        + 30 * pg_temp.chance(d.challenge, :'seed' || lane || ' ease')
        + 25 * pg_temp.chance(d.agent, :'seed' || lane || ' skill')
        + (extract(epoch FROM d.created_at - :'as_of'::timestamptz) / 86400)::double precision
          * (pg_temp.chance(d.agent, :'seed' || lane || ' learning') - 0.3) / 10
        + 30 * (pg_temp.chance(d.i, :'seed' || lane || ' luck')
                - pg_temp.chance(d.i, :'seed' || lane || ' bad luck'))) AS roll (score)
WHERE pg_temp.chance(d.i, :'seed' || lane || ' missing') >= 0.02;

INSERT INTO public.submissions
    (id, agent_id, challenge_id, bout_id, status, final_lane_scores, composite_score, created_at)
SELECT
    pg_temp.identifier('submission ' || :'seed', d.i),
    pg_temp.identifier('agent', d.agent),
    pg_temp.identifier('challenge', d.challenge),
    CASE WHEN pg_temp.chance(d.bout, :'seed' || ' bout') < 0.7 THEN pg_temp.identifier('bout ' || :'seed', d.bout) END,
    CASE
        WHEN d.i <= 6 THEN 'scored'
        WHEN d.status < 0.87 THEN 'scored'
        WHEN d.status < 0.94 THEN 'pending'
        WHEN d.status < 0.99 THEN 'failed'
        ELSE 'Scored' -- not a status that anybody looks for
    END,
    -- What an application may really hold there, a few of each.
    CASE floor(d.oddity * 400)
        WHEN 0 THEN NULL
        WHEN 1 THEN NULL
        WHEN 2 THEN 'null'
        WHEN 3 THEN '[80, 90]'
        WHEN 4 THEN '77.5'
        WHEN 5 THEN '{}'
        WHEN 6 THEN l.lanes || '{"accuracy": "87.5"}'
        WHEN 7 THEN l.lanes || '{"accuracy": "NaN"}'
        WHEN 8 THEN l.lanes || '{"clarity": null}'
        WHEN 9 THEN l.lanes || '{"clarity": true}'
        WHEN 10 THEN l.lanes || '{"efficiency": {"score": 80}}'
        WHEN 11 THEN l.lanes || '{"efficiency": [80]}'
        WHEN 12 THEN l.lanes || '{"robustness": 1e400}'
        WHEN 13 THEN l.lanes || '{"robustness": 1e-400}'
        WHEN 14 THEN l.lanes || '{"robustness": ""}'
        WHEN 15 THEN l.lanes || '{"accuracy": -3.14159265358979}'
        WHEN 16 THEN l.lanes || '{"": 50, "Ünïcode, \"lane\"": 60.005}'
        ELSE l.lanes
    END,
    CASE floor(d.oddity * 400)
        WHEN 0 THEN NULL
        WHEN 17 THEN NULL
        WHEN 18 THEN NULL
        WHEN 19 THEN 'NaN'
        WHEN 20 THEN CASE WHEN d.i % 2 = 0 THEN 'Infinity' ELSE '-Infinity' END::double precision
        ELSE l.average
    END,
    d.created_at
FROM draft d
LEFT JOIN (
    SELECT i, jsonb_object_agg(lane, score) AS lanes, avg(score)::double precision AS average
    FROM draft_lane
    GROUP BY i) l ON l.i = d.i;

-- Judged again: other scores, or scored at last.
UPDATE public.submissions s
SET status = 'scored',
    composite_score = least(100, s.composite_score + 5),
    final_lane_scores = jsonb_set(s.final_lane_scores, '{accuracy}', to_jsonb(round((90 + 10 * d.oddity)::numeric, 1)))
FROM draft d
WHERE s.id = pg_temp.identifier('submission ' || :'seed', d.i)
    AND d.i > 6
    AND pg_temp.chance(d.i, :'seed' || ' rescored') < 0.03
    AND jsonb_typeof(s.final_lane_scores) = 'object';

-- The better of the two wins. One bout in ten has no winner, one in twenty no result yet.
INSERT INTO public.bout_results (bout_id, winner_agent_id)
SELECT
    s.bout_id,
    CASE WHEN pg_temp.chance(d.bout, :'seed' || ' undecided') >= 0.1
         THEN (array_agg(s.agent_id ORDER BY nullif(s.composite_score, 'NaN') DESC NULLS LAST, s.id))[1]
    END
FROM draft d
JOIN public.submissions s ON s.id = pg_temp.identifier('submission ' || :'seed', d.i)
WHERE s.bout_id IS NOT NULL
    AND pg_temp.chance(d.bout, :'seed' || ' open') >= 0.05
GROUP BY d.bout, s.bout_id;

DELETE FROM public.submissions s
USING draft d
WHERE s.id = pg_temp.identifier('submission ' || :'seed', d.i)
    AND d.i % 51 = 0;

-- Telemetry of 90 days, more of it lately. sleeping.example has been idle for 60 days; tied.example uses two models
-- alike; once.example was used once; silent.example and the model "moderator" use no tokens; some values are unknown.
INSERT INTO public.chat_telemetry (
    domain, model, success, cost_usd, input_tokens, output_tokens, duration_ms, search_count, iteration_count,
    created_at)
SELECT
    c.domain,
    c.model,
    CASE WHEN c.oddity >= 0.995 THEN NULL ELSE pg_temp.chance(i, :'seed' || ' success') < 0.93 END,
    CASE
        WHEN c.oddity < 0.010 THEN NULL
        WHEN c.oddity < 0.011 THEN 'NaN'
        ELSE round((0.00001 * (c.input_tokens + 3 * c.output_tokens) * (0.5 + pg_temp.chance(i, :'seed' || ' price')))
                   ::numeric, 7)
    END,
    CASE WHEN c.oddity BETWEEN 0.02 AND 0.03 THEN NULL ELSE c.input_tokens END,
    CASE WHEN c.oddity BETWEEN 0.025 AND 0.035 THEN NULL ELSE c.output_tokens END,
    CASE WHEN c.oddity BETWEEN 0.04 AND 0.05 THEN NULL
         ELSE 120 + (4000 * pg_temp.chance(i, :'seed' || ' duration') ^ 3)::integer END,
    CASE WHEN c.oddity BETWEEN 0.05 AND 0.06 THEN NULL
         ELSE (4 * pg_temp.chance(i, :'seed' || ' searches'))::integer END,
    CASE WHEN c.oddity BETWEEN 0.06 AND 0.07 THEN NULL
         ELSE 1 + (3 * pg_temp.chance(i, :'seed' || ' iterations'))::integer END,
    :'as_of'::timestamptz - make_interval(secs =>
        60 + 86400 * CASE
            WHEN c.domain = 'sleeping.example' THEN 60 + 30 * pg_temp.chance(i, :'seed' || ' age')
            ELSE 90 * pg_temp.chance(i, :'seed' || ' age') ^ 2
        END)
FROM (
    SELECT
        i,
        d.domain,
        CASE
            WHEN d.domain = 'tied.example' THEN (ARRAY['larch-2', 'aspen-2'])[1 + i % 2]
            WHEN d.chance < 0.01 THEN NULL
            WHEN d.chance < 0.04 THEN 'moderator'
            ELSE (ARRAY['aspen-2', 'aspen-2-mini', 'larch-2', 'Birch-1', 'cedar', 'élan-3'])
                 [1 + floor(6 * pg_temp.chance(i, :'seed' || ' model') ^ 2)::integer]
        END AS model,
        CASE WHEN d.domain = 'silent.example' OR d.chance BETWEEN 0.01 AND 0.04 THEN 0
             ELSE (50 + 4000 * pg_temp.chance(i, :'seed' || ' input') ^ 2)::integer END AS input_tokens,
        CASE WHEN d.domain = 'silent.example' OR d.chance BETWEEN 0.01 AND 0.04 THEN 0
             ELSE (20 + 900 * pg_temp.chance(i, :'seed' || ' output'))::integer END AS output_tokens,
        pg_temp.chance(i, :'seed' || ' unknown') AS oddity
    FROM (
        SELECT
            i,
            CASE
                WHEN i = 1 THEN 'once.example'
                WHEN i BETWEEN 2 AND 21 THEN 'tied.example'
                WHEN i BETWEEN 22 AND 31 THEN 'silent.example'
                WHEN i BETWEEN 32 AND 61 THEN 'sleeping.example'
                WHEN pg_temp.chance(i, :'seed' || ' nowhere') < 0.01 THEN NULL
                ELSE 'shop' || floor(40 * pg_temp.chance(i, :'seed' || ' domain') ^ 2) || '.example'
            END AS domain,
            pg_temp.chance(i, :'seed' || ' which') AS chance
        FROM generate_series(1, :count) AS i) d) c
ORDER BY i;

-- --- what the application itself keeps of a submission ---------------------------------------------------------------
INSERT INTO public.judge_outputs (id, submission_id, output, created_at)
SELECT
    pg_temp.identifier('judge ' || s.id, 1),
    s.id,
    jsonb_build_object('judge', 'judge-' || (hashtext(s.id::text) & 3), 'composite', s.composite_score::text),
    s.created_at + interval '30 seconds'
FROM public.submissions s
WHERE s.status = 'scored';

-- --- agents ----------------------------------------------------------------------------------------------------------
-- By month, where partitions.sql has made them so.
SELECT to_regprocedure('public.add_agent_partitions(timestamptz, integer, integer)') IS NOT NULL AS by_month \gset
\if :by_month
SELECT public.add_agent_partitions(:'as_of', 5, 1) AS made \gset partitions_
\endif

-- How long ago, in seconds: a tenth within the hour, a fifth within the day, the rest over 120 days.
CREATE FUNCTION pg_temp.age(number bigint, stream text) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN pg_temp.chance(number, stream || ' age') * CASE
    WHEN pg_temp.chance(number, stream || ' band') < 0.1 THEN 3600
    WHEN pg_temp.chance(number, stream || ' band') < 0.3 THEN 86400
    ELSE 120 * 86400 END;

SELECT greatest(40, :count / 4) AS approvals, greatest(60, :count / 20) AS annotations,
       least(1000, greatest(10, round(100 * :'scale'::numeric))) AS triggers \gset

-- Four agents work, the first of them most; each has asked ten times within the last minute: data and analyst answer
-- fast, engineer slowly (warning), support too slowly (degraded). archivist is idle for 60 days, visitor asked once.
-- Identifiers ascend with time; one in 97 is missing, and one event in 101 came twice, the second time late.
CREATE TEMPORARY TABLE draft_query ON COMMIT DROP AS
SELECT
    row_number() OVER (ORDER BY q.created_at, q.i) AS id,
    q.agent,
    CASE
        WHEN q.oddity < 0.002 THEN NULL
        WHEN q.oddity < 0.003 THEN ''
        WHEN q.oddity < 0.005 THEN repeat('SELECT "Ünïcode" || ''quote'' \ ', 400) -- longer than a NOTIFY may be
        ELSE 'SELECT order_status FROM orders WHERE id = ' || q.i
    END AS query,
    CASE
        WHEN q.oddity BETWEEN 0.010 AND 0.015 THEN NULL
        WHEN q.oddity BETWEEN 0.015 AND 0.016 THEN 'NaN'
        WHEN q.oddity BETWEEN 0.016 AND 0.017 THEN -1
        WHEN q.oddity BETWEEN 0.020 AND 0.040 THEN 100 -- the bounds themselves
        WHEN q.oddity BETWEEN 0.040 AND 0.060 THEN 200
        ELSE round((q.typical * (0.6 + 0.8 * pg_temp.chance(q.i, :'seed' || ' latency'))
                    + CASE WHEN q.created_at < :'as_of'::timestamptz - interval '1 minute'
                            AND pg_temp.chance(q.i, :'seed' || ' slow') < 0.02 THEN 1500 ELSE 0 END)::numeric, 3)
    END AS latency_ms,
    CASE WHEN q.oddity < 0.99 THEN 'conv-' || floor(:approvals * pg_temp.chance(q.i, :'seed' || ' conversation') ^ 2) END
        AS conversation_id,
    q.created_at
FROM (
    SELECT
        i,
        a.agent,
        CASE a.agent WHEN 'support' THEN 380 WHEN 'engineer' THEN 150 ELSE 70 END AS typical,
        pg_temp.chance(i, :'seed' || ' query oddity') AS oddity,
        :'as_of'::timestamptz - make_interval(secs => CASE
            WHEN a.agent = 'archivist' THEN 86400 * (60 + 40 * pg_temp.chance(i, :'seed' || ' archive'))
            WHEN i <= 40 THEN 1 + 55 * pg_temp.chance(i, :'seed' || ' minute')
            ELSE 1 + pg_temp.age(i, :'seed' || ' query') END) AS created_at
    FROM generate_series(1, :count) AS i
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN i <= 40 THEN (ARRAY['data', 'engineer', 'support', 'analyst'])[1 + i % 4]
            WHEN i <= 60 THEN 'archivist'
            WHEN i = 61 THEN 'visitor'
            WHEN pg_temp.chance(i, :'seed' || ' nobody') < 0.005 THEN NULL
            ELSE (ARRAY['data', 'engineer', 'support', 'analyst'])
                 [1 + floor(4 * pg_temp.chance(i, :'seed' || ' who') ^ 2.5)::integer]
        END) AS a (agent)) q;

INSERT INTO public.agent_queries (id, agent, query, latency_ms, conversation_id, created_at)
SELECT id, agent, query, latency_ms, conversation_id, created_at FROM draft_query WHERE id % 97 <> 50
UNION ALL
SELECT :count + id / 101, agent, query, latency_ms, conversation_id, created_at
FROM draft_query WHERE id % 101 = 0 AND id % 97 <> 50
ORDER BY 1;

-- The same events in the other spelling, whole milliseconds and without a number to order them by.
INSERT INTO public."AgentQuery" (id, agent, query, "latencyMs", "createdAt")
SELECT md5('query ' || :'seed' || id), agent, query, round(nullif(latency_ms, 'NaN'))::integer, created_at
FROM public.agent_queries ORDER BY id;

-- The first eight are pending: of this minute, late for the agreed five minutes, of yesterday, of weeks ago, and one
-- that is beyond every retention and still to be decided. Some are decided without an instant, or before they were
-- asked.
INSERT INTO public.agent_approvals (
    id, conversation_id, status, priority, confidence_score, approved_by, created_at, updated_at, reviewed_at)
SELECT
    row_number() OVER (ORDER BY created_at, i),
    'conv-' || i,
    status,
    CASE WHEN i <= 8 AND i % 2 = 0 OR i > 8 AND pg_temp.chance(i, :'seed' || ' urgent') < 0.1 THEN 'urgent' ELSE 'normal' END,
    CASE
        WHEN oddity < 0.02 THEN NULL
        WHEN oddity < 0.023 THEN 'NaN'
        WHEN oddity < 0.026 THEN 1.5
        WHEN oddity < 0.2 THEN 0.9 -- ties
        ELSE round((0.4 + 0.6 * oddity)::numeric, 3)
    END,
    CASE WHEN status <> 'pending' THEN 'reviewer-' || floor(6 * pg_temp.chance(i, :'seed' || ' reviewer') ^ 2) END,
    created_at,
    greatest(created_at, reviewed_at),
    reviewed_at
FROM (
    SELECT
        p.*,
        CASE
            WHEN p.status = 'pending' OR p.oddity BETWEEN 0.5 AND 0.51 THEN NULL
            WHEN p.oddity BETWEEN 0.51 AND 0.515 THEN p.created_at - interval '3 seconds'
            ELSE least(:'as_of'::timestamptz,
                       p.created_at + make_interval(secs => 3600 * pg_temp.chance(p.i, :'seed' || ' review') ^ 3))
        END AS reviewed_at
    FROM (
        SELECT
            i,
            :'as_of'::timestamptz - CASE
                WHEN i <= 8 THEN (ARRAY['20 seconds', '4 minutes', '6 minutes', '2 hours', '26 hours', '30 hours', '21 days',
                                        '100 days'])[i]::interval
                ELSE make_interval(secs => 1 + pg_temp.age(i, :'seed' || ' approval')) END AS created_at,
            CASE
                WHEN i <= 8 OR s.chance < 0.02 THEN 'pending'
                WHEN s.chance < 0.85 THEN 'approved'
                WHEN s.chance < 0.99 THEN 'rejected'
                ELSE 'Approved' -- not a status that anybody looks for
            END AS status,
            pg_temp.chance(i, :'seed' || ' approval oddity') AS oddity
        FROM generate_series(1, :approvals) AS i
        CROSS JOIN LATERAL (SELECT pg_temp.chance(i, :'seed' || ' decision')) AS s (chance)) p) a
ORDER BY 1;

-- Rubrics as people fill them in, a few of each kind that cannot be read.
INSERT INTO public.agent_feedback (
    id, conversation_id, safe_to_send, labels, annotator, rubric, created_at, updated_at)
SELECT
    row_number() OVER (ORDER BY created_at, i),
    'conv-' || floor(:approvals * oddity),
    CASE WHEN oddity < 0.03 THEN NULL ELSE pg_temp.chance(i, :'seed' || ' safe') < 0.92 END,
    CASE floor(oddity * 20)
        WHEN 0 THEN NULL
        WHEN 1 THEN '{}'
        WHEN 2 THEN '{risky,risky}'
        WHEN 3 THEN '{risky,requires_review}'
        ELSE ARRAY[(ARRAY['tone', 'accuracy', 'policy'])[1 + i % 3]]
    END::text[],
    CASE WHEN is_annotated THEN 'qa_team_' || 1 + floor(4 * pg_temp.chance(i, :'seed' || ' annotator') ^ 2) END,
    CASE i % 60
        WHEN 1 THEN NULL
        WHEN 2 THEN 'null'
        WHEN 3 THEN '[4, 5]'
        WHEN 4 THEN '"good"'
        WHEN 5 THEN '{}'
        WHEN 6 THEN '{"clarity": "five", "accuracy": 4}'
        WHEN 7 THEN '{"clarity": null, "accuracy": 3}'
        WHEN 8 THEN '{"clarity": 4.5, "accuracy": 4}'
        WHEN 9 THEN '{"clarity": "4", "accuracy": "5"}'
        WHEN 10 THEN '{"clarity": 1e400, "accuracy": 2}'
        WHEN 11 THEN '{"clarity": {"score": 4}, "accuracy": [5]}'
        WHEN 12 THEN '{"clarity": "", "accuracy": -1}'
        ELSE jsonb_build_object('clarity', 1 + floor(5 * pg_temp.chance(i, :'seed' || ' clarity') ^ 0.5)::integer,
                                'accuracy', 1 + floor(5 * pg_temp.chance(i, :'seed' || ' accuracy') ^ 0.5)::integer)
    END,
    created_at,
    CASE WHEN is_annotated THEN least(:'as_of'::timestamptz, created_at + make_interval(secs => 86400 * oddity))
         ELSE created_at END
FROM (
    SELECT
        i,
        pg_temp.chance(i, :'seed' || ' feedback oddity') AS oddity,
        pg_temp.chance(i, :'seed' || ' annotated') < 0.9 AS is_annotated,
        :'as_of'::timestamptz - make_interval(secs => 1 + pg_temp.age(i, :'seed' || ' feedback')) AS created_at
    FROM generate_series(1, :annotations) AS i) f
ORDER BY 1;

INSERT INTO public."AgentFeedback" (id, "conversationId", "safeToSend", rubric, labels, annotator, "createdAt")
SELECT md5('feedback ' || :'seed' || id), conversation_id, safe_to_send, rubric, labels, annotator, created_at
FROM public.agent_feedback ORDER BY id;

-- --- actions ---------------------------------------------------------------------------------------------------------
-- \gset: its empty answer is nothing to show.
SELECT public.add_action_partitions(:'as_of', 5, 1) AS made \gset partitions_

-- The last trigger has never run; one in fifty fails often. A dozen failures fall into the last day, two at one
-- instant.
INSERT INTO public.triggers (id, name)
SELECT i, 'trigger ' || i || CASE WHEN i % 7 = 0 THEN ' "Ünïcode"' ELSE '' END FROM generate_series(1, :triggers) AS i;

INSERT INTO public.action_results (
    id, trigger_id, action_type, status, duration_ms, error_message, response_data, executed_at)
SELECT
    row_number() OVER (ORDER BY executed_at, i),
    CASE
        WHEN oddity < 0.002 THEN NULL
        WHEN oddity < 0.005 THEN 1000000 -- of a trigger that is gone
        ELSE trigger_id
    END,
    action_type,
    status,
    CASE
        WHEN oddity BETWEEN 0.01 AND 0.02 THEN NULL
        WHEN oddity BETWEEN 0.02 AND 0.03 THEN 0
        WHEN oddity BETWEEN 0.03 AND 0.031 THEN -5
        ELSE 20 + (3000 * pg_temp.chance(i, :'seed' || ' action duration') ^ 4)::integer
    END,
    CASE
        WHEN status = 'failed' AND i % 20 <> 0 THEN
            (ARRAY['connection refused', 'timeout after 30 s', 'HTTP 500: "internal error"', 'rate limit exceeded',
                   'Ünïcode is not supported'])[1 + floor(5 * oddity)::integer]
        WHEN oddity BETWEEN 0.04 AND 0.041 THEN 'succeeded at the second attempt'
    END,
    CASE
        WHEN i % 50 = 1 THEN '[]'
        WHEN i % 50 = 2 THEN '"accepted"'
        WHEN i % 50 = 3 THEN 'null'
        WHEN i % 50 = 4 THEN NULL
        WHEN status = 'failed' THEN jsonb_build_object('code', 500 + i % 4, 'retry', i % 2 = 0)
        ELSE '{"code": 200}'
    END,
    executed_at
FROM (
    SELECT
        i,
        t.trigger_id,
        oddity,
        (ARRAY['telegram', 'rest', 'mcp'])[1 + floor(3 * pg_temp.chance(i, :'seed' || ' action') ^ 2)::integer]
            AS action_type,
        CASE
            WHEN i <= 12 THEN 'failed'
            WHEN f.chance < CASE WHEN t.trigger_id % 50 = 1 THEN 0.3 ELSE 0.01 END THEN 'failed'
            WHEN f.chance > 0.98 THEN 'retrying'
            ELSE 'success'
        END AS status,
        :'as_of'::timestamptz - make_interval(secs => CASE
            WHEN i <= 2 THEN 60
            WHEN i <= 12 THEN 72000 * pg_temp.chance(i, :'seed' || ' recent')
            ELSE 1 + pg_temp.age(i, :'seed' || ' action') END) AS executed_at
    FROM (
        SELECT i, pg_temp.chance(i, :'seed' || ' action oddity') AS oddity,
               1 + floor((:triggers - 1) * pg_temp.chance(i, :'seed' || ' trigger') ^ 2)::bigint AS trigger_id
        FROM generate_series(1, :count) AS i) t
    CROSS JOIN LATERAL (SELECT pg_temp.chance(i, :'seed' || ' failure')) AS f (chance)) r
ORDER BY 1;

-- Whoever writes next goes on from here.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['agent_queries', 'agent_approvals', 'agent_feedback', 'triggers', 'action_results'] LOOP
        EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), max(id)) FROM public.%I', 'public.' || name, 'id', name);
    END LOOP;
END $$;

COMMIT;

ANALYZE public.submissions, public.bout_results, public.judge_outputs, public.chat_telemetry, public.agent_queries,
    public.agent_approvals, public.agent_feedback, public."AgentQuery", public."AgentFeedback", public.triggers,
    public.action_results;
SELECT (SELECT count(*) FROM public.submissions) AS submissions,
       (SELECT count(*) FROM public.bout_results) AS bouts,
       (SELECT count(*) FROM public.chat_telemetry) AS telemetry,
       (SELECT count(*) FROM public.agent_queries) AS queries,
       (SELECT count(*) FROM public.agent_approvals) AS approvals,
       (SELECT count(*) FROM public.agent_feedback) AS annotations,
       (SELECT count(*) FROM public.action_results) AS actions;
