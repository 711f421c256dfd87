/* SPDX-License-Identifier: PostgreSQL */
#include "cli/ledger_lists.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"

#define FOLLOW_LIMIT 1000 /* runs that a look goes back */

bool job_list_add(struct visit *visit, struct output_list *list, const struct job_filter *filter, struct job_page *page,
                  struct error *err)
{
    struct question question;
    struct pg_rows rows;
    while (!page->ended) {
        job_list_ask(&question, visit->database, filter, page);
        if (!visit_ask(visit, &question, &rows, err)) {
            return false;
        }
        job_list_take(list, &rows, visit->database, filter, page);
        pg_rows_finish(&rows);
    }
    return true;
}

bool job_list_count_more(struct visit *visit, const struct job_filter *filter, const struct job_page *page,
                         size_t *more, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    *more = 0;
    if (!job_count_ask(&question, visit->database, filter, page)) {
        return true;
    }
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    *more = (size_t)strtoull(pg_rows_value(&rows, 0, 0), NULL, 10);
    pg_rows_finish(&rows);
    return true;
}

bool run_list_add(struct visit *visit, struct output_list *list, const struct run_filter *filter, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    run_list_ask(&question, visit->database, filter);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    run_list_take(list, &rows);
    pg_rows_finish(&rows);
    return true;
}

bool due_jobs_read(struct visit *visit, struct due_jobs *due, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    calendars_ask(&question);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    due_jobs_take(due, &rows, visit->database);
    pg_rows_finish(&rows);
    return true;
}

/* --- what is new since the look before ---------------------------------------------------------------------------- */

static int by_key(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* What the columns say up to the state: a run that has ended is another one than when it was running. */
static uint64_t key_of(const struct pg_rows *rows, size_t row)
{
    struct buffer text = {0};
    for (size_t column = 0; column <= RUN_LIST_STATE; column++) {
        const char *value = pg_rows_value(rows, row, column);
        buffer_printf(&text, "%s\n", value != NULL ? value : "");
    }
    uint64_t key = text_hash(buffer_text(&text));
    buffer_finish(&text);
    return key;
}

static bool is_new(struct run_seen *seen, uint64_t key)
{
    if (seen->now_count == seen->now_capacity) {
        seen->now_capacity = seen->now_capacity == 0 ? FOLLOW_LIMIT : 2 * seen->now_capacity;
        seen->now = xrealloc(seen->now, seen->now_capacity, sizeof(*seen->now));
    }
    seen->now[seen->now_count++] = key;
    return seen->before_count == 0 || bsearch(&key, seen->before, seen->before_count, sizeof(key), by_key) == NULL;
}

bool run_list_add_new(struct visit *visit, struct output_list *list, const struct run_filter *filter,
                      struct run_seen *seen, struct error *err)
{
    struct run_filter look = *filter;
    struct question question;
    struct pg_rows rows;
    look.limit = FOLLOW_LIMIT;
    run_list_ask(&question, visit->database, &look);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    for (size_t row = rows.count; row-- > 0;) {
        if (is_new(seen, key_of(&rows, row)) && (seen->looked || row < (size_t)filter->limit)) {
            output_take_row(list, &rows, row);
        }
    }
    pg_rows_finish(&rows);
    return true;
}

void run_seen_turn(struct run_seen *seen)
{
    free(seen->before);
    seen->before = seen->now;
    seen->before_count = seen->now_count;
    seen->now = NULL;
    seen->now_count = seen->now_capacity = 0;
    seen->looked = true;
    if (seen->before_count > 0) {
        qsort(seen->before, seen->before_count, sizeof(*seen->before), by_key);
    }
}

void run_seen_finish(struct run_seen *seen)
{
    free(seen->before);
    free(seen->now);
}
