/* SPDX-License-Identifier: PostgreSQL */
#include "cli/crontab_plan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "pg/conninfo.h"

#define SPECIAL_REBOOT "@reboot"
#define MOST_NAMES 1000

static const struct output_column columns[] = {
    {"LINE", "line", OUTPUT_INTEGER, OUTPUT_ALWAYS},      {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},       {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEDULE", "schedule", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"ACTION", "action", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"JOB", "job_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"BECOMES", "becomes", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"WHY", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},        {"COMMAND", "command", OUTPUT_LONG, OUTPUT_WIDER},
};
enum {
    COLUMN_LINE,
    COLUMN_NAME,
    COLUMN_OWNER,
    COLUMN_DATABASE,
    COLUMN_SCHEDULE,
    COLUMN_ACTION,
    COLUMN_JOB,
    COLUMN_BECOMES,
    COLUMN_WHY,
    COLUMN_COMMAND
};

static const char *const actions[] = {"copy", "done", "leave", "block"};

static void leave_out(struct crontab_step *step, enum crontab_action action, const char *reason)
{
    step->action = action;
    step->reason = reason;
}

static void block(const struct crontab_plan *plan, struct crontab_step *step, const struct error *err)
{
    leave_out(step, CRONTAB_BLOCK, arena_strdup(plan->arena, err->message));
}

static void add_reason(const struct crontab_plan *plan, struct crontab_step *step, const char *reason)
{
    step->reason = step->reason == NULL ? reason : arena_printf(plan->arena, "%s; and %s", step->reason, reason);
}

/* --- when --------------------------------------------------------------------------------------------------------- */

static const char *name_of(const struct zone *zone)
{
    return zone_is_utc(zone) ? "UTC" : zone_name(zone);
}

static bool decide_when(const struct crontab_plan *plan, struct crontab_step *step)
{
    struct schedule schedule;
    struct error err;
    const struct zone *zone;
    const char *own = step->entry->zone;
    bool good = schedule_parse(step->entry->schedule, &schedule, &err) &&
                zones_find(plan->zones, own != NULL ? own : plan->zone, &zone, &err);
    if (!good) {
        block(plan, step, &err);
        return false;
    }
    if (strcmp(step->entry->schedule, SPECIAL_REBOOT) == 0) {
        add_reason(plan, step, "it runs when the server starts, not the machine");
    }
    const char *name = name_of(zone);
    bool by_clock = schedule.form == SCHEDULE_CRON;
    step->zone = by_clock ? name : plan->visit->database->timezone;
    bool named = strcmp(step->zone, plan->visit->database->timezone) != 0;
    step->options = named ? arena_printf(plan->arena, "{\"timezone\": \"%s\"}", name) : "{}";
    return true;
}

/* --- where -------------------------------------------------------------------------------------------------------- */

static const char *port_of(const char *port)
{
    return port != NULL && port[0] != '\0' ? port : "5432";
}

/* Cuts "NAME:PORT" or "[ADDRESS]:PORT" in two; the port, NULL where there is none. An address has several colons of its
 * own. */
static const char *cut_port(char **name)
{
    char *end = **name == '[' ? strchr(*name, ']') : NULL;
    char *colon = end != NULL ? strchr(end, ':') : strchr(*name, ':');
    if (end != NULL) {
        *end = '\0';
        (*name)++;
    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        return NULL;
    }
    if (colon == NULL) {
        return NULL;
    }
    *colon = '\0';
    return colon + 1;
}

