-- SPDX-License-Identifier: PostgreSQL
-- How the agents do right now: queries, latency and health of each, over the last minute, five minutes and hour.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- pgchime's schema. The text between the marks is what the plugin carries. With `-v channels=1` it also makes the
-- NOTIFY triggers on agent_queries and on the kept relation.

-- An agent is there while it has a query in the last hour: one of seed 001's two variants scanned all history for each
-- refresh, and kept an agent that went years ago as healthy. Both variants' columns are here: current_health_status is
-- health_status, and last_updated_at is refreshed_at. Those two are stamps, as of when the row changed last: in the
-- seed they were now(), and every row differed every time. When the view itself was refreshed is in
-- v_realtime_pipeline_health: rows that nothing changed say nothing about that.
-- A latency that is NaN, infinite or beyond 10^12 counts as unknown, since one would be the average of its agent; a
-- query without an agent has no row to be in. Both are counted as rejected.
-- No query in the last minute is no reason to worry: such an agent is healthy, as in the seed.
-- An hour may hold millions of queries, and this view is asked for several times a second: so it adds up buckets of
-- five seconds, mv_agent_query_buckets, which are kept by a view of their own. Queries are read only for the running
-- bucket (and later ones, dated ahead) and for the bucket through which each window begins, of which the younger part
-- counts.

-- Queries are found by range, which an index on created_at can do, and belong to a bucket by equality, from which it
-- follows which bucket a changed query concerns.

CREATE OR REPLACE VIEW mv_agent_query_buckets__live AS
-- chime:begin mv_agent_query_buckets
SELECT a.agent, b.bucket_start, a.query_count, a.latency_count, a.total_latency_ms, a.max_latency_ms
FROM generate_series(
    date_bin('5 seconds', chime.as_of() - interval '1 hour', timestamptz '2000-01-01 00:00+00'), chime.as_of(),
    interval '5 seconds') AS b (bucket_start)
CROSS JOIN LATERAL (
    SELECT
        q.agent,
        count(*) AS query_count,
        count(q.latency_ms) FILTER (WHERE q.latency_ms > -1e12 AND q.latency_ms < 1e12) AS latency_count,
        coalesce(sum(q.latency_ms::numeric) FILTER (WHERE q.latency_ms > -1e12 AND q.latency_ms < 1e12), 0)
            AS total_latency_ms,
        max(q.latency_ms::numeric) FILTER (WHERE q.latency_ms > -1e12 AND q.latency_ms < 1e12) AS max_latency_ms
    FROM agent_queries q
    WHERE q.created_at >= b.bucket_start AND q.created_at < b.bucket_start + interval '5 seconds'
        AND date_bin('5 seconds', q.created_at, timestamptz '2000-01-01 00:00+00') = b.bucket_start
        AND q.agent IS NOT NULL
    GROUP BY q.agent) a
-- chime:end
;

-- pgchime makes and fills the kept relation itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_agent_query_buckets AS TABLE mv_agent_query_buckets__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_query_buckets_pk ON mv_agent_query_buckets (agent, bucket_start);
CREATE INDEX IF NOT EXISTS mv_agent_query_buckets_bucket ON mv_agent_query_buckets (bucket_start);

-- Buckets that go, and those that queries dated ahead may have come into: since the latest that is kept, and in the
-- last minute.
PREPARE revisit_buckets AS
-- chime:begin revisit_buckets
SELECT k.agent, k.bucket_start
FROM mv_agent_query_buckets k
WHERE k.bucket_start <= chime.as_of() - interval '1 hour 5 seconds' OR k.bucket_start > chime.as_of()
UNION
SELECT q.agent, date_bin('5 seconds', q.created_at, timestamptz '2000-01-01 00:00+00')
FROM agent_queries q
WHERE q.agent IS NOT NULL AND q.created_at <= chime.as_of() AND q.created_at > greatest(
    chime.as_of() - interval '1 hour',
    least(chime.as_of() - interval '1 minute', (SELECT max(m.bucket_start) FROM mv_agent_query_buckets m)))
-- chime:end
;
DEALLOCATE revisit_buckets;

