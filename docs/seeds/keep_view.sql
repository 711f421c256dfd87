-- SPDX-License-Identifier: PostgreSQL
-- The views that the seeds ask for, each kept by one statement: for psql, as an administrator of a database that has
-- their tables in schema public. The definitions are those of the plugins, which bring functions beside them. A view
-- that reads another comes after it. Test: test_seeds, which compares them with the plugins' rows.

-- Seed 002: lane scores of each challenge.
SELECT chime.keep_view('mv_lane_score_distribution', $view$
SELECT
    s.challenge_id,
    lane.lane_key,
    count(*) AS sample_count,
    round(avg(score.lane_score), 3) AS mean_score,
    round(stddev_samp(score.lane_score), 3) AS stddev_score,
    round(min(score.lane_score), 3) AS min_score,
    round(max(score.lane_score), 3) AS max_score,
    round(percentile_cont(0.10) WITHIN GROUP (ORDER BY score.lane_score::double precision)::numeric, 3) AS p10,
    round(percentile_cont(0.25) WITHIN GROUP (ORDER BY score.lane_score::double precision)::numeric, 3) AS p25,
    round(percentile_cont(0.50) WITHIN GROUP (ORDER BY score.lane_score::double precision)::numeric, 3) AS p50,
    round(percentile_cont(0.75) WITHIN GROUP (ORDER BY score.lane_score::double precision)::numeric, 3) AS p75,
    round(percentile_cont(0.90) WITHIN GROUP (ORDER BY score.lane_score::double precision)::numeric, 3) AS p90,
    max(s.created_at) AS last_submission_at
FROM submissions s
CROSS JOIN LATERAL jsonb_each(
    CASE jsonb_typeof(s.final_lane_scores) WHEN 'object' THEN s.final_lane_scores END) AS lane (lane_key, lane_value)
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN jsonb_typeof(lane.lane_value) <> 'number' THEN NULL
        WHEN abs(lane.lane_value::numeric) < 1e12 THEN round(lane.lane_value::numeric, 15)
    END
    OFFSET 0) AS score (lane_score)
WHERE s.status = 'scored'
    AND s.challenge_id IS NOT NULL
    AND score.lane_score IS NOT NULL
GROUP BY s.challenge_id, lane.lane_key
$view$);

-- Seed 002: where an agent is weak or strong again and again. The join hides the key from the definition.
SELECT chime.keep_view('mv_weakness_patterns', $view$
WITH attempts AS (
    SELECT
        s.agent_id,
        s.challenge_id,
        lane.lane_key,
        score.lane_score,
        extract(epoch FROM s.created_at) AS second
    FROM submissions s
    CROSS JOIN LATERAL jsonb_each(
        CASE jsonb_typeof(s.final_lane_scores) WHEN 'object' THEN s.final_lane_scores END)
        AS lane (lane_key, lane_value)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN jsonb_typeof(lane.lane_value) <> 'number' THEN NULL
            WHEN abs(lane.lane_value::numeric) < 1e12 THEN round(lane.lane_value::numeric, 15)
        END
        OFFSET 0) AS score (lane_score)
    WHERE s.status = 'scored'
        AND s.agent_id IS NOT NULL
        AND s.challenge_id IS NOT NULL
        AND isfinite(s.created_at)
        AND score.lane_score IS NOT NULL
),
patterns AS (
    SELECT
        agent_id,
        challenge_id,
        lane_key,
        count(*) AS attempt_count,
        round(avg(lane_score), 3) AS avg_score,
        round(min(lane_score), 3) AS min_score,
        round(max(lane_score), 3) AS max_score,
        round((count(*) * sum(second * lane_score) - sum(second) * sum(lane_score))
              / nullif(count(*) * sum(second * second) - sum(second) * sum(second), 0), 8) AS score_trend_slope
    FROM attempts
    GROUP BY agent_id, challenge_id, lane_key
    HAVING count(*) >= 2
)
SELECT
    p.agent_id,
    p.challenge_id,
    p.lane_key,
    p.attempt_count,
    p.avg_score,
    p.min_score,
    p.max_score,
    p.score_trend_slope,
    CASE
        WHEN p.avg_score < d.p25 THEN 'persistent_weakness'
        WHEN p.avg_score < d.p50 THEN 'below_median'
        WHEN p.avg_score > d.p75 THEN 'consistent_strength'
        ELSE 'average'
    END AS performance_category,
    d.p25 AS challenge_p25,
    d.p50 AS challenge_p50,
    d.p75 AS challenge_p75
FROM patterns p
JOIN mv_lane_score_distribution d ON d.challenge_id = p.challenge_id AND d.lane_key = p.lane_key
$view$, key => '{agent_id,challenge_id,lane_key}');

-- Seed 002: the composite score of an agent in a challenge, week by week.
SELECT chime.keep_view('mv_agent_progress', $view$
WITH weekly AS (
    SELECT
        s.agent_id,
        s.challenge_id,
        date_trunc('week', s.created_at AT TIME ZONE 'UTC') AS week,
        count(*) AS submission_count,
        avg(s.composite_score::numeric) AS average,
        max(s.composite_score::numeric) AS best,
        min(s.composite_score::numeric) AS worst
    FROM submissions s
    WHERE s.status = 'scored'
        AND s.agent_id IS NOT NULL
        AND s.challenge_id IS NOT NULL
        AND isfinite(s.created_at)
        AND s.composite_score > -1e12
        AND s.composite_score < 1e12 -- NaN is above every number
    GROUP BY s.agent_id, s.challenge_id, date_trunc('week', s.created_at AT TIME ZONE 'UTC')
)
SELECT
    agent_id,
    challenge_id,
    week,
    submission_count,
    round(average, 3) AS avg_composite_score,
    round(best, 3) AS best_composite_score,
    round(worst, 3) AS worst_composite_score,
    round(average - lag(average) OVER (PARTITION BY agent_id, challenge_id ORDER BY week), 3) AS wow_composite_delta
FROM weekly
$view$);

-- Seed 002: days to the first win in a challenge.
SELECT chime.keep_view('mv_time_to_first_win', $view$
WITH first_submissions AS (
    SELECT agent_id, challenge_id, min(created_at) AS first_at
    FROM submissions
    WHERE status = 'scored' AND isfinite(created_at)
    GROUP BY agent_id, challenge_id
),
first_wins AS (
    SELECT s.agent_id, s.challenge_id, min(s.created_at) AS first_win_at
    FROM submissions s
    JOIN bout_results b ON b.bout_id = s.bout_id AND b.winner_agent_id = s.agent_id
    WHERE s.status = 'scored' AND isfinite(s.created_at)
    GROUP BY s.agent_id, s.challenge_id
)
SELECT
    f.challenge_id,
    count(*) AS agents_with_win,
    round(avg(extract(epoch FROM w.first_win_at - f.first_at) / 86400), 1) AS avg_days_to_first_win
FROM first_submissions f
JOIN first_wins w ON w.agent_id = f.agent_id AND w.challenge_id = f.challenge_id
GROUP BY f.challenge_id
HAVING count(*) >= 5
$view$);

-- Seed 004: chat requests of each domain. It counts the last 24 hours, so it changes as time passes: each minute.
SELECT chime.keep_view('chat_telemetry_domain_summary', $view$
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
$view$, schedule => '* * * * *');
