/* SPDX-License-Identifier: PostgreSQL */
/* A look at SQL text from outside: where its statements begin and which words they begin with.
 *
 * Does: split at top-level semicolons as psql does: '' E'' U&'' "" $tag$ strings, -- and nested block comments,
 * parentheses, and BEGIN ATOMIC ... END bodies hide semicolons.
 * Does not: parse. What it says is used to refuse early and to choose a protocol; the server stays the judge.
 * Survives any bytes; linear in the length. */
#ifndef CHIME_BASE_SQLTEXT_H
#define CHIME_BASE_SQLTEXT_H

#include <stdbool.h>
#include <stddef.h>

struct sql_statement {
    const char *start; /* first byte that is neither white space nor comment; into the text given */
    size_t length;     /* up to the semicolon or the end, exclusive */
    char words[3][24]; /* its first words, lower-case; "" where there are fewer; longer words cut */
};

/* Steps through `*cursor` (start with the text); false at the end. Empty statements are passed over. */
bool sql_next_statement(const char **cursor, struct sql_statement *statement);
size_t sql_statement_count(const char *text);

/* True for BEGIN, START TRANSACTION, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE TRANSACTION. */
bool sql_is_transaction_control(const struct sql_statement *statement);
/* True when the server runs the text as exactly one transaction, so that a reported error means no effect:
 * no transaction control, no CALL or DO, and none of the commands that commit by themselves (VACUUM,
 * CREATE/DROP INDEX CONCURRENTLY, REINDEX, CLUSTER, CREATE/DROP DATABASE or TABLESPACE, ALTER SYSTEM, ...). */
bool sql_is_one_transaction(const char *text);
/* True when the text may be sent by the extended protocol: one statement, and not COPY. */
bool sql_is_single_statement(const char *text);
/* True for what refuses a transaction block, and so also other statements beside it: VACUUM, CREATE/DROP DATABASE,
 * CONCURRENTLY, ... */
bool sql_stands_alone(const struct sql_statement *statement);
/* True when a statement is COPY ... FROM STDIN. */
bool sqltext_copies_from_client(const char *text);
/* True when a backslash stands outside of strings, comments and identifiers: a command of psql's own. */
bool sqltext_has_client_command(const char *text);
/* True when a parameter such as $1 stands in the text: outside of strings, comments and identifiers. */
bool sqltext_uses_parameters(const char *text);
/* Steps through `*cursor` (start with the text) to the next parameter that has a name, such as $slot: a dollar sign and
 * a word, outside of strings, comments and identifiers. The server knows of no such thing. `*name` is the word without
 * the dollar sign; false at the end. */
bool sqltext_next_name(const char **cursor, const char **name, size_t *length);
/* The highest N of the parameters $N in the text; 0: there is none. */
size_t sqltext_highest_parameter(const char *text);

#endif
