/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/citus.h"

#include <stdlib.h>

#include "support/process/process.h"

/* Logical decoding is what moves a shard while it is written; two-phase commits are what writes to several are. */
static const char *const settings[] = {
    "shared_preload_libraries=citus",     "wal_level=logical",   "max_prepared_transactions=100",
    "citus.node_conninfo=sslmode=prefer", "citus.shard_count=4", NULL,
};

static struct cluster *create_node(void)
{
    struct cluster *node = cluster_create(settings);

    cluster_execute_format(node, "ALTER SYSTEM SET citus.local_hostname = '%s'", cluster_directory(node));
    cluster_restart(node);
    cluster_execute(node, "CREATE EXTENSION citus");
    return node;
}

struct citus *citus_create(void)
{
    struct citus *citus = calloc(1, sizeof(*citus));

    if (citus == NULL)
        support_fail("out of memory");
    citus->coordinator = create_node();
    cluster_execute_format(citus->coordinator, "SELECT citus_set_coordinator_host('%s', 5432)",
                           cluster_directory(citus->coordinator));
    for (int i = 0; i < CITUS_WORKERS; i++) {
        citus->workers[i] = create_node();
        cluster_execute_format(citus->coordinator, "SELECT citus_add_node('%s', 5432)",
                               cluster_directory(citus->workers[i]));
    }
    return citus;
}

void citus_destroy(struct citus *citus)
{
    if (citus == NULL)
        return;
    cluster_destroy(citus->coordinator);
    for (int i = 0; i < CITUS_WORKERS; i++)
        cluster_destroy(citus->workers[i]);
    free(citus);
}

/* A primary key has to have the column by which its table is distributed. */
void citus_distribute_sample(struct citus *citus)
{
    cluster_execute(citus->coordinator,
                    "ALTER TABLE submissions DROP CONSTRAINT submissions_pkey;"
                    "ALTER TABLE submissions ADD PRIMARY KEY (challenge_id, id);"
                    "SELECT create_distributed_table('submissions', 'challenge_id');"
                    "SELECT create_distributed_table(t, 'id', colocate_with => 'none') FROM unnest('{chat_telemetry,"
                    " agent_queries, agent_approvals, agent_feedback, \\\"AgentQuery\\\", \\\"AgentFeedback\\\","
                    " action_results}'::text[]) AS t;"
                    "SELECT create_reference_table(t) FROM unnest('{bout_results, triggers}'::text[]) AS t");
}

void citus_move_a_shard(struct citus *citus, const char *table)
{
    cluster_execute_format(
        citus->coordinator,
        "SELECT citus_move_shard_placement(s.shardid, s.nodename, s.nodeport, n.nodename, n.nodeport)"
        "  FROM (SELECT * FROM citus_shards WHERE table_name = '%s'::regclass ORDER BY random() LIMIT 1) AS s"
        "  JOIN pg_dist_node n ON n.groupid > 0 AND n.nodename <> s.nodename",
        table);
}
