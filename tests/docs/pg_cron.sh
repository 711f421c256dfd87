# shellcheck shell=bash
# docs/pg_cron.md
# SPDX-License-Identifier: PostgreSQL
may_make_jobs() { query 'GRANT pgchime_jobs TO shop' >/dev/null; }
