/* SPDX-License-Identifier: PostgreSQL */
#include "web/actions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "loop/resolve.h"
#include "report/action_list.h"
#include "report/job_list.h"
#include "web/session.h"

#define PARTS_MAX 8
#define KEYS_MAX 4
#define PARAMETERS 6
#define KEY_MAX 200 /* bytes */
#define ANY ":"

/* The number of the job that is meant by a name is found in the same statement. */
#define OF_JOB                                                                             \
    " FROM (SELECT job_id FROM chime.job WHERE name = $1 ORDER BY removed_at IS NOT NULL," \
    "        owner = current_user DESC, job_id LIMIT 1) j, "
#define SELECT "SELECT " ACTION_COLUMNS

/* What the parameters of each statement are: $1 as below, $2 who, $3 why, $4 the key, $5 and $6 as below. */
struct action_kind {
    const char *parts[PARTS_MAX]; /* below /d/DATABASE */
    const char *keys[KEYS_MAX];   /* of the body, beside "reason" */
    const char *sql;
    bool of_many; /* $1: jobs by filter and count; else a part of the path, or "matchers" */
    int parameter_count;
};

static const struct action_kind kinds[] = {
    {{"job", ANY, "run"}, {NULL}, SELECT OF_JOB "chime.operate_run(j.job_id, $2, $3, $4) a", false, 4},
    {{"job", ANY, "suspend"},
     {"until"},
     SELECT OF_JOB "chime.operate_suspend(ARRAY[j.job_id], $5::timestamptz, $2, $3, $4) a",
     false,
     5},
    {{"job", ANY, "resume"}, {NULL}, SELECT OF_JOB "chime.operate_resume(ARRAY[j.job_id], $2, $3, $4) a", false, 4},
    {{"job", ANY, "run", ANY, ANY, "cancel"},
     {NULL},
     SELECT OF_JOB "chime.operate_cancel(j.job_id, $5::chime.run_kind, $6::timestamptz, $2, $3, $4) a",
     false,
     6},
    {{"jobs", "suspend"},
     {"filter", "count", "until"},
     SELECT " FROM chime.operate_suspend($1::bigint[], $5::timestamptz, $2, $3, $4) a",
     true,
     5},
    {{"jobs", "resume"}, {"filter", "count"}, SELECT " FROM chime.operate_resume($1::bigint[], $2, $3, $4) a", true, 4},
    {{"silences"},
     {"matchers", "until"},
     SELECT " FROM chime.operate_silence($1::jsonb, $5::timestamptz, $2, $3, $4) a",
     false,
     5},
    {{"alert", ANY, "ack"}, {NULL}, SELECT " FROM chime.operate_acknowledge($1::bigint, $2, $3, $4) a", false, 4},
};

/* One that is under way. */
struct action {
    struct actions *actions;
    struct action *next;
    const struct action_kind *kind;
    const struct config_database *database;
    struct session *session;
    struct http_request *request;
    json_t *body;
    char *texts[PARAMETERS];
    const char *parameters[PARAMETERS];
    int64_t count;
    struct question question;
    struct pg_statement statement;
};

struct actions {
    const struct config *config;
    struct resolver *resolver;
    struct session **sessions;
    struct action *actions;
};

/* --- its end ------------------------------------------------------------------------------------------------------ */

static void destroy_action(struct action *action)
{
    for (size_t i = 0; i < PARAMETERS; i++) {
        free(action->texts[i]);
    }
    json_decref(action->body);
    free(action);
}

static void take_out(struct action *action)
{
    struct action **link = &action->actions->actions;
    while (*link != action) {
        link = &(*link)->next;
    }
    *link = action->next;
    destroy_action(action);
}

static void refuse(struct action *action, int status, const char *detail, const char *hint)
{
    http_reply_problem(action->request, status, detail, hint, NULL);
    take_out(action);
}

static int status_of(const struct error *err)
{
    static const struct {
        const char *sqlstate;
        int status;
    } states[] = {{"42501", 403}, {"P0002", 404}, {"55000", 409}, {"23505", 409}, {"22023", 400},
                  {"22P02", 400}, {"22007", 400}, {"22008", 400}, {"54000", 400}};
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        if (strcmp(err->sqlstate, states[i].sqlstate) == 0) {
            return states[i].status;
        }
    }
    return 503;
}

static void refuse_by(struct action *action, const struct error *err)
{
    int status = status_of(err);
    const char *hint = status == 403
                           ? "the role of web.conf acts once this was run: GRANT pgchime_operator TO that role"
                       : err->hint[0] != '\0' ? err->hint
                                              : NULL;
    refuse(action, status, err->message, hint);
}

/* --- calling ------------------------------------------------------------------------------------------------------ */

static void answer(struct action *action, const struct pg_rows *rows)
{
    struct buffer text = {0};
    struct output_list *list = action_list_create();
    action_list_take(list, rows, action->database);
    output_put_json(&text, &list, 1);
    http_reply(action->request,
               &(struct http_answer){
                   .status = 202, .type = "application/json", .body = buffer_text(&text), .length = text.length});
    output_destroy(list);
    buffer_finish(&text);
    take_out(action);
}

