/* SPDX-License-Identifier: PostgreSQL */
/* A private PostgreSQL server for one test: data and socket in a temporary folder, no TCP, gone when the test ends,
 * however it ends (process.h says how). Superuser `postgres`, no password.
 *
 * initdb runs once and its result is copied for each cluster, and so is any state that many cases begin with
 * (cluster_create_from). The program folder is $PGCHIME_TEST_PGBIN, else /usr/lib/postgresql/15/bin; what is copied
 * lies in $PGCHIME_TEST_TEMPLATE, a folder for one run of the tests. Without it initdb's result lies in the build
 * folder, and each case makes the rest for itself.
 * PostgreSQL refuses to run as root: script/test runs the tests as another user.
 *
 * SQL goes over one connection per cluster to its current database (at first `postgres`), remade after a restart.
 * Every failure fails the running test, unless a function says otherwise. Texts returned are the caller's (free). */
#ifndef CHIME_TESTS_SUPPORT_CLUSTER_H
#define CHIME_TESTS_SUPPORT_CLUSTER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cluster;

enum cluster_stop_mode { CLUSTER_FAST, CLUSTER_IMMEDIATE };

/* Started and ready. `settings`: texts "name=value" ended by NULL, or NULL; they come after (and win over) fsync=off,
 * max_connections=200, shared_buffers=32MB, jit=off, max_wal_size=1GB, max_prepared_transactions=2. */
struct cluster *cluster_create(const char *const *settings);

/* A state of a cluster that is made once and copied for each case: a schema, installed plugins, rows. */
struct cluster_template {
    const char *name;                      /* unique within the test program */
    void (*make)(struct cluster *cluster); /* from a new cluster; nothing else may run in it when it returns */
    char *(*content)(
        void); /* the text that the state is made of, caller frees: programs share it; NULL: only this one has it */
};
/* The same, in that state; NULL: a new one. */
struct cluster *cluster_create_from(const struct cluster_template *template, const char *const *settings);
void cluster_destroy(struct cluster *cluster); /* takes NULL; stops at once and removes the files */

void cluster_start(struct cluster *cluster); /* returns when it answers */
void cluster_start_nowait(struct cluster *cluster);
void cluster_stop(struct cluster *cluster, enum cluster_stop_mode mode);
void cluster_restart(struct cluster *cluster);  /* fast stop, start */
void cluster_kill(struct cluster *cluster);     /* kill -9 of the postmaster; its children die by themselves */
bool cluster_is_ready(struct cluster *cluster); /* accepts connections */

const char *cluster_directory(const struct cluster *cluster); /* holds the socket; borrowed */
pid_t cluster_pid(const struct cluster *cluster);             /* the postmaster's; 0 when stopped */
int cluster_version(struct cluster *cluster);                 /* 15, 16, ... */
char *cluster_log(const struct cluster *cluster);             /* the server's log so far */
/* "host=... port=5432 user=postgres dbname=NAME"; caller frees. */
char *cluster_conninfo(const struct cluster *cluster, const char *database);
char *cluster_conninfo_as(const struct cluster *cluster, const char *role, const char *database);
PGconn *cluster_connect(const struct cluster *cluster, const char *database); /* a connection of its own: PQfinish */

void cluster_create_database(struct cluster *cluster, const char *name);
void cluster_use(struct cluster *cluster, const char *database); /* becomes the current database */

void cluster_execute(struct cluster *cluster, const char *sql); /* any number of statements; rows are ignored */
void cluster_execute_format(struct cluster *cluster, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `sql` has one %s, for a name that is quoted as an identifier. */
void cluster_execute_named(struct cluster *cluster, const char *sql, const char *name);
void cluster_execute_file(struct cluster *cluster, const char *path); /* without psql's backslash commands */
PGresult *cluster_query(struct cluster *cluster, const char *sql);    /* rows; caller PQclear()s */
char *cluster_value(struct cluster *cluster, const char *sql); /* first column of the first row; NULL: null, no row */
int64_t cluster_integer(struct cluster *cluster, const char *sql);
bool cluster_true(struct cluster *cluster, const char *sql); /* the value is boolean true */
/* All rows as text: columns separated by '|', each row ended by '\n', NULL as empty. */
char *cluster_rows(struct cluster *cluster, const char *sql);
/* SQLSTATE with which a statement failed, "" when it did not; borrowed until the next call. */
const char *cluster_sqlstate(struct cluster *cluster, const char *sql);
/* Does not fail the test: false with *value the error's text when it did not work. */
bool cluster_try_value(struct cluster *cluster, const char *sql, char **value);

#endif
