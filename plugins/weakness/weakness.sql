-- SPDX-License-Identifier: PostgreSQL
-- Where an agent is weak or strong again and again: its lane scores of a challenge against everybody's quartiles.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public), after
-- lane_distribution.sql; it needs schema chime. The text between the marks is what the plugin carries.

-- Scores are those of lane_distribution.sql, and the quartiles are read from its kept relation: one sort of all
-- scores, not two, and an agent is judged by the figures that readers see.
-- At least two attempts: one has no trend (seed 002 asks for HAVING count >= 2).
-- score_trend_slope is the least-squares slope in points per second, as REGR_SLOPE, but in numeric: in doubles the last
-- digit depends on the order of rows, and instants a microsecond apart are one. It is NULL when all attempts fell on
-- the same instant: there is no slope, which is not a slope of 0.
-- A submission without agent, challenge or finite time is left out: an infinite time would make the slope NaN.

CREATE OR REPLACE VIEW mv_weakness_patterns__live AS
-- chime:begin mv_weakness_patterns
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
-- chime:end
;

-- As for lane distributions, and one for each submission that has no agent or no finite time.
-- chime:begin rejected_attempts
SELECT coalesce(sum(
    CASE
        WHEN s.agent_id IS NULL OR s.challenge_id IS NULL OR isfinite(s.created_at) IS NOT TRUE
            OR jsonb_typeof(s.final_lane_scores) <> 'object' THEN 1
        ELSE (
            SELECT count(*)
            FROM jsonb_each(s.final_lane_scores) AS lane (lane_key, lane_value)
            WHERE CASE
                WHEN jsonb_typeof(lane.lane_value) <> 'number' THEN true
                ELSE abs(lane.lane_value::numeric) >= 1e12
            END)
    END), 0)::bigint AS rejected
FROM submissions s
WHERE s.status = 'scored'
    AND s.final_lane_scores IS NOT NULL
-- chime:end
;

-- pgchime makes and fills the kept relation itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_weakness_patterns AS TABLE mv_weakness_patterns__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_mv_weakness_pk ON mv_weakness_patterns (agent_id, challenge_id, lane_key);
CREATE INDEX IF NOT EXISTS idx_mv_weakness_category ON mv_weakness_patterns (performance_category, challenge_id);

-- The weak ones only, the weakest first.
-- chime:begin weakness_patterns
CREATE OR REPLACE FUNCTION weakness_patterns(agent uuid, challenge uuid DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    agent_id uuid, challenge_id uuid, lane_key text, attempt_count bigint, avg_score numeric, min_score numeric,
    max_score numeric, score_trend_slope numeric, performance_category text, challenge_p25 numeric,
    challenge_p50 numeric, challenge_p75 numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT w.agent_id, w.challenge_id, w.lane_key, w.attempt_count, w.avg_score, w.min_score, w.max_score,
        w.score_trend_slope, w.performance_category, w.challenge_p25, w.challenge_p50, w.challenge_p75
    FROM mv_weakness_patterns w
    WHERE w.agent_id = weakness_patterns.agent
        AND (weakness_patterns.challenge IS NULL OR w.challenge_id = weakness_patterns.challenge)
        AND w.performance_category IN ('persistent_weakness', 'below_median')
    ORDER BY w.avg_score, w.challenge_id, w.lane_key
    LIMIT greatest(0, least(weakness_patterns.max_rows, 1000));
END
-- chime:end
;
