-- SPDX-License-Identifier: PostgreSQL
-- How many jobs a role may have. Jobs take memory in the leader, and stay in the ledger after they were unscheduled,
-- so their number is limited. Superusers and the daemon's role have no limit. A job that they make for another role
-- counts for that role, but is not refused.

CREATE OR REPLACE FUNCTION chime.job_quota(p_role name) RETURNS integer
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN l.max_jobs IS NOT NULL THEN l.max_jobs WHEN l.allow THEN NULL ELSE coalesce(o.max_jobs, 1000) END
    FROM (VALUES (p_role)) AS r (role)
    LEFT JOIN chime.login l ON l.role = r.role LEFT JOIN chime.login o ON o.role = '*';
END;
COMMENT ON FUNCTION chime.job_quota IS 'how many active jobs a role may have; ten times as many with the others; NULL: any number';

-- By the index, and no further than the quota: what it costs does not follow how many jobs there are of others.
CREATE OR REPLACE FUNCTION chime.check_quota(p_caller name, p_job chime.job) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_most integer := chime.job_quota(p_job.owner);
    v_hint text := format('; or whoever keeps pgchime.conf may raise it: roles = ( { name = "%s"; max_jobs = %s; } )', p_job.owner, 2 * v_most);
BEGIN
    IF v_most IS NULL OR chime.is_administrator(p_caller) THEN
        RETURN;
    END IF;
    INSERT INTO chime.maker AS m (role) VALUES (p_job.owner) ON CONFLICT (role) DO UPDATE SET made_at = excluded.made_at;
    PERFORM FROM chime.job j WHERE j.owner = p_job.owner AND j.origin = 'sql' AND j.active OFFSET v_most LIMIT 1;
    IF FOUND AND p_job.active THEN
        RAISE EXCEPTION 'role "%" may have % active jobs, and would have more', p_job.owner, v_most USING ERRCODE = 'configuration_limit_exceeded',
            HINT = 'unschedule some, or make them inactive' || v_hint;
    END IF;
    PERFORM FROM chime.job j WHERE j.owner = p_job.owner AND j.origin = 'sql' OFFSET 10 * v_most::bigint LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'role "%" may have % jobs in the ledger, and would have more', p_job.owner, 10 * v_most::bigint
            USING ERRCODE = 'configuration_limit_exceeded',
            DETAIL = 'Jobs that are not active count, and so do those that were unscheduled, for 31 days.',
            HINT = 'change a job that is there, instead of making another' || v_hint;
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_quota IS 'refuses a job that a role has just made, or woken up, beyond its quota';

CREATE OR REPLACE FUNCTION chime.full_quotas() RETURNS TABLE (role name, jobs bigint, all_jobs bigint, max_jobs integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT m.role, n.jobs, n.all_jobs, q.max_jobs
    FROM chime.maker m CROSS JOIN LATERAL (SELECT chime.job_quota(m.role)) AS q (max_jobs)
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE j.active), count(*) FROM chime.job j WHERE j.owner = m.role AND j.origin = 'sql')
               AS n (jobs, all_jobs)
    WHERE n.jobs >= q.max_jobs OR n.all_jobs >= 10 * q.max_jobs::bigint
    ORDER BY m.role;
END;
COMMENT ON FUNCTION chime.full_quotas IS 'roles that have as many jobs as they may have';
