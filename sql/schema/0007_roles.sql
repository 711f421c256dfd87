-- SPDX-License-Identifier: PostgreSQL
-- Roles of the server, for all its databases. They are the DBA's to make where ours may not.

-- Readers get the kept relations and the read API, no source table. The role is the DBA's to make where ours may not.
DO $$
BEGIN
    IF to_regrole('analytics_reader') IS NULL THEN
        CREATE ROLE analytics_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role analytics_reader was not made: this role may not create roles';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- made by another database of the cluster a moment ago
END $$;

-- Two roles of the server, for all its databases: who has pgchime_jobs makes jobs, who has pgchime_monitor sees what
-- there is of everybody and changes nothing. They are the DBA's to make where ours may not.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY '{pgchime_jobs,pgchime_monitor}'::text[] LOOP
        BEGIN
            IF to_regrole(v_role) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not made: this role may not create roles', v_role;
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- made by another database of the server a moment ago
        END;
    END LOOP;
END $$;
