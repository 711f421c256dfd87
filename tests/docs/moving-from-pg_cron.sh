# shellcheck shell=bash disable=SC2154
# docs/moving-from-pg_cron.md: the extension in database postgres, with jobs for database app.
# SPDX-License-Identifier: PostgreSQL
cron_jobs()
{
    [ -n "$with_cron" ] || exit 77
    PATH=$(postgres_bin):$PATH
    PAGE_DATABASE=postgres query 'CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO shop; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO shop' >/dev/null
    psql -q -d postgres -c "SELECT cron.schedule_in_database('nightly', '0 3 * * *', 'VACUUM', 'app')" \
        -c "SELECT cron.schedule_in_database('totals', '*/10 * * * *', 'SELECT 1', 'app')" \
        -c "SELECT cron.schedule_in_database('mail', '*/30 * * * * *', 'SELECT 2', 'app')" >/dev/null
    serve
}
