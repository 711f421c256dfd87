/* SPDX-License-Identifier: PostgreSQL */
/* Waiting for a condition instead of sleeping. Tests never wait for time to pass. */
#ifndef CHIME_TESTS_SUPPORT_WAIT_H
#define CHIME_TESTS_SUPPORT_WAIT_H

#include <stdbool.h>

struct cluster;

typedef bool wait_condition(void *data);

/* Looks every few milliseconds, later every 40; true as soon as the condition is, false when `seconds` have passed
 * without. Under PGCHIME_TEST_SLOWNESS=N (set for sanitizers and valgrind) deadlines are N times as long, as under
 * PGCHIME_TEST_CROWD=N (set where several tests run at once). */
bool wait_until(wait_condition *condition, void *data, double seconds);

/* Waits until the query's first value is `expected` (NULL: SQL NULL or no row). Errors of the query, also those of
 * an absent server, are looked past until then. Else fails the test, saying what the last look saw. */
#define WAIT_SQL(cluster, sql, expected, seconds) wait_sql(cluster, sql, expected, seconds, __FILE__, __LINE__)
void wait_sql(struct cluster *cluster, const char *sql, const char *expected, double seconds, const char *file,
              int line);

/* Waits until a C expression is true, else fails the test. */
#define WAIT_FOR(expression, seconds)                                                \
    do {                                                                             \
        struct wait_deadline wait_deadline = wait_deadline_after(seconds);           \
        while (!(expression))                                                        \
            wait_a_little(&wait_deadline, #expression, seconds, __FILE__, __LINE__); \
    } while (0)

struct wait_deadline {
    double since;
    double at;
};
struct wait_deadline wait_deadline_after(double seconds);
void wait_a_little(const struct wait_deadline *deadline, const char *what, double seconds, const char *file, int line);

#endif
