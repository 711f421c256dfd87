-- SPDX-License-Identifier: PostgreSQL
-- How good the training data is: scores, labels and safety of the annotations of the last seven days, and who
-- annotates.
--
-- Runs in psql as it is, over a search_path of the view schema and then the source schema (analytics, public); it needs
-- schema chime. The text between the marks is what the plugin carries; the rest makes the file whole by itself.
-- With `-v channels=1` it also makes the NOTIFY trigger on agent_feedback.

-- Two tables hold annotations: agent_feedback (seed 001) and "AgentFeedback" (seed 000). They stay apart, by `source`:
-- which of them a host fills, and whether one repeats the other, is not for a view to guess. Both rows are always
-- there.
-- What is a score: a member of the rubric that is a number below 10^12 either way, or a text that is a whole number of
-- up to nine digits, since seed 000 reads them with ->> and casts. Its ::int fails the whole tile on the first "good"
-- or 4.5; such texts are left out and counted as rejected, and 4.5 counts as it is.
-- Beside each average stand the sum and the count of its scores. quality_score is the average of all scores of all
-- dimensions, each score once: never an average of averages.
-- Windows are 24 and 168 hours up to chime.as_of(); `refreshed_at` is a declared stamp.

CREATE OR REPLACE VIEW mv_training_quality_snapshot__live AS
-- chime:begin mv_training_quality_snapshot
WITH annotation AS NOT MATERIALIZED (
    SELECT 'agent_feedback'::text AS source, f.safe_to_send, f.labels, f.annotator, f.rubric, f.created_at
    FROM agent_feedback f
    WHERE f.created_at > (SELECT chime.as_of()) - interval '168 hours'
    UNION ALL
    SELECT 'AgentFeedback', f."safeToSend", f.labels, f.annotator, f.rubric, f."createdAt"
    FROM "AgentFeedback" f
    WHERE f."createdAt" > (SELECT chime.as_of()) - interval '168 hours'
),
score AS NOT MATERIALIZED (
    SELECT a.source, a.created_at, member.dimension, value.score
    FROM annotation a
    CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(a.rubric) WHEN 'object' THEN a.rubric END)
        AS member (dimension, content)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN jsonb_typeof(member.content) = 'number' AND abs(member.content::numeric) < 1e12
                THEN member.content::numeric
            WHEN jsonb_typeof(member.content) = 'string' AND member.content #>> '{}' ~ '^ *[-+]?[0-9]{1,9} *$'
                THEN (member.content #>> '{}')::numeric
        END
        OFFSET 0) AS value (score)
    WHERE value.score IS NOT NULL
)
SELECT
    s.source,
    c.total_annotations,
    round(q.clarity_sum / nullif(q.clarity_count, 0), 2) AS avg_clarity,
    round(q.accuracy_sum / nullif(q.accuracy_count, 0), 2) AS avg_accuracy,
    c.flagged_unsafe,
    c.safe_count,
    c.total_annotations - c.flagged_unsafe - c.safe_count AS unjudged_count,
    round(100.0 * c.flagged_unsafe / nullif(c.flagged_unsafe + c.safe_count, 0), 2) AS unsafe_rate_pct,
    round(q.score_sum / nullif(q.score_count, 0), 2) AS quality_score,
    round(q.score_sum_24h / nullif(q.score_count_24h, 0), 2) AS quality_score_24h,
    q.score_sum,
    q.score_count,
    q.clarity_sum,
    q.clarity_count,
    q.accuracy_sum,
    q.accuracy_count,
    d.dimension_scores,
    h.score_distribution,
    l.label_distribution,
    c.annotations_24h,
    c.active_annotators,
    c.active_annotators_24h,
    c.first_annotation_at,
    c.last_annotation_at,
    c.last_unsafe_at,
    chime.as_of() AS refreshed_at
FROM (VALUES ('agent_feedback'::text), ('AgentFeedback')) AS s (source)
CROSS JOIN LATERAL (
    SELECT
        count(*) AS total_annotations,
        count(*) FILTER (WHERE NOT a.safe_to_send) AS flagged_unsafe,
        count(*) FILTER (WHERE a.safe_to_send) AS safe_count,
        count(*) FILTER (WHERE a.created_at > (SELECT chime.as_of()) - interval '24 hours') AS annotations_24h,
        count(DISTINCT a.annotator) AS active_annotators,
        count(DISTINCT a.annotator) FILTER (WHERE a.created_at > (SELECT chime.as_of()) - interval '24 hours')
            AS active_annotators_24h,
        min(a.created_at) AS first_annotation_at,
        max(a.created_at) AS last_annotation_at,
        max(a.created_at) FILTER (WHERE NOT a.safe_to_send) AS last_unsafe_at
    FROM annotation a
    WHERE a.source = s.source) c
