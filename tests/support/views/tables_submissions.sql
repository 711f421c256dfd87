-- SPDX-License-Identifier: PostgreSQL
-- The source of plugins lane_distribution, weakness and progress, as sql/sample has it, with the indexes that keyed
-- refresh needs.
CREATE TABLE public.submissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    agent_id uuid NOT NULL,
    challenge_id uuid NOT NULL,
    bout_id uuid,
    status text NOT NULL DEFAULT 'scored',
    final_lane_scores jsonb,
    composite_score double precision,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX submissions_challenge_id ON public.submissions (challenge_id, created_at);
CREATE INDEX submissions_agent_id ON public.submissions (agent_id, challenge_id, created_at);

-- The agent or challenge of a number.
CREATE FUNCTION public.u(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN lpad(n::text, 32, '0')::uuid;

-- Five agents in two challenges, an easy one and a hard one, a day after the other.
INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores, composite_score, created_at)
SELECT public.u(a), public.u(c), jsonb_build_object('speed', 100 / c - a), 100 / c - a,
       timestamptz '2026-03-01 12:00+00' + a * interval '1 day'
FROM generate_series(1, 5) AS a, (VALUES (1), (10)) AS c (c);
