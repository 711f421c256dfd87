# shellcheck shell=bash
# docs/security.md
# SPDX-License-Identifier: PostgreSQL
more_roles()
{
    query 'CREATE ROLE dashboard' >/dev/null
    as postgres
}
