-- SPDX-License-Identifier: PostgreSQL
-- The queue of drafts that wait for approval, and how many are approved by the hour.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- pgchime's schema. The text between the marks is what the plugin carries. With `-v channels=1` it also makes the
-- NOTIFY triggers on agent_approvals.

-- What is pending counts whatever its age: seeds 000 and 001 looked at rows of today, or of the last 24 hours, so that
-- a draft that nobody had looked at left the queue at midnight, unanswered. "Today" is the day in UTC, by when a draft
-- was made; in seed 000 it was the day of the session.
-- Ages and windows count from chime.as_of(). Pending rows whose time is unknown or infinite count, but have no age.
-- A confidence that is NaN, infinite or beyond 10^12 counts as unknown. Both are counted as rejected.
-- Each queue relation is one row under a constant key: seed 001's summary had none, and so could not be refreshed
-- concurrently. The key is the grain too: no mark, no work, and one look by the indexes on status and created_at else.

-- urgent_count is seed 000's: urgent among the pending ones and those of today, decided or not; urgent_pending_count is
-- what still waits.
CREATE OR REPLACE VIEW mv_agent_queue_realtime__live AS
-- chime:begin mv_agent_queue_realtime
SELECT
    'current'::text AS snapshot_time,
    count(*) FILTER (WHERE d.status = 'pending') AS pending_count,
    count(*) FILTER (WHERE d.status = 'approved') AS approved_today,
    count(*) FILTER (WHERE d.status = 'rejected') AS rejected_today,
    round(avg(d.confidence) FILTER (WHERE d.status = 'pending'), 4) AS avg_confidence,
    count(*) FILTER (WHERE d.priority = 'urgent') AS urgent_count,
    count(*) FILTER (WHERE d.priority = 'urgent' AND d.status = 'pending') AS urgent_pending_count,
    min(d.created_at) FILTER (WHERE d.status = 'pending' AND isfinite(d.created_at)) AS oldest_pending,
    chime.as_of() AS refreshed_at
FROM (
    SELECT a.status, a.priority, a.created_at,
        CASE WHEN a.confidence_score > -1e12 AND a.confidence_score < 1e12 THEN a.confidence_score::numeric END
            AS confidence
    FROM agent_approvals a
    WHERE a.status = 'pending'
    UNION ALL
    SELECT a.status, a.priority, a.created_at, NULL
    FROM agent_approvals a
    WHERE a.status IS DISTINCT FROM 'pending' AND a.created_at >= date_trunc('day', chime.as_of(), 'UTC')) d
-- chime:end
;

-- Ages are those at the last refresh, so that this row changes with every refresh while something waits; an age to the
-- second is in approval_queue_status(). The four counts by age are pending_count but for rows without an age.
CREATE OR REPLACE VIEW mv_approval_queue_summary__live AS
-- chime:begin mv_approval_queue_summary
SELECT
    'current'::text AS snapshot_time,
    count(*) AS pending_count,
    count(*) FILTER (WHERE p.age_minutes > 5) AS sla_breaches,
    round(avg(p.age_minutes), 2) AS avg_pending_age_minutes,
    round(max(p.age_minutes), 2) AS max_pending_age_minutes,
    (array_agg(p.conversation_id ORDER BY p.age_minutes DESC NULLS LAST, p.id))[1] AS oldest_pending_conversation,
    count(*) FILTER (WHERE p.age_minutes <= 1) AS pending_up_to_1min,
    count(*) FILTER (WHERE p.age_minutes > 1 AND p.age_minutes <= 5) AS pending_up_to_5min,
    count(*) FILTER (WHERE p.age_minutes > 5 AND p.age_minutes <= 60) AS pending_up_to_1h,
    count(*) FILTER (WHERE p.age_minutes > 60) AS pending_over_1h,
    chime.as_of() AS refreshed_at
FROM (
    SELECT a.id, a.conversation_id,
        CASE WHEN isfinite(a.created_at)
            THEN (extract(epoch FROM (SELECT chime.as_of())) - extract(epoch FROM a.created_at)) / 60 END AS age_minutes
    FROM agent_approvals a
    WHERE a.status = 'pending') p
-- chime:end
;

