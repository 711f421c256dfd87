-- SPDX-License-Identifier: PostgreSQL
-- Beside sample tables whose plugins notify: what listeners heard, and what they should have heard, told from the rows
-- that were written. Run once the plugins are installed; what was there before counts as old.

CREATE UNLOGGED TABLE public.told (
    n bigint GENERATED ALWAYS AS IDENTITY,
    channel text NOT NULL,
    payload text NOT NULL,
    told jsonb GENERATED ALWAYS AS (payload::jsonb) STORED
);

CREATE TABLE public.baseline AS
SELECT clock_timestamp() AS at, (SELECT coalesce(max(id), 0) FROM public.agent_queries) AS query,
    (SELECT coalesce(max(id), 0) FROM public.agent_approvals) AS approval,
    (SELECT coalesce(max(id), 0) FROM public.agent_feedback) AS feedback,
    (SELECT coalesce(max(id), 0) FROM public.action_results) AS action,
    (SELECT count(*) FROM public.submissions) AS submissions;

-- No column tells how often a submission was changed: so each change is written down as its statement ends. What one
-- transaction tells twice is heard once.
CREATE TABLE public.scored (xid xid8 NOT NULL DEFAULT pg_current_xact_id(), id uuid, challenge_id uuid, agent_id uuid);
CREATE FUNCTION public.note_scored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.scored (id, challenge_id, agent_id)
    SELECT o.id, o.challenge_id, o.agent_id FROM old_rows o
    WHERE o.status = 'scored' AND NOT EXISTS (SELECT FROM public.submissions s WHERE s.id = o.id AND s IS NOT DISTINCT FROM o)
    UNION ALL
    SELECT s.id, s.challenge_id, s.agent_id FROM old_rows o JOIN public.submissions s USING (id)
    WHERE s.status = 'scored' AND s IS DISTINCT FROM o;
    RETURN NULL;
END $$;
CREATE TRIGGER note_scored_update AFTER UPDATE ON public.submissions
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.note_scored();
CREATE TRIGGER note_scored_delete AFTER DELETE ON public.submissions
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION public.note_scored();

-- Agents that a refresh leaves degraded and that were not before it.
CREATE TABLE public.health AS SELECT agent, health_status FROM analytics.mv_realtime_agent_performance;
CREATE TABLE public.degraded (agent text, refreshed_at timestamptz);
CREATE FUNCTION public.note_degraded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.degraded
    SELECT p.agent, p.refreshed_at FROM analytics.mv_realtime_agent_performance p
    WHERE p.health_status = 'degraded'
        AND NOT EXISTS (SELECT FROM public.health h WHERE h.agent = p.agent AND h.health_status = 'degraded');
    DELETE FROM public.health;
    INSERT INTO public.health SELECT agent, health_status FROM analytics.mv_realtime_agent_performance;
    RETURN NULL;
END $$;
CREATE TRIGGER note_degraded AFTER INSERT OR UPDATE OR DELETE ON analytics.mv_realtime_agent_performance
    FOR EACH STATEMENT EXECUTE FUNCTION public.note_degraded();

CREATE FUNCTION public.alert(event text, agent text, latency numeric, query text, conversation text, at timestamptz)
RETURNS text LANGUAGE sql IMMUTABLE
RETURN concat_ws(' ', event, agent, latency, md5(query), conversation, extract(epoch FROM at));

CREATE VIEW public.due AS
SELECT 'agent_queries_stream' AS channel, 'new_query ' || q.id AS event
FROM public.baseline b JOIN public.agent_queries q ON q.id > b.query
UNION ALL
SELECT 'performance_alert_stream', public.alert('slow_query', q.agent, round(q.latency_ms, 3), left(q.query, 100),
                                                q.conversation_id, q.created_at)
FROM public.baseline b JOIN public.agent_queries q ON q.id > b.query AND q.latency_ms > 200
UNION ALL
SELECT 'performance_alert_stream', public.alert('health_degraded', d.agent, NULL, NULL, NULL, d.refreshed_at)
FROM public.degraded d
UNION ALL
SELECT 'approval_queue_stream', 'new_approval ' || a.id FROM public.baseline b JOIN public.agent_approvals a ON a.id > b.approval
UNION ALL
SELECT 'approval_queue_stream', 'status_change ' || a.id || ' ' || a.status
FROM public.baseline b JOIN public.agent_approvals a ON a.updated_at >= b.at AND a.status <> 'pending'
UNION ALL
SELECT 'training_feedback_stream', 'new_feedback ' || f.id
FROM public.baseline b JOIN public.agent_feedback f ON f.id > b.feedback
UNION ALL
SELECT 'training_feedback_stream', 'annotation ' || f.id
FROM public.baseline b JOIN public.agent_feedback f ON f.updated_at >= b.at AND f.annotator IS NOT NULL
UNION ALL
SELECT 'submission_scored', concat_ws(' ', s.id, s.challenge_id, s.agent_id)
FROM (SELECT DISTINCT c.* FROM public.scored c) AS s
UNION ALL
SELECT 'submission_scored', concat_ws(' ', s.id, s.challenge_id, s.agent_id)
FROM public.baseline b JOIN public.submissions s ON s.created_at >= b.at AND s.status = 'scored';

