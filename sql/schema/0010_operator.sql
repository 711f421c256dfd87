-- SPDX-License-Identifier: PostgreSQL
-- What people did through the page, and the role that may: it calls the functions of operator.sql and nothing else.

CREATE TABLE chime.action (
    action_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor      text NOT NULL CHECK (actor <> ''),
    login      name NOT NULL DEFAULT session_user,
    verb       text NOT NULL CHECK (verb IN ('run', 'cancel', 'suspend', 'resume', 'silence', 'acknowledge')),
    about      text NOT NULL,
    job_id     bigint,
    kind       chime.run_kind,
    slot       timestamptz,
    run_id     bigint,
    reason     text NOT NULL CHECK (reason <> ''),
    request_id bigint,
    outcome    text NOT NULL CHECK (outcome IN ('asked', 'already', 'withdrawn', 'done')),
    key        text
);
CREATE INDEX action_at ON chime.action (at);
CREATE INDEX action_key ON chime.action (key, actor) WHERE key IS NOT NULL;
COMMENT ON TABLE chime.action IS 'who did what through chime.operate_run and its like, and why; for 400 days';
COMMENT ON COLUMN chime.action.actor IS 'the person, as the caller names it: pgchime-web names the token, or whom a proxy vouches for';
COMMENT ON COLUMN chime.action.login IS 'the role that was logged in: it vouches for the actor';
COMMENT ON COLUMN chime.action.about IS 'the job''s name then; the silence''s labels; the rule and subject of the alert';
COMMENT ON COLUMN chime.action.kind IS 'with slot: the run that was asked for, or was to be cancelled';
COMMENT ON COLUMN chime.action.request_id IS 'what was asked of the leader (chime.request); NULL: nothing had to be';
COMMENT ON COLUMN chime.action.outcome IS 'asked: of the leader; already: it was so, or was asked for; withdrawn: a run that had not begun; done: at once';
COMMENT ON COLUMN chime.action.key IS 'by which the same call, said twice, is done once';

DO $$
BEGIN
    IF to_regrole('pgchime_operator') IS NULL THEN
        CREATE ROLE pgchime_operator NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role pgchime_operator was not made: this role may not create roles';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- made by another database of the server a moment ago
END $$;