CREATE OR REPLACE VIEW mv_realtime_agent_performance__live AS
-- chime:begin mv_realtime_agent_performance
SELECT
    w.agent,
    w.queries_last_minute,
    w.queries_last_5min,
    w.queries_last_hour,
    round(w.latency_1min, 2) AS avg_latency_1min,
    round(w.latency_5min, 2) AS avg_latency_5min,
    w.max_latency_5min,
    s.status AS current_health_status,
    s.status AS health_status,
    chime.as_of() AS last_updated_at,
    chime.as_of() AS refreshed_at
FROM (
    SELECT
        p.agent,
        coalesce(sum(p.query_count) FILTER (WHERE p.in_minute), 0)::bigint AS queries_last_minute,
        coalesce(sum(p.query_count) FILTER (WHERE p.in_5min), 0)::bigint AS queries_last_5min,
        sum(p.query_count) FILTER (WHERE p.in_hour)::bigint AS queries_last_hour,
        sum(p.total_latency_ms) FILTER (WHERE p.in_minute)
            / nullif(sum(p.latency_count) FILTER (WHERE p.in_minute), 0) AS latency_1min,
        sum(p.total_latency_ms) FILTER (WHERE p.in_5min)
            / nullif(sum(p.latency_count) FILTER (WHERE p.in_5min), 0) AS latency_5min,
        max(p.max_latency_ms) FILTER (WHERE p.in_5min) AS max_latency_5min
    FROM (
        SELECT
            k.agent, k.query_count, k.latency_count, k.total_latency_ms, k.max_latency_ms, true AS in_hour,
            k.bucket_start > (SELECT chime.as_of()) - interval '5 minutes' AS in_5min,
            k.bucket_start > (SELECT chime.as_of()) - interval '1 minute' AS in_minute
        FROM mv_agent_query_buckets k
        WHERE k.bucket_start > (SELECT chime.as_of()) - interval '1 hour'
            AND k.bucket_start
                < date_bin('5 seconds', (SELECT chime.as_of()), timestamptz '2000-01-01 00:00+00')
        UNION ALL
        SELECT q.agent, 1, (q.latency IS NOT NULL)::integer, q.latency, q.latency, q.in_hour, q.in_5min, q.in_minute
        FROM (
            SELECT a.agent, v.in_hour, v.in_5min, v.in_minute,
                CASE WHEN a.latency_ms > -1e12 AND a.latency_ms < 1e12 THEN a.latency_ms::numeric END AS latency
            FROM (VALUES
                (interval '1 hour', true, false, false),
                (interval '5 minutes', false, true, false),
                (interval '1 minute', false, false, true)) AS v (span, in_hour, in_5min, in_minute)
            JOIN agent_queries a
                ON a.created_at > (SELECT chime.as_of()) - v.span
                AND a.created_at
                    < date_bin('5 seconds', (SELECT chime.as_of()), timestamptz '2000-01-01 00:00+00')
                      + interval '5 seconds' - v.span
            UNION ALL
            SELECT a.agent, true, true, true,
                CASE WHEN a.latency_ms > -1e12 AND a.latency_ms < 1e12 THEN a.latency_ms::numeric END
            FROM agent_queries a
            WHERE a.created_at >= date_bin('5 seconds', (SELECT chime.as_of()), timestamptz '2000-01-01 00:00+00')) q
        WHERE q.agent IS NOT NULL) p
    GROUP BY p.agent
    HAVING sum(p.query_count) FILTER (WHERE p.in_hour) > 0) w
CROSS JOIN LATERAL (
    SELECT CASE WHEN w.latency_1min > 200 THEN 'degraded' WHEN w.latency_1min > 100 THEN 'warning' ELSE 'healthy' END
) AS s (status)
-- chime:end
;

-- chime:begin rejected_queries
SELECT count(*) AS rejected
FROM agent_queries a
WHERE a.created_at > chime.as_of() - interval '1 hour'
    AND (a.agent IS NULL OR NOT (a.latency_ms > -1e12 AND a.latency_ms < 1e12))
-- chime:end
;

-- Tier 3 of seed 001: percentiles, moving averages, a forecast, and how much of the capacity is used. Percentiles need
-- every latency of the hour, and are refreshed each 30 s, as the seed has it. The others read the buckets, and are as
-- fresh as these; they go by whole buckets and minutes, of which the running one is none.

