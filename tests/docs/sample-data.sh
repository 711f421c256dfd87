# shellcheck shell=bash
# docs/sample-data.md
# SPDX-License-Identifier: PostgreSQL
link_sources() { ln -s "$ROOT_DIRECTORY/sql" sql; }
