/* SPDX-License-Identifier: PostgreSQL */
#include "support/keyed/keyed_stage.h"

void keyed_stage_set(void)
{
    cluster = keyed_create();
}

void keyed_stage_set_corpus(void)
{
    keyed_stage_set();
    cluster_execute(cluster, "CREATE FUNCTION app.all_of(p_shop integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$"
                             "BEGIN RETURN (SELECT count(*) FROM app.ord WHERE shop >= p_shop); END $$");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_corpus.sql");
}
