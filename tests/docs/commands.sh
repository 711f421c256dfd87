# shellcheck shell=bash
# docs/commands.md: the tables of the README, and a first run of each job.
# SPDX-License-Identifier: PostgreSQL
. "$ROOT_DIRECTORY/tests/docs/README.sh"
led()
{
    serve
    await "the view" "SELECT count(*) = 2 FROM analytics.daily_orders"
    pgchime run close-orders --wait >/dev/null
    pgchime run totals --wait >/dev/null
    await "an end of report" "SELECT EXISTS (SELECT FROM chime.runs WHERE job = 'report' AND finished_at IS NOT NULL) AND NOT EXISTS (SELECT FROM chime.run)"
    query "SELECT setval('chime.run_id', 160)" >/dev/null
}
settle()
{
    case $1 in
        'pgchime cancel'*) await "its end" "SELECT NOT EXISTS (SELECT FROM chime.request) AND NOT EXISTS (SELECT FROM chime.run)" ;;
        'pgchime run totals'*) await "what follows" "SELECT NOT EXISTS (SELECT FROM chime.run)" ;;
        'pgchime run slow') await "its start" "SELECT EXISTS (SELECT FROM chime.run)" ;;
        'pgchime suspend'* | 'pgchime resume'*) await "that it is done" "SELECT NOT EXISTS (SELECT FROM chime.request)" ;;
    esac
}
