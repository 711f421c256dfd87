-- SPDX-License-Identifier: PostgreSQL
-- As mallory, who makes jobs: what fills the memory of whoever reads it, or cannot be counted with.
SELECT chime.schedule('command', '0 0 29 2 *', repeat('x', 1048577));
SELECT chime.schedule('settings', '0 0 29 2 *', 'SELECT 1', settings => jsonb_build_object('my.text', repeat('x', 65536)));
SELECT chime.schedule('settings', '0 0 29 2 *', 'SELECT 1',
                      settings => (SELECT jsonb_object_agg('my.text' || n, repeat('x', 100)) FROM generate_series(1, 700) AS n));
SELECT chime.schedule(repeat('n', 4097), '0 0 29 2 *', 'SELECT 1');
SELECT chime.schedule('keep', '0 0 29 2 *', 'SELECT 1', keep => '100000000 years');
SELECT chime.schedule('keep', '0 0 29 2 *', 'SELECT 1', keep => '-1 day');
SELECT chime.schedule('small', '0 0 29 2 *', 'SELECT 1');
SELECT chime.alter_job(job_id, keep => '200 years') FROM chime.jobs;
SELECT chime.alter_job(job_id, command => repeat('x', 1048577)) FROM chime.jobs;
SELECT chime.alter_job(job_id, after => array_agg('small'::text)) FROM chime.jobs, generate_series(1, 1001) GROUP BY job_id;
SELECT chime.schedule('channels', NULL, 'SELECT 1', channels => array_agg('c' || n)) FROM generate_series(1, 101) AS n;
