/* SPDX-License-Identifier: PostgreSQL */
#include "cli/import_handover.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/job_visit.h"

#define PAUSE (200 * USEC_PER_MSEC)

struct handover {
    const struct import_plan *plan;
    const struct import_step *step;
    const char *at;   /* when it changes hands */
    char number[24];  /* of ours, as it turned out */
    instant deadline; /* by the boot clock */
    bool late;        /* pg_cron has it back in another minute than ours stopped */
};

/* --- statements --------------------------------------------------------------------------------------------------- */

static bool execute(struct pg_client *client, const char *sql, struct error *err)
{
    return pg_client_query(client, sql, NULL, 0, NULL, err);
}

/* After a failure, whose error stays. */
static void roll_back(struct pg_client *client)
{
    struct error ignored;
    (void)!execute(client, "ROLLBACK", &ignored);
}

/* A statement of one row with one value, which goes to `value` (NULL: to nowhere). */
static bool call(const struct handover *handover, const char *sql, const char *const *parameters, size_t count,
                 char *value, size_t size, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(handover->plan->ours, sql, parameters, count, &rows, err)) {
        return false;
    }
    if (value != NULL) {
        const char *text = pg_rows_value(&rows, 0, 0);
        snprintf(value, size, "%s", text != NULL ? text : "");
    }
    pg_rows_finish(&rows);
    return true;
}

static bool begin_import(struct handover *handover, struct error *err)
{
    const struct import_step *step = handover->step;
    const char *parameters[] = {handover->plan->source->key, step->row.json, step->schedule,
                                step->active ? "t" : "f",    step->options,  handover->at};
    return call(handover, "SELECT chime.begin_import($1, $2::jsonb, $3, $4::boolean, $5::jsonb, $6::timestamptz)",
                parameters, COUNT_OF(parameters), NULL, 0, err);
}

static bool with_job(struct handover *handover, const char *sql, char *value, size_t size, struct error *err)
{
    const char *parameters[] = {handover->plan->source->key, handover->step->row.jobid};
    return call(handover, sql, parameters, COUNT_OF(parameters), value, size, err);
}

static bool finish_import(struct handover *handover, struct error *err)
{
    return with_job(handover, "SELECT chime.finish_import($1, $2::bigint)", handover->number, sizeof(handover->number),
                    err);
}

static bool forget_import(struct handover *handover, struct error *err)
{
    return with_job(handover, "SELECT chime.forget_import($1, $2::bigint)", NULL, 0, err);
}

static bool begin_return(struct handover *handover, bool *idle, struct error *err)
{
    const char *parameters[] = {handover->plan->source->key, handover->step->row.jobid, handover->at};
    char answer[8];
    if (!call(handover, "SELECT chime.begin_return($1, $2::bigint, $3::timestamptz)", parameters, COUNT_OF(parameters),
              answer, sizeof(answer), err)) {
        return false;
    }
    *idle = answer[0] == 't';
    return true;
}

static bool finish_return(struct handover *handover, struct error *err)
{
    return with_job(handover, "SELECT chime.finish_return($1, $2::bigint)", NULL, 0, err);
}

