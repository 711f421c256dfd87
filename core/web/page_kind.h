/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/web: what a page is made of, for the files that know one kind of it. */
#ifndef CHIME_WEB_PAGE_KIND_H
#define CHIME_WEB_PAGE_KIND_H

#include "report/job_graph.h"
#include "report/job_list.h"
#include "report/metrics.h"
#include "report/next_list.h"
#include "report/run_list.h"
#include "report/why.h"
#include "web/page.h"

#define ANY ":"       /* a part that may be anything */
#define DATABASE "=d" /* the name of a database */

/* A page while it is made. */
struct page {
    const struct page_kind *kind;
    const struct config *config;
    const struct config_database *database; /* NULL: all */
    struct http_target target;
    const char *job; /* its name, where the target has one; of a tile, its plugin */
    struct page_cost cost;
    struct job_filter jobs;
    struct job_page job_page;
    struct run_filter runs;
    struct run_cursor before;
    struct buffer states;
    char since[INSTANT_TEXT_SIZE];
    char until[INSTANT_TEXT_SIZE];
    int64_t days;
    struct next_question asked; /* of page_next and page_soonest alone, as what follows */
    struct next_answers next;
    struct soonest *soonest;
    struct zones *zones;
    struct job_graph_choice graph; /* of page_graph alone */
    struct output_list *lists[PAGE_LISTS_MAX];
    size_t list_count;
    bool well;
    bool hides;
    size_t round;
    struct why_facts why; /* of page_why alone */
    char job_id[24];
    struct metrics *metrics; /* of page_metrics_open and page_metrics_text alone */
};

/* What is below one path. */
struct page_kind {
    const char *parts[HTTP_PARTS_MAX];
    const char *queries[HTTP_QUERIES_MAX];
    void (*create)(struct page *page);
    bool (*read)(struct page *page, struct error *err); /* the query; NULL: nothing of it matters */
    size_t (*ask)(struct page *page, const struct config_database *database, struct question *questions);
    bool (*take)(struct page *page, const struct config_database *database, struct pg_rows *answers, struct error *err);
    /* Of a database that could not be asked, on a page that is about all; NULL: as for /databases. */
    void (*take_absent)(struct page *page, const struct config_database *database);
    void (*put)(const struct page *page, struct buffer *text); /* NULL: its lists, as JSON */
    const char *type;                                          /* of what is put; NULL: JSON */
    duration fresh_for;                                        /* 0: a second */
    size_t rounds;                               /* of questions, where later ones follow from answers; 0: one */
    bool (*asks_again)(const struct page *page); /* or whether there are more; NULL: by `rounds` */
    /* Why there is no answer, in the kind's own words; NULL: in those of the error. */
    bool (*take_failure)(struct page *page, const struct config_database *database, struct error *err);
    bool of_plugins; /* queries of plugins: for everybody in the words of page.h */
};

extern const struct page_kind page_jobs, page_job, page_days, page_versions, page_next, page_soonest;
extern const struct page_kind page_runs, page_runs_of_job, page_run;
extern const struct page_kind page_views, page_alerts, page_findings, page_graph, page_why;
extern const struct page_kind page_history, page_silences, page_notifications, page_crowded;
extern const struct page_kind page_metrics_open, page_metrics_text;
extern const struct page_kind page_tile_databases, page_tiles, page_tile;

const char *page_query(const struct page *page, const char *name); /* NULL: it is not given */
/* A number of the query from 1 to `most`; untouched where it is not given. */
bool page_read_number(const struct page *page, const char *name, int64_t most, int64_t *number,
                      struct error *err) CHIME_MUST_CHECK;
/* An instant of the query, as `text` to which *value points then; likewise. What is "an hour ago" would be another
 * answer each time. */
bool page_read_instant(const struct page *page, const char *name, char *text, const char **value,
                       struct error *err) CHIME_MUST_CHECK;
/* That there is no such job. */
bool page_refuse_job(const struct page *page, struct error *err);

#endif
