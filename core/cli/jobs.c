/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"

struct request {
    struct job_filter filter;
    struct output_list *list;
    size_t hidden;
};

static bool add_jobs(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    return job_list_add(visit, request->list, &request->filter, &request->hidden, err);
}

static struct job_filter read_filter(const struct invocation *invocation)
{
    return (struct job_filter){
        .plugin = invocation_option(invocation, "plugin"),
        .like = invocation_option(invocation, "like"),
        .failing = invocation_has(invocation, "failing"),
        .suspended = invocation_has(invocation, "suspended"),
        .late = invocation_has(invocation, "late"),
        .all = invocation_has(invocation, "all"),
    };
}

static int jobs_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct request request = {.filter = read_filter(invocation), .list = job_list_create()};
    status = visit_all(invocation, config, add_jobs, &request);
    output_print(&request.list, 1, &invocation->style, stdout);
    if (config->database_count == 0) {
        remark(invocation, "no database is configured");
    } else if (request.hidden > 0) {
        remark(invocation,
               request.hidden == 1 ? "1 disabled job is not shown: pgchime jobs --all shows it"
                                   : "%zu disabled jobs are not shown: pgchime jobs --all shows them",
               request.hidden);
    } else if (output_rows(request.list) == 0 && status == EXIT_OK) {
        remark(invocation, "no such jobs");
    }
    output_destroy(request.list);
    config_free(config);
    return status;
}

const struct command command_jobs = {
    .name = "jobs",
    .arguments = "",
    .summary = "all jobs with their next slot, their state and their last run",
    .details =
        "STATE is ok, failing (its last run failed, or it cannot be run), suspended, running, waiting (for a retry "
        "or\na session), disabled (not in the configuration any more, or enabled = false) or removed.",
    .options = {{"failing", NULL, "those whose last run failed, or that cannot be run"},
                {"suspended", NULL, "those that are suspended"},
                {"late", NULL, "those with a slot that was due over a minute ago and has not started"},
                {"plugin", "PLUGIN", "those of a plugin"},
                {"like", "PATTERN", "those with a name such as 'nightly-*'"},
                {"all", NULL, "disabled and removed ones, too"}},
    .run = jobs_run,
};