/* Ends the transaction of an attempt: commits what was done, takes back all else. */
static enum import_attempt end_attempt(struct pg_client *client, enum import_attempt attempt, struct error *err)
{
    if (attempt != IMPORT_ATTEMPT_DONE) {
        roll_back(client);
    } else if (!execute(client, "COMMIT", err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    return attempt;
}

/* --- to us -------------------------------------------------------------------------------------------------------- */

/* Nothing to take from anybody, or it was taken before. */
static enum import_attempt make_only(struct handover *handover, struct error *err)
{
    struct pg_client *ours = handover->plan->ours;
    bool finishes = handover->step->action == IMPORT_FINISH;
    if (!execute(ours, "BEGIN", err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    bool made = (finishes || begin_import(handover, err)) && finish_import(handover, err);
    return end_attempt(ours, made ? IMPORT_ATTEMPT_DONE : IMPORT_ATTEMPT_FAILED, err);
}

static enum import_attempt take_here(struct handover *handover, struct error *err)
{
    const struct import_source *source = handover->plan->source;
    if (!execute(source->client, "BEGIN", err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    enum import_attempt attempt = begin_import(handover, err)
                                      ? import_source_take(source, &handover->step->row, handover->at, err)
                                      : IMPORT_ATTEMPT_FAILED;
    if (attempt == IMPORT_ATTEMPT_DONE && !finish_import(handover, err)) {
        attempt = IMPORT_ATTEMPT_FAILED;
    }
    return end_attempt(source->client, attempt, err);
}

/* A commit whose answer did not come stays written down: the same command finds out. */
static enum import_attempt take_across(struct handover *handover, struct error *err)
{
    const struct import_source *source = handover->plan->source;
    if (!begin_import(handover, err) || !execute(source->client, "BEGIN", err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    enum import_attempt attempt = end_attempt(source->client,
                                              import_source_take(source, &handover->step->row, handover->at, err), err);
    if (attempt == IMPORT_ATTEMPT_DONE) {
        return finish_import(handover, err) ? attempt : IMPORT_ATTEMPT_FAILED;
    }
    if (attempt != IMPORT_ATTEMPT_FAILED && !forget_import(handover, err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    return attempt;
}

static enum import_attempt take(struct handover *handover, struct error *err)
{
    if (handover->step->action != IMPORT_TAKE) {
        return make_only(handover, err);
    }
    return handover->plan->source->here ? take_here(handover, err) : take_across(handover, err);
}

/* --- back --------------------------------------------------------------------------------------------------------- */

static bool is_given_back(const struct handover *handover)
{
    return handover->plan->source->client != NULL && handover->step->row.active;
}

static enum import_attempt give(const struct handover *handover, struct error *err)
{
    return is_given_back(handover)
               ? import_source_give(handover->plan->source, handover->step->there, handover->at, err)
               : IMPORT_ATTEMPT_DONE;
}

/* Ours was never made. */
static enum import_attempt give_untaken(struct handover *handover, struct error *err)
{
    enum import_attempt attempt = give(handover, err);
    if (attempt == IMPORT_ATTEMPT_FAILED || attempt == IMPORT_ATTEMPT_CHANGED) {
        return attempt;
    }
    return forget_import(handover, err) ? IMPORT_ATTEMPT_DONE : IMPORT_ATTEMPT_FAILED;
}

static enum import_attempt return_here(struct handover *handover, struct error *err)
{
    struct pg_client *ours = handover->plan->ours;
    bool idle = false;
    if (!execute(ours, "BEGIN", err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    enum import_attempt attempt = IMPORT_ATTEMPT_FAILED;
    if (begin_return(handover, &idle, err)) {
        attempt = idle ? give(handover, err) : IMPORT_ATTEMPT_RUNNING;
    }
    if (attempt == IMPORT_ATTEMPT_DONE && !finish_return(handover, err)) {
        attempt = IMPORT_ATTEMPT_FAILED;
    }
    return end_attempt(ours, attempt, err);
}

/* Ours has stopped by then: better late than never. */
static enum import_attempt return_across(struct handover *handover, struct error *err)
{
    bool idle = false;
    if (!begin_return(handover, &idle, err)) {
        return IMPORT_ATTEMPT_FAILED;
    }
    if (!idle) {
        return IMPORT_ATTEMPT_RUNNING;
    }
    enum import_attempt attempt = give(handover, err);
    if (attempt == IMPORT_ATTEMPT_FAILED || attempt == IMPORT_ATTEMPT_CHANGED) {
        return attempt;
    }
    handover->late = attempt == IMPORT_ATTEMPT_NEAR;
    return finish_return(handover, err) ? IMPORT_ATTEMPT_DONE : IMPORT_ATTEMPT_FAILED;
}

static enum import_attempt give_back(struct handover *handover, struct error *err)
{
    if (strcmp(handover->step->state, "taking") == 0) {
        return give_untaken(handover, err);
    }
    return handover->plan->source->here || handover->plan->source->client == NULL ? return_here(handover, err)
                                                                                  : return_across(handover, err);
}

/* --- saying ------------------------------------------------------------------------------------------------------- */

static void say_done(const struct handover *handover)
{
    const struct invocation *invocation = handover->plan->invocation;
    const struct import_step *step = handover->step;
    if (step->action == IMPORT_RETURN) {
        remark(invocation, "job %s is pg_cron's again%s", step->row.jobid,
               handover->plan->source->client == NULL ? ", as far as this database goes" : "");
        if (is_given_back(handover) && (handover->late || strcmp(step->state, "returning") == 0)) {
            remark(invocation, "job %s: its times between %s and now ran nowhere", step->row.jobid,
                   handover->late ? handover->at : step->at);
        }
    } else {
        remark(invocation, "job %s of pg_cron is job %s%s", step->row.jobid, handover->number,
               step->active ? "" : ", not active");
    }
}

static bool refuse(const struct handover *handover, enum import_attempt attempt, struct error *err)
{
    const char *side = handover->step->action == IMPORT_RETURN ? "here" : "in pg_cron";
    if (attempt == IMPORT_ATTEMPT_CHANGED) {
        error_set(err, ERROR_REFUSED, "it was changed in pg_cron meanwhile");
        return error_hint(err, "run the same command again");
    }
    error_set(err, ERROR_REFUSED, "it stays where it is: %s",
              attempt == IMPORT_ATTEMPT_RUNNING ? "a run of it goes on" : "its next slot came too near");
    return attempt == IMPORT_ATTEMPT_RUNNING
               ? error_hint(err, "it is running %s: run the same command later, or with a longer --wait", side)
               : error_hint(err, "run the same command again");
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

/* What waits for nothing: ours alone is changed. */
static bool needs_no_moment(const struct handover *handover)
{
    return handover->step->action == IMPORT_COPY || handover->step->action == IMPORT_FINISH ||
           handover->plan->source->client == NULL;
}

static bool find_moment(struct handover *handover, struct error *err)
{
    const struct import_source *source = handover->plan->source;
    struct pg_rows rows;
    if (!needs_no_moment(handover)) {
        handover->at = import_source_await(source, source->client, err);
        return handover->at != NULL;
    }
    if (!pg_client_query(handover->plan->ours, "SELECT clock_timestamp()", NULL, 0, &rows, err)) {
        return false;
    }
    handover->at = arena_strdup(source->arena, pg_rows_value(&rows, 0, 0));
    pg_rows_finish(&rows);
    return true;
}

static bool hand_over(struct handover *handover, struct error *err)
{
    bool back = handover->step->action == IMPORT_RETURN;
    enum import_attempt attempt = IMPORT_ATTEMPT_RUNNING;
    while (attempt == IMPORT_ATTEMPT_RUNNING || attempt == IMPORT_ATTEMPT_NEAR) {
        if (!find_moment(handover, err)) {
            return false;
        }
        attempt = back ? give_back(handover, err) : take(handover, err);
        if (attempt == IMPORT_ATTEMPT_DONE || attempt == IMPORT_ATTEMPT_FAILED) {
            return attempt == IMPORT_ATTEMPT_DONE;
        }
        if (clock_boot() >= handover->deadline) {
            break;
        }
        visit_pause(PAUSE);
    }
    return refuse(handover, attempt, err);
}

int import_hand_over(const struct import_plan *plan, duration patience)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < plan->count; i++) {
        struct handover handover = {.plan = plan, .step = &plan->steps[i], .deadline = clock_boot() + patience};
        struct error err;
        if (plan->steps[i].action > IMPORT_RETURN) {
            continue;
        }
        if (hand_over(&handover, &err)) {
            say_done(&handover);
            continue;
        }
        error_prefix(&err, "job %s", plan->steps[i].row.jobid);
        status = fail(&err);
        if (err.kind == ERROR_UNREACHABLE) {
            return status;
        }
        status = status == (int)ERROR_REFUSED ? (int)EXIT_WARNINGS : status;
    }
    return status;
}
