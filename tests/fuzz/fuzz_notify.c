/* SPDX-License-Identifier: PostgreSQL */
/* Any text as what happens on the channels of a few jobs. A line is a notification, its channel and its payload with a
 * space between, or one of the actions below. What must hold: who listens is who is told, no run is given anything but
 * what its job was told, and what everybody was told last is served in the end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "daemon/listener_names.h"
#include "schedule/scheduler.h"

#define JOBS 4
#define LINES_MAX 200
#define ROUNDS_MAX 100
#define START INT64_C(1772409600000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum phase { IDLE, CLAIMING, LIVE };

static struct {
    struct scheduled *scheduled;
    struct job job;
    struct job_options options;
    const char *told[LINES_MAX]; /* NULL: it is to look at everything */
    size_t count;
    const char *pending; /* what the next run is to be given, if `owed` */
    bool owed;
    const char *running;
    enum run_kind kind; /* of its run: one after the end of an upstream is given nothing */
    enum phase phase;
    bool suspended;
} world[JOBS];

static struct scheduler *scheduler;
static struct listener_names names;
static instant now;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static bool same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static void define(size_t i, const char *name, const char *const *channels, size_t count)
{
    static const char *const after[] = {"import"};
    struct job_memory memory = {.job_id = (int64_t)i + 1, .cursor = START, .last_end = INSTANT_NONE};
    memset(&world[i], 0, sizeof(world[i]));
    struct job *job = &world[i].job;
    *job = (struct job){
        .name = name, .active = true, .on = channels, .on_count = count, .after = after, .options = &world[i].options};
    job->after_count = i == 1 ? 1 : 0;
    options_defaults(job->options, false);
    job->options->suspend_after_failures = 0;
    job->options->debounce = i < 2 ? 0 : USEC_PER_SEC;
    job->options->debounce_max = i < 3 ? 0 : 2 * USEC_PER_SEC;
    world[i].scheduled = scheduler_put(scheduler, job, &memory);
}

static void begin(void)
{
    static const char *const channels[] = {"orders", "stock", "Bestellung\xc3\xa4"};
    now = START;
    scheduler = scheduler_create();
    define(0, "import", channels, 1);
    define(1, "totals", channels, 2);
    define(2, "report", channels + 1, 1);
    define(3, "mail", channels, 3);
    scheduler_link(scheduler, INSTANT_NONE);
    scheduler_start(scheduler, now, INSTANT_NONE);
    listener_names_fill(&names, scheduler);
}

static size_t index_of(const struct scheduled *scheduled)
{
    size_t i = 0;
    while (world[i].scheduled != scheduled) {
        i++;
    }
    return i;
}

/* A job that waited for an upstream leaves what came since to its next run: which that is depends on when the upstream
 * was told. */
static bool waits(size_t i)
{
    return world[i].job.after_count > 0;
}

/* --- being told --------------------------------------------------------------------------------------------------- */

static void tell(size_t i, const char *payload)
{
    bool everything = world[i].owed && world[i].pending == NULL && !waits(i);
    world[i].told[world[i].count++] = payload;
    world[i].pending = everything ? NULL : payload;
    world[i].owed = true;
    scheduler_event(scheduler, world[i].scheduled, RUN_EVENT, payload, now);
}

static size_t count_listeners(const char *channel)
{
    size_t count = 0;
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t n = 0; n < world[i].job.on_count; n++) {
            count += strcmp(world[i].job.on[n], channel) == 0 ? 1 : 0;
        }
    }
    return count;
}

