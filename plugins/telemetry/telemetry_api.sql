-- SPDX-License-Identifier: PostgreSQL
-- What readers of chat telemetry call, and what refreshes it at once.
--
-- Runs in psql as it is, after telemetry.sql and over the same search_path. The text between the marks is what the
-- plugin carries.

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

-- Hours from the rollups as far as they can be whole: until the hour in which those were refreshed last, or the running
-- one if that is earlier. From there on minutes, until the latest that is kept, or where nothing has come since until
-- the minute before their last refresh; and from there on the requests themselves, as before the first that is kept.
-- Seed 004's getTrendFromRollups missed the running hour, and whatever came after the last refresh. The latest 2,000
-- hours, ascending; without `since` the last 7 days; hours without requests are not there. `domain` NULL: all requests,
-- also those without a domain. from_raw: not from the rollup of the hour.
-- Readers may not read requests: telemetry_trend() does it for them. row_security = off, as for every refresh: policies
-- that would hide requests are an error, not a smaller trend. enable_seqscan = off: the planner cannot know that the
-- requests since the edge are few, and read all of a million for them; an index on created_at finds them.
-- chime:begin telemetry_hours
CREATE OR REPLACE FUNCTION telemetry_hours(since timestamptz, domain text)
RETURNS TABLE (
    bucket_start timestamptz, total_requests bigint, success_count bigint, success_rate_pct numeric,
    total_cost_usd numeric, avg_cost_per_request numeric, total_input_tokens bigint, total_output_tokens bigint,
    avg_duration_ms numeric, avg_searches numeric, avg_iterations numeric, from_raw boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET row_security = off SET enable_seqscan = off SET jit = off
BEGIN ATOMIC
    WITH refreshed AS MATERIALIZED (
        SELECT
            date_trunc('hour', coalesce(telemetry_hours.since, chime.as_of() - interval '168 hours') AT TIME ZONE 'UTC')
                AT TIME ZONE 'UTC' AS since,
            date_trunc('hour', least(chime.as_of(), (
                SELECT coalesce(min(coalesce(v.refreshed_at, '-infinity')), '-infinity')
                FROM chime.view_refresh v
                WHERE v.relation = CASE WHEN telemetry_hours.domain IS NULL THEN 'chat_telemetry_rollups'
                                        ELSE 'chat_telemetry_domain_rollups' END)) AT TIME ZONE 'UTC')
                AT TIME ZONE 'UTC' AS hours_until,
            date_trunc('minute', least(chime.as_of(), (
                SELECT coalesce(min(coalesce(v.refreshed_at, '-infinity')), '-infinity')
                FROM chime.view_refresh v
                WHERE v.relation = 'chat_telemetry_minute_rollups'))) AS minutes_until,
            (SELECT min(m.bucket_start) FROM chat_telemetry_minute_rollups m) AS first_minute,
            (SELECT max(m.bucket_start) FROM chat_telemetry_minute_rollups m) AS last_minute
    ),
    edge AS MATERIALIZED (
        SELECT r.since, r.hours_until, b.begins, m.minutes_from,
            greatest(m.minutes_from, least(r.minutes_until, r.last_minute), r.minutes_until - interval '1 minute')
                AS minutes_to
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
        WHERE m.domain = telemetry_hours.domain OR (telemetry_hours.domain IS NULL AND m.domain IS NULL)
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
        WHERE telemetry_hours.domain IS NULL OR c.domain = telemetry_hours.domain
        GROUP BY 1
    ),
    hours AS (
        SELECT r.bucket_start, r.total_requests, r.success_count, r.total_cost_usd, r.cost_count, r.total_input_tokens,
            r.total_output_tokens, r.total_duration_ms, r.duration_count, r.total_searches, r.search_count,
            r.total_iterations, r.iteration_count, false AS from_raw
        FROM chat_telemetry_rollups r
        CROSS JOIN edge
        WHERE telemetry_hours.domain IS NULL AND r.granularity = 'hour' AND r.bucket_start >= edge.since
            AND r.bucket_start < edge.hours_until
        UNION ALL
        SELECT r.bucket_start, r.total_requests, r.success_count, r.total_cost_usd, r.cost_count, r.total_input_tokens,
            r.total_output_tokens, r.total_duration_ms, r.duration_count, r.total_searches, r.search_count,
            r.total_iterations, r.iteration_count, false AS from_raw
        FROM chat_telemetry_domain_rollups r
        CROSS JOIN edge
        WHERE r.domain = telemetry_hours.domain AND r.granularity = 'hour' AND r.bucket_start >= edge.since
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

-- SECURITY DEFINER, since readers may not read requests: it gives out sums of hours and nothing else. What
-- telemetry_hours() reaches is vetted at each call and before it is planned: an index with an expression, that the
-- owner of the requests makes later, would run here as the owner of this function.
-- chime:begin telemetry_trend
CREATE OR REPLACE FUNCTION telemetry_trend(since timestamptz DEFAULT NULL, domain text DEFAULT NULL)
RETURNS TABLE (
    bucket_start timestamptz, total_requests bigint, success_count bigint, success_rate_pct numeric,
    total_cost_usd numeric, avg_cost_per_request numeric, total_input_tokens bigint, total_output_tokens bigint,
    avg_duration_ms numeric, avg_searches numeric, avg_iterations numeric, from_raw boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    v_hours regprocedure := (SELECT format('%I.telemetry_hours(timestamptz, text)', p.view_schema) FROM chime.plugin p
                             WHERE p.name = 'telemetry');
BEGIN
    PERFORM chime.refuse_untrusted('telemetry_trend()', 'pg_proc'::regclass, v_hours);
    RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2)', v_hours::regproc) USING since, domain;
END
$body$
-- chime:end
;

-- In the caller's transaction, with its rights: whoever may refresh may call it, also while the daemon is down. An
-- error is raised, not a status; plpgsql, so that it can be made before there is anything to refresh.
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