-- The last 24 hours by the hour (of UTC: in seed 000 an hour began where the server's zone said). Counts are kept
-- beside the averages, so that longer spans are computed from counts. Not keyed: the log of changes would need the hour
-- of every row, and a day's rows are one range of the index on created_at.
CREATE OR REPLACE VIEW mv_agent_accuracy_rolling__live AS
-- chime:begin mv_agent_accuracy_rolling
SELECT
    d.window_start,
    count(*) AS total_drafts,
    count(*) FILTER (WHERE d.status = 'approved') AS approved_count,
    round(100.0 * count(*) FILTER (WHERE d.status = 'approved') / count(*), 2) AS approval_rate_pct,
    round(avg(d.confidence), 4) AS avg_confidence,
    round(avg(d.review_seconds), 3) AS avg_review_time_seconds,
    count(*) FILTER (WHERE d.status = 'rejected') AS rejected_count,
    count(d.review_seconds) AS reviewed_count
FROM (
    SELECT date_trunc('hour', a.created_at, 'UTC') AS window_start, a.status,
        CASE WHEN a.confidence_score > -1e12 AND a.confidence_score < 1e12 THEN a.confidence_score::numeric END
            AS confidence,
        CASE WHEN isfinite(a.reviewed_at)
            THEN extract(epoch FROM a.reviewed_at) - extract(epoch FROM a.created_at) END AS review_seconds
    FROM agent_approvals a
    WHERE a.created_at > chime.as_of() - interval '24 hours' AND a.created_at < 'infinity') d
GROUP BY d.window_start
-- chime:end
;

-- What is wrong with the approvals of the last 24 hours, one row for each check: tier 4 of seed 001, as
-- mv_agent_query_quality of plugin agent_performance. Not keyed: gaps and copies are found between rows.
-- Decided is what is approved or rejected. missing_events counts numbers that are skipped between the first and the
-- last id of these hours; a transaction that was rolled back skips one too. An id that is no whole number, such as a
-- uuid, has no gaps: nothing is checked then. kept_too_long counts what retention should have taken: not pending, and
-- older than 90 days (2160 hours, as plugin retention keeps it) by each of its instants that is set.
CREATE OR REPLACE VIEW mv_agent_approval_quality__live AS
-- chime:begin mv_agent_approval_quality
WITH figures AS (
    SELECT
        count(*) AS total,
        count(*) FILTER (WHERE r.status IN ('approved', 'rejected')) AS decided,
        count(*) FILTER (WHERE coalesce(btrim(r.conversation_id), '') = '') AS without_conversation,
        count(*) FILTER (WHERE coalesce(btrim(r.status), '') = '') AS without_status,
        count(*) FILTER (WHERE r.confidence_score IS NULL) AS without_confidence,
        count(*) FILTER (WHERE isfinite(r.created_at) IS NOT TRUE) AS without_time,
        count(*) FILTER (WHERE btrim(r.status) <> '' AND r.status NOT IN ('pending', 'approved', 'rejected'))
            AS unknown_status,
        count(*) FILTER (WHERE NOT (r.confidence_score >= 0 AND r.confidence_score < 1e12)) AS bad_confidence,
        count(*) FILTER (WHERE isfinite(r.created_at) AND r.created_at > (SELECT chime.as_of()) + interval '1 minute')
            AS in_future,
        count(*) FILTER (WHERE r.reviewed_at < r.created_at) AS reviewed_early,
        count(*) FILTER (WHERE r.status = 'pending' AND r.reviewed_at IS NOT NULL) AS reviewed_pending,
        count(*) FILTER (WHERE r.status IN ('approved', 'rejected') AND coalesce(btrim(r.approved_by), '') = '')
            AS without_reviewer,
        count(*) FILTER (WHERE r.status IN ('approved', 'rejected') AND isfinite(r.reviewed_at) IS NOT TRUE)
            AS without_review_time,
        (array_agg(r.id ORDER BY r.id) FILTER (WHERE isfinite(r.created_at)))[1] AS first_id,
        (array_agg(r.id ORDER BY r.id DESC) FILTER (WHERE isfinite(r.created_at)))[1] AS last_id
    FROM agent_approvals r
    WHERE r.created_at > (SELECT chime.as_of()) - interval '24 hours'
        OR r.created_at IS NULL OR r.created_at = '-infinity'
),
numbers AS (
    SELECT
        coalesce(CASE WHEN pg_typeof(f.first_id) IN ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype)
            THEN f.last_id::text::bigint - f.first_id::text::bigint + 1 END, 0) AS expected,
        (SELECT count(*) FROM agent_approvals a WHERE a.id BETWEEN f.first_id AND f.last_id) AS there
    FROM figures f
),
copies AS (
    SELECT coalesce(sum(c.times - 1), 0)::bigint AS count
    FROM (
        SELECT count(*) AS times
        FROM agent_approvals r
        WHERE r.created_at > (SELECT chime.as_of()) - interval '24 hours' AND btrim(r.conversation_id) <> ''
        GROUP BY r.conversation_id, r.created_at
        HAVING count(*) > 1) c
),
checks AS (
    SELECT c.check_name, c.dimension, c.checked_count, c.failed_count
    FROM figures f
    CROSS JOIN numbers n
    CROSS JOIN copies
    CROSS JOIN LATERAL (VALUES
        ('conversation_missing', 'completeness', f.total, f.without_conversation),
        ('status_missing', 'completeness', f.total, f.without_status),
        ('confidence_missing', 'completeness', f.total, f.without_confidence),
        ('time_missing', 'completeness', f.total, f.without_time),
        ('status_unknown', 'accuracy', f.total, f.unknown_status),
        ('confidence_invalid', 'accuracy', f.total, f.bad_confidence),
        ('time_in_future', 'accuracy', f.total, f.in_future),
        ('missing_events', 'consistency', n.expected, CASE WHEN n.expected > 0 THEN n.expected - n.there ELSE 0 END),
        ('duplicate_events', 'consistency', f.total, copies.count),
        ('reviewed_before_created', 'consistency', f.total, f.reviewed_early),
        ('reviewed_while_pending', 'consistency', f.total, f.reviewed_pending),
        ('reviewer_missing', 'audit', f.decided, f.without_reviewer),
        ('review_time_missing', 'audit', f.decided, f.without_review_time),
        ('kept_too_long', 'retention', NULL,
            (SELECT count(*) FROM agent_approvals a
             WHERE a.created_at < chime.as_of() - interval '2160 hours' AND a.created_at > '-infinity'
                AND (a.updated_at < chime.as_of() - interval '2160 hours') IS NOT FALSE
                AND (a.reviewed_at < chime.as_of() - interval '2160 hours') IS NOT FALSE AND a.status <> 'pending'))
    ) AS c (check_name, dimension, checked_count, failed_count)
)
SELECT
    check_name,
    dimension,
    checked_count,
    failed_count,
    round(100.0 * failed_count / nullif(checked_count, 0), 2) AS failed_pct,
    CASE WHEN failed_count = 0 THEN 'ok' ELSE 'failed' END AS status,
    chime.as_of() AS refreshed_at
