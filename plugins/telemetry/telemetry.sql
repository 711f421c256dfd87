-- Chat telemetry summed up: one row for each domain, one for each model.
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
DEALLOCATE revisit_domains;
DEALLOCATE revisit_models;

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
