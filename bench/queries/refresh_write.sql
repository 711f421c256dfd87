-- SPDX-License-Identifier: PostgreSQL
\set number random(0, :rows - 1)
\set challenge random(0, :challenges - 1)
\set score random(0, 100)
INSERT INTO public.submissions (id, agent_id, challenge_id, status, final_lane_scores, composite_score)
VALUES (gen_random_uuid(), md5('agent 1')::uuid, md5('challenge ' || :challenge::integer)::uuid, 'scored',
        jsonb_build_object('accuracy', :score::integer, 'clarity', 50), 50);
UPDATE public.submissions
   SET final_lane_scores = jsonb_set(final_lane_scores, '{accuracy}', to_jsonb(:score::integer))
 WHERE id = md5('submission ' || :number::integer)::uuid;
