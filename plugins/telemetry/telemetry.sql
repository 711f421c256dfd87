-- SPDX-License-Identifier: PostgreSQL
-- Chat telemetry summed up: one row for each domain, one for each model; and by hour and day, in all, by domain and by
-- model.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries.

-- The clock is chime.as_of(), asked once for the whole statement, so that a result can be computed again and compared;
-- materialized_at is a declared stamp: in seed 004 it was now(), and every row differed every time.
-- Windows are 24 and 168 hours: '7 days' would be 167 or 169 in a session whose zone changes its clocks.
-- Requests without a domain (a model) are left out of that summary and counted as rejected: they have no row to be in.
-- A cost that is NaN, infinite or beyond 10^12 counts as unknown, since one would be the total of its domain.
-- An unknown cost or token count takes no part in averages and adds nothing to totals; tokens are known when either
-- number is. A request whose success is unknown has not succeeded.
-- cost_per_1k_tokens is NULL where there are no tokens. most_used_model: of equally used ones the first by its bytes,
-- not any of them as mode() over the database's collation might.

CREATE OR REPLACE VIEW chat_telemetry_domain_summary__live AS
-- chime:begin chat_telemetry_domain_summary
SELECT
    t.domain,
    count(*) AS total_requests_all_time,
    count(*) FILTER (WHERE t.success) AS successful_requests_all_time,
    round(100.0 * count(*) FILTER (WHERE t.success) / count(*), 2) AS success_rate_pct,
    coalesce(sum(t.cost), 0) AS total_cost_usd_all_time,
    round(avg(t.cost), 6) AS avg_cost_per_request,
    max(t.cost) AS max_cost_single_request,
    coalesce(sum(t.input_tokens), 0)::bigint AS total_input_tokens,
    coalesce(sum(t.output_tokens), 0)::bigint AS total_output_tokens,
    coalesce(sum(t.tokens), 0)::bigint AS total_tokens,
    round(avg(t.tokens), 2) AS avg_tokens_per_request,
    round(avg(t.duration_ms), 2) AS avg_duration_ms,
    round(percentile_cont(0.50) WITHIN GROUP (ORDER BY t.duration_ms::double precision)::numeric, 2)
        AS median_duration_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY t.duration_ms::double precision)::numeric, 2)
        AS p95_duration_ms,
    max(t.duration_ms)::bigint AS max_duration_ms,
    round(avg(t.search_count), 2) AS avg_searches_per_request,
    coalesce(sum(t.search_count), 0)::bigint AS total_searches,
    round(avg(t.iteration_count), 2) AS avg_iterations_per_request,
    (mode() WITHIN GROUP (ORDER BY t.model COLLATE "C")) COLLATE "default" AS most_used_model,
    count(DISTINCT t.model) AS unique_models_used,
    min(t.created_at) AS first_request_at,
    max(t.created_at) AS last_request_at,
    count(*) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '24 hours') AS requests_last_24h,
    coalesce(sum(t.cost) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '24 hours'), 0)
        AS cost_last_24h,
    count(*) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '168 hours') AS requests_last_7d,
    coalesce(sum(t.cost) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '168 hours'), 0)
        AS cost_last_7d,
    chime.as_of() AS materialized_at
FROM (
    SELECT
        c.domain, c.model, c.success, c.input_tokens, c.output_tokens, c.duration_ms, c.search_count,
        c.iteration_count, c.created_at,
        CASE WHEN c.cost_usd > -1e12 AND c.cost_usd < 1e12 THEN c.cost_usd END AS cost,
        coalesce(c.input_tokens::bigint + c.output_tokens, c.input_tokens, c.output_tokens) AS tokens
    FROM chat_telemetry c) t
WHERE t.domain IS NOT NULL
GROUP BY t.domain
-- chime:end
;

