/* SPDX-License-Identifier: PostgreSQL */
#include "support/libpq/libpq_script_result.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/libpq/libpq_script.h"

struct pg_result {
    ExecStatusType status;
    int rows;
    int columns;
    char **values;
    char tag[64];
    char *words; /* of libpq's own error */
    char *sqlstate;
    char *primary;
    char *detail;
    char *hint;
    char *context;
    bool for_prepare;
    bool for_commit;
    bool ready;    /* no result: the end of a text's */
    bool complete; /* of a COPY */
    int copy_rows;
};

static int live;

int script_results(void)
{
    return live;
}

/* --- making ------------------------------------------------------------------------------------------------------- */

PGresult *script_result(ExecStatusType status)
{
    PGresult *result = xcalloc(1, sizeof(*result));
    result->status = status;
    live++;
    return result;
}

static char *copy_text(const char *text)
{
    return text != NULL ? xstrdup(text) : NULL;
}

PGresult *script_result_words(const char *words)
{
    PGresult *result = script_result(PGRES_FATAL_ERROR);
    result->words = xstrdup(words);
    return result;
}

PGresult *script_result_notice(const char *sqlstate, const char *message)
{
    PGresult *result = script_result(PGRES_NONFATAL_ERROR);
    result->sqlstate = xstrdup(sqlstate);
    result->primary = xstrdup(message);
    return result;
}

static PGresult *with_rows(ExecStatusType status, size_t columns, size_t count, const char *const *values)
{
    PGresult *result = script_result(status);
    result->columns = (int)columns;
    result->rows = columns > 0 ? (int)(count / columns) : 0;
    result->values = xcalloc(count + 1, sizeof(*result->values));
    for (size_t i = 0; i < count; i++) {
        result->values[i] = copy_text(values[i]);
    }
    snprintf(result->tag, sizeof(result->tag), "SELECT %d", result->rows);
    return result;
}

PGresult *script_result_row(const PGresult *result, int row)
{
    size_t columns = (size_t)result->columns;
    return with_rows(PGRES_SINGLE_TUPLE, columns, columns, (const char *const *)result->values + (size_t)row * columns);
}

PGresult *script_result_without_rows(const PGresult *result)
{
    PGresult *empty = with_rows(PGRES_TUPLES_OK, (size_t)result->columns, 0, NULL);
    memcpy(empty->tag, result->tag, sizeof(empty->tag));
    return empty;
}

PGresult *script_result_copy(const PGresult *copy)
{
    return script_result(copy->status);
}

bool script_result_is_for_prepare(const PGresult *result)
{
    return result->for_prepare;
}

bool script_result_is_for_commit(const PGresult *result)
{
    return result->for_commit;
}

bool script_result_is_ready(const PGresult *result)
{
    return result->ready;
}

bool script_result_is_complete(const PGresult *result)
{
    return result->complete;
}