CREATE OR REPLACE VIEW mv_agent_latency_percentiles__live AS
-- chime:begin mv_agent_latency_percentiles
SELECT
    a.agent,
    count(*) AS latency_count,
    round((percentile_cont(0.50) WITHIN GROUP (ORDER BY a.latency_ms::double precision))::numeric, 2) AS p50_latency_ms,
    round((percentile_cont(0.90) WITHIN GROUP (ORDER BY a.latency_ms::double precision))::numeric, 2) AS p90_latency_ms,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY a.latency_ms::double precision))::numeric, 2) AS p95_latency_ms,
    round((percentile_cont(0.99) WITHIN GROUP (ORDER BY a.latency_ms::double precision))::numeric, 2) AS p99_latency_ms
FROM agent_queries a
WHERE a.created_at > (SELECT chime.as_of()) - interval '1 hour' AND a.agent IS NOT NULL
    AND a.latency_ms > -1e12 AND a.latency_ms < 1e12
GROUP BY a.agent
-- chime:end
;

-- The last 60 whole minutes of each agent that has a bucket, also those in which it did nothing. Averages over five
-- minutes are of their sums; the first four of them reach back to the buckets' edge, and are of fewer minutes.
CREATE OR REPLACE VIEW v_agent_moving_averages AS
-- chime:begin v_agent_moving_averages
SELECT
    m.agent,
    m.minute_at,
    m.query_count,
    round(m.total / nullif(m.latency_count, 0), 2) AS avg_latency_ms,
    round(avg(m.query_count) OVER five, 2) AS queries_5min_avg,
    round(sum(m.total) OVER five / nullif(sum(m.latency_count) OVER five, 0), 2) AS latency_5min_avg_ms
FROM (
    SELECT g.agent, s.minute_at, coalesce(sum(k.query_count), 0)::bigint AS query_count,
        coalesce(sum(k.latency_count), 0) AS latency_count, coalesce(sum(k.total_latency_ms), 0) AS total
    FROM (SELECT DISTINCT b.agent FROM mv_agent_query_buckets b) g
    CROSS JOIN generate_series(date_trunc('minute', chime.as_of(), 'UTC') - interval '59 minutes',
                               date_trunc('minute', chime.as_of(), 'UTC') - interval '1 minute',
                               interval '1 minute') AS s (minute_at)
    LEFT JOIN mv_agent_query_buckets k ON k.agent = g.agent AND k.bucket_start >= s.minute_at
        AND k.bucket_start < s.minute_at + interval '1 minute'
    GROUP BY g.agent, s.minute_at) m
WINDOW five AS (PARTITION BY m.agent ORDER BY m.minute_at ROWS 4 PRECEDING)
-- chime:end
;

-- The straight line through the last 59 minutes (least squares), for the next 15; between low and high are 95 of 100,
-- if the minutes lie about it as a normal distribution does.
CREATE OR REPLACE VIEW v_agent_forecast AS
-- chime:begin v_agent_forecast
SELECT
    f.agent,
    f.latest + h.ahead * interval '1 minute' AS minute_at,
    round(greatest(0, f.level + f.slope * h.ahead)::numeric, 2) AS expected_queries,
    round(greatest(0, f.level + f.slope * h.ahead - 1.96 * f.spread)::numeric, 2) AS low_queries,
    round(greatest(0, f.level + f.slope * h.ahead + 1.96 * f.spread)::numeric, 2) AS high_queries
FROM (
    SELECT t.agent, max(t.minute_at) AS latest, regr_slope(t.y, t.x) AS slope, regr_intercept(t.y, t.x) AS level,
        sqrt(greatest(0, regr_syy(t.y, t.x) - regr_slope(t.y, t.x) * regr_sxy(t.y, t.x)) / (count(*) - 2)) AS spread
    FROM (
        SELECT a.agent, a.minute_at, a.query_count::double precision AS y,
            (row_number() OVER (PARTITION BY a.agent ORDER BY a.minute_at)
                - count(*) OVER (PARTITION BY a.agent))::double precision AS x
        FROM v_agent_moving_averages a) t
    GROUP BY t.agent) f
