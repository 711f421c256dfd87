-- SPDX-License-Identifier: PostgreSQL
-- Of the slots after the cursor up to :last (seconds since 1970), against an independent list of them: due, run,
-- recorded as something else, not yet decided when the daemon was stopped; seconds from the start to the last that did
-- not run (0: all did); lateness of the first statement in ms: median, 99th percentile, maximum, maximum at the first
-- instant, 99th percentile after it; runs ended in the slowest and the median second; the slowest :window seconds over
-- that median.
SET jit = off;
SET work_mem = '64MB';
CREATE TEMPORARY TABLE due AS
SELECT s.job_id, s.last_slot, slot
FROM chime.job_state s, started b,
     generate_series(b.cursor + interval '1 second', to_timestamp(:last), '1 second') AS slot;
ANALYZE due;
ANALYZE chime.run_history;
WITH run AS (
    SELECT d.slot, d.last_slot, h.state, h.started_at
    FROM due d LEFT JOIN chime.run_history h ON h.job_id = d.job_id AND h.kind = 'schedule' AND h.slot = d.slot
), late AS (
    SELECT extract(epoch FROM r.started_at - r.slot) * 1000 AS ms, r.slot = b.cursor + interval '1 second' AS first
    FROM run r, started b WHERE r.state = 'succeeded'
), lateness AS (
    SELECT ARRAY[percentile_cont(0.5) WITHIN GROUP (ORDER BY ms),
                 percentile_cont(0.99) WITHIN GROUP (ORDER BY ms),
                 max(ms),
                 max(ms) FILTER (WHERE first),
                 percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) FILTER (WHERE NOT first)] AS figures
    FROM late
), ended AS (
    SELECT date_trunc('second', finished_at) AS second, count(*) AS runs
    FROM chime.run_history WHERE state = 'succeeded' GROUP BY 1
), second AS (
    SELECT second, coalesce(e.runs, 0) AS runs
    FROM started b, generate_series(b.cursor + interval '1 second', to_timestamp(:last), '1 second') AS second
    LEFT JOIN ended e USING (second)
), span AS (
    SELECT avg(runs) OVER w AS rate, count(*) OVER w AS seconds
    FROM second WINDOW w AS (ORDER BY second ROWS BETWEEN :window - 1 PRECEDING AND CURRENT ROW)
), middle AS (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY runs) AS runs FROM second
)
SELECT count(*), count(*) FILTER (WHERE state = 'succeeded'),
       count(*) FILTER (WHERE state IS DISTINCT FROM 'succeeded' AND slot <= last_slot),
       count(*) FILTER (WHERE slot > last_slot),
       (SELECT coalesce(extract(epoch FROM max(r.slot) - max(b.cursor))::bigint, 0)
        FROM run r, started b WHERE r.state IS DISTINCT FROM 'succeeded'),
       (SELECT string_agg(coalesce(round(figure::numeric, 1)::text, '-'), ' ' ORDER BY position)
        FROM lateness, unnest(figures) WITH ORDINALITY AS f (figure, position)),
       (SELECT min(runs) FROM second), (SELECT runs FROM middle),
       (SELECT round((min(rate) / nullif((SELECT runs FROM middle), 0))::numeric, 3) FROM span WHERE seconds = :window)
FROM run;
