-- SPDX-License-Identifier: PostgreSQL
-- As watcher, who sees everybody's jobs, runs and views: anything that changes one.
SELECT 'sees ' || (SELECT count(*) FROM chime.jobs WHERE username = 'victim') || ', status of ' || (SELECT count(s.alive) FROM chime.leader_status s)
       || ' leader, runs: ' || (SELECT count(r) >= 0 FROM chime.runs r)
       || ', views: ' || (SELECT count(v) > 0 FROM chime.view_status v);
SELECT 'status', count(*) FROM chime.job_status, chime.view_status, chime.leader_status;
SELECT chime.schedule('mine', '* * * * *', 'SELECT 1');
INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', '{"job_name": "kept"}');
SELECT chime.alter_job((SELECT job_id FROM chime.jobs WHERE username = 'victim'), active => false);
SELECT chime.unschedule((SELECT job_id FROM chime.jobs WHERE username = 'victim'));
SELECT chime.suspend((SELECT job_id FROM chime.jobs WHERE username = 'victim'));
UPDATE chime.job SET active = false;
DELETE FROM chime.run_history;
DELETE FROM chime.request;
INSERT INTO chime.request (job_id) SELECT job_id FROM chime.jobs WHERE username = 'victim';
SELECT chime.grant_to_roles();
SELECT 'alerts', count(*) FROM chime.alerts;
INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES ('{"alertname": "*"}', now() + interval '1 day', 'watcher', 'quiet');
UPDATE chime.alert SET acknowledged_by = 'watcher';
UPDATE chime.alert_rule SET enabled = false, condition = 'SELECT true';
DELETE FROM chime.alert_event;
SELECT 'looked', chime.evaluate_condition('job-failed');
SELECT 'resigned', chime.resign(token) FROM chime.leader;
SELECT 'token', token FROM chime.leader;
SELECT 'token', token FROM chime.run;
