-- SPDX-License-Identifier: PostgreSQL
-- Alerts: what is wrong, told once, until it is right again. The leader looks every few seconds, on a session of its
-- own, without the leader's row (chime.alerts_found, chime.look_at_condition); what follows from it is one statement
-- under its token (chime.note_alerts), so that one leader decides, and a transition is on record in the transaction
-- that decides it. A crash in between loses nothing: the next look finds the same.

CREATE TABLE chime.alert_rule (
    name        text PRIMARY KEY,
    about       text NOT NULL,
    plugin      text,
    view_schema name,
    condition   text,
    severity    text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    hold        interval NOT NULL CHECK (hold >= interval '0'),
    enabled     boolean NOT NULL,
    named       text[],
    vetted      text
);
COMMENT ON TABLE chime.alert_rule IS 'what is looked for, as the leader''s configuration and plugins say';
COMMENT ON COLUMN chime.alert_rule.about IS 'what a subject is: the label that carries it';
COMMENT ON COLUMN chime.alert_rule.condition IS 'a SELECT whose first column decides; names resolve in view_schema. NULL: one of chime.standard_rules()';
COMMENT ON COLUMN chime.alert_rule.named IS 'relations that the condition named when it was vetted';
COMMENT ON COLUMN chime.alert_rule.vetted IS 'what it would run looked like when it was vetted; NULL: it was not';
COMMENT ON COLUMN chime.alert_rule.hold IS 'for so long it must be found before it fires';

CREATE TABLE chime.alert (
    alert_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule             text NOT NULL,
    subject          text NOT NULL,
    severity         text NOT NULL,
    state            text NOT NULL CHECK (state IN ('pending', 'firing')),
    since            timestamptz NOT NULL,
    fired_at         timestamptz,
    changed_at       timestamptz NOT NULL,
    quiet            boolean NOT NULL DEFAULT false,
    value            double precision,
    summary          text NOT NULL,
    labels           jsonb NOT NULL,
    acknowledged_at  timestamptz,
    acknowledged_by  name,
    acknowledgement  text,
    UNIQUE (rule, subject)
);
COMMENT ON TABLE chime.alert IS 'alerts that are open: one for each rule and subject';
COMMENT ON COLUMN chime.alert.since IS 'when it was found first';
COMMENT ON COLUMN chime.alert.quiet IS 'the last look did not find it: one more such look, and it is resolved';

CREATE TABLE chime.alert_event (
    event_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id   bigint NOT NULL,
    at         timestamptz NOT NULL,
    epoch      bigint NOT NULL,
    state      text NOT NULL CHECK (state IN ('pending', 'firing', 'resolved', 'inactive')),
    rule       text NOT NULL,
    subject    text NOT NULL,
    severity   text NOT NULL,
    value      double precision,
    summary    text NOT NULL,
    labels     jsonb NOT NULL,
    silence_id bigint
);
CREATE INDEX alert_event_at ON chime.alert_event (at);
CREATE INDEX alert_event_alert ON chime.alert_event (alert_id, event_id);
COMMENT ON TABLE chime.alert_event IS 'each transition of an alert, once, for 90 days';
COMMENT ON COLUMN chime.alert_event.state IS 'what it became; inactive: it was pending, and is no longer found';
COMMENT ON COLUMN chime.alert_event.silence_id IS 'that kept it from being told; NULL: it was told';

CREATE TABLE chime.silence (
    silence_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    matchers   jsonb NOT NULL CHECK (jsonb_typeof(matchers) = 'object' AND matchers <> '{}'),
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    until      timestamptz NOT NULL,
    made_by    text NOT NULL CHECK (made_by <> ''),
    reason     text NOT NULL CHECK (reason <> ''),
    CHECK (until > since AND until <= since + interval '90 days')
);
COMMENT ON TABLE chime.silence IS 'alerts whose labels match are kept and shown, and not told, until then';
COMMENT ON COLUMN chime.silence.matchers IS '{label: value}; * in a value stands for any text. All must match';

-- Where alerts are told beside the log and NOTIFY, and what (0032).
CREATE TABLE chime.sink (
    name     text PRIMARY KEY,
    type     text NOT NULL,
    matchers jsonb NOT NULL
);
COMMENT ON TABLE chime.sink IS 'where the leader''s configuration says that alerts are told';
COMMENT ON COLUMN chime.sink.matchers IS '{label: value}, as a silence has them: it is told of alerts whose labels match';

CREATE TABLE chime.notification (
    notification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sink            text NOT NULL,
    rule            text NOT NULL,
    events          bigint[] NOT NULL,
    omitted         integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    sent_at         timestamptz,
    ended_at        timestamptz,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'expired')),
    error           text,
    CHECK ((state = 'waiting') = (ended_at IS NULL))
);
CREATE INDEX notification_waiting ON chime.notification (sink, notification_id) WHERE state = 'waiting';
CREATE INDEX notification_created ON chime.notification (created_at);
CREATE INDEX notification_told ON chime.notification (sink, rule, created_at);
COMMENT ON TABLE chime.notification IS 'messages to sinks, for 90 days';
COMMENT ON COLUMN chime.notification.events IS 'the transitions it tells of';
COMMENT ON COLUMN chime.notification.omitted IS 'further ones that it only counts';
COMMENT ON COLUMN chime.notification.sent_at IS 'while it is being sent; a leader that finds it set sends it again: the receiver may have it twice';
COMMENT ON COLUMN chime.notification.error IS 'why the last attempt failed; of one that expired, why it was given up';

