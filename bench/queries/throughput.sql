-- SPDX-License-Identifier: PostgreSQL
-- Succeeded runs; those a second between the first end and the last; the second half's rate over the first half's;
-- whether work was left at the end, as it must be for "saturated".
WITH span AS (
    SELECT count(*) AS runs, min(finished_at) AS first, max(finished_at) AS last
    FROM chime.run_history WHERE state = 'succeeded'
), half AS (
    SELECT count(*) FILTER (WHERE h.finished_at >= s.first + (s.last - s.first) / 2) AS second, count(*) AS both
    FROM chime.run_history h, span s WHERE h.state = 'succeeded'
)
SELECT s.runs, round(s.runs / extract(epoch FROM s.last - s.first)),
       round(h.second / greatest(h.both - h.second, 1)::numeric, 3),
       (SELECT max(last_slot) < (SELECT first FROM span) FROM chime.job_state)
FROM span s, half h;
