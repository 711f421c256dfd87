-- SPDX-License-Identifier: PostgreSQL
-- For bench/look.sh: :jobs jobs, each of which has had :runs runs.
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
RESET session_replication_role;
