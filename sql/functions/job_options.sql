-- SPDX-License-Identifier: PostgreSQL
-- Options of jobs that are made by SQL: those of core/model/option_table.c with their bounds and words, but for options
-- that only a refresh uses. integration/test_job_calls fails where the two differ.

CREATE OR REPLACE FUNCTION chime.option_rule(p_name text, OUT kind text, OUT low numeric, OUT high numeric, OUT words text[])
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.kind, r.low, r.high, string_to_array(r.words, ' ')
    FROM (VALUES ('overlap_policy', 'word', NULL::numeric, NULL::numeric, 'skip buffer_one buffer_all cancel_previous'),
                 ('catchup', 'word', NULL, NULL, 'latest none all'),
                 ('catchup_window', 'duration', 0, 36500 * 86400000000, NULL),
                 ('catchup_limit', 'count', 0, 1000000, NULL),
                 ('starting_deadline', 'limit', 1, 365 * 86400000000, NULL),
                 ('jitter', 'duration', 0, 86400000000, NULL),
                 ('debounce', 'duration', 0, 86400000000, NULL),
                 ('debounce_max', 'limit', 1, 365 * 86400000000, NULL),
                 ('attempt_timeout', 'limit', 1, 365 * 86400000000, NULL),
                 ('cancel_grace', 'duration', 0, 86400000000, NULL),
                 ('lock_timeout', 'limit', 1, 24 * 86400000000, NULL),
                 ('max_attempts', 'count', 1, 1000, NULL),
                 ('backoff.initial', 'duration', 0, 365 * 86400000000, NULL),
                 ('backoff.coefficient', 'factor', 1, 100, NULL),
                 ('backoff.max', 'duration', 0, 365 * 86400000000, NULL),
                 ('backoff.jitter', 'factor', 0, 1, NULL),
                 ('retry_on', 'sqlstates', NULL, NULL, NULL),
                 ('trigger_rule', 'word', NULL, NULL, 'all_success all_done one_success none_failed one_failed'),
                 ('priority', 'count', 1, 9, NULL),
                 ('pool', 'name', NULL, NULL, NULL),
                 ('suspend_after_failures', 'count', 0, 1000000, NULL),
                 ('delivery', 'word', NULL, NULL, 'at_most_once'),
                 ('log_runs', 'word', NULL, NULL, 'all errors off'),
                 ('expect_success_within', 'limit', 1, 365 * 86400000000, NULL),
                 ('expect_duration', 'limit', 1, 365 * 86400000000, NULL),
                 ('expect_min_duration', 'limit', 1, 365 * 86400000000, NULL),
                 ('expect_rows', 'count', 0, 1000000, NULL),
                 ('timezone', 'zone', NULL, NULL, NULL),
                 ('dst_gap', 'word', NULL, NULL, 'run skip'),
                 ('dst_overlap', 'word', NULL, NULL, 'first last both')) AS r (name, kind, low, high, words)
    WHERE r.name = p_name;
END;
COMMENT ON ROUTINE chime.option_rule IS 'what an option of a job takes: its kind, range or words';

CREATE OR REPLACE FUNCTION chime.option_takes(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE r.kind WHEN 'word' THEN 'one of ' || array_to_string(r.words, ', ')
                           WHEN 'duration' THEN format('a duration such as 250ms, 5s, 10min or 2h, at most %ss', trunc(r.high / 1000000))
                           WHEN 'limit' THEN format('none, or a duration such as 250ms, 5s, 10min or 2h, at most %ss', trunc(r.high / 1000000))
                           WHEN 'count' THEN format('a whole number from %s to %s', r.low, r.high)
                           WHEN 'factor' THEN format('a number from %s to %s with at most 6 decimals', r.low, r.high)
                           WHEN 'sqlstates' THEN 'SQLSTATEs, or the first two to four characters of some, with commas: 08,40001'
                           WHEN 'name' THEN 'a name of 1 to 63 letters, digits, "_" and "-"'
                           WHEN 'zone' THEN 'a time zone such as Europe/Berlin' END
        FROM chime.option_rule(p_name) r);
COMMENT ON ROUTINE chime.option_takes IS 'the same in words, for hints';

CREATE OR REPLACE FUNCTION chime.option_valid(p_name text, p_value text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(CASE r.kind
            WHEN 'word' THEN p_value = ANY (r.words)
            WHEN 'duration' THEN chime.duration_us(p_value) BETWEEN r.low AND r.high
            WHEN 'limit' THEN p_value = 'none' OR chime.duration_us(p_value) BETWEEN r.low AND r.high
            WHEN 'count' THEN CASE WHEN p_value ~ '^[0-9]{1,18}$' THEN p_value::numeric BETWEEN r.low AND r.high END
            WHEN 'factor' THEN CASE WHEN p_value ~ '^[0-9]{1,9}([.][0-9]{1,6})?$' THEN p_value::numeric BETWEEN r.low AND r.high END
            WHEN 'sqlstates' THEN p_value ~ '^ *([0-9A-Z]{2,5}( *, *[0-9A-Z]{2,5}){0,15} *)?$'
            WHEN 'name' THEN p_value ~ '^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$'
            WHEN 'zone' THEN p_value = 'UTC' OR EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = p_value) END, false)
        FROM chime.option_rule(p_name) r);