FROM checks
-- chime:end
;

-- chime:begin rejected_approvals
SELECT count(*) AS rejected
FROM agent_approvals a
WHERE a.status = 'pending'
    AND (isfinite(a.created_at) IS NOT TRUE OR NOT (a.confidence_score > -1e12 AND a.confidence_score < 1e12))
-- chime:end
;

-- chime:begin rejected_pending
SELECT count(*) AS rejected FROM agent_approvals a WHERE a.status = 'pending' AND isfinite(a.created_at) IS NOT TRUE
-- chime:end
;

-- chime:begin rejected_drafts
SELECT count(*) AS rejected
FROM agent_approvals a
WHERE a.created_at > chime.as_of() - interval '24 hours'
    AND (a.created_at = 'infinity' OR NOT (a.confidence_score > -1e12 AND a.confidence_score < 1e12)
         OR NOT isfinite(a.reviewed_at))
-- chime:end
;

-- pgchime makes and fills the kept relations itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_agent_queue_realtime AS TABLE mv_agent_queue_realtime__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_queue_realtime_snapshot_time_idx ON mv_agent_queue_realtime (snapshot_time);
CREATE TABLE IF NOT EXISTS mv_approval_queue_summary AS TABLE mv_approval_queue_summary__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_approval_queue_summary_snapshot_time_idx
    ON mv_approval_queue_summary (snapshot_time);
CREATE TABLE IF NOT EXISTS mv_agent_accuracy_rolling AS TABLE mv_agent_accuracy_rolling__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_accuracy_rolling_window_start_idx
    ON mv_agent_accuracy_rolling (window_start);
CREATE TABLE IF NOT EXISTS mv_agent_approval_quality AS TABLE mv_agent_approval_quality__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_approval_quality_pk ON mv_agent_approval_quality (check_name);

-- Whichever approval changed, it is the one row that has to be looked at; and midnight and ages do that too.
PREPARE the_queue AS
-- chime:begin the_queue
SELECT 'current'::text AS snapshot_time
-- chime:end
;
DEALLOCATE the_queue;

