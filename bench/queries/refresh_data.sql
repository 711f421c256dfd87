-- SPDX-License-Identifier: PostgreSQL
-- :rows submissions of 4 lanes in :challenges challenges: evenly, or with :heavy tenths of them in challenge 0. They
-- come in the order of time, so the rows of a challenge lie scattered.
-- Indexes are made after the rows: five million take minutes otherwise.
CREATE TEMP TABLE definition AS
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS text
FROM pg_index i WHERE i.indrelid = 'public.submissions'::regclass AND NOT i.indisprimary;
SELECT format('DROP INDEX %s', name) FROM definition \gexec
ALTER TABLE public.submissions DROP CONSTRAINT submissions_pkey;
INSERT INTO public.submissions (id, agent_id, challenge_id, status, final_lane_scores, composite_score, created_at)
SELECT
    md5('submission ' || i)::uuid,
    md5('agent ' || i % 2000)::uuid,
    md5('challenge ' || CASE WHEN i % 10 < :heavy THEN 0 ELSE i % :challenges END)::uuid,
    'scored',
    jsonb_build_object('accuracy', round((100 * random())::numeric, 2), 'clarity', round((100 * random())::numeric, 2),
                       'efficiency', round((100 * random())::numeric, 1), 'robustness', round((100 * random())::numeric)),
    100 * random(),
    timestamptz '2026-01-01' + i * interval '1 second'
FROM generate_series(0, :rows - 1) AS i;
ALTER TABLE public.submissions ADD PRIMARY KEY (id);
SELECT text FROM definition \gexec

-- What passes call: one plain UPDATE for each of p_count challenges from the p_first one on, and the keys of the same.
CREATE SCHEMA bench;
CREATE FUNCTION bench.keys(p_first integer, p_count integer) RETURNS uuid[]
LANGUAGE sql STABLE
RETURN ARRAY(SELECT md5('challenge ' || c % :challenges)::uuid FROM generate_series(p_first, p_first + p_count - 1) AS c);
CREATE FUNCTION bench.change(p_first integer, p_count integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE v_key uuid;
BEGIN
    FOREACH v_key IN ARRAY bench.keys(p_first, p_count) LOOP
        UPDATE public.submissions s
           SET final_lane_scores = jsonb_set(s.final_lane_scores, '{accuracy}', to_jsonb(round((100 * random())::numeric, 2)))
         WHERE s.id = (SELECT o.id FROM public.submissions o WHERE o.challenge_id = v_key LIMIT 1);
    END LOOP;
END $$;
VACUUM ANALYZE public.submissions;
