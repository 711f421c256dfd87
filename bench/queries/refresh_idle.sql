-- SPDX-License-Identifier: PostgreSQL
-- Triggers that PostgreSQL does the same work for as for capture's, and that do nothing with it.
CREATE OR REPLACE FUNCTION bench.idle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT format('CREATE TRIGGER bench_idle_%1$s AFTER %1$s ON public.submissions %2$s EXECUTE FUNCTION bench.idle()',
              e.event, CASE e.event WHEN 'update' THEN 'FOR EACH ROW' ELSE e.referencing || ' FOR EACH STATEMENT' END)
FROM chime.capture_events() AS e \gexec
