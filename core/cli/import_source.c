/* SPDX-License-Identifier: PostgreSQL */
#include "cli/import_source.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/import_dump.h"
#include "cli/job_visit.h"

#define LONGEST_PAUSE USEC_PER_SEC

/* pg_cron looks at a minute within a second of its beginning, and at a changed job within a second, too. */
#define FIRST_SECOND "3"
#define LAST_SECOND "55"
#define TOO_LATE "57"

/* --- opening ------------------------------------------------------------------------------------------------------ */

static bool refuse_absent(struct error *err)
{
    error_set(err, ERROR_NOT_FOUND, "there is no table cron.job: pg_cron is not in this database");
    return error_hint(err, "name the database that cron.database_name says, with --from CONNINFO, or a dump of it with "
                           "--dump FILE");
}

static bool refuse_own(struct error *err)
{
    error_set(err, ERROR_REFUSED, "schema cron is pgchime's own: its jobs are here already");
    return error_hint(err, "name the database that has the extension, with --from CONNINFO");
}

static bool refuse_partial(const char *role, struct error *err)
{
    error_set(err, ERROR_REFUSED, "role \"%s\" does not see all jobs of pg_cron", role);
    return error_hint(err, "connect as a superuser: --from \"... user=postgres\"");
}

/* pg_cron has the setting cron.timezone since 1.5, and hides it from roles without pg_read_all_settings. */
#define HAS_ZONE                                                     \
    "EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron'" \
    " AND string_to_array(substring(e.extversion FROM '^[0-9]+[.][0-9]+'), '.')::int[] >= '{1,5}')"

enum { FACT_KIND, FACT_PARTIAL, FACT_READ, FACT_ROLE, FACT_ZONE, FACT_RUNS, FACT_KEY, FACT_OWN };

static bool read_facts(struct import_source *source, struct error *err)
{
    static const char sql[] =
        "SELECT c.relkind, row_security_active(c.oid),"
        " has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), current_user,"
        " CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') OR NOT " HAS_ZONE
        "      THEN coalesce(nullif(current_setting('cron.timezone', true), ''), 'UTC') END,"
        " EXISTS (SELECT FROM pg_class r WHERE r.relnamespace = n.oid AND r.relname = 'job_run_details'),"
        " (SELECT p.system_identifier || '/' || current_database() FROM pg_control_system() AS p)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'cron' AND c.relname = 'job'";
    struct pg_rows facts;
    bool good = false;
    if (!pg_client_query(source->client, sql, NULL, 0, &facts, err)) {
        return false;
    }
    if (facts.count == 0) {
        refuse_absent(err);
    } else if (pg_rows_value(&facts, 0, FACT_KIND)[0] == 'v') {
        refuse_own(err);
    } else if (pg_rows_value(&facts, 0, FACT_READ)[0] != 't' || pg_rows_value(&facts, 0, FACT_PARTIAL)[0] == 't') {
        refuse_partial(pg_rows_value(&facts, 0, FACT_ROLE), err);
    } else {
        source->zone = arena_strdup(source->arena, pg_rows_value(&facts, 0, FACT_ZONE)); /* NULL: of a NULL */
        source->key = arena_strdup(source->arena, pg_rows_value(&facts, 0, FACT_KEY));
        source->has_runs = pg_rows_value(&facts, 0, FACT_RUNS)[0] == 't';
        good = true;
    }
    pg_rows_finish(&facts);
    return good;
}

static bool read_jobs(struct import_source *source, struct error *err)
{
    static const char sql[] =
        "SELECT j ->> 'jobid', j ->> 'jobname', j ->> 'username', j ->> 'database', j ->> 'schedule', j ->> 'nodename',"
        " coalesce(j ->> 'active', 'true'), j FROM (SELECT to_jsonb(c) AS j FROM cron.job c ORDER BY c.jobid) AS rows";
    struct pg_rows found;
    if (!pg_client_query(source->client, sql, NULL, 0, &found, err)) {
        return false;
    }
    source->rows = arena_alloc(source->arena, (found.count + 1) * sizeof(*source->rows));
    source->count = found.count;
    for (size_t i = 0; i < found.count; i++) {
        const char *texts[8];
        for (size_t column = 0; column < COUNT_OF(texts); column++) {
            texts[column] = arena_strdup(source->arena, pg_rows_value(&found, i, column));
        }
        source->rows[i] = (struct import_row){
            .jobid = texts[0],
            .name = texts[1],
            .owner = texts[2],
            .database = texts[3],
            .schedule = texts[4],
            .node = texts[5],
            .active = strcmp(texts[6], "true") == 0,
            .json = texts[7],
        };
    }
    pg_rows_finish(&found);
    return true;
}

