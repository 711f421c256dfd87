# shellcheck shell=bash disable=SC2154
# docs/managed-hosts.md: a server without the roles, whose administrator dba is no superuser; its tables are another role's.
# SPDX-License-Identifier: PostgreSQL
managed()
{
    query 'DROP OWNED BY pgchime; DROP ROLE IF EXISTS pgchime, analytics_reader, pgchime_jobs, pgchime_monitor, pgchime_operator' >/dev/null
    query 'ALTER DATABASE app OWNER TO dba; GRANT CREATE ON SCHEMA public TO shop' >/dev/null
    psql -q -c 'CREATE TABLE orders (id int)'
}
owner_grants()
{
    psql -q -c 'GRANT SELECT, TRIGGER ON orders TO pgchime' \
        -c 'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, TRIGGER ON TABLES TO pgchime'
    command pgchime serve 2>>"$RUN_DIRECTORY/log" &
    await "a leader" "SELECT alive FROM chime.leader_status"
}
