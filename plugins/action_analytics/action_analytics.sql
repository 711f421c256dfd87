-- SPDX-License-Identifier: PostgreSQL
-- What became of triggered actions: by hour, by trigger, the failures of the last day, and the types in use.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries; the rest makes the file whole by itself.

-- Beside each average stand the sum and the count that it is made of: seed 003 itself warns of AVG(avg_duration_ms),
-- and left its readers nothing else to add up. An average over hours is sum(total_duration_ms) / sum(duration_count).
-- An unknown duration counts as an execution and takes no part in sums, averages and percentiles.
-- Statuses are compared as they are: 'success', 'failed', 'retrying'. Another one counts as an execution and as none of
-- these. A missing type or status is a group of its own; an execution without a time from 2000 to 2099 is left out and
-- counted as rejected, since hours are counted up from the first to the last.
-- Hours are those of UTC. The join is written twice over: by range, so that an index on executed_at finds one hour,
-- which is what keyed refresh needs; and by equality, so that all hours together take one pass over the table.

CREATE OR REPLACE VIEW action_metrics_hourly__live AS
-- chime:begin action_metrics_hourly
SELECT
    h.hour,
    a.action_type,
    a.status,
    count(*) AS execution_count,
    count(*) FILTER (WHERE a.status = 'success') AS success_count,
    count(*) FILTER (WHERE a.status = 'failed') AS failure_count,
    count(a.duration_ms) AS duration_count,
    coalesce(sum(a.duration_ms), 0)::bigint AS total_duration_ms,
    round(avg(a.duration_ms), 2) AS avg_duration_ms,
    min(a.duration_ms)::bigint AS min_duration_ms,
    max(a.duration_ms)::bigint AS max_duration_ms,
    round(percentile_cont(0.50) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2) AS p50_duration_ms,
    round(percentile_cont(0.95) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2) AS p95_duration_ms,
    round(percentile_cont(0.99) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2) AS p99_duration_ms,
    max(a.executed_at) AS last_execution_at
