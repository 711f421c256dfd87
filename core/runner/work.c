/* SPDX-License-Identifier: PostgreSQL */
#include "runner/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/sqltext.h"
#include "ledger/columns.h"
#include "model/slot_parameters.h"

#define NUMBER_SIZE 24

static void replace_message(struct work_result *result, const char *message)
{
    free(result->message);
    result->message = message != NULL ? xstrdup(message) : NULL;
}

void work_clear(struct work_result *result)
{
    replace_message(result, NULL);
    result->ok = result->more = false;
    result->rows = -1;
    result->sqlstate[0] = '\0';
    result->reset = RESET_NONE;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static bool is_transactional(const struct job *job)
{
    return job->options->delivery == DELIVERY_TRANSACTIONAL;
}

bool work_is_text(const struct job *job)
{
    return !is_transactional(job) && !sql_is_single_statement(job->command);
}

static const char *lock_timeout_text(const struct job *job, char text[static NUMBER_SIZE])
{
    snprintf(text, NUMBER_SIZE, "%lld", (long long)(job->options->lock_timeout / USEC_PER_MSEC));
    return job->options->lock_timeout > 0 ? text : NULL;
}

/* What the text of a run can know of it. */
static void read_slot(const struct job *job, const struct work_order *order, struct slot_texts *texts)
{
    struct slot_values values = {
        .slot = order->slot, .run_id = order->run_id, .attempt = order->attempt, .payload = order->payload};
    slot_values_place(&values, &job->schedule, order->kind);
    slot_values_texts(&values, texts);
}

struct setting {
    const char *parameters[2];
};

/* Appends the settings of the slot; returns how many there are then. */
static size_t add_slot_settings(struct setting *settings, size_t count, const struct slot_texts *texts)
{
    for (size_t i = 0; i < SLOT_PARAMETER_COUNT; i++) {
        const char *value = texts->values[i] != NULL ? texts->values[i] : "";
        settings[count++] = (struct setting){{slot_parameter_settings[i], value}};
    }
    return count;
}

static void send_settings(struct pg_connection *connection, const struct setting *settings, size_t count,
                          pg_callback *callback, void *data)
{
    struct pg_statement *statements = xcalloc(count, sizeof(*statements));
    for (size_t i = 0; i < count; i++) {
        statements[i] = (struct pg_statement){.sql = "SELECT pg_catalog.set_config($1, $2, false)",
                                              .parameter_count = 2,
                                              .parameters = settings[i].parameters};
    }
    pg_send(connection, statements, count, callback, data);
    free(statements);
}

/* A request of its own: in one with the text it would make a transaction, in which VACUUM cannot run. */
bool work_open(struct pg_connection *connection, const struct job *job, const struct work_order *order,
               pg_callback *callback, void *data)
{
    char milliseconds[NUMBER_SIZE];
    const char *lock_timeout = lock_timeout_text(job, milliseconds);
    struct slot_texts slot;
    bool wants_slot = !is_transactional(job) && slot_settings_wanted(job->command);
    size_t count = 0;
    if (is_transactional(job)) {
        lock_timeout = NULL; /* goes with the work, as the slot does */
    }
    if (lock_timeout == NULL && job->setting_count == 0 && !wants_slot) {
        return false;
    }
    struct setting *settings = xcalloc(job->setting_count + 1 + SLOT_PARAMETER_COUNT, sizeof(*settings));
    if (lock_timeout != NULL) {
        settings[count++] = (struct setting){{"lock_timeout", lock_timeout}};
    }
    if (wants_slot) {
        read_slot(job, order, &slot);
        count = add_slot_settings(settings, count, &slot);
    }
    for (size_t i = 0; i < job->setting_count; i++) { /* last: "role" is among them */
        settings[count++] = (struct setting){{job->settings[i].name, job->settings[i].value}};
    }
    send_settings(connection, settings, count, callback, data);
    free(settings);
    return true;
}

/* One query, whose rows the server may hand to nobody one by one. */
static bool only_reads(const char *text)
{
    static const char *const words[] = {"select", "values", "table"}; /* WITH may write, which no cursor does */
    struct sql_statement first;
    const char *cursor = text;
    if (sql_statement_count(text) != 1 || !sql_next_statement(&cursor, &first)) {
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(first.words[0], words[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The slot travels with texts that have a use for it, numbered; `slot` then has $2 and those behind it. */
static void send_perform(struct pg_connection *connection, const struct job *job, const struct work_order *run,
                         const char *const order[4], const char *lock_timeout, pg_callback *callback, void *data)
{
    struct columns slot;
    columns_init(&slot);
    bool has_slot = slot_parameters_used(job->command) || slot_settings_wanted(job->command);
    char *text = has_slot ? slot_parameters_number(job->command) : NULL;
    if (has_slot) {
        struct slot_texts texts;
        read_slot(job, run, &texts);
        for (size_t i = 1; i < SLOT_PARAMETER_COUNT; i++) {
            columns_text(&slot, 0, texts.values[i]);
        }
        columns_close(&slot);
    }
    const char *reads = only_reads(job->command) ? "t" : "f";
    const char *parameters[] = {order[0], order[1],     order[2],
                                order[3], lock_timeout, has_slot ? text : job->command,
                                reads,    run->payload, has_slot ? slot.values[0] : NULL};
    struct pg_statement perform = {.name = "chime_perform",
                                   .sql = "SELECT rows, residue FROM chime.perform($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                                   .parameter_count = COUNT_OF(parameters),
                                   .parameters = parameters};
    pg_send(connection, &perform, 1, callback, data);
    columns_finish(&slot);
    free(text);
}

static void send_pipeline(struct pg_connection *connection, const struct job *job, const struct work_order *run,
                          const char *const order[4], const char *lock_timeout, pg_callback *callback, void *data)
{
    struct columns slot;
    struct slot_texts texts;
    char *cursor = options_value_text(job->options, "cursor");
    char *text = slot_parameters_number(job->command);
    read_slot(job, run, &texts);
    columns_init(&slot);
    for (size_t i = 1; i < SLOT_PARAMETER_COUNT; i++) {
        columns_text(&slot, 0, texts.values[i]);
    }
    columns_close(&slot);
    const char *parameters[] = {order[0], order[1],     order[2],       order[3], lock_timeout,
                                text,     run->payload, slot.values[0], cursor,   job->options->cursor_source};
    struct pg_statement perform = {
        .name = "chime_pipeline",
        .sql = "SELECT rows, residue, more FROM chime.perform_pipeline($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        .parameter_count = COUNT_OF(parameters),
        .parameters = parameters};
    pg_send(connection, &perform, 1, callback, data);
    columns_finish(&slot);
    free(cursor);
    free(text);
}

static void send_refresh(struct pg_connection *connection, const struct job *job, const char *const order[4],
                         const char *lock_timeout, pg_callback *callback, void *data)
{
    struct columns views;
    columns_init(&views);
    for (size_t i = 0; i < job->view_count; i++) {
        columns_text(&views, 0, job->views[i]); /* with their schemas, which may be called anything */
    }
    columns_close(&views);
    const char *parameters[] = {order[0], order[1], order[2], order[3], lock_timeout, views.values[0]};
    struct pg_statement refresh = {.name = "chime_refresh",
                                   .sql = "SELECT rows, message FROM chime.perform_refresh($1, $2, $3, $4, $5, $6)",
                                   .parameter_count = COUNT_OF(parameters),
                                   .parameters = parameters};
    pg_send(connection, &refresh, 1, callback, data);
    columns_finish(&views);
}

/* Whatever the text does with the payload, it is text, as it is for one that is performed. */
static void send_statement(struct pg_connection *connection, const struct job *job, const struct work_order *order,
                           pg_callback *callback, void *data)
{
    struct pg_statement text = {.sql = job->command, .discard_rows = true};
    struct slot_texts slot;
    char *numbered = NULL;
    bool has_payload = job->origin != JOB_FROM_SQL || job->on_count > 0;
    if (slot_parameters_used(job->command)) {
        read_slot(job, order, &slot);
        text.sql = numbered = slot_parameters_number(job->command);
        text.parameter_count = SLOT_PARAMETER_COUNT;
        text.types = slot_parameter_types;
        text.parameters = slot.values;
    } else if (has_payload && sqltext_uses_parameters(job->command)) {
        text.parameter_count = 1;
        text.types = slot_parameter_types; /* of the payload */
        text.parameters = &order->payload;
    }
    pg_send(connection, &text, 1, callback, data);
    free(numbered);
}

void work_send(struct pg_connection *connection, const struct job *job, const struct work_order *order,
               pg_callback *callback, void *data)
{
    if (is_transactional(job)) {
        char milliseconds[NUMBER_SIZE];
        char id[NUMBER_SIZE];
        char slot[INSTANT_TEXT_SIZE];
        snprintf(id, sizeof(id), "%lld", (long long)order->job_id);
        const char *named[] = {order->token, id, run_kind_name(order->kind), instant_format(order->slot, slot)};
        const char *lock_timeout = lock_timeout_text(job, milliseconds);
        if (job->work == JOB_REFRESH) {
            send_refresh(connection, job, named, lock_timeout, callback, data);
        } else if (job->options->cursor != CURSOR_NONE) {
            send_pipeline(connection, job, order, named, lock_timeout, callback, data);
        } else {
            send_perform(connection, job, order, named, lock_timeout, callback, data);
        }
    } else if (work_is_text(job)) {
        pg_send_text(connection, job->command, callback, data);
    } else {
        send_statement(connection, job, order, callback, data);
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A statement is said to have completed before it is committed, the last one of a text only afterwards. */
bool work_is_open(const struct job *job, const struct pg_reply *reply)
{
    size_t before_commit = work_is_text(job) ? sql_statement_count(job->command) - 1 : 1;
    return pg_reply_lost(reply) || (pg_reply_broken(reply) && pg_reply_completed(reply) >= before_commit);
}

void work_left_open(struct work_result *result)
{
    if (result->ok) {
        result->ok = false;
        snprintf(result->sqlstate, sizeof(result->sqlstate), "25001");
        replace_message(result, "the text began a transaction and did not end it; it was rolled back\n"
                                "HINT:  end the text with COMMIT");
    }
}

/* The way out of a refresh that failed for its relations' sake, where the server has no hint. */
static const struct {
    const char *sqlstate;
    const char *hint;
} refresh_hints[] = {
    {"55P03", "pg_locks names the session that holds the relation; end it, or raise lock_timeout of the job"},
    {"42P10", "its unique index is gone: pgchime reload makes it anew"},
    {"42P01", "make the relation again, or give it its name back; then pgchime reload, which says more"},
    {"42703", "give the column its name back, or install a plugin that knows the new one; then pgchime reload"},
    {"42501", "GRANT what is missing to the role of the daemon"},
};

static const char *refresh_hint(const char *sqlstate)
{
    for (size_t i = 0; i < COUNT_OF(refresh_hints); i++) {
        if (strcmp(refresh_hints[i].sqlstate, sqlstate) == 0) {
            return refresh_hints[i].hint;
        }
    }
    return NULL;
}

/* The server names none of our relations in its first line, which is all that many people see. */
static char *refresh_message(const struct job *job, const char *sqlstate, const char *message)
{
    const char *hint = strstr(message, "\nHINT:  ") == NULL ? refresh_hint(sqlstate) : NULL;
    size_t line = strcspn(message, "\n");
    struct buffer text = {0};
    buffer_puts(&text, "refresh of ");
    for (size_t i = 0; i < job->view_count; i++) {
        buffer_printf(&text, "%s%s", i > 0 ? ", " : "", job->views[i]);
    }
    buffer_printf(&text, ": %.*s", (int)line, message);
    if (hint != NULL) {
        buffer_printf(&text, "\nHINT:  %s", hint);
    }
    buffer_puts(&text, message + line);
    return buffer_take(&text);
}

static void read_failure(struct work_result *result, const struct job *job, const struct pg_reply *reply)
{
    snprintf(result->sqlstate, sizeof(result->sqlstate), "%s", pg_reply_sqlstate(reply));
    replace_message(result, job->origin == JOB_FROM_SQL ? pg_reply_lines(reply) : pg_reply_message(reply));
    if (job->work == JOB_REFRESH && result->message != NULL && strcmp(result->sqlstate, WORK_HELD) == 0) {
        result->message[strcspn(result->message, "\n")] = '\0';
    } else if (job->work == JOB_REFRESH) {
        char *message = refresh_message(job, result->sqlstate, pg_reply_message(reply));
        free(result->message);
        result->message = message;
    }
    result->reset = RESET_ALL;
}

static void read_performed(struct work_result *result, const struct job *job, const struct pg_reply *reply)
{
    const char *rows = pg_reply_value(reply, 0, 0, 0);
    const char *second = pg_reply_value(reply, 0, 0, 1);
    result->rows = rows != NULL ? atoll(rows) : -1;
    if (job->work == JOB_REFRESH) {
        replace_message(result, second);
    } else {
        result->reset = second == NULL || second[0] == 't' ? RESET_ALL : RESET_SETTINGS;
        result->more = job->options->cursor != CURSOR_NONE && strcmp(pg_reply_value(reply, 0, 0, 2), "t") == 0;
    }
}

/* As pg_cron words it: "1 row", "3 rows", else the tag. */
static void tell_rows(struct work_result *result, const struct pg_reply *reply)
{
    if (!pg_reply_has_rows(reply)) {
        replace_message(result, pg_reply_tag(reply));
        return;
    }
    free(result->message);
    result->message = xasprintf("%lld row%s", pg_reply_affected(reply), pg_reply_affected(reply) == 1 ? "" : "s");
}

void work_read(struct work_result *result, const struct job *job, const struct pg_reply *reply)
{
    work_clear(result);
    result->ok = pg_reply_ok(reply);
    if (!result->ok) {
        read_failure(result, job, reply);
    } else if (is_transactional(job)) {
        read_performed(result, job, reply);
        result->reset = job->setting_count > 0 ? RESET_ALL
                                               : result->reset; /* "role" is no setting that RESET ALL resets */
    } else {
        result->rows = pg_reply_affected(reply);
        if (job->origin == JOB_FROM_SQL) {
            tell_rows(result, reply);
        } else {
            replace_message(result, pg_reply_tag(reply));
        }
        result->reset = RESET_ALL;
    }
}