CROSS JOIN generate_series(1, 15) AS h (ahead)
-- chime:end
;

-- Of each agent and of all (agent NULL). busy: how many queries ran at a time, on average of five minutes: what they
-- took together, divided by that time. Utilisation is of capacity_per_second, a setting; 80 and 90 as the seed's limits
-- of connections.
CREATE OR REPLACE VIEW v_agent_utilization AS
-- chime:begin v_agent_utilization
SELECT
    u.agent,
    round(u.in_minute / 60, 2) AS queries_per_second,
    round(u.in_5min / 300, 2) AS queries_per_second_5min,
    round(u.peak / 5, 2) AS peak_per_second,
    round(u.latency_5min / 300000, 2) AS busy,
    round(100 * u.in_minute / 60 / c.most, 2) AS utilization_pct,
    CASE
        WHEN u.in_minute / 60 > 0.9 * c.most THEN 'critical'
        WHEN u.in_minute / 60 > 0.8 * c.most THEN 'warning'
        ELSE 'ok'
    END AS utilization_status
FROM (
    SELECT t.agent, coalesce(sum(t.n) FILTER (WHERE t.age <= interval '1 minute'), 0) AS in_minute,
        coalesce(sum(t.n) FILTER (WHERE t.age <= interval '5 minutes'), 0) AS in_5min, max(t.n) AS peak,
        coalesce(sum(t.total) FILTER (WHERE t.age <= interval '5 minutes'), 0) AS latency_5min
    FROM (
        SELECT k.agent, sum(k.query_count) AS n, sum(k.total_latency_ms) AS total,
            date_bin('5 seconds', chime.as_of(), timestamptz '2000-01-01 00:00+00') - k.bucket_start AS age
        FROM mv_agent_query_buckets k
        WHERE k.bucket_start < date_bin('5 seconds', chime.as_of(), timestamptz '2000-01-01 00:00+00')
        GROUP BY GROUPING SETS ((k.agent, k.bucket_start), (k.bucket_start))) t
    GROUP BY t.agent) u
CROSS JOIN (
    SELECT coalesce((SELECT (p.settings ->> 'capacity_per_second')::numeric FROM chime.plugin p
                     WHERE p.name = 'agent_performance'), 500) AS most) c
-- chime:end
;

-- What is wrong with the queries as they arrive: completeness, accuracy, consistency (missing and duplicate events),
-- audit trail and retention, one row for each check. Over the last 24 hours, but for retention, which is about the
-- oldest. Not keyed: gaps and copies are found between rows of any agents.
-- missing_events counts numbers that are skipped between the first and the last id of these hours. A transaction that
-- was rolled back skips one too: a few are no loss, many are worth a look. They are counted by id, not by the time of
-- each row, so that a row that arrives late is not taken for missing.
-- duplicate_events counts copies beyond the first: the same agent, conversation, text and instant.

