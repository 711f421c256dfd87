/* SPDX-License-Identifier: PostgreSQL */
/* The ledger: what is written before a run starts and when it ends, through one session of the leader.
 *
 * Does: put batches into the functions of sql/functions, in the order of the calls, each one
 *   transaction; read their answers back.
 * Does not: decide what is due, or hold anything in memory but what is on its way (write_queue.h sends that again).
 * Every call answers exactly once through pg_callback, from which the read functions take typed rows; answers.h says
 * what an answer means. */
#ifndef CHIME_LEDGER_LEDGER_H
#define CHIME_LEDGER_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "catalog/catalog.h"
#include "ledger/write_queue.h"
#include "model/run.h"
#include "pg/connection.h"
#include "pg/session.h"
#include "schedule/scheduler.h"

#define LEDGER_NOT_LEADER "CH001"
#define LEDGER_TOKEN_SIZE 37

/* The authority to write: a session and the token it took, and where: every other session of the leadership is to be
 * there too. */
struct ledger {
    struct pg_connection *connection;
    struct write_queue *writes; /* in their order; NULL: what is written goes out at once, and is not sent again */
    struct write_queue *ends;   /* of runs: they need not wait for other writes; NULL likewise */
    struct pg_server server;
    char token[LEDGER_TOKEN_SIZE];
    int64_t epoch;
};

struct ledger_claim {
    struct due due;
    struct pg_identity session; /* pid 0: there is none, and the run will end as failed */
};

struct ledger_finish {
    int64_t job_id;
    enum run_kind kind;
    instant slot;
    struct outcome outcome; /* its texts are borrowed during the call */
    instant retry_at;       /* INSTANT_NONE: the run ends; else it has another attempt then */
    enum log_runs log_runs; /* what of it goes to the history */
    instant outcome_at; /* where it ends: later than all that was decided before, though the clock was stepped back */
    bool first_attempt;
};

struct unfinished_run {
    int64_t run_id;
    int64_t job_id;
    enum run_kind kind;
    instant slot;
    int attempt;
    bool waits; /* it had no session: it waited for its retry */
    bool gone;  /* its session is gone; else it has been told to end */
    bool own;   /* claimed by this very leader */
    bool done;  /* its transaction was committed: it succeeded */
    instant retry_at;
    bool missed_after; /* slots after it are on record as missed */
};

struct ledger_verdict {
    int64_t job_id;
    int64_t run_id;
    bool again;
    instant retry_at;   /* when again */
    instant outcome_at; /* when not, or when it was committed meanwhile */
    const char *reason;
};

/* A run by the names the ledger knows it by. */
struct ledger_request {
    int64_t job_id;
    enum run_kind kind;
    instant slot;
};

/* What people ask of the leader, in the order they did. The row stays until the leader is done with it: a claim removes
 * a RUN or a FORCE (a run although its job is suspended), the BEGIN goes by ledger_begin, the others by
 * ledger_acknowledge. A BACKFILL is one that has room for further slots, or whose last one has ended: request_id is its
 * number, run.slot how far it has come (slot_backfill.h). */
enum ledger_verb {
    LEDGER_RUN,
    LEDGER_FORCE,
    LEDGER_CANCEL,
    LEDGER_SUSPEND,
    LEDGER_RESUME,
    LEDGER_BEGIN,
    LEDGER_BACKFILL
};

struct open_request {
    int64_t
        request_id; /* 0 for a suspension whose time is over: a RESUME that nobody asked for and nobody acknowledges */
    enum ledger_verb verb;
    struct ledger_request
        run;      /* RUN, FORCE, CANCEL; of the others only job_id, and in `slot` when that time was over */
    char *reason; /* in words, who included: "suspended by ann: too noisy"; NULL for RUN */
};

/* `at` everywhere: when the leader decided that, the same instant as in its memory. */