FROM generate_series(
    (SELECT date_trunc('hour', min(f.executed_at) AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' FROM action_results f
     WHERE f.executed_at >= timestamptz '2000-01-01 00:00+00' AND f.executed_at < timestamptz '2100-01-01 00:00+00'),
    (SELECT max(l.executed_at) FROM action_results l
     WHERE l.executed_at >= timestamptz '2000-01-01 00:00+00' AND l.executed_at < timestamptz '2100-01-01 00:00+00'),
    interval '1 hour') AS h (hour)
JOIN action_results a
    ON a.executed_at >= h.hour
    AND a.executed_at < h.hour + interval '1 hour'
    AND date_trunc('hour', a.executed_at AT TIME ZONE 'UTC') = h.hour AT TIME ZONE 'UTC'
GROUP BY h.hour, a.action_type, a.status
-- chime:end
;

-- chime:begin rejected_action_times
SELECT count(*) AS rejected
FROM action_results a
WHERE NOT coalesce(a.executed_at >= timestamptz '2000-01-01 00:00+00'
                   AND a.executed_at < timestamptz '2100-01-01 00:00+00', false)
-- chime:end
;

-- From changed rows to their hours.
\if false
-- chime:begin hours_of_marks
SELECT DISTINCT date_trunc('hour', m.executed_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS hour
FROM marks m
WHERE isfinite(m.executed_at)
-- chime:end
;
\endif

-- The name stands here so that nobody has to join for it, as seed 003 advises; it is NULL where the trigger is gone.
-- Over all that action_results holds: how far back that goes is for retention to say.
CREATE OR REPLACE VIEW trigger_performance_summary__live AS
-- chime:begin trigger_performance_summary
SELECT
    r.trigger_id,
    t.name AS trigger_name,
    r.total_executions,
    r.success_count,
    r.failure_count,
    r.retrying_count,
    round(100.0 * r.success_count / r.total_executions, 2) AS success_rate,
    r.duration_count,
    r.total_duration_ms,
    r.avg_duration_ms,
    r.max_duration_ms,
    r.p50_duration_ms,
    r.p95_duration_ms,
    r.p99_duration_ms,
    r.first_execution_at,
    r.last_execution_at
FROM (
    SELECT
        a.trigger_id,
        count(*) AS total_executions,
        count(*) FILTER (WHERE a.status = 'success') AS success_count,
        count(*) FILTER (WHERE a.status = 'failed') AS failure_count,
        count(*) FILTER (WHERE a.status = 'retrying') AS retrying_count,
        count(a.duration_ms) AS duration_count,
        coalesce(sum(a.duration_ms), 0)::bigint AS total_duration_ms,
        round(avg(a.duration_ms), 2) AS avg_duration_ms,
        max(a.duration_ms)::bigint AS max_duration_ms,
        round(percentile_cont(0.50) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2)
            AS p50_duration_ms,
        round(percentile_cont(0.95) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2)
            AS p95_duration_ms,
        round(percentile_cont(0.99) WITHIN GROUP (ORDER BY a.duration_ms::double precision)::numeric, 2)
            AS p99_duration_ms,
        min(a.executed_at) AS first_execution_at,
        max(a.executed_at) AS last_execution_at
    FROM action_results a
    WHERE a.trigger_id IS NOT NULL
    GROUP BY a.trigger_id) r
LEFT JOIN triggers t ON t.id = r.trigger_id
-- chime:end
;

-- chime:begin rejected_action_triggers
SELECT count(*) AS rejected FROM action_results a WHERE a.trigger_id IS NULL
-- chime:end
;

-- The trigger's name is not here: it would have to be captured for every failure, and a join to triggers costs nothing.
-- A partitioned table cannot promise that id alone is unique, hence executed_at in the key.
CREATE OR REPLACE VIEW recent_failures__live AS
-- chime:begin recent_failures
SELECT
    a.id, a.executed_at, a.trigger_id, a.action_type, a.error_message, a.response_data,
    a.duration_ms::bigint AS duration_ms
FROM action_results a
WHERE a.status = 'failed'
    AND a.executed_at > (SELECT chime.as_of()) - interval '24 hours'
    AND a.executed_at < 'infinity'
-- chime:end
;

-- A mark holds the status as it was and as it is, so an execution that neither failed nor fails is no concern of this
-- view.
\if false
-- chime:begin failures_of_marks
SELECT DISTINCT m.id FROM marks m WHERE m.status = 'failed'
-- chime:end
;
\endif

-- pgchime makes and fills the kept relations itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS action_metrics_hourly AS TABLE action_metrics_hourly__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_action_metrics_hourly_unique
    ON action_metrics_hourly (hour, action_type, status) NULLS NOT DISTINCT;
CREATE INDEX IF NOT EXISTS idx_action_metrics_hourly_hour ON action_metrics_hourly (hour DESC);
CREATE INDEX IF NOT EXISTS idx_action_metrics_hourly_recent ON action_metrics_hourly (action_type, hour DESC);
CREATE TABLE IF NOT EXISTS trigger_performance_summary AS TABLE trigger_performance_summary__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_trigger_performance_summary_unique ON trigger_performance_summary (trigger_id);
CREATE INDEX IF NOT EXISTS idx_trigger_performance_summary_success_rate ON trigger_performance_summary (success_rate);
CREATE INDEX IF NOT EXISTS idx_trigger_performance_summary_avg_duration
    ON trigger_performance_summary (avg_duration_ms DESC);
CREATE TABLE IF NOT EXISTS recent_failures AS TABLE recent_failures__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_recent_failures_unique ON recent_failures (id, executed_at);
CREATE INDEX IF NOT EXISTS idx_recent_failures_trigger_id ON recent_failures (trigger_id, executed_at DESC);
CREATE INDEX IF NOT EXISTS idx_recent_failures_executed_at ON recent_failures (executed_at DESC);

-- What leaves the window by time alone.
PREPARE revisit_failures AS
-- chime:begin revisit_failures
SELECT id FROM recent_failures WHERE executed_at <= chime.as_of() - interval '24 hours'
-- chime:end
;
DEALLOCATE revisit_failures;

-- The last 30 days are the hours that began in them, taken from the kept hours: some thousand rows instead of a month
-- of executions each five minutes, and right because of their sums and counts. Refreshed as a whole: with every
-- execution the share of each type changes.
CREATE OR REPLACE VIEW action_type_distribution__live AS
-- chime:begin action_type_distribution
SELECT
    h.action_type,
    sum(h.execution_count)::bigint AS total_executions,
    round(100.0 * sum(h.execution_count) / sum(sum(h.execution_count)) OVER (), 2) AS percentage,
    sum(h.success_count)::bigint AS success_count,
    sum(h.failure_count)::bigint AS failure_count,
    round(100.0 * sum(h.success_count) / sum(h.execution_count), 2) AS success_rate,
    sum(h.duration_count)::bigint AS duration_count,
    sum(h.total_duration_ms)::bigint AS total_duration_ms,
    round(sum(h.total_duration_ms) / nullif(sum(h.duration_count), 0), 2) AS avg_duration_ms,
    max(h.last_execution_at) AS last_execution_at
FROM action_metrics_hourly h
WHERE h.hour > (SELECT chime.as_of()) - interval '720 hours'
GROUP BY h.action_type
-- chime:end
;
CREATE TABLE IF NOT EXISTS action_type_distribution AS TABLE action_type_distribution__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_action_type_distribution_unique
    ON action_type_distribution (action_type) NULLS NOT DISTINCT;
CREATE INDEX IF NOT EXISTS idx_action_type_distribution_executions
    ON action_type_distribution (total_executions DESC);

-- The latest hours, shown ascending.
-- chime:begin action_metrics
CREATE OR REPLACE FUNCTION action_metrics(
    since timestamptz DEFAULT NULL, action_type text DEFAULT NULL, max_rows integer DEFAULT 1000)
RETURNS TABLE (
    hour timestamptz, action_type text, status text, execution_count bigint, duration_count bigint,
    total_duration_ms bigint, avg_duration_ms numeric, min_duration_ms bigint, max_duration_ms bigint,
    p50_duration_ms numeric, p95_duration_ms numeric, p99_duration_ms numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT latest.hour, latest.action_type, latest.status, latest.execution_count, latest.duration_count,
        latest.total_duration_ms, latest.avg_duration_ms, latest.min_duration_ms, latest.max_duration_ms,
        latest.p50_duration_ms, latest.p95_duration_ms, latest.p99_duration_ms
    FROM (
        SELECT h.*
        FROM action_metrics_hourly h
        WHERE h.hour > coalesce(action_metrics.since, chime.as_of() - interval '24 hours')
            AND (action_metrics.action_type IS NULL OR h.action_type = action_metrics.action_type)
        ORDER BY h.hour DESC, h.action_type, h.status
        LIMIT greatest(0, least(coalesce(action_metrics.max_rows, 1000), 10000))) latest
    ORDER BY latest.hour, latest.action_type, latest.status;
END
-- chime:end
;

-- Over any number of hours: sums of sums and counts, never an average of averages.
-- chime:begin action_success_rates
CREATE OR REPLACE FUNCTION action_success_rates(since timestamptz DEFAULT NULL)
RETURNS TABLE (
    action_type text, total_executions bigint, success_count bigint, failure_count bigint, success_rate numeric,
    avg_duration_ms numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT h.action_type, sum(h.execution_count)::bigint, sum(h.success_count)::bigint, sum(h.failure_count)::bigint,
        round(100.0 * sum(h.success_count) / sum(h.execution_count), 2),
        round(sum(h.total_duration_ms) / nullif(sum(h.duration_count), 0), 2)
    FROM action_metrics_hourly h
    WHERE h.hour > coalesce(action_success_rates.since, chime.as_of() - interval '24 hours')
    GROUP BY h.action_type
    ORDER BY sum(h.execution_count) DESC, h.action_type
    LIMIT 1000;
END
-- chime:end
;

-- The slowest first.
-- chime:begin trigger_performance
CREATE OR REPLACE FUNCTION trigger_performance(trigger_id bigint DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    trigger_id bigint, trigger_name text, total_executions bigint, success_count bigint, failure_count bigint,
    retrying_count bigint, success_rate numeric, avg_duration_ms numeric, max_duration_ms bigint,
    p50_duration_ms numeric, p95_duration_ms numeric, p99_duration_ms numeric, first_execution_at timestamptz,
    last_execution_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.trigger_id, s.trigger_name, s.total_executions, s.success_count, s.failure_count, s.retrying_count,
        s.success_rate, s.avg_duration_ms, s.max_duration_ms, s.p50_duration_ms, s.p95_duration_ms, s.p99_duration_ms,
        s.first_execution_at, s.last_execution_at
    FROM trigger_performance_summary s
    WHERE trigger_performance.trigger_id IS NULL OR s.trigger_id = trigger_performance.trigger_id
    ORDER BY s.avg_duration_ms DESC NULLS LAST, s.trigger_id
    LIMIT greatest(0, least(coalesce(trigger_performance.max_rows, 20), 1000));
END
-- chime:end
;

-- The latest first.
-- chime:begin action_failures
CREATE OR REPLACE FUNCTION action_failures(trigger_id bigint DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    id bigint, executed_at timestamptz, trigger_id bigint, trigger_name text, action_type text, error_message text,
    response_data jsonb, duration_ms bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT f.id, f.executed_at, f.trigger_id, s.trigger_name, f.action_type, f.error_message, f.response_data,
        f.duration_ms
    FROM recent_failures f
    LEFT JOIN trigger_performance_summary s ON s.trigger_id = f.trigger_id
    WHERE action_failures.trigger_id IS NULL OR f.trigger_id = action_failures.trigger_id
    ORDER BY f.executed_at DESC, f.id
    LIMIT greatest(0, least(coalesce(action_failures.max_rows, 20), 1000));
END
-- chime:end
;

-- chime:begin action_types
CREATE OR REPLACE FUNCTION action_types()
RETURNS TABLE (
    action_type text, total_executions bigint, percentage numeric, success_rate numeric, avg_duration_ms numeric,
    last_execution_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT d.action_type, d.total_executions, d.percentage, d.success_rate, d.avg_duration_ms, d.last_execution_at
    FROM action_type_distribution d
    ORDER BY d.total_executions DESC, d.action_type
    LIMIT 1000;
END
-- chime:end
;

-- In the caller's transaction, with its rights: whoever may refresh may call it, also while the daemon is down.
-- plpgsql, so that it can be made before there is anything to refresh.
-- chime:begin refresh_action_analytics
CREATE OR REPLACE FUNCTION refresh_action_analytics()
RETURNS TABLE (view_name text, rows_refreshed bigint, refresh_duration_ms double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN QUERY
    SELECT split_part(r.view, '.', -1), r.rows, r.duration_ms
    FROM chime.refresh_job('refresh-analytics') AS r;
END
$body$;
-- chime:end

-- What seed 003 looked for in pg_stat_user_tables.last_refresh, which does not exist. Readers have no rights on chime,
-- hence SECURITY DEFINER; it tells of these four views and nothing else. Never refreshed is STALE.
-- chime:begin get_analytics_refresh_status
CREATE OR REPLACE FUNCTION get_analytics_refresh_status()
RETURNS TABLE (
    view_name text, row_count bigint, size_bytes bigint, last_refresh timestamptz, age_minutes numeric,
    staleness_status text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT v.relation::text, r.rows,
        pg_total_relation_size(to_regclass(format('%I.%I', v.view_schema, v.relation))),
        r.refreshed_at,
        round(extract(epoch FROM chime.as_of() - r.refreshed_at) / 60, 2),
        CASE
            WHEN chime.as_of() - r.refreshed_at <= limits.warning THEN 'FRESH'
            WHEN chime.as_of() - r.refreshed_at <= limits.stale THEN 'WARNING'
            ELSE 'STALE'
        END
    FROM chime.view v
    JOIN chime.view_refresh r USING (view_schema, relation)
    JOIN (
        SELECT p.name,
            coalesce((p.settings ->> 'warning_after')::interval, interval '5 minutes') AS warning,
            coalesce((p.settings ->> 'stale_after')::interval, interval '10 minutes') AS stale
        FROM chime.plugin p) limits ON limits.name = v.plugin
    WHERE v.plugin = 'action_analytics'
    ORDER BY r.refreshed_at NULLS FIRST, v.relation;
END
-- chime:end
;

-- Which indexes are of use since the server's statistics began. An unused one that is no key may go.
-- chime:begin get_analytics_index_usage
CREATE OR REPLACE FUNCTION get_analytics_index_usage()
RETURNS TABLE (
    view_name text, index_name text, index_scans bigint, tuples_read bigint, tuples_fetched bigint, size_bytes bigint,
    is_key boolean, unused boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.relname::text, s.indexrelname::text, s.idx_scan, s.idx_tup_read, s.idx_tup_fetch,
        pg_relation_size(s.indexrelid), i.indisunique, s.idx_scan = 0
    FROM pg_stat_all_indexes s
    JOIN pg_index i USING (indexrelid)
    WHERE s.relid IN ('action_metrics_hourly'::regclass, 'trigger_performance_summary'::regclass,
                      'recent_failures'::regclass, 'action_type_distribution'::regclass)
    ORDER BY s.relname, s.indexrelname;
END
-- chime:end
;
