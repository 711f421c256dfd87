-- SPDX-License-Identifier: PostgreSQL
-- The history of pg_cron: :runs runs of each of its jobs, a minute apart, as its launcher writes them.
INSERT INTO cron.job_run_details (jobid, runid, job_pid, database, username, command, status, return_message, start_time, end_time)
SELECT j.jobid, nextval('cron.runid_seq'), 1000, current_database(), 'postgres', 'SELECT 1', 'succeeded', '1 row',
       now() - interval '1 minute' * r, now() - interval '1 minute' * r + interval '3 milliseconds'
FROM generate_series(:runs, 1, -1) r, cron.job j;
ANALYZE cron.job_run_details;
