#include "support/suite.h"

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
