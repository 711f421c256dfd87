-- SPDX-License-Identifier: PostgreSQL
-- Which database a ledger belongs to (docs/adr/0021). A copy of the database starts no run until a person allows it.

CREATE OR REPLACE FUNCTION chime.system_identifier() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT s.system_identifier FROM pg_control_system() s);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.system_identifier IS 'the same for a server and its standbys; NULL where the server does not tell';

CREATE OR REPLACE FUNCTION chime.database_number() RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: each follower asks it four times a second
BEGIN
    RETURN (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
END $$;
COMMENT ON FUNCTION chime.database_number IS 'the OID of this database';

-- pg_upgrade and failover keep both numbers, a dump or CREATE DATABASE ... TEMPLATE brings them to where they are not
-- true. Restored in place is what came back to its server by a dump, into its database or into one that took its place
-- and its name.
CREATE OR REPLACE FUNCTION chime.copy_of() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_led record;
    v_here oid := chime.database_number();
    v_same_server boolean;
    v_original name;
BEGIN
    SELECT l.database, l.relation, l.system, l.database_name, l.since INTO v_led FROM chime.leader l;
    IF v_led.database IS NULL OR (v_led.database = v_here AND v_led.relation = 'chime.leader'::regclass) THEN
        RETURN NULL;
    END IF;
    v_same_server := v_led.system = chime.system_identifier();
    IF v_same_server THEN
        SELECT d.datname INTO v_original FROM pg_database d WHERE d.oid = v_led.database;
        IF v_led.database = v_here OR (v_original IS NULL AND v_led.database_name = current_database()) THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN format('this is a copy of database %s', coalesce(v_original, v_led.database_name))
           || CASE v_same_server WHEN true THEN ' on this server' WHEN false THEN ' on another server' ELSE '' END
           || coalesce(', made about ' || to_char(
                  greatest(v_led.since, (SELECT max(s.last_end) FROM chime.job_state s), (SELECT max(r.claimed_at) FROM chime.run r))
                  AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), '');
END $$;
COMMENT ON FUNCTION chime.copy_of IS
    'in words, when a dump or a template brought this ledger here from another database: nothing leads a copy until chime.adopt_copy; NULL: it is none';

CREATE OR REPLACE FUNCTION chime.advance_numbers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_of record;
BEGIN
    FOR v_of IN
        SELECT d.objid::regclass AS numbers, d.refobjid::regclass AS relation, a.attname AS number
        FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE c.relkind = 'S' AND c.relnamespace = 'chime'::regnamespace
        UNION ALL
        SELECT 'chime.run_id', r, 'run_id' FROM unnest('{chime.run,chime.run_history,chime.attempt,chime.request}'::regclass[]) AS r
    LOOP
        EXECUTE format('SELECT setval(%L, r.last) FROM (SELECT max(%I) AS last FROM %s) r, %s n WHERE n.last_value <= r.last',
                       v_of.numbers, v_of.number, v_of.relation, v_of.numbers);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.advance_numbers IS
    'no sequence gives a number that a row has: logical replication brings rows to a subscriber, and leaves its sequences where they are';

-- Leads for the length of this transaction: what was live in the original ends here as with any leader. Slots since are
-- the original's: jobs wake as from a suspension, which writes them down as missed. What was asked of the original is
-- not done here.
CREATE OR REPLACE FUNCTION chime.adopt_copy() RETURNS TABLE (original text, lost_runs bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_token uuid;
    v_jobs bigint[];
    v_runs bigint[];
BEGIN
    PERFORM FROM chime.leader FOR UPDATE;
    original := chime.copy_of();
    IF original IS NULL THEN
        RETURN;
    END IF;
    PERFORM chime.advance_numbers();
    UPDATE chime.leader l SET token = NULL, pid = NULL, backend_start = NULL, database = NULL;
    DELETE FROM chime.follower;
    UPDATE chime.listener w SET state = 'off', reason = NULL, pid = NULL, backend_start = NULL;
    SELECT t.token INTO v_token FROM chime.take_over(NULL, 'pgchime adopt-copy', NULL, chime.system_identifier(), NULL) t;
    SELECT coalesce(array_agg(r.job_id), '{}'), coalesce(array_agg(r.run_id), '{}'), count(*) FILTER (WHERE r.done_at IS NULL)
      INTO v_jobs, v_runs, lost_runs FROM chime.run r;
    PERFORM chime.adopt(v_token, v_jobs, v_runs, array_fill(false, ARRAY[cardinality(v_runs)]),
                        array_fill(NULL::timestamptz, ARRAY[cardinality(v_runs)]),
                        array_fill('it was live in the database that this is a copy of'::text, ARRAY[cardinality(v_runs)]),
                        clock_timestamp());
    DELETE FROM chime.request q WHERE q.verb IN ('run', 'cancel');
    WITH woken AS (
        UPDATE chime.job_state s SET suspended_at = clock_timestamp(), suspended_by = NULL, suspend_reason = original
          FROM chime.job j
         WHERE j.job_id = s.job_id AND j.active AND NOT (SELECT w.suspended FROM chime.suspension(j.job_id) w)
        RETURNING s.job_id
    )
    INSERT INTO chime.request (job_id, verb, kind, slot, reason)
    SELECT w.job_id, 'resume', NULL, NULL, replace(original, 'this is', 'this was') FROM woken w;
    PERFORM chime.resign(v_token);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.adopt_copy IS
    'lets the jobs of a copy run here; what was live in the original is lost, slots since are missed. One row: what it was a copy of; none: it is no copy';

-- Which database the ledger belongs to is noted once, before anybody leads: noted again, a copy would pass for the
-- original.
UPDATE chime.leader SET system = chime.system_identifier(), database = chime.database_number(), database_name = current_database(),
                        relation = 'chime.leader'::pg_catalog.regclass
WHERE relation IS NULL;