CREATE OR REPLACE VIEW chat_telemetry_model_summary__live AS
-- chime:begin chat_telemetry_model_summary
SELECT
    t.model,
    count(*) AS total_uses,
    count(DISTINCT t.domain) AS unique_domains,
    count(*) FILTER (WHERE t.success) AS successful_requests,
    round(100.0 * count(*) FILTER (WHERE t.success) / count(*), 2) AS success_rate_pct,
    coalesce(sum(t.cost), 0) AS total_cost,
    round(avg(t.cost), 6) AS avg_cost_per_request,
    round(1000 * coalesce(sum(t.cost), 0) / nullif(sum(t.tokens), 0), 6) AS cost_per_1k_tokens,
    round(avg(t.duration_ms), 2) AS avg_duration_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY t.duration_ms::double precision)::numeric, 2)
        AS p95_duration_ms,
    round(avg(t.tokens), 2) AS avg_tokens_per_request,
    round(avg(t.input_tokens), 2) AS avg_input_tokens,
    round(avg(t.output_tokens), 2) AS avg_output_tokens,
    coalesce(sum(t.tokens), 0)::bigint AS total_tokens,
    round(avg(t.search_count), 2) AS avg_searches_per_request,
    round(avg(t.iteration_count), 2) AS avg_iterations_per_request,
    min(t.created_at) AS first_used_at,
    max(t.created_at) AS last_used_at,
    count(*) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '24 hours') AS uses_last_24h,
    count(*) FILTER (WHERE t.created_at > (SELECT chime.as_of()) - interval '168 hours') AS uses_last_7d,
    chime.as_of() AS materialized_at
FROM (
    SELECT
        c.domain, c.model, c.success, c.input_tokens, c.output_tokens, c.duration_ms, c.search_count,
        c.iteration_count, c.created_at,
        CASE WHEN c.cost_usd > -1e12 AND c.cost_usd < 1e12 THEN c.cost_usd END AS cost,
        coalesce(c.input_tokens::bigint + c.output_tokens, c.input_tokens, c.output_tokens) AS tokens
    FROM chat_telemetry c) t
WHERE t.model IS NOT NULL
GROUP BY t.model
-- chime:end
;

-- Rollups: the requests of each hour and of each day (UTC), with the sums and counts that the averages are made of, so
-- that any number of buckets can be added up. They hold what chat_telemetry holds: where its old rows are deleted,
-- their buckets go too. A request without a time from 2000 to 2099 has no bucket and is counted as rejected. Empty
-- buckets are not there. To fill them for the past is what every full refresh does: it changes the rows that differ, so
-- that doing it twice, or again after it broke off, duplicates nothing.
-- The join is written twice over: by range, so that an index on created_at finds one bucket, which is what keyed
-- refresh needs; and by equality of the day, so that all buckets together take one pass over the table.

CREATE OR REPLACE VIEW chat_telemetry_rollups__live AS
-- chime:begin chat_telemetry_rollups
SELECT
    b.bucket_start,
    b.granularity,
    b.bucket_end,
    count(*) AS total_requests,
    count(*) FILTER (WHERE t.success) AS success_count,
    count(*) FILTER (WHERE t.success IS NOT TRUE) AS failure_count,
    round(100.0 * count(*) FILTER (WHERE t.success) / count(*), 2) AS success_rate_pct,
    coalesce(sum(t.input_tokens), 0)::bigint AS total_input_tokens,
    coalesce(sum(t.output_tokens), 0)::bigint AS total_output_tokens,
    coalesce(sum(t.cost), 0) AS total_cost_usd,
    count(t.cost) AS cost_count,
    round(avg(t.cost), 6) AS avg_cost_per_request,
    coalesce(sum(t.duration_ms), 0)::bigint AS total_duration_ms,
    count(t.duration_ms) AS duration_count,
    round(avg(t.duration_ms), 2) AS avg_duration_ms,
    coalesce(sum(t.search_count), 0)::bigint AS total_searches,
    count(t.search_count) AS search_count,
    round(avg(t.search_count), 2) AS avg_searches,
    coalesce(sum(t.iteration_count), 0)::bigint AS total_iterations,
    count(t.iteration_count) AS iteration_count,
    round(avg(t.iteration_count), 2) AS avg_iterations,
    max(t.created_at) AS last_request_at,
    chime.as_of() AS materialized_at
