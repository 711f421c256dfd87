/* SPDX-License-Identifier: PostgreSQL */
#include "support/keyed/keyed.h"

#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

struct cluster *keyed_create(void)
{
    static const char *const settings[] = {"max_prepared_transactions=20", NULL};

    return keyed_create_with(settings);
}

static char *content(void)
{
    char *schema = migrate_text(0);
    char *tables = files_read(PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed.sql");
    char *both = files_path("%s\n%s", schema, tables);

    free(schema);
    free(tables);
    return both;
}

void keyed_make(struct cluster *cluster)
{
    char *text = content();

    cluster_execute(cluster, text);
    free(text);
}

struct cluster *keyed_create_with(const char *const *settings)
{
    static const struct cluster_template keyed = {"keyed", keyed_make, content};

    return cluster_create_from(&keyed, settings);
}

void keyed_install(struct cluster *cluster, const char *const *views)
{
    for (const char *const *view = views; *view != NULL; view++) {
        char *install = files_path("SELECT app.install_%s()", *view);

        EXPECT_SQL(cluster, install, NULL);
        free(install);
    }
    keyed_tend(cluster);
    for (const char *const *view = views; *view != NULL; view++) {
        char *look = files_path("SELECT app.look('%s')", *view);

        EXPECT_SQL(cluster, look, "full: the first time");
        free(look);
    }
}

/* As the leader does: again while there is more than one look has time for. Autovacuum may hold a lock that it wants,
 * which it does not wait for. */
void keyed_tend(struct cluster *cluster)
{
    struct wait_deadline deadline = wait_deadline_after(60);

    for (bool more = true; more;) {
        PGresult *answer = cluster_query(cluster, "CALL chime.tend_capture()");
        const char *problem = PQgetvalue(answer, 0, 0);

        if (problem[0] != '\0' && strstr(problem, "lock timeout") == NULL)
            support_fail("%s", problem);
        more = problem[0] != '\0' || PQgetvalue(answer, 0, 1)[0] == 't';
        if (more)
            wait_a_little(&deadline, problem, 60, __FILE__, __LINE__);
        PQclear(answer);
    }
}
