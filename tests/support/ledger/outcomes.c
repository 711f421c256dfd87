/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/outcomes.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static void put_field(struct buffer *text, const char *name, const char *value)
{
    if (value != NULL) {
        buffer_printf(text, "%s: %s\n", name, value);
    }
}

static void put_diagnosis(struct buffer *text, const PGresult *result)
{
    put_field(text, "DETAIL", PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
    put_field(text, "HINT", PQresultErrorField(result, PG_DIAG_MESSAGE_HINT));
}

static void noticed(void *data, const PGresult *result)
{
    struct buffer *text = data;
    put_field(text, PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED),
              PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    put_diagnosis(text, result);
}

static void put_rows(struct buffer *text, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        for (int column = 0; column < PQnfields(result); column++) {
            buffer_puts(text, column > 0 ? "|" : "");
            buffer_puts(text, PQgetvalue(result, row, column));
        }
        buffer_putc(text, '\n');
    }
}

static void put_result(struct buffer *text, PGresult *result)
{
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        put_rows(text, result);
    } else if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        buffer_printf(text, "%s\n", PQcmdStatus(result));
    } else {
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        ck_assert_msg(state != NULL, "%s", PQresultErrorMessage(result));
        buffer_printf(text, "ERROR %s: %s\n", state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        put_diagnosis(text, result);
    }
}

char *outcome_of(PGconn *connection, const char *sql)
{
    struct buffer text = {0};
    PQnoticeReceiver before = PQsetNoticeReceiver(connection, noticed, &text);
    PGresult *result = PQexec(connection, sql);
    put_result(&text, result);
    PQclear(result);
    PQsetNoticeReceiver(connection, before, NULL);
    if (text.length > 0) {
        text.data[--text.length] = '\0';
    }
    return buffer_take(&text);
}

static void become(PGconn *connection, const char *role)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "RESET SESSION AUTHORIZATION; SET SESSION AUTHORIZATION %s", role);
    PGresult *result = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQresultErrorMessage(result));
    PQclear(result);
}

static void expect(PGconn *connection, const struct outcome_step *steps, size_t count, int other)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].role != NULL) {
            become(connection, steps[i].role);
        }
        char *outcome = outcome_of(connection, steps[i].sql);
        const char *expected = other && steps[i].other != NULL ? steps[i].other : steps[i].expected;
        ck_assert_msg(strcmp(outcome, expected) == 0, "step %zu%s: %s\n--- came to\n%s\n--- expected\n%s", i + 1,
                      other ? " (the other one)" : "", steps[i].sql, outcome, expected);
        free(outcome);
    }
}

void outcomes_say(struct cluster *cluster, const struct outcome_step *steps, size_t count, int other)
{
    PGconn *connection = cluster_connect(cluster, "postgres");
    expect(connection, steps, count, other);
    PQfinish(connection);
}
