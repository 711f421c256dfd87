/* SPDX-License-Identifier: PostgreSQL */
/* Inside the script: a connection, and what it holds on the way to its reader. */
#ifndef CHIME_TESTS_LIBPQ_SCRIPT_CONNECTION_H
#define CHIME_TESTS_LIBPQ_SCRIPT_CONNECTION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#define QUEUE_MAX 512

enum command_kind { COMMAND_PREPARE, COMMAND_STATEMENT, COMMAND_TEXT, COMMAND_SYNC };

struct command {
    enum command_kind kind;
    bool single_row;
    bool begun;    /* a result of it was handed out */
    bool null_due; /* its results are over */
    bool arrived;  /* the answer of a SYNC */
};

struct pg_conn {
    int client;
    int server;
    bool finished;
    ConnStatusType status;
    const char *polls;
    char *message;
    char *poll_message;
    int pid;
    int version;
    char *parameters; /* "keyword\0value\0...\0" */
    bool nonblocking;
    bool pipeline;
    struct command commands[QUEUE_MAX];
    size_t command_first;
    size_t command_last;
    PGresult *answers[QUEUE_MAX];
    size_t answer_first;
    size_t answer_arrived;
    size_t answer_last;
    PGnotify *notes[QUEUE_MAX];
    size_t note_first;
    size_t note_last;
    bool aborted;         /* up to the next synchronisation point */
    bool text_single_row; /* what a text leaves behind, up to the next synchronisation point */
    PGresult *row_by_row; /* rows of it are being handed out */
    int next_row;
    int streamed;
    bool closing; /* the server has closed; data first */
    bool reset;
    bool bad_while_reading;
    bool lost_told;
    bool sending_fails;
    bool preparing_fails;
    bool syncing_fails;
    int full_flushes;
    bool wire_broken;
    int flushes;
    PGTransactionStatusType transaction;
    PQnoticeProcessor notice;
    void *notice_data;
    PQnoticeReceiver hear; /* once it is connected */
    void *hear_data;
    char *sent[QUEUE_MAX];
    size_t sent_first;
    size_t sent_last;
};

void script_call(void); /* one more of libpq's functions was called */
bool script_lost(const PGconn *connection);
void script_say(PGconn *connection, const char *message);
void script_drain(const PGconn *connection); /* takes off what the socketpair holds */

#endif
