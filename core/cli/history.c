/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "report/action_list.h"
#include "report/history_list.h"

enum { LIST_LEADERSHIPS, LIST_ACTIONS, LIST_COUNT };

struct request {
    const char *before;
    struct output_list *lists[LIST_COUNT];
};

typedef void take_function(struct output_list *list, const struct pg_rows *rows,
                           const struct config_database *database);

static bool add_list(struct visit *visit, const struct question *question, take_function *take,
                     struct output_list *list, struct error *err)
{
    struct pg_rows rows;
    if (!visit_ask(visit, question, &rows, err)) {
        return false;
    }
    take(list, &rows, visit->database);
    pg_rows_finish(&rows);
    return true;
}

static bool add_history(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    struct question leaderships;
    struct question actions;
    leadership_list_ask(&leaderships, request->before);
    action_list_ask(&actions, request->before);
    return add_list(visit, &leaderships, leadership_list_take, request->lists[LIST_LEADERSHIPS], err) &&
           add_list(visit, &actions, action_list_take, request->lists[LIST_ACTIONS], err);
}

static int history_run(const struct invocation *invocation)
{
    int status;
    char before[INSTANT_TEXT_SIZE];
    struct error err;
    struct request request = {.lists = {leadership_list_create(), action_list_create()}};
    if (!invocation_instant(invocation, "before", before, &request.before, &err)) {
        status = fail(&err);
    } else {
        struct config *config = load_config(invocation, &status);
        if (config != NULL) {
            status = visit_all(invocation, config, add_history, &request);
            output_print(request.lists, LIST_COUNT, &invocation->style, stdout);
        }
        config_free(config);
    }
    for (size_t i = 0; i < LIST_COUNT; i++) {
        output_destroy(request.lists[i]);
    }
    return status;
}

const struct command command_history = {
    .name = "history",
    .arguments = "",
    .summary = "who led from when to when, what was missed then, and what people did from the page",
    .details = "The latest 100 leaderships and 200 actions of each database.",
    .options = {{"before", "INSTANT", "those that began before then"}},
    .run = history_run,
};