/* The leader lock. `seen` is how it was at the last look. */
void ledger_check_leader(struct pg_connection *connection, pg_callback *callback, void *data);
struct leader_lock {
    char token[LEDGER_TOKEN_SIZE]; /* "" when nobody sits */
    char instance[256];
    char configuration[17];
    bool held;     /* its session is still there */
    char sign[40]; /* of life: another text with each thing that session did; "" while it does one */
    instant now;   /* the database's clock */
    instant server_start;
    struct pg_lineage led; /* the highest timeline this database was led on */
    char waits[256];       /* what commits of daemons wait for, in words; "" when none does */
    char copy_of[256];     /* in words, when this is a copy of another database's ledger, which nobody leads; "" else */
    int migration;         /* of schema chime */
    char functions[32];    /* the version of the pgchime that made its functions */
};
bool ledger_read_leader_lock(const struct pg_reply *reply, struct leader_lock *lock);
/* Ends the session that holds the leader lock, if that is still the one that gave this sign of life last. */
void ledger_end_silent(struct pg_connection *connection, const struct leader_lock *lock, pg_callback *callback,
                       void *data);
/* For people: that this session's daemon would lead if nobody did. */
void ledger_follow(struct pg_connection *connection, const char *instance, const char *configuration,
                   pg_callback *callback, void *data);
/* The way out of a copy, with the database's name in the configuration; also for format() of SQL. */
#define LEDGER_COPY_HINT \
    "pgchime adopt-copy --database %s lets its jobs run here; a copy that is to rest is taken out of pgchime.conf"
/* From now on a copy is a ledger of its own. */
void ledger_adopt_copy(struct pg_connection *connection, pg_callback *callback, void *data);
void ledger_take_over(struct pg_connection *connection, const struct leader_lock *seen, const char *instance,
                      const char *configuration, const struct pg_lineage *lineage, pg_callback *callback, void *data);
/* True when the leader lock is ours now: fills token and epoch. */
bool ledger_read_leading(const struct pg_reply *reply, struct ledger *ledger);
/* The leader lock's configuration is another one now: its fingerprint. */
void ledger_configure(const struct ledger *ledger, const char *configuration, const char *timezone,
                      pg_callback *callback, void *data);
void ledger_resign(const struct ledger *ledger, pg_callback *callback, void *data);

/* A request to the ledger, behind those that were sent before it. */
void ledger_send(const struct ledger *ledger, const struct pg_statement *statements, size_t count,
                 pg_callback *callback, void *data);
void ledger_send_one(const struct ledger *ledger, const char *name, const char *sql, int parameter_count,
                     const char *const *parameters, pg_callback *callback, void *data);

/* Requests with this data are answered to nobody. */
void ledger_forget(const struct ledger *ledger, const void *data);
/* From now on a lock is waited for so briefly that heartbeats pass between the tries. */
void ledger_wait_briefly(const struct ledger *ledger);
/* Who holds locks that this session had to wait for: one value, in words, or NULL. */
void ledger_ask_holders(const struct ledger *ledger, pg_callback *callback, void *data);

struct ledger_heartbeat {
    instant now;        /* the database's clock */
    bool leads;         /* the token still does */
    bool watched;       /* a session of `pgchime web` is there */
    int migration;      /* of schema chime, as it is now */
    char functions[32]; /* the version of the pgchime that made them */
};

/* How things are, and the requests that wait. Read-only, and ahead of writes that are held. */
void ledger_heartbeat(const struct ledger *ledger, pg_callback *callback, void *data);
bool ledger_read_heartbeat(const struct pg_reply *reply, struct ledger_heartbeat *heartbeat);
/* The caller's (ledger_free_requests). False: one of them says what this program does not know; none is left then. */
bool ledger_read_requests(const struct pg_reply *reply, struct open_request **requests, size_t *count,
                          struct error *err);
void ledger_free_requests(struct open_request *requests, size_t count);
/* Removes requests that were granted or are moot; suspensions and their ends come into force with it. */
void ledger_acknowledge(const struct ledger *ledger, const int64_t *request_ids, size_t count, instant at,
                        pg_callback *callback, void *data);
/* Writes down that jobs suspended themselves for failing; and that the time of suspensions is over, which lasted until
 * `slot`. Jobs that are suspended (or not, or until another time) already stay as they are. */
void ledger_suspend(const struct ledger *ledger, const struct suspension *suspensions, size_t count, instant at,
                    pg_callback *callback, void *data);
void ledger_resume(const struct ledger *ledger, const struct ledger_request *suspensions, size_t count,
                   pg_callback *callback, void *data);

/* Jobs whose cursors are in the future begin from now; the answer has job_id and cursor of those that do. */
void ledger_begin(const struct ledger *ledger, const int64_t *job_ids, size_t count, instant at, pg_callback *callback,
                  void *data);