static void called(void *data, const struct pg_reply *reply, const struct error *err)
{
    struct action *action = data;
    struct pg_rows rows;
    if (err != NULL) {
        refuse_by(action, err);
        return;
    }
    pg_rows_of_reply(reply, 0, &rows);
    if (rows.count == 0) {
        refuse(action, 404, "there is no such job", "GET /api/v1/d/DATABASE/jobs?all lists them");
    } else {
        answer(action, &rows);
    }
    pg_rows_finish(&rows);
}

static void call(struct action *action)
{
    action->statement = (struct pg_statement){
        .sql = action->kind->sql, .parameter_count = action->kind->parameter_count, .parameters = action->parameters};
    session_call(action->session, &action->statement, called, action);
}

/* The number that somebody saw has to be theirs still. */
static void found_jobs(void *data, const struct pg_reply *reply, const struct error *err)
{
    struct action *action = data;
    struct buffer numbers = {0};
    struct pg_rows rows;
    if (err != NULL) {
        refuse_by(action, err);
        return;
    }
    pg_rows_of_reply(reply, 0, &rows);
    for (size_t row = 0; row < rows.count; row++) {
        buffer_printf(&numbers, "%s%s", row > 0 ? "," : "{", pg_rows_value(&rows, row, 0));
    }
    buffer_putc(&numbers, '}');
    if ((int64_t)rows.count != action->count || rows.count == 0) {
        char *detail = xasprintf("the filter fits %zu jobs now, not %lld", rows.count, (long long)action->count);
        refuse(action, 409, detail, "look at the list again, and send the count that it has");
        free(detail);
        buffer_finish(&numbers);
    } else {
        action->parameters[0] = action->texts[0] = buffer_take(&numbers);
        call(action);
    }
    pg_rows_finish(&rows);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool knows_key(const struct action_kind *kind, const char *key)
{
    for (size_t i = 0; i < KEYS_MAX && kind->keys[i] != NULL; i++) {
        if (strcmp(kind->keys[i], key) == 0) {
            return true;
        }
    }
    return strcmp(key, "reason") == 0;
}

static bool check_body(const struct action *action, struct error *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(action->body)) {
        error_set(err, ERROR_USAGE, "the body is no JSON object");
        return error_hint(err, "send {\"reason\": \"...\"}");
    }
    json_object_foreach(action->body, key, value)
    {
        if (!knows_key(action->kind, key)) {
            error_set(err, ERROR_USAGE, "there is no \"%.100s\" to say here", key);
            return error_hint(err, "docs/web.md lists what each action knows");
        }
    }
    return true;
}

/* NULL where it is not there; false: it is no text. */
static bool read_text(const json_t *object, const char *key, const char **text, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    *text = json_string_value(value);
    return value == NULL || json_is_null(value) || *text != NULL ||
           error_set(err, ERROR_USAGE, "\"%s\" is no text", key);
}

static bool read_until(struct action *action, struct error *err)
{
    const char *text;
    instant until;
    char written[INSTANT_TEXT_SIZE];
    if (!read_text(action->body, "until", &text, err)) {
        return false;
    }
    if (text != NULL) {
        if (!instant_parse(text, &until, err)) {
            return error_prefix(err, "\"until\"");
        }
        action->parameters[4] = action->texts[4] = xstrdup(instant_format(until, written));
    }
    return true;
}

static bool read_reason(struct action *action, struct error *err)
{
    const char *reason;
    if (!read_text(action->body, "reason", &reason, err)) {
        return false;
    }
    if (reason == NULL || reason[strspn(reason, " \t\r\n")] == '\0') {
        error_set(err, ERROR_USAGE, "an action needs a reason");
        return error_hint(err, "send {\"reason\": \"why, in a sentence\"}");
    }
    action->parameters[2] = reason;
    return true;
}

static bool read_filter(struct action *action, struct job_choice *choice, struct error *err)
{
    const json_t *filter = json_object_get(action->body, "filter");
    const json_t *count = json_object_get(action->body, "count");
    const char *const names[] = {"q", "plugin", "owner", "origin", "state"};
    const char **const values[] = {&choice->part, &choice->plugin, &choice->owner, &choice->origin, &choice->state};
    size_t known = 0;
    if (!json_is_object(filter) || !json_is_integer(count)) {
        error_set(err, ERROR_USAGE, "the body needs \"filter\", and the \"count\" of jobs that you saw");
        return error_hint(err, "send {\"filter\": {\"q\": \"part of the name\"}, \"count\": 3, \"reason\": \"...\"}");
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        known += json_object_get(filter, names[i]) != NULL ? 1 : 0;
        if (!read_text(filter, names[i], values[i], err)) {
            return false;
        }
    }
    if (known != json_object_size(filter)) {
        error_set(err, ERROR_USAGE, "\"filter\" has a key that is not known");
        return error_hint(err, "it may have q, plugin, owner, origin and state");
    }
    choice->part = choice->part != NULL ? choice->part : "";
    action->count = json_integer_value(count);
    return true;
}

