# shellcheck shell=bash
# docs/data-pipelines.md: nothing but the daemon.
# SPDX-License-Identifier: PostgreSQL