static void notify(const char *channel, const char *payload)
{
    size_t first;
    size_t count = listener_names_find(names.channels, names.channel_count, channel, &first);
    require(count == count_listeners(channel));
    for (size_t n = 0; n < count; n++) {
        const struct listener_name *entry = &names.channels[first + n];
        require(strcmp(entry->name, channel) == 0);
        tell(index_of(entry->scheduled), payload);
    }
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* Where it is among what the job was told, last first. */
static bool find_told(size_t i, const char *payload, const char **told)
{
    for (size_t n = world[i].count; n > 0; n--) {
        *told = world[i].told[n - 1];
        if (same(*told, payload)) {
            return true;
        }
    }
    return false;
}

static void check_payload(size_t i, const char *payload)
{
    require(find_told(i, payload, &world[i].running));
    require(waits(i) || (world[i].owed && same(payload, world[i].pending)));
    world[i].owed = waits(i) && payload != NULL && !same(payload, world[i].pending);
}

static void take(void)
{
    struct due due;
    if (!scheduler_take_due(scheduler, &due)) {
        return;
    }
    size_t i = index_of(due.scheduled);
    require(world[i].phase == IDLE && !world[i].suspended);
    world[i].phase = CLAIMING;
    world[i].kind = due.kind;
    if (due.kind == RUN_EVENT) {
        check_payload(i, due.payload);
    } else {
        require(due.kind == RUN_DEPENDENCY && due.payload == NULL);
    }
}

static void put_back(size_t i)
{
    if (world[i].kind == RUN_EVENT) {
        bool again = !waits(i) && (!world[i].owed || world[i].running == NULL);
        world[i].pending = again ? world[i].running : world[i].pending;
        world[i].owed = true;
    }
    world[i].phase = IDLE;
    scheduler_unclaimed(scheduler, world[i].scheduled);
}

static void advance(size_t i, char action)
{
    if (action == '=' && world[i].phase == CLAIMING) {
        world[i].phase = LIVE;
        scheduler_claimed(scheduler, world[i].scheduled);
    } else if (action == '<' && world[i].phase == CLAIMING) {
        put_back(i);
    } else if ((action == '.' || action == '!') && world[i].phase == LIVE) {
        world[i].phase = IDLE;
        scheduler_ended(scheduler, world[i].scheduled, action == '.' ? RUN_SUCCEEDED : RUN_FAILED, 1, now);
    } else if (action == '#' && !world[i].suspended) {
        world[i].suspended = true;
        scheduler_suspend(scheduler, world[i].scheduled, "by hand", now);
    } else if (action == '*' && world[i].suspended) {
        world[i].suspended = false;
        scheduler_resume(scheduler, world[i].scheduled, "by hand", now);
    }
}

static void pass(duration time)
{
    struct skipped skipped;
    now += time;
    scheduler_tick(scheduler, now);
    while (scheduler_take_skipped(scheduler, &skipped)) {
    }
}

/* `>` takes the run that may start next; `=2` claims that of job 2, `<2` gives it back; `.2` and `!2` end it well and
 * badly; `#2` suspends the job, `*2` resumes it; `?2` has it look at everything; `+` lets a tenth of a second pass,
 * `+++` three. */
static void act(char *line)
{
    size_t i = line[0] != '\0' && line[1] >= '0' && line[1] < '0' + JOBS ? (size_t)(line[1] - '0') : 0;
    char *space = strchr(line, ' ');
    if (line[0] == '>') {
        take();
    } else if (line[0] == '+') {
        pass((duration)strspn(line, "+") * USEC_PER_SEC / 10);
    } else if (line[0] == '?') {
        tell(i, NULL);
    } else if (line[0] != '\0' && strchr("=<.!#*", line[0]) != NULL) {
        advance(i, line[0]);
    } else if (space != NULL) {
        *space = '\0';
        notify(line, space + 1);
    }
}

static void settle(void)
{
    int rounds = 0;
    for (size_t i = 0; i < JOBS; i++) {
        advance(i, '*');
    }
    for (pass(0); !scheduler_quiet(scheduler) && rounds < ROUNDS_MAX; rounds++) {
        pass(USEC_PER_SEC / 10);
        take();
        for (size_t i = 0; i < JOBS; i++) {
            advance(i, '=');
            advance(i, '.');
        }
    }
    for (size_t i = 0; i < JOBS; i++) {
        require(!world[i].owed && world[i].phase == IDLE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = xstrndup((const char *)bytes, length);
    char *line = text;
    begin();
    for (int lines = 0; line != NULL && lines < LINES_MAX; lines++) {
        char *rest = strchr(line, '\n');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        act(line);
        line = rest;
    }
    settle();
    listener_names_finish(&names);
    scheduler_destroy(scheduler);
    free(text);
    return 0;
}
