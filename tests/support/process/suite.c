/* SPDX-License-Identifier: PostgreSQL */
#include "support/process/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int run(Suite *suite, enum fork_status fork_status)
{
    SRunner *runner = srunner_create(suite);

    srunner_set_fork_status(runner, fork_status);
    if (getenv("PGCHIME_TEST_IN_FULL") != NULL && suite_tcase(suite, SUITE_IN_FULL))
        setenv("CK_RUN_CASE", SUITE_IN_FULL, 1);
    check_set_max_msg_size(
        1 << 16); /* a message too long for it hangs the test: the log of a daemon has more than the usual 4 KiB */
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}

int suite_run(Suite *suite)
{
    return run(suite, CK_FORK_GETENV);
}

int suite_run_in_process(Suite *suite)
{
    return run(suite, CK_NOFORK);
}

int suite_rounds(int again, int usual, int soak)
{
    if (getenv("PGCHIME_TEST_SOAK") != NULL)
        return soak;
    return getenv("PGCHIME_TEST_AGAIN") != NULL ? again : usual;
}

uint64_t suite_seed(void)
{
    const char *given = getenv("PGCHIME_TEST_SEED");
    uint64_t seed = getenv("PGCHIME_TEST_SOAK") != NULL ? (uint64_t)time(NULL) : 20260306;

    seed = given != NULL ? strtoull(given, NULL, 10) : seed;
    printf("PGCHIME_TEST_SEED=%llu repeats this\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}
