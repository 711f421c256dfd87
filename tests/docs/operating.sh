# shellcheck shell=bash
# docs/operating.md: a table that a view reads, and another database without pgchime; then an owner who goes.
# SPDX-License-Identifier: PostgreSQL
captured_orders()
{
    query 'CREATE DATABASE elsewhere OWNER shop' >/dev/null
    psql -q -c 'CREATE TABLE orders (day date, amount int)' -c 'CREATE INDEX ON orders (day)' -c "INSERT INTO orders VALUES ('2026-11-24', 3)"
    serve
    psql -q -U pgchime -c "SELECT chime.keep_view('daily_orders', 'SELECT day, count(*) AS n FROM orders GROUP BY day')" >/dev/null
    await "triggers" "SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname LIKE 'chime_capture%')"
    PATH=$(postgres_bin):$PATH
}
night()
{
    leave
    query 'CREATE ROLE night LOGIN' >/dev/null
    as postgres
}
