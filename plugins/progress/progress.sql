-- SPDX-License-Identifier: PostgreSQL
-- An agent's composite score in a challenge, week by week.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries.

-- Weeks are those of UTC, from Monday: in seed 002 they followed the server's zone, so that the same row fell into
-- another week elsewhere. `week` is that Monday as UTC shows it, without a zone, so that every client shows it alike.
-- A composite score is a finite number below 10^12 either way: one NaN or infinity would be the average of its week and
-- of the delta after it. Averages are numeric, not double, so that they do not depend on the order of rows.
-- wow_composite_delta compares with the agent's last week that has submissions, which need not be the week before.

CREATE OR REPLACE VIEW mv_agent_progress__live AS
-- chime:begin mv_agent_progress
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
-- chime:end
;

-- Submissions with a composite score that cannot be used. One that has none yet is not malformed.
-- chime:begin rejected_composite_scores
SELECT count(*) AS rejected
FROM submissions s
WHERE s.status = 'scored'
    AND s.composite_score IS NOT NULL
    AND NOT coalesce(s.composite_score > -1e12 AND s.composite_score < 1e12
                     AND s.agent_id IS NOT NULL AND s.challenge_id IS NOT NULL AND isfinite(s.created_at), false)
-- chime:end
;

-- pgchime makes and fills the kept relation itself; these two lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_agent_progress AS TABLE mv_agent_progress__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_mv_progress_pk ON mv_agent_progress (agent_id, challenge_id, week);

-- The latest weeks, shown in ascending order: seed 002's ascending order with a limit gave the oldest.
-- chime:begin agent_progress
CREATE OR REPLACE FUNCTION agent_progress(agent uuid, challenge uuid, weeks integer DEFAULT 12)
RETURNS TABLE (
    agent_id uuid, challenge_id uuid, week timestamp, submission_count bigint, avg_composite_score numeric,
    best_composite_score numeric, worst_composite_score numeric, wow_composite_delta numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT latest.agent_id, latest.challenge_id, latest.week, latest.submission_count, latest.avg_composite_score,
        latest.best_composite_score, latest.worst_composite_score, latest.wow_composite_delta
    FROM (
        SELECT p.agent_id, p.challenge_id, p.week, p.submission_count, p.avg_composite_score,
            p.best_composite_score, p.worst_composite_score, p.wow_composite_delta
        FROM mv_agent_progress p
        WHERE p.agent_id = agent_progress.agent AND p.challenge_id = agent_progress.challenge
        ORDER BY p.week DESC
        LIMIT greatest(0, least(agent_progress.weeks, 1000))) latest
    ORDER BY latest.week;
END
-- chime:end
;