-- Seed 000's first tile. The age counts from now, not from the last refresh.
-- chime:begin approval_queue_status
CREATE OR REPLACE FUNCTION approval_queue_status()
RETURNS TABLE (
    pending_count bigint, urgent_count bigint, avg_confidence numeric, oldest_age_minutes numeric,
    urgent_pending_count bigint, approved_today bigint, rejected_today bigint, oldest_pending timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.pending_count, q.urgent_count, q.avg_confidence,
        round((extract(epoch FROM now()) - extract(epoch FROM q.oldest_pending)) / 60, 2),
        q.urgent_pending_count, q.approved_today, q.rejected_today, q.oldest_pending
    FROM mv_agent_queue_realtime q;
END
-- chime:end
;

-- chime:begin approval_queue_ages
CREATE OR REPLACE FUNCTION approval_queue_ages()
RETURNS TABLE (
    pending_count bigint, sla_breaches bigint, avg_pending_age_minutes numeric, max_pending_age_minutes numeric,
    oldest_pending_conversation text, pending_up_to_1min bigint, pending_up_to_5min bigint, pending_up_to_1h bigint,
    pending_over_1h bigint, refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT s.pending_count, s.sla_breaches, s.avg_pending_age_minutes, s.max_pending_age_minutes,
        s.oldest_pending_conversation, s.pending_up_to_1min, s.pending_up_to_5min, s.pending_up_to_1h,
        s.pending_over_1h, s.refreshed_at
    FROM mv_approval_queue_summary s;
END
-- chime:end
;

-- Seed 000's second tile: the latest hours, ascending. The moving rate is that of the hour and the two before it, from
-- their counts.
-- chime:begin hourly_approval_rates
CREATE OR REPLACE FUNCTION hourly_approval_rates(hours integer DEFAULT 24)
RETURNS TABLE (
    window_start timestamptz, approval_rate_pct numeric, total_drafts bigint, moving_approval_rate_pct numeric,
    avg_confidence numeric, avg_review_time_seconds numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r.window_start, r.approval_rate_pct, r.total_drafts,
        (SELECT round(100.0 * sum(b.approved_count) / sum(b.total_drafts), 2) FROM mv_agent_accuracy_rolling b
         WHERE b.window_start BETWEEN r.window_start - interval '2 hours' AND r.window_start),
        r.avg_confidence, r.avg_review_time_seconds
    FROM mv_agent_accuracy_rolling r
    WHERE r.window_start > now() - make_interval(hours => greatest(0, least(hourly_approval_rates.hours, 1000)))
    ORDER BY r.window_start
    LIMIT 1000;
END
-- chime:end
;

-- chime:begin agent_approval_quality
CREATE OR REPLACE FUNCTION agent_approval_quality(failed_only boolean DEFAULT false)
RETURNS TABLE (
    check_name text, dimension text, checked_count bigint, failed_count bigint, failed_pct numeric, status text,
    refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.check_name, q.dimension, q.checked_count, q.failed_count, q.failed_pct, q.status, q.refreshed_at
    FROM mv_agent_approval_quality q
    WHERE agent_approval_quality.failed_only IS NOT TRUE OR q.status = 'failed'
    ORDER BY q.dimension, q.check_name
    LIMIT 100;
END
-- chime:end
;

-- For listeners of seed 001's channel; pgchime's own refreshes need no NOTIFY. Both events have the same keys. Nothing
-- here may fail a user's write: texts are cut, so that the payload stays far below the server's 8,000 bytes even if
-- every character is escaped, and no instants are subtracted, since two of them may be too far apart.
\if :{?channels}
-- chime:begin approval_queue_stream
CREATE OR REPLACE FUNCTION notify_approval() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
    v_update boolean := TG_OP = 'UPDATE';
    v_age numeric := CASE WHEN isfinite(NEW.created_at)
                          THEN round(extract(epoch FROM now()) - extract(epoch FROM NEW.created_at), 3) END;
BEGIN
    PERFORM pg_notify('approval_queue_stream', json_build_object(
        'event', CASE WHEN v_update THEN 'status_change' ELSE 'new_approval' END,
        'id', NEW.id, 'conversation_id', left(NEW.conversation_id, 200), 'status', left(NEW.status, 100),
        'old_status', CASE WHEN v_update THEN left(OLD.status, 100) END,
        'new_status', left(NEW.status, 100), 'approved_by', left(NEW.approved_by, 200), 'created_at', NEW.created_at,
        'age_seconds', v_age, 'age_minutes', round(v_age / 60, 2),
        'resolution_seconds', CASE WHEN v_update AND isfinite(NEW.updated_at) AND isfinite(NEW.created_at)
            THEN round(extract(epoch FROM NEW.updated_at) - extract(epoch FROM NEW.created_at), 3) END)::text);
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_new_approval
    AFTER INSERT ON agent_approvals
    FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION notify_approval();
CREATE OR REPLACE TRIGGER trg_notify_approval_status_change
    AFTER UPDATE ON agent_approvals
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION notify_approval();
-- chime:end
\endif
