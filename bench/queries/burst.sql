-- SPDX-License-Identifier: PostgreSQL
-- 10,000 notifications in two seconds, no two alike, a hundred to a transaction. Tells when the last one was committed,
-- and how many seconds the whole took.
CREATE PROCEDURE bench.burst(p_channel text, INOUT p_committed text, INOUT p_seconds numeric)
LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_end timestamptz;
BEGIN
    FOR i IN 1..100 LOOP
        PERFORM pg_notify(p_channel, json_build_object('submission_id', gen_random_uuid(), 'n', 100 * i + n)::text)
        FROM generate_series(1, 100) AS n;
        COMMIT;
        v_end := clock_timestamp();
        IF i < 100 THEN
            PERFORM pg_sleep(extract(epoch FROM v_start + i * interval '20 ms' - v_end));
        END IF;
    END LOOP;
    p_committed := replace(v_end::text, ' ', 'T');
    p_seconds := round(extract(epoch FROM v_end - v_start), 2);
END $$;