CREATE VIEW public.heard AS
SELECT t.channel,
    CASE t.channel
        WHEN 'submission_scored' THEN concat_ws(' ', t.told ->> 'submission_id', t.told ->> 'challenge_id', t.told ->> 'agent_id')
        WHEN 'performance_alert_stream' THEN public.alert(
            t.told ->> 'event', t.told ->> 'agent',
            CASE t.told ->> 'event' WHEN 'slow_query' THEN (t.told ->> 'latency_ms')::numeric END, t.told ->> 'query',
            t.told ->> 'conversation_id', (t.told ->> 'created_at')::timestamptz)
        ELSE concat_ws(' ', t.told ->> 'event', t.told ->> 'id',
                       CASE t.told ->> 'event' WHEN 'status_change' THEN t.told ->> 'new_status' END)
    END AS event
FROM public.told t;

-- As bags: an event heard twice is one too many.
CREATE VIEW public.misheard AS
SELECT 'not heard' AS what, m.* FROM (SELECT * FROM public.due EXCEPT ALL SELECT * FROM public.heard) AS m
UNION ALL
SELECT 'heard for nothing', s.* FROM (SELECT * FROM public.heard EXCEPT ALL SELECT * FROM public.due) AS s;

-- The union of what the seeds' sections have in a payload of each channel.
CREATE TABLE public.payload_keys (channel text PRIMARY KEY, keys text NOT NULL);
INSERT INTO public.payload_keys VALUES
    ('agent_queries_stream', 'agent conversation_id created_at event id latency_ms query'),
    ('performance_alert_stream', 'agent conversation_id created_at event health_status latency_ms query severity'),
    ('approval_queue_stream', 'age_minutes age_seconds approved_by conversation_id created_at event id new_status old_status '
                              'resolution_seconds status'),
    ('training_feedback_stream', 'annotator conversation_id created_at event id labels safe_to_send'),
    ('submission_scored', 'agent_id challenge_id submission_id');

-- One turn of writes beside the load, each a transaction of many rows or of hostile ones: texts of 60 kB, of which
-- every character is escaped or takes several bytes, and of whose characters none ends where the last turn's did. An
-- agent is slow, quick, slow again and quick again in four turns; another one is slow and stays so.
CREATE FUNCTION public.hostile(turn integer) RETURNS text LANGUAGE sql IMMUTABLE
RETURN repeat('x', turn % 9) || repeat(CASE turn % 3 WHEN 0 THEN E'"''\\é😀' WHEN 1 THEN E'\x01"' ELSE '😀' END,
                                       60000 / CASE turn % 3 WHEN 0 THEN 9 WHEN 1 THEN 2 ELSE 4 END);

CREATE PROCEDURE public.write_turn(turn integer) LANGUAGE plpgsql AS $$
DECLARE
    v_text text := public.hostile(turn);
    v_slow boolean := turn % 2 = 0;
BEGIN
    INSERT INTO public.agent_queries (agent, query, latency_ms, conversation_id)
    SELECT 'agent ' || turn / 4, 'n' || n, CASE WHEN v_slow THEN 1000 + n ELSE 1 END, 'turn ' || turn
    FROM generate_series(1, CASE WHEN v_slow THEN 3 ELSE 15 END) AS n;
    INSERT INTO public.agent_queries (agent, query, latency_ms) VALUES ('slow ' || turn, 'SELECT 1', 900);
    COMMIT;
    INSERT INTO public.agent_queries (agent, query, latency_ms, conversation_id)
    VALUES ('hostile', v_text, 100 + turn % 200, left(v_text, 200)); -- some of them slow
    INSERT INTO public.action_results (trigger_id, action_type, status, error_message) VALUES (1, 'rest', 'failed', v_text);
    INSERT INTO public."AgentQuery" (agent, query, "latencyMs") VALUES ('hostile', v_text, 5);
    COMMIT;
    INSERT INTO public.agent_approvals (conversation_id, approved_by)
    SELECT CASE n WHEN 1 THEN v_text ELSE 'turn ' || turn END, CASE n WHEN 1 THEN v_text END FROM generate_series(1, 20) AS n;
    INSERT INTO public.agent_feedback (conversation_id, labels)
    SELECT v_text, array_fill(v_text, ARRAY[30]) FROM generate_series(1, 20);
    COMMIT;
    UPDATE public.agent_approvals SET status = 'approved', updated_at = clock_timestamp()
    WHERE status = 'pending' AND conversation_id IN ('turn ' || turn, v_text);
    UPDATE public.agent_feedback SET annotator = 'test', updated_at = clock_timestamp()
    WHERE annotator IS NULL AND conversation_id = v_text;
    COMMIT;
    -- Scored again; from one agent to another; gone.
    UPDATE public.submissions SET composite_score = coalesce(composite_score, 0) + 0.5
    WHERE id IN (SELECT id FROM public.submissions ORDER BY created_at OFFSET turn LIMIT 20);
    COMMIT;
    UPDATE public.submissions SET agent_id = md5(agent_id::text)::uuid
    WHERE id IN (SELECT id FROM public.submissions ORDER BY created_at OFFSET turn LIMIT 5);
    DELETE FROM public.submissions WHERE id IN (SELECT id FROM public.submissions ORDER BY created_at OFFSET turn + 100 LIMIT 3);
    COMMIT;
END $$;
