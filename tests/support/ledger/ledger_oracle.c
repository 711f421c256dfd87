/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/ledger_oracle.h"

#include <stdlib.h>

#include "ledger/migrate.h"
#include "support/process/files.h"
#include "support/process/wait.h"

#define SETTLE_SECONDS 40.0 /* the lease, ten seconds, and a busy machine */

void oracle_install(struct cluster *cluster, const char *role)
{
    char *schema = migrate_text(0);

    if (role != NULL)
        cluster_execute_named(cluster, "SET SESSION AUTHORIZATION %s", role);
    cluster_execute(cluster, schema);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION; RESET client_min_messages");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/ledger/ledger_oracle.sql");
    free(schema);
}

static void install(struct cluster *cluster)
{
    oracle_install(cluster, NULL);
}

struct cluster *oracle_create(const char *const *settings)
{
    static const struct cluster_template installed = {"oracle", install, NULL};

    return cluster_create_from(&installed, settings);
}

#define KEPT_ON "suspend_after_failures = 0; max_attempts = 1;"

void oracle_write_load(struct site *site)
{
    site_job(site, "tick", "schedule = \"1 seconds\"; command = \"SELECT public.effect('tick')\"; " KEPT_ON);
    site_job(site, "tick-own",
             "schedule = \"1 seconds\"; command = \"SELECT public.effect('tick-own')\"; delivery = \"transactional\";"
             " catchup = \"all\"; catchup_limit = 100000; overlap_policy = \"buffer_all\"; " KEPT_ON);
}

void oracle_await_load(struct cluster *cluster)
{
    char *now = cluster_value(cluster, "SELECT clock_timestamp()");
    char *sql = files_path("SELECT count(DISTINCT job) FROM public.effect WHERE job LIKE 'tick%%' AND slot > '%s'",
                           now);

    WAIT_SQL(cluster, sql, "2", SETTLE_SECONDS);
    free(sql);
    free(now);
}

void oracle_expect_sound(struct cluster *cluster)
{
    oracle_await_load(cluster);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.run r, chime.leader l WHERE r.token IS DISTINCT FROM l.token"
             " OR (r.pid IS NOT NULL AND NOT chime.backend_alive(r.pid, r.backend_start))",
             "0", SETTLE_SECONDS);
    WAIT_SQL(cluster,
             "SELECT coalesce(string_agg(name, ' '), 'none stands') FROM public.load_job"
             " WHERE seconds IS NOT NULL AND last < clock_timestamp() - (seconds + 5) * interval '1 second'",
             "none stands", SETTLE_SECONDS);
    /* Ends are written in batches: what ended a moment ago is about to be there. */
    WAIT_SQL(cluster,
             "SELECT string_agg(fault, E'\\n') FROM (SELECT fault FROM public.oracle ORDER BY fault LIMIT 20) f", NULL,
             SETTLE_SECONDS);
}
