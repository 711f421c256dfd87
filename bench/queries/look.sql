-- SPDX-License-Identifier: PostgreSQL
-- Jobs and their history for bench/look.sh: :jobs jobs, :runs runs of each.
SET session_replication_role = replica;
SET synchronous_commit = off;
WITH made AS (
    INSERT INTO chime.job (name, origin, schedule, command, options)
    SELECT format('j%s', to_char(n, 'FM00000')), 'config',
           CASE n % 10 WHEN 1 THEN '*/10 * * * *' WHEN 2 THEN '0 3 * * *' WHEN 3 THEN '@hourly' WHEN 4 THEN '30 seconds'
                       ELSE format('%s %s * * *', n % 60, n / 60 % 24) END,
           'SELECT 1', '{"timezone": "UTC", "jitter": "0s", "dst_gap": "run", "dst_overlap": "first"}'
    FROM generate_series(1, :jobs) AS n RETURNING job_id)
INSERT INTO chime.job_state (job_id, last_slot, runs, successes, consecutive_failures)
SELECT job_id, date_trunc('minute', now()), :runs, :runs, CASE WHEN job_id % 100 = 0 THEN 1 ELSE 0 END FROM made;
SELECT format('CREATE TABLE chime.run_history_%s PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',
              to_char(d, 'YYYYMMDD'), d::date || ' 00:00Z', d::date + 1 || ' 00:00Z')
FROM generate_series(current_date - 12, current_date - 3, interval '1 day') AS d \gexec
INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)
SELECT g * :jobs + j, j, 'schedule', s,
       CASE WHEN (g * :jobs + j) % 5000 = 0 THEN 'failed' ELSE 'succeeded' END::chime.run_state,
       1, 1, s, s + interval '5 ms'
FROM generate_series(0, :runs - 1) AS g
CROSS JOIN LATERAL (SELECT (current_date - 12)::timestamptz + g * interval '9 days' / :runs) AS a (s)
CROSS JOIN generate_series(1, :jobs) AS j;
RESET session_replication_role;
VACUUM ANALYZE;