CREATE OR REPLACE VIEW mv_agent_query_quality__live AS
-- chime:begin mv_agent_query_quality
WITH figures AS (
    SELECT
        count(*) AS total,
        count(*) FILTER (WHERE coalesce(btrim(r.agent), '') = '') AS without_agent,
        count(*) FILTER (WHERE coalesce(btrim(r.query), '') = '') AS without_query,
        count(*) FILTER (WHERE r.latency_ms IS NULL) AS without_latency,
        count(*) FILTER (WHERE isfinite(r.created_at) IS NOT TRUE) AS without_time,
        count(*) FILTER (WHERE coalesce(btrim(r.conversation_id), '') = '') AS without_conversation,
        count(*) FILTER (WHERE NOT (r.latency_ms >= 0 AND r.latency_ms < 1e12)) AS bad_latency,
        count(*) FILTER (WHERE isfinite(r.created_at) AND r.created_at > (SELECT chime.as_of()) + interval '1 minute')
            AS in_future,
        min(r.id) FILTER (WHERE isfinite(r.created_at)) AS first_id,
        max(r.id) FILTER (WHERE isfinite(r.created_at)) AS last_id
    FROM agent_queries r
    WHERE r.created_at > (SELECT chime.as_of()) - interval '24 hours'
        OR r.created_at IS NULL OR r.created_at = '-infinity'
),
copies AS (
    SELECT coalesce(sum(c.times - 1), 0)::bigint AS count
    FROM (
        SELECT count(*) AS times
        FROM agent_queries r
        WHERE r.created_at > (SELECT chime.as_of()) - interval '24 hours'
        GROUP BY r.agent, r.conversation_id, r.query, r.created_at
        HAVING count(*) > 1) c
),
checks AS (
    SELECT c.check_name, c.dimension, c.checked_count, c.failed_count
    FROM figures f
    CROSS JOIN copies
    CROSS JOIN LATERAL (VALUES
        ('agent_missing', 'completeness', f.total, f.without_agent),
        ('query_missing', 'completeness', f.total, f.without_query),
        ('latency_missing', 'completeness', f.total, f.without_latency),
        ('time_missing', 'completeness', f.total, f.without_time),
        ('latency_invalid', 'accuracy', f.total, f.bad_latency),
        ('time_in_future', 'accuracy', f.total, f.in_future),
        ('missing_events', 'consistency', coalesce(f.last_id - f.first_id + 1, 0)::bigint,
            coalesce(f.last_id - f.first_id + 1
                     - (SELECT count(*) FROM agent_queries a WHERE a.id BETWEEN f.first_id AND f.last_id), 0)::bigint),
        ('duplicate_events', 'consistency', f.total, copies.count),
        ('conversation_missing', 'audit', f.total, f.without_conversation),
        ('kept_too_long', 'retention', NULL,
            (SELECT count(*) FROM agent_queries a WHERE a.created_at < chime.as_of() - interval '2160 hours'
                AND a.created_at > '-infinity'))
    ) AS c (check_name, dimension, checked_count, failed_count)
)
SELECT
    check_name,
    dimension,
    checked_count,
    failed_count,
    round(100.0 * failed_count / nullif(checked_count, 0), 2) AS failed_pct,
    CASE WHEN failed_count = 0 THEN 'ok' ELSE 'failed' END AS status,
    chime.as_of() AS refreshed_at
FROM checks
-- chime:end
;

-- Historical trends: each agent's days in UTC. Sums are kept beside averages, so that weeks and months are computed
-- from sums and never as averages of averages. Refreshed once a night, hence as a whole: a grain of days would put the
-- time of every single query into the log of changes.

CREATE OR REPLACE VIEW mv_agent_daily_trends__live AS
-- chime:begin mv_agent_daily_trends
SELECT
    q.agent,
    q.day,
    count(*) AS query_count,
    count(q.latency) AS latency_count,
    coalesce(sum(q.latency), 0) AS total_latency_ms,
    round(avg(q.latency), 2) AS avg_latency_ms,
    max(q.latency) AS max_latency_ms,
    count(*) FILTER (WHERE q.latency > 200) AS slow_query_count
FROM (
    SELECT a.agent, (a.created_at AT TIME ZONE 'UTC')::date AS day,
        CASE WHEN a.latency_ms > -1e12 AND a.latency_ms < 1e12 THEN a.latency_ms::numeric END AS latency
    FROM agent_queries a
    WHERE isfinite(a.created_at)) q
WHERE q.agent IS NOT NULL
GROUP BY q.agent, q.day
-- chime:end
;

-- pgchime makes and fills the kept relations itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_realtime_agent_performance AS TABLE mv_realtime_agent_performance__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_realtime_agent_performance_agent_idx ON mv_realtime_agent_performance (agent);
CREATE TABLE IF NOT EXISTS mv_agent_latency_percentiles AS TABLE mv_agent_latency_percentiles__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_latency_percentiles_pk ON mv_agent_latency_percentiles (agent);
CREATE TABLE IF NOT EXISTS mv_agent_query_quality AS TABLE mv_agent_query_quality__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_query_quality_pk ON mv_agent_query_quality (check_name);
CREATE TABLE IF NOT EXISTS mv_agent_daily_trends AS TABLE mv_agent_daily_trends__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_daily_trends_pk ON mv_agent_daily_trends (agent, day);

