-- Chat telemetry summed up: one row for each domain, one for each model; and by hour and day, in all, by domain and by model.
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

-- Rollups: the requests of each hour and of each day (UTC), with the sums and counts that the averages are made of, so that
-- any number of buckets can be added up. They hold what chat_telemetry holds: where its old rows are deleted, their buckets go
-- too. A request without a time from 2000 to 2099 has no bucket and is counted as rejected. Empty buckets are not there.
-- To fill them for the past is what every full refresh does: it changes the rows that differ, so that doing it twice, or again
-- after it broke off, duplicates nothing.
-- The join is written twice over: by range, so that an index on created_at finds one bucket, which is what keyed refresh
-- needs; and by equality of the day, so that all buckets together take one pass over the table.

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
WHERE t.domain IS NOT NULL
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
WHERE t.model IS NOT NULL
GROUP BY b.bucket_start, b.granularity, b.bucket_end, t.model
-- chime:end
;

-- The last three hours by minute, for telemetry_trend: what is not in a rollup of hours yet may be many requests, and a reader
-- would add them up each time. One row for all requests of a minute, without a domain, and one for each domain. Minutes to come are
-- not there: requests dated ahead are counted when their minute has come.

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
    GROUP BY GROUPING SETS ((), (c.domain))
    HAVING count(*) > 0 AND (grouping(c.domain) = 1 OR c.domain IS NOT NULL)) t
-- chime:end
;

-- From changed rows to their hour and their day, and to their minute where that is kept.
\if false
-- chime:begin minutes_of_marks
SELECT DISTINCT date_trunc('minute', m.created_at)
FROM marks m
WHERE m.created_at >= date_trunc('minute', chime.as_of()) - interval '180 minutes' AND m.created_at < 'infinity'
-- chime:end
;
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

