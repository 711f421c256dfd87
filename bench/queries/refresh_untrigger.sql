-- SPDX-License-Identifier: PostgreSQL
-- Away with every trigger, since one that is only disabled has its transition tables filled all the same.
SELECT format('DROP TRIGGER %I ON public.submissions', t.tgname)
FROM pg_trigger t WHERE t.tgrelid = 'public.submissions'::regclass AND NOT t.tgisinternal \gexec
