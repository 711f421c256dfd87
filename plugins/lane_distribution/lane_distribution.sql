-- SPDX-License-Identifier: PostgreSQL
-- Lane scores of each challenge: how many, their spread and percentiles, over its scored submissions.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries; the rest makes the file whole by itself.
-- With `-v channels=1` it also makes the NOTIFY trigger on submissions.

-- What is a score: a number below 10^12 either way, taken to 15 decimals, so that nothing overflows a double and three
-- decimals of it are exact. A lane that holds anything else (text, "NaN", null, true, an object) is left out and
-- counted as rejected, since seed 002's `lane_value::text::float` failed the whole refresh on the first such value, and
-- its jsonb_each on the first document that is not an object. Only status 'scored' counts, in exactly that case.
-- Percentiles never mix challenges: challenge_id is in the key and is the grain.
-- Sums are numeric, not double: double sums depend on the order of the rows, and equal data would show differences.
-- OFFSET 0 keeps the planner from working a score out again for each of the figures made of it: 5.4 s, not 8, for
-- 1,000,000 submissions.

CREATE OR REPLACE VIEW mv_lane_score_distribution__live AS
-- chime:begin mv_lane_score_distribution
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
-- chime:end
;

-- One for each lane that is no score, one for a document that is no object or belongs to no challenge. SQL NULL is
-- not malformed: such a submission has no lanes.
-- chime:begin rejected_lane_scores
SELECT coalesce(sum(
    CASE
        WHEN s.challenge_id IS NULL OR jsonb_typeof(s.final_lane_scores) <> 'object' THEN 1
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

-- pgchime makes and fills the kept relation itself; these two lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_lane_score_distribution AS TABLE mv_lane_score_distribution__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_mv_lane_dist_pk ON mv_lane_score_distribution (challenge_id, lane_key);

-- Percentiles of a handful of submissions say nothing, so few samples are held back unless asked for.
-- chime:begin lane_distributions
CREATE OR REPLACE FUNCTION lane_distributions(challenge uuid, min_samples integer DEFAULT 5)
RETURNS TABLE (
    challenge_id uuid, lane_key text, sample_count bigint, mean_score numeric, stddev_score numeric,
    min_score numeric, max_score numeric, p10 numeric, p25 numeric, p50 numeric, p75 numeric, p90 numeric,
    last_submission_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT d.challenge_id, d.lane_key, d.sample_count, d.mean_score, d.stddev_score, d.min_score, d.max_score,
        d.p10, d.p25, d.p50, d.p75, d.p90, d.last_submission_at
    FROM mv_lane_score_distribution d
    WHERE d.challenge_id = lane_distributions.challenge
        AND d.sample_count >= coalesce(lane_distributions.min_samples, 5)
    ORDER BY d.lane_key
    LIMIT 1000;
END
-- chime:end
;

-- For listeners of seed 002's channel; pgchime's own refreshes need no NOTIFY, which costs every writer.
-- Insert, update and delete: the seed's trigger, AFTER UPDATE OF status alone, missed rows that arrive scored, are
-- scored again or are deleted. A row that changes hands is told for both, by what it was and what it is.
\if :{?channels}
-- chime:begin submission_scored
CREATE OR REPLACE FUNCTION notify_submission_scored() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD *= NEW THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.status = 'scored' THEN
        PERFORM pg_notify('submission_scored', json_build_object(
            'submission_id', OLD.id, 'challenge_id', OLD.challenge_id, 'agent_id', OLD.agent_id)::text);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'scored' THEN -- one that equals the first is folded by the server
        PERFORM pg_notify('submission_scored', json_build_object(
            'submission_id', NEW.id, 'challenge_id', NEW.challenge_id, 'agent_id', NEW.agent_id)::text);
    END IF;
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_submission_scored
    AFTER INSERT OR UPDATE OR DELETE ON submissions
    FOR EACH ROW EXECUTE FUNCTION notify_submission_scored();
-- chime:end
\endif