CROSS JOIN LATERAL (
    SELECT
        coalesce(sum(v.score), 0) AS score_sum,
        count(*) AS score_count,
        sum(v.score) FILTER (WHERE v.created_at > (SELECT chime.as_of()) - interval '24 hours') AS score_sum_24h,
        count(*) FILTER (WHERE v.created_at > (SELECT chime.as_of()) - interval '24 hours') AS score_count_24h,
        coalesce(sum(v.score) FILTER (WHERE v.dimension = 'clarity'), 0) AS clarity_sum,
        count(*) FILTER (WHERE v.dimension = 'clarity') AS clarity_count,
        coalesce(sum(v.score) FILTER (WHERE v.dimension = 'accuracy'), 0) AS accuracy_sum,
        count(*) FILTER (WHERE v.dimension = 'accuracy') AS accuracy_count
    FROM score v
    WHERE v.source = s.source) q
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(common.dimension, common.average), '{}') AS dimension_scores
    FROM (
        SELECT v.dimension, round(avg(v.score), 2) AS average
        FROM score v
        WHERE v.source = s.source
        GROUP BY v.dimension
        ORDER BY count(*) DESC, v.dimension COLLATE "C"
        LIMIT 50) common) d
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(common.level, common.scores), '{}') AS score_distribution
    FROM (
        SELECT round(v.score) AS level, count(*) AS scores
        FROM score v
        WHERE v.source = s.source
        GROUP BY round(v.score)
        ORDER BY count(*) DESC, round(v.score)
        LIMIT 50) common) h
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(common.label, common.annotations), '{}') AS label_distribution
    FROM (
        SELECT one.label, count(*) AS annotations
        FROM annotation a
        CROSS JOIN LATERAL (SELECT DISTINCT given.label FROM unnest(a.labels) AS given (label)) one
        WHERE a.source = s.source AND one.label IS NOT NULL
        GROUP BY one.label
        ORDER BY count(*) DESC, one.label COLLATE "C"
        LIMIT 50) common) l
-- chime:end
;

-- Members of rubrics that are no scores, and rubrics that are no objects, whatever their age. SQL NULL is not
-- malformed.
-- chime:begin rejected_scores
SELECT coalesce(sum(
    CASE
        WHEN jsonb_typeof(r.rubric) <> 'object' THEN 1
        ELSE (
            SELECT count(*)
            FROM jsonb_each(r.rubric) AS member (dimension, content)
            WHERE NOT CASE jsonb_typeof(member.content)
                WHEN 'number' THEN abs(member.content::numeric) < 1e12
                WHEN 'string' THEN member.content #>> '{}' ~ '^ *[-+]?[0-9]{1,9} *$'
                ELSE false
            END)
    END), 0)::bigint AS rejected
FROM (
    SELECT f.rubric FROM agent_feedback f
    UNION ALL
    SELECT f.rubric FROM "AgentFeedback" f) r
WHERE r.rubric IS NOT NULL
-- chime:end
;

-- Whoever annotated in the last seven days. An annotation without an annotator is in the snapshot and not here.
CREATE OR REPLACE VIEW mv_annotator_activity__live AS
-- chime:begin mv_annotator_activity
SELECT
    a.source,
    a.annotator,
    count(*) AS annotations_7d,
    count(*) FILTER (WHERE a.created_at > (SELECT chime.as_of()) - interval '24 hours') AS annotations_24h,
    count(*) FILTER (WHERE a.created_at > (SELECT chime.as_of()) - interval '1 hour') AS annotations_1h,
    round(count(*) / 7.0, 2) AS annotations_per_day,
    count(*) FILTER (WHERE NOT a.safe_to_send) AS flagged_unsafe,
    count(*) FILTER (WHERE coalesce(cardinality(a.labels), 0) > 0) AS labelled_count,
    min(a.created_at) AS first_annotation_at,
    max(a.created_at) AS last_annotation_at,
    chime.as_of() AS refreshed_at
