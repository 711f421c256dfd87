/* SPDX-License-Identifier: PostgreSQL */
/* Roles that keep views: `app` and `other`, over table public.orders of role `shop`, with a daemon that serves as the
 * role of `pgchime init --sql`. app has SELECT and TRIGGER on orders, other SELECT; both make relations in schema
 * reports. What calls spy.note(text) is in spy.seen with the role that it ran as. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_ROLE_VIEWS_H
#define CHIME_TESTS_SUPPORT_ROLE_VIEWS_H

#include "support/cluster/session.h"
#include "support/daemon/served.h"

/* Of the test under way, beside what served.h has: sessions of these roles. */
extern PGconn *app;
extern PGconn *other;

void role_views_set_up(void);
void role_views_tear_down(void);
PGconn *role_views_connect(const char *role); /* the caller's: PQfinish */
void role_views_await_keyed(void);            /* the one view that there is was refreshed by its marks */

/* The first value of the answer is `expected`, or its error and hint ("ERROR; HINT") are; "NULL": no value. */
void role_views_expect(PGconn *session, const char *sql, const char *expected, int line);
#define EXPECT_TOLD(session, sql, expected) role_views_expect(session, sql, expected, __LINE__)

#define DAILY "SELECT day, count(*) AS n, sum(amount) AS total FROM orders GROUP BY day"
#define KEEP "SELECT chime.keep_view('daily_orders', $$" DAILY "$$, view_schema => 'reports')"
#define KEEPS(name, definition, more) \
    "SELECT chime.keep_view('" name "', $def$" definition "$def$, view_schema => 'reports'" more ")"
#define SAME                                                                                               \
    "SELECT count(*) FROM ((TABLE reports.daily_orders EXCEPT ALL TABLE reports.daily_orders__live) UNION" \
    " (TABLE reports.daily_orders__live EXCEPT ALL TABLE reports.daily_orders)) AS d"
#define FRESH(session) EXPECT_TOLD(session, "SELECT fresh FROM chime.wait_fresh('daily_orders', '60s')", "t")

#endif
