/* SPDX-License-Identifier: PostgreSQL */
#include "report/why.h"

#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/load.h"
#include "report/clock_words.h"

static bool read_facts(struct why_facts *facts, struct job_visit *visit, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    why_ask(&question, facts);
    if (!visit_ask(&visit->visit, &question, &rows, err) || !why_take(facts, &rows, err)) {
        return false;
    }
    why_ask_upstreams(&question, facts);
    if (!visit_ask(&visit->visit, &question, &rows, err)) {
        return false;
    }
    why_take_upstreams(facts, &rows);
    pg_rows_finish(&rows);
    why_ask_failing(&question, facts);
    if (!visit_ask(&visit->visit, &question, &rows, err)) {
        return false;
    }
    why_take_failing(facts, &rows);
    return true;
}

/* A plugin's file that is refused never reaches the database: only looking at it tells. */
static struct output_list *list_now(const struct job_visit *visit, const struct why_facts *facts)
{
    struct output_list *list = why_list_create();
    if (why_value(facts, WHY_PLUGIN) == NULL) {
        why_list_take(list, facts, NULL);
        return list;
    }
    struct loaded loaded;
    load_all(visit->invocation, &loaded);
    why_list_take(list, facts, &loaded.report);
    loaded_finish(&loaded);
    return list;
}

static struct output_list *list_slot(struct job_visit *visit, const struct why_facts *facts, struct error *err)
{
    struct why_slot slot;
    struct pg_rows rows;
    instant at;
    if (!wall_time_parse(invocation_option(visit->invocation, "at"), facts->schedule.zone, &at, err)) {
        error_prefix(err, "--at");
        return NULL;
    }
    why_slot_ask(&slot, facts, at);
    if (!visit_ask(&visit->visit, &slot.question, &rows, err)) {
        return NULL;
    }
    struct output_list *list = why_slot_list_create();
    why_slot_list_take(list, &rows, facts);
    pg_rows_finish(&rows);
    return list;
}

static int why_there(struct job_visit *visit, void *data, struct error *err)
{
    struct why_facts facts = {.job = visit->job, .job_id = visit->job_id, .database = visit->visit.database};
    struct output_list *list = NULL;
    (void)data;
    if (read_facts(&facts, visit, err)) {
        list = invocation_has(visit->invocation, "at") ? list_slot(visit, &facts, err) : list_now(visit, &facts);
    }
    why_finish(&facts);
    if (list == NULL) {
        return (int)err->kind;
    }
    output_set_vertical(list);
    output_print(&list, 1, &visit->invocation->style, stdout);
    output_destroy(list);
    return EXIT_OK;
}

static int why_run(const struct invocation *invocation)
{
    return visit_job(invocation, invocation->arguments[0], why_there, NULL);
}

const struct command command_why = {
    .name = "why",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "what a job does or waits for now, and what was decided last",
    .details =
        "With --at: what became of the slot of that time, or of the last one before it, and why. The time is read in\n"
        "the zone of the job's schedule unless it has \"Z\" or an offset.",
    .options = {{"at", "WHEN", "a slot of the past, such as 2026-03-27T01:30:00Z"}},
    .run = why_run,
};
