# shellcheck shell=bash
# docs/alerts.md: a job that fails, and a queue that is too deep.
# SPDX-License-Identifier: PostgreSQL
fail_report()
{
    cat >conf.d/report.conf <<'END'
jobs: { report: { schedule = "@yearly"; command = "SELECT 1 / 0"; max_attempts = 1; }; };
END
    serve
    query "SELECT setval(pg_get_serial_sequence('chime.alert', 'alert_id'), 6)" >/dev/null
    await "the job" "SELECT EXISTS (SELECT FROM chime.job WHERE name = 'report')"
    pgchime run report --wait >/dev/null || :
    await "an alert" "SELECT EXISTS (SELECT FROM chime.alert WHERE rule = 'job-failed' AND state = 'firing')"
}
make_queue()
{
    psql -q -c "CREATE TABLE queue (shop text, depth int)" -c "INSERT INTO queue VALUES ('north', 140), ('south', 3)" \
        -c "GRANT SELECT ON queue TO pgchime"
}
settle()
{
    [[ $1 != 'pgchime alerts silence'* ]] || await "the silence" "SELECT bool_and(silence_id IS NOT NULL) FROM chime.alerts WHERE rule = 'job-failed'"
}
