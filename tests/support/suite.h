/* What the main function of a test program does. */
#ifndef CHIME_TESTS_SUPPORT_SUITE_H
#define CHIME_TESTS_SUPPORT_SUITE_H

#include <check.h>

/* Runs the suite as CK_VERBOSITY says, and frees it; 0: every check passed. */
int suite_run(Suite *suite);

#endif
