-- Sample data: the same rows for the same scale, seed and as_of, on every machine.
--
--   psql -v ON_ERROR_STOP=1 -v scale=1 -f 0_schema.sql -f 1_data.sql
--
-- scale 1: 20,000 submissions, 50 challenges, 200 agents, 20,000 telemetry rows; all grow with the scale, which may be
-- a fraction. Also: seed (1), as_of (the end of the data; default now()), and challenges, agents to set those apart.
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

COMMIT;

ANALYZE public.submissions, public.bout_results, public.chat_telemetry;
SELECT (SELECT count(*) FROM public.submissions) AS submissions,
       (SELECT count(*) FROM public.bout_results) AS bouts,
       (SELECT count(*) FROM public.chat_telemetry) AS telemetry;
