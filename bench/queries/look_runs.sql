-- SPDX-License-Identifier: PostgreSQL
-- The history of all jobs: :runs runs of each, of ten days; one in 5,000 failed.
SET session_replication_role = replica;
SET synchronous_commit = off;
SELECT format('CREATE TABLE chime.run_history_%s PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',
              to_char(d, 'YYYYMMDD'), d::date || ' 00:00Z', d::date + 1 || ' 00:00Z')
FROM generate_series(current_date - 12, current_date - 3, interval '1 day') AS d \gexec
INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)
SELECT g * n.jobs + j.job_id, j.job_id, 'schedule', s,
       CASE WHEN (g * n.jobs + j.job_id) % 5000 = 0 THEN 'failed' ELSE 'succeeded' END::chime.run_state,
       1, 1, s, s + interval '5 ms'
FROM generate_series(0, :runs - 1) AS g
CROSS JOIN (SELECT count(*) AS jobs FROM chime.job) AS n
CROSS JOIN LATERAL (SELECT (current_date - 12)::timestamptz + g * interval '9 days' / :runs) AS a (s)
CROSS JOIN chime.job AS j;
RESET session_replication_role;
VACUUM ANALYZE;
