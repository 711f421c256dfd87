/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"

#define LAST_RUNS 10

struct request {
    struct job_search search;
    struct output_list *jobs;
    struct output_list *runs;
};

static bool add_job(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    struct job_filter jobs = {.name = request->search.name};
    struct run_filter runs = {.job = request->search.name, .limit = LAST_RUNS};
    bool here;
    if (!job_search_visit(visit, &request->search, &here, err)) {
        return false;
    }
    struct job_page page = {0};
    bool listed = !here || (job_list_add(visit, request->jobs, &jobs, &page, err) &&
                            run_list_add(visit, request->runs, &runs, err));
    job_page_finish(&page);
    return listed;
}

static int show_job(const struct invocation *invocation, const struct config *config, struct request *request)
{
    int status = visit_all(invocation, config, add_job, request);
    if (request->search.found == 0) {
        return status != EXIT_OK ? status : job_search_refuse(&request->search);
    }
    output_set_vertical(request->jobs);
    output_print((struct output_list *const[]){request->jobs, request->runs}, 2, &invocation->style, stdout);
    return status;
}

static int show_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct request request = {
        .search.name = invocation->arguments[0], .jobs = job_list_create(), .runs = run_list_create()};
    status = show_job(invocation, config, &request);
    output_destroy(request.jobs);
    output_destroy(request.runs);
    job_search_finish(&request.search);
    config_free(config);
    return status;
}

const struct command command_show = {
    .name = "show",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "everything about one job, and its last runs",
    .run = show_run,
};
