-- SPDX-License-Identifier: PostgreSQL
-- As whom the daemon logs in to run jobs that SQL made. It decides that itself, by pgchime.conf and by what the role
-- may do when it logs in; the tables here only let SQL report it early. They are no protection, since code that runs
-- as the ledger's owner can write them.

CREATE OR REPLACE FUNCTION chime.note_logins(p_token uuid, p_role name[], p_allow boolean[], p_user name[], p_max_jobs integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.login;
    INSERT INTO chime.login (role, allow, "user", max_jobs)
    SELECT w.role, w.allow, w.login, nullif(w.max_jobs, -1)
      FROM unnest(p_role, p_allow, p_user, p_max_jobs) AS w (role, allow, login, max_jobs)
    UNION ALL SELECT '*', NULL, NULL, NULL WHERE '*' <> ALL (p_role);
    INSERT INTO chime.login AS l (role, allow) VALUES (current_user, true) -- its jobs run in sessions that are there anyway
    ON CONFLICT (role) DO UPDATE SET allow = true, "user" = NULL, max_jobs = NULL;
END $$;
COMMENT ON FUNCTION chime.note_logins IS 'what pgchime.conf says of roles, instead of what was written before; p_max_jobs -1: it does not say';

-- core/pg/session.c asks the same of each session of a role, when it has logged in.
CREATE OR REPLACE FUNCTION chime.role_powers(p_role name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN r.rolname = p_role AND r.rolsuper THEN 'it is a superuser'
                    WHEN r.rolname = p_role THEN 'it may create roles'
                    WHEN r.rolsuper THEN format('it may act as the superuser %I', r.rolname)
                    WHEN r.rolcreaterole THEN format('it may act as %I, who may create roles', r.rolname)
                    ELSE format('it is a member of %I', r.rolname) END
        FROM pg_roles m, pg_roles r
        WHERE m.rolname = p_role
          AND (r.rolsuper OR r.rolcreaterole
               OR r.rolname = ANY ('{pg_execute_server_program,pg_write_server_files,pg_read_server_files}'::name[]))
          AND pg_has_role(m.oid, r.oid, 'MEMBER')
        ORDER BY r.rolname <> p_role, NOT r.rolsuper, NOT r.rolcreaterole, r.rolname LIMIT 1);
COMMENT ON FUNCTION chime.role_powers IS 'how a role could become another, or have the server run programs or touch files of its own; NULL: it could not';

CREATE OR REPLACE FUNCTION chime.login_problem(p_role name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_login chime.login;
    v_user name;
    v_powers text;
BEGIN
    SELECT * INTO v_login FROM chime.login l WHERE l.role = p_role;
    IF NOT FOUND THEN
        SELECT * INTO v_login FROM chime.login l WHERE l.role = '*';
    END IF;
    v_user := coalesce(v_login."user", p_role);
    IF v_login.role IS NULL OR v_login.allow THEN
        RETURN NULL;
    ELSIF NOT v_login.allow THEN
        RETURN format('pgchime.conf excludes role "%s"', p_role);
    END IF;
    v_powers := chime.role_powers(v_user);
    RETURN CASE WHEN v_powers IS NOT NULL THEN format('the daemon does not log in as "%s": %s', v_user, v_powers) END;
END $$;
COMMENT ON FUNCTION chime.login_problem IS 'why jobs of a role cannot run; NULL: nothing is in the way, or no daemon has led here';

CREATE OR REPLACE FUNCTION chime.check_login(p_role name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problem text := chime.login_problem(p_role);
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%', v_problem USING ERRCODE = 'insufficient_privilege', HINT = chime.login_hint(p_role);
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_login IS 'refuses a role as whom the daemon would not log in';

CREATE OR REPLACE FUNCTION chime.login_hint(p_role name) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('whoever keeps pgchime.conf may allow it: roles = ( { name = "%s"; allow = true; } )', p_role);
COMMENT ON FUNCTION chime.login_hint IS 'the way out, for who keeps pgchime.conf';
