-- SPDX-License-Identifier: PostgreSQL
-- Latency of each agent's API calls over the last hour, from "AgentQuery".
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- pgchime's schema. The text between the marks is what the plugin carries.

-- The clock is chime.as_of(); refreshed_at is a declared stamp: in seed 000 it was now(), and every row differed every
-- time. A call without an agent has no row to be in and is counted as rejected, as is a latency that no number holds.
-- Percentiles interpolate, as in the seed. performance_rating is of its leaderboard, by the average before it is
-- rounded; an agent whose latency is unknown has none: in the seed it would have needed attention.

CREATE OR REPLACE VIEW v_agent_query_performance AS
-- chime:begin v_agent_query_performance
SELECT
    q.agent,
    count(*) AS query_count_1h,
    round(avg(q.latency), 2) AS avg_latency_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY q.latency::double precision)::numeric, 2) AS p95_latency_ms,
    count(*) FILTER (WHERE q.latency > 1000) AS slow_query_count,
    CASE
        WHEN avg(q.latency) < 200 THEN 'excellent'
        WHEN avg(q.latency) < 500 THEN 'good'
        WHEN avg(q.latency) < 1000 THEN 'fair'
        WHEN avg(q.latency) IS NOT NULL THEN 'needs_attention'
    END AS performance_rating,
    chime.as_of() AS refreshed_at
FROM (
    SELECT a.agent,
        CASE WHEN a."latencyMs" > -1e12 AND a."latencyMs" < 1e12 THEN a."latencyMs"::numeric END AS latency
    FROM "AgentQuery" a
    WHERE a."createdAt" > (SELECT chime.as_of()) - interval '1 hour') q
WHERE q.agent IS NOT NULL
GROUP BY q.agent
-- chime:end
;

-- An hour may hold millions of calls, and its percentile is asked for every second. It is a figure of the latencies
-- alone, of which there are few different ones: so mv_query_latency_counts keeps for each agent and each whole minute
-- of the hour how often each latency came, and the percentile is found by adding up counts. Calls themselves are read
-- only for the minutes that are not kept yet, which is the running one and what is dated ahead, and for the minute
-- through which the hour begins. The join is written by range, for an index on the agent and the time, and by equality,
-- for one pass over the hour where all of it is computed. num_nonnulls(): "IS NOT NULL" would look to the planner like
-- an index condition.

CREATE OR REPLACE VIEW mv_query_latency_counts__live AS
-- chime:begin mv_query_latency_counts
SELECT c.agent, b.bucket_start, c.latency_ms, count(*) AS call_count
FROM generate_series(
    date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00') - interval '59 minutes',
    date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00') - interval '1 minute',
    interval '1 minute') AS b (bucket_start)
JOIN (
    SELECT
        a.agent, a."createdAt" AS at,
        CASE WHEN a."latencyMs" > -1e12 AND a."latencyMs" < 1e12 THEN a."latencyMs"::numeric END AS latency_ms
    FROM "AgentQuery" a
    WHERE a."createdAt" > (SELECT chime.as_of()) - interval '1 hour' AND a."createdAt" < (SELECT chime.as_of())) c
    ON c.at >= b.bucket_start AND c.at < b.bucket_start + interval '1 minute'
    AND date_bin('1 minute', c.at, timestamptz '2000-01-01 00:00+00') = b.bucket_start
WHERE num_nonnulls(c.agent) <> 0
GROUP BY c.agent, b.bucket_start, c.latency_ms
-- chime:end
;

-- From changed calls to their minutes, as far as those are kept: one beyond the latest of all agents would hide the
-- other calls of its minute. Those come all at once (below).
\if false
-- chime:begin minutes_of_marks
SELECT DISTINCT m.agent, date_bin('1 minute', m."createdAt", timestamptz '2000-01-01 00:00+00')
FROM marks m
WHERE m.agent IS NOT NULL AND m."createdAt" > chime.as_of() - interval '1 hour'
    AND m."createdAt" < (SELECT max(k.bucket_start) + interval '1 minute' FROM mv_query_latency_counts k)
-- chime:end
;
\endif

CREATE TABLE IF NOT EXISTS mv_query_latency_counts AS TABLE mv_query_latency_counts__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_query_latency_counts_pk
    ON mv_query_latency_counts (agent, bucket_start, latency_ms) NULLS NOT DISTINCT;
CREATE INDEX IF NOT EXISTS mv_query_latency_counts_bucket ON mv_query_latency_counts (bucket_start);

-- Minutes that go, and those that have ended since the latest that is kept. As that one is what the view below goes by,
-- all agents' minutes come with one refresh.
PREPARE revisit_minutes AS
-- chime:begin revisit_minutes
SELECT DISTINCT k.agent, k.bucket_start
FROM mv_query_latency_counts k
WHERE k.bucket_start < date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00') - interval '59 minutes'
    OR k.bucket_start >= date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00')
UNION
SELECT a.agent, date_bin('1 minute', a."createdAt", timestamptz '2000-01-01 00:00+00')
FROM "AgentQuery" a
WHERE a.agent IS NOT NULL
    AND a."createdAt" < date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00')
    AND a."createdAt" >= greatest(
        date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00') - interval '59 minutes',
        (SELECT max(m.bucket_start) FROM mv_query_latency_counts m) + interval '1 minute')