/* What the path says, or who is told of. */
static bool read_first(struct action *action, const struct http_target *target, struct error *err)
{
    if (strcmp(action->kind->parts[0], "silences") == 0) {
        char *text = json_dumps(json_object_get(action->body, "matchers"), JSON_COMPACT);
        if (text == NULL) {
            error_set(err, ERROR_USAGE, "the body needs \"matchers\": labels, each with a text");
            return error_hint(err, "such as {\"matchers\": {\"job\": \"report-*\"}}");
        }
        action->texts[0] = xstrdup(text);
        free(text);
    } else if (!action->kind->of_many) {
        action->texts[0] = xstrdup(target->parts[5]);
    }
    action->parameters[0] = action->texts[0];
    if (action->kind->parameter_count == 6) {
        action->parameters[4] = action->texts[4] = xstrdup(target->parts[7]);
        action->parameters[5] = action->texts[5] = xstrdup(target->parts[8]);
    }
    return true;
}

static bool read_key(struct action *action, struct error *err)
{
    const char *key = http_head_field(http_request_head(action->request), "idempotency-key");
    if (key != NULL && (key[0] == '\0' || strlen(key) > KEY_MAX || !utf8_valid(key, strlen(key)))) {
        return error_set(err, ERROR_USAGE, "Idempotency-Key has 1 to %d bytes of UTF-8", KEY_MAX);
    }
    action->parameters[3] = action->texts[3] = key != NULL ? xstrdup(key) : NULL;
    return true;
}

static void begin(struct action *action, const struct http_target *target)
{
    struct job_choice choice = {NULL};
    struct error err = {.kind = ERROR_NONE};
    bool good = check_body(action, &err) && read_first(action, target, &err) && read_reason(action, &err) &&
                read_until(action, &err) && read_key(action, &err) &&
                (!action->kind->of_many || read_filter(action, &choice, &err));
    if (!good) {
        refuse(action, 400, err.message, err.hint[0] != '\0' ? err.hint : NULL);
    } else if (action->kind->of_many) {
        job_numbers_ask(&action->question, &choice);
        session_ask(action->session, &action->question, 1, found_jobs, action);
    } else {
        call(action);
    }
}

/* --- from outside ------------------------------------------------------------------------------------------------- */

static const struct action_kind *find_kind(const struct http_target *target)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        size_t part = 0;
        while (part < PARTS_MAX && kinds[i].parts[part] != NULL && 4 + part < target->part_count &&
               (strcmp(kinds[i].parts[part], ANY) == 0 || strcmp(kinds[i].parts[part], target->parts[4 + part]) == 0)) {
            part++;
        }
        if (kinds[i].parts[part] == NULL && 4 + part == target->part_count) {
            return &kinds[i];
        }
    }
    return NULL;
}

/* /api/v1/d/DATABASE/... */
void actions_answer(struct actions *actions, struct http_request *request, const struct http_target *target,
                    const char *actor)
{
    const struct config *config = actions->config;
    const struct action_kind *kind = find_kind(target);
    if (kind == NULL || strcmp(target->parts[2], "d") != 0) {
        http_reply_problem(request, 405, "nothing is to be posted here", "docs/web.md lists what is",
                           "Allow: GET, HEAD\r\n");
        return;
    }
    const struct config_database *database = config_find_database(config, target->parts[3]);
    if (database == NULL) {
        http_reply_problem(request, 404, "there is no such database", "GET /api/v1/databases lists them", NULL);
        return;
    }
    struct action *action = xcalloc(1, sizeof(*action));
    *action = (struct action){.actions = actions,
                              .next = actions->actions,
                              .kind = kind,
                              .database = database,
                              .session = actions->sessions[database - config->databases],
                              .request = request,
                              .body = json_loads(http_request_body(request), JSON_REJECT_DUPLICATES, NULL)};
    actions->actions = action;
    action->parameters[1] = action->texts[1] = xstrdup(actor);
    begin(action, target);
}

struct actions *actions_create(struct loop *loop, const struct config *config)
{
    struct actions *actions = xcalloc(1, sizeof(*actions));
    actions->config = config;
    actions->resolver = resolver_create(loop);
    actions->sessions = xcalloc(config->database_count, sizeof(struct session *));
    for (size_t i = 0; i < config->database_count; i++) {
        actions->sessions[i] = session_create(loop, actions->resolver, &config->databases[i], SESSION_ACTIONS);
    }
    return actions;
}

void actions_destroy(struct actions *actions)
{
    if (actions == NULL) {
        return;
    }
    for (size_t i = 0; i < actions->config->database_count; i++) {
        session_destroy(actions->sessions[i]);
    }
    free(actions->sessions);
    while (actions->actions != NULL) {
        struct action *next = actions->actions->next;
        destroy_action(actions->actions);
        actions->actions = next;
    }
    resolver_destroy(actions->resolver);
    free(actions);
}
