# shellcheck shell=bash
# docs/doctor.md: a job of alice reads a table that she may not read.
# SPDX-License-Identifier: PostgreSQL
refuse_alice()
{
    query "CREATE ROLE alice LOGIN; GRANT pgchime_jobs TO alice" >/dev/null
    psql -q -c 'CREATE TABLE stock (item text, pieces int)'
    serve
    query 'GRANT USAGE ON SCHEMA public TO alice' >/dev/null
    psql -q -U alice -c "SELECT chime.schedule('reads', '0 3 * * *', 'SELECT count(*) FROM stock')" -c "SELECT chime.run_now('reads')" >/dev/null
    await "a failure" "SELECT EXISTS (SELECT FROM chime.runs WHERE job = 'alice/reads' AND state = 'failed')"
    await "alerts looked" "SELECT EXISTS (SELECT FROM chime.alert WHERE rule = 'job-failed')"
}