/* Claims and ends nothing: what PL/pgSQL compiles and plans at the first call, some 8 ms, is done before a slot is due.
 */
void ledger_warm_up(const struct ledger *ledger);
/* Answers list the job_ids granted; whoever is missing was refused. Claims and further attempts are told apart here. */
void ledger_claim(const struct ledger *ledger, const struct ledger_claim *claims, size_t count, pg_callback *callback,
                  void *data);
/* `totals` (NULL: none) are added in the same transaction, by the last statement of the request (ledger_read_added).
 * The first one, where a run ends, tells of each run that was this leader's, and as what it ended. */
struct run_totals;
void ledger_finish(const struct ledger *ledger, const struct ledger_finish *finishes, size_t count,
                   const struct run_totals *totals, pg_callback *callback, void *data);
void ledger_read_ended(const struct pg_reply *reply, size_t row, int64_t *job_id, enum run_state *state);
/* How many slots that decides; of skipped ones, which are listed by their schedule, only as long as that is there. */
int64_t ledger_skipped_slots(const struct skipped *passed);
void ledger_skip(const struct ledger *ledger, const struct skipped *passed, size_t count, pg_callback *callback,
                 void *data);
/* All job_ids of all statements of an answer, sorted; caller frees. */
size_t ledger_read_granted(const struct pg_reply *reply, size_t statements, int64_t **job_ids);
/* Of the answer to a claim: why the job was refused because it is suspended; NULL when it was not. */
const char *ledger_read_suspended(const struct pg_reply *reply, int64_t job_id);
/* Likewise: whether the slot is decided now without a run, since it ran while the clock was ahead. */
bool ledger_read_ahead(const struct pg_reply *reply, int64_t job_id);
bool ledger_granted(const int64_t *sorted, size_t count, int64_t job_id);
/* Of the answer to a claim: the jobs granted, with the numbers of their runs, sorted by job; caller frees. */
struct ledger_grant {
    int64_t job_id;
    int64_t run_id;
};
size_t ledger_read_grants(const struct pg_reply *reply, struct ledger_grant **grants);
/* NULL: it is not among them. */
const struct ledger_grant *ledger_find_grant(const struct ledger_grant *sorted, size_t count, int64_t job_id);

/* A page of them: of the live runs of the jobs that follow job `from`. */
void ledger_unfinished(const struct ledger *ledger, const int *known, size_t known_count, int64_t from,
                       pg_callback *callback, void *data);
/* Appends those of a page to a list of xrealloc; `from`: where the next page begins, 0: there is none. False: a run is
 * of a kind that this program does not know. */
bool ledger_read_unfinished(const struct pg_reply *reply, struct unfinished_run **unfinished, size_t *count,
                            int64_t *from, struct error *err);
/* `at`: when these were decided. */
void ledger_adopt(const struct ledger *ledger, const struct ledger_verdict *verdicts, size_t count, instant at,
                  pg_callback *callback, void *data);
/* What became of one of them: false when the ledger no longer has the run. */
bool ledger_read_adopted(const struct pg_reply *reply, int64_t run_id, bool *again, enum run_state *state);
/* Of those that ended; false: this one has another attempt. */
struct run_ended;
bool ledger_read_adopted_end(const struct pg_reply *reply, size_t row, struct run_ended *ended);
/* Lets go of claimed runs whose text never went out: they wait for a session, whoever leads. */
void ledger_release(const struct ledger *ledger, const struct ledger_request *runs, size_t count, instant at,
                    pg_callback *callback, void *data);
/* Asks for the first refresh of views that have none yet: the requests show up with the next heartbeat. */
void ledger_request_population(const struct ledger *ledger, instant at, bool again, pg_callback *callback, void *data);
/* Rotates the logs of changes and makes triggers that are missing, for some half a second; the answer has what could
 * not be done now, in words, or NULL. */
void ledger_tend_capture(struct pg_connection *connection, pg_callback *callback, void *data);
/* Whether the time was too short, and something was made in it. */
bool ledger_tend_more(const struct pg_reply *reply);
void ledger_cancel(const struct ledger *ledger, const struct pg_identity *session, bool terminate,
                   pg_callback *callback, void *data);
#endif
