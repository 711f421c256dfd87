/* SPDX-License-Identifier: PostgreSQL */
/* The jobs of a simulated month: every form and every option, by chance; and their slots, by the C library's clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "support/month/month.h"

#define SLOTS_MOST 6000   /* of one job by its fields: as every ten minutes and more */
#define SECONDS_MOST 9000 /* of one job by its seconds */
#define CHANGING 13       /* of twenty jobs, the one that the clocks' changes are sure to hit */

const char *const month_pools[MONTH_POOLS] = {"narrow", "heavy", "wide"};

static const char *const zone_names[] = {"UTC",          "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                         "Asia/Kolkata", "Asia/Beirut",   "America/St_Johns", "Australia/Sydney",
                                         "Africa/Cairo", "Pacific/Apia",  "America/Santiago"};

/* --- chance ------------------------------------------------------------------------------------------------------- */

int64_t month_chance(struct month *month, int64_t low, int64_t high)
{
    return random_within(&month->chance, low, high);
}

bool month_one_in(struct month *month, int64_t n)
{
    return month_chance(month, 1, n) == 1;
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

static void add_slot(const struct month *month, struct month_job *it, int64_t second)
{
    if (second * USEC_PER_SEC <= month->start) {
        return;
    }
    if (it->slot_count == it->slot_capacity) {
        it->slot_capacity = it->slot_capacity == 0 ? 64 : it->slot_capacity * 2;
        it->slots = xrealloc(it->slots, it->slot_capacity, sizeof(*it->slots));
    }
    it->slots[it->slot_count++] = (struct month_slot){.at = second * USEC_PER_SEC, .plan = PLAN_NONE};
}

/* Clocks change at full minutes here: a minute's seconds stay together. */
static void add_minute(const struct month *month, struct month_job *it, const struct wall_values *values,
                       int64_t second, unsigned char reasons)
{
    bool shown = (reasons & (WALL_SHOWN | WALL_FIRST | WALL_SECOND)) != 0;
    if ((reasons & WALL_AFTER_GAP) != 0 && !(shown && values->seconds[0])) {
        add_slot(month, it, second);
    }
    for (int n = 0; n < 60 && shown; n++) {
        if (values->seconds[n]) {
            add_slot(month, it, second + n);
        }
    }
}

static struct wall_window *window_of(struct month *month, size_t zone)
{
    if (month->windows[zone] == NULL) {
        wall_zone(zone_names[zone]);
        month->windows[zone] = wall_window_create(MONTH_START / USEC_PER_SEC, MONTH_END / USEC_PER_SEC + 3 * 86400,
                                                  false);
        wall_zone(NULL);
    }
    return month->windows[zone];
}

static void list_wall(struct month *month, struct month_job *it, const struct wall_values *values, size_t zone)
{
    struct wall_values minutes = *values;
    minutes.seconds[0] = true;
    const struct job_options *options = it->job.options;
    const struct wall_slots *slots = wall_slots(window_of(month, zone), &minutes, options->dst_gap,
                                                options->dst_overlap);
    it->slot_count = 0;
    for (size_t i = 0; i < slots->count && it->slot_count <= SECONDS_MOST; i++) {
        add_minute(month, it, values, slots->seconds[i], slots->reasons[i]);
    }
}

static void list_multiples(const struct month *month, struct month_job *it, int64_t seconds)
{
    int64_t first = month->start / USEC_PER_SEC / seconds * seconds;
    for (int64_t second = first; second <= month->end / USEC_PER_SEC + 86400; second += seconds) {
        add_slot(month, it, second);
    }
}

/* --- schedules ---------------------------------------------------------------------------------------------------- */

/* Around a change of the clocks, if there is one. */
static struct wall_reading focus_of(struct month *month, size_t zone)
{
    int64_t changes[4];
    wall_zone(zone_names[zone]);
    size_t count = wall_changes(MONTH_START / USEC_PER_SEC, MONTH_END / USEC_PER_SEC, changes, COUNT_OF(changes));
    int64_t at = count > 0 ? changes[month_chance(month, 0, (int64_t)count - 1)] : MONTH_START / USEC_PER_SEC;
    struct wall_reading reading = wall_read(at + wall_offset(at - 1) + month_chance(month, -1, 1) * 1800);
    wall_zone(NULL);
    return reading;
}

static void random_fields(struct month *month, struct month_job *it, size_t zone, bool six)
{
    struct wall_reading focus = focus_of(month, zone);
    size_t most = six ? SECONDS_MOST : SLOTS_MOST;
    do {
        struct random_schedule made = random_schedule(&month->chance, six, &focus);
        snprintf(it->text, sizeof(it->text), "%s", made.text);
        list_wall(month, it, &made.values, zone);
    } while (it->slot_count == 0 || it->slot_count > most);
}

static void fill(bool *values, int count)
{
    for (int i = 0; i < count; i++) {
        values[i] = true;
    }
}

/* "M H $ * *", and every few minutes of every hour. */
static void plain_fields(struct month *month, struct month_job *it, size_t zone, bool last_day)
{
    static const int steps[] = {10, 15, 20, 30};
    struct wall_values values = {.seconds = {true}};
    int step = steps[month_chance(month, 0, 3)];
    int hour = (int)month_chance(month, 0, 23);
    fill(values.months, 13);
    fill(values.weekdays, 7);
    if (last_day) {
        snprintf(it->text, sizeof(it->text), "%d %d $ * *", step, hour);
        values.last_day = values.fixed = values.minutes[step] = values.hours[hour] = true;
    } else {
        snprintf(it->text, sizeof(it->text), "*/%d * * * *", step);
        fill(values.hours, 24);
        fill(values.days, 32);
        for (int minute = 0; minute < 60; minute += step) {
            values.minutes[minute] = true;
        }
    }
    list_wall(month, it, &values, zone);
}

/* A time of day that the clocks skip or show twice. */
static void changing_time(struct month *month, struct month_job *it, size_t zone)
{
    int64_t change;
    wall_zone(zone_names[zone]);
    ck_assert_uint_eq(wall_changes(MONTH_START / USEC_PER_SEC, MONTH_END / USEC_PER_SEC, &change, 1), 1);
    int64_t before = wall_offset(change - 1);
    int64_t after = wall_offset(change);
    wall_zone(NULL);
    int64_t lower = before < after ? before : after;
    struct wall_reading reading = wall_read(change + lower + month_chance(month, 0, 29) * 60);
    struct wall_values values = {.seconds = {true}, .fixed = true};
    values.minutes[reading.minute] = values.hours[reading.hour] = true;
    fill(values.days, 32);
    fill(values.months, 13);
    fill(values.weekdays, 7);
    snprintf(it->text, sizeof(it->text), "%d %d * * *", reading.minute, reading.hour);
    list_wall(month, it, &values, zone);
}

static void one_time(struct month *month, struct month_job *it, size_t zone)
{
    int64_t wall = (month->start + month_chance(month, USEC_PER_DAY / 4, month->end - month->start)) / USEC_PER_MINUTE *
                   60;
    struct wall_reading reading = wall_read(wall);
    struct tm tm;
    time_t time = (time_t)wall;
    gmtime_r(&time, &tm);
    snprintf(it->text, sizeof(it->text), "@at %04d-%02d-%02d %02d:%02d", tm.tm_year + 1900, reading.month, reading.day,
             reading.hour, reading.minute);
    const struct wall_slots *slots = wall_slots_at(window_of(month, zone), wall, it->job.options->dst_gap,
                                                   it->job.options->dst_overlap);
    for (size_t i = 0; i < slots->count; i++) {
        add_slot(month, it, slots->seconds[i]);
    }
    month->counts.once++;
}

static void interval(struct month *month, struct month_job *it, bool seconds)
{
    static const int minutes[] = {7, 15, 45, 90, 600, 2880};
    int64_t length = seconds ? month_chance(month, 45, 59) : minutes[month_chance(month, 0, 5)];
    snprintf(it->text, sizeof(it->text), seconds ? "%d seconds" : "@every %dmin", (int)length);
    list_multiples(month, it, seconds ? length : length * 60);
}

static void delay(struct month *month, struct month_job *it)
{
    snprintf(it->text, sizeof(it->text), "@after %dmin", (int)month_chance(month, 1, 300));
    it->form = MONTH_DELAY;
}

/* Whose clocks change in this month, forward and back. */
static size_t zone_for(struct month *month, size_t number)
{
    static const size_t changing[] = {1, 3, 2, 7, 5, 10};
    size_t zone = (size_t)month_chance(month, 0, COUNT_OF(zone_names) - 1);
    return number % 20 == CHANGING ? changing[number / 20 % COUNT_OF(changing)] : zone;
}

/* Every form has its share: the number of the job says which. */
static void choose_schedule(struct month *month, struct month_job *it, size_t number, size_t zone)
{
    switch (number % 20) {
    case 0:
    case 1:
    case 2:
        random_fields(month, it, zone, true);
        return;
    case 3:
        plain_fields(month, it, zone, true);
        return;
    case 4:
        interval(month, it, number % 40 == 4);
        return;
    case 5:
        interval(month, it, false);
        return;
    case 6:
    case 7:
        delay(month, it);
        return;
    case 8:
        snprintf(it->text, sizeof(it->text), number % 40 == 8 ? "@reboot" : "@restart");
        it->form = MONTH_REBOOT;
        return;
    case 9:
        one_time(month, it, zone);
        return;
    case 10:
    case 11:
    case 12:
        it->form = MONTH_JOIN;
        return;
    case CHANGING:
        changing_time(month, it, zone);
        return;
    case 14:
    case 15:
        plain_fields(month, it, zone, false);
        return;
    default:
        random_fields(month, it, zone, false);
    }
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static void choose_timing(struct month *month, struct month_job *it)
{
    struct job_options *options = it->job.options;
    options->overlap_policy = (enum overlap_policy)month_chance(month, OVERLAP_SKIP, OVERLAP_BUFFER_ALL);
    options->catchup = (enum catchup_policy)month_chance(month, CATCHUP_LATEST,
                                                         it->form == MONTH_JOIN ? CATCHUP_NONE : CATCHUP_ALL);
    options->catchup_window = month_one_in(month, 2) ? month_chance(month, 1, 30) * USEC_PER_HOUR
                                                     : month_chance(month, 1, 120) * USEC_PER_MINUTE;
    options->catchup_limit = month_chance(month, it->form == MONTH_LISTED ? 0 : 1, 9);
    if (it->form != MONTH_JOIN && month_one_in(month, 3)) {
        options->jitter = month_chance(month, 1, month_one_in(month, 2) ? 10 : 600) * USEC_PER_SEC;
    }
    if (month_one_in(month, 4)) { /* never at the instant of another slot: either might go first */
        duration most = (month_one_in(month, 2) ? 60 : 7200) * USEC_PER_SEC;
        options->starting_deadline = options->jitter + month_chance(month, USEC_PER_SEC, most) / 1000 * 1000 + 17;
    }
}

static void choose_running(struct month *month, struct month_job *it)
{
    struct job_options *options = it->job.options;
    options->trigger_rule = (enum trigger_rule)month_chance(month, TRIGGER_ALL_SUCCESS, TRIGGER_NONE_FAILED);
    options->delivery = (enum delivery)month_chance(month, DELIVERY_TRANSACTIONAL, DELIVERY_AT_LEAST_ONCE);
    options->log_runs = (enum log_runs)month_chance(month, LOG_RUNS_ALL, LOG_RUNS_OFF);
    options->priority = month_chance(month, 1, 9);
    options->max_attempts = month_chance(month, 1, 4);
    options->suspend_after_failures = month_one_in(month, 3) ? 0 : month_chance(month, 1, 6);
    it->pool = month_one_in(month, 2) ? (int)month_chance(month, 0, MONTH_POOLS - 1) : -1;
    options->pool = it->pool >= 0 ? month_pools[it->pool] : POOL_DEFAULT;
}

static void choose_upstreams(struct month *month, struct month_job *it)
{
    size_t least = it->form == MONTH_JOIN ? 1 : 0;
    size_t count = month->job_count == 0 ? 0 : (size_t)month_chance(month, (int64_t)least, MONTH_UPSTREAMS);
    for (size_t i = 0; i < count; i++) {
        size_t upstream = (size_t)month_chance(month, 0, (int64_t)month->job_count - 1);
        bool known = false;
        for (size_t n = 0; n < it->job.after_count; n++) {
            known = known || it->upstream[n].job == upstream;
        }
        if (!known) {
            it->upstream[it->job.after_count] = (struct month_upstream){.job = upstream, .at = INSTANT_NONE};
            it->after[it->job.after_count++] = month->jobs[upstream].name;
        }
    }
    it->job.after = it->after;
    month->counts.gated += it->form != MONTH_JOIN && it->job.after_count > 0;
}

static void settle(struct month *month, struct month_job *it, size_t zone)
{
    struct job *job = &it->job;
    const struct zone *found;
    struct error err;
    job->name = it->name;
    job->database = "main";
    job->origin = JOB_FROM_CONFIG;
    job->schedule_text = it->text;
    job->command = "SELECT 1";
    job->active = !month_one_in(month, 25);
    ck_assert_msg(it->form == MONTH_JOIN || schedule_parse(it->text, &job->schedule, &err), "%s: %s", it->text,
                  err.message);
    ck_assert_msg(zones_find(month->zones, zone_names[zone], &found, &err), "%s", err.message);
    schedule_set_zone(&job->schedule, found, job->options->dst_gap, job->options->dst_overlap);
    job->options->timezone = zone_names[zone];
    it->memory = (struct job_memory){.job_id = MONTH_FIRST_ID + (it - month->jobs),
                                     .version = 1,
                                     .cursor = month->start,
                                     .outcome_at = INSTANT_NONE,
                                     .missed_at = INSTANT_NONE,
                                     .last_end = INSTANT_NONE};
    it->counted_from = it->resumes_at = it->unsure_at = it->missed_from = INSTANT_NONE;
}

static void make_job(struct month *month)
{
    static const duration lengths[] = {USEC_PER_SEC, 30 * USEC_PER_SEC, 5 * USEC_PER_MINUTE, 40 * USEC_PER_MINUTE};
    size_t number = month->job_count;
    struct month_job *it = &month->jobs[number];
    size_t zone = zone_for(month, number);
    snprintf(it->name, sizeof(it->name), "j%03lld_%zu", (long long)month_chance(month, 0, 999), number);
    it->job.options = &it->options;
    options_defaults(&it->options, false);
    it->job.options->dst_gap = (enum dst_gap)month_chance(month, DST_GAP_RUN, DST_GAP_SKIP);
    it->job.options->dst_overlap = (enum dst_overlap)month_chance(month, DST_OVERLAP_FIRST, DST_OVERLAP_BOTH);
    choose_schedule(month, it, number, zone);
    choose_timing(month, it);
    choose_running(month, it);
    if (it->form == MONTH_JOIN || month_one_in(month, 3)) {
        choose_upstreams(month, it);
    }
    it->fails_one_in = month_one_in(month, 3) ? month_chance(month, 1, 6) : 40;
    it->lasts_most = lengths[month_chance(month, 0, 3)];
    settle(month, it, zone);
    month->job_count++;
}

void month_make_jobs(struct month *month, size_t count)
{
    month->zones = zones_create();
    month->chance.state = month->seed;
    month->pool_limits[0] = 1;
    month->pool_limits[1] = 3;
    month->pool_limits[2] = 6;
    while (month->job_count < count) {
        make_job(month);
    }
}

void month_free_jobs(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        free(month->jobs[i].slots);
    }
    for (size_t i = 0; i < COUNT_OF(month->windows); i++) {
        wall_window_destroy(month->windows[i]);
    }
    zones_destroy(month->zones);
}
