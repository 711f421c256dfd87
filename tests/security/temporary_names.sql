-- SPDX-License-Identifier: PostgreSQL
-- As mallory, who may refresh: types, tables and functions of the session's own, under names that a careless function
-- looks for there first.
CREATE FUNCTION pg_temp.note(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.loot VALUES (current_user);
    RETURN true;
END $$;
CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (pg_temp.note(VALUE::pg_catalog.text));
CREATE DOMAIN pg_temp.timestamptz AS pg_catalog.timestamptz CHECK (pg_temp.note(VALUE::pg_catalog.text));
CREATE DOMAIN pg_temp.name AS pg_catalog.name CHECK (pg_temp.note(VALUE::pg_catalog.text));
CREATE DOMAIN pg_temp.jsonb AS pg_catalog.jsonb CHECK (pg_temp.note(VALUE::pg_catalog.text));
CREATE VIEW pg_temp.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE pg_temp.note(relname::pg_catalog.text);
SELECT 'refreshed' FROM analytics.refresh_realtime_metrics();
SELECT 'made ' || chime.schedule('mine', '0 0 29 2 *', 'SELECT 1', options => '{"max_attempts": 2}', settings => '{"work_mem": "1MB"}',
                                 channels => '{mine}', keep => '1 day');
SELECT chime.alter_job((SELECT job_id FROM chime.jobs), after => '{}', schedule => '0 0 29 2 1');
SELECT chime.run_now('mine'), chime.cancel(1, 'mine');
SELECT chime.unschedule('mine', true);
