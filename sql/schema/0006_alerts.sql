-- SPDX-License-Identifier: PostgreSQL
-- Alerts: rules, what is open, each transition, silences; and the messages to sinks. Addresses and secrets are the
-- configuration's: none of them is here.

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
    vetted      text,
    written     text
);
COMMENT ON TABLE chime.alert_rule IS 'what is looked for, as the leader''s configuration and plugins say';
COMMENT ON COLUMN chime.alert_rule.about IS 'what a subject is: the label that carries it';
COMMENT ON COLUMN chime.alert_rule.condition IS 'a SELECT whose first column decides; names resolve in view_schema. NULL: one of chime.standard_rules()';
COMMENT ON COLUMN chime.alert_rule.named IS 'relations that the condition named when it was vetted';
COMMENT ON COLUMN chime.alert_rule.vetted IS 'what it would run looked like when it was vetted; NULL: it was not';
COMMENT ON COLUMN chime.alert_rule.written IS 'chime.rule_hash of the rule as the leader wrote it';
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

-- Where alerts are told beside the log and NOTIFY, and what (sinks.sql).
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
