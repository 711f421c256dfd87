-- SPDX-License-Identifier: PostgreSQL
-- Of the jobs that were due at :due (seconds since 1970): p50, p99 and the most late in ms, and how many ran before
-- their next minute.
WITH late AS (
    SELECT 1000 * extract(epoch FROM e.at - to_timestamp(:due)) AS ms
    FROM effect e
    WHERE e.batch = :size AND e.at >= to_timestamp(:due)
      AND e.at < coalesce((SELECT min(i.due) FROM instant i WHERE i.size = :size AND i.due > to_timestamp(:due)), 'infinity')
)
SELECT coalesce(round(percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), 1), 0), coalesce(round(percentile_disc(0.99) WITHIN GROUP (ORDER BY ms), 1), 0),
       coalesce(round(max(ms), 1), 0), count(*)
FROM late;
