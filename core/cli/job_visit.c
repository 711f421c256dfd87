/* SPDX-License-Identifier: PostgreSQL */
#include "cli/job_visit.h"

#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "cli/load.h"
#include "ledger/ledger.h"

static bool search_database(struct visit *visit, void *search, struct error *err)
{
    bool here;
    return job_search_visit(visit, search, &here, err);
}

static bool find_job(struct job_visit *visit, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    job_id_ask(&question, visit->job);
    if (!visit_ask(&visit->visit, &question, &rows, err)) {
        return false;
    }
    bool found = rows.count > 0;
    if (found) {
        snprintf(visit->job_id, sizeof(visit->job_id), "%s", pg_rows_value(&rows, 0, 0));
        visit->active = pg_rows_value(&rows, 0, 1)[0] == 't';
    } else {
        error_set(err, ERROR_NOT_FOUND, "job \"%s\" is gone", visit->job);
    }
    pg_rows_finish(&rows);
    return found;
}

static int visit_there(const struct invocation *invocation, const char *job, const struct config_database *database,
                       job_visit_function *function, void *data)
{
    struct job_visit visit = {.invocation = invocation, .job = job};
    struct error err = {.kind = ERROR_NONE};
    int status = (int)ERROR_FAILED;
    if (visit_open(&visit.visit, database, &err) && find_job(&visit, &err)) {
        status = function(&visit, data, &err);
    }
    if (err.kind != ERROR_NONE) {
        error_prefix(&err, "database \"%s\"", database->name);
        status = fail(&err);
    }
    visit_close(&visit.visit);
    return status;
}

static int refuse_ambiguous(const char *job)
{
    struct error err;
    error_set(&err, ERROR_USAGE, "more than one database has a job \"%s\"", job);
    error_hint(&err, "choose one with --database NAME");
    return fail(&err);
}

int visit_job(const struct invocation *invocation, const char *job, job_visit_function *function, void *data)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct job_search search = {.name = job};
    status = visit_all(invocation, config, search_database, &search);
    if (search.found == 1) {
        status = visit_there(invocation, job, search.database, function, data);
    } else if (search.found > 1) {
        status = refuse_ambiguous(job);
    } else if (status == EXIT_OK) {
        status = job_search_refuse(&search);
    }
    job_search_finish(&search);
    config_free(config);
    return status;
}

bool visit_is_led(struct visit *visit, bool *led, struct error *err)
{
    static const char sql[] = "SELECT chime.led()";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    *led = rows.count > 0 && pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    return true;
}

void visit_pause(duration length)
{
    struct timespec pause = {.tv_sec = (time_t)(length / USEC_PER_SEC),
                             .tv_nsec = (long)(length % USEC_PER_SEC) * 1000};
    nanosleep(&pause, NULL);
}

/* `copy_of` is NULL, or which copy nobody leads. */
static bool refuse_unled(const struct visit *visit, const char *copy_of, const char *file, struct error *err)
{
    if (copy_of != NULL) {
        error_set(err, ERROR_REFUSED, "%s: its jobs are held", copy_of);
        return error_hint(err, LEDGER_COPY_HINT, visit->database->name);
    }
    error_set(err, ERROR_REFUSED, "nobody leads this database: nothing would be done");
    return error_hint(err, "start the daemon: pgchime serve --config %s", file);
}

bool visit_require_leader(struct visit *visit, const struct invocation *invocation, struct error *err)
{
    static const char sql[] = "SELECT chime.copy_of() WHERE NOT chime.led()";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    bool led = rows.count == 0;
    if (!led) {
        refuse_unled(visit, pg_rows_value(&rows, 0, 0), invocation->config, err);
    }
    pg_rows_finish(&rows);
    return led;
}
