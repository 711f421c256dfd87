-- SPDX-License-Identifier: PostgreSQL
-- Alerts. Each is sent once when it fires, and once when it is resolved. Every few seconds the leader evaluates the
-- rules, on a session of its own that does not lock the leader's row (chime.alerts_found, chime.evaluate_condition).
-- One statement under its token (chime.note_alerts) then decides and records the transitions, so only one leader
-- decides. A crash in between loses nothing: the next look finds the same.

CREATE OR REPLACE FUNCTION chime.labels_match(p_matchers jsonb, p_labels jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN NOT EXISTS (SELECT FROM jsonb_each_text(p_matchers) AS m (label, value)
                   WHERE coalesce(p_labels ->> m.label LIKE replace(regexp_replace(m.value, '([\\%_])', '\\\1', 'g'), '*', '%'), m.value = '') IS NOT TRUE);
COMMENT ON FUNCTION chime.labels_match IS 'whether all matchers {label: value} fit; * in a value stands for any text, and not for a label that is missing';

CREATE OR REPLACE FUNCTION chime.silenced(p_labels jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT s.silence_id FROM chime.silence s
        WHERE clock_timestamp() BETWEEN s.since AND s.until AND chime.labels_match(s.matchers, p_labels)
        ORDER BY s.until DESC LIMIT 1);
COMMENT ON FUNCTION chime.silenced IS 'the silence that holds for an alert with these labels now; NULL: none';

-- What looks found, [{"rule", "subject", "severity", "value", "summary", "job_id", "failures"}] each, and by which
-- rules: what another rule found before stays. Told are transitions, each once, in the transaction that made it. While
-- it is open an alert's severity only rises: what is on a border is not told again and again, and who is told of one
-- severity alone hears how it ends. What a clock wrote that was ahead counts from now.
CREATE OR REPLACE FUNCTION chime.note_alerts(p_token uuid, p_found jsonb[], p_looked text[])
RETURNS TABLE (state text, rule text, subject text, severity text, summary text, silenced boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_now timestamptz := clock_timestamp();
    v_severities CONSTANT text[] := '{info,warning,critical}';
BEGIN
    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT f.* FROM unnest(p_found) AS l (list)
        CROSS JOIN LATERAL jsonb_to_recordset(l.list) AS f (rule text, subject text, severity text, value double precision, summary text,
                                                            job_id bigint, failures bigint)),
    counted AS (
        INSERT INTO chime.alert_job AS a (job_id, failures, rate_since, rate_runs, rate_failures)
        SELECT DISTINCT ON (g.job_id) g.job_id, g.failures, v_now, s.runs - (s.failures - coalesce(k.failures, 0)), coalesce(k.failures, 0)
        FROM given g JOIN chime.job_state s USING (job_id) LEFT JOIN chime.alert_job k USING (job_id)
        WHERE g.failures > coalesce(k.failures, 0)
        ON CONFLICT (job_id) DO UPDATE
           SET failures = excluded.failures,
               rate_since = CASE WHEN a.rate_since BETWEEN v_now - interval '1 hour' AND v_now THEN a.rate_since ELSE excluded.rate_since END,
               rate_runs = CASE WHEN a.rate_since BETWEEN v_now - interval '1 hour' AND v_now THEN a.rate_runs ELSE excluded.rate_runs END,
               rate_failures = CASE WHEN a.rate_since BETWEEN v_now - interval '1 hour' AND v_now THEN a.rate_failures ELSE excluded.rate_failures END),
    found AS MATERIALIZED (
        SELECT DISTINCT ON (r.name, s.subject)
               r.name AS rule, s.subject, coalesce(g.severity, r.severity) AS severity, g.value,
               chime.sendable(left(coalesce(nullif(g.summary, ''), 'its condition holds'), 1000)) AS summary, r.hold, r.about, r.plugin
        FROM given g JOIN chime.alert_rule r ON r.name = g.rule AND r.enabled
        CROSS JOIN LATERAL (SELECT chime.sendable(left(coalesce(g.subject, ''), 255)) AS subject) AS s
        ORDER BY 1, 2),
    ended AS (
        DELETE FROM chime.alert a
         WHERE NOT EXISTS (SELECT FROM found f WHERE f.rule = a.rule AND f.subject = a.subject)
           AND (NOT EXISTS (SELECT FROM chime.alert_rule r WHERE r.name = a.rule AND r.enabled)
                OR a.rule = ANY (p_looked) AND (a.state = 'pending' OR a.quiet))
        RETURNING a.*),
    hushed AS (
        UPDATE chime.alert a SET quiet = true
         WHERE a.state = 'firing' AND NOT a.quiet AND a.rule = ANY (p_looked)
           AND EXISTS (SELECT FROM chime.alert_rule r WHERE r.name = a.rule AND r.enabled)
           AND NOT EXISTS (SELECT FROM found f WHERE f.rule = a.rule AND f.subject = a.subject)),
    begun AS (
        INSERT INTO chime.alert (rule, subject, severity, state, since, fired_at, changed_at, value, summary, labels)
        SELECT f.rule, f.subject, f.severity, CASE WHEN f.hold > interval '0' THEN 'pending' ELSE 'firing' END, v_now,
               CASE WHEN f.hold = interval '0' THEN v_now END, v_now, f.value, f.summary,
               jsonb_strip_nulls(jsonb_build_object('alertname', f.rule, 'severity', f.severity, 'database', current_database(), 'plugin', f.plugin))
               || jsonb_strip_nulls(jsonb_build_object(f.about, nullif(f.subject, '')))
        FROM found f WHERE NOT EXISTS (SELECT FROM chime.alert a WHERE a.rule = f.rule AND a.subject = f.subject)
        RETURNING *),
    raised AS (
        UPDATE chime.alert a
           SET since = least(a.since, v_now), state = CASE WHEN a.since + f.hold <= v_now THEN 'firing' ELSE a.state END,
               fired_at = CASE WHEN a.state = 'pending' AND a.since + f.hold <= v_now OR a.state = 'firing' AND a.severity <> f.worst THEN v_now
                               ELSE a.fired_at END,
               severity = f.worst, labels = a.labels || jsonb_build_object('severity', f.worst), quiet = false, value = f.value,
               summary = f.summary, changed_at = v_now
          FROM (SELECT g.*, CASE WHEN array_position(v_severities, o.severity) > array_position(v_severities, g.severity) THEN o.severity
                                 ELSE g.severity END AS worst
                FROM found g JOIN chime.alert o USING (rule, subject)) AS f
         WHERE f.rule = a.rule AND f.subject = a.subject
           AND (a.quiet OR a.since > v_now OR a.severity <> f.worst OR a.state = 'pending' AND a.since + f.hold <= v_now
                OR a.summary <> f.summary AND a.changed_at < v_now - interval '1 minute')
        RETURNING a.*),
    moved AS (
        SELECT b.state, b.alert_id, b.rule, b.subject, b.severity, b.value, b.summary, b.labels FROM begun b
        UNION ALL
        SELECT r.state, r.alert_id, r.rule, r.subject, r.severity, r.value, r.summary, r.labels FROM raised r WHERE r.fired_at = v_now
        UNION ALL
        SELECT CASE e.state WHEN 'firing' THEN 'resolved' ELSE 'inactive' END, e.alert_id, e.rule, e.subject, e.severity, e.value, e.summary, e.labels
        FROM ended e),
    written AS (
        INSERT INTO chime.alert_event (alert_id, at, epoch, state, rule, subject, severity, value, summary, labels, silence_id)
        SELECT m.alert_id, v_now, v_epoch, m.state, m.rule, m.subject, m.severity, m.value, m.summary, m.labels, chime.silenced(m.labels)
        FROM moved m ORDER BY m.rule, m.subject
        RETURNING *)
    SELECT w.state, w.rule, w.subject, w.severity, w.summary, w.silence_id IS NOT NULL FROM written w ORDER BY w.event_id;
    PERFORM chime.queue_notifications(v_now);
    PERFORM chime.notify_alerts(v_now);
END $$;
COMMENT ON FUNCTION chime.note_alerts IS 'the leader''s: what follows from a look, and what became of which alert';

-- Whoever is in the database may listen, and notify: so it says no more than where to look, to whom may read that. A
-- full queue would take no commit: then the log and the tables tell alone.
CREATE OR REPLACE FUNCTION chime.notify_alerts(p_at timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_notify('chime_alerts', jsonb_build_object('event', e.event_id, 'state', e.state, 'alertname', e.rule, 'severity', e.severity)::text)
    FROM chime.alert_event e
    WHERE e.at = p_at AND e.state IN ('firing', 'resolved') AND e.silence_id IS NULL AND pg_notification_queue_usage() < 0.9
    ORDER BY e.event_id;
END;
COMMENT ON FUNCTION chime.notify_alerts IS 'notifies chime_alerts of what fired or was resolved at that instant and is not silenced: {"event", "state", "alertname", "severity"}';

CREATE OR REPLACE VIEW chime.alerts WITH (security_invoker = true) AS
SELECT a.alert_id, a.state, a.severity, a.rule, a.subject, a.since, a.fired_at, a.value, a.summary, a.labels, chime.silenced(a.labels) AS silence_id,
       a.acknowledged_at, a.acknowledged_by, a.acknowledgement
FROM chime.alert a;
COMMENT ON VIEW chime.alerts IS 'alerts that are open, with the silence that holds for each now';

-- Alerts that fire and that nobody silenced, of rules for which nothing else is said. Of each rule ten are named: many
-- of one hide no other. And rules that are not written, or that somebody changed, of which no alert can fire as the
-- configuration says: a leader writes them in its first seconds, and again when a look of its finds them changed, but
-- not while its looks fail.
CREATE OR REPLACE FUNCTION chime.alert_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH firing AS MATERIALIZED (
        SELECT a.*, s.name IS NULL AS own, s.way_out, row_number() OVER (PARTITION BY a.rule ORDER BY a.fired_at, a.alert_id) AS place
        FROM chime.alerts a LEFT JOIN chime.standard_rules() AS s ON s.name = a.rule
        WHERE a.state = 'firing' AND a.silence_id IS NULL AND (s.name IS NULL OR s.way_out IS NOT NULL)
          AND NOT (a.rule = 'view-differs' AND EXISTS (SELECT FROM chime.view v WHERE v.found_wrong IS NOT NULL
                                                                                  AND v.view_schema || '.' || v.relation = a.subject)))
    SELECT f.rule, f.subject, format('alert %s fires since %s: %s', concat_ws(' ', f.rule, nullif(f.subject, '')),
                                     to_char(f.fired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), f.summary),
           CASE WHEN f.own THEN 'mend what its condition looks at: pgchime alerts rules' ELSE format(f.way_out, chime.shell_word(f.subject)) END
    FROM firing f WHERE f.place <= 10
    UNION ALL
    SELECT f.rule, NULL, format('%s more alerts %s fire', count(*), f.rule), 'pgchime alerts lists them'
    FROM firing f WHERE f.place > 10 GROUP BY f.rule
    UNION ALL
    SELECT 'alerts-failing', NULL, format('%s of the %s rules of alerts that every database has are not written: no alert of these fires',
                                          count(*) FILTER (WHERE r.name IS NULL), count(*)),
           'pgchime reload writes them again; where it does not, the daemon''s log says why'
    FROM chime.standard_rules() AS s LEFT JOIN chime.alert_rule r ON r.name = s.name
    WHERE EXISTS (SELECT FROM chime.leader l WHERE l.since < now() - interval '1 minute') AND chime.led()
    HAVING count(*) FILTER (WHERE r.name IS NULL) > 0
    UNION ALL
    SELECT 'alerts-failing', NULL, format('%s of alerts %s not as the leader wrote %s: %s%s', CASE count(*) WHEN 1 THEN 'a rule' ELSE count(*) || ' rules' END,
                                          CASE count(*) WHEN 1 THEN 'is' ELSE 'are' END, CASE count(*) WHEN 1 THEN 'it' ELSE 'them' END,
                                          array_to_string((array_agg(r.name || CASE WHEN r.enabled THEN '' ELSE ' (off)' END ORDER BY r.name))[1:5], ', '),
                                          CASE WHEN count(*) > 5 THEN ', ...' END),
           'its next look, within 10 s, writes them again; while looks fail, pgchime reload does; to switch a rule off for good, write it into conf.d'
    FROM chime.alert_rule r
    WHERE r.written IS DISTINCT FROM chime.rule_hash(r.name, r.about, r.plugin, r.view_schema, r.condition, r.severity, r.hold, r.enabled)
      AND EXISTS (SELECT FROM chime.leader l WHERE l.since < now() - interval '1 minute') AND chime.led()
    HAVING count(*) > 0;
END;
COMMENT ON FUNCTION chime.alert_problems IS 'alerts that fire and are not silenced, each with what mends it; those whose subject has a finding of its own are left out; and rules that are not as the leader wrote them';