COMMENT ON ROUTINE chime.option_valid IS 'whether an option takes a value';

-- {"backoff": {"initial": "5s"}, "retry_on": ["08", "40001"], "max_attempts": 3} as the daemon reads it: every value a
-- text under its own name.
CREATE OR REPLACE FUNCTION chime.flat_options(p_options jsonb) RETURNS TABLE (name text, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT o.key || coalesce('.' || i.key, ''),
           CASE jsonb_typeof(coalesce(i.value, o.value))
               WHEN 'array' THEN (SELECT string_agg(a, ',' ORDER BY n) FROM jsonb_array_elements_text(coalesce(i.value, o.value)) WITH ORDINALITY AS e (a, n))
               ELSE coalesce(i.value, o.value) #>> '{}' END
    FROM jsonb_each(p_options) AS o
    LEFT JOIN LATERAL jsonb_each(CASE WHEN o.key = 'backoff' AND jsonb_typeof(o.value) = 'object' THEN o.value ELSE '{}' END) AS i ON true
    WHERE jsonb_typeof(coalesce(i.value, o.value)) <> 'null';
END;
COMMENT ON ROUTINE chime.flat_options IS 'options as the daemon reads them: one level of names, every value a text';

CREATE OR REPLACE FUNCTION chime.read_options(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_option record;
    v_read jsonb := '{}';
BEGIN
    IF jsonb_typeof(p_options) <> 'object' THEN
        RAISE EXCEPTION 'options are an object, not %', jsonb_typeof(p_options) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write {"attempt_timeout": "5min", "max_attempts": 3}';
    END IF;
    FOR v_option IN SELECT * FROM chime.flat_options(p_options) LOOP
        IF chime.option_takes(v_option.name) IS NULL THEN
            RAISE EXCEPTION 'unknown option "%"', v_option.name USING ERRCODE = 'invalid_parameter_value',
                HINT = CASE WHEN v_option.name LIKE 'cursor%' THEN 'a job with a cursor is defined in conf.d: its position is committed with its effect, by the daemon''s role'
                            ELSE 'docs/jobs.md has a table of all; jobs that refresh views have some that a command has not' END;
        ELSIF NOT chime.option_valid(v_option.name, v_option.value) THEN
            RAISE EXCEPTION 'option "%" cannot be "%"', v_option.name, left(v_option.value, 100) USING ERRCODE = 'invalid_parameter_value',
                HINT = 'it is ' || chime.option_takes(v_option.name);
        END IF;
        v_read := v_read || jsonb_build_object(v_option.name, v_option.value);
    END LOOP;
    RETURN v_read;
END $$;
COMMENT ON ROUTINE chime.read_options IS 'checks options and returns them flat; raises at the first that is not right';

-- What a role may set, the server says when the run does. Here, only that there is such a setting, so that a slip is
-- told at once.
CREATE OR REPLACE FUNCTION chime.read_settings(p_settings jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_setting record;
    v_read jsonb := '{}';
BEGIN
    IF jsonb_typeof(p_settings) <> 'object' THEN
        RAISE EXCEPTION 'settings are an object, not %', jsonb_typeof(p_settings) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write {"work_mem": "64MB", "app.tenant": "7"}';
    END IF;
    FOR v_setting IN SELECT s.key AS name, s.value #>> '{}' AS value, jsonb_typeof(s.value) AS type FROM jsonb_each(p_settings) AS s LOOP
        IF v_setting.type NOT IN ('string', 'number', 'boolean') THEN
            RAISE EXCEPTION 'setting "%" has no single value', v_setting.name USING ERRCODE = 'invalid_parameter_value',
                HINT = 'write a text, as SET takes it';
        ELSIF v_setting.name !~ '^[A-Za-z_][A-Za-z0-9_$]*([.][A-Za-z_][A-Za-z0-9_$]*)*$'
              OR (strpos(v_setting.name, '.') = 0
                  AND NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = v_setting.name AND s.context IN ('user', 'superuser'))) THEN
            RAISE EXCEPTION 'there is no setting "%" that a session can set', v_setting.name USING ERRCODE = 'undefined_object',
                HINT = 'see: SELECT name FROM pg_settings WHERE context IN (''user'', ''superuser''); a name of your own has a dot';
        END IF;
        v_read := v_read || jsonb_build_object(v_setting.name, v_setting.value);
    END LOOP;
    RETURN v_read;
END $$;
COMMENT ON ROUTINE chime.read_settings IS 'checks settings of a job''s session; raises at the first that is not right';
