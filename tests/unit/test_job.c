#include <check.h>

#include "model/job.h"

START_TEST(origins_and_kinds_of_work_have_names)
{
    ck_assert_str_eq(job_origin_name(JOB_FROM_PLUGIN), "plugin");
    ck_assert_str_eq(job_origin_name(JOB_FROM_CONFIG), "config");
    ck_assert_str_eq(job_work_name(JOB_COMMAND), "command");
    ck_assert_str_eq(job_work_name(JOB_REFRESH), "refresh");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *tests = tcase_create("job");
    tcase_add_test(tests, origins_and_kinds_of_work_have_names);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures != 0;
}
