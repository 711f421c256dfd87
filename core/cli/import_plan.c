/* SPDX-License-Identifier: PostgreSQL */
#include "cli/import_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "cli/output_print.h"
#include "pg/conninfo.h"

static const struct output_column columns[] = {
    {"ID", "jobid", OUTPUT_INTEGER, OUTPUT_ALWAYS},       {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},       {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEDULE", "schedule", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"ACTION", "action", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"JOB", "job_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"BECOMES", "becomes", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"WHY", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_OWNER,
    COLUMN_DATABASE,
    COLUMN_SCHEDULE,
    COLUMN_ACTION,
    COLUMN_JOB,
    COLUMN_BECOMES,
    COLUMN_WHY
};

static const char *const actions[] = {"take",  "copy", "finish", "return",  "done",
                                      "leave", "ask",  "block",  "changed", "twice"};

/* --- answers ------------------------------------------------------------------------------------------------------ */

struct answer {
    char *job;
    const char *meaning;
};

/* The next of the list, cut out of it. */
static bool next_answer(char **list, struct answer *answer)
{
    char *text = strsep(list, ",");
    if (text == NULL) {
        return false;
    }
    answer->job = text + strspn(text, " ");
    char *equals = strchr(text, '=');
    if (equals != NULL) {
        *equals = '\0';
    }
    answer->meaning = equals != NULL ? equals + 1 : "";
    return true;
}

static bool check_answer(const struct answer *answer, const struct import_source *source, struct error *err)
{
    if (strcasecmp(answer->meaning, "ours") != 0 && strcasecmp(answer->meaning, "theirs") != 0) {
        error_set(err, ERROR_USAGE, "--meaning: expected JOB=OURS or JOB=THEIRS, not \"%s%s%s\"", answer->job,
                  answer->meaning[0] != '\0' ? "=" : "", answer->meaning);
        return error_hint(err, "write --meaning 3=theirs,7=ours or --meaning all=ours");
    }
    if (strcmp(answer->job, "all") != 0 && import_source_find(source, answer->job) == NULL) {
        error_set(err, ERROR_NOT_FOUND, "--meaning: pg_cron has no job %s", answer->job);
        return error_hint(err, "--dry-run shows the numbers of all jobs");
    }
    return true;
}

bool import_answers_check(const char *answers, const struct import_source *source, struct error *err)
{
    char *list = arena_strdup(source->arena, answers);
    struct answer answer;
    while (list != NULL && next_answer(&list, &answer)) {
        if (!check_answer(&answer, source, err)) {
            return false;
        }
    }
    return true;
}

/* What is said of the one job counts more than what is said of all. NULL: nothing is. */
static const char *answer_for(const struct import_plan *plan, const struct import_step *step)
{
    char *list = arena_strdup(plan->source->arena, plan->answers);
    const char *found = NULL;
    bool own = false;
    struct answer answer;
    while (list != NULL && next_answer(&list, &answer)) {
        bool names_it = strcmp(answer.job, step->row.jobid) == 0;
        if (names_it || (!own && strcmp(answer.job, "all") == 0)) {
            found = answer.meaning;
            own = names_it;
        }
    }
    return found;
}

/* --- one job ------------------------------------------------------------------------------------------------------ */

static void leave_out(struct import_step *step, enum import_action action, const char *reason)
{
    step->action = action;
    step->reason = reason;
}

static void set_options(const struct import_plan *plan, struct import_step *step, bool by_minute)
{
    bool names_zone = step->meaning.in_zone && plan->names_zone;
    step->options = arena_printf(plan->source->arena, "{%s%s%s%s%s}", names_zone ? "\"timezone\": \"" : "",
                                 names_zone ? (plan->zone != NULL ? zone_name(plan->zone) : "UTC") : "",
                                 names_zone ? "\"" : "", names_zone && by_minute ? ", " : "",
                                 by_minute ? "\"dst_gap\": \"skip\", \"dst_overlap\": \"both\"" : "");
}

static void mean_ours(const struct import_plan *plan, struct import_step *step)
{
    if (step->meaning.ours == NULL) {
        leave_out(step, IMPORT_BLOCK,
                  arena_printf(plan->source->arena, "%s: only \"theirs\" can be answered", step->meaning.difference));
        return;
    }
    step->schedule = step->meaning.ours;
    set_options(plan, step, false);
}

static void mean_theirs(const struct import_plan *plan, struct import_step *step)
{
    if (step->meaning.theirs_never && step->meaning.ours == NULL) {
        leave_out(step, IMPORT_LEAVE, "it never runs in pg_cron, and is no schedule here: it stays there");
    } else if (step->meaning.theirs_never) {
        step->schedule = step->meaning.ours;
        step->active = false;
        step->reason = "it never runs in pg_cron: here it will not be active";
        set_options(plan, step, false);
    } else if (step->meaning.theirs == NULL) {
        leave_out(step, IMPORT_BLOCK,
                  arena_printf(plan->source->arena, "%s: only \"ours\" can be answered", step->meaning.difference));
    } else {
        step->schedule = step->meaning.theirs;
        set_options(plan, step, step->meaning.theirs_by_minute);
    }
}

static void apply_answer(const struct import_plan *plan, struct import_step *step, const char *answer)
{
    step->active = step->row.active;
    step->reason = step->meaning.difference;
    step->action = step->row.active && plan->source->client != NULL ? IMPORT_TAKE : IMPORT_COPY;
    if (step->meaning.difference == NULL || strcasecmp(answer, "ours") == 0) {
        mean_ours(plan, step);
    } else {
        mean_theirs(plan, step);
    }
}

/* Whether the server would take it. */
static bool check_with_server(const struct import_plan *plan, struct import_step *step, struct error *err)
{
    static const char sql[] = "SELECT chime.import_problem($1::bigint, $2::jsonb, $3, $4::jsonb)";
    const char *parameters[] = {step->job_id, step->row.json, step->schedule, step->options};
    struct pg_rows rows;
    if (step->action != IMPORT_TAKE && step->action != IMPORT_COPY) {
        return true;
    }
    if (!pg_client_query(plan->ours, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    if (pg_rows_value(&rows, 0, 0) != NULL) {
        leave_out(step, IMPORT_BLOCK, arena_strdup(plan->source->arena, pg_rows_value(&rows, 0, 0)));
    }
    pg_rows_finish(&rows);
    return true;
}

static bool decide_new(const struct import_plan *plan, struct import_step *step, struct error *err)
{
    import_meaning_find(&step->meaning, step->row.schedule, plan->zone, clock_wall(), plan->source->arena);
    if (!conninfo_is_local(step->row.node)) {
        leave_out(step, IMPORT_BLOCK,
                  arena_printf(plan->source->arena,
                               "it runs on node \"%s\": jobs here run on the server that holds them", step->row.node));
        return true;
    }
    const char *answer = answer_for(plan, step);
    if (step->meaning.difference != NULL && answer == NULL) {
        leave_out(step, IMPORT_ASK, step->meaning.difference);
        return true;
    }
    apply_answer(plan, step, answer);
    return check_with_server(plan, step, err);
}

/* Unscheduled in pg_cron and scheduled anew, as a deployment does: another number, the same job. */
static bool decide_twin(const struct import_plan *plan, struct import_step *step)
{
    if (step->twin == NULL) {
        return false;
    }
    step->job_id = step->twin;
    leave_out(
        step, step->row.active ? IMPORT_TWICE : IMPORT_CHANGED,
        arena_printf(plan->source->arena,
                     "scheduled anew in pg_cron since it was imported as job %s%s: what was edited there is not here",
                     step->twin, step->row.active ? ", and active: it may run twice" : ""));
    return true;
}

/* Imported, or on its way. False: as if it had never been. */
static bool decide_known(const struct import_plan *plan, struct import_step *step)
{
    if (step->state == NULL || strcmp(step->state, "returned") == 0 ||
        (strcmp(step->state, "taking") == 0 && step->row.active)) {
        return decide_twin(plan, step);
    }
    if (step->other) {
        leave_out(step, IMPORT_BLOCK,
                  "a dump of this name was imported, and had another job of this number: where this one is of another "
                  "server, rename the file");
    } else if (strcmp(step->state, "taking") == 0) {
        leave_out(step, IMPORT_FINISH, "it was taken from pg_cron, and is not here yet");
    } else if (strcmp(step->state, "returning") == 0) {
        leave_out(step, IMPORT_BLOCK, "it is on its way back: --rollback ends that");
    } else if (step->row.active && step->at != NULL) {
        leave_out(step, IMPORT_TWICE, "it was imported, and is active in pg_cron again: it may run twice");
    } else if (step->changed != NULL) {
        leave_out(step, IMPORT_CHANGED,
                  arena_printf(plan->source->arena, "changed in pg_cron since it was imported, and not here: %s",
                               step->changed));
    } else {
        leave_out(step, IMPORT_DONE, "it was imported before");
    }
    return true;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

enum { KNOWN_STATE, KNOWN_JOB, KNOWN_SCHEDULE, KNOWN_AT, KNOWN_OTHER, KNOWN_CHANGED, KNOWN_TWIN, KNOWN_FREE };

/* Of a dump, which may be another of the same server, or one of another server by the same name: by what the row says,
 * too. */
static bool find_entry(const struct import_plan *plan, struct import_step *step, struct error *err)
{
    static const char sql[] =
        "SELECT i.state, i.job_id, i.schedule, CASE WHEN i.source NOT LIKE 'dump:%' AND i.active THEN i.at END,"
        " i.source LIKE 'dump:%' AND NOT i.same,"
        " (SELECT string_agg(n.key, ', ' ORDER BY n.key) FROM jsonb_each($3::jsonb) AS n, chime.job j,"
        "  jsonb_build_object('schedule', j.schedule, 'command', j.command, 'jobname', j.job_name, 'username', j.owner,"
        "                     'database', coalesce(j.database, current_database())) AS ours"
        "  WHERE j.job_id = i.job_id AND j.removed_at IS NULL AND ours ? n.key"
        "    AND n.value IS DISTINCT FROM i.job -> n.key AND n.value IS DISTINCT FROM ours -> n.key),"
        " (SELECT min(t.job_id) FROM chime.imported t JOIN chime.job j ON j.job_id = t.job_id AND j.removed_at IS NULL"
        "  WHERE t.source = $1 AND t.state = 'taken' AND t.jobid <> $2::bigint AND t.source NOT LIKE 'dump:%'"
        "    AND t.job ->> 'jobname' = $3::jsonb ->> 'jobname' AND t.job ->> 'username' = $3::jsonb ->> 'username'),"
        " NOT EXISTS (SELECT FROM chime.job j WHERE j.job_id = $2::bigint)"
        " AND NOT EXISTS (SELECT FROM chime.imported k WHERE k.job_id = $2::bigint)"
        " FROM (SELECT) AS one LEFT JOIN LATERAL (SELECT n.*, s.same FROM chime.imported n,"
        " LATERAL (SELECT n.job - 'active' = $3::jsonb - 'active' AS same) AS s WHERE n.jobid = $2::bigint"
        " AND (n.source = $1 OR (n.source LIKE 'dump:%' AND $1 LIKE 'dump:%' AND n.state = 'taken' AND s.same))"
        " ORDER BY s.same DESC, n.source = $1 DESC LIMIT 1) AS i ON true";
    const char *parameters[] = {plan->source->key, step->row.jobid, step->row.json};
    struct arena *arena = plan->source->arena;
    struct pg_rows rows;
    if (!pg_client_query(plan->ours, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    step->state = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_STATE));
    step->job_id = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_JOB));
    step->schedule = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_SCHEDULE));
    step->at = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_AT));
    const char *other = pg_rows_value(&rows, 0, KNOWN_OTHER);
    step->other = other != NULL && other[0] == 't';
    step->changed = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_CHANGED));
    step->twin = arena_strdup(arena, pg_rows_value(&rows, 0, KNOWN_TWIN));
    if (step->job_id == NULL && pg_rows_value(&rows, 0, KNOWN_FREE)[0] == 't') {
        step->job_id = step->row.jobid;
    }
    pg_rows_finish(&rows);
    return true;
}

