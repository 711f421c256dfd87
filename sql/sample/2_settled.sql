-- SPDX-License-Identifier: PostgreSQL
-- What the sample holds on purpose and an application that is well does not: with this, no alert of the plugins fires
-- (script/demo).
BEGIN;

-- Nothing waits for approval.
UPDATE public.agent_approvals SET status = 'approved', approved_by = 'reviewer-0', reviewed_at = now(), updated_at = now()
WHERE status = 'pending';

-- No answer of the last minutes was unsafe.
UPDATE public.agent_feedback SET safe_to_send = true WHERE NOT safe_to_send AND created_at > now() - interval '10 minutes';
UPDATE public."AgentFeedback" SET "safeToSend" = true WHERE NOT "safeToSend" AND "createdAt" > now() - interval '10 minutes';

-- No agent was slow just now.
UPDATE public.agent_queries SET latency_ms = 70 WHERE latency_ms > 70 AND created_at > now() - interval '2 minutes';
UPDATE public."AgentQuery" SET "latencyMs" = 70 WHERE "latencyMs" > 70 AND "createdAt" > now() - interval '2 minutes';

-- No number of the last day is missing: copies that came late were written then, and gaps are filled.
UPDATE public.agent_queries q SET created_at = now() - interval '1 hour'
FROM (SELECT min(id) AS first, max(id) AS last FROM public.agent_queries WHERE created_at > now() - interval '24 hours') AS d
WHERE q.id BETWEEN d.first AND d.last AND q.created_at <= now() - interval '24 hours';
INSERT INTO public.agent_queries (id, agent, query, latency_ms, created_at)
SELECT n, 'data', 'SELECT 1', 70, now() - interval '1 hour'
FROM (SELECT min(id) AS first, max(id) AS last FROM public.agent_queries WHERE created_at > now() - interval '24 hours') AS d,
    generate_series(d.first, d.last) AS n
WHERE NOT EXISTS (SELECT FROM public.agent_queries q WHERE q.id = n);

COMMIT;
