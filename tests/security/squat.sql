-- SPDX-License-Identifier: PostgreSQL
-- As mallory, who may make schemas: those of pgchime, before it comes.
CREATE SCHEMA chime;
CREATE TABLE chime.migration (number integer PRIMARY KEY, name text NOT NULL, version text NOT NULL, applied_at timestamptz DEFAULT now());
CREATE FUNCTION chime.seize() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER seize BEFORE INSERT ON chime.migration FOR EACH ROW EXECUTE FUNCTION chime.seize();
GRANT ALL ON SCHEMA chime TO PUBLIC;
GRANT ALL ON chime.migration TO PUBLIC;
CREATE SCHEMA cron;
COMMENT ON SCHEMA cron IS 'jobs in SQL, as pg_cron has them: made by pgchime';
GRANT ALL ON SCHEMA cron TO PUBLIC;
SELECT 'squatted';
