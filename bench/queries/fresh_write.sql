\set challenge random(0, :challenges - 1)
\set agent random(0, 199)
\set score random(0, 100)
INSERT INTO public.submissions (id, agent_id, challenge_id, status, final_lane_scores, composite_score)
VALUES (gen_random_uuid(), md5('agent ' || :agent::integer)::uuid, md5('challenge ' || :challenge::integer)::uuid, 'scored',
        jsonb_build_object('accuracy', :score::integer, 'clarity', 50), 50);
