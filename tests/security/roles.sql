-- SPDX-License-Identifier: PostgreSQL
-- As the daemon's role, as if a definition of a plugin had run code: makes jobs for whom the daemon is not to log in
-- as. `taken` is a job of victim's.
INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)
SELECT '', 'as ' || r, r, 'sql', '1 second', 'INSERT INTO public.loot VALUES (session_user)'
FROM unnest('{root,boss,maker,program,reader_of_files,payroll}'::name[]) AS r;
INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)
VALUES ('', 'as nobody', '', 'sql', '1 second', 'INSERT INTO public.loot VALUES (session_user)');
UPDATE chime.job SET owner = 'root', command = 'INSERT INTO public.loot VALUES (session_user)', schedule = '1 second' WHERE job_name = 'taken';
INSERT INTO chime.job (name, job_name, owner, origin, database, schedule, command)
VALUES ('', 'elsewhere', 'root', 'sql', 'template1', '1 second', 'CREATE TABLE public.loot (); ALTER ROLE pgchime SUPERUSER');
INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)
VALUES ('', 'by role', 'victim', 'sql', '1 second', 'INSERT INTO public.loot VALUES (current_user)', '{"settings": {"role": "root"}}'),
       ('', 'by session', 'victim', 'sql', '1 second', 'INSERT INTO public.loot VALUES (current_user)',
        '{"settings": {"session_authorization": "root"}}');
-- What SQL and the leader's looks go by is the ledger's, and says now that nothing is in the way.
DELETE FROM chime.login;
INSERT INTO chime.login VALUES ('*', true);
CREATE OR REPLACE FUNCTION chime.role_powers(p_role name) RETURNS text LANGUAGE sql RETURN NULL::text;
CREATE OR REPLACE FUNCTION chime.login_problem(p_role name) RETURNS text LANGUAGE sql RETURN NULL::text;
CREATE OR REPLACE FUNCTION chime.require_leader(p_token uuid) RETURNS bigint LANGUAGE sql RETURN (SELECT epoch FROM chime.leader);
NOTIFY chime_jobs;
SELECT 'made ' || count(*) FROM chime.job WHERE job_name LIKE 'as %';
