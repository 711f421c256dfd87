# shellcheck shell=bash
# README.md: the tables of its jobs, and what has happened by the time that its transcript begins.
# SPDX-License-Identifier: PostgreSQL
shop_tables()
{
    psql -q <<'END'
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, ordered_at timestamptz NOT NULL, amount numeric NOT NULL,
                     closed boolean NOT NULL DEFAULT false);
CREATE INDEX ON orders (((ordered_at AT TIME ZONE 'UTC')::date));
CREATE TABLE totals (day date, amount numeric);
INSERT INTO orders (ordered_at, amount) SELECT '2026-03-01 00:00Z'::timestamptz + n * interval '1 hour', n FROM generate_series(0, 47) n;
ANALYZE orders;
END
    query 'GRANT analytics_reader TO shop' >/dev/null
    PGUSER=shop psql -q -c 'GRANT UPDATE ON orders TO pgchime' -c 'GRANT INSERT ON totals TO pgchime'
}

# One run of close-orders, and one of the view's job.
first_runs()
{
    await "the jobs" "SELECT count(*) >= 4 FROM chime.job WHERE active"
    pgchime run close-orders --wait >/dev/null
    pgchime run pgchime/daily_orders --wait >/dev/null
    settled
}

# The view holds what was written, and what comes after totals has ended.
settled()
{
    await "a fresh view" "SELECT (SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)
        AND NOT EXISTS (SELECT FROM chime.run)"
}
settle()
{
    case $1 in
        'pgchime run totals'*) await "an end of report" "SELECT EXISTS (SELECT FROM chime.runs WHERE job = 'report' AND finished_at IS NOT NULL)" ;;
        *INSERT*) settled ;;
    esac
}
link_build() { ln -s "$ROOT_DIRECTORY/build" build; }
