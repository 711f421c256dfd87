/* Whatever the leader decides it passes as its instant: no function of the leader's reads a clock for what a cursor, an outcome or a time to
 * come is compared with. What they write with the database's clock in between, tests/integration/test_ledger_day.c looks at. */
#include <check.h>

#include "support/cluster.h"
#include "support/ledger_sql.h"
#include "support/runs.h"
#include "support/suite.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_create(1);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

#define CLOCK                                                                                                     \
    "\\m(clock_timestamp|now|statement_timestamp|transaction_timestamp|timeofday)\\s*\\(|\\mcurrent_(date|time)|" \
    "\\mlocaltime"

/* By name what looks how old something is, how long a run took in its own session, and since when people see a watch as it is. Else a line may
 * write only what nothing is compared with. */
#define ELSEWHERE "'perform', 'perform_refresh', 'note_watch'"
#define FOR_PEOPLE "(last_start|claimed_at|done_at|updated_at) = clock_timestamp\\(\\)"

START_TEST(what_the_leader_calls_writes_no_cursor_and_no_outcome_by_a_clock_of_its_own)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.proname || ': ' || trim(line), E'\n' ORDER BY p.proname, n) FROM pg_proc p"
               " CROSS JOIN regexp_split_to_table(pg_get_functiondef(p.oid), E'\n') WITH ORDINALITY AS l (line, n)"
               " WHERE p.pronamespace = 'chime'::regnamespace AND 'p_token' = ANY (p.proargnames)"
               " AND line ~* '" CLOCK "' AND line !~ '" FOR_PEOPLE "' AND p.proname NOT IN (" ELSEWHERE
               ") AND p.proname !~ '^(keep|forget)_'",
               NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_clock");
    TCase *cases = tcase_create("ledger_clock");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_the_leader_calls_writes_no_cursor_and_no_outcome_by_a_clock_of_its_own);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
