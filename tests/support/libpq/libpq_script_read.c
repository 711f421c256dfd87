/* SPDX-License-Identifier: PostgreSQL */
/* The reader's side: what has arrived, and which result comes next. */
#include <check.h>
#include <stdlib.h>

#include "support/libpq/libpq_script.h"
#include "support/libpq/libpq_script_connection.h"
#include "support/libpq/libpq_script_result.h"

static struct command *head(PGconn *connection)
{
    return connection->command_first < connection->command_last ? &connection->commands[connection->command_first]
                                                                : NULL;
}

int PQconsumeInput(PGconn *connection)
{
    if (connection->answer_arrived < connection->answer_last || connection->closing) {
        script_call();
    }
    script_drain(connection);
    bool news = connection->answer_arrived < connection->answer_last;
    connection->answer_arrived = connection->answer_last;
    if (connection->closing && (connection->reset || !news)) {
        script_say(connection, connection->poll_message);
        connection->status = CONNECTION_BAD;
        return 0;
    }
    if (connection->bad_while_reading) {
        connection->status = CONNECTION_BAD;
        return 1;
    }
    for (size_t i = connection->command_first; i < connection->command_last && !connection->closing; i++) {
        connection->commands[i].arrived = true;
    }
    return 1;
}

static bool answer_is_there(const PGconn *connection)
{
    return connection->row_by_row != NULL || connection->answer_first < connection->answer_arrived;
}

/* Whether PQgetResult has something to say about the command at the head. */
static bool is_answered(const PGconn *connection, const struct command *command)
{
    if (command->kind == COMMAND_SYNC) {
        return command->arrived || command->null_due;
    }
    return command->null_due || (connection->aborted && command->kind != COMMAND_TEXT) || answer_is_there(connection);
}

int PQisBusy(PGconn *connection)
{
    const struct command *command = head(connection);
    return command != NULL && !script_lost(connection) && !is_answered(connection, command);
}

int PQsetSingleRowMode(PGconn *connection)
{
    struct command *command = head(connection);
    if (command == NULL || command->begun || command->kind == COMMAND_SYNC || command->kind == COMMAND_PREPARE) {
        return 0;
    }
    command->single_row = true;
    return 1;
}

static PGresult *peek_answer(const PGconn *connection)
{
    return connection->answer_first < connection->answer_arrived ? connection->answers[connection->answer_first] : NULL;
}

static PGresult *next_single_row(PGconn *connection)
{
    if (connection->next_row < PQntuples(connection->row_by_row)) {
        connection->next_row++;
        connection->streamed++;
        return script_result_row(connection->row_by_row, connection->next_row - 1);
    }
    PGresult *last = script_result_without_rows(connection->row_by_row);
    PQclear(connection->row_by_row);
    connection->row_by_row = NULL;
    return last;
}

/* An answer of the test's, whole or row by row. */
static PGresult *take_answer(PGconn *connection, struct command *command)
{
    bool single_row = command->single_row || connection->text_single_row;
    if (connection->row_by_row == NULL) {
        PGresult *answer = connection->answers[connection->answer_first];
        ck_assert_msg(!script_result_is_for_prepare(answer), "the error of a preparation meets a statement");
        ck_assert_msg(!script_result_is_for_commit(answer), "the error of a commit meets a statement");
        if (PQresultStatus(answer) == PGRES_COPY_OUT) {
            return script_result_copy(answer); /* stays until its rows were taken */
        }
        connection->answer_first++;
        if (!single_row || PQresultStatus(answer) != PGRES_TUPLES_OK) {
            return answer;
        }
        connection->row_by_row = answer;
        connection->next_row = 0;
    }
    return next_single_row(connection);
}

static PGresult *prepare_result(PGconn *connection)
{
    PGresult *answer = peek_answer(connection);
    if (answer != NULL && script_result_is_for_prepare(answer)) {
        connection->answer_first++;
        connection->aborted = true;
        return answer;
    }
    return script_result(PGRES_COMMAND_OK);
}

/* The point itself, unless the commit there fails: then an error and its NULL come first. */
static PGresult *sync_result(PGconn *connection, struct command *command)
{
    PGresult *answer = peek_answer(connection);
    if (command->null_due) {
        command->null_due = false;
        command->arrived = command->arrived && !connection->closing; /* the server ended the session instead */
        return NULL;
    }
    if (answer != NULL && script_result_is_for_commit(answer)) {
        connection->answer_first++;
        command->null_due = true;
        return answer;
    }
    connection->command_first++;
    connection->aborted = false;
    connection->text_single_row = false;
    return script_result(PGRES_PIPELINE_SYNC);
}

static PGresult *text_result(PGconn *connection, struct command *command)
{
    if (connection->row_by_row == NULL && script_result_is_ready(connection->answers[connection->answer_first])) {
        PQclear(connection->answers[connection->answer_first++]);
        connection->text_single_row = command->single_row;
        connection->command_first++;
        return NULL;
    }
    return take_answer(connection, command);
}

static PGresult *statement_result(PGconn *connection, struct command *command)
{
    PGresult *result = connection->aborted                ? script_result(PGRES_PIPELINE_ABORTED)
                       : command->kind == COMMAND_PREPARE ? prepare_result(connection)
                                                          : take_answer(connection, command);
    ExecStatusType status = PQresultStatus(result);
    connection->aborted = connection->aborted || status == PGRES_FATAL_ERROR;
    command->null_due = status != PGRES_SINGLE_TUPLE;
    return result;
}

PGresult *PQgetResult(PGconn *connection)
{
    script_call();
    struct command *command = head(connection);
    if (command == NULL) {
        return NULL;
    }
    if (!is_answered(connection, command)) {
        ck_assert_msg(script_lost(connection), "PQgetResult would block");
        if (connection->lost_told) {
            return NULL;
        }
        connection->lost_told = true;
        return script_result_words(connection->message);
    }
    command->begun = true;
    if (command->kind == COMMAND_SYNC) {
        return sync_result(connection, command);
    }
    if (command->null_due) {
        connection->command_first++;
        return NULL;
    }
    return command->kind == COMMAND_TEXT ? text_result(connection, command) : statement_result(connection, command);
}

int PQgetCopyData(PGconn *connection, char **buffer, int async)
{
    script_call();
    ck_assert_int_eq(async, 1);
    PGresult *copy = peek_answer(connection);
    ck_assert_msg(copy != NULL && PQresultStatus(copy) == PGRES_COPY_OUT, "no COPY is under way");
    if (script_result_take_copy_row(copy)) {
        *buffer = xstrdup("row\n");
        return 4;
    }
    bool ended = script_result_is_complete(copy);
    if (!ended && connection->answer_first + 1 < connection->answer_arrived &&
        script_result_is_complete(connection->answers[connection->answer_first + 1])) {
        PQclear(connection->answers[connection->answer_first++]);
        ended = true;
    }
    if (ended) {
        PQclear(connection->answers[connection->answer_first++]);
        return -1;
    }
    return 0;
}

PGnotify *PQnotifies(PGconn *connection)
{
    return connection->note_first < connection->note_last ? connection->notes[connection->note_first++] : NULL;
}
