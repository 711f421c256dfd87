-- SPDX-License-Identifier: PostgreSQL
-- Sinks: where alerts are sent, beside the log and NOTIFY. One transaction (chime.note_alerts) records the alerts and
-- queues their messages. The leader sends the messages, and records how that ended. A message has an alert's rule for
-- its group; those of one sink and rule go out in their order. Addresses and secrets are the configuration's: none of
-- them is here.

-- [{"name", "type", "matchers"}]: what waits for a sink that is gone expires.
CREATE OR REPLACE FUNCTION chime.set_sinks(p_token uuid, p_sinks jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.sink s WHERE NOT EXISTS (SELECT FROM jsonb_to_recordset(p_sinks) AS g (name text) WHERE g.name = s.name);
    INSERT INTO chime.sink AS s (name, type, matchers)
    SELECT g.name, g.type, coalesce(g.matchers, '{}') FROM jsonb_to_recordset(p_sinks) AS g (name text, type text, matchers jsonb)
    ON CONFLICT (name) DO UPDATE SET type = excluded.type, matchers = excluded.matchers WHERE s IS DISTINCT FROM excluded;
    UPDATE chime.notification n SET state = 'expired', ended_at = clock_timestamp(), sent_at = NULL, error = 'its sink is no longer configured'
     WHERE n.state = 'waiting' AND NOT EXISTS (SELECT FROM chime.sink s WHERE s.name = n.sink);
END $$;
COMMENT ON FUNCTION chime.set_sinks IS 'the sinks of the leader''s configuration';

-- Each transition of that instant is told once, and what goes on firing again every 4 h until somebody acknowledges it:
-- an Alertmanager, which forgets what it does not hear of, every minute. So a sink that is new, or a silence that is
-- over, is told of what fires already.
CREATE OR REPLACE FUNCTION chime.queue_notifications(p_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM chime.sink) THEN
        RETURN;
    END IF;
    WITH firing AS MATERIALIZED (
        SELECT l.event_id, a.rule, a.severity, a.labels, a.acknowledged_at, a.fired_at
        FROM chime.alerts a CROSS JOIN LATERAL (
            SELECT max(e.event_id) AS event_id FROM chime.alert_event e
            WHERE e.alert_id = a.alert_id AND e.state = 'firing' AND e.at >= a.fired_at) AS l
        WHERE a.state = 'firing' AND a.silence_id IS NULL),
    told AS (
        SELECT s.name AS sink, e.rule, e.severity, e.event_id
        FROM chime.alert_event e JOIN chime.sink s -- also who was told of it while its severity was lower
            ON chime.labels_match(s.matchers, e.labels)
               OR EXISTS (SELECT FROM chime.alert_event f WHERE f.alert_id = e.alert_id AND f.state = 'firing' AND chime.labels_match(s.matchers, f.labels))
        WHERE e.at = p_at AND e.state = 'resolved' AND e.silence_id IS NULL AND NOT (e.rule = 'sink-failing' AND e.subject = s.name)
        UNION ALL
        SELECT s.name, f.rule, f.severity, f.event_id
        FROM firing f JOIN chime.sink s ON chime.labels_match(s.matchers, f.labels)
        CROSS JOIN LATERAL (
            SELECT CASE WHEN s.type = 'alertmanager' THEN p_at - interval '50 s' WHEN f.acknowledged_at IS NULL THEN p_at - interval '4 h'
                        ELSE f.fired_at - interval '2 days' END AS since) AS again -- a message that it joined waited for a day at most
        WHERE NOT (f.rule = 'sink-failing' AND f.labels ->> 'sink' = s.name)
          AND NOT EXISTS (SELECT FROM chime.notification n
                          WHERE n.sink = s.name AND n.rule = f.rule AND n.created_at > again.since AND n.created_at <= p_at AND f.event_id = ANY (n.events) OFFSET 0)
          AND NOT EXISTS (SELECT FROM chime.notification n
                          WHERE n.sink = s.name AND n.rule = f.rule AND n.state = 'waiting' AND f.event_id = ANY (n.events) OFFSET 0)),
    grouped AS MATERIALIZED (
        SELECT t.sink, t.rule, array_agg(t.event_id ORDER BY t.event_id) AS events, bool_or(t.severity = 'critical') AS urgent
        FROM told t GROUP BY t.sink, t.rule),
    joined AS (
        UPDATE chime.notification n
           SET events = (n.events || g.events)[:1000], omitted = n.omitted + greatest(cardinality(n.events) + cardinality(g.events) - 1000, 0),
               due_at = CASE WHEN g.urgent THEN least(n.due_at, p_at) ELSE n.due_at END
          FROM grouped g
         WHERE n.sink = g.sink AND n.rule = g.rule AND n.state = 'waiting' AND n.attempts = 0
        RETURNING n.sink, n.rule)
    INSERT INTO chime.notification (sink, rule, events, omitted, created_at, due_at)
    SELECT g.sink, g.rule, g.events[:1000], greatest(cardinality(g.events) - 1000, 0), p_at,
           CASE WHEN g.urgent THEN p_at
                ELSE greatest(p_at + interval '10 s', (SELECT max(n.created_at) + interval '1 min' FROM chime.notification n
                                                       WHERE n.sink = g.sink AND n.rule = g.rule AND n.created_at BETWEEN p_at - interval '1 min' AND p_at)) END
    FROM grouped g WHERE NOT EXISTS (SELECT FROM joined j WHERE j.sink = g.sink AND j.rule = g.rule);
END $$;
COMMENT ON FUNCTION chime.queue_notifications IS 'what sinks are to be told after a look: of chime.note_alerts';

-- In the form that Alertmanager sends webhooks: fifty transitions at most, the rest is counted. An Alertmanager, which
-- people do not read, is told 1,000. Of each owner of jobs as many as of the others: nobody's many hide another's one.
CREATE OR REPLACE FUNCTION chime.notification_body(p_id bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'version', '4', 'receiver', n.sink, 'groupKey', format('%s:%s', current_database(), n.rule),
        'groupLabels', jsonb_build_object('alertname', n.rule, 'database', current_database()),
        'commonLabels', jsonb_build_object('alertname', n.rule, 'database', current_database()), 'commonAnnotations', '{}'::jsonb, 'externalURL', '',
        'status', CASE WHEN l.firing THEN 'firing' ELSE 'resolved' END, 'truncatedAlerts', n.omitted + cardinality(n.events) - l.count,
        'alerts', l.alerts)
    FROM chime.notification n CROSS JOIN LATERAL (
        SELECT count(*) AS count, coalesce(bool_or(e.state = 'firing'), false) AS firing,
               coalesce(jsonb_agg(jsonb_build_object(
                   'status', e.state, 'labels', e.labels,
                   'annotations', jsonb_strip_nulls(jsonb_build_object('summary', chime.sendable(left(e.summary, 500)), 'value', e.value::text)),
                   'startsAt', to_char(coalesce(b.at, e.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'endsAt', CASE e.state WHEN 'resolved' THEN to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                                          ELSE '0001-01-01T00:00:00Z' END,
                   'generatorURL', '', 'fingerprint', left(md5(e.rule || E'\x01' || e.subject), 16)) ORDER BY e.event_id), '[]') AS alerts
        FROM (SELECT x.* FROM (SELECT o.*, row_number() OVER (PARTITION BY substring(o.subject FROM '^[^/]*/') ORDER BY o.event_id) AS place
                               FROM chime.alert_event o WHERE o.event_id = ANY (n.events)) AS x
              ORDER BY x.place, x.event_id
              LIMIT CASE WHEN EXISTS (SELECT FROM chime.sink s WHERE s.name = n.sink AND s.type = 'alertmanager') THEN 1000 ELSE 50 END) AS e
        LEFT JOIN LATERAL (SELECT max(f.at) AS at FROM chime.alert_event f
                           WHERE f.alert_id = e.alert_id AND f.state = 'firing' AND f.event_id < e.event_id) AS b ON true) AS l
    WHERE n.notification_id = p_id;
END;
COMMENT ON FUNCTION chime.notification_body IS 'a message as an Alertmanager''s webhook has it';

-- None waits for more than ten minutes: what is due later than that was written by a clock that was ahead.
CREATE OR REPLACE FUNCTION chime.wait_for(p_message chime.notification) RETURNS interval
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN w.wait > interval '11 min' THEN interval '0' ELSE w.wait END FROM (SELECT p_message.due_at - clock_timestamp()) AS w (wait));
COMMENT ON FUNCTION chime.wait_for IS 'how long until a message is due; not above zero: it is';

-- One message for each sink that is not busy: the oldest that is due, and none before an older one of its rule.
CREATE OR REPLACE FUNCTION chime.take_notifications(p_token uuid, p_busy text[], p_most integer)
RETURNS TABLE (notification_id bigint, sink text, attempt integer, again boolean, body jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    WITH next AS MATERIALIZED (
        SELECT DISTINCT ON (n.sink) n.notification_id, n.sent_at IS NOT NULL AS again
        FROM chime.notification n
        WHERE n.state = 'waiting' AND n.sink <> ALL (p_busy) AND chime.wait_for(n) <= interval '0'
          AND NOT EXISTS (SELECT FROM chime.notification b
                          WHERE b.state = 'waiting' AND b.sink = n.sink AND b.rule = n.rule AND b.notification_id < n.notification_id)
        ORDER BY n.sink, n.due_at, n.notification_id),
    taken AS (
        UPDATE chime.notification n SET attempts = n.attempts + 1, sent_at = clock_timestamp()
          FROM (SELECT x.* FROM next x LIMIT p_most) AS x
         WHERE n.notification_id = x.notification_id
        RETURNING n.notification_id, n.sink, n.attempts, x.again)
    SELECT t.notification_id, t.sink, t.attempts, t.again, chime.notification_body(t.notification_id) FROM taken t;
END $$;
COMMENT ON FUNCTION chime.take_notifications IS 'the leader''s: what is to be sent now. again: it was being sent when a leader ended';

-- Its text was refused: it is told in two parts, each a message of its own, so that what cannot be told holds up
-- nothing beside it. What waits behind it comes with the second part, and so stays behind it. attempts of the first:
-- nothing joins it.
CREATE OR REPLACE FUNCTION chime.split_notification(p_message chime.notification) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_half integer := cardinality(p_message.events) / 2;
    v_rest bigint[] := p_message.events[v_half + 1:];
    v_behind chime.notification;
BEGIN
    DELETE FROM chime.notification n
     WHERE n.sink = p_message.sink AND n.rule = p_message.rule AND n.state = 'waiting' AND n.attempts = 0
    RETURNING * INTO v_behind;
    v_rest := v_rest || v_behind.events;
    INSERT INTO chime.notification (sink, rule, events, omitted, created_at, due_at, attempts)
    VALUES (p_message.sink, p_message.rule, p_message.events[:v_half], p_message.omitted, p_message.created_at, clock_timestamp(), 1);
    INSERT INTO chime.notification (sink, rule, events, omitted, created_at, due_at)
    VALUES (p_message.sink, p_message.rule, v_rest[:1000], coalesce(v_behind.omitted, 0) + greatest(cardinality(v_rest) - 1000, 0),
            p_message.created_at, clock_timestamp());
END $$;
COMMENT ON FUNCTION chime.split_notification IS 'tells what a message tells in two others: of chime.note_delivery';

-- p_error NULL: it was delivered. Else it is tried for 24 h, but for one whose text the receiver refused: that ends,
-- and is told in parts while it has any. Gives what became of it: delivered, waiting, expired or split.
CREATE OR REPLACE FUNCTION chime.note_delivery(p_token uuid, p_id bigint, p_error text, p_refused boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_message chime.notification;
    v_now timestamptz := clock_timestamp(); -- an index is used with it
BEGIN
    PERFORM chime.require_leader(p_token);
    IF p_refused THEN
        UPDATE chime.notification n SET sent_at = NULL, error = left(p_error, 1000), state = 'expired', ended_at = clock_timestamp()
         WHERE n.notification_id = p_id AND n.state = 'waiting'
        RETURNING * INTO v_message;
        IF cardinality(v_message.events) > 1 THEN
            PERFORM chime.split_notification(v_message);
            RETURN 'split';
        END IF;
        RETURN v_message.state;
    END IF;
    UPDATE chime.notification n
       SET sent_at = NULL, error = left(p_error, 1000),
           state = CASE WHEN p_error IS NULL THEN 'delivered' WHEN n.created_at < clock_timestamp() - interval '24 h' THEN 'expired' ELSE 'waiting' END,
           ended_at = CASE WHEN p_error IS NULL OR n.created_at < clock_timestamp() - interval '24 h' THEN clock_timestamp() END,
           due_at = clock_timestamp() + CASE n.attempts WHEN 1 THEN interval '5 s' WHEN 2 THEN interval '30 s' WHEN 3 THEN interval '2 min'
                                                        ELSE interval '10 min' END
     WHERE n.notification_id = p_id AND n.state = 'waiting'
    RETURNING * INTO v_message;
    -- What tells an Alertmanager every minute that all is as it was is no history. Not all that is kept is read for it.
    IF v_message.state = 'delivered' AND EXISTS (SELECT FROM chime.sink s WHERE s.name = v_message.sink AND s.type = 'alertmanager') THEN
        DELETE FROM chime.notification n
         WHERE n.state = 'delivered' AND n.sink = v_message.sink AND n.rule = v_message.rule
           AND n.created_at > v_now - interval '1 day' AND n.created_at < v_now - interval '5 min'
           AND n.events <@ v_message.events AND n.notification_id < p_id;
    END IF;
    RETURN v_message.state;
END $$;
COMMENT ON FUNCTION chime.note_delivery IS 'the leader''s: how the sending of a message ended';

-- In microseconds; NULL: no message waits for a sink that is not busy.
CREATE OR REPLACE FUNCTION chime.next_notification(p_busy text[]) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT (extract(epoch FROM min(chime.wait_for(n))) * 1000000)::bigint FROM chime.notification n
        WHERE n.state = 'waiting' AND n.sink <> ALL (p_busy)
          AND NOT EXISTS (SELECT FROM chime.notification b
                          WHERE b.state = 'waiting' AND b.sink = n.sink AND b.rule = n.rule AND b.notification_id < n.notification_id));
COMMENT ON FUNCTION chime.next_notification IS 'how long until the next message may be due';
