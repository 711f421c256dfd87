/* SPDX-License-Identifier: PostgreSQL */
#include "support/process/wait.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cluster/cluster.h"
#include "support/process/process.h"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A twentieth of the time that was waited for already: looks cost time, which others need. */
static void rest(const struct wait_deadline *deadline)
{
    double seconds = fmin(fmax((now() - deadline->since) / 20, 0.004), 0.04);

    nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
}

static double factor_of(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? atof(text) : 1;
}

static double slowness(void)
{
    return fmax(1, fmax(factor_of("PGCHIME_TEST_SLOWNESS"), factor_of("PGCHIME_TEST_CROWD")));
}

struct wait_deadline wait_deadline_after(double seconds)
{
    double since = now();

    return (struct wait_deadline){.since = since, .at = since + seconds * slowness()};
}

bool wait_until(wait_condition *condition, void *data, double seconds)
{
    struct wait_deadline deadline = wait_deadline_after(seconds);

    while (!condition(data)) {
        if (now() >= deadline.at)
            return false;
        rest(&deadline);
    }
    return true;
}

void wait_a_little(const struct wait_deadline *deadline, const char *what, double seconds, const char *file, int line)
{
    if (now() >= deadline->at)
        support_fail("%s:%d: not within %g s: %s", file, line, seconds, what);
    rest(deadline);
}

struct look {
    struct cluster *cluster;
    const char *sql;
    const char *expected;
    char *seen; /* value, or the error's text */
};

static bool texts_equal(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

static bool check_again(void *data)
{
    struct look *look = data;

    free(look->seen);
    look->seen = NULL;
    return cluster_try_value(look->cluster, look->sql, &look->seen) && texts_equal(look->seen, look->expected);
}

void wait_sql(struct cluster *cluster, const char *sql, const char *expected, double seconds, const char *file,
              int line)
{
    struct look look = {.cluster = cluster, .sql = sql, .expected = expected};

    if (!wait_until(check_again, &look, seconds))
        support_fail("%s:%d: not within %g s: %s\nexpected: %s\nlast seen: %s", file, line, seconds, sql,
                     expected != NULL ? expected : "NULL", look.seen != NULL ? look.seen : "NULL");
    free(look.seen);
}