bool import_plan_make(struct import_plan *plan, struct error *err)
{
    plan->count = plan->source->count;
    plan->steps = arena_alloc(plan->source->arena, (plan->count + 1) * sizeof(*plan->steps));
    for (size_t i = 0; i < plan->count; i++) {
        struct import_step *step = &plan->steps[i];
        step->row = plan->source->rows[i];
        if (!find_entry(plan, step, err) || (!decide_known(plan, step) && !decide_new(plan, step, err))) {
            return error_prefix(err, "job %s", step->row.jobid);
        }
    }
    return true;
}

enum {
    BACK_JOBID,
    BACK_NAME,
    BACK_OWNER,
    BACK_DATABASE,
    BACK_SCHEDULE,
    BACK_ACTIVE,
    BACK_JOB,
    BACK_STATE,
    BACK_AT,
    BACK_COUNT
};

static void decide_back(const struct import_plan *plan, struct import_step *step)
{
    const struct import_row *there = import_source_find(plan->source, step->row.jobid);
    const struct import_row *twin = there == NULL ? import_source_find_named(plan->source, &step->row) : NULL;
    step->action = IMPORT_RETURN;
    step->active = step->row.active;
    step->there = twin != NULL ? twin->jobid : step->row.jobid;
    if (plan->source->client != NULL && there == NULL && twin == NULL) {
        leave_out(step, IMPORT_BLOCK, "pg_cron has no such job any more: schedule it there first, by this name");
    } else if (twin != NULL) {
        step->reason = arena_printf(plan->source->arena, "scheduled anew in pg_cron, as job %s", twin->jobid);
    } else if (plan->source->client == NULL) {
        step->reason = "a dump is no place to run: it is only taken away here";
    }
}

