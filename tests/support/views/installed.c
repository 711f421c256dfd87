/* SPDX-License-Identifier: PostgreSQL */
#define _DEFAULT_SOURCE /* strdup */
#include "support/views/installed.h"

#include <stdlib.h>
#include <string.h>

#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define INSTALL_SECONDS 60

static const char *chosen_plugin;
static const char *chosen_tables;
static const char *chosen_as_of;

static void install(struct cluster *cluster)
{
    char *folder = files_make_directory();
    struct site *site = site_create(cluster, "postgres", 2);

    plugin_put(folder, chosen_plugin);
    site_use_plugins(site, folder);
    struct daemon *daemon = site_lead(site);
    WAIT_SQL(cluster, "SELECT string_agg(state || coalesce(': ' || reason, ''), ' ') FROM chime.plugin", "installed",
             INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.run) + (SELECT count(*) FROM chime.request)", "0",
             INSTALL_SECONDS);
    site_end(daemon);
    daemon_destroy(daemon);
    site_destroy(site);
    free(folder);
}

static void make(struct cluster *cluster)
{
    char *path = files_path("%s/%s", PGCHIME_SOURCE_DIR, chosen_tables);

    cluster_execute_file(cluster, path);
    install(cluster);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/installed.sql");
    if (chosen_as_of != NULL)
        installed_begin(cluster, chosen_as_of);
    free(path);
}

static void look_as_of(struct cluster *cluster, const char *as_of)
{
    cluster_execute_format(cluster, "SET chime.as_of = '%s'; SET search_path = analytics, public", as_of);
}

struct cluster *installed_create(const char *plugin, const char *tables, const char *as_of)
{
    const struct cluster_template installed = {plugin, make, NULL};

    chosen_plugin = plugin;
    chosen_tables = tables;
    chosen_as_of = as_of;
    struct cluster *cluster = cluster_create_from(&installed, NULL);
    if (as_of != NULL)
        look_as_of(cluster, as_of);
    return cluster;
}

void installed_begin(struct cluster *cluster, const char *as_of)
{
    look_as_of(cluster, as_of);
    /* In the order of their installation, in which views that read others come after these. */
    cluster_execute(cluster,
                    "DO $$ DECLARE v record; BEGIN FOR v IN SELECT relation FROM chime.view ORDER BY view_id LOOP"
                    " PERFORM chime.refresh(v.relation::text, true); END LOOP; END $$");
}

void installed_refresh(struct cluster *cluster, const char *as_of, const char *const *views)
{
    look_as_of(cluster, as_of);
    for (const char *const *view = views; *view != NULL; view++) {
        char *refresh = files_path("SELECT CASE WHEN v.full_reason IS NOT NULL OR r.method = 'keyed' THEN 'by groups'"
                                   " ELSE r.reason END FROM chime.refresh('%s') r, chime.view v WHERE relation = '%s'",
                                   *view, *view);
        EXPECT_SQL(cluster, refresh, "by groups");
        free(refresh);
    }
}

static int recount(struct cluster *cluster, const char *module, const char *as_of, const char *relation, char **output)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *program = files_path("%s/tests/oracle/recount", PGCHIME_SOURCE_DIR);
    char *log = files_path("%s/recount.log", cluster_directory(cluster));
    const char *argv[] = {"/usr/bin/python3", "-B", program, module, conninfo, "analytics", as_of, relation, NULL};

    files_write(log, "");
    int status = process_wait(process_start(argv, log, log), 120);
    *output = files_read(log);
    free(conninfo);
    free(program);
    free(log);
    return status;
}

void installed_is_right(struct cluster *cluster, const char *module, const char *as_of)
{
    char *output = NULL;

    if (recount(cluster, module, as_of, NULL, &output) != 0)
        support_fail("as of %s:\n%s", as_of, output);
    EXPECT_SQL(cluster,
               "SELECT string_agg(v.relation, ' ') FROM chime.view v, chime.difference(v.relation) d"
               " WHERE d.missing + d.surplus > 0",
               NULL);
    free(output);
}

void installed_is_wrong(struct cluster *cluster, const char *module, const char *as_of, const char *relation)
{
    char *output = NULL;

    if (recount(cluster, module, as_of, relation, &output) != 1 || strstr(output, "differences") == NULL)
        support_fail("recount finds nothing wrong with %s:\n%s", relation, output);
    free(output);
}

void installed_section(struct cluster *cluster, const char *plugin, const char *section)
{
    char *path = files_path("%s/plugins/%s/%s.sql", PGCHIME_SOURCE_DIR, plugin, plugin);
    char *mark = files_path("-- chime:begin %s\n", section);
    char *text = files_read(path);
    char *begin = strstr(text, mark);
    char *end = begin != NULL ? strstr(begin, "-- chime:end\n") : NULL;

    if (end == NULL)
        support_fail("%s has no section %s", path, section);
    *end = '\0';
    cluster_execute(cluster, begin);
    free(path);
    free(mark);
    free(text);
}

static PGnotify *next_notification(PGconn *session)
{
    PQclear(PQexec(session, "SELECT 1")); /* what was committed before comes with the answer */
    return PQnotifies(session);
}

char *installed_heard(PGconn *session)
{
    PGnotify *notification = next_notification(session);

    if (notification == NULL)
        support_fail("no notification came");
    char *payload = strdup(notification->extra);
    PQfreemem(notification);
    return payload;
}

void installed_heard_nothing(PGconn *session)
{
    PGnotify *notification = next_notification(session);

    if (notification != NULL)
        support_fail("there was a notification: %s", notification->extra);
}