bool script_result_take_copy_row(PGresult *copy)
{
    return copy->copy_rows-- > 0;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void answer_done(PGconn *connection, const char *tag)
{
    PGresult *result = script_result(PGRES_COMMAND_OK);
    snprintf(result->tag, sizeof(result->tag), "%s", tag);
    script_answer(connection, result);
}

void script_answer_rows(PGconn *connection, size_t columns, size_t count, const char *const *values)
{
    script_answer(connection, with_rows(PGRES_TUPLES_OK, columns, count, values));
}

void answer_shown(PGconn *connection, const char *tag, const char *value)
{
    PGresult *result = with_rows(PGRES_TUPLES_OK, 1, 1, &value);
    snprintf(result->tag, sizeof(result->tag), "%s", tag);
    script_answer(connection, result);
}

void answer_no_rows(PGconn *connection)
{
    script_answer(connection, with_rows(PGRES_TUPLES_OK, 1, 0, NULL));
}

void answer_empty(PGconn *connection)
{
    script_answer(connection, script_result(PGRES_EMPTY_QUERY));
}

static PGresult *server_error(const struct script_error *error)
{
    PGresult *result = script_result(PGRES_FATAL_ERROR);
    result->sqlstate = xstrdup(error->sqlstate);
    result->primary = copy_text(error->message);
    result->detail = copy_text(error->detail);
    result->hint = copy_text(error->hint);
    result->context = copy_text(error->context);
    return result;
}

void answer_error_fields(PGconn *connection, const struct script_error *error)
{
    script_answer(connection, server_error(error));
}

void answer_error(PGconn *connection, const char *sqlstate, const char *message)
{
    answer_error_fields(connection, &(struct script_error){.sqlstate = sqlstate, .message = message});
}

void answer_libpq_error(PGconn *connection, const char *words)
{
    script_answer(connection, script_result_words(words));
}

void answer_prepare_error(PGconn *connection, const char *sqlstate, const char *message)
{
    PGresult *result = server_error(&(struct script_error){.sqlstate = sqlstate, .message = message});
    result->for_prepare = true;
    script_answer(connection, result);
}

void answer_commit_error(PGconn *connection, const char *sqlstate, const char *message)
{
    PGresult *result = server_error(&(struct script_error){.sqlstate = sqlstate, .message = message});
    result->for_commit = true;
    script_answer(connection, result);
}

void answer_copy_in(PGconn *connection)
{
    script_answer(connection, script_result(PGRES_COPY_IN));
}

void answer_copy_out(PGconn *connection, int rows, bool complete)
{
    PGresult *copy = script_result(PGRES_COPY_OUT);
    copy->copy_rows = rows;
    copy->complete = complete;
    script_answer(connection, copy);
}

void answer_copy_end(PGconn *connection)
{
    answer_copy_out(connection, 0, true);
}

void answer_ready(PGconn *connection)
{
    PGresult *end = script_result(PGRES_COMMAND_OK);
    end->ready = true;
    script_answer(connection, end);
}

/* --- libpq's side ------------------------------------------------------------------------------------------------- */

void PQclear(PGresult *result)
{
    if (result == NULL) {
        return;
    }
    for (int i = 0; i < result->rows * result->columns; i++) {
        free(result->values[i]);
    }
    free(result->values);
    free(result->words);
    free(result->sqlstate);
    free(result->primary);
    free(result->detail);
    free(result->hint);
    free(result->context);
    free(result);
    live--;
}

ExecStatusType PQresultStatus(const PGresult *result)
{
    return result->status;
}

char *PQresultErrorField(const PGresult *result, int field)
{
    switch (field) {
    case PG_DIAG_SQLSTATE:
        return result->sqlstate;
    case PG_DIAG_MESSAGE_PRIMARY:
        return result->primary;
    case PG_DIAG_MESSAGE_DETAIL:
        return result->detail;
    case PG_DIAG_MESSAGE_HINT:
        return result->hint;
    case PG_DIAG_CONTEXT:
        return result->context;
    case PG_DIAG_SEVERITY:
    case PG_DIAG_STATEMENT_POSITION:
        return NULL;
    default:
        ck_abort_msg("the script has no error field %c", field);
    }
}

char *PQresultErrorMessage(const PGresult *result)
{
    static char none[] = "";
    return result->words != NULL ? result->words : none;
}

size_t PQresultMemorySize(const PGresult *result)
{
    size_t bytes = result->words != NULL ? strlen(result->words) : 0;
    for (int i = 0; i < result->rows * result->columns; i++) {
        bytes += result->values[i] != NULL ? strlen(result->values[i]) : 0;
    }
    return bytes;
}

int PQntuples(const PGresult *result)
{
    return result->rows;
}

static char *value_at(const PGresult *result, int row, int column)
{
    ck_assert_msg(row < result->rows && column < result->columns, "row %d has no column %d", row, column);
    return result->values[row * result->columns + column];
}

int PQgetisnull(const PGresult *result, int row, int column)
{
    return result == NULL || value_at(result, row, column) == NULL;
}

char *PQgetvalue(const PGresult *result, int row, int column)
{
    return value_at(result, row, column);
}

char *PQcmdStatus(PGresult *result)
{
    return result->tag;
}

/* The number that ends the tag. */
char *PQcmdTuples(PGresult *result)
{
    char *last = strrchr(result->tag, ' ');
    last = last != NULL ? last + 1 : result->tag + strlen(result->tag);
    return strspn(last, "0123456789") == strlen(last) ? last : last + strlen(last);
}

void PQfreemem(void *memory)
{
    free(memory);
}

/* --- conninfo: keyword=value without quotes; any keyword will do -------------------------------------------------- */

static PQconninfoOption *refuse(PQconninfoOption *options, char **problem, const char *word)
{
    PQconninfoFree(options);
    *problem = strcmp(word, "out-of-memory") == 0
                   ? NULL
                   : xasprintf("missing \"=\" after \"%s\" in connection info string\n", word);
    return NULL;
}

PQconninfoOption *PQconninfoParse(const char *text, char **problem)
{
    PQconninfoOption *options = xcalloc(strlen(text) + 2, sizeof(*options));
    size_t count = 0;
    options[count++].keyword = xstrdup("sslmode"); /* known, not given */
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        char *word = xstrndup(text, length);
        char *equals = strchr(word, '=');
        if (equals == NULL) {
            refuse(options, problem, word);
            free(word);
            return NULL;
        }
        options[count].keyword = xstrndup(word, (size_t)(equals - word));
        options[count++].val = xstrdup(equals + 1);
        free(word);
        text += length + (text[length] == ' ');
    }
    return options;
}

void PQconninfoFree(PQconninfoOption *options)
{
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        free(option->keyword);
        free(option->val);
    }
    free(options);
}
