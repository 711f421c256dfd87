/* SPDX-License-Identifier: PostgreSQL */
/* Inside the script: results and conninfo, which need no connection. */
#ifndef CHIME_TESTS_LIBPQ_SCRIPT_RESULT_H
#define CHIME_TESTS_LIBPQ_SCRIPT_RESULT_H

#include <libpq-fe.h>
#include <stdbool.h>

PGresult *script_result(ExecStatusType status);
PGresult *script_result_words(const char *words); /* a fatal error of libpq's own */
PGresult *script_result_notice(const char *sqlstate, const char *message);
PGresult *script_result_row(const PGresult *result, int row);
PGresult *script_result_without_rows(const PGresult *result);
PGresult *script_result_copy(const PGresult *copy); /* says that a COPY is under way */
bool script_result_is_for_prepare(const PGresult *result);
bool script_result_is_for_commit(const PGresult *result);
bool script_result_is_ready(const PGresult *result);
bool script_result_is_complete(const PGresult *result); /* no more rows of a COPY will come */
bool script_result_take_copy_row(PGresult *copy);
int script_results(void); /* not cleared yet */

void script_answer(PGconn *connection, PGresult *result);

#endif