-- Every agent that is there: all its windows move with time.
PREPARE revisit_agents AS
-- chime:begin revisit_agents
SELECT agent FROM mv_realtime_agent_performance
-- chime:end
;
DEALLOCATE revisit_agents;

-- Seed 001 took the latest last_updated_at for the time of the last refresh. A refresh that finds nothing changed
-- changes no row, so that a pipeline with nothing to do would have looked down: what counts is when pgchime refreshed.
CREATE OR REPLACE VIEW v_realtime_pipeline_health AS
-- chime:begin v_realtime_pipeline_health
SELECT
    'Real-time Pipeline Health'::text AS component,
    CASE
        WHEN r.refreshed_at > now() - interval '1 minute' THEN 'healthy'
        WHEN r.refreshed_at > now() - interval '5 minutes' THEN 'degraded'
        ELSE 'down'
    END AS status,
    round(extract(epoch FROM now()) - extract(epoch FROM r.refreshed_at), 3) AS seconds_since_refresh,
    r.refreshed_at AS last_refresh
FROM (
    SELECT max(v.refreshed_at) AS refreshed_at
    FROM chime.view_refresh v
    WHERE to_regclass(format('%I.%I', v.view_schema, v.relation)) = 'mv_realtime_agent_performance'::regclass) r
-- chime:end
;

CREATE OR REPLACE VIEW v_agent_performance_snapshot AS
-- chime:begin v_agent_performance_snapshot
SELECT
    p.agent,
    p.queries_last_minute,
    p.queries_last_5min,
    p.queries_last_hour,
    p.avg_latency_1min,
    p.avg_latency_5min,
    p.max_latency_5min,
    p.health_status,
    p.last_updated_at,
    h.last_refresh,
    h.seconds_since_refresh
FROM mv_realtime_agent_performance p
CROSS JOIN v_realtime_pipeline_health h
-- chime:end
;

-- Seed 001's validation: the same count over the source and in the view. They differ by what was written, and by what
-- left the five minutes, since the last refresh; pgchime verify compares at one instant.
-- raw_count is of the rows themselves, of no agent too: a count by what the pipeline keeps would agree with it,
-- whatever it lost. 150,000 queries of five minutes take 30 ms by an index on created_at.
CREATE OR REPLACE VIEW v_realtime_event_counts AS
-- chime:begin v_realtime_event_counts
SELECT
    (SELECT count(*) FROM agent_queries a WHERE a.created_at > now() - interval '5 minutes') AS raw_count,
    (SELECT coalesce(sum(p.queries_last_5min), 0)::bigint FROM mv_realtime_agent_performance p) AS materialized_count
-- chime:end
;

