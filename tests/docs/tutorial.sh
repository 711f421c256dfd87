# shellcheck shell=bash
# docs/tutorial.md: the view has what was written, and the alerts that it makes fire, before the next command.
# SPDX-License-Identifier: PostgreSQL
same="(SELECT sum(orders) FROM analytics.daily_orders) = (SELECT count(*) FROM orders)"
settle()
{
    [[ $1 == *'INSERT INTO orders (ordered_at'*'VALUES'* ]] || return 0
    await "a fresh view" "SELECT $same"
    await "alerts" "SELECT (SELECT count(*) FROM chime.alert WHERE rule = 'large-day' AND state = 'firing')
                           = (SELECT count(*) FROM analytics.daily_orders WHERE amount > 40000 AND EXISTS (SELECT FROM chime.alert_rule WHERE name = 'large-day'))"
}
