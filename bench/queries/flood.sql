-- SPDX-License-Identifier: PostgreSQL
-- Of the last :seconds: the lateness of calm's runs in ms, by half, 99 of 100 and all of them; runs of crowd that
-- started a second.
SELECT concat_ws(' ', round(c.p50::numeric, 1), round(c.p99::numeric, 1), round(c.most::numeric, 1),
                 (SELECT count(*) / :seconds FROM chime.run_history h JOIN chime.job j USING (job_id)
                  WHERE j.owner = 'crowd' AND h.started_at > clock_timestamp() - :seconds * interval '1 second'))
FROM (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY l.late) AS p50, percentile_disc(0.99) WITHIN GROUP (ORDER BY l.late) AS p99, max(l.late) AS most
      FROM (SELECT extract(epoch FROM h.started_at - h.slot) * 1000 AS late FROM chime.run_history h JOIN chime.job j USING (job_id)
            WHERE j.owner = 'calm' AND h.slot > clock_timestamp() - :seconds * interval '1 second' AND h.started_at IS NOT NULL) AS l) AS c;
