/* SPDX-License-Identifier: PostgreSQL */
#include "report/metrics.h"

#include <stdio.h>

#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "report/calendars.h"

struct asked {
    const struct invocation *invocation;
    const struct config *config;
    struct metrics *metrics;
    struct visited visited;
};

static bool ask_all(struct visit *visit, struct asked *asked, struct error *err)
{
    struct question questions[METRICS_QUESTIONS];
    struct pg_rows answers[METRICS_QUESTIONS] = {0};
    bool answered = true;
    metrics_ask(asked->metrics, asked->config, visit->database, questions);
    for (size_t i = 0; i < METRICS_QUESTIONS && answered; i++) {
        answered = visit_ask(visit, &questions[i], &answers[i], err);
    }
    if (answered) {
        metrics_take(asked->metrics, visit->database, answers);
    }
    for (size_t i = 0; i < METRICS_QUESTIONS; i++) {
        pg_rows_finish(&answers[i]);
    }
    return answered;
}

/* What keeps one from being asked is told, and leaves the others as they are. */
static int add_database(struct asked *asked, const struct config_database *database)
{
    struct visit visit;
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit, database, &err) || !visit_is_first(&visit, &asked->visited, &err) ||
        !ask_all(&visit, asked, &err)) {
        metrics_take_absent(asked->metrics, database);
        error_prefix(&err, "database \"%s\"", database->name);
        status = fail(&err);
    } else {
        visit_remark_standby(asked->invocation, &visit);
    }
    visit_close(&visit);
    return status;
}

static void print(const struct metrics *metrics, enum metrics_form form)
{
    struct buffer text = {0};
    metrics_put(metrics, form, &text);
    fwrite(text.data, 1, text.length, stdout);
    buffer_finish(&text);
}

static int metrics_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct asked asked = {.invocation = invocation, .config = config, .metrics = metrics_create()};
    status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            int found = add_database(&asked, &config->databases[i]);
            status = status == EXIT_OK ? found : status;
        }
    }
    print(asked.metrics, invocation_has(invocation, "text") ? METRICS_TEXT : METRICS_OPEN);
    metrics_destroy(asked.metrics);
    visited_finish(&asked.visited);
    config_free(config);
    return status;
}

const struct command command_metrics = {
    .name = "metrics",
    .arguments = "",
    .summary = "figures for Prometheus and others, in OpenMetrics 1.0",
    .details = "The page has the same at /metrics. What only the leader knows is among them while the page is there.\n"
               "A database that cannot be asked has pgchime_database_up 0; the exit status is that of the failure.",
    .options = {{"text", NULL, "the older text format 0.0.4, as node_exporter's textfile collector takes it"}},
    .run = metrics_run,
};
