/* SPDX-License-Identifier: PostgreSQL */
#include "cli/next.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"

#define DEFAULT_COUNT 10
#define LARGEST_COUNT 10000

/* What only an expression can be given: a job has its own. */
static bool refuse_for_jobs(const struct invocation *invocation, struct error *err)
{
    static const char *const names[] = {"timezone", "dst-gap", "dst-overlap"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (invocation_has(invocation, names[i])) {
            error_set(err, ERROR_USAGE, "--%s is for --schedule: a job has its own", names[i]);
            return error_hint(err, "take it out, or write --schedule '30 2 * * *'");
        }
    }
    return true;
}

static bool read_request(const struct invocation *invocation, struct next_request *request, struct error *err)
{
    const char *count = invocation_option(invocation, "count");
    int64_t number = DEFAULT_COUNT;
    if (count != NULL && !parse_int64(count, 1, LARGEST_COUNT, &number)) {
        return error_set(err, ERROR_USAGE, "--count: \"%s\" is not a number from 1 to %d", count, LARGEST_COUNT);
    }
    *request = (struct next_request){.invocation = invocation,
                                     .asked = {.count = (size_t)number,
                                               .explain = invocation_has(invocation, "explain-dst"),
                                               .at = invocation_option(invocation, "at")}};
    if (!invocation_has(invocation, "schedule")) {
        return refuse_for_jobs(invocation, err);
    }
    if (invocation->argument_count > 0) {
        error_set(err, ERROR_USAGE, "a job and --schedule cannot both be asked for");
        return error_hint(err, "write pgchime next JOB, or pgchime next --schedule '30 2 * * *'");
    }
    return true;
}

static int next_run(const struct invocation *invocation)
{
    struct next_request request;
    struct error err;
    if (!read_request(invocation, &request, &err)) {
        return fail(&err);
    }
    const char *schedule = invocation_option(invocation, "schedule");
    request.zones = zones_create();
    int status = schedule != NULL
                     ? next_of_schedule(&request, schedule)
                     : next_of_jobs(&request, invocation->argument_count > 0 ? invocation->arguments[0] : NULL);
    zones_destroy(request.zones);
    return status;
}

const struct command command_next = {
    .name = "next",
    .arguments = "[JOB]",
    .most = 1,
    .summary = "when a job, every job or any schedule is due next",
    .details =
        "With --schedule no configuration and no database is needed. Slots are later than now; with --at they begin\n"
        "with that date or time, itself included, read in the schedule's zone unless it has \"Z\" or an offset.\n"
        "Without JOB: the next slot of each job, soonest first. Slots of @after and @reboot are not known beforehand.",
    .options = {{"schedule", "EXPRESSION", "such as '30 2 * * *', '@every 15m' or '10 seconds'"},
                {"timezone", "ZONE", "with --schedule: its zone, such as Europe/Berlin (default UTC)"},
                {"dst-gap", "run|skip",
                 "with --schedule: a wall time that does not exist (default run, once after it)"},
                {"dst-overlap", "first|last|both", "with --schedule: a wall time that comes twice (default first)"},
                {"at", "WHEN", "from then on, such as 2026-03-27 or 2026-03-27T01:30:00Z"},
                {"count", "N", "so many slots, or jobs (default 10)"},
                {"explain-dst", NULL, "say what changes of the clocks do to the slots"}},
    .run = next_run,
};
