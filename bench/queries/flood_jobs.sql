-- SPDX-License-Identifier: PostgreSQL
-- Jobs of two roles: :jobs of the one and ten of the other, due each second.
DO $$ BEGIN
    IF to_regrole('crowd') IS NULL THEN
        CREATE ROLE crowd LOGIN;
        CREATE ROLE calm LOGIN;
    END IF;
END $$;
INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)
SELECT '', o.owner || n, o.owner, 'sql', '1 second', 'SELECT 1'
FROM (VALUES ('calm', 10), ('crowd', :jobs)) AS o (owner, jobs) CROSS JOIN generate_series(1, o.jobs) AS n;
