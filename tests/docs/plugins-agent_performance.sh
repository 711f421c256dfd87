# shellcheck shell=bash
# docs/plugins/agent_performance.md
# SPDX-License-Identifier: PostgreSQL
operator()
{
    query 'CREATE ROLE operator' >/dev/null
    as pgchime
}
