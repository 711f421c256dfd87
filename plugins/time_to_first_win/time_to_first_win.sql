-- SPDX-License-Identifier: PostgreSQL
-- How many days agents need in a challenge from their first submission to their first win.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries.

-- The win counts at the time of the winning submission. A challenge shows once five agents have won in it.
-- A submission without agent, challenge or finite time is left out: the difference of infinite times is an error, which
-- would fail the whole refresh.

CREATE OR REPLACE VIEW mv_time_to_first_win__live AS
-- chime:begin mv_time_to_first_win
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
-- chime:end
;

-- chime:begin rejected_submissions
SELECT count(*) AS rejected
FROM submissions
WHERE status = 'scored'
    AND (agent_id IS NULL OR challenge_id IS NULL OR isfinite(created_at) IS NOT TRUE)
-- chime:end
;

-- pgchime makes and fills the kept relation itself; these two lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_time_to_first_win AS TABLE mv_time_to_first_win__live;
CREATE UNIQUE INDEX IF NOT EXISTS idx_mv_ttfw_pk ON mv_time_to_first_win (challenge_id);

-- chime:begin time_to_first_win
CREATE OR REPLACE FUNCTION time_to_first_win(challenge uuid DEFAULT NULL)
RETURNS TABLE (challenge_id uuid, agents_with_win bigint, avg_days_to_first_win numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT t.challenge_id, t.agents_with_win, t.avg_days_to_first_win
    FROM mv_time_to_first_win t
    WHERE time_to_first_win.challenge IS NULL OR t.challenge_id = time_to_first_win.challenge
    ORDER BY t.challenge_id
    LIMIT 10000;
END
-- chime:end
;
