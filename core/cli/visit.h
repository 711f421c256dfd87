/* SPDX-License-Identifier: PostgreSQL */
/* Databases of the configuration, one after the other, for commands that read or write the ledger.
 *
 * Does: connect, check that schema chime is the one this program knows, run a function in each, go on where one fails.
 * Does not: need a daemon. */
#ifndef CHIME_CLI_VISIT_H
#define CHIME_CLI_VISIT_H

#include "cli/command.h"
#include "config/config.h"
#include "pg/client.h"
#include "report/job_search.h"

struct visit {
    const struct config_database *database;
    struct pg_client *client;
};

typedef bool visit_function(struct visit *visit, void *data, struct error *err);

/* Connected, and the schema is the right one. visit_close also after a failure. */
bool visit_open(struct visit *visit, const struct config_database *database, struct error *err) CHIME_MUST_CHECK;
void visit_close(struct visit *visit);
/* Remarks that it is a standby, and how old what it says is, where it is one. */
void visit_remark_standby(const struct invocation *invocation, struct visit *visit);
/* Databases that were visited, to find two entries for one. Begins as zeros. */
struct visited {
    const struct config_database **databases;
    char **places;
    size_t count;
};

/* False, with the error, also where an entry that was visited before led to the same database. */
bool visit_is_first(const struct visit *visit, struct visited *visited, struct error *err) CHIME_MUST_CHECK;
void visited_finish(struct visited *visited);

/* Every wanted database; each failure is printed. The status of the first failure, else EXIT_OK. */
int visit_all(const struct invocation *invocation, const struct config *config, visit_function *function, void *data);

/* The same again and again, in sessions that stay: for who follows what happens. Borrows both. */
struct visits;
struct visits *visits_create(const struct invocation *invocation, const struct config *config);
int visits_again(struct visits *visits, visit_function *function, void *data);
void visits_destroy(struct visits *visits);

/* Asks the visited database what a report wants to know. */
bool visit_ask(struct visit *visit, const struct question *question, struct pg_rows *rows,
               struct error *err) CHIME_MUST_CHECK;

/* The same, and appends the answer to a list, whose columns begin with those of the statement. */
bool visit_take(struct visit *visit, struct output_list *list, const struct question *question,
                struct error *err) CHIME_MUST_CHECK;

/* Runs a statement whose columns are those of the list, in order; $1 is always the database's name. */
bool visit_list(struct visit *visit, struct output_list *list, const char *sql, const char *const *parameters,
                size_t parameter_count, struct error *err) CHIME_MUST_CHECK;

/* A whole command: a list filled by one function, which gets the list as its data. `nothing` is remarked when it is
 * empty. */
int visit_command(const struct invocation *invocation, struct output_list *list, visit_function *function,
                  const char *nothing);

/* --- looking for a job by its name -------------------------------------------------------------------------------- */

/* Whether the visited database has it goes to *here. */
bool job_search_visit(struct visit *visit, struct job_search *search, bool *here, struct error *err) CHIME_MUST_CHECK;
/* Says that it is nowhere; the exit status. */
int job_search_refuse(const struct job_search *search);

#endif
