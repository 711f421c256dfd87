/* SPDX-License-Identifier: PostgreSQL */
/* Figures of databases as Prometheus and others read them: OpenMetrics 1.0, or its older form 0.0.4.
 *
 * Does: say what is asked of a database, make samples of the answers, write the text. Counters come from chime.tally
 *   and job_state, never from the history. docs/metrics.md lists all of them.
 * Does not: give a label `job` or `instance`, which are the scraper's, or a series for each job where there are more
 *   than config_metrics_jobs.most. */
#ifndef CHIME_REPORT_METRICS_H
#define CHIME_REPORT_METRICS_H

#include "base/buffer.h"
#include "config/config.h"
#include "pg/rows.h"
#include "report/statements.h"

#define METRICS_QUESTIONS 4
#define METRICS_OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_form { METRICS_OPEN, METRICS_TEXT };

struct metrics;

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics); /* takes NULL */

/* The questions borrow from `metrics`. */
void metrics_ask(struct metrics *metrics, const struct config *config, const struct config_database *database,
                 struct question questions[static METRICS_QUESTIONS]);
void metrics_take(struct metrics *metrics, const struct config_database *database,
                  const struct pg_rows answers[static METRICS_QUESTIONS]);
void metrics_take_absent(struct metrics *metrics, const struct config_database *database);

/* What `pgchime web` knows of itself. `label`: value of the label that the metric has; NULL: it has none. */
enum metrics_of_web { METRICS_WEB_STREAMS, METRICS_WEB_CONNECTIONS, METRICS_WEB_REQUESTS };
void metrics_add_web(struct metrics *metrics, enum metrics_of_web which, const char *label, uint64_t value);
void metrics_add_queries(struct metrics *metrics, const char *database, uint64_t count, duration sum);

void metrics_put(const struct metrics *metrics, enum metrics_form form, struct buffer *text);

#endif
