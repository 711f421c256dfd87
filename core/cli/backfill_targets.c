/* SPDX-License-Identifier: PostgreSQL */
#include "cli/backfill_targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static bool gather_others(struct backfill_targets *targets, struct visit *visit, struct error *err)
{
    static const char sql[] = "SELECT name FROM chime.job WHERE views <> '{}' UNION SELECT relation FROM chime.view"
                              " UNION SELECT view_schema || '.' || relation FROM chime.view";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        buffer_append(&targets->others, pg_rows_value(&rows, i, 0), strlen(pg_rows_value(&rows, i, 0)) + 1);
    }
    pg_rows_finish(&rows);
    return true;
}

/* A job that refreshes nothing has a row without a view. */
static bool search_database(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT 'job', v.view, j.job_id FROM (SELECT job_id, views FROM chime.job WHERE name = $1"
                              "  ORDER BY owner = current_user DESC, active DESC, job_id LIMIT 1) AS j"
                              "  LEFT JOIN LATERAL unnest(j.views) WITH ORDINALITY AS v (view, n) ON true"
                              " UNION ALL"
                              " SELECT 'view', view_schema || '.' || relation, NULL FROM chime.view"
                              "  WHERE $1 IN (relation, view_schema || '.' || relation) AND NOT EXISTS (SELECT FROM "
                              "chime.job WHERE name = $1)";
    struct backfill_targets *targets = data;
    struct pg_rows rows;
    if (!gather_others(targets, visit, err) || !pg_client_query(visit->client, sql, &targets->name, 1, &rows, err)) {
        return false;
    }
    if (rows.count > 0) {
        pg_rows_finish(&targets->rows);
        targets->rows = rows;
        targets->database = visit->database;
        targets->databases++;
    } else {
        pg_rows_finish(&rows);
    }
    return true;
}

static int refuse_unknown(const struct backfill_targets *targets)
{
    struct error err;
    const char **names = xcalloc(targets->others.length + 1, sizeof(*names));
    size_t count = 0;
    for (size_t at = 0; at < targets->others.length; at += strlen(targets->others.data + at) + 1) {
        names[count++] = targets->others.data + at;
    }
    const char *nearest = nearest_word(targets->name, names, count);
    error_set(&err, ERROR_NOT_FOUND, "there is no job or view \"%s\"", targets->name);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(&err, "pgchime views lists the views, pgchime jobs the jobs");
    }
    free(names);
    return fail(&err);
}

static int refuse_unclear(const struct backfill_targets *targets)
{
    struct error err;
    if (targets->databases > 1) {
        error_set(&err, ERROR_USAGE, "more than one database has a job or view \"%s\"", targets->name);
        error_hint(&err, "choose one with --database NAME");
    } else {
        error_set(&err, ERROR_USAGE, "more than one schema has a view \"%s\"", targets->name);
        error_hint(&err, "write \"%s\" or \"%s\"", pg_rows_value(&targets->rows, 0, TARGET_VIEW),
                   pg_rows_value(&targets->rows, 1, TARGET_VIEW));
    }
    return fail(&err);
}

int backfill_targets_find(struct backfill_targets *targets, const struct invocation *invocation,
                          const struct config *config)
{
    int status = visit_all(invocation, config, search_database, targets);
    if (status != EXIT_OK) {
        return status;
    }
    if (targets->databases == 0) {
        return refuse_unknown(targets);
    }
    bool many_views = targets->rows.count > 1 && strcmp(pg_rows_value(&targets->rows, 0, TARGET_KIND), "view") == 0;
    if (targets->databases > 1 || many_views) {
        return refuse_unclear(targets);
    }
    return EXIT_OK;
}

void backfill_targets_finish(struct backfill_targets *targets)
{
    pg_rows_finish(&targets->rows);
    buffer_finish(&targets->others);
}
