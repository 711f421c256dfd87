/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/totals.h"

#include <check.h>
#include <stdlib.h>

void totals_install(struct cluster *cluster)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/ledger/totals.sql");
}

static void assert_nothing(struct cluster *cluster, const char *sql)
{
    char *found = cluster_rows(cluster, sql);
    ck_assert_msg(found[0] == '\0', "%s", found);
    free(found);
}

void totals_assert_whole(struct cluster *cluster)
{
    assert_nothing(cluster, "SELECT words FROM counted.differs");
    assert_nothing(cluster, "SELECT minute FROM chime.minute WHERE partial");
}

void totals_assert_marked(struct cluster *cluster)
{
    assert_nothing(cluster, "SELECT words FROM counted.amiss");
}

void totals_assert_strips(struct cluster *cluster)
{
    assert_nothing(cluster, "SELECT name, kept, counted FROM counted.strips WHERE kept <> counted");
}
