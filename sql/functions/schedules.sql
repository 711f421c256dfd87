-- SPDX-License-Identifier: PostgreSQL
-- Schedules in SQL: what core/calendar/schedule_parse.c takes and no more, so that a mistake is told to whoever makes
-- it. When a schedule is due, the daemon alone counts. Fields are numbered as there: 0 seconds, 1 minutes, 2 hours, 3
-- days, 4 months, 5 days of the week.

CREATE OR REPLACE FUNCTION chime.schedule_word(p_field integer, p_text text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_text ~ '^[0-9]' THEN p_text::integer
            WHEN p_field = 4 THEN strpos('janfebmaraprmayjunjulaugsepoctnovdec', p_text) / 3 + 1
            ELSE strpos('sunmontuewedthufrisat', p_text) / 3 END;
COMMENT ON ROUTINE chime.schedule_word IS 'the number of the name of a month or weekday';

-- Of a field that is well-formed; NULL, NULL for a *.
CREATE OR REPLACE FUNCTION chime.schedule_ranges(p_field integer, p_text text) RETURNS TABLE (first integer, last integer, step integer)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.schedule_word(p_field, r.part[1]), chime.schedule_word(p_field, coalesce(r.part[2], r.part[1])), r.part[3]::integer
    FROM string_to_table(lower(p_text COLLATE "C"), ',') AS item,
         regexp_match(item, '^([0-9a-z]+)?\*?(?:-([0-9a-z]+))?(?:/([0-9]+))?$') AS r (part);
END;
COMMENT ON ROUTINE chime.schedule_ranges IS 'the ranges of a field that is right';

CREATE OR REPLACE FUNCTION chime.schedule_field_problem(p_field integer, p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- Numbers may begin with zeros.
    v_value text := (ARRAY['0*[0-5]?[0-9]', '0*[0-5]?[0-9]', '0*(?:1?[0-9]|2[0-3])', '0*(?:[1-9]|[12][0-9]|3[01])',
                           '0*(?:[1-9]|1[0-2])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec',
                           '0*[0-7]|sun|mon|tue|wed|thu|fri|sat'])[p_field + 1];
    v_step text := (ARRAY['[1-9]|[1-5][0-9]|60', '[1-9]|[1-5][0-9]|60', '[1-9]|1[0-9]|2[0-4]', '[1-9]|[12][0-9]|3[01]',
                          '[1-9]|1[0-2]', '[1-7]'])[p_field + 1];
    v_item text := format('(?:\*(?:/0*(?:%2$s))?|(?:%1$s)(?:-(?:%1$s)(?:/0*(?:%2$s))?)?)', v_value, v_step);
    v_any_step text := format('(?:\*(?:/[0-9]+)?|(?:%1$s)(?:-(?:%1$s)(?:/[0-9]+)?)?)', v_value);
    v_name text := ('[0:5]={second,minute,hour,day of month,month,day of week}'::text[])[p_field];
    v_expected text := ('[0:5]={0-59,0-59,0-23,"1-31, or $ for the last",1-12 or jan-dec,0-7 or sun-sat}'::text[])[p_field];
BEGIN
    IF p_field = 3 AND p_text = '$' THEN
        RETURN NULL;
    ELSIF lower(p_text COLLATE "C") !~ format('^%1$s(?:,%1$s)*$', v_item)
          AND lower(p_text COLLATE "C") ~ format('^%1$s(?:,%1$s)*$', v_any_step) THEN
        RETURN format('%s "%s": expected a step from 1 to %s after "/"', v_name, left(p_text, 100),
                      ('[0:5]={60,60,24,31,12,7}'::integer[])[p_field]);
    ELSIF lower(p_text COLLATE "C") !~ format('^%1$s(?:,%1$s)*$', v_item) THEN
        RETURN format('%s "%s": expected %s; %s', v_name, left(p_text, 100), v_expected,
                      CASE WHEN p_text = '?' THEN 'the "?" of Quartz is * here'
                           ELSE 'a range a-b or * may have a step (*/5), a list has commas' END);
    ELSIF p_field = 3 AND EXISTS (SELECT FROM chime.schedule_ranges(p_field, p_text) r WHERE r.first > r.last AND r.step IS NOT NULL) THEN
        RETURN format('%s "%s": a step cannot cross the end of the month, whose length changes', v_name, left(p_text, 100));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.schedule_field_problem IS 'what is wrong with one field; NULL: nothing';

-- 29, 30 or 31: of the longest of these months.
CREATE OR REPLACE FUNCTION chime.schedule_longest_month(p_months text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT max(CASE WHEN m.month = 2 THEN 29 WHEN m.month IN (4, 6, 9, 11) THEN 30 ELSE 31 END)
        FROM chime.schedule_ranges(4, p_months) r
        CROSS JOIN LATERAL (SELECT coalesce(r.first, 1) AS first, coalesce(r.last, 12) AS last, coalesce(r.step, 1) AS step) w
        CROSS JOIN LATERAL (SELECT (w.first - 1 + n) % 12 + 1 AS month
                            FROM generate_series(0, w.last - w.first + CASE WHEN w.first > w.last THEN 12 ELSE 0 END, w.step) AS n) m);
COMMENT ON ROUTINE chime.schedule_longest_month IS 'days of the longest of these months: 29, 30 or 31';

CREATE OR REPLACE FUNCTION chime.schedule_never_problem(p_days text, p_months text, p_weekdays text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_first integer;
    v_longest integer;
BEGIN
    IF p_days = '$' OR p_weekdays NOT LIKE '*%' THEN
        RETURN NULL;
    END IF;
    -- A range that goes round the end has the 1st.
    SELECT min(CASE WHEN r.first <= r.last THEN r.first ELSE 1 END) INTO v_first FROM chime.schedule_ranges(3, p_days) r;
    v_longest := chime.schedule_longest_month(p_months);
    IF v_first > v_longest THEN
        RETURN format('this schedule can never fire: day of month "%s" does not come in month "%s", expected a day of 1-%s',
                      left(p_days, 100), left(p_months, 100), v_longest);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.schedule_never_problem IS 'whether days and months can never meet, as 30 February; NULL: they can';

-- Without blanks at its ends; in fields as they are separated by blanks.
CREATE OR REPLACE FUNCTION chime.schedule_pieces(p_schedule text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN regexp_split_to_array(btrim(p_schedule, E' \t\r\n'), '[ \t]+');
COMMENT ON ROUTINE chime.schedule_pieces IS 'a schedule cut at its blanks';

CREATE OR REPLACE FUNCTION chime.schedule_fields_problem(p_pieces text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count integer := cardinality(p_pieces);
    v_problem text;
BEGIN
    IF v_count NOT IN (5, 6) THEN
        RETURN format('expected five fields (m h dom mon dow), or six with seconds first, not %s',
                      CASE p_pieces[1] WHEN '' THEN 0 ELSE v_count END);
    END IF;
    FOR i IN 1..v_count LOOP
        v_problem := chime.schedule_field_problem(i + 5 - v_count, p_pieces[i]);
        IF v_problem IS NOT NULL THEN
            RETURN v_problem;
        END IF;
    END LOOP;
    RETURN chime.schedule_never_problem(p_pieces[v_count - 2], p_pieces[v_count - 1], p_pieces[v_count]);
END $$;
COMMENT ON ROUTINE chime.schedule_fields_problem IS 'what is wrong with the fields of a schedule; NULL: nothing';

-- As duration_parse: one whole number and one unit, at most 36,500 days; of schedules, at least a second.
CREATE OR REPLACE FUNCTION chime.duration_us(p_text text) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT d.us FROM (
            SELECT r.part[1]::numeric * CASE WHEN r.part[2] ~ '^d' THEN 86400000000 WHEN r.part[2] ~ '^h' THEN 3600000000
                                             WHEN r.part[2] IN ('min', 'm', 'minute', 'minutes') THEN 60000000
                                             WHEN r.part[2] = 'ms' THEN 1000 WHEN r.part[2] = 'us' THEN 1 ELSE 1000000 END AS us
            FROM regexp_match(p_text, '^([0-9]{1,23})(d|days?|h|hours?|min|m|minutes?|s|sec|seconds?|ms|us)$') AS r (part)) d
        WHERE d.us <= 36500 * 86400000000);
COMMENT ON FUNCTION chime.duration_us IS 'in microseconds; NULL: it is no duration';

CREATE OR REPLACE FUNCTION chime.schedule_time_problem(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_part text[] := regexp_match(p_text, '^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T|[ \t]+)([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?'
                                          '(?:Z|([+-])(0[0-9]|1[0-5])(?::([0-5][0-9]))?)?$');
    v_at timestamp;
BEGIN
    v_at := make_timestamp(v_part[1]::integer, v_part[2]::integer, v_part[3]::integer, v_part[4]::integer, v_part[5]::integer,
                           coalesce(v_part[6], '0')::integer)
            - (coalesce(v_part[7], '+') || coalesce(v_part[8], '0') || ':' || coalesce(v_part[9], '00'))::interval;
    IF v_at >= '0001-01-01' AND v_at < '10000-01-01' THEN
        RETURN NULL;
    END IF;
    RETURN '@at expects a time as 2026-12-24 18:00[:30], with or without Z or an offset (+01:00)';
EXCEPTION WHEN datetime_field_overflow THEN
    RETURN format('@at: there is no such day or time as "%s"', left(p_text, 100));
END $$;
COMMENT ON ROUTINE chime.schedule_time_problem IS 'what is wrong with the time of a schedule of one slot; NULL: nothing';

CREATE OR REPLACE FUNCTION chime.schedule_word_problem(p_word text, p_rest text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_word IN ('@every', '@after') THEN
        IF octet_length(p_rest) <= 40 AND chime.duration_us(p_rest) >= 1000000 THEN
            RETURN NULL;
        END IF;
        RETURN format('%s expects a duration from 1s to 36500d, such as 90s, 15m, 2h or 1d', p_word);
    ELSIF p_word = '@at' THEN
        RETURN chime.schedule_time_problem(p_rest);
    ELSIF p_rest = '' AND p_word IN ('@hourly', '@daily', '@midnight', '@weekly', '@monthly', '@yearly', '@annually', '@reboot', '@restart') THEN
        RETURN NULL;
    END IF;
    RETURN 'expected one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, @reboot, @restart (in lower case),'
           ' or @every, @after or @at with its time';
END $$;
COMMENT ON ROUTINE chime.schedule_word_problem IS 'what is wrong with a form that begins with @; NULL: nothing';

-- Its callers may not execute what it is made of.
CREATE OR REPLACE FUNCTION chime.schedule_problem(p_schedule text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_text text := btrim(p_schedule, E' \t\r\n');
    v_interval text[];
BEGIN
    IF octet_length(p_schedule) > 1000 THEN
        RETURN 'it is longer than 1000 bytes';
    ELSIF v_text ~ '[\x01-\x08\x0a-\x1f\x7f]' THEN
        RETURN 'it has a control character';
    ELSIF starts_with(v_text, '@') THEN
        RETURN chime.schedule_word_problem(substring(v_text, '^[^ \t]*'), coalesce(btrim(substring(v_text, '[ \t].*$'), E' \t'), ''));
    END IF;
    v_interval := regexp_match(v_text, '^([0-9]+)[ \t]*([A-Za-z]+)$');
    IF v_interval IS NULL THEN
        RETURN chime.schedule_fields_problem(chime.schedule_pieces(v_text));
    ELSIF lower(v_interval[2] COLLATE "C") NOT IN ('second', 'seconds') THEN
        RETURN 'the unit of an interval is seconds; minutes are */5 * * * *, hours 0 */2 * * *';
    ELSIF v_interval[1] !~ '^0*([1-9]|[1-5][0-9])$' THEN
        RETURN 'an interval has 1-59 seconds';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.schedule_problem IS 'why it is no schedule; NULL: it is one';

CREATE OR REPLACE FUNCTION chime.schedule_valid(p_schedule text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
RETURN chime.schedule_problem(p_schedule) IS NULL;
COMMENT ON ROUTINE chime.schedule_valid IS 'whether a schedule would be taken';

CREATE OR REPLACE FUNCTION chime.schedule_differs(p_schedule text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_pieces text[] := chime.schedule_pieces(p_schedule);
    v_count integer := cardinality(v_pieces);
BEGIN
    IF v_pieces[1] IN ('@yearly', '@annually') THEN
        RETURN format('%s runs on the 1st of January at 00:00; pg_cron never ran it', v_pieces[1]);
    ELSIF v_count = 6 AND v_pieces[1] NOT LIKE '@%' THEN
        RETURN format('six fields: "%s" are seconds here; pg_cron read "%s" and ignored "%s"', v_pieces[1],
                      array_to_string(v_pieces[1:5], ' '), v_pieces[6]);
    ELSIF v_count = 5 AND EXISTS (SELECT FROM generate_series(1, 5) AS f, chime.schedule_ranges(f, v_pieces[f]) r WHERE r.first > r.last) THEN
        RETURN 'a range whose end is smaller than its start goes round (sat-sun, 22-2); in pg_cron it was empty and never ran';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.schedule_differs IS 'of a valid schedule: in what pg_cron took the same text for something else; NULL: in nothing';