-- chime:begin telemetry_domains
CREATE OR REPLACE FUNCTION telemetry_domains(domain text DEFAULT NULL)
RETURNS TABLE (
    domain text, total_requests_all_time bigint, successful_requests_all_time bigint, success_rate_pct numeric,
    total_cost_usd_all_time numeric, avg_cost_per_request numeric, max_cost_single_request numeric,
    total_input_tokens bigint, total_output_tokens bigint, total_tokens bigint, avg_tokens_per_request numeric,
    avg_duration_ms numeric, median_duration_ms numeric, p95_duration_ms numeric, max_duration_ms bigint,
    avg_searches_per_request numeric, total_searches bigint, avg_iterations_per_request numeric,
    most_used_model text, unique_models_used bigint, first_request_at timestamptz, last_request_at timestamptz,
    requests_last_24h bigint, cost_last_24h numeric, requests_last_7d bigint, cost_last_7d numeric,
    materialized_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT d.domain, d.total_requests_all_time, d.successful_requests_all_time, d.success_rate_pct,
        d.total_cost_usd_all_time, d.avg_cost_per_request, d.max_cost_single_request,
        d.total_input_tokens, d.total_output_tokens, d.total_tokens, d.avg_tokens_per_request,
        d.avg_duration_ms, d.median_duration_ms, d.p95_duration_ms, d.max_duration_ms,
        d.avg_searches_per_request, d.total_searches, d.avg_iterations_per_request,
        d.most_used_model, d.unique_models_used, d.first_request_at, d.last_request_at,
        d.requests_last_24h, d.cost_last_24h, d.requests_last_7d, d.cost_last_7d, d.materialized_at
    FROM chat_telemetry_domain_summary d
    WHERE telemetry_domains.domain IS NULL OR d.domain = telemetry_domains.domain
    ORDER BY d.total_cost_usd_all_time DESC, d.domain
    LIMIT 10000;
END
-- chime:end
;

-- chime:begin telemetry_models
CREATE OR REPLACE FUNCTION telemetry_models(model text DEFAULT NULL)
RETURNS TABLE (
    model text, total_uses bigint, unique_domains bigint, successful_requests bigint, success_rate_pct numeric,
    total_cost numeric, avg_cost_per_request numeric, cost_per_1k_tokens numeric, avg_duration_ms numeric,
    p95_duration_ms numeric, avg_tokens_per_request numeric, avg_input_tokens numeric, avg_output_tokens numeric,
    total_tokens bigint, avg_searches_per_request numeric, avg_iterations_per_request numeric,
    first_used_at timestamptz, last_used_at timestamptz, uses_last_24h bigint, uses_last_7d bigint,
    materialized_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT m.model, m.total_uses, m.unique_domains, m.successful_requests, m.success_rate_pct,
        m.total_cost, m.avg_cost_per_request, m.cost_per_1k_tokens, m.avg_duration_ms,
        m.p95_duration_ms, m.avg_tokens_per_request, m.avg_input_tokens, m.avg_output_tokens,
        m.total_tokens, m.avg_searches_per_request, m.avg_iterations_per_request,
        m.first_used_at, m.last_used_at, m.uses_last_24h, m.uses_last_7d, m.materialized_at
    FROM chat_telemetry_model_summary m
    WHERE telemetry_models.model IS NULL OR m.model = telemetry_models.model
    ORDER BY m.total_cost DESC, m.model
    LIMIT 10000;
END
-- chime:end
;

-- Hours from the rollups as far as they can be whole: until the hour in which those were refreshed last, or the running one if that
-- is earlier. From there on minutes, until the latest that is kept; and from there on the requests themselves, as before the first
-- that is kept. Seed 004's getTrendFromRollups missed the running hour, and whatever came after the last refresh. The latest 2,000
-- hours, ascending; without `since` the last 7 days; hours without requests are not there. `domain` NULL: all requests, also those
-- without a domain. from_raw: not from the rollup of the hour.
-- SECURITY DEFINER, since readers may not read requests: it gives out sums of hours and nothing else. row_security = off, as for
-- every refresh: policies that would hide requests are an error, not a smaller trend. enable_seqscan = off: the planner cannot know
-- that the requests since the edge are few, and read all of a million for them; an index on created_at finds them.
-- chime:begin telemetry_trend
CREATE OR REPLACE FUNCTION telemetry_trend(since timestamptz DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (
    bucket_start timestamptz, total_requests bigint, success_count bigint, success_rate_pct numeric,
    total_cost_usd numeric, avg_cost_per_request numeric, total_input_tokens bigint, total_output_tokens bigint,
    avg_duration_ms numeric, avg_searches numeric, avg_iterations numeric, from_raw boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
    WITH refreshed AS MATERIALIZED (
        SELECT
            date_trunc('hour', coalesce(telemetry_trend.since, chime.as_of() - interval '168 hours') AT TIME ZONE 'UTC')
                AT TIME ZONE 'UTC' AS since,
            date_trunc('hour', least(chime.as_of(), (
                SELECT coalesce(min(coalesce(v.refreshed_at, '-infinity')), '-infinity')
                FROM chime.view_refresh v
                WHERE v.relation = CASE WHEN telemetry_trend.domain IS NULL THEN 'chat_telemetry_rollups'
                                        ELSE 'chat_telemetry_domain_rollups' END)) AT TIME ZONE 'UTC')
                AT TIME ZONE 'UTC' AS hours_until,
            date_trunc('minute', (
                SELECT coalesce(min(coalesce(v.refreshed_at, '-infinity')), '-infinity')
                FROM chime.view_refresh v
                WHERE v.relation = 'chat_telemetry_minute_rollups')) AS minutes_until,
            (SELECT min(m.bucket_start) FROM chat_telemetry_minute_rollups m) AS first_minute,
            (SELECT max(m.bucket_start) FROM chat_telemetry_minute_rollups m) AS last_minute
    ),
    edge AS MATERIALIZED (
        SELECT r.since, r.hours_until, b.begins, m.minutes_from,
            greatest(m.minutes_from, least(r.last_minute, r.minutes_until)) AS minutes_to
        FROM refreshed r
        CROSS JOIN LATERAL (
            SELECT greatest(r.since, r.hours_until, timestamptz '2000-01-01 00:00+00') AS begins) b
        CROSS JOIN LATERAL (
            SELECT CASE WHEN r.first_minute IS NULL THEN 'infinity' ELSE greatest(b.begins, r.first_minute) END
                AS minutes_from) m
    ),
    latest AS (
        SELECT m.bucket_start, m.total_requests, m.success_count, m.total_cost_usd, m.cost_count, m.total_input_tokens,
            m.total_output_tokens, m.total_duration_ms, m.duration_count, m.total_searches, m.search_count,
            m.total_iterations, m.iteration_count
        FROM edge
        JOIN chat_telemetry_minute_rollups m ON m.bucket_start >= edge.minutes_from AND m.bucket_start < edge.minutes_to
        WHERE m.domain = telemetry_trend.domain OR (telemetry_trend.domain IS NULL AND m.domain IS NULL)
        UNION ALL
        SELECT date_trunc('hour', c.created_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', count(*),
            count(*) FILTER (WHERE c.success),
            coalesce(sum(c.cost_usd) FILTER (WHERE c.cost_usd > -1e12 AND c.cost_usd < 1e12), 0),
            count(*) FILTER (WHERE c.cost_usd > -1e12 AND c.cost_usd < 1e12),
            coalesce(sum(c.input_tokens), 0)::bigint, coalesce(sum(c.output_tokens), 0)::bigint,
            coalesce(sum(c.duration_ms), 0)::bigint, count(c.duration_ms),
            coalesce(sum(c.search_count), 0)::bigint, count(c.search_count),
            coalesce(sum(c.iteration_count), 0)::bigint, count(c.iteration_count)
        FROM edge
        CROSS JOIN LATERAL (VALUES
            (edge.begins, least(edge.minutes_from, timestamptz '2100-01-01 00:00+00')),
            (edge.minutes_to, timestamptz '2100-01-01 00:00+00')) AS span (begins, ends)
        CROSS JOIN LATERAL (
            SELECT * FROM chat_telemetry t WHERE t.created_at >= span.begins AND t.created_at < span.ends
            OFFSET 0) c
        WHERE telemetry_trend.domain IS NULL OR c.domain = telemetry_trend.domain
        GROUP BY 1
    ),
    hours AS (
        SELECT r.bucket_start, r.total_requests, r.success_count, r.total_cost_usd, r.cost_count, r.total_input_tokens,
            r.total_output_tokens, r.total_duration_ms, r.duration_count, r.total_searches, r.search_count,
            r.total_iterations, r.iteration_count, false AS from_raw
        FROM chat_telemetry_rollups r
        CROSS JOIN edge
        WHERE telemetry_trend.domain IS NULL AND r.granularity = 'hour' AND r.bucket_start >= edge.since
            AND r.bucket_start < edge.hours_until
        UNION ALL
        SELECT r.bucket_start, r.total_requests, r.success_count, r.total_cost_usd, r.cost_count, r.total_input_tokens,
            r.total_output_tokens, r.total_duration_ms, r.duration_count, r.total_searches, r.search_count,
            r.total_iterations, r.iteration_count, false AS from_raw
        FROM chat_telemetry_domain_rollups r
        CROSS JOIN edge
        WHERE r.domain = telemetry_trend.domain AND r.granularity = 'hour' AND r.bucket_start >= edge.since
            AND r.bucket_start < edge.hours_until
        UNION ALL
        SELECT date_trunc('hour', l.bucket_start AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', sum(l.total_requests)::bigint,
            sum(l.success_count)::bigint, sum(l.total_cost_usd), sum(l.cost_count)::bigint,
            sum(l.total_input_tokens)::bigint, sum(l.total_output_tokens)::bigint, sum(l.total_duration_ms)::bigint,
            sum(l.duration_count)::bigint, sum(l.total_searches)::bigint, sum(l.search_count)::bigint,
            sum(l.total_iterations)::bigint, sum(l.iteration_count)::bigint, true
        FROM latest l
        GROUP BY 1
    )
    SELECT h.bucket_start, h.total_requests, h.success_count, round(100.0 * h.success_count / h.total_requests, 2),
        h.total_cost_usd, round(h.total_cost_usd / nullif(h.cost_count, 0), 6), h.total_input_tokens,
        h.total_output_tokens, round(h.total_duration_ms::numeric / nullif(h.duration_count, 0), 2),
        round(h.total_searches::numeric / nullif(h.search_count, 0), 2),
        round(h.total_iterations::numeric / nullif(h.iteration_count, 0), 2), h.from_raw
    FROM (SELECT * FROM hours ORDER BY hours.bucket_start DESC LIMIT 2000) h
    ORDER BY h.bucket_start;
END
-- chime:end
;

-- In the caller's transaction, with its rights: whoever may refresh may call it, also while the daemon is down. An error is
-- raised, not a status; plpgsql, so that it can be made before there is anything to refresh.
-- chime:begin refresh_telemetry_summary_views
CREATE OR REPLACE FUNCTION refresh_telemetry_summary_views()
RETURNS TABLE (view_name text, refresh_time_ms numeric, status text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN QUERY
    SELECT split_part(r.view, '.', -1), round(r.duration_ms::numeric, 3), 'SUCCESS'::text
    FROM chime.refresh_job('refresh-telemetry-summary-hourly') AS r;
END
$body$;
-- chime:end
