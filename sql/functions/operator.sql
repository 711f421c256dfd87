-- SPDX-License-Identifier: PostgreSQL
-- What pgchime_operator may do. Each action records who did it and why in chime.action, in the same transaction.
-- Actions use the functions of requests.sql; none changes the definition of a job.

CREATE OR REPLACE FUNCTION chime.operated_by(p_actor text) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (CASE WHEN p_actor = session_user THEN p_actor ELSE left(p_actor, 30) || ' by ' || left(session_user::text, 29) END)::name;
COMMENT ON FUNCTION chime.operated_by IS
    'how a request names who asked: "ann by pgchime_web". Whoever logs in as the page can name any actor, so both are there';

CREATE OR REPLACE FUNCTION chime.check_action(p_actor text, p_reason text, p_key text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(p_actor, '') = '' OR octet_length(p_actor) > 100 OR p_actor ~ '[[:cntrl:]]' OR chime.utf8_fault(p_actor) IS NOT NULL THEN
        RAISE EXCEPTION 'an action needs who does it' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name the person, in at most 100 bytes';
    ELSIF btrim(coalesce(chime.read_reason(p_reason), '')) = '' THEN
        RAISE EXCEPTION 'an action needs a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'write why, in a sentence';
    ELSIF octet_length(p_key) > 200 OR p_key = '' OR chime.utf8_fault(p_key) IS NOT NULL THEN
        RAISE EXCEPTION 'this idempotency key cannot be used' USING ERRCODE = 'invalid_parameter_value', HINT = 'a key has 1 to 200 bytes';
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_action IS 'raises when an action has no actor or no reason, or a key that cannot be kept';

-- Two calls with one key wait for each other, and for nobody else: whoever leaves a transaction open delays only who
-- says the same again.
CREATE OR REPLACE FUNCTION chime.repeated_action(p_verb text, p_actor text, p_key text) RETURNS SETOF chime.action
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    IF p_key IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock('chime.action'::regclass::integer, hashtext(concat_ws(E'\x1f', p_key, p_actor, session_user)));
    IF EXISTS (SELECT FROM chime.action a WHERE a.key = p_key AND a.actor = p_actor AND a.login = session_user AND a.verb <> p_verb) THEN
        RAISE EXCEPTION 'this idempotency key was used for another action' USING ERRCODE = 'unique_violation', HINT = 'take another key for each action';
    END IF;
    RETURN QUERY SELECT * FROM chime.action a WHERE a.key = p_key AND a.actor = p_actor AND a.login = session_user ORDER BY a.action_id;
END $$;
COMMENT ON FUNCTION chime.repeated_action IS 'what was done by the same key before; nothing for none';

CREATE OR REPLACE FUNCTION chime.operable_job(p_job bigint) RETURNS chime.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_job chime.job;
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    SELECT * INTO v_job FROM chime.job j WHERE j.job_id = p_job;
    RETURN v_job;
END $$;
COMMENT ON FUNCTION chime.operable_job IS 'the job of that number; raises when there is none';

CREATE OR REPLACE FUNCTION chime.operate_run(p_job bigint, p_actor text, p_reason text, p_key text DEFAULT NULL) RETURNS SETOF chime.action
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_job chime.job;
    v_request chime.request;
    v_outcome text := 'already';
BEGIN
    PERFORM chime.check_action(p_actor, p_reason, p_key);
    RETURN QUERY SELECT * FROM chime.repeated_action('run', p_actor, p_key);
    IF FOUND THEN
        RETURN;
    END IF;
    v_job := chime.operable_job(p_job);
    IF NOT v_job.active OR (SELECT s.suspended FROM chime.suspension(p_job) s) THEN
        RAISE EXCEPTION 'job % is %', v_job.name, CASE WHEN v_job.active THEN 'suspended' ELSE 'inactive' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE WHEN v_job.active THEN 'resume it first' ELSE 'it left the configuration, or is disabled there' END;
    END IF;
    SELECT * INTO v_request FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'run' AND q.kind = 'manual' ORDER BY q.request_id LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO chime.request (job_id, requested_by) VALUES (p_job, chime.operated_by(p_actor)) RETURNING * INTO v_request;
        v_outcome := 'asked';
    END IF;
    RETURN QUERY
    INSERT INTO chime.action (actor, verb, about, job_id, kind, slot, run_id, reason, request_id, outcome, key)
    VALUES (p_actor, 'run', v_job.name, p_job, v_request.kind, v_request.slot, v_request.run_id, p_reason, v_request.request_id, v_outcome, p_key)
    RETURNING *;
END $$;
COMMENT ON FUNCTION chime.operate_run IS 'asks the leader for a run of a job now; one that waits to begin is not asked for twice';

CREATE OR REPLACE FUNCTION chime.operate_cancel(p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_actor text, p_reason text, p_key text DEFAULT NULL)
RETURNS SETOF chime.action
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_job chime.job;
    v_run bigint;
    v_waits boolean;
BEGIN
    PERFORM chime.check_action(p_actor, p_reason, p_key);
    RETURN QUERY SELECT * FROM chime.repeated_action('cancel', p_actor, p_key);
    IF FOUND THEN
        RETURN;
    END IF;
    v_job := chime.operable_job(p_job);
    SELECT q.run_id INTO v_run FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'run' AND q.kind = p_kind AND q.slot = p_slot;
    v_waits := FOUND;
    IF NOT v_waits THEN
        SELECT r.run_id INTO v_run FROM chime.run r WHERE r.job_id = p_job AND r.kind = p_kind AND r.slot = p_slot AND r.done_at IS NULL;
    END IF;
    IF v_run IS NULL OR NOT chime.cancel_run(v_run, p_reason, chime.operated_by(p_actor)) THEN
        RAISE EXCEPTION 'that run of job % has ended', v_job.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'its page says how it ended';
    END IF;
    RETURN QUERY
    INSERT INTO chime.action (actor, verb, about, job_id, kind, slot, run_id, reason, request_id, outcome, key)
    VALUES (p_actor, 'cancel', v_job.name, p_job, p_kind, p_slot, v_run, p_reason,
            (SELECT max(q.request_id) FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'cancel' AND q.kind = p_kind AND q.slot = p_slot),
            CASE WHEN v_waits THEN 'withdrawn' ELSE 'asked' END, p_key)
    RETURNING *;
END $$;
COMMENT ON FUNCTION chime.operate_cancel IS 'asks the leader to end a live run, or withdraws one that was asked for and has not begun';

CREATE OR REPLACE FUNCTION chime.operate_suspension(p_verb text, p_jobs bigint[], p_until timestamptz, p_actor text, p_reason text, p_key text)
RETURNS SETOF chime.action
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_job chime.job;
    v_id bigint;
    v_by name := chime.operated_by(p_actor);
    v_changed boolean;
BEGIN
    PERFORM chime.check_action(p_actor, p_reason, p_key);
    RETURN QUERY SELECT * FROM chime.repeated_action(p_verb, p_actor, p_key);
    IF FOUND THEN
        RETURN;
    ELSIF coalesce(cardinality(p_jobs), 0) NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'no job is named, or more than 10000' USING ERRCODE = 'invalid_parameter_value', HINT = 'name the jobs by their numbers';
    END IF;
    FOR v_id IN SELECT DISTINCT j FROM unnest(p_jobs) AS j ORDER BY j LOOP
        v_job := chime.operable_job(v_id);
        v_changed := CASE p_verb WHEN 'suspend' THEN chime.suspend(v_id, p_reason, p_until, v_by) ELSE chime.resume(v_id, p_reason, v_by) END;
        RETURN QUERY
        INSERT INTO chime.action (actor, verb, about, job_id, reason, request_id, outcome, key)
        VALUES (p_actor, p_verb, v_job.name, v_id, p_reason,
                CASE WHEN v_changed THEN (SELECT max(q.request_id) FROM chime.request q WHERE q.job_id = v_id AND q.verb = p_verb) END,
                CASE WHEN v_changed THEN 'asked' ELSE 'already' END, p_key)
        RETURNING *;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.operate_suspension IS 'suspends jobs, or ends that: all of them, or none with the error';

CREATE OR REPLACE FUNCTION chime.operate_suspend(p_jobs bigint[], p_until timestamptz, p_actor text, p_reason text, p_key text DEFAULT NULL)
RETURNS SETOF chime.action
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT * FROM chime.operate_suspension('suspend', p_jobs, p_until, p_actor, p_reason, p_key);
END;
COMMENT ON FUNCTION chime.operate_suspend IS 'asks the leader to start nothing of these jobs any more, until then, or until chime.operate_resume';

CREATE OR REPLACE FUNCTION chime.operate_resume(p_jobs bigint[], p_actor text, p_reason text, p_key text DEFAULT NULL) RETURNS SETOF chime.action
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT * FROM chime.operate_suspension('resume', p_jobs, NULL, p_actor, p_reason, p_key);
END;
COMMENT ON FUNCTION chime.operate_resume IS 'asks the leader to end the suspensions of these jobs';

CREATE OR REPLACE FUNCTION chime.operate_silence(p_matchers jsonb, p_until timestamptz, p_actor text, p_reason text, p_key text DEFAULT NULL)
RETURNS SETOF chime.action
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.check_action(p_actor, p_reason, p_key);
    RETURN QUERY SELECT * FROM chime.repeated_action('silence', p_actor, p_key);
    IF FOUND THEN
        RETURN;
    ELSIF jsonb_typeof(p_matchers) IS DISTINCT FROM 'object' OR p_matchers = '{}' OR length(p_matchers::text) > 2000
          OR EXISTS (SELECT FROM jsonb_each(CASE jsonb_typeof(p_matchers) WHEN 'object' THEN p_matchers ELSE '{}' END) AS m
                     WHERE jsonb_typeof(m.value) <> 'string' OR m.value #>> '{}' = '') THEN
        RAISE EXCEPTION 'a silence needs labels, each with a text' USING ERRCODE = 'invalid_parameter_value', HINT = 'such as {"job": "report-*"}';
    ELSIF p_until IS NULL OR p_until <= clock_timestamp() OR p_until > clock_timestamp() + interval '90 days' THEN
        RAISE EXCEPTION 'a silence ends within 90 days from now' USING ERRCODE = 'invalid_parameter_value', HINT = 'name such an end';
    END IF;
    INSERT INTO chime.silence (matchers, until, made_by, reason) VALUES (p_matchers, p_until, chime.operated_by(p_actor), p_reason);
    RETURN QUERY
    INSERT INTO chime.action (actor, verb, about, reason, outcome, key)
    VALUES (p_actor, 'silence', (SELECT string_agg(m.key || '=' || m.value, ' ' ORDER BY m.key) FROM jsonb_each_text(p_matchers) AS m), p_reason, 'done', p_key)
    RETURNING *;
END $$;
COMMENT ON FUNCTION chime.operate_silence IS 'keeps alerts with these labels from being told, until then';

CREATE OR REPLACE FUNCTION chime.operate_acknowledge(p_alert bigint, p_actor text, p_reason text, p_key text DEFAULT NULL) RETURNS SETOF chime.action
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_alert chime.alert;
BEGIN
    PERFORM chime.check_action(p_actor, p_reason, p_key);
    RETURN QUERY SELECT * FROM chime.repeated_action('acknowledge', p_actor, p_key);
    IF FOUND THEN
        RETURN;
    END IF;
    UPDATE chime.alert a SET acknowledged_at = clock_timestamp(), acknowledged_by = chime.operated_by(p_actor), acknowledgement = p_reason
     WHERE a.alert_id = p_alert RETURNING * INTO v_alert;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'alert % is not open', p_alert USING ERRCODE = 'no_data_found', HINT = 'it was resolved meanwhile';
    END IF;
    RETURN QUERY
    INSERT INTO chime.action (actor, verb, about, reason, outcome, key)
    VALUES (p_actor, 'acknowledge', concat_ws(' ', v_alert.rule, nullif(v_alert.subject, '')), p_reason, 'done', p_key) RETURNING *;
END $$;
COMMENT ON FUNCTION chime.operate_acknowledge IS 'notes that somebody looks after an alert';
