/* SPDX-License-Identifier: PostgreSQL */
#include "cli/next_soonest.h"

static bool ask_calendars(struct visit *visit, struct soonest *soonest, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    calendars_ask(&question);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    bool taken = soonest_take_calendars(soonest, &rows, err);
    pg_rows_finish(&rows);
    return taken;
}

bool next_soonest(struct visit *visit, const struct next_request *request, struct next_answers *answers, size_t *due,
                  struct error *err)
{
    struct question question;
    struct pg_rows rows;
    struct soonest *soonest = soonest_create(&request->asked, visit->database, request->zones);
    bool asked = ask_calendars(visit, soonest, err);
    *due += asked ? soonest_due(soonest) : 0;
    if (asked && soonest_ask(soonest, &question)) {
        asked = visit_ask(visit, &question, &rows, err);
        if (asked) {
            soonest_add(soonest, &rows, answers);
            pg_rows_finish(&rows);
        }
    }
    soonest_destroy(soonest);
    return asked;
}