FROM (
    SELECT 'hour'::text AS granularity, hours.at AS bucket_start, hours.at + interval '1 hour' AS bucket_end
    FROM generate_series(
        (SELECT date_trunc('hour', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '1 hour') AS hours (at)
    UNION ALL
    SELECT 'day', days.at, days.at + interval '24 hours'
    FROM generate_series(
        (SELECT date_trunc('day', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '24 hours') AS days (at)) b
JOIN (
    SELECT
        c.success, c.input_tokens, c.output_tokens, c.duration_ms, c.search_count,
        c.iteration_count, c.created_at,
        CASE WHEN c.cost_usd > -1e12 AND c.cost_usd < 1e12 THEN c.cost_usd END AS cost
    FROM chat_telemetry c) t
    ON t.created_at >= b.bucket_start
    AND t.created_at < b.bucket_end
    AND date_trunc('day', t.created_at AT TIME ZONE 'UTC') = date_trunc('day', b.bucket_start AT TIME ZONE 'UTC')
GROUP BY b.bucket_start, b.granularity, b.bucket_end
-- chime:end
;

CREATE OR REPLACE VIEW chat_telemetry_domain_rollups__live AS
-- chime:begin chat_telemetry_domain_rollups
SELECT
    b.bucket_start,
    b.granularity,
    t.domain,
    b.bucket_end,
    count(*) AS total_requests,
    count(*) FILTER (WHERE t.success) AS success_count,
    count(*) FILTER (WHERE t.success IS NOT TRUE) AS failure_count,
    round(100.0 * count(*) FILTER (WHERE t.success) / count(*), 2) AS success_rate_pct,
    coalesce(sum(t.input_tokens), 0)::bigint AS total_input_tokens,
    coalesce(sum(t.output_tokens), 0)::bigint AS total_output_tokens,
    coalesce(sum(t.cost), 0) AS total_cost_usd,
    count(t.cost) AS cost_count,
    round(avg(t.cost), 6) AS avg_cost_per_request,
    coalesce(sum(t.duration_ms), 0)::bigint AS total_duration_ms,
    count(t.duration_ms) AS duration_count,
    round(avg(t.duration_ms), 2) AS avg_duration_ms,
    coalesce(sum(t.search_count), 0)::bigint AS total_searches,
    count(t.search_count) AS search_count,
    round(avg(t.search_count), 2) AS avg_searches,
    coalesce(sum(t.iteration_count), 0)::bigint AS total_iterations,
    count(t.iteration_count) AS iteration_count,
    round(avg(t.iteration_count), 2) AS avg_iterations,
    max(t.created_at) AS last_request_at,
    chime.as_of() AS materialized_at
FROM (
    SELECT 'hour'::text AS granularity, hours.at AS bucket_start, hours.at + interval '1 hour' AS bucket_end
    FROM generate_series(
        (SELECT date_trunc('hour', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '1 hour') AS hours (at)
    UNION ALL
    SELECT 'day', days.at, days.at + interval '24 hours'
    FROM generate_series(
        (SELECT date_trunc('day', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '24 hours') AS days (at)) b
JOIN (
    SELECT
        c.domain, c.success, c.input_tokens, c.output_tokens, c.duration_ms, c.search_count,
        c.iteration_count, c.created_at,
        CASE WHEN c.cost_usd > -1e12 AND c.cost_usd < 1e12 THEN c.cost_usd END AS cost
    FROM chat_telemetry c) t
    ON t.created_at >= b.bucket_start
    AND t.created_at < b.bucket_end
    AND date_trunc('day', t.created_at AT TIME ZONE 'UTC') = date_trunc('day', b.bucket_start AT TIME ZONE 'UTC')
WHERE num_nonnulls(t.domain) <> 0
GROUP BY b.bucket_start, b.granularity, b.bucket_end, t.domain
-- chime:end
;

CREATE OR REPLACE VIEW chat_telemetry_model_rollups__live AS
-- chime:begin chat_telemetry_model_rollups
SELECT
    b.bucket_start,
    b.granularity,
    t.model,
    b.bucket_end,
    count(*) AS total_requests,
    count(*) FILTER (WHERE t.success) AS success_count,
    count(*) FILTER (WHERE t.success IS NOT TRUE) AS failure_count,
    round(100.0 * count(*) FILTER (WHERE t.success) / count(*), 2) AS success_rate_pct,
    coalesce(sum(t.input_tokens), 0)::bigint AS total_input_tokens,
    coalesce(sum(t.output_tokens), 0)::bigint AS total_output_tokens,
    coalesce(sum(t.cost), 0) AS total_cost_usd,
    count(t.cost) AS cost_count,
    round(avg(t.cost), 6) AS avg_cost_per_request,
    coalesce(sum(t.duration_ms), 0)::bigint AS total_duration_ms,
    count(t.duration_ms) AS duration_count,
    round(avg(t.duration_ms), 2) AS avg_duration_ms,
    coalesce(sum(t.search_count), 0)::bigint AS total_searches,
    count(t.search_count) AS search_count,
    round(avg(t.search_count), 2) AS avg_searches,
    coalesce(sum(t.iteration_count), 0)::bigint AS total_iterations,
    count(t.iteration_count) AS iteration_count,
    round(avg(t.iteration_count), 2) AS avg_iterations,
    max(t.created_at) AS last_request_at,
    chime.as_of() AS materialized_at
FROM (
    SELECT 'hour'::text AS granularity, hours.at AS bucket_start, hours.at + interval '1 hour' AS bucket_end
    FROM generate_series(
        (SELECT date_trunc('hour', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '1 hour') AS hours (at)
    UNION ALL
    SELECT 'day', days.at, days.at + interval '24 hours'
    FROM generate_series(
        (SELECT date_trunc('day', min(f.created_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM chat_telemetry f
         WHERE f.created_at >= timestamptz '2000-01-01 00:00+00' AND f.created_at < timestamptz '2100-01-01 00:00+00'),
        (SELECT max(l.created_at) FROM chat_telemetry l
         WHERE l.created_at >= timestamptz '2000-01-01 00:00+00' AND l.created_at < timestamptz '2100-01-01 00:00+00'),
        interval '24 hours') AS days (at)) b
JOIN (
    SELECT
        c.model, c.success, c.input_tokens, c.output_tokens, c.duration_ms, c.search_count,
        c.iteration_count, c.created_at,
        CASE WHEN c.cost_usd > -1e12 AND c.cost_usd < 1e12 THEN c.cost_usd END AS cost
    FROM chat_telemetry c) t
    ON t.created_at >= b.bucket_start
    AND t.created_at < b.bucket_end
    AND date_trunc('day', t.created_at AT TIME ZONE 'UTC') = date_trunc('day', b.bucket_start AT TIME ZONE 'UTC')
WHERE num_nonnulls(t.model) <> 0
GROUP BY b.bucket_start, b.granularity, b.bucket_end, t.model
-- chime:end
;

-- The last three hours by minute, for telemetry_trend: what is not in a rollup of hours yet may be many requests, and a
-- reader would add them up each time. One row for all requests of a minute, without a domain, and one for each domain.
-- Minutes to come are not there: requests dated ahead are counted when their minute has come. Requests are found by
-- range, which an index on created_at can do, and belong to a minute by equality, from which it follows which minute a
-- changed request concerns.

CREATE OR REPLACE VIEW chat_telemetry_minute_rollups__live AS
-- chime:begin chat_telemetry_minute_rollups
SELECT
    b.bucket_start,
    t.domain,
    t.total_requests,
    t.success_count,
    t.total_cost_usd,
    t.cost_count,
    t.total_input_tokens,
    t.total_output_tokens,
    t.total_duration_ms,
    t.duration_count,
    t.total_searches,
    t.search_count,
    t.total_iterations,
    t.iteration_count
FROM generate_series(
    date_trunc('minute', chime.as_of()) - interval '180 minutes', chime.as_of(), interval '1 minute') AS b (bucket_start)
CROSS JOIN LATERAL (
    SELECT
        c.domain,
        count(*) AS total_requests,
        count(*) FILTER (WHERE c.success) AS success_count,
        coalesce(sum(c.cost_usd) FILTER (WHERE c.cost_usd > -1e12 AND c.cost_usd < 1e12), 0) AS total_cost_usd,
        count(*) FILTER (WHERE c.cost_usd > -1e12 AND c.cost_usd < 1e12) AS cost_count,
        coalesce(sum(c.input_tokens), 0)::bigint AS total_input_tokens,
        coalesce(sum(c.output_tokens), 0)::bigint AS total_output_tokens,
        coalesce(sum(c.duration_ms), 0)::bigint AS total_duration_ms,
        count(c.duration_ms) AS duration_count,
        coalesce(sum(c.search_count), 0)::bigint AS total_searches,
        count(c.search_count) AS search_count,
        coalesce(sum(c.iteration_count), 0)::bigint AS total_iterations,
        count(c.iteration_count) AS iteration_count
    FROM chat_telemetry c
    WHERE c.created_at >= b.bucket_start AND c.created_at < b.bucket_start + interval '1 minute'
        AND date_trunc('minute', c.created_at) = b.bucket_start
    GROUP BY GROUPING SETS ((), (c.domain))
    HAVING count(*) > 0 AND (grouping(c.domain) = 1 OR c.domain IS NOT NULL)) t
-- chime:end
;

-- From changed rows to their hour and their day.
\if false
-- chime:begin buckets_of_marks
SELECT DISTINCT date_trunc(g.granularity, m.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS bucket_start, g.granularity
FROM marks m
CROSS JOIN (VALUES ('hour'::text), ('day')) AS g (granularity)
WHERE isfinite(m.created_at)
-- chime:end
;
\endif

-- Left out whole, or for their cost.
-- chime:begin rejected_domain_requests
SELECT count(*) AS rejected
FROM chat_telemetry c
WHERE c.domain IS NULL OR NOT (c.cost_usd > -1e12 AND c.cost_usd < 1e12)
-- chime:end
;

-- chime:begin rejected_model_requests
SELECT count(*) AS rejected
FROM chat_telemetry c
WHERE c.model IS NULL OR NOT (c.cost_usd > -1e12 AND c.cost_usd < 1e12)
-- chime:end
;

-- Of rollups: without a bucket as well.
-- chime:begin rejected_requests
SELECT count(*) AS rejected
FROM chat_telemetry c
WHERE NOT coalesce(c.created_at >= timestamptz '2000-01-01 00:00+00'
                   AND c.created_at < timestamptz '2100-01-01 00:00+00', false)
    OR NOT (c.cost_usd > -1e12 AND c.cost_usd < 1e12)
-- chime:end
;

-- chime:begin rejected_domain_rollups
SELECT count(*) AS rejected
FROM chat_telemetry c
WHERE NOT coalesce(c.created_at >= timestamptz '2000-01-01 00:00+00'
                   AND c.created_at < timestamptz '2100-01-01 00:00+00', false)
    OR c.domain IS NULL OR NOT (c.cost_usd > -1e12 AND c.cost_usd < 1e12)
-- chime:end
;

-- chime:begin rejected_model_rollups
SELECT count(*) AS rejected
FROM chat_telemetry c
WHERE NOT coalesce(c.created_at >= timestamptz '2000-01-01 00:00+00'
                   AND c.created_at < timestamptz '2100-01-01 00:00+00', false)
    OR c.model IS NULL OR NOT (c.cost_usd > -1e12 AND c.cost_usd < 1e12)
-- chime:end
;

-- pgchime makes and fills the kept relations itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS chat_telemetry_domain_summary AS TABLE chat_telemetry_domain_summary__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_chat_telemetry_domain_summary_domain ON chat_telemetry_domain_summary (domain);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_domain_summary_cost
    ON chat_telemetry_domain_summary (total_cost_usd_all_time DESC);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_domain_summary_recent
    ON chat_telemetry_domain_summary (last_request_at DESC);
CREATE TABLE IF NOT EXISTS chat_telemetry_model_summary AS TABLE chat_telemetry_model_summary__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_chat_telemetry_model_summary_model ON chat_telemetry_model_summary (model);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_model_summary_cost ON chat_telemetry_model_summary (total_cost DESC);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_model_summary_performance
    ON chat_telemetry_model_summary (avg_duration_ms, success_rate_pct DESC);
CREATE TABLE IF NOT EXISTS chat_telemetry_rollups AS TABLE chat_telemetry_rollups__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_chat_telemetry_rollups_bucket_granularity
    ON chat_telemetry_rollups (bucket_start, granularity);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_rollups_recent ON chat_telemetry_rollups (granularity, bucket_start DESC);
CREATE TABLE IF NOT EXISTS chat_telemetry_domain_rollups AS TABLE chat_telemetry_domain_rollups__live;
CREATE UNIQUE INDEX IF NOT EXISTS chat_telemetry_domain_rollups_pk
    ON chat_telemetry_domain_rollups (bucket_start, granularity, domain);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_domain_rollups_cost
    ON chat_telemetry_domain_rollups (domain, bucket_start DESC, total_cost_usd DESC);
CREATE TABLE IF NOT EXISTS chat_telemetry_model_rollups AS TABLE chat_telemetry_model_rollups__live;
CREATE UNIQUE INDEX IF NOT EXISTS chat_telemetry_model_rollups_pk
    ON chat_telemetry_model_rollups (bucket_start, granularity, model);
CREATE INDEX IF NOT EXISTS idx_chat_telemetry_model_rollups_perf
    ON chat_telemetry_model_rollups (model, bucket_start DESC, avg_duration_ms);

CREATE TABLE IF NOT EXISTS chat_telemetry_minute_rollups AS TABLE chat_telemetry_minute_rollups__live;
CREATE UNIQUE INDEX IF NOT EXISTS chat_telemetry_minute_rollups_pk
    ON chat_telemetry_minute_rollups (bucket_start, domain) NULLS NOT DISTINCT;

-- What time alone can change: rows whose windows still hold something, as they were kept. Asking for requests of the
-- last seven days instead would miss the row whose last request has left the window since. Idle rows cost nothing.
PREPARE revisit_domains AS
-- chime:begin revisit_domains
SELECT domain FROM chat_telemetry_domain_summary WHERE requests_last_7d > 0
-- chime:end
;
PREPARE revisit_models AS
-- chime:begin revisit_models
SELECT model FROM chat_telemetry_model_summary WHERE uses_last_7d > 0
-- chime:end
;
-- Minutes that go, and those that came since the latest that is kept.
PREPARE revisit_minutes AS
-- chime:begin revisit_minutes
SELECT bucket_start
FROM chat_telemetry_minute_rollups
WHERE bucket_start < date_trunc('minute', chime.as_of()) - interval '180 minutes' OR bucket_start > chime.as_of()
UNION
SELECT m.at
FROM generate_series(
    greatest(date_trunc('minute', chime.as_of()) - interval '180 minutes',
             (SELECT max(k.bucket_start) FROM chat_telemetry_minute_rollups k)),
    chime.as_of(), interval '1 minute') AS m (at)
-- chime:end
;
DEALLOCATE revisit_domains;
DEALLOCATE revisit_models;
DEALLOCATE revisit_minutes;