-- What is over between two looks: counters of a job as they were noted last.
CREATE TABLE chime.alert_job (
    job_id        bigint PRIMARY KEY REFERENCES chime.job ON DELETE CASCADE,
    failures      bigint NOT NULL,
    rate_since    timestamptz NOT NULL,
    rate_runs     bigint NOT NULL,
    rate_failures bigint NOT NULL
);
COMMENT ON TABLE chime.alert_job IS 'jobs that ever failed: how often, as far as alerts know';
COMMENT ON COLUMN chime.alert_job.rate_since IS 'with rate_runs and rate_failures: from where the share of failures is counted, for an hour';
INSERT INTO chime.alert_job SELECT s.job_id, s.failures, '-infinity', 0, 0 FROM chime.job_state s WHERE s.failures > 0;

-- --- rules -----------------------------------------------------------------------------------------------------------

-- way_out: what mends it, with %1$s for the subject; NULL where `status` and `doctor` have a finding of their own, with
-- its own way out.
CREATE FUNCTION chime.standard_rules() RETURNS TABLE (name text, about text, severity text, hold interval, words text, way_out text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT v.name, v.about, v.severity, v.hold::interval, v.words, v.way_out FROM (VALUES
    ('job-failed', 'job', 'warning', '0', 'a run failed, timed out or was lost', NULL),
    ('job-failure-rate', 'job', 'warning', '0', 'more than 20 % of 20 runs or more within an hour failed',
     'pgchime runs %1$s --state failed,timed_out,lost lists its failures'),
    ('job-late', 'job', 'warning', '15 s', 'it was due more than a minute ago and has not started', NULL),
    ('job-overdue', 'job', 'warning', '0', 'it has not succeeded for longer than expect_success_within',
     'pgchime why %1$s says what keeps it from succeeding; pgchime run %1$s tries it now'),
    ('job-slow', 'job', 'warning', '0', 'a run takes longer than expect_duration; without one, far longer than runs of it do',
     'pgchime why %1$s says what it waits for; pgchime cancel ends the run; a longer expect_duration, if it may take so long'),
    ('job-rows', 'job', 'warning', '0', 'its last run succeeded with fewer rows than expect_rows',
     'see what its text reads; then pgchime run %1$s; a smaller expect_rows, if there may be so few'),
    ('job-skipped', 'job', 'warning', '0', '5 slots or more in a row were skipped',
     'pgchime runs %1$s --state skipped says why; a longer period, or overlap_policy = "buffer_one", skips none'),
    ('job-missed', 'job', 'warning', '0', 'slots passed while nothing led, and are not caught up',
     'pgchime run %1$s does now what was missed; with catchup = "all" it does so by itself'),
    ('job-suspended', 'job', 'critical', '0', 'it failed so often that it suspended itself', NULL),
    ('job-refused', 'job', 'warning', '0', 'the leader cannot run it', NULL),
    ('view-late', 'view', 'info', '25 s', 'it lacks changes older than warn_after', NULL),
    ('view-stale', 'view', 'warning', '25 s', 'it lacks changes older than error_after', NULL),
    ('view-refresh-slow', 'view', 'warning', '0', 'its last refresh took more than 5 s',
     'ANALYZE the tables that it reads, and give them an index for what it looks up; pgchime views says whether it is keyed, and why not;'
     ' pgchime refresh %1$s tries it now'),
    ('live-view-refresh-slow', 'view', 'warning', '5 min', 'with a target_lag of 5 s at most: its refreshes take more than 2 s',
     'ANALYZE the tables that it reads; pgchime views says whether it is keyed, and why not; pgchime refresh %1$s tries it now; else give its job a'
     ' longer target_lag'),
    ('view-refresh-failing', 'job', 'critical', '0', 'more than 3 refreshes failed one after the other', NULL),
    ('view-differs', 'view', 'critical', '0', 'a verification found other rows than its definition has',
     'pgchime verify --repair %1$s puts it right, and compares it again'),
    ('plugin-failed', 'plugin', 'warning', '0', 'it could not be installed, or one of its views not be filled', NULL),
    ('view-unfilled', 'view', 'warning', '25 s', 'it was never filled, and nothing will fill it', NULL),
    ('view-unverified', 'view', 'warning', '0', 'its last verification came to no end', NULL),
    ('history-partition', 'database', 'critical', '0', 'the history has no partition for today or tomorrow', NULL),
    ('ledger-unlogged', 'table', 'warning', '0', 'a crash of the server empties a table of the ledger', NULL),
    ('follower-differs', 'daemon', 'warning', '5 min', 'who would lead next goes by another configuration', NULL),
    ('quota-full', 'role', 'info', '0', 'it has as many jobs as it may have', NULL),
    ('sessions', 'limit', 'warning', '0', 'more than 80 % of the server''s or the role''s sessions are in use; critical from 90 %',
     'SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2 says who has them: end those that nobody needs, or raise'
     ' max_connections or the role''s limit'),
    ('events-unheard', 'database', 'warning', '25 s', 'the leader hears no notifications', NULL),
    ('queue-full', 'server', 'warning', '0', 'the queue of notifications is more than half full',
     'SELECT pid, xact_start FROM pg_stat_activity WHERE state LIKE ''idle in%%'' ORDER BY 2 says which transactions hold it up: end the oldest'),
    ('horizon', 'session', 'warning', '0', 'a transaction of more than an hour keeps change logs from shrinking',
     'end that transaction by COMMIT or ROLLBACK (COMMIT PREPARED or ROLLBACK PREPARED); SELECT pg_terminate_backend(...) ends a session that nobody'
     ' answers for'),
    ('ledger-bloat', 'table', 'info', '10 min', 'ten times as many dead rows as live ones',
     'VACUUM %1$s; where it stays, pgchime alerts says by rule horizon who keeps it'),
    ('unled', 'database', 'critical', '0', 'nobody led for more than a minute; told by who leads next',
     'a second daemon, on another machine, leads when this one does not: pgchime serve'),
    ('clock-ahead', 'job', 'warning', '0', 'it is decided up to a time to come: the clock was ahead', NULL),
    ('sink-failing', 'sink', 'warning', '0', 'what it was to be told has not been delivered for more than 5 minutes',
     'pgchime alerts test %1$s says what it answers'),
    ('condition-broken', 'condition', 'warning', '25 s', 'the condition of an alert fails, or says nothing that can be read',
     'mend alert %1$s, or what its condition names; then pgchime reload'))
    AS v (name, about, severity, hold, words, way_out);
END;
COMMENT ON FUNCTION chime.standard_rules IS 'rules that every database has; the configuration may switch one off, or give it another severity and hold';

-- [{"name", "plugin", "view_schema", "condition", "severity", "hold", "enabled"}]: rules of plugins and the
-- configuration, and, without a condition, what the configuration says of a rule that is there; the catalog refuses
-- what it says of others (core/catalog/alert_check.c). Of rules with one name the standard one counts, then the
-- plugin's.
CREATE FUNCTION chime.set_alert_rules(p_token uuid, p_rules jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(p_rules) AS g (name text, plugin text, view_schema name, condition text, severity text, hold interval,
                                                        enabled boolean)),
    base AS (
        SELECT DISTINCT ON (b.name) b.*
        FROM (SELECT s.name, s.about, NULL AS plugin, NULL::name AS view_schema, NULL AS condition, s.severity, s.hold, true AS enabled, 1 AS turn
              FROM chime.standard_rules() AS s
              UNION ALL
              SELECT g.name, 'subject', g.plugin, g.view_schema, g.condition, coalesce(g.severity, 'warning'), coalesce(g.hold, interval '0'),
                     coalesce(g.enabled, true), CASE WHEN g.plugin IS NULL THEN 2 ELSE 3 END
              FROM given g WHERE g.condition IS NOT NULL) AS b
        ORDER BY b.name, b.turn, b.plugin),
    rules AS MATERIALIZED (
        SELECT b.name, b.about, b.plugin, b.view_schema, b.condition, coalesce(o.severity, b.severity) AS severity, coalesce(o.hold, b.hold) AS hold,
               coalesce(o.enabled, b.enabled) AS enabled
        FROM base b LEFT JOIN given o ON o.name = b.name AND o.condition IS NULL),
    gone AS (
        DELETE FROM chime.alert_rule r WHERE NOT EXISTS (SELECT FROM rules x WHERE x.name = r.name))
    INSERT INTO chime.alert_rule AS r (name, about, plugin, view_schema, condition, severity, hold, enabled)
    SELECT x.name, x.about, x.plugin, x.view_schema, x.condition, x.severity, x.hold, x.enabled FROM rules x
    ON CONFLICT (name) DO UPDATE
       SET about = excluded.about, plugin = excluded.plugin, view_schema = excluded.view_schema, condition = excluded.condition,
           severity = excluded.severity, hold = excluded.hold, enabled = excluded.enabled, named = NULL, vetted = NULL
     WHERE r IS DISTINCT FROM excluded;
END $$;
COMMENT ON FUNCTION chime.set_alert_rules IS 'what the leader''s configuration and plugins look for';

-- --- what is wrong ---------------------------------------------------------------------------------------------------

-- Of each owner a hundred for each rule: nobody's many hide another's one. The leader ends a session that answers with
-- more than 16 MB: what many say is cut.
CREATE FUNCTION chime.jobs_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text, job_id bigint,
                                                  failures bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH active AS MATERIALIZED (
        SELECT j.job_id, j.name, j.owner, j.schedule, j.views, j.problem, s.runs, s.failures, s.consecutive_failures, s.last_slot, s.suspended_at,
               s.suspended_by, s.suspend_reason
        FROM chime.job j JOIN chime.job_state s USING (job_id)
        WHERE j.active AND (s.failures > 0 OR s.consecutive_failures > 0 OR s.suspended_at IS NOT NULL OR j.problem IS NOT NULL
                            OR s.last_slot > clock_timestamp() + interval '1 minute')),
    expecting AS MATERIALIZED (
        SELECT j.name, j.owner, greatest(s.last_success, j.since) AS good_at, s.last_duration_us / 1e6 AS took, s.last_rows, s.last_outcome,
               s.skipped_in_a_row, r.claimed_at AS running_since,
               chime.duration_us(j.options ->> 'expect_success_within') / 1e6 AS within, (j.options ->> 'expect_rows')::bigint AS rows,
               chime.duration_us(j.options ->> 'expect_duration') / 1e6 AS duration,
               CASE WHEN s.successes >= 20 THEN (s.typical_us + 6 * s.spread_us) / 1e6 + 30 END AS usual
        FROM chime.job j JOIN chime.job_state s USING (job_id)
        LEFT JOIN LATERAL (SELECT max(r.claimed_at) AS claimed_at FROM chime.run r
                           WHERE r.job_id = j.job_id AND r.pid IS NOT NULL AND r.done_at IS NULL) AS r ON true
        WHERE j.active AND s.suspended_at IS NULL
          AND (s.skipped_in_a_row >= 5 OR r.claimed_at IS NOT NULL OR coalesce(j.options ->> 'expect_success_within', 'none') <> 'none'
               OR coalesce(j.options ->> 'expect_duration', 'none') <> 'none' OR coalesce(j.options ->> 'expect_rows', '0') <> '0')),
    found AS (
        SELECT 'job-failed' AS rule, j.name, j.owner, j.consecutive_failures::double precision AS value,
               CASE WHEN j.consecutive_failures = 0
                    THEN format('it failed %s times since the look before; its last run succeeded', j.failures - coalesce(a.failures, 0)) END AS summary,
               j.job_id, j.failures
        FROM active j LEFT JOIN chime.alert_job a USING (job_id)
        WHERE j.failures > coalesce(a.failures, 0) OR j.consecutive_failures > 0 AND j.suspended_at IS NULL
        UNION ALL
        SELECT 'job-failure-rate', j.name, j.owner, 100.0 * (j.failures - a.rate_failures) / (j.runs - a.rate_runs),
               format('%s of %s runs failed since %s', j.failures - a.rate_failures, j.runs - a.rate_runs,
                      to_char(a.rate_since AT TIME ZONE 'UTC', 'HH24:MI"Z"')), NULL, NULL
        FROM chime.alert_job a JOIN active j USING (job_id)
        WHERE a.rate_since > now() - interval '1 hour' AND j.runs - a.rate_runs >= 20 AND j.failures - a.rate_failures > 0.2 * (j.runs - a.rate_runs)
        UNION ALL
        SELECT 'view-refresh-failing', j.name, j.owner, j.consecutive_failures, NULL, j.job_id, NULL
        FROM active j WHERE j.views <> '{}' AND j.consecutive_failures > 3 AND j.suspended_at IS NULL
        UNION ALL
        SELECT 'job-overdue', e.name, e.owner, extract(epoch FROM now() - e.good_at), format('no success since %s',
                   to_char(e.good_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')), NULL, NULL
        FROM expecting e WHERE extract(epoch FROM now() - e.good_at) > e.within
        UNION ALL
        SELECT 'job-slow', e.name, e.owner, t.took, format('its %s has taken %s s; %s s are %s', CASE WHEN t.goes_on THEN 'run' ELSE 'last run' END,
                   round(t.took), round(coalesce(e.duration, e.usual)::numeric, 1), CASE WHEN e.duration IS NULL THEN 'usual at most' ELSE 'expected' END),
               NULL, NULL
        FROM expecting e CROSS JOIN LATERAL (
            SELECT extract(epoch FROM clock_timestamp() - e.running_since) AS took, true AS goes_on
            UNION ALL SELECT e.took, false WHERE e.duration IS NOT NULL AND e.last_outcome = 'succeeded' AND e.running_since IS NULL) AS t
        WHERE t.took > coalesce(e.duration, e.usual)
        UNION ALL
        SELECT 'job-rows', e.name, e.owner, e.last_rows, format('its last run had %s rows; %s or more are expected', e.last_rows, e.rows), NULL, NULL
        FROM expecting e WHERE e.last_outcome = 'succeeded' AND e.last_rows < e.rows
        UNION ALL
        SELECT 'job-skipped', e.name, e.owner, e.skipped_in_a_row, format('%s slots in a row were skipped', e.skipped_in_a_row), NULL, NULL
        FROM expecting e WHERE e.skipped_in_a_row >= 5
        UNION ALL
        SELECT 'job-missed', j.name, j.owner, sum(m.slots), format('%s slots, the last at %s: %s', sum(m.slots),
                   to_char(max(m.last_slot) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), (array_agg(m.reason ORDER BY m.last_slot DESC))[1]), NULL, NULL
        FROM chime.missed m JOIN chime.job j USING (job_id)
        WHERE m.recorded_at > now() - interval '5 minutes' AND m.reason ~ 'nothing led' AND j.active
        GROUP BY j.name, j.owner
        UNION ALL
        SELECT 'job-suspended', j.name, j.owner, NULL, format('suspended since %s: %s',
                   to_char(j.suspended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), j.suspend_reason), NULL, NULL
        FROM active j WHERE j.suspended_at IS NOT NULL AND j.suspended_by IS NULL
        UNION ALL
        SELECT 'job-refused', j.name, j.owner, NULL, split_part(j.problem, E'\n', 1), NULL, NULL
        FROM active j WHERE j.problem IS NOT NULL
        UNION ALL
        SELECT 'clock-ahead', j.name, j.owner, extract(epoch FROM j.last_slot - clock_timestamp()),
               format('decided up to %s', to_char(j.last_slot AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"')), NULL, NULL
        FROM active j WHERE j.schedule <> '' AND j.last_slot > clock_timestamp() + interval '1 minute')
    SELECT w.rule, w.name, NULL, w.value, regexp_replace(left(w.words, CASE WHEN count(*) OVER () > 2000 THEN 100 ELSE 1000 END), '[\x01-\x1f\x7f]', ' ', 'g'),
           w.job_id, w.failures
    FROM (SELECT t.*, coalesce(t.summary, chime.failure_words(t.job_id), format('%s runs in a row failed', t.value)) AS words
          FROM (SELECT f.*, row_number() OVER (PARTITION BY f.rule, f.owner ORDER BY f.name) AS place FROM found f) AS t
          WHERE t.place <= 100) AS w;
END;

CREATE FUNCTION chime.views_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT CASE f.freshness WHEN 'warn' THEN 'view-late' ELSE 'view-stale' END, f.view_schema || '.' || f.relation, NULL,
           extract(epoch FROM f.behind), format(CASE WHEN f.pending THEN 'it lacks a change, of %s ago at most; %s are allowed'
                                                     ELSE 'it may lack what changed in the last %s; %s are allowed' END,
                                                date_trunc('second', f.behind), CASE f.freshness WHEN 'warn' THEN f.warn_after ELSE f.error_after END)
    FROM chime.view_freshness() AS f WHERE f.freshness IN ('warn', 'stale')
    UNION ALL
    SELECT 'view-refresh-slow', r.view_schema || '.' || r.relation, NULL, r.duration_us / 1e6,
           format('its last refresh took %s s: %s', round(r.duration_us / 1e6, 1), coalesce(r.reason, r.method))
    FROM chime.view_refresh r WHERE r.duration_us > 5000000 AND r.refreshed_at > now() - interval '1 day'
    UNION ALL
    SELECT 'live-view-refresh-slow', r.view_schema || '.' || r.relation, NULL, r.duration_us / 1e6,
           format('its last refresh took %s s, and it is to be no more than %s behind', round(r.duration_us / 1e6, 1), t.target_lag)
    FROM chime.view_refresh r JOIN chime.view_thresholds() AS t USING (view_schema, relation)
    WHERE r.duration_us > 2000000 AND t.target_lag <= interval '5 s'
    UNION ALL
    SELECT 'view-differs', v.view_schema || '.' || v.relation, NULL, l.missing + l.surplus,
           coalesce(v.found_wrong, format('%s rows were missing and %s surplus at %s, %s', l.missing, l.surplus,
               to_char(l.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), CASE WHEN l.repaired THEN 'repaired' ELSE 'not repaired' END))
    FROM chime.view v LEFT JOIN LATERAL (
        SELECT n.* FROM chime.verification n WHERE n.view_schema = v.view_schema AND n.relation = v.relation AND n.missing IS NOT NULL
        ORDER BY n.verified_at DESC LIMIT 1) AS l ON l.missing + l.surplus > 0
    WHERE v.found_wrong IS NOT NULL OR l.verified_at > now() - interval '1 hour' OR l.missing + l.surplus > 0 AND NOT l.repaired
    UNION ALL
    SELECT 'plugin-failed', p.name, NULL, NULL, p.reason FROM chime.plugin_status p WHERE p.state = 'failed';
END;

CREATE FUNCTION chime.server_found() RETURNS TABLE (rule text, subject text, severity text, value double precision, summary text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'sessions', u.what, CASE WHEN u.used > 0.9 * u.most THEN 'critical' END, 100.0 * u.used / u.most,
           format('%s of %s sessions are in use', u.used, u.most)
    FROM (SELECT 'max_connections' AS what, count(*) AS used, current_setting('max_connections')::bigint AS most
          FROM pg_stat_activity a WHERE a.backend_type = 'client backend'
          UNION ALL
          SELECT 'role ' || r.rolname, (SELECT count(*) FROM pg_stat_activity a WHERE a.usename = r.rolname), r.rolconnlimit
          FROM pg_roles r WHERE r.rolname = current_user AND r.rolconnlimit > 0) AS u
    WHERE u.used > 0.8 * u.most
    UNION ALL
    SELECT 'events-unheard', '', NULL, extract(epoch FROM clock_timestamp() - w.since), w.reason
    FROM chime.listener w WHERE w.state = 'degraded'
    UNION ALL
    SELECT 'sink-failing', n.sink, NULL, count(*), format('%s messages wait, the oldest since %s: %s', count(*),
               to_char(min(n.created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), coalesce(max(n.error), 'it does not answer'))
    FROM chime.notification n WHERE n.state = 'waiting'
    GROUP BY n.sink HAVING min(n.created_at) FILTER (WHERE n.attempts > 0) < clock_timestamp() - interval '5 minutes'
    UNION ALL
    SELECT 'queue-full', '', NULL, 100 * q.usage, format('%s %% of it is in use', round((100 * q.usage)::numeric))
    FROM pg_notification_queue_usage() AS q (usage) WHERE q.usage > 0.5
    UNION ALL
    SELECT 'horizon', h.who, NULL, extract(epoch FROM now() - h.since), format('open since %s; what it could still see is kept',
               to_char(h.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'))
    FROM (SELECT format('session %s of %s', a.pid, a.usename) AS who, a.xact_start AS since
          FROM pg_stat_activity a WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
          UNION ALL
          SELECT format('prepared transaction %s', p.gid), p.prepared FROM pg_prepared_xacts p WHERE p.database = current_database()) AS h
    WHERE h.since < now() - interval '1 hour' AND EXISTS (SELECT FROM chime.source)
    UNION ALL
    SELECT 'ledger-bloat', 'chime.' || t.relname, NULL, t.n_dead_tup, format('%s dead rows, %s live ones', t.n_dead_tup, t.n_live_tup)
    FROM pg_stat_user_tables t
    WHERE t.schemaname = 'chime' AND t.relname IN ('run', 'job_state', 'view_refresh', 'leader', 'alert')
      AND t.n_dead_tup > 10000 AND t.n_dead_tup > 10 * t.n_live_tup
    UNION ALL
    SELECT 'unled', '', NULL, extract(epoch FROM l.since - p.until), format('nobody led from %s to %s',
               to_char(p.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), to_char(l.since AT TIME ZONE 'UTC', 'HH24:MI:SS"Z"'))
    FROM chime.leader l CROSS JOIN LATERAL (
        SELECT b.until, b.resigned FROM chime.leadership b WHERE b.epoch < l.epoch ORDER BY b.epoch DESC LIMIT 1) AS p
    WHERE l.since > now() - interval '5 minutes' AND p.resigned AND l.since - p.until > interval '1 minute';
END;
COMMENT ON FUNCTION chime.jobs_found IS 'what standard rules find of jobs now; job_id and failures: the count that a failure was found by';
COMMENT ON FUNCTION chime.views_found IS 'what standard rules find of views and plugins now';
COMMENT ON FUNCTION chime.server_found IS 'what standard rules find of the server, the leader and the ledger now';

-- What `status` and `doctor` say, and alerts tell, of views that are kept. Views that nothing will fill: their jobs are
-- suspended, or none is active. What could not be filled has failed its plugin.
CREATE FUNCTION chime.view_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'view-unfilled', r.view_schema || '.' || r.relation,
           format('view %s.%s has never been filled: %s', r.view_schema, r.relation,
                  coalesce('job ' || min(j.name) || ' is suspended', 'no active job refreshes it')),
           format('pgchime refresh %s.%s fills it now', r.view_schema, r.relation)
    FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)
    JOIN chime.plugin p ON p.name = v.plugin AND p.state = 'installed'
    LEFT JOIN chime.job j ON j.active AND r.view_schema || '.' || r.relation = ANY (j.views)
    LEFT JOIN chime.job_state s ON s.job_id = j.job_id
    WHERE r.refreshed_at IS NULL
    GROUP BY r.view_schema, r.relation
    HAVING bool_and(s.suspended_at IS NOT NULL) IS NOT FALSE OR count(j.job_id) = 0
    UNION ALL
    SELECT 'view-unverified', v.view_schema || '.' || v.relation,
           format('view %s.%s could not be verified at %s: %s', v.view_schema, v.relation,
                  to_char(l.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), split_part(l.error, E'\n', 1)),
           'mend that; pgchime run verify-views verifies all views now'
    FROM chime.view v CROSS JOIN LATERAL (
        SELECT n.verified_at, n.error FROM chime.verification n
        WHERE n.view_schema = v.view_schema AND n.relation = v.relation ORDER BY n.verified_at DESC LIMIT 1) AS l
    WHERE l.error IS NOT NULL;
END;
COMMENT ON FUNCTION chime.view_problems IS 'what is wrong with views of themselves, each with what mends it';

-- Likewise of the ledger. The leader makes the history's partitions a week ahead, as it begins to lead and every hour.
-- Of what is unlogged the server writes no log, so neither a crash nor a standby keeps its rows.
CREATE FUNCTION chime.ledger_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT 'history-partition', '',
           format('the history has no partition for %s, and the leader could not make it', string_agg(w.day::text, ', ')),
           'its log says why, and it tries again every hour; who holds the history: SELECT pid, mode FROM pg_locks'
           ' WHERE relation = ''chime.run_history''::regclass'
    FROM chime.leader l CROSS JOIN chime.history_work(interval '100 years') AS w
    WHERE w.makes AND w.day <= (now() AT TIME ZONE 'UTC')::date + 1 AND l.since < now() - interval '10 minutes' AND chime.led()
    HAVING count(*) > 0
    UNION ALL
    SELECT 'ledger-unlogged', 'chime.' || quote_ident(c.relname),
           format('a crash of the server or a failover empties what is unlogged: chime.%I', c.relname),
           format('ALTER TABLE chime.%I SET LOGGED', c.relname)
    FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'u'
    UNION ALL
    SELECT 'follower-differs', f.name, format('%s follows with another configuration than %s, who leads', f.name, s.instance),
           'a takeover would change what runs: bring both configurations to the same, then pgchime reload on each'
    FROM chime.leader_status s CROSS JOIN LATERAL unnest(s.differing) AS f (name) WHERE s.alive
    UNION ALL
    SELECT 'quota-full', q.role, format('role %s has %s active jobs of %s that it may have, and %s of %s with the others', q.role, q.jobs, q.max_jobs,
                                        q.all_jobs, 10 * q.max_jobs::bigint),
           'chime.schedule refuses it more: it makes some inactive or unschedules them, or max_jobs of its entry in roles is raised'
    FROM chime.full_quotas() AS q;
END;
COMMENT ON FUNCTION chime.ledger_problems IS 'what is wrong with the ledger and around it, each with what mends it';

-- found: as chime.note_alerts takes it; NULL: nothing. open: there are alerts that may end.
CREATE FUNCTION chime.look_at_alerts(OUT found jsonb, OUT open boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    SELECT (SELECT jsonb_agg(to_jsonb(f))
            FROM (SELECT * FROM chime.jobs_found()
                  UNION ALL SELECT v.*, NULL, NULL FROM chime.views_found() AS v
                  UNION ALL SELECT s.*, NULL, NULL FROM chime.server_found() AS s
                  UNION ALL SELECT p.rule, p.subject, NULL, NULL, p.message, NULL, NULL FROM chime.view_problems() AS p
                  UNION ALL SELECT p.rule, p.subject, NULL, NULL, p.message, NULL, NULL FROM chime.ledger_problems() AS p) AS f),
           EXISTS (SELECT FROM chime.alert);
END;
COMMENT ON FUNCTION chime.look_at_alerts IS 'one look of the leader''s, but for conditions, on a session that may not write';

CREATE FUNCTION chime.alert_conditions() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.name FROM chime.alert_rule r LEFT JOIN chime.plugin p ON p.name = r.plugin
    WHERE r.condition IS NOT NULL AND r.enabled AND (r.plugin IS NULL OR p.state = 'installed') ORDER BY r.name;
END;
COMMENT ON FUNCTION chime.alert_conditions IS 'rules that have a condition to be looked at now';

CREATE FUNCTION chime.condition_reach(p_named text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN chime.reach_of(chime.oids_named(p_named)) || chime.names_reach();
COMMENT ON FUNCTION chime.condition_reach IS 'what roles that are not trusted could have changed of what a condition runs';

-- A condition runs as the daemon's role, as a definition does, and so is vetted as one: see chime.note_vetted.
CREATE FUNCTION chime.vet_condition(p_rule chime.alert_rule, p_search_path text, p_condition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_before text := chime.condition_reach(p_rule.named);
    v_named text[];
BEGIN
    IF p_rule.vetted = v_before THEN
        RETURN;
    END IF;
    FOR v_look IN 1..2 LOOP
        SELECT f.named INTO v_named
          FROM chime.vet_parsed(format('alert %s', p_rule.name), chime.parse_query(p_search_path, p_condition, NULL, NULL)) AS f;
        EXIT WHEN v_named = p_rule.named;
        p_rule.named := v_named;
        v_before := CASE v_look WHEN 1 THEN chime.condition_reach(v_named) END;
    END LOOP;
    UPDATE chime.alert_rule r SET named = v_named, vetted = v_before WHERE r.name = p_rule.name;
END $$;
COMMENT ON FUNCTION chime.vet_condition IS 'refuses a condition that reaches code of an owner whom nobody trusts, where that looks otherwise than when it was vetted';

-- One row of a condition. Whose table it reads may write anything into it: so here it is cut, and a value is none that
-- no double precision can be.
CREATE FUNCTION chime.condition_found(p_rule text, p_holds json, p_row json) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value numeric := CASE json_typeof(p_row -> 'value') WHEN 'number' THEN (p_row ->> 'value')::numeric END;
BEGIN
    IF json_typeof(p_holds) <> 'boolean' THEN
        RAISE EXCEPTION 'its first column is a %, not a boolean', json_typeof(p_holds)
            USING ERRCODE = 'datatype_mismatch', HINT = 'the first column says whether it holds: SELECT depth > 100, ... FROM ...';
    END IF;
    RETURN jsonb_build_object('rule', p_rule, 'subject', left(p_row ->> 'subject', 255), 'summary', left(p_row ->> 'summary', 1000),
                              'value', CASE WHEN v_value = 0 OR abs(v_value) BETWEEN 1e-300 AND 1e300 THEN v_value END);
END $$;
COMMENT ON FUNCTION chime.condition_found IS 'what a row of a condition finds, as chime.note_alerts takes it';

-- Raises what the condition raises: its rule is broken then. The first column decides; subject, value and summary go by
-- their names. Rows that say no are left out where they are read, however many they are.
CREATE FUNCTION chime.look_at_condition(p_rule text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_rule chime.alert_rule;
    v_path text;
    v_condition text;
    v_found jsonb[];
    v_hint text;
BEGIN
    SELECT * INTO v_rule FROM chime.alert_rule r WHERE r.name = p_rule;
    v_path := format('%I, pg_temp', v_rule.view_schema);
    v_condition := rtrim(v_rule.condition, E'; \n\t');
    PERFORM chime.vet_condition(v_rule, v_path, v_condition);
    PERFORM set_config('transaction_read_only', 'on', true);
    PERFORM set_config('search_path', v_path, true);
    EXECUTE format(E'SELECT pg_catalog.array_agg(chime.condition_found(%L, r.holds, r.row)) FROM ('
                   'SELECT pg_catalog.to_json(q.pgchime_holds) AS holds, pg_catalog.row_to_json(q) AS row FROM (%s\n) AS q (pgchime_holds)'
                   ' WHERE pg_catalog.to_json(q.pgchime_holds)::pg_catalog.text OPERATOR(pg_catalog.<>) ''false'' LIMIT 10000) AS r',
                   p_rule, v_condition) INTO v_found;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN (SELECT jsonb_agg(t.found) FROM (SELECT f.found FROM unnest(v_found) AS f (found) ORDER BY f.found ->> 'subject' LIMIT 100) AS t);
EXCEPTION WHEN OTHERS THEN -- in words that may quote what it read
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING MESSAGE = left(SQLERRM, 1000), ERRCODE = SQLSTATE, HINT = left(v_hint, 1000);
END $$;
COMMENT ON FUNCTION chime.look_at_condition IS 'where a condition of a plugin or of the configuration holds now, as chime.note_alerts takes it';

-- --- transitions -----------------------------------------------------------------------------------------------------

CREATE FUNCTION chime.labels_match(p_matchers jsonb, p_labels jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN NOT EXISTS (SELECT FROM jsonb_each_text(p_matchers) AS m (label, value)
                   WHERE coalesce(p_labels ->> m.label, '') NOT LIKE replace(regexp_replace(m.value, '([\\%_])', '\\\1', 'g'), '*', '%'));
COMMENT ON FUNCTION chime.labels_match IS 'whether all matchers {label: value} fit; * in a value stands for any text';

CREATE FUNCTION chime.silenced(p_labels jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT s.silence_id FROM chime.silence s
        WHERE clock_timestamp() BETWEEN s.since AND s.until AND chime.labels_match(s.matchers, p_labels)
        ORDER BY s.until DESC LIMIT 1);
COMMENT ON FUNCTION chime.silenced IS 'the silence that holds for an alert with these labels now; NULL: none';

-- What looks found, [{"rule", "subject", "severity", "value", "summary", "job_id", "failures"}] each, and by which
-- rules: what another rule found before stays. Told are transitions, each once, in the transaction that made it.
CREATE FUNCTION chime.note_alerts(p_token uuid, p_found jsonb[], p_looked text[])
RETURNS TABLE (state text, rule text, subject text, severity text, summary text, silenced boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_now timestamptz := clock_timestamp();
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
               rate_since = CASE WHEN a.rate_since > v_now - interval '1 hour' THEN a.rate_since ELSE excluded.rate_since END,
               rate_runs = CASE WHEN a.rate_since > v_now - interval '1 hour' THEN a.rate_runs ELSE excluded.rate_runs END,
               rate_failures = CASE WHEN a.rate_since > v_now - interval '1 hour' THEN a.rate_failures ELSE excluded.rate_failures END),
    found AS MATERIALIZED (
        SELECT DISTINCT ON (r.name, left(coalesce(g.subject, ''), 255))
               r.name AS rule, left(coalesce(g.subject, ''), 255) AS subject, coalesce(g.severity, r.severity) AS severity, g.value,
               left(coalesce(nullif(g.summary, ''), 'its condition holds'), 1000) AS summary, r.hold, r.about, r.plugin
        FROM given g JOIN chime.alert_rule r ON r.name = g.rule AND r.enabled
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
           SET state = CASE WHEN a.since + f.hold <= v_now THEN 'firing' ELSE a.state END,
               fired_at = CASE WHEN a.state = 'pending' AND a.since + f.hold <= v_now OR a.state = 'firing' AND a.severity <> f.severity THEN v_now
                               ELSE a.fired_at END,
               severity = f.severity, labels = a.labels || jsonb_build_object('severity', f.severity), quiet = false, value = f.value,
               summary = f.summary, changed_at = v_now
          FROM found f
         WHERE f.rule = a.rule AND f.subject = a.subject
           AND (a.quiet OR a.severity <> f.severity OR a.state = 'pending' AND a.since + f.hold <= v_now
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
CREATE FUNCTION chime.notify_alerts(p_at timestamptz) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_notify('chime_alerts', jsonb_build_object('event', e.event_id, 'state', e.state, 'alertname', e.rule, 'severity', e.severity)::text)
    FROM chime.alert_event e
    WHERE e.at = p_at AND e.state IN ('firing', 'resolved') AND e.silence_id IS NULL AND pg_notification_queue_usage() < 0.9
    ORDER BY e.event_id;
END;
COMMENT ON FUNCTION chime.notify_alerts IS 'notifies chime_alerts of what fired or was resolved at that instant and is not silenced: {"event", "state", "alertname", "severity"}';

CREATE VIEW chime.alerts WITH (security_invoker = true) AS
SELECT a.alert_id, a.state, a.severity, a.rule, a.subject, a.since, a.fired_at, a.value, a.summary, a.labels, chime.silenced(a.labels) AS silence_id,
       a.acknowledged_at, a.acknowledged_by, a.acknowledgement
FROM chime.alert a;
COMMENT ON VIEW chime.alerts IS 'alerts that are open, with the silence that holds for each now';

-- Alerts that fire and that nobody silenced, of rules for which nothing else is said. Of each rule ten are named: many
-- of one hide no other.
CREATE FUNCTION chime.alert_problems() RETURNS TABLE (rule text, subject text, message text, way_out text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET jit = off
BEGIN ATOMIC
    WITH firing AS MATERIALIZED (
        SELECT a.*, s.name IS NULL AS own, s.way_out, row_number() OVER (PARTITION BY a.rule ORDER BY a.fired_at, a.alert_id) AS place
        FROM chime.alerts a LEFT JOIN chime.standard_rules() AS s ON s.name = a.rule
        WHERE a.state = 'firing' AND a.silence_id IS NULL AND (s.name IS NULL OR s.way_out IS NOT NULL)
          AND NOT (a.rule = 'view-differs' AND EXISTS (SELECT FROM chime.view v WHERE v.found_wrong IS NOT NULL
                                                                                  AND v.view_schema || '.' || v.relation = a.subject)))
    SELECT f.rule, f.subject, format('alert %s fires since %s: %s', concat_ws(' ', f.rule, nullif(f.subject, '')),
                                     to_char(f.fired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), f.summary),
           CASE WHEN f.own THEN 'mend what its condition looks at: pgchime alerts rules' ELSE format(f.way_out, f.subject) END
    FROM firing f WHERE f.place <= 10
    UNION ALL
    SELECT f.rule, NULL, format('%s more alerts %s fire', count(*), f.rule), 'pgchime alerts lists them'
    FROM firing f WHERE f.place > 10 GROUP BY f.rule;
END;
COMMENT ON FUNCTION chime.alert_problems IS 'alerts that fire and are not silenced, each with what mends it; those whose subject has a finding of its own are left out';

REVOKE ALL ON FUNCTION chime.standard_rules(), chime.set_alert_rules(uuid, jsonb), chime.jobs_found(), chime.views_found(), chime.server_found(),
    chime.view_problems(), chime.ledger_problems(), chime.alert_problems(),
    chime.look_at_alerts(), chime.alert_conditions(), chime.condition_reach(text[]), chime.vet_condition(chime.alert_rule, text, text),
    chime.condition_found(text, json, json), chime.look_at_condition(text), chime.labels_match(jsonb, jsonb), chime.silenced(jsonb), chime.note_alerts(uuid, jsonb[], text[]),
    chime.notify_alerts(timestamptz) FROM PUBLIC;
SELECT chime.keep_ledger_private();