/* Of a session that may write what is ours, too. */
static bool find_out_where(struct import_source *source, const struct visit *visit, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(visit->client, "SELECT chime.this_source()", NULL, 0, &rows, err)) {
        return false;
    }
    bool same = strcmp(pg_rows_value(&rows, 0, 0), source->key) == 0;
    pg_rows_finish(&rows);
    if (!same || source->borrowed) {
        source->here = same;
        return true;
    }
    static const char sql[] = "SELECT r.rolsuper OR c.relowner = r.oid FROM pg_roles r, pg_class c"
                              " JOIN pg_namespace n ON n.oid = c.relnamespace"
                              " WHERE n.nspname = 'chime' AND c.relname = 'job' AND r.rolname = current_user";
    if (!pg_client_query(source->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    source->here = pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    return true;
}

bool import_source_open(struct import_source *source, const struct visit *visit, const char *from, struct error *err)
{
    *source = (struct import_source){.arena = arena_create(), .borrowed = from == NULL};
    source->client = from == NULL ? visit->client : pg_client_open(from, err);
    if (source->client == NULL || !read_facts(source, err)) {
        return from == NULL ? false : error_prefix(err, "--from");
    }
    return read_jobs(source, err) && find_out_where(source, visit, err);
}

bool import_source_read_dump(struct import_source *source, const char *path, struct error *err)
{
    *source = (struct import_source){.arena = arena_create(), .zone = "UTC"};
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    source->key = arena_printf(source->arena, "dump:%s", name);
    return import_dump_read(path, source->arena, &source->rows, &source->count, err);
}

void import_source_close(struct import_source *source)
{
    if (!source->borrowed) {
        pg_client_close(source->client);
    }
    source->client = NULL;
    arena_destroy(source->arena);
    source->arena = NULL;
}

const struct import_row *import_source_find(const struct import_source *source, const char *jobid)
{
    for (size_t i = 0; i < source->count; i++) {
        if (strcmp(source->rows[i].jobid, jobid) == 0) {
            return &source->rows[i];
        }
    }
    return NULL;
}

const struct import_row *import_source_find_named(const struct import_source *source, const struct import_row *row)
{
    for (size_t i = 0; row->name != NULL && i < source->count; i++) {
        const struct import_row *other = &source->rows[i];
        if (other->name != NULL && strcmp(other->name, row->name) == 0 && strcmp(other->owner, row->owner) == 0) {
            return other;
        }
    }
    return NULL;
}

#define ALTER_JOB "to_regprocedure('cron.alter_job(bigint,text,text,text,text,boolean)')"

bool import_source_check_rights(struct import_source *source, struct error *err)
{
    static const char sql[] =
        "SELECT has_table_privilege('cron.job', 'UPDATE'), EXISTS (SELECT FROM pg_attribute a"
        " WHERE a.attrelid = 'cron.job'::regclass AND a.attname = 'active' AND NOT a.attisdropped), current_user,"
        " coalesce(has_function_privilege(" ALTER_JOB ", 'EXECUTE'), false)";
    struct pg_rows rows;
    if (source->client == NULL) {
        return true;
    }
    if (!pg_client_query(source->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    source->by_call = pg_rows_value(&rows, 0, 0)[0] != 't';
    bool may = !source->by_call || pg_rows_value(&rows, 0, 3)[0] == 't';
    bool can = pg_rows_value(&rows, 0, 1)[0] == 't';
    if (!may) {
        error_set(err, ERROR_REFUSED, "role \"%s\" may not change the jobs of pg_cron", pg_rows_value(&rows, 0, 2));
        error_hint(err, "connect as a superuser: --from \"... user=postgres\"");
    } else if (!can) {
        error_set(err, ERROR_REFUSED, "cron.job has no column \"active\": this pg_cron can switch off no job");
        error_hint(err, "bring it up to date: ALTER EXTENSION pg_cron UPDATE");
    }
    pg_rows_finish(&rows);
    return may && can;
}

/* --- changing hands ----------------------------------------------------------------------------------------------- */

/* Runs that it calls live. After a restart it may do so for ever: of those, the session is gone, or a younger run is
 * old. */
#define LIVE_RUN                                                                                                       \
    "EXISTS (SELECT FROM (SELECT * FROM cron.job_run_details ORDER BY runid DESC LIMIT 10000) AS d"                    \
    "         WHERE d.jobid = j.jobid AND d.status IN ('starting', 'connecting', 'sending', 'running')"                \
    "           AND CASE WHEN d.job_pid IS NOT NULL AND d.job_pid > 0"                                                 \
    "                    THEN EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = d.job_pid"                          \
    "                                 AND a.backend_start < coalesce(d.start_time, 'infinity') + interval '1 minute')" \
    "                    ELSE coalesce(d.start_time > pg_postmaster_start_time(), true)"                               \
    "                     AND NOT EXISTS (SELECT FROM cron.job_run_details y WHERE y.runid > d.runid"                  \
    "                                      AND y.start_time < clock_timestamp() - interval '1 minute') END)"

/* Where it keeps no record (cron.log_run = off). Texts are cut where the server cuts them, at 100 bytes or more. */
#define LIVE_SESSION                                                                                             \
    "EXISTS (SELECT FROM pg_stat_activity a WHERE a.state <> 'idle' AND a.usename = j.username AND a.datname = " \
    "j.database"                                                                                                 \
    "         AND (a.application_name LIKE 'pg_cron%' OR a.backend_type LIKE 'pg_cron%')"                        \
    "         AND left(a.query, 80) = left(j.command, 80))"

/* After an UPDATE, which may have waited. */
#define NOT_NEAR                                                                       \
    "(date_trunc('minute', clock_timestamp()) = date_trunc('minute', $2::timestamptz)" \
    " AND extract(second FROM clock_timestamp()) < " TOO_LATE ")"

static enum import_attempt change(const struct import_source *source, const char *sql, const char *const *parameters,
                                  size_t count, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(source->client, sql, parameters, count, &rows, err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    enum import_attempt attempt = rows.count == 0                        ? IMPORT_ATTEMPT_CHANGED
                                  : pg_rows_value(&rows, 0, 0)[0] == 't' ? IMPORT_ATTEMPT_DONE
                                                                         : IMPORT_ATTEMPT_NEAR;
    pg_rows_finish(&rows);
    return attempt;
}

static bool is_running(const struct import_source *source, const char *jobid, bool *running, struct error *err)
{
    static const char recorded[] = "SELECT " LIVE_RUN " OR " LIVE_SESSION " FROM cron.job j WHERE j.jobid = $1::bigint";
    static const char unrecorded[] = "SELECT " LIVE_SESSION " FROM cron.job j WHERE j.jobid = $1::bigint";
    struct pg_rows rows;
    if (!pg_client_query(source->client, source->has_runs ? recorded : unrecorded, &jobid, 1, &rows, err)) {
        return false;
    }
    *running = rows.count > 0 && pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    return true;
}

enum import_attempt import_source_take(const struct import_source *source, const struct import_row *row, const char *at,
                                       struct error *err)
{
    static const char update[] = "UPDATE cron.job AS j SET active = false WHERE j.jobid = $1::bigint AND j.active"
                                 " AND to_jsonb(j) = $3::jsonb RETURNING " NOT_NEAR;
    static const char call[] = "SELECT " NOT_NEAR " FROM cron.job j, LATERAL cron.alter_job(j.jobid, active := false)"
                               " WHERE j.jobid = $1::bigint AND j.active AND to_jsonb(j) = $3::jsonb";
    const char *parameters[] = {row->jobid, at, row->json};
    bool running;
    if (!is_running(source, row->jobid, &running, err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    return running ? IMPORT_ATTEMPT_RUNNING
                   : change(source, source->by_call ? call : update, parameters, COUNT_OF(parameters), err);
}

enum import_attempt import_source_give(const struct import_source *source, const char *jobid, const char *at,
                                       struct error *err)
{
    static const char update[] =
        "UPDATE cron.job AS j SET active = true WHERE j.jobid = $1::bigint RETURNING " NOT_NEAR;
    static const char call[] = "SELECT " NOT_NEAR " FROM cron.job j, LATERAL cron.alter_job(j.jobid, active := true)"
                               " WHERE j.jobid = $1::bigint";
    const char *parameters[] = {jobid, at};
    return change(source, source->by_call ? call : update, parameters, COUNT_OF(parameters), err);
}

const char *import_source_await(const struct import_source *source, struct pg_client *client, struct error *err)
{
    static const char sql[] =
        "SELECT t, CASE WHEN s < " FIRST_SECOND " THEN " FIRST_SECOND " - s WHEN s > " LAST_SECOND
        " THEN 60 + " FIRST_SECOND " - s ELSE 0 END"
        " FROM (SELECT clock_timestamp() AS t) AS c, LATERAL (SELECT extract(second FROM c.t) AS s) AS e";
    const char *now = NULL;
    while (now == NULL) {
        struct pg_rows rows;
        if (!pg_client_query(client, sql, NULL, 0, &rows, err)) {
            return NULL;
        }
        duration left = (duration)(strtod(pg_rows_value(&rows, 0, 1), NULL) * (double)USEC_PER_SEC);
        if (left <= 0) {
            now = arena_strdup(source->arena, pg_rows_value(&rows, 0, 0));
        } else {
            visit_pause(left < LONGEST_PAUSE ? left : LONGEST_PAUSE);
        }
        pg_rows_finish(&rows);
    }
    return now;
}