bool import_plan_make_back(struct import_plan *plan, struct error *err)
{
    static const char sql[] =
        "SELECT jobid, job ->> 'jobname', job ->> 'username', job ->> 'database',"
        " job ->> 'schedule', coalesce(job ->> 'active', 'true'), job_id, state, at FROM chime.imported"
        " WHERE source = $1 AND state <> 'returned' ORDER BY jobid";
    struct pg_rows rows;
    if (!pg_client_query(plan->ours, sql, &plan->source->key, 1, &rows, err)) {
        return false;
    }
    plan->count = rows.count;
    plan->steps = arena_alloc(plan->source->arena, (plan->count + 1) * sizeof(*plan->steps));
    for (size_t i = 0; i < plan->count; i++) {
        const char *texts[BACK_COUNT];
        for (size_t column = 0; column < BACK_COUNT; column++) {
            texts[column] = arena_strdup(plan->source->arena, pg_rows_value(&rows, i, column));
        }
        plan->steps[i] = (struct import_step){
            .row = {.jobid = texts[BACK_JOBID],
                    .name = texts[BACK_NAME],
                    .owner = texts[BACK_OWNER],
                    .database = texts[BACK_DATABASE],
                    .schedule = texts[BACK_SCHEDULE],
                    .active = strcmp(texts[BACK_ACTIVE], "true") == 0},
            .job_id = texts[BACK_JOB],
            .schedule = texts[BACK_SCHEDULE],
            .state = texts[BACK_STATE],
            .at = texts[BACK_AT],
        };
        decide_back(plan, &plan->steps[i]);
    }
    pg_rows_finish(&rows);
    return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static void put_question(const struct import_step *step)
{
    struct buffer text = {0};
    output_escape(&text, step->row.schedule);
    fprintf(stderr, "Job %s, \"%s\": %s.\n", step->row.jobid, buffer_text(&text), step->meaning.difference);
    fprintf(stderr, "  o  as pgchime reads it%s\n", step->meaning.ours == NULL ? " (refused)" : "");
    fprintf(stderr, "  t  as pg_cron did: %s%s\n",
            step->meaning.theirs_never     ? "never"
            : step->meaning.theirs != NULL ? step->meaning.theirs
                                           : "(no schedule does that)",
            step->meaning.theirs_by_minute ? ", skipped and run twice as the clocks change" : "");
    fprintf(stderr, "[o/t, else it is left out] ");
    buffer_finish(&text);
}

static const char *read_answer(void)
{
    char answer[16];
    if (fgets(answer, sizeof(answer), stdin) == NULL) {
        return NULL;
    }
    return strcmp(answer, "o\n") == 0 ? "ours" : strcmp(answer, "t\n") == 0 ? "theirs" : NULL;
}

bool import_plan_ask(struct import_plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct import_step *step = &plan->steps[i];
        if (step->action != IMPORT_ASK) {
            continue;
        }
        put_question(step);
        const char *answer = read_answer();
        if (answer != NULL) {
            apply_answer(plan, step, answer);
            if (!check_with_server(plan, step, err)) {
                return false;
            }
        }
    }
    return true;
}

