/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"

#define DEFAULT_LIMIT 20
#define LARGEST_LIMIT 1000000

struct request {
    struct run_filter filter;
    struct job_search search;
    struct output_list *list;
    bool follows;
    struct run_seen seen;
    struct run_cursor before;
};

/* A duration before now by the database's clock, or an instant. */
static bool read_when(const struct invocation *invocation, const char *name, struct buffer *when, const char **at_text,
                      const char **ago_text, struct error *err)
{
    const char *text = invocation_option(invocation, name);
    duration ago;
    instant at;
    char formatted[INSTANT_TEXT_SIZE];
    if (text == NULL) {
        return true;
    }
    if (duration_parse(text, &ago, NULL)) {
        buffer_printf(when, "%.6f", (double)ago / (double)USEC_PER_SEC);
        *ago_text = buffer_text(when);
        return true;
    }
    if (instant_parse(text, &at, NULL)) {
        buffer_puts(when, instant_format(at, formatted));
        *at_text = buffer_text(when);
        return true;
    }
    error_set(err, ERROR_USAGE, "--%s: \"%s\" is neither a duration nor an instant", name, text);
    return error_hint(err, "write --%s 1h or --%s 2026-03-27T01:30:00Z", name, name);
}

static bool read_filter(const struct invocation *invocation, struct run_filter *filter, struct buffer *array,
                        struct buffer *since, struct buffer *until, struct error *err)
{
    const char *limit = invocation_option(invocation, "limit");
    const char *state = invocation_option(invocation, "state");
    filter->job = invocation->argument_count > 0 ? invocation->arguments[0] : NULL;
    filter->limit = DEFAULT_LIMIT;
    if (limit != NULL && !parse_int64(limit, 1, LARGEST_LIMIT, &filter->limit)) {
        return error_set(err, ERROR_USAGE, "--limit: \"%s\" is not a number from 1 to %d", limit, LARGEST_LIMIT);
    }
    if (state != NULL && !run_list_read_states(state, array, err)) {
        return false;
    }
    filter->states = state != NULL ? buffer_text(array) : NULL;
    return read_when(invocation, "since", since, &filter->since, &filter->since_ago, err) &&
           read_when(invocation, "until", until, &filter->until, &filter->until_ago, err);
}

static bool add_runs(struct visit *visit, void *data, struct error *err)
{
    struct request *request = data;
    bool here = true;
    if (request->filter.job != NULL && !job_search_visit(visit, &request->search, &here, err)) {
        return false;
    }
    if (!here) {
        return true;
    }
    return request->follows ? run_list_add_new(visit, request->list, &request->filter, &request->seen, err)
                            : run_list_add(visit, request->list, &request->filter, err);
}

/* Looks each second, until it is interrupted, nobody reads, or a database cannot be reached. */
static int follow_runs(const struct invocation *invocation, const struct config *config, struct request *request)
{
    struct output_style style = invocation->style;
    struct visits *visits = visits_create(invocation, config);
    int status;
    request->search.name = request->filter.job;
    do {
        status = visits_again(visits, add_runs, request);
        if (request->filter.job != NULL && request->search.found == 0 && status == EXIT_OK) {
            status = job_search_refuse(&request->search);
            break;
        }
        if (output_rows(request->list) > 0) {
            output_print(&request->list, 1, &style, stdout);
            style.no_header = true;
        }
        output_destroy(request->list);
        request->list = run_list_create();
        run_seen_turn(&request->seen);
    } while (status == EXIT_OK && fflush(stdout) == 0 && sleep(1) == 0);
    visits_destroy(visits);
    return status;
}

static int print_runs(const struct invocation *invocation, const struct config *config, struct request *request)
{
    request->search.name = request->filter.job;
    int status = visit_all(invocation, config, add_runs, request);
    if (request->filter.job != NULL && request->search.found == 0) {
        return status != EXIT_OK ? status : job_search_refuse(&request->search);
    }
    run_list_sort(request->list, request->filter.limit);
    output_print(&request->list, 1, &invocation->style, stdout);
    if (output_rows(request->list) == 0 && status == EXIT_OK) {
        remark(invocation, "no such runs");
    }
    return status;
}

static bool read_request(const struct invocation *invocation, struct request *request, struct error *err)
{
    const char *before = invocation_option(invocation, "before");
    request->follows = invocation_has(invocation, "follow");
    if (request->follows && (invocation->style.format == OUTPUT_JSON || before != NULL)) {
        error_set(err, ERROR_USAGE, "--follow has no end, and %s",
                  before != NULL ? "what is before is over" : "-o json is one document");
        return error_hint(err, before != NULL ? "take --before out" : "write -o ndjson");
    }
    if (before != NULL) {
        request->filter.before = &request->before;
        return run_cursor_read(before, &request->before, err) || error_prefix(err, "--before");
    }
    return true;
}

static int runs_run(const struct invocation *invocation)
{
    struct request request = {0};
    struct buffer array = {0};
    struct buffer since = {0};
    struct buffer until = {0};
    struct error err;
    if (!read_request(invocation, &request, &err)) {
        run_cursor_finish(&request.before);
        return fail(&err);
    }
    if (!read_filter(invocation, &request.filter, &array, &since, &until, &err)) {
        buffer_finish(&array);
        buffer_finish(&since);
        buffer_finish(&until);
        run_cursor_finish(&request.before);
        return fail(&err);
    }
    int status;
    struct config *config = load_config(invocation, &status);
    if (config != NULL) {
        request.list = run_list_create();
        status = request.follows ? follow_runs(invocation, config, &request) : print_runs(invocation, config, &request);
        output_destroy(request.list);
        run_seen_finish(&request.seen);
        job_search_finish(&request.search);
    }
    config_free(config);
    buffer_finish(&array);
    buffer_finish(&since);
    buffer_finish(&until);
    run_cursor_finish(&request.before);
    return status;
}

const struct command command_runs = {
    .name = "runs",
    .arguments = "[JOB]",
    .most = 1,
    .summary = "the last runs of all jobs or of one, newest first",
    .details = "Missed slots are listed as one line for each stretch of them, with their number and the reason.",
    .options = {{"limit", "N", "at most so many (default 20)"},
                {"state", "STATE[,...]", "only in these states, such as failed,lost"},
                {"since", "WHEN", "slots since then: 1h (ago) or an instant"},
                {"until", "WHEN", "slots up to then, likewise"},
                {"before", "SLOT,RUN", "those behind this one in the list: its slot and number, as -o json has them"},
                {"follow", NULL,
                 "then each as it begins and ends, of each second the latest 1,000, until it is interrupted"}},
    .run = runs_run,
};
