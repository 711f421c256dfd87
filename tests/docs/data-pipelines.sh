# shellcheck shell=bash
# docs/data-pipelines.md: a daemon that knows the job.
# SPDX-License-Identifier: PostgreSQL
served()
{
    serve
    await "the job" "SELECT EXISTS (SELECT FROM chime.job WHERE name = 'per-hour')"
}