FROM (
    SELECT 'agent_feedback'::text AS source, f.annotator, f.safe_to_send, f.labels, f.created_at
    FROM agent_feedback f
    WHERE f.created_at > (SELECT chime.as_of()) - interval '168 hours'
    UNION ALL
    SELECT 'AgentFeedback', f.annotator, f."safeToSend", f.labels, f."createdAt"
    FROM "AgentFeedback" f
    WHERE f."createdAt" > (SELECT chime.as_of()) - interval '168 hours') a
WHERE a.annotator IS NOT NULL
GROUP BY a.source, a.annotator
-- chime:end
;

-- What is wrong with the feedback of the last 24 hours, one row for each table and check: tier 4 of seed 001, as
-- mv_agent_query_quality of plugin agent_performance. Not keyed: gaps and copies are found between rows.
-- What a conversation or a number is needed for is checked of agent_feedback alone: seed 000 names neither of
-- "AgentFeedback". Judged is what has safe_to_send; annotated is what has an annotator. missing_events counts numbers
-- that are skipped between the first and the last id of these hours; an id that is no whole number has no gaps.
-- rubric_invalid counts rows in which something is no score, as rejected_scores counts the values.
-- kept_too_long goes by created_at; retention keeps a row that was annotated later.
CREATE OR REPLACE VIEW mv_agent_feedback_quality__live AS
-- chime:begin mv_agent_feedback_quality
WITH feedback AS NOT MATERIALIZED (
    SELECT 'agent_feedback'::text AS source, f.conversation_id, f.safe_to_send, f.labels, f.annotator, f.rubric,
        f.created_at
    FROM agent_feedback f
    WHERE f.created_at > (SELECT chime.as_of()) - interval '24 hours' OR f.created_at IS NULL OR f.created_at = '-infinity'
    UNION ALL
    SELECT 'AgentFeedback', NULL, f."safeToSend", f.labels, f.annotator, f.rubric, f."createdAt"
    FROM "AgentFeedback" f
    WHERE f."createdAt" > (SELECT chime.as_of()) - interval '24 hours' OR f."createdAt" IS NULL
        OR f."createdAt" = '-infinity'
),
figures AS (
    SELECT
        s.source,
        count(f.source) AS total,
        count(f.safe_to_send) AS judged,
        count(*) FILTER (WHERE NOT f.safe_to_send) AS unsafe,
        count(*) FILTER (WHERE btrim(f.annotator) <> '') AS annotated,
        count(f.rubric) AS with_rubric,
        count(f.source) FILTER (WHERE coalesce(btrim(f.conversation_id), '') = '') AS without_conversation,
        count(*) FILTER (WHERE btrim(f.annotator) <> '' AND f.safe_to_send IS NULL) AS without_judgement,
        count(*) FILTER (WHERE NOT f.safe_to_send AND coalesce(cardinality(f.labels), 0) = 0) AS without_label,
        count(f.source) FILTER (WHERE isfinite(f.created_at) IS NOT TRUE) AS without_time,
        count(*) FILTER (WHERE jsonb_typeof(f.rubric) <> 'object' OR EXISTS (
            SELECT
            FROM jsonb_each(CASE jsonb_typeof(f.rubric) WHEN 'object' THEN f.rubric END) AS member (dimension, content)
            WHERE NOT CASE jsonb_typeof(member.content)
                WHEN 'number' THEN abs(member.content::numeric) < 1e12
                WHEN 'string' THEN member.content #>> '{}' ~ '^ *[-+]?[0-9]{1,9} *$'
                ELSE false
            END)) AS bad_rubric,
        count(*) FILTER (WHERE isfinite(f.created_at) AND f.created_at > (SELECT chime.as_of()) + interval '1 minute')
            AS in_future,
        count(*) FILTER (WHERE f.safe_to_send IS NOT NULL AND coalesce(btrim(f.annotator), '') = '')
            AS without_annotator
    FROM (VALUES ('agent_feedback'::text), ('AgentFeedback')) AS s (source)
    LEFT JOIN feedback f ON f.source = s.source
    GROUP BY s.source
),
numbers AS (
    SELECT
        coalesce(CASE WHEN pg_typeof(i.first_id) IN ('bigint'::regtype, 'integer'::regtype, 'smallint'::regtype)
            THEN i.last_id::text::bigint - i.first_id::text::bigint + 1 END, 0) AS expected,
        (SELECT count(*) FROM agent_feedback a WHERE a.id BETWEEN i.first_id AND i.last_id) AS there
    FROM (
        SELECT (array_agg(f.id ORDER BY f.id))[1] AS first_id, (array_agg(f.id ORDER BY f.id DESC))[1] AS last_id
        FROM agent_feedback f
        WHERE f.created_at > (SELECT chime.as_of()) - interval '24 hours' AND isfinite(f.created_at)) i
),
copies AS (
    SELECT coalesce(sum(c.times - 1), 0)::bigint AS count
    FROM (
        SELECT count(*) AS times
        FROM agent_feedback f
        WHERE f.created_at > (SELECT chime.as_of()) - interval '24 hours' AND btrim(f.conversation_id) <> ''
        GROUP BY f.conversation_id, f.annotator, f.created_at
        HAVING count(*) > 1) c
),
checks AS (
    SELECT f.source, c.check_name, c.dimension, c.checked_count, c.failed_count
    FROM figures f
    CROSS JOIN LATERAL (VALUES
        ('judgement_missing', 'completeness', f.annotated, f.without_judgement),
        ('label_missing', 'completeness', f.unsafe, f.without_label),
        ('time_missing', 'completeness', f.total, f.without_time),
        ('rubric_invalid', 'accuracy', f.with_rubric, f.bad_rubric),
        ('time_in_future', 'accuracy', f.total, f.in_future),
        ('annotator_missing', 'audit', f.judged, f.without_annotator),
        ('kept_too_long', 'retention', NULL, CASE f.source
            WHEN 'agent_feedback' THEN (
                SELECT count(*) FROM agent_feedback a
                WHERE a.created_at < chime.as_of() - interval '2160 hours' AND a.created_at > '-infinity')
            ELSE (
                SELECT count(*) FROM "AgentFeedback" a
                WHERE a."createdAt" < chime.as_of() - interval '2160 hours' AND a."createdAt" > '-infinity')
            END)
    ) AS c (check_name, dimension, checked_count, failed_count)
    UNION ALL
    SELECT f.source, c.check_name, c.dimension, c.checked_count, c.failed_count
    FROM figures f
    CROSS JOIN numbers n
    CROSS JOIN copies
    CROSS JOIN LATERAL (VALUES
        ('conversation_missing', 'completeness', f.total, f.without_conversation),
        ('missing_events', 'consistency', n.expected, CASE WHEN n.expected > 0 THEN n.expected - n.there ELSE 0 END),
        ('duplicate_events', 'consistency', f.total, copies.count)
    ) AS c (check_name, dimension, checked_count, failed_count)
    WHERE f.source = 'agent_feedback'
)
SELECT
    source,
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

