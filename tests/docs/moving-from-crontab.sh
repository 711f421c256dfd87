# shellcheck shell=bash
# docs/moving-from-crontab.md
# SPDX-License-Identifier: PostgreSQL
app_crontab()
{
    cat >app.crontab <<'END'
CRON_TZ=Europe/Berlin
MAILTO=ops@example.com
*/10 * * * * psql -d app -c "REFRESH MATERIALIZED VIEW CONCURRENTLY sales"
0 3 * * *    psql -d app -c "DELETE FROM sessions WHERE ended < now() - interval '7 days'" >/dev/null
30 3 * * *   psql -d app -c "VACUUM sessions" && touch /tmp/vacuumed
15 4 * * *   pg_dump app | gzip >/backup/app.gz
END
    serve
}
settle()
{
    [[ $1 != *'--yes' ]] || await "its jobs" "SELECT count(*) = 2 FROM chime.job WHERE active"
}