/* --- showing ------------------------------------------------------------------------------------------------------ */

static bool has_ours(enum import_action action)
{
    return action <= IMPORT_DONE || action >= IMPORT_CHANGED;
}

void import_plan_print(const struct import_plan *plan)
{
    struct output_list *list = output_create("imports", columns, COUNT_OF(columns));
    for (size_t i = 0; i < plan->count; i++) {
        const struct import_step *step = &plan->steps[i];
        output_add_row(list);
        output_set(list, COLUMN_ID, step->row.jobid);
        output_set(list, COLUMN_NAME, step->row.name);
        output_set(list, COLUMN_OWNER, step->row.owner);
        output_set(list, COLUMN_DATABASE, step->row.database);
        output_set(list, COLUMN_SCHEDULE, step->row.schedule);
        output_set(list, COLUMN_ACTION, actions[step->action]);
        output_set(list, COLUMN_JOB, has_ours(step->action) ? step->job_id : NULL);
        output_set(list, COLUMN_BECOMES, has_ours(step->action) ? step->schedule : NULL);
        output_set(list, COLUMN_WHY, step->reason);
    }
    output_print(&list, 1, &plan->invocation->style, stdout);
    output_destroy(list);
}

size_t import_plan_count(const struct import_plan *plan, enum import_action first, enum import_action last)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        count += plan->steps[i].action >= first && plan->steps[i].action <= last ? 1 : 0;
    }
    return count;
}
