/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/expired.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/changes.h"

struct expired {
    int64_t job_id; /* the last one that was looked at, with `version` */
    int version;
    bool of_some; /* jobs */
    bool busy;
    bool more;
    size_t ended; /* of the page under way */
    expired_callback *done;
};

/* @reboot has the start of the server; a delay is due once, after the end of the last run, and stays so until it
 * runs. */
static void count_slots(struct expired_schedule *expired, const struct schedule *schedule, instant server_start)
{
    bool reboot = schedule->form == SCHEDULE_REBOOT;
    bool delay = schedule->form == SCHEDULE_DELAY;
    instant after = delay && expired->last_end > expired->cursor ? expired->last_end : expired->cursor;
    expired->first = reboot && server_start > after ? server_start : schedule_next(schedule, after);
    expired->last = expired->first;
    expired->count = expired->first <= expired->until;
    if (expired->count > 0 && !reboot && !delay) {
        expired->count = schedule_count(schedule, after, expired->until, INT64_MAX, &expired->last);
    }
}

/* A text that is no schedule had no slots. */
static void count_expired(const struct lead *lead, struct zones *zones, struct expired_schedule *expired)
{
    struct error err = {.kind = ERROR_NONE};
    struct schedule schedule;
    if (sql_job_schedule(expired->schedule, expired->options, lead->database, zones, &schedule, &err)) {
        count_slots(expired, &schedule, lead->server_start);
    }
    if (expired->count == 0) {
        expired->first = expired->last = INSTANT_NONE;
    }
}

/* A line for a page. */
static void log_missed(const struct expired_schedule *all, size_t count)
{
    const char *name = NULL;
    size_t jobs = 0;
    long long slots = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].count > 0) {
            jobs++;
            slots += all[i].count;
            name = name != NULL ? name : all[i].name;
        }
    }
    if (jobs == 1) {
        log_info("job %s: %lld slots of a schedule that ended unheard are recorded as missed", name, slots);
    } else if (jobs > 1) {
        log_info("jobs %s and %zu others: %lld slots of schedules that ended unheard are recorded as missed", name,
                 jobs - 1, slots);
    }
}

/* What the leader schedules it told to go, or it will hear of that with its next look at changes. */
static const struct scheduled *scheduled_now(const struct lead *lead, const struct expired_schedule *expired)
{
    const struct scheduled *known = lead->started ? scheduler_find(lead->scheduler, expired->job_id) : NULL;
    return known != NULL && !scheduled_retired(known) ? known : NULL;
}

/* While the leadership begins, a job of the configuration was read before: its memory is to say what the ledger
 * says. */
static void note_missed(const struct lead *lead, const struct expired_schedule *expired, instant now)
{
    struct scheduled *known = lead->started ? NULL : scheduler_find_named(lead->scheduler, expired->name);
    if (known != NULL && scheduled_id(known) == expired->job_id && expired->count > 0) {
        scheduler_note_missed(known, now);
    }
}

static void page_is_done(struct lead *lead)
{
    struct expired *expired = lead->expired;
    expired->busy = false;
    expired->done(lead, expired->more, expired->ended);
}

static void ended(void *data, const struct pg_reply *reply)
{
    if (!lead_refused(data, reply, "schedules that ended could not be put on record")) {
        page_is_done(data);
    }
}

/* Takes the page's schedules that can be ended; how many. */
static size_t take_page(struct lead *lead, const struct pg_reply *reply, instant now, struct expired_schedule *all)
{
    struct zones *zones = zones_create();
    size_t count = 0;
    for (size_t i = 0; i < pg_reply_rows(reply, 0); i++) {
        struct expired_schedule it = changes_read_expired(reply, i);
        const struct scheduled *known = scheduled_now(lead, &it);
        lead->expired->job_id = it.job_id;
        lead->expired->version = it.version;
        if (known != NULL && scheduled_version(known) <= it.version) {
            continue;
        }
        if (known != NULL) {
            it.until = INSTANT_NONE; /* its cursor is the leader's */
        } else {
            bool follows = count > 0 && all[count - 1].job_id == it.job_id;
            it.cursor = follows && it.cursor < all[count - 1].until ? all[count - 1].until : it.cursor;
            count_expired(lead, zones, &it);
            note_missed(lead, &it, now);
        }
        all[count++] = it;
    }
    zones_destroy(zones);
    return count;
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    struct expired *expired = lead->expired;
    if (lead_refused(lead, reply, "schedules that ended could not be read")) {
        return;
    }
    instant now = lead_now(lead);
    struct expired_schedule *all = xcalloc(pg_reply_rows(reply, 0) + 1, sizeof(*all));
    expired->more = pg_reply_rows(reply, 0) == CHANGES_PART;
    expired->ended = take_page(lead, reply, now, all);
    if (!expired->more) {
        expired->job_id = expired->version = 0;
    }
    log_missed(all, expired->ended);
    if (expired->ended > 0) {
        changes_end_expired(&lead->ledger, all, expired->ended, now, ended, lead);
    } else {
        page_is_done(lead);
    }
    free(all);
}

void expired_record(struct lead *lead, const int64_t *of, size_t of_count, expired_callback *done)
{
    struct expired *expired = lead->expired;
    if (expired->of_some != (of_count > 0)) {
        expired->of_some = of_count > 0;
        expired->job_id = expired->version = 0;
    }
    expired->busy = true;
    expired->done = done;
    changes_ask_expired(&lead->ledger, of, of_count, expired->job_id, expired->version, answered, lead);
}

bool expired_busy(const struct lead *lead)
{
    return lead->expired->busy;
}

struct expired *expired_create(void)
{
    return xcalloc(1, sizeof(struct expired));
}

void expired_destroy(struct expired *expired)
{
    free(expired);
}
