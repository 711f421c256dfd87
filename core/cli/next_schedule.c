/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime next --schedule`: the slots of any schedule, without a database. */
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/next.h"
#include "model/options.h"

/* As the options of a job are read, with the words of the command line. */
static bool read_option(const struct invocation *invocation, const char *name, const char *option,
                        struct job_options *options, struct error *err)
{
    const char *value = invocation_option(invocation, name);
    if (value == NULL || options_set(options, option, value, err)) {
        return true;
    }
    return error_prefix(err, "--%s", name);
}

static bool read_schedule(const struct next_request *request, const char *text, struct schedule *schedule,
                          struct error *err)
{
    const struct invocation *invocation = request->invocation;
    const char *timezone = invocation_option(invocation, "timezone");
    const struct zone *zone = NULL;
    struct job_options options;
    options_defaults(&options, false);
    if (!schedule_parse(text, schedule, err)) {
        return error_prefix(err, "--schedule");
    }
    if (timezone != NULL && !zones_find(request->zones, timezone, &zone, err)) {
        return error_prefix(err, "--timezone");
    }
    if (!read_option(invocation, "dst-gap", "dst_gap", &options, err) ||
        !read_option(invocation, "dst-overlap", "dst_overlap", &options, err)) {
        return false;
    }
    schedule_set_zone(schedule, zone, options.dst_gap, options.dst_overlap);
    return true;
}

/* Exactly {"schema_version": 1, "slots": [...]}, and "notes" where they are asked for. */
static void print_json(const struct next_request *request, const struct next_slots *slots)
{
    static const struct output_column column = {NULL, "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS};
    struct output_list *lists[] = {output_create("slots", &column, 1), next_notes_list(&slots->notes)};
    output_set_plain(lists[0], 0);
    for (size_t i = 0; i < slots->count; i++) {
        output_add_row(lists[0]);
        output_set_instant(lists[0], 0, slots->slots[i]);
    }
    output_print(lists, request->asked.explain ? 2 : 1, &request->invocation->style, stdout);
    output_destroy(lists[0]);
    output_destroy(lists[1]);
}

static void print_slots(const struct next_request *request, const struct next_slots *slots)
{
    if (request->invocation->style.format == OUTPUT_JSON) {
        print_json(request, slots);
        return;
    }
    struct next_rows *rows = next_rows_create(request, false);
    next_rows_add(rows, NULL, NULL, slots);
    next_rows_print(rows);
    next_rows_destroy(rows);
}

/* Such a schedule is no mistake: the answer is that nobody knows yet. */
static void say_unknown(const struct invocation *invocation, const struct schedule *schedule)
{
    char length[DURATION_TEXT_SIZE];
    if (schedule->form == SCHEDULE_DELAY) {
        remark(invocation, "its slots are not known beforehand: each is %s after the end of the run before",
               duration_format(schedule->interval, length));
    } else if (schedule->form == SCHEDULE_REBOOT) {
        remark(invocation, "its slots are not known beforehand: one with every start of the server");
    } else {
        remark(invocation, "no slots from then on");
    }
}

int next_of_schedule(const struct next_request *request, const char *text)
{
    struct schedule schedule;
    struct next_slots slots;
    struct error err;
    instant now = clock_wall();
    instant after;
    if (!read_schedule(request, text, &schedule, &err) ||
        !next_begin(&request->asked, schedule.zone, now, &after, &err)) {
        err.kind = ERROR_USAGE; /* words of the command line, not of a configuration */
        return fail(&err);
    }
    if (schedule.form == SCHEDULE_DELAY) {
        after = INSTANT_NEVER;
    }
    next_slots_take(&slots, &request->asked, &schedule, after, now, request->asked.count);
    print_slots(request, &slots);
    if (slots.count == 0) {
        say_unknown(request->invocation, &schedule);
    }
    next_slots_finish(&slots);
    return EXIT_OK;
}
