-- SPDX-License-Identifier: PostgreSQL
-- As a role that makes jobs, and as one that reads views: what only the owner of the ledger may do with alerts and
-- views.
INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES ('{"alertname": "*"}', now() + interval '1 day', 'postgres', 'nothing is wrong');
INSERT INTO chime.alert (rule, subject, severity, state, since, changed_at, summary, labels) VALUES ('job-failed', 'x', 'info', 'firing', now(), now(), 'x', '{}');
UPDATE chime.alert SET acknowledged_by = current_user, acknowledgement = 'mine';
UPDATE chime.alert_rule SET enabled = false;
UPDATE chime.alert_rule SET condition = 'SELECT true', view_schema = 'public', vetted = 'x';
DELETE FROM chime.alert_event;
SELECT 'read alerts', count(*) FROM chime.alerts;
SELECT 'read alerts', count(*) FROM chime.alert_event;
SELECT 'looked', chime.evaluate_condition('job-failed');
SELECT 'looked', * FROM chime.evaluate_alerts();
SELECT 'set', chime.set_alert_rules(NULL, '[]');
SELECT 'noted', * FROM chime.note_alerts(NULL, '{}', '{}');
SELECT 'refreshed', chime.refresh('mv_agent_progress');
SELECT 'trusted', chime.trust_owners(ARRAY[current_user]);
INSERT INTO chime.trusted_owner VALUES (current_user);
SELECT 'vetted', chime.parse_query('public', 'SELECT 1', NULL, NULL);
SELECT 'granted', chime.grant_to_roles();
UPDATE chime.view SET vetted = NULL, named = '{}';
UPDATE chime.plugin SET state = 'removed';
SELECT 'read', count(*) FROM chime.change_1;
SELECT pg_notify('chime_alerts', '{"event": 1, "state": "firing", "alertname": "view-differs", "severity": "critical"}');
SELECT 'tried';
