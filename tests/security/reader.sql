-- SPDX-License-Identifier: PostgreSQL
-- As reader, who reads the views and nothing else: jobs, by every way in.
SELECT chime.schedule('mine', '* * * * *', 'SELECT 1');
INSERT INTO chime.job_call (verb, arguments) VALUES ('schedule', '{"job_name": "mine", "schedule": "* * * * *", "command": "SELECT 1"}');
SELECT cron.schedule('* * * * *', 'SELECT 1');
SELECT chime.run_now(1), chime.cancel(1), chime.unschedule(1);
SELECT count(*) FROM chime.jobs;
SELECT 'reads', count(*) FROM analytics.mv_agent_progress;
