#include "support/wait.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/cluster.h"
#include "support/process.h"

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
}

static double slowness(void)
{
    const char *text = getenv("PGCHIME_TEST_SLOWNESS");
    double factor = text != NULL ? atof(text) : 1;

    return factor >= 1 ? factor : 1;
}

struct wait_deadline wait_deadline_after(double seconds)
{
    return (struct wait_deadline){.at = now() + seconds * slowness()};
}

bool wait_until(wait_condition *condition, void *data, double seconds)
{
    struct wait_deadline deadline = wait_deadline_after(seconds);

    while (!condition(data)) {
        if (now() >= deadline.at)
            return false;
        rest();
    }
    return true;
}

void wait_a_little(const struct wait_deadline *deadline, const char *what, double seconds, const char *file, int line)
{
    if (now() >= deadline->at)
        support_fail("%s:%d: not within %g s: %s", file, line, seconds, what);
    rest();
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

static bool look_again(void *data)
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

    if (!wait_until(look_again, &look, seconds))
        support_fail("%s:%d: not within %g s: %s\nexpected: %s\nlast seen: %s", file, line, seconds, sql,
                     expected != NULL ? expected : "NULL", look.seen != NULL ? look.seen : "NULL");
    free(look.seen);
}