/* A name without a port is one of the base's. */
static bool is_listed(const struct crontab_plan *plan, const struct crontab_entry *command, const char *own_port)
{
    char *list = plan->hosts != NULL ? arena_strdup(plan->arena, plan->hosts) : NULL;
    const char *host = command->host != NULL ? command->host : "localhost";
    for (char *name = strsep(&list, ","); name != NULL; name = strsep(&list, ",")) {
        const char *port = cut_port(&name);
        if (strcmp(name, host) == 0 && strcmp(port_of(command->port), port != NULL ? port : own_port) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_our_host(const struct crontab_plan *plan, const struct crontab_entry *command,
                        const struct conninfo_host *host)
{
    const char *name = host->name != NULL ? host->name : host->address;
    const char *port = port_of(host->port);
    bool same = (conninfo_is_local(command->host) && conninfo_is_local(name)) ||
                (command->host != NULL && name != NULL && strcmp(command->host, name) == 0);
    return (same && strcmp(port_of(command->port), port) == 0) || is_listed(plan, command, port);
}

static bool decide_where(const struct crontab_plan *plan, struct crontab_step *step)
{
    const struct crontab_entry *command = step->entry;
    const struct pg_target target = {.conninfo = plan->visit->database->conninfo, .application_name = ""};
    struct conninfo info;
    struct error err;
    bool ours = false;
    if (!conninfo_read(&info, &target, &err)) {
        block(plan, step, &err);
        return false;
    }
    for (size_t i = 0; i < info.host_count; i++) {
        ours = ours || is_our_host(plan, command, &info.hosts[i]);
    }
    if (!ours) {
        const char *host = command->host != NULL ? command->host : "localhost";
        const char *port = port_of(command->port);
        leave_out(step, CRONTAB_BLOCK,
                  arena_printf(plan->arena,
                               "it goes to host %s, port %s, and the database here is at %s: --host %s:%s where that "
                               "is the same server",
                               host, port, conninfo_describe(&info),
                               strchr(host, ':') != NULL ? arena_printf(plan->arena, "[%s]", host) : host, port));
    }
    conninfo_finish(&info);
    return ours;
}

/* --- which -------------------------------------------------------------------------------------------------------- */

static const char *describe_job(const struct crontab_plan *plan, const struct crontab_step *step, const char *name)
{
    json_t *job = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "job_name", name, "username", step->owner, "database",
                            step->database, "schedule", step->entry->schedule, "command", step->entry->sql, "active",
                            plan->active ? 1 : 0);
    json_object_set_new(job, "options", json_loads(step->options, 0, NULL));
    json_object_set_new(job, "is_new", json_true());
    char *text = json_dumps(job, JSON_COMPACT);
    const char *kept = arena_strdup(plan->arena, text);
    free(text);
    json_decref(job);
    return kept;
}

static bool query_one(const struct crontab_plan *plan, const char *sql, const char *const *parameters, size_t count,
                      const char **value, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(plan->visit->client, sql, parameters, count, &rows, err)) {
        return false;
    }
    *value = rows.count > 0 ? arena_strdup(plan->arena, pg_rows_value(&rows, 0, 0)) : NULL;
    pg_rows_finish(&rows);
    return true;
}

static bool find_known(const struct crontab_plan *plan, struct crontab_step *step, struct error *err)
{
    static const char sql[] =
        "SELECT j.job_id, j.active FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
        " AND j.owner::text = $1 AND coalesce(j.database, current_database())::text = $2"
        " AND j.schedule = $3 AND j.command = $4 AND coalesce(j.options ->> 'timezone', $5) = $6"
        " ORDER BY j.active DESC, j.job_id LIMIT 1";
    const char *parameters[] = {
        step->owner, step->database, step->entry->schedule, step->entry->sql, plan->visit->database->timezone,
        step->zone};
    struct pg_rows rows;
    if (!pg_client_query(plan->visit->client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    if (rows.count > 0) {
        step->job_id = arena_strdup(plan->arena, pg_rows_value(&rows, 0, 0));
        step->active = pg_rows_value(&rows, 0, 1)[0] == 't';
        leave_out(step, CRONTAB_DONE, step->active ? "such a job is there" : "such a job is there, not active");
    }
    pg_rows_finish(&rows);
    return true;
}

static bool is_same(const struct crontab_step *left, const struct crontab_step *right)
{
    return strcmp(left->owner, right->owner) == 0 && strcmp(left->database, right->database) == 0 &&
           strcmp(left->entry->schedule, right->entry->schedule) == 0 && strcmp(left->zone, right->zone) == 0 &&
           strcmp(left->entry->sql, right->entry->sql) == 0;
}

/* Of a line that stands twice only one becomes a job, also where the other is one already. */
static void find_earlier(const struct crontab_plan *plan, struct crontab_step *step)
{
    for (const struct crontab_step *it = plan->steps; it < step; it++) {
        if (it->action <= CRONTAB_DONE && is_same(it, step)) {
            leave_out(step, CRONTAB_LEAVE, arena_printf(plan->arena, "it is line %d once more", it->entry->line));
            step->twin = it;
            return;
        }
    }
}

static bool is_taken(const struct crontab_plan *plan, const struct crontab_step *step, const char *name, bool *taken,
                     struct error *err)
{
    static const char sql[] = "SELECT 1 FROM chime.job j WHERE j.origin = 'sql' AND j.removed_at IS NULL"
                              " AND j.owner::text = $1 AND j.job_name = $2";
    const char *parameters[] = {step->owner, name};
    const char *found;
    *taken = false;
    for (const struct crontab_step *it = plan->steps; it < step; it++) {
        *taken = *taken ||
                 (it->action == CRONTAB_COPY && strcmp(it->owner, step->owner) == 0 && strcmp(it->name, name) == 0);
    }
    if (*taken) {
        return true;
    }
    bool good = query_one(plan, sql, parameters, COUNT_OF(parameters), &found, err);
    *taken = good && found != NULL;
    return good;
}

static bool find_name(const struct crontab_plan *plan, struct crontab_step *step, struct error *err)
{
    bool taken = true;
    for (int i = 1; taken && i < MOST_NAMES; i++) {
        const char *own = step->entry->name;
        const char *name = i == 1 ? own : arena_printf(plan->arena, "%s-%d", own, i);
        if (!is_taken(plan, step, name, &taken, err)) {
            return false;
        }
        step->name = name;
    }
    return true;
}

/* Whether the server would take it: made as job 0, which is none, and taken back. */
static bool check_with_server(const struct crontab_plan *plan, struct crontab_step *step, struct error *err)
{
    static const char sql[] = "SELECT chime.import_problem(0, j || jsonb_build_object('jobname', j -> 'job_name'), j "
                              "->> 'schedule', j -> 'options')"
                              " FROM (SELECT $1::jsonb AS j) AS one";
    const char *parameters[] = {describe_job(plan, step, step->name)};
    const char *problem;
    if (!query_one(plan, sql, parameters, COUNT_OF(parameters), &problem, err)) {
        return false;
    }
    if (problem != NULL) {
        leave_out(step, CRONTAB_BLOCK, problem);
    }
    return true;
}

/* --- one line ----------------------------------------------------------------------------------------------------- */

static bool is_named(const struct crontab_plan *plan, const char *role)
{
    const char *roles = invocation_option(plan->invocation, "as-role");
    char *list = roles != NULL ? arena_strdup(plan->arena, roles) : NULL;
    for (const char *name = strsep(&list, ","); name != NULL; name = strsep(&list, ",")) {
        if (strcmp(name, role) == 0) {
            return true;
        }
    }
    return false;
}

/* The login as another role was the crontab's author's own; a job's is the configuration's. So whoever imports names
 * that role. False: it is left out. */
static bool allow_role(const struct crontab_plan *plan, struct crontab_step *step, const char *user)
{
    if (user != NULL && strcmp(step->owner, user) == 0) {
        return true;
    }
    if (!is_named(plan, step->owner)) {
        leave_out(step, CRONTAB_BLOCK,
                  arena_printf(plan->arena, "it connects as role %s: --as-role %s makes it a job of that role",
                               step->owner, step->owner));
        return false;
    }
    add_reason(plan, step, arena_printf(plan->arena, "as role %s", step->owner));
    return true;
}

/* False: it is decided. */
static bool read_line(const struct crontab_plan *plan, struct crontab_step *step)
{
    const struct crontab_entry *entry = step->entry;
    const char *user = entry->user != NULL ? entry->user : plan->user;
    struct error err;
    if (entry->problem != NULL) {
        leave_out(step, entry->is_psql ? CRONTAB_BLOCK : CRONTAB_LEAVE, entry->problem);
        return false;
    }
    if (!crontab_sql_check(entry->sql, &err)) {
        block(plan, step, &err);
        return false;
    }
    step->reason = crontab_sql_difference(entry, plan->arena);
    step->owner = entry->role != NULL ? entry->role : user;
    step->database = entry->database != NULL ? entry->database : step->owner;
    step->name = entry->name;
    return allow_role(plan, step, user);
}

static bool decide(const struct crontab_plan *plan, struct crontab_step *step, struct error *err)
{
    if (!read_line(plan, step) || !decide_where(plan, step) || !decide_when(plan, step)) {
        return true;
    }
    find_earlier(plan, step);
    if (step->action != CRONTAB_COPY || !find_known(plan, step, err)) {
        return step->action != CRONTAB_COPY;
    }
    if (step->action != CRONTAB_COPY) {
        return true;
    }
    return find_name(plan, step, err) && check_with_server(plan, step, err);
}

bool crontab_plan_make(struct crontab_plan *plan, struct error *err)
{
    plan->count = plan->crontab.entry_count;
    plan->steps = arena_alloc(plan->arena, (plan->count + 1) * sizeof(*plan->steps));
    for (size_t i = 0; i < plan->count; i++) {
        plan->steps[i].entry = &plan->crontab.entries[i];
        plan->steps[i].active = plan->active;
        if (!decide(plan, &plan->steps[i], err)) {
            return error_prefix(err, "line %d", plan->steps[i].entry->line);
        }
    }
    return true;
}

/* --- showing, and doing ------------------------------------------------------------------------------------------- */

void crontab_plan_print(const struct crontab_plan *plan)
{
    struct output_list *list = output_create("imports", columns, COUNT_OF(columns));
    for (size_t i = 0; i < plan->count; i++) {
        const struct crontab_step *step = &plan->steps[i];
        bool ours = step->action <= CRONTAB_DONE;
        output_add_row(list);
        output_set_number(list, COLUMN_LINE, step->entry->line);
        output_set(list, COLUMN_NAME, ours ? step->name : NULL);
        output_set(list, COLUMN_OWNER, step->owner);
        output_set(list, COLUMN_DATABASE, step->database);
        output_set(list, COLUMN_SCHEDULE, step->entry->schedule);
        output_set(list, COLUMN_ACTION, actions[step->action]);
        output_set(list, COLUMN_JOB, step->job_id);
        output_set(list, COLUMN_BECOMES, ours ? step->entry->schedule : NULL);
        output_set(list, COLUMN_WHY, step->reason);
        output_set(list, COLUMN_COMMAND, step->entry->sql != NULL ? step->entry->sql : step->entry->command);
    }
    output_print(&list, 1, &plan->invocation->style, stdout);
    output_destroy(list);
}

size_t crontab_plan_count(const struct crontab_plan *plan, enum crontab_action action)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        count += plan->steps[i].action == action ? 1 : 0;
    }
    return count;
}

/* The step whose job is, or will be, this line's; NULL: none. */
static const struct crontab_step *maker_of(const struct crontab_step *step)
{
    while (step != NULL && step->action > CRONTAB_DONE) {
        step = step->twin;
    }
    return step;
}

bool crontab_step_is_double(const struct crontab_step *step)
{
    const struct crontab_step *maker = maker_of(step);
    return maker != NULL && maker->active;
}

bool crontab_step_is_single(const struct crontab_step *step)
{
    const struct crontab_step *maker = maker_of(step);
    return maker != NULL && !maker->active;
}

const char *crontab_plan_lines(const struct crontab_plan *plan, bool (*is)(const struct crontab_step *step),
                               size_t *count)
{
    struct buffer text = {0};
    *count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        *count += is(&plan->steps[i]) ? 1 : 0;
    }
    size_t left = *count;
    for (size_t i = 0; i < plan->count; i++) {
        if (is(&plan->steps[i])) {
            const char *before = left == 1 ? " and " : ", ";
            buffer_printf(&text, "%s%d", text.length == 0 ? "" : before, plan->steps[i].entry->line);
            left--;
        }
    }
    const char *kept = arena_strdup(plan->arena, buffer_text(&text));
    buffer_finish(&text);
    return kept;
}

const char *crontab_plan_do(const struct crontab_plan *plan, struct crontab_step *step, struct error *err)
{
    static const char sql[] = "SELECT chime.schedule_job(current_user, $1::jsonb) ->> 'job_id'";
    const char *parameters[] = {describe_job(plan, step, step->name)};
    const char *job_id;
    if (query_one(plan, sql, parameters, COUNT_OF(parameters), &job_id, err)) {
        return job_id;
    }
    block(plan, step, err);
    return NULL;
}
