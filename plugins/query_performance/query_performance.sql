-- Latency of each agent's API calls over the last hour, from "AgentQuery".
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- pgchime's schema. The text between the marks is what the plugin carries.

-- The clock is chime.as_of(); refreshed_at is a declared stamp: in seed 000 it was now(), and every row differed every
-- time. A call without an agent has no row to be in and is counted as rejected, as is a latency that no number holds.
-- Percentiles interpolate, as in the seed.

CREATE OR REPLACE VIEW mv_query_performance_live__live AS
-- chime:begin mv_query_performance_live
SELECT
    q.agent,
    count(*) AS query_count_1h,
    round(avg(q.latency), 2) AS avg_latency_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY q.latency::double precision)::numeric, 2) AS p95_latency_ms,
    count(*) FILTER (WHERE q.latency > 1000) AS slow_query_count,
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

-- Seed 000's leaderboard, the fastest first. An agent whose latency is unknown has no rating; in the seed it would have
-- needed attention.
-- chime:begin agent_leaderboard
CREATE OR REPLACE FUNCTION agent_leaderboard(max_rows integer DEFAULT 100)
RETURNS TABLE (
    agent text, query_count_1h bigint, avg_latency_ms numeric, performance_rating text, p95_latency_ms numeric,
    slow_query_count bigint, refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.agent, q.query_count_1h, q.avg_latency_ms,
        CASE
            WHEN q.avg_latency_ms < 200 THEN 'excellent'
            WHEN q.avg_latency_ms < 500 THEN 'good'
            WHEN q.avg_latency_ms < 1000 THEN 'fair'
            WHEN q.avg_latency_ms IS NOT NULL THEN 'needs_attention'
        END,
        q.p95_latency_ms, q.slow_query_count, q.refreshed_at
    FROM mv_query_performance_live q
    ORDER BY q.avg_latency_ms, q.agent
    LIMIT greatest(0, least(agent_leaderboard.max_rows, 1000));
END
-- chime:end
;
