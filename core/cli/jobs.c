/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/shell.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"

#define PAGE_JOBS 100 /* on a terminal */
#define LARGEST_LIMIT 1000000

struct request {
    const struct invocation *invocation;
    struct job_filter filter;
    struct output_list *list;
    size_t hidden;
    bool cut;
};

/* What follows is said in words that can be typed. */
static bool say_what_follows(struct visit *visit, struct request *request, const struct job_page *page,
                             struct error *err)
{
    size_t more;
    if (!job_list_count_more(visit, &request->filter, page, &more, err)) {
        return false;
    }
    char *last = shell_word(page->after);
    char *database = shell_word(visit->database->name);
    char count[32] = "";
    if (more > 0) {
        snprintf(count, sizeof(count), "%zu ", more);
    }
    remark(request->invocation, "%smore: --after %s --database %s goes on there; --limit %d is all", count, last,
           database, LARGEST_LIMIT);
    free(last);
    free(database);
    request->cut = true;
    return true;
}

static bool add_jobs(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    struct job_page page = {0};
    bool added = job_list_add(visit, request->list, &request->filter, &page, err) &&
                 (!page.cut || say_what_follows(visit, request, &page, err));
    request->hidden += page.hidden;
    job_page_finish(&page);
    return added;
}

static bool read_filter(const struct invocation *invocation, struct job_filter *filter, struct error *err)
{
    const char *limit = invocation_option(invocation, "limit");
    bool people = output_is_for_people(&invocation->style) && invocation->style.terminal;
    int64_t number = people ? PAGE_JOBS : 0;
    if (limit != NULL && !parse_int64(limit, 1, LARGEST_LIMIT, &number)) {
        return error_set(err, ERROR_USAGE, "--limit: \"%s\" is not a number from 1 to %d", limit, LARGEST_LIMIT);
    }
    *filter = (struct job_filter){
        .plugin = invocation_option(invocation, "plugin"),
        .owner = invocation_option(invocation, "owner"),
        .origin = invocation_option(invocation, "origin"),
        .part = invocation_option(invocation, "search"),
        .state = invocation_option(invocation, "state"),
        .like = invocation_option(invocation, "like"),
        .failing = invocation_has(invocation, "failing"),
        .suspended = invocation_has(invocation, "suspended"),
        .late = invocation_has(invocation, "late"),
        .all = invocation_has(invocation, "all"),
        .after = invocation_option(invocation, "after"),
        .limit = (size_t)number,
    };
    return job_filter_check(filter, err);
}

static void say_what_is_hidden(const struct request *request)
{
    const struct invocation *invocation = request->invocation;
    remark(invocation,
           request->hidden == 1 ? "1 disabled job is not shown: pgchime jobs --all shows it"
                                : "%zu disabled jobs are not shown: pgchime jobs --all shows them",
           request->hidden);
}

static int jobs_run(const struct invocation *invocation)
{
    int status;
    struct error err;
    struct request request = {.invocation = invocation};
    if (!read_filter(invocation, &request.filter, &err)) {
        return fail(&err);
    }
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    request.list = job_list_create();
    status = visit_all(invocation, config, add_jobs, &request);
    output_print(&request.list, 1, &invocation->style, stdout);
    if (config->database_count == 0) {
        remark(invocation, "no database is configured");
    } else if (request.hidden > 0 && !request.cut) {
        say_what_is_hidden(&request);
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
        "STATE is ok, failing (its last run failed, or it cannot be run), skipped (its last slot was), suspended,\n"
        "running, waiting (for a retry or a session), disabled (not in the configuration any more, or enabled = false) "
        "or removed.\n"
        "By name. A table on a terminal has the first 100 of each database and says how many follow; what goes "
        "anywhere\n"
        "else has all.",
    .options = {{"failing", NULL, "those whose last run failed, or that cannot be run"},
                {"suspended", NULL, "those that are suspended"},
                {"late", NULL, "those with a slot that was due over a minute ago and has not started"},
                {"state", "STATE", "those in a state, such as running"},
                {"plugin", "PLUGIN", "those of a plugin"},
                {"owner", "ROLE", "those of a role"},
                {"origin", "config|plugin|sql", "those that are made so"},
                {"like", "PATTERN", "those with a name such as 'nightly-*'"},
                {"search", "TEXT", "those with this in their name, in either case"},
                {"all", NULL, "disabled and removed ones, too"},
                {"limit", "N", "at most so many of each database"},
                {"after", "JOB", "those whose names come after this one"}},
    .run = jobs_run,
};
