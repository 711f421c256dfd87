/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/ledger_sql.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"

static char *schema(void)
{
    return migrate_text(0);
}

void ledger_sql_migrate(struct cluster *cluster)
{
    char *text = schema();
    cluster_execute(cluster, text);
    free(text);
}

struct cluster *ledger_sql_install(const char *const *settings)
{
    static const struct cluster_template installed = {"ledger", ledger_sql_migrate, schema};

    return cluster_create_from(&installed, settings);
}

void ledger_sql_lead(struct cluster *cluster)
{
    cluster_execute(cluster, "UPDATE chime.leader SET token = '" LEDGER_SQL_TOKEN "', epoch = 7, instance = 'test'");
}

void ledger_sql_jobs(struct cluster *cluster, int count)
{
    cluster_execute_format(
        cluster,
        "INSERT INTO chime.job (name, origin, schedule, command, since)"
        " SELECT 'job ' || n, 'config', '* * * * *', 'SELECT 1', '2026-01-01 00:00Z'"
        " FROM (SELECT count(*) AS known FROM chime.job) k, generate_series(known + 1, known + %d) AS n",
        count);
    cluster_execute(cluster, "INSERT INTO chime.job_state (job_id, last_slot)"
                             " SELECT job_id, '2026-01-01 00:00Z' FROM chime.job ON CONFLICT DO NOTHING");
}

#define LEADER "uuid DEFAULT '" LEDGER_SQL_TOKEN "'"

static const char times[] = "CREATE FUNCTION at(n integer) RETURNS timestamptz IMMUTABLE LANGUAGE sql"
                            " RETURN timestamptz '2026-01-01 00:00Z' + n * interval '1 minute';"
                            "CREATE FUNCTION minute(t timestamptz) RETURNS integer LANGUAGE sql"
                            " RETURN extract(epoch FROM t - timestamptz '2026-01-01 00:00Z') / 60;";

static const char claims[] =
    "CREATE FUNCTION claim(job bigint, kind chime.run_kind, cursor integer, slot integer, token " LEADER
    ") RETURNS text LANGUAGE sql RETURN (SELECT string_agg(CASE WHEN c.job_id = job THEN 'granted'"
    " WHEN c.ahead = job THEN 'ahead' WHEN c.suspended = job THEN 'refused: ' || c.reason END, ',')"
    " FROM chime.claim(token, ARRAY[job], ARRAY(SELECT version FROM chime.job j WHERE j.job_id = job), ARRAY[kind],"
    " ARRAY[at(slot)], ARRAY[at(cursor)], ARRAY[4711], ARRAY[at(0)]) c);"
    "CREATE FUNCTION reclaim(job bigint, kind chime.run_kind, slot integer, token " LEADER
    ") RETURNS boolean LANGUAGE sql RETURN (SELECT c.job_id = job"
    " FROM chime.reclaim(token, ARRAY[job], ARRAY[kind], ARRAY[at(slot)], ARRAY[4712], ARRAY[at(0)]) c);";

static const char ends[] =
    "CREATE FUNCTION finish(job bigint, kind chime.run_kind, slot integer, state chime.run_state, log text, "
    "token " LEADER
    ") RETURNS boolean LANGUAGE sql RETURN (SELECT f.job_id = job FROM chime.finish(token, ARRAY[job], ARRAY[kind],"
    " ARRAY[at(slot)], ARRAY[state], ARRAY[at(slot)], ARRAY[at(slot + 1)], ARRAY[5::bigint], ARRAY[NULL::text],"
    " ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[log]) f);"
    "CREATE FUNCTION retry(job bigint, kind chime.run_kind, slot integer, log text, token " LEADER
    ") RETURNS boolean LANGUAGE sql RETURN (SELECT f.job_id = job FROM chime.retry(token, ARRAY[job], ARRAY[kind],"
    " ARRAY[at(slot)], ARRAY['failed']::chime.run_state[], ARRAY[at(slot)], ARRAY[at(slot + 1)], ARRAY['40001'],"
    " ARRAY['again'], ARRAY[at(slot + 3)], ARRAY[log]) f);"
    "CREATE FUNCTION run(job bigint, slot integer, state chime.run_state, log text) RETURNS boolean LANGUAGE plpgsql AS"
    " $$BEGIN RETURN claim(job, 'schedule', (SELECT minute(last_slot) FROM chime.job_state s WHERE s.job_id = job), "
    "slot)"
    " = 'granted' AND finish(job, 'schedule', slot, state, log); END$$;";

static const char passes[] =
    "CREATE FUNCTION skip(job bigint, kind chime.run_kind, cursor integer, slot integer, outcome boolean, log text,"
    " token " LEADER ") RETURNS boolean LANGUAGE sql RETURN (SELECT p.job_id = job FROM chime.skip(token, ARRAY[job],"
    " ARRAY[kind], ARRAY[at(cursor)], ARRAY[at(slot)], ARRAY[at(slot + 1)], ARRAY['because'], ARRAY[outcome],"
    " ARRAY[log]) p);"
    "CREATE FUNCTION miss(job bigint, cursor integer, first integer, last integer, token " LEADER
    ") RETURNS boolean LANGUAGE sql RETURN (SELECT p.job_id = job FROM chime.miss(token, ARRAY[job], ARRAY[at(cursor)],"
    " ARRAY[at(first)], ARRAY[at(last)], ARRAY[(last - first + 1)::bigint], ARRAY['away'], ARRAY[at(last + 1)]) p);"
    "CREATE FUNCTION requests() RETURNS text LANGUAGE sql RETURN (SELECT string_agg(concat_ws(' ', w.verb, w.job_id,"
    " w.kind, minute(w.slot), w.reason), ';') FROM chime.open_requests() w);"
    "CREATE FUNCTION granted(answer boolean) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN"
    " PERFORM chime.acknowledge('" LEDGER_SQL_TOKEN
    "', ARRAY(SELECT request_id FROM chime.open_requests() WHERE verb <> 'run'), clock_timestamp());"
    " RETURN answer; END$$;";

void ledger_sql_helpers(struct cluster *cluster)
{
    cluster_execute(cluster, times);
    cluster_execute(cluster, claims);
    cluster_execute(cluster, ends);
    cluster_execute(cluster, passes);
}

struct cluster *ledger_sql_create(int jobs)
{
    struct cluster *cluster = ledger_sql_install(NULL);
    ledger_sql_helpers(cluster);
    ledger_sql_lead(cluster);
    ledger_sql_jobs(cluster, jobs);
    return cluster;
}

void ledger_sql_expect_refused(struct cluster *cluster, const char *sql, const char *sqlstate)
{
    const char *found = cluster_sqlstate(cluster, sql);
    ck_assert_msg(strcmp(found, sqlstate) == 0, "%s: \"%s\" instead of \"%s\"", sql, found, sqlstate);
}

char *ledger_sql_everything(struct cluster *cluster)
{
    return cluster_rows(
        cluster, "SELECT j::text FROM chime.job j UNION ALL SELECT s::text FROM chime.job_state s UNION ALL SELECT"
                 " r::text FROM chime.run r UNION ALL SELECT h::text FROM chime.run_history h UNION ALL SELECT"
                 " a::text FROM chime.attempt a UNION ALL SELECT m::text FROM chime.missed m UNION ALL SELECT"
                 " q::text FROM chime.request q ORDER BY 1");
}