-- chime:end
;
DEALLOCATE revisit_minutes;

-- The percentile as percentile_cont() has it: between the values on both sides of its place.
CREATE OR REPLACE VIEW mv_query_performance_live__live AS
-- chime:begin mv_query_performance_live
SELECT
    l.agent,
    sum(l.call_count)::bigint AS query_count_1h,
    round(sum(l.latency_ms * l.call_count) / nullif(max(l.known_count), 0), 2) AS avg_latency_ms,
    round((min(l.latency_ms::double precision) FILTER (WHERE l.upto > floor(l.place))
           + (max(l.place) - floor(max(l.place)))
             * (min(l.latency_ms::double precision) FILTER (WHERE l.upto > ceil(l.place))
                - min(l.latency_ms::double precision) FILTER (WHERE l.upto > floor(l.place))))::numeric, 2)
        AS p95_latency_ms,
    coalesce(sum(l.call_count) FILTER (WHERE l.latency_ms > 1000), 0)::bigint AS slow_query_count,
    CASE
        WHEN sum(l.latency_ms * l.call_count) < 200 * max(l.known_count) THEN 'excellent'
        WHEN sum(l.latency_ms * l.call_count) < 500 * max(l.known_count) THEN 'good'
        WHEN sum(l.latency_ms * l.call_count) < 1000 * max(l.known_count) THEN 'fair'
        WHEN max(l.known_count) > 0 THEN 'needs_attention'
    END AS performance_rating,
    chime.as_of() AS refreshed_at
FROM (
    SELECT
        c.agent, c.latency_ms, c.call_count,
        sum(c.call_count) FILTER (WHERE c.latency_ms IS NOT NULL) OVER (PARTITION BY c.agent) AS known_count,
        0.95::double precision
            * (sum(c.call_count) FILTER (WHERE c.latency_ms IS NOT NULL) OVER (PARTITION BY c.agent) - 1)::double precision
            AS place,
        CASE WHEN c.latency_ms IS NOT NULL
             THEN sum(c.call_count) OVER (PARTITION BY c.agent ORDER BY c.latency_ms) END AS upto
    FROM (
        SELECT u.agent, u.latency_ms, sum(u.call_count) AS call_count
        FROM (
            SELECT k.agent, k.latency_ms, k.call_count
            FROM mv_query_latency_counts k
            WHERE k.bucket_start > (SELECT chime.as_of()) - interval '1 hour'
            UNION ALL
            SELECT
                a.agent,
                CASE WHEN a."latencyMs" > -1e12 AND a."latencyMs" < 1e12 THEN a."latencyMs"::numeric END,
                1::bigint
            FROM "AgentQuery" a
            WHERE a."createdAt" > (SELECT chime.as_of()) - interval '1 hour'
                AND a."createdAt" < date_bin('1 minute', (SELECT chime.as_of()), timestamptz '2000-01-01 00:00+00')
                    - interval '59 minutes'
            UNION ALL
            SELECT
                a.agent,
                CASE WHEN a."latencyMs" > -1e12 AND a."latencyMs" < 1e12 THEN a."latencyMs"::numeric END,
                1::bigint
            FROM "AgentQuery" a
            WHERE a."createdAt" >= (
                SELECT greatest(date_bin('1 minute', chime.as_of(), timestamptz '2000-01-01 00:00+00')
                                - interval '59 minutes', max(m.bucket_start) + interval '1 minute')
                FROM mv_query_latency_counts m)) u
        WHERE u.agent IS NOT NULL
        GROUP BY u.agent, u.latency_ms) c) l
GROUP BY l.agent
-- chime:end
;

-- chime:begin rejected_calls
SELECT count(*) AS rejected
FROM "AgentQuery" a
WHERE a."createdAt" > chime.as_of() - interval '1 hour'
    AND (a.agent IS NULL OR NOT (a."latencyMs" > -1e12 AND a."latencyMs" < 1e12))
-- chime:end
;

-- pgchime makes and fills the kept relation itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_query_performance_live AS TABLE mv_query_performance_live__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_query_performance_live_agent_idx ON mv_query_performance_live (agent);

-- Every agent that is there: its hour moves with time.
PREPARE revisit_callers AS
-- chime:begin revisit_callers
SELECT agent FROM mv_query_performance_live
-- chime:end
;
DEALLOCATE revisit_callers;

-- Seed 000's leaderboard, the fastest first.
-- chime:begin agent_leaderboard
CREATE OR REPLACE FUNCTION agent_leaderboard(max_rows integer DEFAULT 100)
RETURNS TABLE (
    agent text, query_count_1h bigint, avg_latency_ms numeric, performance_rating text, p95_latency_ms numeric,
    slow_query_count bigint, refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.agent, q.query_count_1h, q.avg_latency_ms, q.performance_rating,
        q.p95_latency_ms, q.slow_query_count, q.refreshed_at
    FROM mv_query_performance_live q
    ORDER BY q.avg_latency_ms, q.agent
    LIMIT greatest(0, least(agent_leaderboard.max_rows, 1000));
END
-- chime:end
;
