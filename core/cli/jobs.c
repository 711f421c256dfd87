#include "cli/commands.h"
#include "cli/ledger_lists.h"

static bool add_jobs(struct visit *visit, void *list, struct error *err)
{
    return job_list_add(visit, list, NULL, err);
}

static int jobs_run(const struct invocation *invocation)
{
    struct output_list *list = job_list_create();
    int status = visit_command(invocation, list, add_jobs, "no jobs");
    output_destroy(list);
    return status;
}

const struct command command_jobs = {
    .name = "jobs",
    .arguments = "",
    .summary = "all jobs with their next slot and last run",
    .run = jobs_run,
};
