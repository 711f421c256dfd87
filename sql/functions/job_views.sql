-- SPDX-License-Identifier: PostgreSQL
-- Views of jobs made by SQL. Each role sees only its own jobs.

-- For views that every role may query: limits the rows to the reader's own. One row.
CREATE OR REPLACE VIEW chime.reader AS
SELECT current_user AS role,
       EXISTS (SELECT FROM pg_catalog.pg_roles r, pg_catalog.pg_class c
               WHERE r.rolname = current_user AND c.oid = 'chime.job'::regclass AND (r.rolsuper OR r.rolbypassrls OR r.oid = c.relowner)) AS sees_all,
       EXISTS (SELECT FROM pg_catalog.pg_roles m
               WHERE m.rolname = 'pgchime_monitor' AND pg_catalog.pg_has_role(current_user, m.oid, 'USAGE')) AS monitors;
COMMENT ON VIEW chime.reader IS 'who asks, and whether that role sees the jobs of all';

CREATE OR REPLACE VIEW chime.jobs WITH (security_barrier = true) AS
SELECT j.job_id, j.job_name, j.schedule, j.command, coalesce(j.database, current_database()) AS database, j.owner AS username, j.active,
       j.after, j.channels, j.options - 'settings' AS options, coalesce(j.options -> 'settings', '{}') AS settings,
       CASE WHEN j.active THEN (SELECT min(u) FROM chime.next_slots n, unnest(n.slots) AS u
                                WHERE n.job_id = j.job_id AND u > clock_timestamp()) END AS next_slot,
       s.last_start, s.last_end, s.last_outcome, s.consecutive_failures, s.suspended_at, s.suspend_reason, j.problem,
       j.keep
FROM chime.reader r JOIN chime.job j ON (r.sees_all OR r.monitors OR j.owner = r.role) JOIN chime.job_state s ON s.job_id = j.job_id
WHERE j.origin = 'sql' AND j.removed_at IS NULL;
COMMENT ON VIEW chime.jobs IS 'jobs made by SQL, to each role its own';
COMMENT ON COLUMN chime.jobs.problem IS 'why the leader cannot run it; NULL: it can';

CREATE OR REPLACE VIEW chime.upcoming WITH (security_barrier = true) AS
SELECT j.job_id, j.job_name, u AS slot
FROM chime.reader r JOIN chime.job j ON (r.sees_all OR r.monitors OR j.owner = r.role) JOIN chime.next_slots n ON n.job_id = j.job_id
CROSS JOIN LATERAL (SELECT s FROM unnest(n.slots) AS s WHERE s > clock_timestamp() ORDER BY s LIMIT 5) AS l (u)
WHERE j.active AND j.removed_at IS NULL;
COMMENT ON VIEW chime.upcoming IS 'the next slots of jobs made by SQL, as the leader counted them; to each role those of its own';

-- Not over chime.runs, which reads as whoever asks.
CREATE OR REPLACE VIEW chime.job_runs WITH (security_barrier = true) AS
SELECT w.run_id, w.job_id, j.job_name, w.kind, w.slot, w.state, w.attempt, w.started_at, w.finished_at, w.rows, w.sqlstate, w.message,
       w.reason, w.pid
FROM chime.reader r
JOIN chime.job j ON j.origin = 'sql'
                    AND (r.sees_all OR r.monitors OR j.owner = r.role
                         OR EXISTS (SELECT FROM chime.job_past o WHERE o.job_id = j.job_id AND o.owner = r.role))
JOIN (SELECT h.run_id, h.job_id, h.kind, h.slot, h.state::text, h.attempt, h.started_at, h.finished_at, h.rows, h.sqlstate, h.message, h.reason,
             h.pid, coalesce(h.claimed_at, h.started_at, h.finished_at) AS claimed_at
      FROM chime.run_history h
      UNION ALL
      SELECT l.run_id, l.job_id, l.kind, l.slot,
             CASE WHEN l.done_at IS NOT NULL THEN 'succeeded' WHEN l.pid IS NULL THEN 'retrying' ELSE 'running' END, l.attempt,
             coalesce(l.started_at, l.claimed_at), l.done_at, l.rows, NULL, l.message,
             CASE WHEN l.pid IS NULL THEN 'next attempt at ' || l.retry_at END, l.pid, l.claimed_at
      FROM chime.run l) w ON w.job_id = j.job_id
LEFT JOIN chime.job_past p ON p.job_id = w.job_id AND w.claimed_at >= p.since AND w.claimed_at < p.until
WHERE r.sees_all OR r.monitors OR coalesce(p.owner, j.owner) = r.role;
COMMENT ON VIEW chime.job_runs IS 'runs of jobs made by SQL, with slots that were skipped; to each role those of jobs that were its own then';