-- pgchime makes and fills the kept relations itself; these lines stand in for it here.
CREATE TABLE IF NOT EXISTS mv_training_quality_snapshot AS TABLE mv_training_quality_snapshot__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_training_quality_snapshot_pk ON mv_training_quality_snapshot (source);
CREATE TABLE IF NOT EXISTS mv_annotator_activity AS TABLE mv_annotator_activity__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_annotator_activity_pk ON mv_annotator_activity (source, annotator);
CREATE INDEX IF NOT EXISTS idx_mv_annotator_activity_recent ON mv_annotator_activity (last_annotation_at DESC);
CREATE TABLE IF NOT EXISTS mv_agent_feedback_quality AS TABLE mv_agent_feedback_quality__live;
CREATE UNIQUE INDEX IF NOT EXISTS mv_agent_feedback_quality_pk ON mv_agent_feedback_quality (source, check_name);

-- Time moves the windows of whatever has something in them.
PREPARE revisit_snapshot AS
-- chime:begin revisit_snapshot
SELECT source FROM mv_training_quality_snapshot WHERE total_annotations > 0
-- chime:end
;
PREPARE revisit_annotators AS
-- chime:begin revisit_annotators
SELECT source, annotator FROM mv_annotator_activity
-- chime:end
;
DEALLOCATE revisit_snapshot;
DEALLOCATE revisit_annotators;

-- Tile 4 of seed 000: its four figures over the table it named.
-- chime:begin training_data_quality
CREATE OR REPLACE FUNCTION training_data_quality()
RETURNS TABLE (total_annotations bigint, avg_clarity numeric, avg_accuracy numeric, flagged_unsafe bigint)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.total_annotations, q.avg_clarity, q.avg_accuracy, q.flagged_unsafe
    FROM mv_training_quality_snapshot q
    WHERE q.source = 'AgentFeedback';
END
-- chime:end
;