-- chime:begin agent_performance
CREATE OR REPLACE FUNCTION agent_performance(agent text DEFAULT NULL, max_rows integer DEFAULT 100)
RETURNS TABLE (
    agent text, queries_last_minute bigint, queries_last_5min bigint, queries_last_hour bigint,
    avg_latency_1min numeric, avg_latency_5min numeric, max_latency_5min numeric, health_status text,
    last_updated_at timestamptz, last_refresh timestamptz, seconds_since_refresh numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.agent, s.queries_last_minute, s.queries_last_5min, s.queries_last_hour, s.avg_latency_1min,
        s.avg_latency_5min, s.max_latency_5min, s.health_status, s.last_updated_at, s.last_refresh,
        s.seconds_since_refresh
    FROM v_agent_performance_snapshot s
    WHERE agent_performance.agent IS NULL OR s.agent = agent_performance.agent
    ORDER BY s.avg_latency_1min DESC NULLS LAST, s.agent
    LIMIT greatest(0, least(agent_performance.max_rows, 1000));
END
-- chime:end
;

-- chime:begin realtime_pipeline_health
CREATE OR REPLACE FUNCTION realtime_pipeline_health()
RETURNS TABLE (component text, status text, seconds_since_refresh numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT h.component, h.status, h.seconds_since_refresh FROM v_realtime_pipeline_health h;
END
-- chime:end
;

-- chime:begin realtime_event_counts
CREATE OR REPLACE FUNCTION realtime_event_counts()
RETURNS TABLE (raw_count bigint, materialized_count bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT c.raw_count, c.materialized_count FROM v_realtime_event_counts c;
END
-- chime:end
;

-- chime:begin realtime_refresh_lag
CREATE OR REPLACE FUNCTION realtime_refresh_lag()
RETURNS TABLE (refresh_lag interval)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT now() - h.last_refresh FROM v_realtime_pipeline_health h;
END
-- chime:end
;

-- chime:begin agent_query_quality
CREATE OR REPLACE FUNCTION agent_query_quality(failed_only boolean DEFAULT false)
RETURNS TABLE (
    check_name text, dimension text, checked_count bigint, failed_count bigint, failed_pct numeric, status text,
    refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.check_name, q.dimension, q.checked_count, q.failed_count, q.failed_pct, q.status, q.refreshed_at
    FROM mv_agent_query_quality q
    WHERE agent_query_quality.failed_only IS NOT TRUE OR q.status = 'failed'
    ORDER BY q.dimension, q.check_name
    LIMIT 100;
END
-- chime:end
;

-- chime:begin agent_latency_percentiles
CREATE OR REPLACE FUNCTION agent_latency_percentiles(agent text DEFAULT NULL)
RETURNS TABLE (
    agent text, latency_count bigint, p50_latency_ms numeric, p90_latency_ms numeric, p95_latency_ms numeric,
    p99_latency_ms numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT p.agent, p.latency_count, p.p50_latency_ms, p.p90_latency_ms, p.p95_latency_ms, p.p99_latency_ms
    FROM mv_agent_latency_percentiles p
    WHERE agent_latency_percentiles.agent IS NULL OR p.agent = agent_latency_percentiles.agent
    ORDER BY p.p95_latency_ms DESC, p.agent
    LIMIT 1000;
END
-- chime:end
;

-- chime:begin agent_moving_averages
CREATE OR REPLACE FUNCTION agent_moving_averages(agent text)
RETURNS TABLE (
    minute_at timestamptz, query_count bigint, avg_latency_ms numeric, queries_5min_avg numeric,
    latency_5min_avg_ms numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.minute_at, a.query_count, a.avg_latency_ms, a.queries_5min_avg, a.latency_5min_avg_ms
    FROM v_agent_moving_averages a
    WHERE a.agent = agent_moving_averages.agent
    ORDER BY a.minute_at;
END
-- chime:end
;

-- chime:begin agent_forecast
CREATE OR REPLACE FUNCTION agent_forecast(agent text)
RETURNS TABLE (minute_at timestamptz, expected_queries numeric, low_queries numeric, high_queries numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT f.minute_at, f.expected_queries, f.low_queries, f.high_queries
    FROM v_agent_forecast f
    WHERE f.agent = agent_forecast.agent
    ORDER BY f.minute_at;
END
-- chime:end
;

-- All of them together first.
-- chime:begin agent_utilization
CREATE OR REPLACE FUNCTION agent_utilization()
RETURNS TABLE (
    agent text, queries_per_second numeric, queries_per_second_5min numeric, peak_per_second numeric, busy numeric,
    utilization_pct numeric, utilization_status text)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT u.agent, u.queries_per_second, u.queries_per_second_5min, u.peak_per_second, u.busy, u.utilization_pct,
        u.utilization_status
    FROM v_agent_utilization u
    ORDER BY u.agent NULLS FIRST
    LIMIT 1000;
END
-- chime:end
;

-- The latest days, weeks (from Monday) or months, shown in ascending order. Another word than these gives nothing.
-- The word is looked at in LIMIT, which is asked for also where there is no row.
-- chime:begin agent_trends
CREATE OR REPLACE FUNCTION agent_trends(agent text, granularity text DEFAULT 'day', max_rows integer DEFAULT 30)
RETURNS TABLE (
    agent text, period date, query_count bigint, avg_latency_ms numeric, max_latency_ms numeric,
    slow_query_count bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT latest.agent, latest.period, latest.query_count, latest.avg_latency_ms, latest.max_latency_ms,
        latest.slow_query_count
    FROM (
        SELECT d.agent, date_trunc(agent_trends.granularity, d.day::timestamp)::date AS period,
            sum(d.query_count)::bigint AS query_count,
            round(sum(d.total_latency_ms) / nullif(sum(d.latency_count), 0), 2) AS avg_latency_ms,
            max(d.max_latency_ms) AS max_latency_ms, sum(d.slow_query_count)::bigint AS slow_query_count
        FROM mv_agent_daily_trends d
        WHERE d.agent = agent_trends.agent
        GROUP BY d.agent, date_trunc(agent_trends.granularity, d.day::timestamp)
        ORDER BY 2 DESC
        LIMIT CASE WHEN chime.one_of(agent_trends.granularity, 'granularity', 'day', 'week', 'month') IS NOT NULL
                   THEN greatest(0, least(agent_trends.max_rows, 1000)) END) latest
    ORDER BY latest.period;
END
-- chime:end
;

-- Seed 001's refresh of the three real-time views, as far as their plugins are installed. At once, in the caller's
-- transaction, whether a daemon runs or not; each job's run is written down. It runs with its owner's rights, so
-- whoever may execute it needs no others: analytics_reader may not, unless it is granted.
-- chime:begin refresh_realtime_metrics
CREATE OR REPLACE FUNCTION refresh_realtime_metrics() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM FROM chime.refresh_relations(
        ARRAY['mv_realtime_agent_performance', 'mv_approval_queue_summary', 'mv_training_quality_snapshot']);
END
$body$
-- chime:end
;

-- For listeners of seed 001's channels. Nothing here may fail a user's write: texts are cut, so that the payload stays
-- far below the server's 8,000 bytes even if every character is escaped, and a number that no JSON has is null.
\if :{?channels}
-- chime:begin agent_queries_stream
CREATE OR REPLACE FUNCTION notify_agent_query() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM pg_notify('agent_queries_stream', json_build_object(
        'event', 'new_query', 'id', NEW.id, 'agent', left(NEW.agent, 100), 'query', left(NEW.query, 500),
        'latency_ms', CASE WHEN abs(NEW.latency_ms::numeric) < 1e12 THEN round(NEW.latency_ms::numeric, 3) END,
        'conversation_id', left(NEW.conversation_id, 200), 'created_at', NEW.created_at)::text);
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_agent_query
    AFTER INSERT ON agent_queries
    FOR EACH ROW EXECUTE FUNCTION notify_agent_query();
-- chime:end

-- Slow queries as they are written, and agents whose health turns `degraded` as it is refreshed. Both payloads have the
-- same keys; the latency of an agent is its average over the last minute.
-- chime:begin performance_alert_stream
CREATE OR REPLACE FUNCTION notify_slow_query() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    PERFORM pg_notify('performance_alert_stream', json_build_object(
        'event', 'slow_query', 'agent', left(NEW.agent, 100),
        'latency_ms', CASE WHEN abs(NEW.latency_ms::numeric) < 1e12 THEN round(NEW.latency_ms::numeric, 3) END,
        'query', left(NEW.query, 100), 'conversation_id', left(NEW.conversation_id, 200),
        'created_at', NEW.created_at, 'severity', CASE WHEN NEW.latency_ms > 1000 THEN 'critical' ELSE 'warning' END,
        'health_status', NULL)::text);
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_slow_query
    AFTER INSERT ON agent_queries
    FOR EACH ROW WHEN (NEW.latency_ms > 200) EXECUTE FUNCTION notify_slow_query();

CREATE OR REPLACE FUNCTION notify_agent_degraded() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.health_status = 'degraded' THEN
        RETURN NULL;
    END IF;
    PERFORM pg_notify('performance_alert_stream', json_build_object(
        'event', 'health_degraded', 'agent', left(NEW.agent, 100), 'latency_ms', NEW.avg_latency_1min,
        'query', NULL, 'conversation_id', NULL, 'created_at', NEW.refreshed_at, 'severity', 'warning',
        'health_status', NEW.health_status)::text);
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_agent_degraded
    AFTER INSERT OR UPDATE ON mv_realtime_agent_performance
    FOR EACH ROW WHEN (NEW.health_status = 'degraded') EXECUTE FUNCTION notify_agent_degraded();
-- chime:end
\endif
