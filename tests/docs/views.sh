# shellcheck shell=bash
# docs/views.md
# SPDX-License-Identifier: PostgreSQL
captured()
{
    query 'GRANT analytics_reader TO shop' >/dev/null
    await "triggers" "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'chime_capture%')"
}
suspend_daily()
{
    pgchime suspend pgchime/daily_orders --reason 'the table is being moved' >/dev/null
    await "the suspension" "SELECT suspended_at IS NOT NULL FROM chime.job_status WHERE name = 'pgchime/daily_orders'"
}
install_largest()
{
    cp largest_orders.sql plugins/
    await "largest_orders" "SELECT to_regclass('analytics.largest_orders') IS NOT NULL AND (SELECT count(*) > 0 FROM analytics.largest_orders)"
}
make_analyst()
{
    admin 'CREATE ROLE analyst LOGIN; GRANT pgchime_jobs TO analyst'
}