-- The word is looked at in LIMIT, which is asked for also where there is no row.
-- chime:begin training_quality
CREATE OR REPLACE FUNCTION training_quality(source text DEFAULT NULL)
RETURNS TABLE (
    source text, total_annotations bigint, avg_clarity numeric, avg_accuracy numeric, flagged_unsafe bigint,
    unsafe_rate_pct numeric, quality_score numeric, quality_score_24h numeric, dimension_scores jsonb,
    score_distribution jsonb, label_distribution jsonb, annotations_24h bigint, active_annotators bigint,
    active_annotators_24h bigint, last_annotation_at timestamptz, refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.source, q.total_annotations, q.avg_clarity, q.avg_accuracy, q.flagged_unsafe, q.unsafe_rate_pct,
        q.quality_score, q.quality_score_24h, q.dimension_scores, q.score_distribution, q.label_distribution,
        q.annotations_24h, q.active_annotators, q.active_annotators_24h, q.last_annotation_at, q.refreshed_at
    FROM mv_training_quality_snapshot q
    WHERE training_quality.source IS NULL OR q.source = training_quality.source
    ORDER BY q.source
    LIMIT CASE WHEN training_quality.source IS NULL
                    OR chime.one_of(training_quality.source, 'source', 'agent_feedback', 'AgentFeedback') IS NOT NULL
               THEN 10 END;
END
-- chime:end
;

-- The most productive first.
-- chime:begin annotator_activity
CREATE OR REPLACE FUNCTION annotator_activity(source text DEFAULT NULL, max_rows integer DEFAULT 20)
RETURNS TABLE (
    source text, annotator text, annotations_7d bigint, annotations_24h bigint, annotations_1h bigint,
    annotations_per_day numeric, flagged_unsafe bigint, labelled_count bigint, last_annotation_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT a.source, a.annotator, a.annotations_7d, a.annotations_24h, a.annotations_1h, a.annotations_per_day,
        a.flagged_unsafe, a.labelled_count, a.last_annotation_at
    FROM mv_annotator_activity a
    WHERE annotator_activity.source IS NULL OR a.source = annotator_activity.source
    ORDER BY a.annotations_7d DESC, a.source, a.annotator
    LIMIT CASE WHEN annotator_activity.source IS NULL
                    OR chime.one_of(annotator_activity.source, 'source', 'agent_feedback', 'AgentFeedback') IS NOT NULL
               THEN greatest(0, least(coalesce(annotator_activity.max_rows, 20), 1000)) END;
END
-- chime:end
;

-- chime:begin agent_feedback_quality
CREATE OR REPLACE FUNCTION agent_feedback_quality(failed_only boolean DEFAULT false)
RETURNS TABLE (
    source text, check_name text, dimension text, checked_count bigint, failed_count bigint, failed_pct numeric,
    status text, refreshed_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT q.source, q.check_name, q.dimension, q.checked_count, q.failed_count, q.failed_pct, q.status, q.refreshed_at
    FROM mv_agent_feedback_quality q
    WHERE agent_feedback_quality.failed_only IS NOT TRUE OR q.status = 'failed'
    ORDER BY q.source, q.dimension, q.check_name
    LIMIT 100;
END
-- chime:end
;

-- For listeners of seed 001's channel: new feedback, and annotations of it. The payload has the keys of both of its
-- sections. It never fails a write: texts are cut so that even in JSON's longest spelling (six bytes for a character)
-- it stays below the 8,000 bytes that NOTIFY takes. The row has the rest.
\if :{?channels}
-- chime:begin training_feedback_stream
CREATE OR REPLACE FUNCTION notify_training_feedback() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.safe_to_send, OLD.labels, OLD.annotator, OLD.rubric)
                            IS NOT DISTINCT FROM (NEW.safe_to_send, NEW.labels, NEW.annotator, NEW.rubric) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_notify('training_feedback_stream', json_build_object(
        'event', CASE TG_OP WHEN 'INSERT' THEN 'new_feedback' ELSE 'annotation' END,
        'id', NEW.id,
        'conversation_id', left(NEW.conversation_id, 200),
        'safe_to_send', NEW.safe_to_send,
        'labels', (SELECT array_agg(left(given.label, 40) ORDER BY given.n)
                   FROM unnest(NEW.labels) WITH ORDINALITY AS given (label, n) WHERE given.n <= 20),
        'annotator', left(NEW.annotator, 100),
        'created_at', NEW.created_at)::text);
    RETURN NULL;
END
$body$;
CREATE OR REPLACE TRIGGER trg_notify_training_feedback
    AFTER INSERT OR UPDATE ON agent_feedback
    FOR EACH ROW EXECUTE FUNCTION notify_training_feedback();
-- chime:end
\endif
