/* SPDX-License-Identifier: PostgreSQL */
#include "support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    check_set_max_msg_size(
        1 << 16); /* a message too long for it hangs the test: the log of a daemon has more than the usual 4 KiB */
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
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
